"""Make a phrase calmer and busier, and play the five versions one behind the other.

Writes busier.mid, busier.wav and busier.png, and prints how many notes a bar each version has.
"""

from matplotlib.figure import Figure

from groove_core.values import PALETTE
from music_vae import shift, vary
from music_vae.results import Piece

PHRASE = "L:1/8 K:G G4 A4 B4 - D5 B4 A4 - | G4 A4 B4 A4 G4 - - -"


def main() -> None:
    """Shift the density of a phrase both ways, and join what comes out."""
    calmer, busier = (
        list(shift(PHRASE, attribute="density", amount=amount, steps=2, seed=1))
        for amount in (-2, 2)
    )
    [remembered] = vary(PHRASE, amount=0, count=1, seed=1)
    versions = [*calmer[::-1], remembered, *busier]
    joined = Piece.join(versions)
    for ending in ("mid", "wav"):
        joined.save(f"busier.{ending}")
    counts = [len(version.line().notes) / version.bars for version in versions]
    print("notes a bar:", ", ".join(f"{count:g}" for count in counts))
    figure = Figure(figsize=(9, 2.5), dpi=100, layout="constrained")
    ax = figure.add_subplot()
    notes = joined.line().notes
    ax.barh(notes[:, 2], notes[:, 1], left=notes[:, 0], color=PALETTE[0])
    ax.set(xlabel="steps", ylabel="pitch")
    figure.savefig("busier.png")


if __name__ == "__main__":
    main()
