"""Find the longest stretches that a melody has in common with others, transposed or not.

A melody is a row of changes: notes that begin, and notes that end before a rest. Three changes in
a row, with the waits between them and the intervals, make a key of 48 bits. Where a key of the
melody stands in the others, both are followed to both sides as far as they agree. Nothing is
sorted beforehand: all keys of two million steps are made and compared in some hundredths of a
second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from groove_core.tunes.stretches import NOTES, Stream

__all__ = ["Finder", "Match", "Pairs"]

SEED = 16
"""Steps that a quotation has at least."""
ENDS, LONG = 0, 254
"""Code of a note that ends, and the longest wait that has one."""
OUTSIDE, BEFORE = 0xFFFF, 0xFFFE
"""Codes of the first changes of known melodies and of others, which equal nothing."""
KEY = 3
"""Changes of a key behind its first note."""
SPREAD = np.uint64(0x9E3779B97F4A7C15)
BITS = 16

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.uint16]
Keys = npt.NDArray[np.uint64]


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


@dataclass(frozen=True)
class Pairs:
    """Stretches of one melody that stand in others: all columns have the shape (n,).

    Parameters
    ----------
    start, end : int array
        In the melody.
    at : int array
        First step in the stream of all others.
    semitones : int array
    """

    start: Ints
    end: Ints
    at: Ints
    semitones: Ints

    def __len__(self) -> int:
        return len(self.start)

    def __add__(self, other: Pairs) -> Pairs:
        """Return these and others."""
        return Pairs(*(
            np.concatenate([getattr(self, name), getattr(other, name)])
            for name in self.__dataclass_fields__
        ))  # fmt: skip

    def pick(self, which: npt.ArrayLike) -> Pairs:
        """Return some of them."""
        return Pairs(*(getattr(self, name)[which] for name in self.__dataclass_fields__))

    def widest(self) -> Pairs:
        """Leave out those that lie within others; of equal ones, the first in the stream stays."""
        order = np.lexsort((self.at, -self.end, self.start))
        ends = self.end[order]
        before = np.maximum.accumulate(np.append(-1, ends))[: len(ends)]
        return self.pick(order[ends > before])


class _Changes:
    """Where notes begin or end in a stream of melodies.

    Parameters
    ----------
    stream : Stream
    outside : int
        Code of the first change of each melody, and of one that comes after too long a wait.
    """

    def __init__(self, stream: Stream, outside: int) -> None:
        self.at = np.flatnonzero(stream.events != -2)
        self.pitch = stream.events[self.at]
        """-1 where a note ends."""
        self.is_note = self.pitch >= 0
        self.codes: Codes = np.full(len(self.at) + 1, outside, np.uint16)
        """The wait before each change, and the interval to the note before; one more behind."""
        wait = np.diff(self.at, prepend=0)
        self.codes[:-1] = np.minimum(wait, LONG + 1) << 8
        notes = np.flatnonzero(self.is_note)
        self.codes[notes[1:]] += (np.diff(self.pitch[notes]) + 128).astype(np.uint16)
        self.codes[:-1][wait > LONG] = outside
        self.codes[np.searchsorted(self.at, stream.starts)] = outside

    def keys(self, size: int) -> tuple[Ints, Keys]:
        """Return the notes that `size` changes follow, and the codes of these as a number."""
        count = max(len(self.at) - size, 0)
        keys = np.zeros(count, np.uint64)
        for i in range(1, size + 1):
            keys |= self.codes[i : i + count].astype(np.uint64) << np.uint64(16 * (i - 1))
        notes = np.flatnonzero(self.is_note[:count])
        return notes, keys[notes]


class Finder:
    """All melodies that others are compared with.

    Parameters
    ----------
    stream : Stream
    """

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.known = _Changes(stream, OUTSIDE)
        self._keys: dict[int, tuple[Ints, Keys, Ints]] = {}

    def longest(self, events: Ints, size: int = SEED) -> list[Match]:
        """Return the stretches of a melody that stand in these, each as long as it can be.

        Of stretches that lie within each other, the longest is kept.

        Parameters
        ----------
        events : int array [shape=(steps,)]
        size : int
            Least steps.
        """
        return self.matches(self.pairs(events, size).widest())

    def matches(self, pairs: Pairs) -> list[Match]:
        """Return stretches with the number of the melody that each is found in."""
        melody = np.searchsorted(self.stream.starts, pairs.at, side="right") - 1
        at = pairs.at - self.stream.starts[melody]
        columns = pairs.start, pairs.end - pairs.start, melody, at, pairs.semitones
        return [Match(*row) for row in zip(*(c.tolist() for c in columns), strict=True)]

    def pairs(self, events: Ints, size: int = SEED) -> Pairs:
        """Return all stretches that a melody has in common with these.

        A stretch has `size` steps or more, of which some `size` have a note for each `NOTES`, and
        three notes at least: less is a rest or a held note.
        """
        mine = _Changes(Stream(events, np.zeros(1, np.int64)), BEFORE)
        needed = max(-(-size // NOTES), 3)
        here, there = self._seeds(mine, min(needed - 1, KEY))
        here, there, left = self._first(mine, here, there)
        right = self._followed(mine, here, there)
        apart = mine.at[here] - self.known.at[there]
        bounds = np.append(self.stream.starts, len(self.stream.events))
        melody = np.searchsorted(self.stream.starts, self.known.at[there], side="right")
        begins, ends = bounds[melody - 1], bounds[melody]
        stop = np.minimum(
            _at(mine.at, here + right, len(events)),
            np.minimum(_at(self.known.at, there + right, len(self.stream.events)), ends) + apart,
        )
        start = np.maximum(
            _at(mine.at, here - left, -1) + 1,
            np.maximum(_at(self.known.at, there - left, -1) + 1, begins) + apart,
        )
        keep = (stop - start >= size) & _dense(mine, here, right, size, needed)
        higher = mine.pitch[here] - self.known.pitch[there]
        return Pairs(start, stop, start - apart, higher).pick(keep)

    def _seeds(self, mine: _Changes, size: int) -> tuple[Ints, Ints]:
        """Return the pairs of notes, here and in the stream, that the same changes follow."""
        if size not in self._keys:
            notes, keys = self.known.keys(size)
            self._keys[size] = notes, keys, _mixed(keys)
        notes, keys, mixed = self._keys[size]
        own, own_keys = mine.keys(size)
        order = np.argsort(own_keys, kind="stable")
        own, own_keys = own[order], own_keys[order]
        # Most keys of the stream are others, which a table tells faster than a search.
        marked = np.zeros(1 << BITS, bool)
        marked[_mixed(own_keys)] = True
        some = np.flatnonzero(marked[mixed])
        low = np.searchsorted(own_keys, keys[some], side="left")
        count = np.searchsorted(own_keys, keys[some], side="right") - low
        there = np.repeat(notes[some], count)
        within = np.arange(len(there)) - np.repeat(np.cumsum(count) - count, count)
        return own[np.repeat(low, count) + within], there

    def _first(self, mine: _Changes, here: Ints, there: Ints) -> tuple[Ints, Ints, Ints]:
        """Leave out seeds of a stretch that has an earlier one.

        Returns
        -------
        here, there : int arrays
        left : int array
            How many changes before its first note a stretch differs: 1, or 2 where a note that
            began earlier ends in it.
        """
        known = self.known
        mine_code, known_code = mine.codes[here], known.codes[there]
        same = mine_code == known_code
        waited = (mine_code >> 8 == known_code >> 8) & (mine_code >> 8 <= LONG)
        one, other = np.maximum(here - 1, 0), np.maximum(there - 1, 0)
        notes = mine.is_note[one] & known.is_note[other]
        ends = ~mine.is_note[one] & ~known.is_note[other]
        follows = same & (notes | ends & (mine.codes[one] == known.codes[other]))
        left = 1 + (waited & ends)
        return here[~follows], there[~follows], left[~follows]

    def _followed(self, mine: _Changes, here: Ints, there: Ints) -> Ints:
        """Return how many changes behind the first note of stretches they differ."""
        found = np.ones(len(here), np.int64)
        alive, step = np.arange(len(here)), 1
        while len(alive):
            same = mine.codes[here[alive] + step] == self.known.codes[there[alive] + step]
            alive, step = alive[same], step + 1
            found[alive] = step
        return found


def _dense(mine: _Changes, here: Ints, right: Ints, size: int, needed: int) -> Bools:
    """Return whether stretches have notes enough in some `size` steps."""
    notes = mine.at[mine.is_note]
    close = np.zeros(len(notes) + 1, np.int64)
    close[: max(len(notes) - needed + 1, 0)] = notes[needed - 1 :] - notes[: 1 - needed] < size
    before = np.append(0, np.cumsum(close))
    number = np.append(0, np.cumsum(mine.is_note))
    first, end = number[here], number[here + right]
    # The last notes of a stretch begin no group that lies in it.
    return np.asarray(before[np.maximum(end - needed + 1, first)] > before[first])


def _mixed(keys: Keys) -> Ints:
    with np.errstate(over="ignore"):
        return (keys * SPREAD >> np.uint64(64 - BITS)).astype(np.int64)


def _at(places: Ints, number: Ints, outside: int) -> Ints:
    """Return the step of each change; `outside` where there is none."""
    inside = (number >= 0) & (number < len(places))
    if not len(places):
        return np.full(len(number), outside)
    return np.where(inside, places[np.where(inside, number, 0)], outside)
