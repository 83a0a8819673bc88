"""What melodies are like, in numbers that need no network.

A melody is a row of events, one a step: 0 where nothing changes, 1 where a note ends, and from 2
on the notes, in semitones above some C. `Melody.events` plus 2 is such a row.

Repetition and compression after J.-C. Wu et al., "Hierarchical Recurrent Neural Networks for
Conditional Melody Generation with Long-Term Structure" (2102.09794); the overlapped areas after
L.-C. Yang and A. Lerch, "On the Evaluation of Generative Models in Music" (2020).
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from groove_core.learning import bootstrap, interval, mean
from groove_core.values import Estimate

__all__ = [
    "HISTOGRAMS", "MEASURES", "ONE_NOTE", "STILL_BARS", "Measurable", "Sheet", "is_stuck",
    "mean_of_known",
]  # fmt: skip

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
HOLD, NOTE = 0, 2
"""Nothing changes, and the lowest note."""
WHITE = np.isin(np.arange(12), (0, 2, 4, 5, 7, 9, 11))
BARS_AGO = (1, 2, 4, 8)
ONE_NOTE, STILL_BARS = 12, 4
"""A melody is stuck if it begins one note so often in a row, or no note for so many bars."""
NEW_PHRASE = 0.5
"""Quarter notes of silence that end a phrase; a note of two quarters does so, too."""


class Measurable(Protocol):
    """A melody that begins with a bar, in C where its scale is to be measured.

    Parameters
    ----------
    events : int array [shape=(steps,)]
    bar : int
        Steps of a bar.
    grid : int
        Steps per quarter.
    """

    @property
    def events(self) -> Ints: ...
    @property
    def bar(self) -> int: ...
    @property
    def grid(self) -> int: ...


def mean_of_known(values: npt.ArrayLike, owners: npt.ArrayLike) -> Estimate:
    """Return the mean of the values that are numbers, with an interval over their owners."""
    known = np.isfinite(values)
    return mean(np.asarray(values)[known], np.asarray(owners)[known])


def is_stuck(events: Ints, bar: int = 16) -> bool:
    """Return whether a melody hangs on one note, repeated or held, or falls silent."""
    begins = np.flatnonzero(events >= NOTE)
    still = np.diff(begins, prepend=0, append=len(events)).max()
    changes = np.flatnonzero(np.diff(events[begins], prepend=-1, append=-1))
    repeated = np.diff(changes).max(initial=0)
    return bool(still >= STILL_BARS * bar or repeated >= ONE_NOTE)


def repetition(events: Ints, bars: int, bar: int) -> float:
    """Return the share of bars, of those with notes, that are as they were some bars ago."""
    rows = events[: len(events) // bar * bar].reshape(-1, bar)
    now, ago = rows[bars:], rows[:-bars]
    counts = (now >= NOTE).any(axis=1)
    return float((now == ago).all(axis=1)[counts].mean()) if counts.any() else np.nan


def compression(events: Ints) -> float:
    """Return how many times shorter DEFLATE makes the events."""
    plain = events.astype(np.uint8).tobytes()
    return len(plain) / len(zlib.compress(plain, 9))


def durations(events: Ints) -> Ints:
    """Return the steps from the beginning of each note to its end."""
    edges = np.flatnonzero(events != HOLD)
    lengths = np.diff(edges, append=len(events))
    found: Ints = lengths[events[edges] >= NOTE]
    return found


def phrase_bars(events: Ints, bar: int, grid: int) -> float:
    """Return the mean length of phrases in bars: they end with a rest or a long note."""
    edges = np.flatnonzero(events != HOLD)
    notes = edges[events[edges] >= NOTE]
    if len(notes) < 2:
        return len(events) / bar
    lengths = durations(events)
    rests = np.diff(notes) - lengths[:-1]
    ends = (rests >= NEW_PHRASE * grid) | (lengths[:-1] >= 2 * grid)
    return float((len(events) / bar) / (ends.sum() + 1))


MEASURES: Mapping[str, str] = {
    **{f"repeats {n} ago": f"share of bars like the bar {n} before" for n in BARS_AGO},
    "compression": "times that DEFLATE shortens the events",
    "range": "semitones from the lowest to the highest note",
    "notes a bar": "notes that begin in a bar",
    "phrase": "bars from one long note or rest to the next",
    "in scale": "share of notes without sharps and flats, in C",
    "stuck": (
        f"share of melodies that begin one note {ONE_NOTE} times in a row, or none for "
        f"{STILL_BARS} bars"
    ),
}
"""What each measure is."""
HISTOGRAMS = ("pitch classes", "intervals", "durations")


def described(melody: Measurable) -> list[float]:
    """Return `MEASURES` of a melody."""
    events, bar = melody.events, melody.bar
    pitches = events[events >= NOTE] - NOTE
    scale = float(WHITE[pitches % 12].mean()) if len(pitches) else np.nan
    return [
        *(repetition(events, n, bar) for n in BARS_AGO), compression(events),
        float(np.ptp(pitches)) if len(pitches) else np.nan, len(pitches) * bar / len(events),
        phrase_bars(events, bar, melody.grid), scale, float(is_stuck(events, bar)),
    ]  # fmt: skip


def histograms(melody: Measurable) -> list[Floats]:
    """Count pitch classes, intervals from -12 to 12, and durations up to two whole notes."""
    pitches = melody.events[melody.events >= NOTE] - NOTE
    jumps = np.diff(pitches).clip(-12, 12) + 12
    lengths = (durations(melody.events) * 4 // melody.grid).clip(1, 32)
    return [
        np.bincount(pitches % 12, minlength=12).astype(np.float64),
        np.bincount(jumps, minlength=25).astype(np.float64),
        np.bincount(lengths, minlength=33).astype(np.float64),
    ]


@dataclass(frozen=True)
class Sheet:
    """Measures of many melodies.

    Parameters
    ----------
    rows : float array [shape=(n, measures)]
    counts : sequence of float arrays [each shape=(n, bins)]
        Of `HISTOGRAMS`.
    owners : int array [shape=(n,)]
        Whose each is; those of one owner are drawn together by the bootstrap.
    """

    rows: Floats
    counts: Sequence[Floats]
    owners: Ints

    @classmethod
    def of(cls, melodies: Sequence[Measurable], owners: npt.ArrayLike | None = None) -> Sheet:
        """Measure melodies."""
        counts = [np.stack(one) for one in zip(*map(histograms, melodies), strict=True)]
        each = np.arange(len(melodies))
        mine = each if owners is None else np.unique(owners, return_inverse=True)[1]
        return cls(np.array([described(melody) for melody in melodies]), counts, mine)

    def estimates(self) -> list[Estimate]:
        """Return the mean of each measure, over the melodies that have it."""
        return [mean_of_known(column, self.owners) for column in self.rows.T]

    def overlaps(self, other: Sheet) -> list[Estimate]:
        """Return the area that is common to each histogram of these and of other melodies.

        1 if both are alike; the interval is over the owners of these.
        """
        draws = bootstrap(int(self.owners.max()) + 1)
        found = []
        for mine, theirs in zip(self.counts, other.counts, strict=True):
            wanted = theirs.sum(axis=0) / theirs.sum()
            each = np.zeros((draws.shape[1], mine.shape[1]))
            np.add.at(each, self.owners, mine)
            drawn = draws @ each
            with np.errstate(invalid="ignore"):
                share = drawn / drawn.sum(axis=1, keepdims=True)
            found.append(interval(np.minimum(share, wanted).sum(axis=1)))
        return found
