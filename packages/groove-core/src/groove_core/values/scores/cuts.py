"""Events at a cut: what is kept, what holds there, and what sets an instrument back."""

from __future__ import annotations

import numpy as np

from groove_core.values.scores.tracks import Events, Track

__all__ = ["cut", "cut_bends", "cut_controls", "cut_notes", "later", "resets"]

_PARAMETER = (6, 38, 96, 97, 98, 99, 100, 101)
"""Controllers that set registered parameters, such as the range of bends, by their order."""
_SILENCES = (120, 123)
_MODES = range(120, 128)
_RESET = {7: 100, 8: 64, 10: 64, 11: 127, **dict.fromkeys(range(70, 80), 64), 91: 40}
"""Controllers whose value on a new General MIDI channel is not 0."""
_BEND_RANGE = ((101, 0), (100, 0), (6, 2), (38, 0), (101, 127), (100, 127))


def later(rows: Events, ticks: int) -> Events:
    """Move events in time."""
    moved: Events = rows + np.array([ticks] + [0] * (rows.shape[1] - 1))
    return moved


def cut(rows: Events, start: int, end: int) -> Events:
    """Cut a table whose last row before a tick holds at it."""
    first, last = np.searchsorted(rows[:, 0], [start, end])
    inside = rows[first:last]
    if first and not (len(inside) and inside[0, 0] == start):
        inside = np.concatenate([[[start, *rows[first - 1, 1:]]], inside])
    return later(inside, -start)


def cut_notes(notes: Events, start: int, end: int, *, struck: bool) -> Events:
    """Cut notes; of drums, which are `struck`, only those that begin inside."""
    begins, ends = notes[:, 0], notes[:, 0] + notes[:, 1]
    mine = (begins < end) & ((begins >= start) | ((ends > start) & (not struck)))
    kept = notes[mine]
    kept[:, 0] = np.maximum(begins[mine], start) - start
    kept[:, 1] = np.minimum(ends[mine], end) - start - kept[:, 0]
    return kept


def cut_controls(rows: Events, start: int, end: int) -> Events:
    """Cut controllers; the last value of each before the cut holds at it.

    Registered parameters are set by a sequence of controllers, which is kept whole.
    """
    first, last = np.searchsorted(rows[:, 0], [start, end])
    before = rows[:first]
    last_of_each = np.unique(before[::-1, 1], return_index=True)[1]
    stays = np.isin(before[:, 1], _PARAMETER)
    stays[len(before) - 1 - last_of_each] = True
    held = before[stays & ~np.isin(before[:, 1], _SILENCES)].copy()
    held[:, 0] = start
    return later(np.concatenate([held, rows[first:last]]), -start)


def cut_bends(track: Track, start: int, end: int) -> Events:
    """Cut pitch bends; that of before the cut holds, unless all controllers were reset since."""
    bends = cut(track.pitch_bends, start, end)
    before = track.pitch_bends[track.pitch_bends[:, 0] < start]
    told = track.controls[(track.controls[:, 1] == 121) & (track.controls[:, 0] < start), 0]
    inside = ((track.pitch_bends[:, 0] >= start) & (track.pitch_bends[:, 0] < end)).sum()
    stated = len(bends) > inside
    if stated and len(told) and told[-1] > before[-1, 0]:
        return bends[1:]
    return bends


def resets(controls: Events) -> Events:
    """Return what brings the controllers that a track has used back to those of a new channel."""
    used = np.unique(controls[:, 1]).tolist()
    rows = [(0, c, _RESET.get(c, 0)) for c in used if c not in _PARAMETER and c not in _MODES]
    if set(used) & set(_PARAMETER):
        rows += [(0, *pair) for pair in _BEND_RANGE]
    if 126 in used:
        rows.append((0, 127, 0))  # polyphonic again
    return np.array(rows, np.int64).reshape(-1, 3)
