"""The best that counting does: interpolated n-grams of events, as a control.

Of a context of k events (and the place in the bar) with N continuations of T kinds, Witten and
Bell ("The zero-frequency problem", 1991, method C) mix what was counted with the shorter context:

    p_k(e) = (count(e) + w T p_(k-1)(e)) / (N + w T),    p_(-1)(e) = 1 / 38

with w = 1. A long context that was seen once, always followed by the same, is then trusted too
much, and with every further event again. So w is chosen together with the longest context.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from melody_rnn.lines import CLASSES, Line
from melody_rnn.writing import choose

__all__ = ["NGrams"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
PRIME = np.uint64(0x9E3779B97F4A7C15)
WEIGHTS = (1, 2, 4, 8, 16, 32, 64, 128)
"""Weights of the shorter context that are tried."""


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
    weight : float
        Of the shorter context.
    """

    def __init__(
        self, lines: Sequence[Line], order: int = 12, *, place: bool = True, weight: float = 1.0
    ) -> None:
        self.order, self.place, self.weight = order, place, weight
        # What stands before a pickup is no event, though it is the context of the first ones.
        hashes = [
            [row[line.lead :] for row in self._contexts(line.events, line.bar, line.grid)]
            for line in lines
        ]
        events = np.concatenate([line.events[line.lead :] for line in lines])
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

    def tuned(self, lines: Sequence[Line]) -> NGrams:
        """Return these n-grams with the longest context and the weight that know lines best."""
        bits = np.zeros((len(WEIGHTS), self.order + 1))
        for line in lines:
            contexts = self._contexts(line.events, line.bar, line.grid)
            found = self._looked_up(contexts, line.events)
            for number, weight in enumerate(WEIGHTS):
                for k, p in enumerate(_mixtures(found, weight)):
                    bits[number, k] -= np.log2(p[line.lead :]).sum()
        best, order = np.unravel_index(int(bits.argmin()), bits.shape)
        made = copy.copy(self)
        made.order, made.weight = int(order), WEIGHTS[best]
        made.tables = self.tables[: made.order + 1]
        return made

    def chances(self, line: Line) -> Floats:
        """Return the chance of each event of a line [shape=(steps,)]."""
        return self._chances(self._contexts(line.events, line.bar, line.grid), line.events)

    def _chances(self, contexts: Sequence[npt.NDArray[np.uint64]], events: Ints) -> Floats:
        *_, p = _mixtures(self._looked_up(contexts, events), self.weight)
        return p

    def _looked_up(
        self, contexts: Sequence[npt.NDArray[np.uint64]], events: Ints
    ) -> list[tuple[Ints, Ints, Ints]]:
        """Return how often events, all events and how many kinds were behind k more events."""
        rows = []
        for table, context in zip(self.tables, contexts, strict=True):
            at, known = _find(table.contexts, context)
            pair, seen = _find(table.pairs, _pair(context, events))
            rows.append((
                np.where(seen, table.count[pair], 0), np.where(known, table.total[at], 0),
                np.where(known, table.kinds[at], 0),
            ))  # fmt: skip
        return rows

    def sample(
        self,
        count: int,
        steps: int,
        bar: int,
        grid: int,
        *,
        rng: np.random.Generator,
        top_p: float = 1.0,
    ) -> Ints:
        """Draw the events of melodies [shape=(count, steps)].

        Parameters
        ----------
        top_p : float [0 to 1]
            As of `melody_rnn.writing.write`.
        """
        events = np.full((count, self.order + steps), CLASSES)
        every = np.tile(np.arange(CLASSES), count)
        for t in range(steps):
            here = self.order + t
            before = [np.repeat(events[:, here - k], CLASSES) for k in range(1, self.order + 1)]
            at = np.full(count * CLASSES, t)
            p = self._chances(self._hashed(at, before, bar, grid), every).reshape(count, CLASSES)
            events[:, here] = choose(np.log(p), rng.random(count), 1.0, top_p)
        return events[:, self.order :]


def _mixtures(rows: Sequence[tuple[Ints, Ints, Ints]], weight: float) -> Iterator[Floats]:
    """Yield the chances of events by contexts of 0, 1, 2 ... events."""
    p: Floats = np.full(len(rows[0][0]), 1 / CLASSES)
    for count, total, kinds in rows:
        mixed = (count + weight * kinds * p) / np.maximum(total + weight * kinds, 1)
        p = np.where(total > 0, mixed, p)
        yield p


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
