"""The best that counting does: interpolated n-grams of events, as a control.

Of a context of k events (and the place in the bar) with N continuations of T kinds, Witten and
Bell ("The zero-frequency problem", 1991, method C) mix what was counted with the shorter context:

    p_k(e) = (count(e) + T p_(k-1)(e)) / (N + T),    p_(-1)(e) = 1 / 38
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from melody_rnn.lines import CLASSES, Line

__all__ = ["NGrams"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
PRIME = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class _Counts:
    """Sorted keys, and what was counted for each."""

    contexts: npt.NDArray[np.uint64]
    total: Ints
    kinds: Ints
    pairs: npt.NDArray[np.uint64]
    count: Ints


class NGrams:
    """Counts of events behind each context of up to `order` events.

    Parameters
    ----------
    lines : sequence of Line
        What is counted.
    order : int
        Events of the longest context.
    place : bool
        Whether the place in the bar belongs to every context.
    """

    def __init__(self, lines: Sequence[Line], order: int = 12, *, place: bool = True) -> None:
        self.order, self.place = order, place
        hashes = [self._contexts(line.events, line.bar, line.grid) for line in lines]
        events = np.concatenate([line.events for line in lines])
        self.tables = []
        for k in range(order + 1):
            context = np.concatenate([rows[k] for rows in hashes])
            pairs, count = np.unique(_pair(context, events), return_counts=True)
            first = np.unique(_pair(context, events), return_index=True)[1]
            contexts, at = np.unique(context[first], return_inverse=True)
            kinds = np.bincount(at)
            total = np.bincount(at, weights=count).astype(np.int64)
            self.tables.append(_Counts(contexts, total, kinds, pairs, count))

    def _contexts(self, events: Ints, bar: int, grid: int) -> list[npt.NDArray[np.uint64]]:
        """Return a hash of the last k events before each step, for each k."""
        steps = len(events)
        before = [np.full(steps, CLASSES) for _ in range(self.order)]  # the beginning
        for k, row in enumerate(before, 1):
            row[k:] = events[: max(steps - k, 0)]
        return self._hashed(np.arange(steps), before, bar, grid)

    def _hashed(
        self, at: Ints, before: Sequence[Ints], bar: int, grid: int
    ) -> list[npt.NDArray[np.uint64]]:
        """Return a hash of steps with the last k events before them, for each k."""
        place = at % bar * 12 // grid + 100 * bar if self.place else np.zeros_like(at)
        found = [place.astype(np.uint64)]
        with np.errstate(over="ignore"):
            for k, row in enumerate(before, 1):
                event = row.astype(np.uint64) + np.uint64(k << 8)
                found.append(_mixed(found[-1] * PRIME + event))
        return found

    def chances(self, line: Line) -> Floats:
        """Return the chance of each event of a line [shape=(steps,)]."""
        return self._chances(self._contexts(line.events, line.bar, line.grid), line.events)

    def _chances(self, contexts: Sequence[npt.NDArray[np.uint64]], events: Ints) -> Floats:
        p: Floats = np.full(len(events), 1 / CLASSES)
        for table, context in zip(self.tables, contexts, strict=True):
            at, known = _find(table.contexts, context)
            pair, seen = _find(table.pairs, _pair(context, events))
            count = np.where(seen, table.count[pair], 0)
            total, kinds = np.where(known, table.total[at], 0), np.where(known, table.kinds[at], 0)
            p = np.where(known, (count + kinds * p) / np.maximum(total + kinds, 1), p)
        return p

    def sample(
        self, count: int, steps: int, bar: int, grid: int, *, rng: np.random.Generator
    ) -> Ints:
        """Draw the events of melodies [shape=(count, steps)]."""
        events = np.full((count, self.order + steps), CLASSES)
        every = np.tile(np.arange(CLASSES), count)
        for t in range(steps):
            here = self.order + t
            before = [np.repeat(events[:, here - k], CLASSES) for k in range(1, self.order + 1)]
            at = np.full(count * CLASSES, t)
            p = self._chances(self._hashed(at, before, bar, grid), every)
            ends = np.cumsum(p.reshape(count, CLASSES), axis=1)
            drawn = rng.random(count)[:, None] * ends[:, -1:]
            events[:, here] = (ends <= drawn).sum(axis=1)
        return events[:, self.order :]


def _mixed(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    x = x ^ (x >> np.uint64(31))
    return x * np.uint64(0xBF58476D1CE4E5B9)


def _pair(context: npt.NDArray[np.uint64], events: Ints) -> npt.NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        return _mixed(context * PRIME + events.astype(np.uint64) + np.uint64(1))


def _find(
    keys: npt.NDArray[np.uint64], wanted: npt.NDArray[np.uint64]
) -> tuple[Ints, npt.NDArray[np.bool_]]:
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return at, keys[at] == wanted
