"""Continue two bars eight times, and keep the melody that quotes the fewest steps of known tunes.

Writes melody.mid, melody.wav and melody.png, and sources.txt with what each melody quotes.
"""

from pathlib import Path

from melody_rnn import extend, trace

PRIMER = "L:1/8 K:G G4 A4 B4 - D5 B4 A4 - | G4 A4 B4 A4 G4 - - -"


def main() -> None:
    """Write eight melodies, trace them, and save the best one."""
    takes = extend(PRIMER, bars=6, count=8, temperature=1.1, seed=1)
    found = list(trace(takes))
    for number, one in enumerate(found, 1):
        songs = {quotation.song for quotation in one.quotations}
        print(f"{number}: {one.share:.0%} of the steps are quoted, from {len(songs)} tunes")
    best = min(range(len(takes)), key=lambda number: found[number].share)
    print(f"kept: {best + 1}")
    takes[best].save("melody.mid")
    takes[best].save("melody.wav")
    takes[best].save("melody.png")
    text = "\n\n".join(one.to_text() for one in found)
    Path("sources.txt").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
