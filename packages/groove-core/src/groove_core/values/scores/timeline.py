"""Time in scores: ticks, seconds, bars."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from groove_core.errors import UsageError
from groove_core.values.midi.parts import Source
from groove_core.values.scores.tracks import Events, Track

__all__ = ["Timeline"]

DEFAULT_TEMPO_US = 500_000
"""Microseconds per quarter note where a MIDI file says nothing: 120 bpm."""


class Timeline:
    """What a score consists of, and where in time it is."""

    tracks: tuple[Track, ...]
    ticks_per_quarter: int
    tempos: Events
    time_signatures: Events
    key_signatures: Events
    markers: tuple[tuple[int, str], ...]
    lyrics: tuple[tuple[int, str], ...]
    end_tick: int
    name: str
    drum_track: str
    source: Source | None

    def _last_tick(self) -> int:
        """Return the tick of the last event."""
        tables = [self.tempos, self.time_signatures, self.key_signatures]
        tables += [events for t in self.tracks for events in (t.controls, t.pitch_bends)]
        ticks = [int(events[-1, 0]) for events in tables if len(events)]
        ticks += [texts[-1][0] for texts in (self.markers, self.lyrics) if texts]
        return max([*ticks, self.last_note_tick])

    def find_tracks(self, wanted: str | int) -> list[Track]:
        """Return the tracks of a name, or else the one of a number (from 1), that have notes.

        Raises
        ------
        UsageError
            If there is none; the hint lists those that there are.
        """
        tracks = [track for track in self.tracks if len(track.notes)]
        name = str(wanted).casefold()
        found = [track for track in tracks if track.name.casefold() == name]
        if not found and name.isdecimal() and 1 <= int(name) <= len(tracks):
            found = [tracks[int(name) - 1]]
        if not found:
            listed = ", ".join(f"{n} {t.name or '(no name)'}" for n, t in enumerate(tracks, 1))
            raise UsageError(
                f"{self.name} has no track {str(wanted)!r} with notes.",
                hint=f"Choose one by name or number: {listed}." if listed else "Give another file.",
            )
        return found

    @property
    def last_note_tick(self) -> int:
        """Tick at which the last note ends."""
        ends = [int(t.notes[:, :2].sum(axis=1).max()) for t in self.tracks if len(t.notes)]
        return max(ends, default=0)

    @property
    def duration_s(self) -> float:
        """Seconds until the longest track ends."""
        return float(self.seconds(np.array([self.end_tick]))[0])

    def seconds(self, ticks: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Convert ticks to seconds, following every tempo change."""
        at = np.asarray(ticks, dtype=np.float64)
        starts, begin_s, s_per_tick = self._tempo_map()
        which = np.maximum(np.searchsorted(starts, at, side="right") - 1, 0)
        seconds: npt.NDArray[np.float64] = begin_s[which] + (at - starts[which]) * s_per_tick[which]
        return seconds

    def tick_at(self, seconds: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Return the first tick at or after each time in seconds."""
        at = np.asarray(seconds, dtype=np.float64)
        starts, begin_s, s_per_tick = self._tempo_map()
        which = np.maximum(np.searchsorted(begin_s, at, side="right") - 1, 0)
        # A tick, of whatever tempo, is a thousand times as long as what floats lose in hours.
        ticks = np.ceil(starts[which] + (at - begin_s[which]) / s_per_tick[which] - 1e-6)
        return ticks.astype(np.int64)

    def _tempo_map(self) -> tuple[npt.NDArray[np.float64], ...]:
        """Return where tempos begin, in ticks and in seconds, and how long a tick lasts there."""
        starts = np.concatenate([[0], self.tempos[:, 0]]).astype(np.float64)
        s_per_tick = (
            np.concatenate([[DEFAULT_TEMPO_US], self.tempos[:, 1]]) / 1e6 / self.ticks_per_quarter
        )
        begin_s = np.concatenate([[0.0], np.cumsum(np.diff(starts) * s_per_tick[:-1])])
        return starts, begin_s, s_per_tick

    def tempo_at(self, ticks: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the tempo at ticks, in quarter notes per minute."""
        us = np.concatenate([[DEFAULT_TEMPO_US], self.tempos[:, 1]])
        which = np.searchsorted(self.tempos[:, 0], np.asarray(ticks), side="right")
        tempo: npt.NDArray[np.float64] = 6e7 / us[which]
        return tempo

    def metre_spans(self) -> list[tuple[int, int, int, int]]:
        """List where each metre holds: start and end tick, numerator, denominator.

        Before the first time signature it is 4/4. The last metre ends with the score. A metre that
        is written again begins again.
        """
        rows = self.time_signatures.tolist()
        rows = rows if rows and rows[0][0] == 0 else [[0, 4, 4], *rows]
        spans = [
            (start, after[0], top, bottom)
            for (start, top, bottom), after in itertools.pairwise(rows)
            if after[0] > start
        ]
        start, top, bottom = rows[-1]
        return [*spans, (start, self.end_tick, top, bottom)]

    @property
    def bars(self) -> int:
        """Number of bars; the last one may be cut short. A new time signature begins a bar."""
        _, _, first = self._bars()
        return int(first[-1])

    def bar_ticks(self, bars: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Return the ticks at which bars begin, counted from 0; the last metre goes on for ever.

        Examples
        --------
        >>> from groove_core import Score
        >>> Score((), time_signatures=[[0, 3, 4], [2880, 4, 4]]).bar_ticks([0, 1, 2, 3]).tolist()
        [0, 1440, 2880, 4800]
        """
        starts, sizes, first = self._bars()
        at = np.asarray(bars, dtype=np.int64)
        which = np.searchsorted(first[:-1], at, side="right") - 1
        ticks = np.floor(starts[which] + (at - first[which]) * sizes[which] + 0.5)
        return ticks.astype(np.int64)

    def _bars(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], Events]:
        """Return where metres begin, their ticks per bar, and the number of their first bars."""
        spans = np.array(self.metre_spans(), dtype=np.float64).reshape(-1, 4)
        sizes = 4 * self.ticks_per_quarter * spans[:, 2] / spans[:, 3]
        counts = np.ceil((spans[:, 1] - spans[:, 0]) / sizes).astype(np.int64)
        return spans[:, 0], sizes, np.concatenate([[0], np.cumsum(counts)])
