"""Stretches of melodies that stand in other melodies, transposed or not.

A stretch of k steps is hashed by its intervals and its rhythm. The first note of a stretch has no
interval, so that it may begin in the middle of a line.

M. O. Rabin and R. M. Karp, "Efficient randomized pattern-matching algorithms", 1987.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["NOTES", "Stream", "Stretches", "copied_share"]

NOTES = 4
"""A stretch counts if it has a note for each so many steps: less is a rest or a held note."""
BASE = np.uint64(0x9E3779B97F4A7C15)
FIRST = np.uint64(1 << 20)

Ints = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Stream:
    """Melodies on one grid, one behind the other.

    Parameters
    ----------
    events : int array [shape=(steps,)]
        MIDI pitch of a note that begins, -2 where nothing changes, -1 where it ends.
    starts : int array [shape=(melodies,), ascending]
        First step of each melody.
    """

    events: npt.NDArray[np.signedinteger[Any]]
    starts: Ints

    @classmethod
    def of(cls, melodies: Sequence[Ints]) -> Stream:
        """Put events of melodies one behind the other."""
        ends = np.cumsum([0, *(len(one) for one in melodies)])
        whole = np.concatenate(melodies) if melodies else np.zeros(0, np.int64)
        return cls(whole, ends[:-1])

    @functools.cached_property
    def ends(self) -> Ints:
        """Step behind the melody of each step."""
        lengths = np.diff(np.append(self.starts, len(self.events)))
        return np.repeat(self.starts + lengths, lengths)

    @functools.cached_property
    def codes(self) -> Hashes:
        """What each step holds: its interval to the note before, a rest's beginning, or nothing."""
        begins = np.flatnonzero(self.events >= 0)
        codes = (self.events + 2).astype(np.uint64)
        intervals = np.diff(self.events[begins], prepend=0) + 256
        codes[begins] = intervals.astype(np.uint64)
        return codes

    def hashed(self, size: int) -> tuple[Hashes, npt.NDArray[np.bool_]]:
        """Return a hash of the stretch that begins at each step, and which stretches count.

        Returns
        -------
        uint64 array [shape=(steps,)]
        bool array [shape=(steps,)]
            Stretches that lie in one melody and have notes enough.
        """
        steps = len(self.events)
        at = np.arange(steps)
        begins = self.events >= 0
        powers = _powers(size)
        with np.errstate(over="ignore"):
            found = np.zeros(steps, np.uint64)
            for i in range(min(size, steps)):
                found[: steps - i] += self.codes[i:] * powers[i]
            # The first note of the stretch loses its interval.
            first = np.minimum.accumulate(np.where(begins, at, steps)[::-1])[::-1]
            inside = first < np.minimum(at + size, steps)
            which, offset = first[inside], (first - at)[inside]
            found[inside] += (FIRST - self.codes[which]) * powers[offset]
            found ^= found >> np.uint64(29)
        notes = np.cumsum(np.append(0, begins))
        whole = at + size <= self.ends
        count = notes[np.minimum(at + size, steps)] - notes[at]
        return found, whole & (count * NOTES >= size) & (count >= 3)


@functools.cache
def _powers(size: int) -> Hashes:
    with np.errstate(over="ignore"):
        return np.multiply.accumulate(np.full(size + 1, BASE, np.uint64))[:size]


class Stretches:
    """All stretches of many melodies, to look others up in.

    Parameters
    ----------
    stream : Stream
    size : int
        Steps of a stretch.
    """

    def __init__(self, stream: Stream, size: int) -> None:
        self.stream, self.size = stream, size
        hashes, counts = stream.hashed(size)
        at = np.flatnonzero(counts)
        order = np.argsort(hashes[at], kind="stable")
        self.hashes, self.at = hashes[at][order], at[order]

    def share(self, stream: Stream) -> npt.NDArray[np.float64]:
        """Return which share of the stretches of each melody stand in these; NaN without any."""
        hashes, counts = stream.hashed(self.size)
        place = np.minimum(np.searchsorted(self.hashes, hashes), max(len(self.hashes) - 1, 0))
        known = counts & (self.hashes[place] == hashes if len(self.hashes) else False)
        with np.errstate(invalid="ignore"):
            found = np.add.reduceat(known, stream.starts) / np.add.reduceat(counts, stream.starts)
        return np.asarray(found, np.float64)


def copied_share(learnt: Stream, other: Stream, size: int) -> npt.NDArray[np.float64]:
    """Return which share of the stretches of other melodies stands in what was learnt."""
    return Stretches(learnt, size).share(other)
