"""Learning-rate schedules: the share of the full rate at each moment of a training.

A schedule takes `done`, which runs from 0 to 1 over the training, and returns a factor.
"""

from __future__ import annotations

import math
from collections.abc import Callable

__all__ = ["Schedule", "constant", "cosine", "linear", "warm_up"]

Schedule = Callable[[float], float]


def constant(done: float) -> float:
    """Return 1: the full rate throughout."""
    return 1.0


def cosine(done: float, *, floor: float = 0.02) -> float:
    """Return the cosine decay from 1 to `floor` (Loshchilov and Hutter, 1608.03983, eq. 5)."""
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def linear(done: float, *, start: float = 0.0, floor: float = 0.02) -> float:
    """Return 1 until `start`, then the linear decay to `floor`.

    Examples
    --------
    >>> [linear(done, start=0.5, floor=0) for done in (0, 0.5, 0.75, 1)]
    [1.0, 1.0, 0.5, 0.0]
    >>> linear(0.5, start=1.0)
    1.0
    """
    left = 1 - min(1.0, done)
    return min(1.0, left / (1 - start) + floor) if done > start else 1.0


def warm_up(schedule: Schedule, share: float, *, start: float = 0.0) -> Schedule:
    """Return a schedule that rises linearly from `start` over the first `share` of the training.

    Examples
    --------
    >>> rising = warm_up(constant, 0.25)
    >>> [rising(done) for done in (0, 0.125, 0.25, 1)]
    [0.0, 0.5, 1.0, 1.0]
    >>> warm_up(constant, 0.5, start=0.5)(0.25)
    0.75
    """
    return lambda done: min(1.0, start + (1 - start) * done / share) * schedule(done)
