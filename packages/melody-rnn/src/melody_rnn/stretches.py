"""Stretches of melodies that stand in other melodies, transposed or not.

A stretch of k steps is hashed by its intervals and its rhythm. The first note of a stretch has no
interval, so that it may begin in the middle of a line.

M. O. Rabin and R. M. Karp, "Efficient randomized pattern-matching algorithms", 1987.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Match", "Stream", "Stretches", "copied_share"]

SEED = 16
"""Steps that a quotation has at least."""
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

    events: Ints
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


@dataclass(frozen=True)
class Match:
    """A stretch of one melody that stands in another.

    Parameters
    ----------
    start, steps : int
        Where it begins, and how long it is.
    melody, at : int
        Number of the other melody, and where it begins there.
    semitones : int
        How much higher it is here than there.
    """

    start: int
    steps: int
    melody: int
    at: int
    semitones: int


class Stretches:
    """All stretches of many melodies, to look others up in.

    Parameters
    ----------
    stream : Stream
    size : int
        Steps of a stretch.
    """

    def __init__(self, stream: Stream, size: int = SEED) -> None:
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

    def longest(self, events: Ints, *, most: int = 64) -> list[Match]:
        """Return the stretches of a melody that stand in these, each as long as it can be.

        Of stretches that lie within each other, the longest is kept.

        Parameters
        ----------
        events : int array [shape=(steps,)]
        most : int
            Places that are looked at for each stretch.
        """
        stream = Stream.of([events])
        hashes, counts = stream.hashed(self.size)
        low = np.searchsorted(self.hashes, hashes, side="left")
        high = np.searchsorted(self.hashes, hashes, side="right")
        diagonals: dict[int, int] = {}
        found: list[Match] = []
        for start in np.flatnonzero(counts & (high > low)).tolist():
            for at in self.at[low[start] : min(high[start], low[start] + most)].tolist():
                if diagonals.get(at - start, -1) >= start + self.size:
                    continue
                match = self._extended(events, start, at)
                diagonals[at - start] = match.start + match.steps
                found.append(match)
        found.sort(key=lambda match: (-match.steps, match.start))
        kept: list[Match] = []
        for match in found:
            end = match.start + match.steps
            if not any(k.start <= match.start and end <= k.start + k.steps for k in kept):
                kept.append(match)
        return sorted(kept, key=lambda match: match.start)

    def _extended(self, events: Ints, start: int, at: int) -> Match:
        """Follow a stretch to both sides as far as both melodies agree."""
        melody = int(np.searchsorted(self.stream.starts, at, side="right")) - 1
        first, end = int(self.stream.starts[melody]), int(self.stream.ends[at])
        back = min(start, at - first)
        here = events[start - back : start + end - at]
        there = self.stream.events[at - back : at - back + len(here)]
        inside = slice(back, back + self.size)
        begins = here[inside] >= 0
        higher = int((here[inside] - there[inside])[begins][0])
        same = here == np.where(there >= 0, there + higher, there)
        wrong = np.concatenate([[-1], np.flatnonzero(~same), [len(here)]])
        note = back + int(np.argmax(begins))
        right = int(wrong[np.searchsorted(wrong, note, side="right")])
        left = int(wrong[np.searchsorted(wrong, note, side="left") - 1]) + 1
        return Match(start - back + left, right - left, melody, at - back + left - first, higher)


def copied_share(learnt: Stream, other: Stream, size: int) -> npt.NDArray[np.float64]:
    """Return which share of the stretches of other melodies stands in what was learnt."""
    return Stretches(learnt, size).share(other)
