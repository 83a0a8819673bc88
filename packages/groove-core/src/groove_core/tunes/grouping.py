"""Which songs are one tune, though they stand in several files, keys and note values."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from groove_core.learning import Split
from groove_core.values import LeadSheet

__all__ = ["BY_TUNE", "group_by_parts", "group_tunes", "windows"]

BY_TUNE = Split("tune")

WINDOW_BARS = 4
"""Tunes are compared by their windows of so many bars."""
RUN_NOTES = 16
"""In other note values, or with other bar lines, they are compared by runs of so many notes."""
SAME = 0.5
"""Two tunes are one if more than this share of either of the shorter is in the other."""


def windows(melody: LeadSheet, bars: int = WINDOW_BARS) -> Iterator[bytes]:
    """Return the intervals and onsets of each window of bars, transposed or not the same."""
    notes, size = melody.notes, bars * melody.steps_per_bar
    quarter = melody.steps_per_quarter
    for first in range(melody.pickup, melody.length - size + 1, melody.steps_per_bar):
        here = notes[(notes[:, 0] >= first) & (notes[:, 0] < first + size)]
        if len(here) < 2 * bars:
            continue
        onsets = (here[:, 0] - first) * 12 // quarter
        yield np.stack([onsets, here[:, 2] - here[0, 2]]).astype("<i2").tobytes()


def runs(melody: LeadSheet, notes: int = RUN_NOTES) -> Iterator[bytes]:
    """Return the intervals and rhythm of each run of notes, in all keys and note values the same.

    A melody with fewer notes is one run.
    """
    waits, intervals = np.diff(melody.notes[:, 0]), np.diff(melody.notes[:, 2])
    size = min(notes - 1, len(waits))
    for first in range(len(waits) - size + 1 if size else 0):
        some = waits[first : first + size]
        rhythm = some // np.gcd.reduce(some)
        yield np.stack([rhythm, intervals[first : first + size]]).astype("<i2").tobytes()


def group_tunes(names: Sequence[str], songs: Sequence[Sequence[LeadSheet]]) -> list[str]:
    """Return the group of each song: the first name among those that are the same tune.

    Songs are one tune if more than half of the four-bar windows, or of the runs of 16 notes, of
    the shorter stand in the longer.
    """
    kinds = [
        [{part for melody in melodies for part in parts(melody)} for melodies in songs]
        for parts in (windows, runs)
    ]
    return group_by_parts(names, kinds)


def group_by_parts(names: Sequence[str], kinds: Iterable[Sequence[set[bytes]]]) -> list[str]:
    """Return the group of each song: the first name among those that share most of their parts.

    Parameters
    ----------
    names : sequence of str
    kinds : iterable of sequences of sets
        For each kind of parts, the parts of each song. Songs belong together if, of one kind, more
        than half of the parts of the one with fewer stand in the other.

    Examples
    --------
    >>> parts = [{b"a", b"b", b"c"}, {b"x"}, {b"a", b"b", b"d", b"e"}]
    >>> group_by_parts(["one", "two", "three"], [parts])
    ['one', 'two', 'one']
    """
    root = list(range(len(names)))

    def find(number: int) -> int:
        while root[number] != number:
            number = root[number]
        return number

    for sets in kinds:
        for (one, other), count in _shared(sets).items():
            if count > SAME * min(len(sets[one]), len(sets[other])):
                low, high = sorted((find(one), find(other)))
                root[high] = low
    return [names[find(number)] for number in range(len(names))]


def _shared(sets: Sequence[set[bytes]]) -> Counter[tuple[int, int]]:
    """Count the members that each two sets share, where they share any."""
    where: dict[bytes, list[int]] = defaultdict(list)
    for number, some in enumerate(sets):
        for one in some:
            where[one].append(number)
    shared: Counter[tuple[int, int]] = Counter()
    for numbers in where.values():
        shared.update(itertools.combinations(numbers, 2))
    return shared
