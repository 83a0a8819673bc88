"""Editing scores: transpose, cut, quantize, stretch, join, merge.

Every operation returns a new score. `transpose`, `quantize`, `stretch` and `select_tracks` keep
what only the MIDI file knows (system exclusive, aftertouch, ...). `slice_*`, `join` and `merge`
move events in time or between files: they keep what a score lists, and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Self, TypeVar, cast

import numpy as np

from groove_core.errors import UsageError
from groove_core.values.midi.files import MAX_TICK
from groove_core.values.midi.parts import finer
from groove_core.values.pitches import transpose_sharps
from groove_core.values.scores.cuts import cut, cut_bends, cut_controls, cut_notes, later, resets
from groove_core.values.scores.symbols import (
    cut_markers,
    followed,
    foreign,
    together,
    transposed,
)
from groove_core.values.scores.timeline import DEFAULT_TEMPO_US, Timeline
from groove_core.values.scores.tracks import Events, Track

__all__ = ["Editing"]

SLOWEST_US = 2**24 - 1
"""Microseconds per quarter note that MIDI can hold: 3.58 bpm."""
_TABLES = ("tempos", "time_signatures", "key_signatures")

S = TypeVar("S", bound="Editing")


class Editing(Timeline):
    """What one does to a score."""

    def transpose(self, semitones: int) -> Self:
        """Move every note but drums, the keys and the chord symbols by semitones.

        Raises
        ------
        UsageError
            If a note would leave MIDI's range of 0 to 127.

        Examples
        --------
        >>> from groove_core import Melody
        >>> up = Melody.from_text("K:G G4 A4").to_score().transpose(-2)
        >>> up.tracks[0].notes[:, 2].tolist(), up.key_signatures.tolist()
        ([65, 67], [[0, -1, 0]])
        """
        drums, move = self._drums(), np.array([0, 0, int(semitones), 0])
        tracks = [t if n in drums else _moved(t, move) for n, t in enumerate(self.tracks)]
        keys = self.key_signatures.copy()
        keys[:, 1] = transpose_sharps(keys[:, 1], int(semitones))

        def flats(tick: int) -> bool | None:
            told = keys[keys[:, 0] <= tick, 1][-1:]
            return bool(told[0] < 0) if told.any() else None

        markers = transposed(self.markers, int(semitones), flats)
        return self._changed(tracks=tuple(tracks), key_signatures=keys, markers=markers)

    def quantize(self, steps_per_quarter: int = 4, *, strength: float = 1.0) -> Self:
        """Move the beginnings and ends of notes to a grid.

        The grid begins with each metre. A note lasts a step at least; of notes of one pitch that
        come to begin together, the loudest stays. Lyrics move with their notes; controllers, pitch
        bends, markers and changes of tempo stay where they are.

        Parameters
        ----------
        steps_per_quarter : int, 1 to 96
            4 for sixteenths, 3 for eighth triplets, 12 for both.
        strength : float, 0 to 1
            How far notes move: 0 leaves them, 0.5 takes them half of the way, 1 to the grid.

        Examples
        --------
        >>> from groove_core import Score, Track
        >>> played = Score((Track([[5, 110, 60, 90], [131, 90, 62, 90]]),), ticks_per_quarter=480)
        >>> played.quantize(4).tracks[0].notes[:, :2].tolist()
        [[0, 120], [120, 120]]
        """
        if not 1 <= steps_per_quarter <= 96 or not 0 <= strength <= 1:
            raise UsageError(
                f"A grid of {steps_per_quarter} steps per quarter at strength {strength:g} "
                "is out of range.",
                hint="Use 1 to 96 steps per quarter, and a strength of 0 to 1.",
            )
        score = self.at_resolution(self.ticks_per_quarter, multiple_of=steps_per_quarter)
        step = score.ticks_per_quarter / steps_per_quarter
        begins = np.array([*(start for start, *_ in score.metre_spans()), np.inf])

        def to_grid(ticks: Events) -> Events:
            of = np.searchsorted(begins, ticks, side="right")
            steps = np.floor((ticks - begins[of - 1]) / step)
            before = begins[of - 1] + steps * step
            after = np.minimum(before + step, begins[of])  # the next metre has a grid of its own
            at = np.where(ticks - before < after - ticks, before, after)
            moved: Events = np.floor(ticks + strength * (at - ticks) + 0.5).astype(np.int64)
            return moved

        def quantized(track: Track) -> Track:
            notes = track.notes.copy()
            notes[:, 0] = to_grid(track.notes[:, 0])
            ends = to_grid(track.notes[:, 0] + track.notes[:, 1])
            if strength == 1:  # a step at least, which may be cut by the grid of a new metre
                ends = np.maximum(ends, to_grid(notes[:, 0] + int(step)))
            notes[:, 1] = np.maximum(ends - notes[:, 0], 0)
            loudest = np.lexsort((-notes[:, 1], -notes[:, 3], notes[:, 2], notes[:, 0]))
            _, first = np.unique(notes[loudest][:, [0, 2]], axis=0, return_index=True)
            return replace(track, notes=notes[np.sort(loudest[first])])

        lyrics = score.lyrics
        if lyrics:
            moved = to_grid(np.array([tick for tick, _ in lyrics])).tolist()
            lyrics = tuple(zip(moved, (text for _, text in lyrics), strict=True))
        return score._changed(tracks=tuple(map(quantized, score.tracks)), lyrics=lyrics)

    def stretch(self, factor: float) -> Self:
        """Return the same music played slower or faster, by its tempo.

        Parameters
        ----------
        factor : float > 0
            2 lasts twice as long, 0.5 half as long.

        Raises
        ------
        UsageError
            If a tempo would leave MIDI's range, 3.58 bpm and up.

        Examples
        --------
        >>> from groove_core import Melody
        >>> score = Melody.from_text("Q:120 C4 - - - D4 - - -").to_score()
        >>> score.duration_s, score.stretch(2).duration_s
        (1.0, 2.0)
        """
        tempos = self.tempos
        if not len(tempos) or tempos[0, 0] > 0:
            tempos = np.concatenate([[[0, DEFAULT_TEMPO_US]], tempos])
        us = np.round(tempos[:, 1] * float(factor))
        if not ((us >= 1) & (us <= SLOWEST_US)).all():
            raise UsageError(
                f"MIDI has no tempo for {self.name} stretched by {factor:g}.",
                hint="Use a factor above 0 that leaves every tempo above 3.58 bpm.",
            )
        return self._changed(tempos=np.stack([tempos[:, 0], us.astype(np.int64)], axis=1))

    def select_tracks(self, *tracks: str | int) -> Self:
        """Keep some tracks; tempo, metre, keys, markers and lyrics stay.

        Parameters
        ----------
        *tracks : str or int
            Names (all tracks that have one), or numbers, from 1, among the tracks with notes.

        Raises
        ------
        UsageError
            If there is no such track.
        """
        wanted = {id(track) for one in tracks for track in self.find_tracks(one)}
        return self._with_tracks([n for n, t in enumerate(self.tracks) if id(t) in wanted])

    def slice_ticks(self, start: int, end: int) -> Self:
        """Cut out what lies between two ticks.

        A note that crosses a cut is shortened; a drum that was struck before the cut is left out.
        What holds at the cut (tempo, metre, key, chord symbol, controllers such as the pedal, pitch
        bend) is stated at the beginning, where a bar begins. Markers of Groove's own, which tell a
        length, are left out.

        Raises
        ------
        UsageError
            If the end is not behind the start, or the start is behind the end of the score.
        """
        if not 0 <= start < end or start >= max(self.end_tick, 1):
            raise UsageError(
                f"There is nothing between ticks {start} and {end} of {self.name}.",
                hint=f"It has ticks 0 to {self.end_tick}.",
            )
        drums = self._drums()
        tables: dict[str, Any] = {name: cut(getattr(self, name), start, end) for name in _TABLES}
        lyrics = tuple((tick - start, text) for tick, text in self.lyrics if start <= tick < end)
        texts = {"markers": cut_markers(self.markers, start, end), "lyrics": lyrics}
        tracks = [
            replace(
                track,
                notes=cut_notes(track.notes, start, end, struck=number in drums),
                controls=cut_controls(track.controls, start, end),
                pitch_bends=cut_bends(track, start, end),
                part=None,
            )
            for number, track in enumerate(self.tracks)
        ]
        return self._with_tracks(
            range(len(tracks)), tracks=tracks, source=None, end_tick=end - start, **tables, **texts
        )

    def slice_bars(self, start: int, bars: int = 1) -> Self:
        """Cut out whole bars, counted from 0; see `slice_ticks`.

        A time signature begins a new bar. A last bar that the score cuts short becomes a whole one.

        Raises
        ------
        UsageError
            If the score has no such bars.

        Examples
        --------
        >>> from groove_core import Melody
        >>> score = Melody.from_text("M:2/4 L:1/4 C4 D4 | E4 - | - F4 |").to_score()
        >>> score.slice_bars(2).tracks[0].notes[:, :3].tolist()
        [[0, 480, 64], [480, 480, 65]]
        """
        if start < 0 or bars < 1 or start + bars > self.bars:
            raise UsageError(
                f"Bars {start} to {start + bars} are not in {self.name}, which has {self.bars}.",
                hint="Count bars from 0.",
            )
        first, end = self.bar_ticks([start, start + bars]).tolist()
        return self.slice_ticks(first, end)

    def slice_seconds(self, start_s: float, end_s: float | None = None) -> Self:
        """Cut out what lies between two times, at most up to the end; see `slice_ticks`.

        Parameters
        ----------
        start_s : float >= 0 [seconds]
        end_s : float, optional [seconds]
            None: the end of the score.
        """
        until = self.duration_s if end_s is None else min(float(end_s), self.duration_s)
        if not 0 <= start_s < until:
            raise UsageError(
                f"There is nothing between {start_s:g} and {until:g} s of {self.name}.",
                hint=f"It lasts {self.duration_s:.2f} s.",
            )
        first, end = self.tick_at([start_s, until]).tolist()
        return self.slice_ticks(first, max(end, first + 1))

    @classmethod
    def join(cls, scores: Sequence[Self]) -> Self:
        """Concatenate scores: each begins where the one before ends.

        Tracks of one name and program are one track; its controllers and bends are reset where a
        score begins. Each score keeps its tempo, metre and key. Times are brought to one number of
        ticks per quarter note.

        Raises
        ------
        UsageError
            If there is no score, or the whole is longer than MIDI can count.

        Examples
        --------
        >>> from groove_core import Melody, Score
        >>> bar = Melody.from_text("M:2/4 L:1/4 C4 D4").to_score()
        >>> twice = Score.join([bar, bar.transpose(12)])
        >>> twice.tracks[0].notes[:, [0, 2]].tolist()
        [[0, 60], [480, 62], [960, 72], [1440, 74]]
        """
        scores = _on_one_grid(scores)
        joined, *others = scores
        joined = joined._changed(markers=foreign(joined.markers), **_detached(joined))
        for other in others:
            joined = joined._followed_by(other)
        return joined

    @classmethod
    def merge(cls, scores: Sequence[Self]) -> Self:
        """Play scores at the same time: the tracks of all, beat by beat.

        Tempo, metre, key and name are those of the first score; markers and lyrics are those of
        all. Times are brought to one number of ticks per quarter note.

        Raises
        ------
        UsageError
            If there is no score.
        """
        scores = _on_one_grid(scores)
        first, *_ = scores
        texts: dict[str, Any] = {
            "markers": together(*(score.markers for score in scores)),
            "lyrics": tuple(one for score in scores for one in score.lyrics),
        }
        tracks = tuple(track for score in scores for track in _detached(score)["tracks"])
        end = max(score.end_tick for score in scores)
        return first._changed(tracks=tracks, source=None, end_tick=end, **texts)

    def at_resolution(self, ticks_per_quarter: int, *, multiple_of: int = 1) -> Self:
        """Return the same score on finer ticks, or itself where they are fine enough.

        Each tick becomes a whole number of ticks, so that nothing moves.

        Parameters
        ----------
        ticks_per_quarter : int
            The least ticks that a quarter note is to have.
        multiple_of : int
            What its ticks are to be divisible by.
        """
        factor = -(-ticks_per_quarter // self.ticks_per_quarter)
        share = multiple_of // math.gcd(multiple_of, self.ticks_per_quarter)
        factor = -(-factor // share) * share
        if factor == 1:
            return self
        if self.ticks_per_quarter * factor >= 2**15 or self.end_tick * factor > MAX_TICK:
            return self  # more ticks than MIDI can count
        source, parts = self.source, {}
        if source is not None:
            before, source = source.parts, source.finer(factor)
            parts = dict(zip(map(id, before), source.parts, strict=True))
        lists = ("tempos", "time_signatures", "key_signatures", "markers", "lyrics")
        return self._changed(
            tracks=tuple(
                replace(
                    track,
                    part=parts.get(id(track.part)),
                    notes=finer(track.notes, factor, 2),
                    controls=finer(track.controls, factor),
                    pitch_bends=finer(track.pitch_bends, factor),
                )
                for track in self.tracks
            ),
            ticks_per_quarter=self.ticks_per_quarter * factor,
            end_tick=self.end_tick * factor,
            source=source,
            **{name: finer(getattr(self, name), factor) for name in lists},
        )

    # how -------------------------------------------------------------------------

    def _changed(self, **changes: Any) -> Self:
        return cast("Self", replace(cast("Any", self), **changes))

    def _drums(self) -> set[int]:
        """Return the places of the tracks that play drums."""
        told = self.find_tracks(self.drum_track) if self.drum_track else []
        named = {id(track) for track in told}
        return {n for n, track in enumerate(self.tracks) if track.is_drum or id(track) in named}

    def _with_tracks(
        self, places: Iterable[int], *, tracks: Sequence[Track] = (), **changes: Any
    ) -> Self:
        """Keep the tracks at some places, and the drum track that the score is told of."""
        tracks, told = tracks or self.tracks, self.drum_track
        kept = [(n, tracks[n]) for n in places]
        if told:
            found = {id(track) for track in self.find_tracks(told)}
            drums = {n for n, track in enumerate(self.tracks) if id(track) in found}
            sounding = [n for n, track in kept if len(track.notes)]
            numbers = [number for number, n in enumerate(sounding, 1) if n in drums]
            named = any(track.name.casefold() == told.casefold() for track in self.tracks)
            changes["drum_track"] = (told if named else str(numbers[0])) if numbers else ""
        return self._changed(tracks=tuple(track for _, track in kept), **changes)

    def _followed_by(self, other: Self) -> Self:
        """Put a score on the same ticks behind this one."""
        at = self.end_tick
        if at + other.end_tick > MAX_TICK:
            raise UsageError(
                "The scores together are longer than MIDI can count.", hint="Join fewer of them."
            )
        tables = {}
        for name, default in zip(_TABLES, ((DEFAULT_TEMPO_US,), (4, 4), (0, 0)), strict=True):
            mine, theirs = getattr(self, name), getattr(other, name)
            states = len(theirs) and theirs[0, 0] == 0
            holds = tuple(mine[-1, 1:].tolist()) if len(mine) else default
            # A bar line stands where the other score begins.
            bar = name == "time_signatures" and self.bar_ticks(self.bars) != at
            seam = [] if states or (holds == default and not bar) else [(0, *default)]
            rows = np.array([*seam, *theirs.tolist()], np.int64).reshape(-1, mine.shape[1])
            tables[name] = np.concatenate([mine, later(rows, at)])
        texts = {
            "markers": followed(self.markers, other.markers, at, int(other.bar_ticks(1))),
            "lyrics": (*self.lyrics, *((at + t, text) for t, text in other.lyrics)),
        }
        tracks = list(self.tracks)
        free = list(range(len(tracks)))
        for track in other.tracks:
            same = (n for n in free if _voice(tracks[n]) == _voice(track))
            place = next(same, None)
            moved: dict[str, Any] = {
                name: later(getattr(track, name), at)
                for name in ("notes", "controls", "pitch_bends")
            }
            if place is None:
                tracks.append(replace(track, part=None, **moved))
                continue
            free.remove(place)
            before = tracks[place]
            moved["controls"] = np.concatenate([later(resets(before.controls), at),
                                                moved["controls"]])  # fmt: skip
            if len(before.pitch_bends) and before.pitch_bends[-1, 1]:
                moved["pitch_bends"] = np.concatenate([[[at, 0]], moved["pitch_bends"]])
            both: dict[str, Any] = {
                n: np.concatenate([getattr(before, n), rows]) for n, rows in moved.items()
            }
            tracks[place] = replace(before, **both)
        return self._with_tracks(
            range(len(tracks)), tracks=tracks, end_tick=at + other.end_tick, **tables, **texts
        )


def _moved(track: Track, move: Events) -> Track:
    """Transpose a track, within MIDI's range."""
    notes = track.notes + move
    pitches = notes[:, 2]
    if len(notes) and not 0 <= pitches.min() <= pitches.max() <= 127:
        wrong = pitches.min() if pitches.min() < 0 else pitches.max()
        raise UsageError(
            f"The track {track.name or '(no name)'} would reach MIDI pitch {wrong}; "
            "there are 0 to 127.",
            hint="Transpose by fewer semitones.",
        )
    return replace(track, notes=notes)


def _detached(score: Timeline) -> dict[str, Any]:
    """Return tracks that are written anew, not as the events of the file they came from."""
    return {"tracks": tuple(replace(t, part=None) for t in score.tracks), "source": None}


def _voice(track: Track) -> tuple[Any, ...]:
    return track.name, track.program, track.is_drum


def _on_one_grid(scores: Sequence[S]) -> list[S]:
    """Bring scores to one number of ticks per quarter note."""
    if not scores:
        raise UsageError("There are no scores.", hint="Give at least one.")
    quarter = math.lcm(*(score.ticks_per_quarter for score in scores))
    if quarter < 2**15:
        scores = [score.at_resolution(quarter, multiple_of=quarter) for score in scores]
    if len({score.ticks_per_quarter for score in scores}) > 1:
        raise UsageError(
            "The scores have no number of ticks per quarter note in common that MIDI can hold.",
            hint="Export them at one resolution, such as 480.",
        )
    return list(scores)
