"""Where an excerpt stands in a song: what a network writes is put back, with all else as it was.

Of the melody's track, the notes of the line are replaced, and what is below them stays. Of the
bass's track, all notes are. Of the tracks with drums, the hits of the nine drums of a kit are, and
percussion stays. What was there before the excerpt ends where the first new note begins. New notes
are as loud as those of the track are in the middle.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from groove_core.drums import DEFAULT_VELOCITY, DRUMS, FOLD, KIT_DRUMS, STEPS_PER_BAR
from groove_core.tunes import accented
from groove_core.values import LeadSheet, Score, skyline
from music_vae.alphabets import drum_hits, melody_events, without_lone_offs

__all__ = ["Frame", "drum_accents"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
HATS = (2, 8)
"""Closed hi-hat and ride."""
OFFBEAT, SIXTEENTH = -12, -30
"""How much softer they are on the second eighth of a beat, and on other sixteenths."""


@dataclass(frozen=True, eq=False)
class Frame:
    """Where an excerpt stands in a song.

    Parameters
    ----------
    song : Score
    start : int
        Tick of its first step; below 0 where a pickup was filled up to a bar.
    tracks : sequence of (int, ...)
        Indices of the tracks of each voice; the first of them is written to.
    voices : sequence of str
    """

    song: Score
    start: int
    tracks: tuple[tuple[int, ...], ...]
    voices: tuple[str, ...]

    @property
    def tick(self) -> float:
        """Ticks of a step."""
        return self.song.ticks_per_quarter / 4

    def later(self, steps: int) -> Frame:
        """Return where that begins which stands some steps behind."""
        return replace(self, start=self.start + math.floor(steps * self.tick + 0.5))

    def put(self, events: Ints, *, flat: bool = True) -> Score:
        """Return the song with other events in this place.

        Parameters
        ----------
        events : int array [shape=(voices, steps)]
        flat : bool
            Whether notes are as typed. Else they have accents: of lines those of
            `groove_core.tunes.performing`, of drums those of `drum_accents`.
        """
        early = max(math.ceil(-self.start / self.tick), 0)
        first, tracks = self.later(early).start, [*self.song.tracks]
        for voice, numbers, row in zip(self.voices, self.tracks, events[:, early:], strict=True):
            notes = [tracks[n].notes for n in numbers]
            if voice == "drums":
                fresh = self._drums(notes, row, first, flat=flat)
            else:
                top_only = voice == "melody"
                fresh = [self._line(notes[0], row, first, top_only=top_only, flat=flat)]
            for number, rows in zip(numbers, fresh, strict=True):
                order = np.argsort(rows[:, 0], kind="stable")
                tracks[number] = replace(tracks[number], notes=rows[order])
        return replace(self.song, tracks=tuple(tracks))

    def _inside(self, notes: Ints, first: int, steps: int) -> Bools:
        """Return which notes begin in so many steps from a tick on."""
        at = np.floor((notes[:, 0] - first) / self.tick + 0.5)
        return np.asarray((at >= 0) & (at < steps))

    def _line(self, notes: Ints, row: Ints, first: int, *, top_only: bool, flat: bool) -> Ints:
        """Return the notes of a track with another line."""
        mine = np.ones(len(notes), bool)
        if top_only:
            numbered = np.column_stack([notes[:, :3], np.arange(len(notes))])
            mine[:] = False
            mine[skyline(numbered, self.song.ticks_per_quarter)[0][:, 3]] = True
        made = LeadSheet.from_events(melody_events(without_lone_offs(row)))
        velocity = np.full(len(made.notes), _middle(notes[mine, 3]))
        made = replace(made, notes=np.column_stack([made.notes[:, :3], velocity]))
        edges = np.stack([made.notes[:, 0], made.notes[:, :2].sum(axis=1)])
        begins, ends = first + np.floor(edges * self.tick + 0.5).astype(np.int64)
        new = np.column_stack([begins, ends - begins, made.notes[:, 2:]])
        if not flat:
            new = accented(made, new)
        gone = mine & self._inside(notes, first, len(row))
        kept, of_line = notes[~gone].copy(), mine[~gone]
        if len(new):
            into = of_line & (kept[:, 0] < new[0, 0]) & (kept[:, :2].sum(axis=1) > new[0, 0])
            into &= kept[:, 0] < first + self.tick * len(row)
            kept[into, 1] = new[0, 0] - kept[into, 0]
            # What follows may have been played a little early.
            following = np.append(np.sort(kept[of_line, 0]), np.iinfo(np.int64).max)
            room = following[np.searchsorted(following[:-1], new[:, 0], side="right")] - new[:, 0]
            new[:, 1] = np.minimum(new[:, 1], room)
        return np.concatenate([kept, new])

    def _drums(
        self, notes: Sequence[Ints], row: Ints, first: int, *, flat: bool
    ) -> list[Ints]:  # fmt: skip
        """Return the notes of the tracks with drums with other hits in the first of them."""
        drum = [np.array([FOLD.get(pitch, -1) for pitch in one[:, 2].tolist()]) for one in notes]
        kit = [(one >= 0) & (one < len(KIT_DRUMS)) for one in drum]
        loud, kinds = np.concatenate([one[:, 3] for one in notes]), np.concatenate(drum)
        hits = drum_hits(row)[:, : len(KIT_DRUMS)]
        step, which = np.nonzero(hits)
        middle = np.array([_middle(loud[kinds == number]) for number in range(len(KIT_DRUMS))])
        velocity = middle[which]
        if not flat:
            velocity = (velocity + drum_accents(len(hits))[step, which]).clip(1, 127)
        ticks = first + np.floor(step * self.tick + 0.5).astype(np.int64)
        pitches = np.array([one.note for one in DRUMS])[which]
        lengths = np.full(len(ticks), max(int(self.tick / 2), 1))
        kept = [
            one[~(mine & self._inside(one, first, len(hits)))]
            for one, mine in zip(notes, kit, strict=True)
        ]
        new = np.stack([ticks, lengths, pitches, velocity], axis=1).astype(np.int64)
        return [np.concatenate([kept[0], new]), *kept[1:]]

    def to_json(self) -> dict[str, Any]:
        """Return the place as a document."""
        tracks = [*map(list, self.tracks)]
        return {"song": self.song.to_json(), "start": self.start, "tracks": tracks,
                "voices": [*self.voices]}  # fmt: skip

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Frame:
        """Make the place from what `to_json` returned."""
        tracks = tuple(tuple(one) for one in document["tracks"])
        song = Score.from_json(document["song"])
        return cls(song, document["start"], tracks, tuple(document["voices"]))


def _middle(velocities: Ints) -> int:
    return int(np.median(velocities)) if len(velocities) else DEFAULT_VELOCITY


def drum_accents(steps: int) -> Ints:
    """Return how much louder hits are by the metre: only hi-hat and ride breathe.

    Returns
    -------
    int array [shape=(steps, 9)]
    """
    found = np.zeros((steps, len(KIT_DRUMS)), np.int64)
    place = np.arange(steps) % (STEPS_PER_BAR // 4)
    softer = np.where(place == 0, 0, np.where(place == 2, OFFBEAT, SIXTEENTH))
    found[:, HATS] = softer[:, None]
    return found
