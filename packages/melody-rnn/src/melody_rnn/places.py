"""Where in tunes the bits of networks are: which place of the bar, and what is repeated there."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from groove_core.errors import InputError
from groove_core.learning import about_intervals
from groove_core.values import Cell, Report
from melody_rnn.evaluation import BATCH, STEPS, Network, nats_of, per
from melody_rnn.lessons import Lesson
from melody_rnn.lines import HOLD, Windows, windows

__all__ = ["kinds_of", "placed"]

REPEATS = {"as one bar ago": (1,), "as two bars ago": (2,), "as three or four bars ago": (3, 4)}
BEATS = {"on the first beat": (0,), "on another beat": (4, 8, 12), "between beats": range(16)}
Bools = npt.NDArray[np.bool_]


def kinds_of(some: Windows) -> dict[str, Bools]:
    """Return which steps of windows in 4/4 are of each kind [each shape=(n, steps)].

    An event is of the nearest bar that it repeats, and of one place of the bar.
    """
    steps = np.arange(some.events.shape[1])
    happens = (some.events != HOLD) & some.known
    found = {"nothing happens": (some.events == HOLD) & some.known}
    left = happens.copy()
    for name, bars in REPEATS.items():
        same = np.zeros_like(left)
        for back in bars:
            size = 16 * back
            same[:, size:] |= some.events[:, size:] == some.events[:, :-size]
        found[name], left = left & same, left & ~same
    found["as none of these"] = left
    left = happens
    for name, places in BEATS.items():
        here = np.isin(steps % 16, list(places))
        found[name], left = left & here, left & ~here
    return found


def placed(networks: Mapping[str, Network], lesson: Lesson) -> Report:
    """Measure the bits of each kind of steps, in the test tunes of all corpora together.

    Parameters
    ----------
    lesson : Lesson
        Of the originals, so that all are in 4/4.

    Raises
    ------
    InputError
        If no tune of the test split can be read.
    """
    lines, owners = lesson.part("test")
    if not lines:
        raise InputError("No tune of the test split can be read.", hint="Give more songs.")
    some = windows(lines, STEPS)
    owner = np.asarray(owners)[some.line]
    parts = np.array_split(np.arange(len(some)), -(-len(some) // BATCH))
    bits = {
        name: np.concatenate([nats_of(network, some.pick(which)) for which in parts]) / math.log(2)
        for name, network in networks.items()
    }
    rows: list[tuple[Cell, ...]] = []
    for kind, which in kinds_of(some).items():
        if which.any():
            counts = which.sum(axis=1)
            each = [per((one * which).sum(axis=1), counts, owner) for one in bits.values()]
            rows.append((kind, *each, int(counts.sum())))
    return Report(
        "Bits of what comes next, by what it repeats and by its place in the bar",
        ("what comes", *bits, "steps"), rows,
        notes=(
            "An event (a note or a rest that begins) is counted once by the nearest bar that it "
            "repeats, and once by its place in the bar.",
            about_intervals("tunes"),
        ),
    )  # fmt: skip
