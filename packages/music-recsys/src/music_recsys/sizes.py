"""What more data would bring: more songs to learn from, and more listeners to measure with.

The first is a curve: front ends that differ only in the number of songs they learnt from. The
second is how the interval of the gain shrinks, by drawing more listeners and more grooves and
pieces in each round of the bootstrap than there are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from groove_core.errors import UsageError
from groove_core.learning import interval
from groove_core.storage import Cache
from groove_core.values import Cell, Estimate, Report
from music_recsys.evaluation import OVER, SHOWN, Ranked, Trials, tried
from music_recsys.hearing import BASELINE, UNTRAINED, compared
from music_recsys.model import PassageNet
from music_recsys.songs import SongSet
from music_recsys.taste import Pooling

__all__ = ["measure_intervals", "measure_sizes", "times_needed"]

TIMES = ((1, 1), (4, 1), (1, 4), (2, 2), (4, 4), (8, 8))
"""How many times as many listeners, and as many grooves and pieces."""
WANTED = 0.03
"""Gain that the lower end of an interval is compared with, beside 0."""
CONTROLS = {UNTRAINED: "above untrained", BASELINE: "above mean MFCC"}


def measure_sizes(
    sets: Sequence[SongSet],
    nets: Mapping[str, PassageNet],
    learnt: Mapping[str, int],
    *,
    pooling: Pooling,
    seed: int,
    cache: Cache | None,
) -> Report:
    """Measure how the gain grows with the number of songs that a front end learnt from.

    Parameters
    ----------
    sets : sequence of SongSet
    nets : dict of PassageNet
        Front ends by name; of several that learnt from as many songs the mean is measured.
    learnt : dict of int
        By name, the songs that each learnt from.
    pooling : str
    seed : int
    cache : Cache, optional

    Raises
    ------
    InputError
        If no listener has songs enough.
    UsageError
        If all learnt from as many songs, or a card does not say from how many.
    """
    groups: dict[int, list[str]] = defaultdict(list)
    for name in nets:
        groups[learnt[name]].append(name)
    if 0 in groups:
        raise UsageError(
            f"{groups[0][0]} does not say how many songs it learnt from.", hint="Train it again."
        )
    if len(groups) < 2:
        raise UsageError(
            "All front ends learnt from as many songs.",
            hint="Add others, which train --fraction makes, with --beside.",
        )
    trials = tried(sets, lambda some: compared(some, nets), [SHOWN], pooling, seed, cache)
    sizes = sorted(groups)
    for trial in trials.trials:
        for size in sizes:
            some = [trial.ranked[name, SHOWN] for name in groups[size]]
            trial.ranked[f"{size}", SHOWN] = Ranked(
                np.mean([one.won for one in some], axis=0), float(np.mean([s.ndcg for s in some]))
            )
    rows: list[tuple[Cell, ...]] = [
        (
            str(size),
            len(groups[size]),
            interval(trials.rounds(str(size), SHOWN)),
            *(trials.gain(str(size), control, SHOWN) for control in CONTROLS),
        )
        for size in sizes
    ]
    slope = _slope(trials, sizes)
    each = {
        name: round(float(trials.rounds(name, SHOWN)[0]), 4) for size in sizes
        for name in groups[size]
    }  # fmt: skip
    return Report(
        f"AUC after {SHOWN} ratings, by the number of songs learnt from",
        ("songs", "front ends", "AUC", *CONTROLS.values()),
        tuple(rows),
        notes=(
            f"Each doubling of the songs adds {slope}: a straight line over the logarithm of "
            "their number, in the same rounds.",
            f"{len(trials.trials)} listeners, the same for all. {OVER}",
        ),
        data={"each": each},
    )


def _slope(trials: Trials, sizes: Sequence[int]) -> Estimate:
    """Return what a doubling of the songs adds to the area."""
    x = np.log2(np.array(sizes, np.float64))
    areas = np.stack([trials.rounds(str(size), SHOWN) for size in sizes])
    return interval((x - x.mean()) @ areas / ((x - x.mean()) ** 2).sum())


def measure_intervals(
    sets: Sequence[SongSet],
    net: PassageNet,
    name: str,
    *,
    pooling: Pooling,
    seed: int,
    cache: Cache | None,
) -> Report:
    """Measure how the interval of the gain would shrink with more to measure on.

    Raises
    ------
    InputError
        If no listener has songs enough.
    """
    trials = tried(sets, lambda some: compared(some, {name: net}), [SHOWN], pooling, seed, cache)
    here = {one.songs[i].family for one in trials.trials for i in one.one.ranked}
    rows: list[tuple[Cell, ...]] = []
    for listeners, families in TIMES:
        more = Trials(trials.trials, listeners=listeners, families=families)
        gains = [more.gain(name, control, SHOWN) for control in CONTROLS]
        rows.append((f"{listeners * len(trials.trials)}", f"{families * len(here)}", *gains))
    first = dict(zip(CONTROLS, rows[0][2:], strict=True))
    needed = "; ".join(
        f"{CONTROLS[control]} {_said(gain, 0.0)} to be above 0, {_said(gain, WANTED)} to be above "
        f"{WANTED}"
        for control, gain in first.items()
        if isinstance(gain, Estimate)
    )
    return Report(
        f"{name}: the gain in AUC after {SHOWN} ratings, had there been more to measure on",
        ("listeners", "grooves and pieces", *CONTROLS.values()),
        tuple(rows),
        notes=(
            "The first row is what was measured. In the others so many are drawn in each round, "
            "of the same ones: as if the others were like these.",
            f"Times as many of both for the lower end of the interval: {needed}.",
            OVER,
        ),
    )


def times_needed(gain: Estimate, least: float) -> float:
    """Return how many times as much is to be measured on until an interval is above a number.

    Widths of intervals go by the square root. Infinite where the gain itself is not above it.

    >>> times_needed(Estimate(0.04, -0.02, 0.10), 0.0)
    2.25
    >>> times_needed(Estimate(0.04, -0.02, 0.10), 0.05)
    inf
    """
    if gain.value <= least:
        return float("inf")
    return round(((gain.value - gain.low) / (gain.value - least)) ** 2, 2)


def _said(gain: Estimate, least: float) -> str:
    times = times_needed(gain, least)
    return "no number" if np.isinf(times) else f"{times:.1f}"
