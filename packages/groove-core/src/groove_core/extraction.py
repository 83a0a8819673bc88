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

from groove_core.errors import InputError
from groove_core.values.drums import (
    DRUMS,
    FOLD,
    STEPS_PER_BAR,
    TICKS_PER_STEP,
    DrumPattern,
)
from groove_core.values.score import Score, drum_tracks

__all__ = ["Extraction", "extract_patterns", "is_triplet", "whole_pattern"]

_DRUM_OF_NOTE = np.full(128, -1)
_DRUM_OF_NOTE[list(FOLD)] = list(FOLD.values())

# A window is in triplets when sixteenths explain its onsets badly, and thirds or
# sixths of a beat clearly better; see `is_triplet`.
_TRIPLET_FLOOR = 0.5
_TRIPLET_RATIO = 0.8


@dataclass(frozen=True)
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

    def patterns(self) -> list[DrumPattern]:
        """Give the windows as values."""
        return [
            DrumPattern(self.hits[i], self.velocity[i], self.offset_ticks[i], self.tempo_bpm[i])
            for i in range(len(self))
        ]


@dataclass(frozen=True)
class _Onsets:
    """Drum notes of a score: ticks, drum index, velocity; and how many were unknown."""

    tick: npt.NDArray[np.int64]
    drum: npt.NDArray[np.int64]
    velocity: npt.NDArray[np.int64]
    unknown: int


def _onsets(score: Score) -> _Onsets:
    tracks = drum_tracks(score)
    notes = np.concatenate([t.notes for t in tracks]) if tracks else np.zeros((0, 4), np.int64)
    drum = _DRUM_OF_NOTE[notes[:, 2] & 127]
    known = (drum >= 0) & (notes[:, 3] > 0)
    return _Onsets(notes[known, 0], drum[known], notes[known, 3], int((~known).sum()))


def _meters(score: Score) -> list[tuple[int, float, int, int]]:
    """List the stretches of one metre: start and end tick, numerator, denominator."""
    rows = score.time_signatures.tolist()
    if not rows or rows[0][0] > 0:
        rows = [[0, 4, 4], *rows]
    spans: list[tuple[int, float, int, int]] = []
    for (start, top, bottom), after in zip(rows, [*rows[1:], [np.inf, 0, 0]], strict=True):
        if spans and spans[-1][2:] == (top, bottom):  # the same metre written again
            spans[-1] = (spans[-1][0], after[0], top, bottom)
        elif after[0] > start:
            spans.append((start, after[0], top, bottom))
    return spans


def is_triplet(beats: npt.NDArray[np.float64]) -> bool:
    """Tell whether onsets follow thirds or sixths of a beat rather than quarters.

    For each grid take the mean distance of the onsets to it, as a share of what
    onsets at random would have (a quarter of its spacing), so that a finer grid
    has no advantage. Triplets are called when the sixteenth grid is worse than
    half random, and a triplet grid better than four fifths of it. The first
    condition is for loosely played straight beats, where a coarse grid looks better
    merely because it is coarse.

    Parameters
    ----------
    beats : float array [shape=(n,), quarter notes]
        Onset times; only their place inside the beat matters.
    """
    if not len(beats):
        return False
    return bool(_triplets(*(_misfit(beats, n).mean() for n in (4, 3, 6))))


def _triplets(sixteenths: Any, thirds: Any, sixths: Any) -> Any:
    """Decide from mean misfits to the three grids; see `is_triplet`."""
    better = np.minimum(thirds, sixths) < _TRIPLET_RATIO * sixteenths
    return better & (sixteenths > _TRIPLET_FLOOR)


def _misfit(beats: npt.NDArray[np.float64], per_beat: int) -> npt.NDArray[np.float64]:
    at = beats * per_beat
    misfit: npt.NDArray[np.float64] = np.abs(at - np.round(at)) * 4
    return misfit


@dataclass(frozen=True)
class _Grid:
    """A stretch of 4/4 on the grid, with what is needed to judge windows of it."""

    velocity: npt.NDArray[np.uint8]
    offset_ticks: npt.NDArray[np.int8]
    misfits: npt.NDArray[np.float64]
    """Running sums over steps: misfit to quarters, thirds, sixths of a beat; onsets."""


