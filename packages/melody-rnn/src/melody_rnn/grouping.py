"""Which songs are one tune, though they stand in several files, keys and note values."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from groove_core.learning import Split
from groove_core.values import LeadSheet

__all__ = ["BY_TUNE", "group_tunes", "windows"]

BY_TUNE = Split("tune")

WINDOW_BARS = 4
"""Tunes are compared by their windows of so many bars."""
SAME = 0.5
"""Two tunes are one if more than this share of the windows of the shorter is in the other."""


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


def group_tunes(names: Sequence[str], songs: Sequence[Sequence[LeadSheet]]) -> list[str]:
    """Return the group of each song: the first name among those that are the same tune.

    Songs are one tune if more than half of the four-bar windows of the shorter stand in the
    longer, transposed or not, or if it is too short for a window and all its notes are the same.
    """
    sets = [{w for m in melodies for w in windows(m)} or _whole(melodies) for melodies in songs]
    where: dict[bytes, list[int]] = defaultdict(list)
    for number, some in enumerate(sets):
        for window in some:
            where[window].append(number)
    shared: Counter[tuple[int, int]] = Counter()
    for numbers in where.values():
        shared.update(itertools.combinations(numbers, 2))
    root = list(range(len(songs)))

    def find(number: int) -> int:
        while root[number] != number:
            number = root[number]
        return number

    for (one, other), count in shared.items():
        if count > SAME * min(len(sets[one]), len(sets[other])):
            low, high = sorted((find(one), find(other)))
            root[high] = low
    return [names[find(number)] for number in range(len(songs))]


def _whole(melodies: Sequence[LeadSheet]) -> set[bytes]:
    return {
        np.stack([m.notes[:, 0], m.notes[:, 2] - m.notes[0, 2]]).astype("<i2").tobytes()
        for m in melodies
        if len(m.notes)
    }
