"""The line of a song: taken out to be written on, and put back, with all else as it was.

What was given of a line keeps its ticks, its velocities and the chords below it. Only what is
written stands on the grid. Other tracks, tempos, controllers and texts stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from groove_core.errors import UsageError
from groove_core.tunes.performing import accented
from groove_core.values import LeadSheet, Score, skyline

__all__ = ["Place", "Spans", "marked", "spans_of", "written_spans"]

Spans = tuple[tuple[int, int], ...]
"""First step, and the step behind the last, of parts of a melody."""
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Place:
    """Where a melody stands in a song.

    Parameters
    ----------
    song : Score
    track : int
        Index of its track.
    start : int
        Tick of its first step.
    """

    song: Score
    track: int
    start: int

    def __post_init__(self) -> None:
        if not 0 <= self.track < len(self.song.tracks):
            raise UsageError(
                f"{self.song.name} has {len(self.song.tracks)} tracks, and none at {self.track}.",
                hint="Count tracks from 0.",
            )

    def put(self, melody: LeadSheet, spans: Spans, *, flat: bool = True) -> Score:
        """Return the song with a melody in the place of the line.

        Parameters
        ----------
        melody : LeadSheet
        spans : sequence of (int, int)
            Where it was given: there the notes of the song stay.
        flat : bool
            Whether the notes that were written are as typed. Else they have the accents of
            `groove_core.tunes.performing`; they keep their time, which is that of the other tracks.
        """
        tick = self.song.ticks_per_quarter / melody.steps_per_quarter
        ours, steps, others = self._line(tick)
        given = marked(spans, melody.length)
        written = ~given[melody.notes[:, 0]]
        new = _in_ticks(melody.notes, self.start, tick)
        if not flat:
            new = accented(melody, new)
        inside = (steps >= 0) & (steps < melody.length)
        stays = ~inside
        stays[inside] = given[steps[inside]]
        kept = self._cut(ours[stays], melody, given, tick)
        line = np.concatenate([kept, new[written]])
        order = np.argsort(line[:, 0], kind="stable")
        fresh = np.repeat([False, True], [len(kept), int(written.sum())])[order]
        line = line[order]
        room = np.append(np.diff(line[:, 0]), np.iinfo(np.int64).max)[: len(line)]
        # A note that was played a little early ends the written one before it.
        line[fresh, 1] = np.clip(line[fresh, 1], 1, np.maximum(room[fresh], 1))
        tracks = [*self.song.tracks]
        tracks[self.track] = replace(tracks[self.track], notes=np.concatenate([others, line]))
        return replace(self.song, tracks=tuple(tracks))

    def _line(self, tick: float) -> tuple[Ints, Ints, Ints]:
        """Return the notes of the line, the step of each, and the other notes of the track."""
        notes = self.song.tracks[self.track].notes
        numbered = np.column_stack([notes[:, :3], np.arange(len(notes))])
        which = skyline(numbered, self.song.ticks_per_quarter)[0][:, 3]
        ours = notes[which]
        return ours, _steps(ours[:, 0] - self.start, tick), np.delete(notes, which, axis=0)

    def _cut(self, kept: Ints, melody: LeadSheet, given: Bools, tick: float) -> Ints:
        """End notes of the song where something was written while they sounded."""
        kept = kept.copy()
        length = dict(melody.notes[:, :2].tolist())
        begins = set(melody.notes[:, 0].tolist())
        firsts = _steps(kept[:, 0] - self.start, tick).tolist()
        ends = _steps(kept[:, :2].sum(axis=1) - self.start, tick).tolist()
        for row, (first, end) in enumerate(zip(firsts, ends, strict=True)):
            stop = first + length.get(first, end - first)
            if 0 <= stop < melody.length and not given[stop] and (stop < end or stop in begins):
                limit = self.start + round(stop * tick) - int(kept[row, 0])
                kept[row, 1] = max(min(int(kept[row, 1]), limit), 1)
        return kept

    def to_json(self) -> dict[str, Any]:
        """Return the place as a document."""
        return {"song": self.song.to_json(), "track": self.track, "start": self.start}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Place:
        """Make the place from what `to_json` returned."""
        return cls(Score.from_json(document["song"]), document["track"], document["start"])


def _steps(ticks: Ints, tick: float) -> Ints:
    found: Ints = np.floor(ticks / tick + 0.5).astype(np.int64)
    return found


def _in_ticks(notes: Ints, start: int, tick: float) -> Ints:
    rows = notes.copy()
    rows[:, 0] = start + np.floor(notes[:, 0] * tick + 0.5)
    rows[:, 1] = start + np.floor(notes[:, :2].sum(axis=1) * tick + 0.5) - rows[:, 0]
    return rows


def marked(spans: Spans, length: int) -> Bools:
    """Return which steps of a melody lie in some spans [shape=(length,)]."""
    found = np.zeros(length, bool)
    for first, end in spans:
        found[first:end] = True
    return found


def written_spans(given: Spans, length: int) -> Spans:
    """Return the spans of a melody that were not given."""
    return spans_of(~marked(given, length))


def spans_of(steps: Bools) -> Spans:
    """Return where marked steps begin and end."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], steps, [0]])))
    return tuple(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
