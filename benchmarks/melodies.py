"""How fast melody-rnn starts, writes, traces and learns, in one run.

    OMP_NUM_THREADS=2 python benchmarks/melodies.py                  # all
    OMP_NUM_THREADS=2 python benchmarks/melodies.py writing tracing  # only these
    OMP_NUM_THREADS=2 python benchmarks/melodies.py learning --batches 40

start     the whole process of `sample` for one melody, against `import torch`: see `pairs`
writing   steps that each network writes per second: one melody and many at once, from nothing
tracing   how long `trace` takes for a held-out melody, in all tunes that were learnt from
learning  how long an epoch of training takes on the packaged tunes, by some of its batches

A step is an event of the networks: something begins or ends there, or nothing happens. All steps
are drawn. The weights are the packaged ones, or new ones with `--untrained`: speed is the same.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from pairs import pair, seconds, show, times
from ratios import process

from groove_core.learning import Step
from groove_core.tunes import Tracer
from groove_core.values import Estimate
from melody_rnn.conditions import conditions_of, opened
from melody_rnn.lessons import Lesson
from melody_rnn.lines import windows
from melody_rnn.loading import NETWORKS, load
from melody_rnn.samples import TOP_P, lines_of
from melody_rnn.training import Settings, training_of
from melody_rnn.transformer import Transformer
from melody_rnn.tunes import shipped
from melody_rnn.writing import draws, write

BAR = 16
AT_ONCE = ((1, 16), (64, 16), (64, 8), (256, 8))
"""Melodies, and the bars of each: what lies further back makes a step of the Transformer dearer."""


def start(options: argparse.Namespace) -> Iterator[dict]:
    """Compare the whole process of one melody with the import of PyTorch."""
    groove = str(Path(sys.executable).with_name("groove"))
    ours = process(groove, "run", "melody-rnn", "sample", "--count", "1", "--format", "mid")
    torch_alone = process(sys.executable, "-c", "import torch")
    name = "start: groove run melody-rnn sample / import torch"
    yield pair(name, ours, torch_alone, options.rounds)


def writing(options: argparse.Namespace) -> Iterator[dict]:
    """Count the steps that are written per second."""
    for name, kind in NETWORKS.items():
        network = kind().eval() if options.untrained else load(name, None, "cpu")[0].eval()
        for count, bars in AT_ONCE:
            steps = BAR * bars
            silence = windows(lines_of(np.zeros((count, steps), np.int64)), steps)
            on = None
            if isinstance(network, Transformer):
                on = opened(conditions_of(silence, "cpu"))
            random = draws(range(count), steps)
            run = partial(write, network, steps, random, on=on, top_p=TOP_P)
            yield {
                "name": f"writing: {name}, {count} of {bars} bars at once",
                "steps a second": per_second(count * steps, times(run, options.rounds)),
            }


def tracing(options: argparse.Namespace) -> Iterator[dict]:
    """Time the first trace, which reads the tunes in, and one after it."""
    tunes = shipped()
    tests = tunes.of_part("test")
    # The longest of them, which takes longest.
    melody = tunes.melody(int(tests[np.argmax(tunes.about[tests, 3])]))
    tracer = Tracer(tunes, tunes.of_part("train").tolist(), "the training set")
    first = seconds(lambda: tracer.trace(melody))
    yield {
        "name": f"tracing: a melody of {melody.length} steps",
        "the first, s": first,
        "ours, s": times(lambda: tracer.trace(melody), options.rounds),
    }


def learning(options: argparse.Namespace) -> Iterator[dict]:
    """Time some batches of an epoch, and say how long all of them would take."""
    fabric = SimpleNamespace(
        device=torch.device("cpu"), global_rank=0, world_size=1,
        backward=lambda loss: loss.backward(),
    )  # fmt: skip
    for name in NETWORKS:
        settings, lesson = Settings.of(name), Lesson(shipped(), name)  # type: ignore[arg-type]
        task = training_of(name)(settings, lesson, seed=1)
        generator = torch.Generator().manual_seed(0)
        batches = task.batches(generator)
        lengths = [len(one) * int(task.lengths[one.numpy()].max()) for one in batches]
        some = range(min(options.batches, len(batches)))
        taken = []
        for i in some:
            step = Step(fabric, generator, 0.5, len(batches[i]))  # type: ignore[arg-type]
            taken.append(seconds(partial(task.learn, batches[i], step)))
        # Batches are of about as many steps, in an order that is drawn.
        whole = sum(taken) * sum(lengths) / sum(lengths[i] for i in some)
        yield {
            "name": f"learning: {name}, an epoch of {len(batches)} batches",
            "epoch, s": whole,
            "training, minutes": whole * settings.epochs / 60,
            "batches timed": len(some),
        }


def per_second(count: int, taken: Estimate) -> Estimate:
    """Return how many of so many things are made in a second."""
    return Estimate(count / taken.value, count / taken.high, count / taken.low)


PARTS = {part.__name__: part for part in (start, writing, tracing, learning)}


def main() -> None:
    """Run the benchmarks that were asked for and print them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("only", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=20, help="of an epoch (default: 20)")
    parser.add_argument("--untrained", action="store_true", help="new networks, for writing")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if unknown := sorted({*options.only} - {*PARTS}):
        parser.error(f"{unknown[0]!r} is not one of {', '.join(PARTS)}")
    rows = [row for name in options.only or PARTS for row in PARTS[name](options)]
    show("Starting, writing, tracing, learning", rows, as_json=options.json)


if __name__ == "__main__":
    main()
