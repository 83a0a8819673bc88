"""Drum patterns out of any MIDI file, and an account of what was left out.

Onsets are rounded to the nearest sixteenth of their own metre: windows start at
the time signature they belong to, whatever the tempo does meanwhile. What does
not fit a 4/4 grid of sixteenths is counted by reason and left out, never bent.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from groove_core.drums.grid import (
    TEMPOS_BPM,
    find_onsets,
    marked_span,
    meters,
    no_drums,
    to_grid,
    triplets,
)
from groove_core.drums.pattern import DRUMS, STEPS_PER_BAR, DrumPattern
from groove_core.errors import UsageError
from groove_core.values.scores.score import Score

__all__ = ["Extraction", "extract_patterns"]


@dataclass(frozen=True, repr=False)
class Extraction:
    """The windows of a score that fit the grid, as arrays, and what did not.

    ``hits`` bool, ``velocity`` uint8 and ``offset_ticks`` int8 have the shape
    (n, steps, 14); ``bar`` is the bar of the score a window starts at, counted
    from 0 in bars of 4/4 (a half is half a bar); ``tempo_bpm`` is the tempo there.
    ``dropped`` counts windows by the reason they were left out, ``unknown_notes``
    the notes that are no drum of ours.
    """

    hits: npt.NDArray[np.bool_]
    velocity: npt.NDArray[np.uint8]
    offset_ticks: npt.NDArray[np.int8]
    bar: npt.NDArray[np.float64]
    tempo_bpm: npt.NDArray[np.float64]
    dropped: Counter[str] = field(default_factory=Counter)
    unknown_notes: int = 0

    def __len__(self) -> int:
        return len(self.hits)

    def __repr__(self) -> str:
        return f"Extraction({len(self)} windows, left out: {dict(self.dropped)})"

    def patterns(self) -> list[DrumPattern]:
        """Return the windows as values."""
        return [
            DrumPattern(self.hits[i], self.velocity[i], self.offset_ticks[i], self.tempo_bpm[i])
            for i in range(len(self))
        ]


def extract_patterns(
    score: Score, *, bars: int = 2, stride_bars: float | None = None
) -> Extraction:
    """Cut the drums of a score into windows of whole 4/4 bars on a grid of sixteenths.

    Parameters
    ----------
    score : Score
    bars : int
        Length of a window.
    stride_bars : float [multiples of a sixteenth of a bar]
        Distance between the starts of two windows (default: `bars`).

    Returns
    -------
    Extraction
        Windows with at least one hit, and the count of those left out because they
        are not in 4/4, in triplets, silent, or cut off by the end or a change of metre.

    Raises
    ------
    InputError
        If the score has no drums at all.
    UsageError
        If `bars` is below 1, or `stride_bars` below a sixteenth.
    """
    if bars < 1:
        raise UsageError(f"bars must be at least 1, not {bars}.", hint="bars=2")
    size = bars * STEPS_PER_BAR
    stride = size if stride_bars is None else round(stride_bars * STEPS_PER_BAR)
    if stride < 1:
        raise UsageError(
            f"stride_bars must be at least a sixteenth, not {stride_bars}.", hint="stride_bars=0.5"
        )
    onsets = find_onsets(score)
    if not len(onsets.tick):
        raise no_drums(score.name, onsets.unknown)
    quarter = score.ticks_per_quarter
    early = quarter / 8  # half a step: such an early hit belongs to the next bar
    dropped: Counter[str] = Counter()
    found: list[tuple[npt.NDArray[Any], ...]] = []
    marked, steps = marked_span(score)
    spans = meters(score) if steps is None else [(marked, np.inf, 4, 4)]
    for start, end, top, bottom in spans:
        here = (onsets.tick >= start - early) & (onsets.tick < end - early)
        if not here.any():
            continue
        ticks = onsets.tick[here] - start
        if top != bottom:
            played = int(ticks.max()) / quarter * 4 + 1
            dropped[f"in {top}/{bottom}"] += max(1, round(played / stride))
            continue
        # Where the metre ends, so does the last window: no silence is made up behind it.
        length = steps if np.isinf(end) else int((end - start) * 4 / quarter)
        grid = to_grid(ticks, onsets.drum[here], onsets.velocity[here], quarter, length)
        starts = np.arange(0, len(grid.velocity) - size + 1, stride)
        rest = len(grid.velocity) - (starts[-1] + size if len(starts) else 0)
        if rest > 0 and grid.velocity[-rest:].any():
            dropped["cut short"] += 1
        if not len(starts):
            continue
        sums = grid.misfits[starts + size] - grid.misfits[starts]
        sixteenths, thirds, sixths, count = sums.T
        silent = count == 0
        count = np.maximum(1, count)
        triplet = (
            ~silent & (steps is None) & triplets(sixteenths / count, thirds / count, sixths / count)
        )
        tempo = score.tempo_at(start + starts * quarter // 4)
        slowest, fastest = TEMPOS_BPM
        odd = ~silent & ~triplet & ((tempo < slowest) | (tempo > fastest))
        dropped["silent"] += int(silent.sum())
        dropped["in triplets"] += int(triplet.sum())
        dropped["at a tempo that no pattern has"] += int(odd.sum())
        keep = ~silent & ~triplet & ~odd
        inside = starts[keep, None] + np.arange(size)
        found.append(
            (
                grid.velocity[inside],
                grid.offset_ticks[inside],
                start / quarter / 4 + starts[keep] / STEPS_PER_BAR,
                tempo[keep],
            )
        )
    shape = (0, size, len(DRUMS))
    if found:
        velocity, offset, bar, tempo = (np.concatenate(part) for part in zip(*found, strict=True))
    else:
        velocity, offset = np.zeros(shape, np.uint8), np.zeros(shape, np.int8)
        bar, tempo = np.zeros(0), np.zeros(0)
    return Extraction(velocity > 0, velocity, offset, bar, tempo, +dropped, onsets.unknown)