def _to_grid(
    ticks: npt.NDArray[Any],
    drum: npt.NDArray[Any],
    velocity: npt.NDArray[Any],
    ticks_per_quarter: int,
    steps: int | None = None,
) -> _Grid:
    beats = ticks / ticks_per_quarter
    step = np.floor(beats * 4 + 0.5).astype(np.int64)
    bars = -(-(int(step.max(initial=-1)) + 1) // STEPS_PER_BAR)
    steps = bars * STEPS_PER_BAR if steps is None else steps
    inside = (step >= 0) & (step < steps)
    beats, step, drum, velocity = beats[inside], step[inside], drum[inside], velocity[inside]

    # Where two notes fall on one drum and step, the louder one stays.
    loudest_last = np.argsort(velocity, kind="stable")
    at = step[loudest_last], drum[loudest_last]
    grid_velocity = np.zeros((steps, len(DRUMS)), np.uint8)
    grid_velocity[at] = velocity[loudest_last]
    half = TICKS_PER_STEP // 2
    late = np.round((beats * 4 - step) * TICKS_PER_STEP)
    grid_offset = np.zeros((steps, len(DRUMS)), np.int8)
    grid_offset[at] = np.clip(late, -half, half - 1)[loudest_last]

    parts = [_misfit(beats, n) for n in (4, 3, 6)] + [np.ones(len(beats))]
    sums = np.stack([np.bincount(step, part, minlength=steps) for part in parts], axis=1)
    misfits = np.concatenate([np.zeros((1, 4)), np.cumsum(sums, axis=0)])
    return _Grid(grid_velocity, grid_offset, misfits)


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
        Distance between the starts of two windows; `bars` when left out.

    Returns
    -------
    Extraction
        Windows with at least one hit, and the count of those left out because they
        are not in 4/4, in triplets, silent, or cut off by the end or a change of metre.

    Raises
    ------
    InputError
        If the score has no drums at all.
    """
    onsets = _onsets(score)
    if not len(onsets.tick):
        raise _no_drums("this score", onsets.unknown)
    size = bars * STEPS_PER_BAR
    stride = size if stride_bars is None else round(stride_bars * STEPS_PER_BAR)
    quarter = score.ticks_per_quarter
    early = quarter / 8  # half a step: such an early hit belongs to the next bar
    dropped: Counter[str] = Counter()
    found: list[tuple[npt.NDArray[Any], ...]] = []
    for start, end, top, bottom in _meters(score):
        here = (onsets.tick >= start - early) & (onsets.tick < end - early)
        if not here.any():
            continue
        ticks = onsets.tick[here] - start
        if top != bottom:
            length = int(ticks.max()) / quarter * 4 + 1
            dropped[f"in {top}/{bottom}"] += max(1, round(length / stride))
            continue
        grid = _to_grid(ticks, onsets.drum[here], onsets.velocity[here], quarter)
        starts = np.arange(0, len(grid.velocity) - size + 1, stride)
        rest = len(grid.velocity) - (starts[-1] + size if len(starts) else 0)
        if rest > 0 and grid.velocity[-rest:].any():
            dropped["cut short"] += 1
        if not len(starts):
            continue
        inside = starts[:, None] + np.arange(size)
        velocity = grid.velocity[inside]
        silent = ~velocity.any(axis=(1, 2))
        sums = grid.misfits[starts + size] - grid.misfits[starts]
        sixteenths, thirds, sixths, count = sums.T
        count = np.maximum(1, count)
        triplet = ~silent & _triplets(sixteenths / count, thirds / count, sixths / count)
        dropped["silent"] += int(silent.sum())
        dropped["in triplets"] += int(triplet.sum())
        keep = ~silent & ~triplet
        kept = starts[keep]
        found.append(
            (
                velocity[keep],
                grid.offset_ticks[inside[keep]],
                start / quarter / 4 + kept / STEPS_PER_BAR,
                score.tempo_at(start + kept * quarter // 4),
            )
        )
    shape = (0, size, len(DRUMS))
    if found:
        velocity, offset, bar, tempo = (np.concatenate(part) for part in zip(*found, strict=True))
    else:
        velocity, offset = np.zeros(shape, np.uint8), np.zeros(shape, np.int8)
        bar, tempo = np.zeros(0), np.zeros(0)
    return Extraction(velocity > 0, velocity, offset, bar, tempo, +dropped, onsets.unknown)


def whole_pattern(
    score: Score, *, start: int, steps: int | None, name: str
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any], float]:
    """Put the whole of a score on the grid: hits, velocity, offset in ticks, tempo.

    Parameters
    ----------
    start : int [ticks]
        Where the first bar begins.
    steps : int or None
        Length, where it is known; else up to the bar of the last hit.

    Raises
    ------
    InputError
        If there are no drums, or they are not in 4/4 or in triplets.
    """
    onsets = _onsets(score)
    if not len(onsets.tick) and steps is None:
        raise _no_drums(name, onsets.unknown)
    quarter = score.ticks_per_quarter
    odd = {
        f"{top}/{bottom}"
        for begin, end, top, bottom in _meters(score)
        if top != bottom and ((onsets.tick >= begin) & (onsets.tick < end)).any()
    }
    if odd:
        raise InputError(
            f"{name} is in {' and '.join(sorted(odd))}; drum patterns are in 4/4.",
            hint="Give a beat in 4/4, or cut the 4/4 part out.",
        )
    ticks = onsets.tick - start
    # A file that says where its pattern starts was written on our grid.
    if steps is None and is_triplet(ticks / quarter):
        raise InputError(
            f"{name} is played in triplets; drum patterns have sixteenths.",
            hint="Give a straight beat; a shuffle has no place on this grid.",
        )
    grid = _to_grid(ticks, onsets.drum, onsets.velocity, quarter, steps)
    tempo = float(score.tempo_at(start))
    return grid.velocity > 0, grid.velocity, grid.offset_ticks, min(max(tempo, 10.0), 600.0)


def _no_drums(name: str, unknown: int) -> InputError:
    if unknown:
        return InputError(
            f"{name} has {unknown} drum notes, none of them one of the 14 drums.",
            hint="Use General MIDI percussion notes (kick 36, snare 38, hi-hat 42 ...).",
        )
    return InputError(
        f"{name} has no drums.",
        hint="Give a file with notes on MIDI channel 10, or name the track 'drums'.",
    )
