"""How surely and how fast `trace` finds where a melody quotes one of the shipped tunes.

Stretches of the tunes that are learnt from are planted in the middle of held-out melodies, each
moved by up to eleven semitones. One is found if a quotation covers all of it, and a look at every
place of the tune that is named shows that it stands there. Many stand in several tunes.

    OMP_NUM_THREADS=2 python benchmarks/quotations.py
    OMP_NUM_THREADS=2 python benchmarks/quotations.py --steps 32 --count 500
"""

from __future__ import annotations

import argparse

import numpy as np
from pairs import seconds

from groove_core.tunes import NOTES, Tracer
from groove_core.values import LeadSheet
from melody_rnn.tunes import shipped

GRID, SEED = 4, 1


def stands_in(quoted: np.ndarray, corpus: str, song: str) -> bool:
    """Look at every place of a tune for a stretch, transposed or not."""
    tunes = shipped()
    notes = quoted >= 0
    for number, head in enumerate(tunes.heads):
        if (head.corpus, head.name) != (corpus, song):
            continue
        for melody in tunes.tune(number).melodies:
            if melody.length < len(quoted):
                continue
            places = np.lib.stride_tricks.sliding_window_view(melody.events, len(quoted))
            moved = places[:, notes] - quoted[notes]
            same = (places[:, notes] >= 0).all(axis=1) & (moved == moved[:, :1]).all(axis=1)
            if (same & (places[:, ~notes] == quoted[~notes]).all(axis=1)).any():
                return True
    return False


def main() -> None:
    """Plant quotations and look for them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=16, help="of a quotation (default: 16)")
    parser.add_argument("--count", type=int, default=100, help="quotations (default: 100)")
    options = parser.parse_args()
    size, rng, tunes = options.steps, np.random.default_rng(SEED), shipped()
    known = tunes.of_part("train")
    tracer = Tracer(tunes, known.tolist(), "the training set")
    long = tunes.about[:, 3] >= size
    on_grid = [number for number in known if long[number] and tunes.about[number, 0] == GRID]
    lines = [
        number
        for number in tunes.of_part("test")
        if tunes.about[number, 0] == GRID and tunes.about[number, 3] > 3 * size
    ]
    found = itself = 0
    slowest = 0.0
    for _ in range(options.count):
        source, at, quoted = -1, 0, np.zeros(0, np.int64)
        # It begins with a note: one that only ends there ends nothing in another melody.
        while (quoted >= 0).sum() < max(size // NOTES, 3) or quoted[0] < 0:
            source = int(rng.choice(on_grid))
            at = int(rng.integers(tunes.about[source, 3] - size + 1))
            quoted = tunes.melody(source).events[at : at + size]
        melody = tunes.melody(int(rng.choice(lines)))
        events, higher = melody.events, int(rng.integers(-11, 12))
        start = int(rng.integers(size, len(events) - 2 * size))
        events[start : start + size] = np.where(quoted >= 0, quoted + higher, quoted)
        line = LeadSheet.from_events(events, metre=melody.metre, pickup=melody.pickup)
        traces = []
        slowest = max(slowest, seconds(lambda line=line, to=traces: to.append(tracer.trace(line))))
        [trace] = traces
        covering = [
            one
            for one in trace.quotations
            if one.start <= start and one.start + one.steps >= start + size
        ]
        found += any(stands_in(quoted, one.corpus, one.song) for one in covering)
        song = tunes.heads[tunes.tune_of[source]]
        itself += any((one.corpus, one.song) == (song.corpus, song.name) for one in covering)
    print(
        f"{found} of {options.count} quotations of {size} steps found in {len(known):,} melodies, "
        f"{itself} in the tune they were taken from; the slowest took {slowest:.2f} s"
    )


if __name__ == "__main__":
    main()
