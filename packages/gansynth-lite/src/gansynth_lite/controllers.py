"""When the notes of a score sound, and what its controllers say of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from groove_core.values import Score, Track
from groove_core.values.midi.files import MAX_TICK

__all__ = ["BLOCK_S", "Curve", "bends_of", "blocks", "gains_of", "sounding"]

LONGEST_S = 60.0
"""Longer notes end then; they are stuck keys far more often than music."""
RELEASE_S, DAMPED_S = 0.3, 0.03
"""After the key of a note is released; and when the same key is struck again."""
BLOCK_S = 0.01
"""How often controllers and bends are looked at."""
BEND_SEMITONES = 2
"""Of a full bend, unless the track says otherwise (registered parameter 0)."""
VOLUME, PAN, EXPRESSION, PEDAL, SILENCE, RESET = 7, 10, 11, 64, 120, 121
KEYS_UP = range(123, 128)
"""All notes off, and changes of mode, which say so, too."""
DATA, DATA_LOW, OTHER_LOW, OTHER_HIGH, PARAMETER_LOW, PARAMETER_HIGH = 6, 38, 98, 99, 100, 101
SETTING = (DATA, DATA_LOW, OTHER_LOW, OTHER_HIGH, PARAMETER_LOW, PARAMETER_HIGH, RESET)
"""Controllers that set a parameter: what it is set to, and which one, registered or another."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Curve = Callable[[Floats], Floats]
"""Return a value at each of some times [seconds]."""


def sounding(score: Score, one: Track) -> tuple[Integers, Floats, Floats, Floats]:
    """Return pitches and velocities [shape=(n, 2)], and when notes begin, end, and how they fade.

    A pedal holds notes, and the next note of a key ends the one before. The channel can be told to
    release all keys, or to be silent at once.
    """
    rows = one.notes[np.lexsort((-one.notes[:, 1], one.notes[:, 0], one.notes[:, 2]))]
    again = np.r_[False, (rows[1:, [0, 2]] == rows[:-1, [0, 2]]).all(axis=1)]
    rows = rows[~again]  # of notes at once on one key, the longest
    ends = np.minimum(rows[:, 0] + rows[:, 1], _first(one, KEYS_UP, rows[:, 0]))
    pedal = _settings(one, PEDAL, 0)
    down = pedal[:, 1] >= 64
    ups = np.r_[pedal[~down, 0], score.end_tick]
    is_down = np.r_[False, down][np.searchsorted(pedal[:, 0], ends, side="right")]
    up = ups[np.searchsorted(ups[:-1], ends, side="right")]
    ends = np.where(is_down, np.maximum(up, ends), ends)
    ends = np.minimum(ends, _first(one, (SILENCE,), rows[:, 0]))
    start_s, end_s = score.seconds(rows[:, 0]), score.seconds(ends)
    following: Floats = np.r_[np.where(rows[1:, 2] == rows[:-1, 2], start_s[1:], np.inf), np.inf]
    end_s = np.minimum(np.minimum(end_s, following), start_s + LONGEST_S)
    return rows[:, 2:], start_s, end_s, np.minimum(following + DAMPED_S - end_s, RELEASE_S)


def _first(one: Track, numbers: Sequence[int], ticks: Integers) -> Integers:
    """Find the first of some controllers behind ticks, or else the largest tick."""
    found = one.controls[np.isin(one.controls[:, 1], numbers), 0]
    first: Integers = np.r_[found, MAX_TICK][np.searchsorted(found, ticks, side="right")]
    return first


def _settings(one: Track, number: int, before: int) -> Integers:
    """List what a controller is set to [shape=(n, 2), tick and value]; a reset is `before`."""
    told = one.controls[np.isin(one.controls[:, 1], (number, RESET))]
    return np.stack([told[:, 0], np.where(told[:, 1] == RESET, before, told[:, 2])], axis=1)


def blocks(start_s: float, end_s: float) -> Floats:
    """Return when the blocks of a stretch of time begin; there are two at least."""
    count = max(2, math.ceil((end_s - start_s) / BLOCK_S))
    return start_s + BLOCK_S * np.arange(count, dtype=np.float64)


def _steps(score: Score, events: Integers | Floats, before: int) -> Curve:
    """Return what holds at any time, after events [shape=(n, 2), tick and value]."""
    times, values = score.seconds(events[:, 0]) - 1e-6, np.r_[before, events[:, 1]].astype(float)
    return lambda seconds: values[np.searchsorted(times, seconds, side="right")]


def bends_of(score: Score, one: Track) -> Curve:
    """Return the bend at any time, in semitones."""
    resets = one.controls[one.controls[:, 1] == RESET, 0]
    told = np.concatenate([np.stack([resets, 0 * resets], axis=1), one.pitch_bends])
    told = told[np.argsort(told[:, 0], kind="stable")]
    bent, widest = _steps(score, told, 0), _steps(score, _ranges(one), BEND_SEMITONES)
    return lambda seconds: widest(seconds) / 8192 * bent(seconds)


def _ranges(one: Track) -> Floats:
    """Return what the range of bends is set to [shape=(n, 2), tick and semitones].

    That is registered parameter 0, as long as it is selected, in semitones and cents.
    """
    ranges: list[tuple[float, float]] = []
    selected: dict[int, int] = {}
    semitones, cents = BEND_SEMITONES, 0
    for tick, number, value in one.controls[
        np.isin(one.controls[:, 1], (*SETTING, RESET))
    ].tolist():
        if number in (OTHER_LOW, OTHER_HIGH, RESET):
            selected = {}
        elif number in (PARAMETER_LOW, PARAMETER_HIGH):
            selected[number] = value
        elif selected == {PARAMETER_LOW: 0, PARAMETER_HIGH: 0}:
            if number == DATA:
                semitones = value
            else:
                cents = value
            ranges.append((tick, semitones + cents / 100))
    return np.array(ranges).reshape(-1, 2)


def gains_of(score: Score, one: Track) -> Curve:
    """Return how loud a track is left and right [shape=(2, n)] at any time."""
    volume, pan = (
        _steps(score, one.controls[one.controls[:, 1] == number][:, [0, 2]], before)
        for number, before in ((VOLUME, 100), (PAN, 64))
    )
    expression = _steps(score, _settings(one, EXPRESSION, 127), 127)

    def gains(seconds: Floats) -> Floats:
        level = (volume(seconds) * expression(seconds) / 127**2) ** 2
        angle = (pan(seconds) - 1).clip(0) / 126 * math.pi / 2  # 64 is the middle
        both: Floats = math.sqrt(2) * level * np.stack([np.cos(angle), np.sin(angle)])
        return both

    return gains
