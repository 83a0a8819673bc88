"""How much nearer `melody-rnn adapt` comes to a book of tunes of which it learns ten.

    OMP_NUM_THREADS=2 python benchmarks/adapting.py a-book another-book
    OMP_NUM_THREADS=2 python benchmarks/adapting.py a-book --tunes 20 --seed 2 --json

Ten tunes of each folder are drawn. `adapt` learns from eight of them, and stops by the other two.
All other tunes of the folder, of which neither weights nor stopping knew anything, are measured
before and after, and so is the test split of the shipped tunes, which shows what was forgotten.
Copies are looked for in the ten; the control is how much of the others stands in them.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from pairs import seconds

from groove_core.learning import PARTS, about_intervals, hashed
from groove_core.tunes import Stretches, TuneSet, open_tunes
from groove_core.values import Cell, Report
from melody_rnn import adapt
from melody_rnn.evaluation import bits_of, per
from melody_rnn.lessons import Lesson
from melody_rnn.lines import windows
from melody_rnn.loading import load
from melody_rnn.samples import copied, drawn, lines_of, stream_of
from melody_rnn.training import TransformerTraining
from melody_rnn.tunes import shipped

GRID, SAMPLES = 4, 200
SIZE = 16
"""Steps of copies."""


def divided(tunes: TuneSet, count: int, seed: int) -> tuple[TuneSet, TuneSet]:
    """Draw so many different tunes, and return them and all that are no copies of them."""
    groups = sorted(set(tunes.groups), key=lambda group: hashed(f"{seed}/{group}"))
    if len(groups) <= count:
        raise SystemExit(f"The folder has {len(groups)} different tunes; give more than {count}.")
    chosen = set(groups[:count])
    every = [tunes.tune(number) for number in range(len(tunes))]
    return (
        TuneSet.of([one for one in every if one.group in chosen]),
        TuneSet.of([one for one in every if one.group not in chosen]),
    )


def row(folder: Path, count: int, seed: int) -> tuple[Cell, ...]:
    """Adapt to some tunes of a folder, and measure before and after."""
    mine, others = divided(open_tunes(folder), count, seed)
    with tempfile.TemporaryDirectory() as scratch:
        own, place = Path(scratch) / "own.npz", Path(scratch) / "adapted"
        mine.save(own)
        taken = seconds(lambda: adapt(own, into=place, device="cpu", seed=seed))
        networks = [load("transformer", name, "cpu")[0] for name in (None, str(place))]
    book, general = Lesson(others).part(*PARTS), Lesson(shipped()).part("test")
    learnt = [one for one in Lesson(mine).part(*PARTS)[0] if one.grid == GRID]
    stretches = {SIZE: Stretches(stream_of(learnt), SIZE)}
    like = windows(learnt, TransformerTraining.steps)
    like = like.pick(np.arange(SAMPLES) % len(like))
    copies = [copied(stretches, lines_of(drawn(network, like, seed)))[0] for network in networks]
    on_grid = [(line, tune) for line, tune in zip(*book, strict=True) if line.grid == GRID]
    [control] = copied(stretches, *zip(*on_grid, strict=True))
    (before, counts), (after, _) = (bits_of(network, book[0]) for network in networks)
    (whole, _), (then, _) = (bits_of(network, general[0]) for network in networks)
    return (
        folder.name, *(per(bits, counts[:, 1], book[1]) for bits in (before, after)),
        per(before - after, before, book[1]), per(then - whole, whole, general[1]),
        *copies, control, len(others), round(taken / 60, 1),
    )  # fmt: skip


def main() -> None:
    """Adapt to each book."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+", help="songs of a composer or book, each")
    parser.add_argument("--tunes", type=int, default=10, help="to learn from (default: 10)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report = Report(
        f"What adapt learns from {options.tunes} tunes of a book, measured on all its others",
        (
            "book", "bits per event before", "after", "share saved", "more on shipped test tunes",
            f"copied, {SIZE} steps, before", "copied after", "copied by the others", "others",
            "minutes",
        ),
        [row(folder, options.tunes, options.seed) for folder in options.folders],
        notes=(
            f"copied: share of stretches of {SIZE} steps that stand in the tunes that were learnt, "
            f"of {SAMPLES} melodies that were written, and of the other tunes of the book.",
            about_intervals("tunes, of copies over melodies"),
        ),
    )  # fmt: skip
    print(json.dumps(report.to_json(), indent=1) if options.json else report.to_text())


if __name__ == "__main__":
    main()
