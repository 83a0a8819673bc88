"""How much nearer `melody-rnn adapt` comes to a book of tunes of which it learns ten.

    OMP_NUM_THREADS=2 python benchmarks/adapting.py my-book
    OMP_NUM_THREADS=2 python benchmarks/adapting.py my-book --tunes 20 --seed 2 --json

Ten tunes of a folder are drawn. `adapt` learns from eight of them, and stops by the other two. All
other tunes of the folder, of which neither weights nor stopping knew anything, are measured before
and after, and so is the test split of the shipped tunes, which shows what was forgotten. Copies are
looked for in the ten, and the control is how much of the others stands in them.
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
from groove_core.values import Report
from melody_rnn import adapt
from melody_rnn.evaluation import bits_of, per
from melody_rnn.lessons import Lesson
from melody_rnn.lines import windows
from melody_rnn.loading import load
from melody_rnn.samples import copied, drawn, lines_of, stream_of
from melody_rnn.training import TransformerTraining
from melody_rnn.tunes import shipped

GRID, SAMPLES = 4, 200
SIZES = (16, 32)
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


def main() -> None:
    """Adapt, and measure before and after."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="songs of one composer or book")
    parser.add_argument("--tunes", type=int, default=10, help="to learn from (default: 10)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    mine, others = divided(open_tunes(options.folder), options.tunes, options.seed)
    with tempfile.TemporaryDirectory() as folder:
        own, after = Path(folder) / "own.npz", Path(folder) / "adapted"
        mine.save(own)
        taken = seconds(lambda: adapt(own, into=after, device="cpu", seed=options.seed))
        networks = {
            "before": load("transformer", None, "cpu")[0],
            "after": load("transformer", str(after), "cpu")[0],
        }
    sides = {
        f"{len(others)} other tunes of the book": Lesson(others).part(*PARTS),
        "shipped test tunes": Lesson(shipped()).part("test"),
    }
    learnt = [one for one in Lesson(mine).part(*PARTS)[0] if one.grid == GRID]
    stretches = {size: Stretches(stream_of(learnt), size) for size in SIZES}
    like = windows(learnt, TransformerTraining.steps)
    like = like.pick(np.arange(SAMPLES) % len(like))
    known = {
        name: [(*bits_of(network, lines), tunes) for lines, tunes in sides.values()]
        for name, network in networks.items()
    }
    rows = [
        (
            name,
            *(per(bits, counts[:, 1], tunes) for bits, counts, tunes in known[name]),
            *copied(stretches, lines_of(drawn(network, like, options.seed))),
        )
        for name, network in networks.items()
    ]
    saved = [
        per(before - after, before, tunes)
        for (before, _, tunes), (after, _, _) in zip(*known.values(), strict=True)
    ]
    book, owners = next(iter(sides.values()))
    on_grid = [i for i, line in enumerate(book) if line.grid == GRID]
    control = copied(stretches, [book[i] for i in on_grid], [owners[i] for i in on_grid])
    report = Report(
        f"Before and after adapt on {options.tunes} tunes, {taken / 60:.1f} minutes",
        ("network", *(f"{side}, bits per event" for side in sides),
         *(f"copied, {size} steps" for size in SIZES)),
        (*rows, ("share saved", *saved, *[None] * len(SIZES)),
         ("other tunes of the book", None, None, *control)),
        notes=(
            "copied: share of stretches that stand in the tunes that were learnt, of "
            f"{SAMPLES} melodies that were written, and of the other tunes of the book.",
            about_intervals("tunes, of copies over melodies"),
        ),
    )  # fmt: skip
    print(json.dumps(report.to_json(), indent=1) if options.json else report.to_text())


if __name__ == "__main__":
    main()
