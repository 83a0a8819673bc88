"""Cut the line of a song into melodies that a network can learn: on one grid, without long rests.

A song is read at twelve steps per quarter. Bars that lie on sixteenths, or on eighth triplets, are
brought to that grid; where a bar fits neither, or rests for a whole bar, the line is cut.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from groove_core.values import LeadSheet

__all__ = ["FINE", "GRIDS", "METRES", "cut"]

FINE = 12
"""Steps per quarter at which songs are read: sixteenths and triplets."""
GRIDS = (4, 3)
"""Steps per quarter that are learnt: sixteenths, or eighth triplets where those do not fit."""
METRES = ((4, 4), (3, 4), (2, 4), (6, 8), (2, 2), (12, 8), (9, 8), (3, 8), (3, 2), (6, 4))
ROUNDED = 0.25
"""Share of the onsets of a bar that may lie beside the grid and are moved onto it."""
SHORTEST_BARS, FEWEST_NOTES, FEWEST_CLASSES = 2, 5, 3

Ints = npt.NDArray[np.int64]


def cut(song: LeadSheet) -> tuple[list[LeadSheet], Counter[str]]:
    """Cut a song into melodies.

    Parameters
    ----------
    song : LeadSheet
        With `FINE` steps per quarter.

    Returns
    -------
    list of LeadSheet
        With 4 or 3 steps per quarter. Each begins at a bar line, or with the pickup of the song.
    Counter
        Notes that were left out, by reason, and how many were moved to the grid.
    """
    counts: Counter[str] = Counter()
    if song.metre not in METRES:
        return [], Counter({f"notes in {song.metre[0]}/{song.metre[1]}": len(song.notes)})
    grid = _main_grid(song)
    if 4 * grid * song.metre[0] % song.metre[1]:
        return [], Counter({"notes off the grid": len(song.notes)})
    found = []
    for first, end in _stretches(song, grid, counts):
        part = _brought(song, first, end, grid, counts)
        bars = (part.length - part.pickup) / part.steps_per_bar
        if bars < SHORTEST_BARS or len(part.notes) < FEWEST_NOTES:
            counts["notes of too short lines"] += len(part.notes)
        elif len(set((part.notes[:, 2] % 12).tolist())) < FEWEST_CLASSES:
            counts["notes of lines on one or two pitches"] += len(part.notes)
        else:
            found.append(part)
    return found, counts


def _bars(song: LeadSheet) -> Iterator[tuple[int, int]]:
    """List where the bars of a song begin and end; the pickup is one."""
    lines = list(range(song.pickup, song.length, song.steps_per_bar))
    edges = [*([0] if song.pickup else []), *lines, song.length]
    return itertools.pairwise(edges)


def _beside(onsets: Ints, grid: int) -> Ints:
    """Return how far onsets lie beside a grid, in fine steps."""
    step = FINE // grid
    return np.minimum(onsets % step, -onsets % step)


def _main_grid(song: LeadSheet) -> int:
    beside = [(_beside(song.notes[:, 0] - song.pickup, grid) > 0).sum() for grid in GRIDS]
    return GRIDS[int(np.argmin(beside))]


def _stretches(song: LeadSheet, grid: int, counts: Counter[str]) -> list[tuple[int, int]]:
    """List runs of bars on a grid in which no rest lasts a bar."""
    starts, ends = song.notes[:, 0], song.notes[:, 0] + song.notes[:, 1]
    runs: list[tuple[int, int]] = []
    open_at: int | None = None
    for first, end in _bars(song):
        here = (starts >= first) & (starts < end)
        sounds = ((starts < end) & (ends > first)).any()
        onsets = starts[here] - song.pickup
        off = int((_beside(onsets, grid) > 0).sum())
        distinct = len(np.unique(_step(onsets, grid))) == len(onsets)
        fits = off <= ROUNDED * len(onsets) and distinct
        if not fits:
            counts["notes off the grid"] += len(onsets)
        if fits and sounds:
            if open_at is None and here.any():
                open_at = first
        elif open_at is not None:
            runs.append((open_at, first))
            open_at = None
    if open_at is not None:
        runs.append((open_at, song.length))
    return runs


def _step(onsets: Ints, grid: int) -> Ints:
    found: Ints = np.floor(onsets * grid / FINE + 0.5).astype(np.int64)
    return found


def _brought(song: LeadSheet, first: int, end: int, grid: int, counts: Counter[str]) -> LeadSheet:
    """Cut out steps `first` to `end` of a song and bring them to a grid."""
    pickup = song.pickup if first == 0 else 0
    shift = first + pickup  # a bar line
    mine = song.notes[(song.notes[:, 0] >= first) & (song.notes[:, 0] < end)]
    lead = -(-pickup * grid // FINE)
    begins = _step(mine[:, 0] - shift, grid) + lead
    ends = _step(np.minimum(mine[:, 0] + mine[:, 1], end) - shift, grid) + lead
    counts["notes moved to the grid"] += int((_beside(mine[:, 0] - shift, grid) > 0).sum())
    length = int(_step(np.array([end - shift]), grid)[0]) + lead
    limit = np.append(begins[1:], max(length, int(begins[-1]) + 1))
    keep = limit > begins
    counts["notes off the grid"] += int((~keep).sum())
    rows = np.stack(
        [begins, np.clip(ends - begins, 1, np.maximum(limit - begins, 1)), mine[:, 2], mine[:, 3]],
        axis=1,
    )[keep]
    held = song.chord_at([first])[0]
    named = [(first, held), *((at, chord) for at, chord in song.chords if first < at < end)]
    chords = {
        min(max(int(_step(np.array([at - shift]), grid)[0]) + lead, 0), length - 1): chord
        for at, chord in (named if song.chords else ())
    }
    return replace(
        song, notes=rows, steps_per_quarter=grid, length=length, pickup=lead,
        chords=tuple(chords.items()), lyrics=(),
    )  # fmt: skip
