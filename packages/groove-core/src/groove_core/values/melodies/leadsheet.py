"""Lead sheets: a melody with chords and words.

A lead sheet is a melody, by inheritance: whatever takes a melody takes a lead sheet, and what
moves the notes (transposing, cutting, joining) moves chords and words with them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from groove_core.errors import UsageError
from groove_core.values.chords import Chord
from groove_core.values.melodies.line import Cue, Line
from groove_core.values.melodies.melody import Melody
from groove_core.values.pitches import key_sharps
from groove_core.values.scores.score import Score, Track

__all__ = ["LeadSheet"]

VOICING = 48
"""Lowest pitch of the notes that chords are played with."""


@dataclass(frozen=True, eq=False, repr=False)
class LeadSheet(Melody):
    """A melody with chords above it and words below.

    Parameters
    ----------
    chords : sequence of (int, Chord or str)
        The step at which each chord begins; it holds until the next one.
    lyrics : sequence of (int, str)
        A syllable for the note that begins at a step. One that ends in ``-`` is continued by
        the next one.

    Examples
    --------
    >>> bars = ['M:2/4 L:1/8 "Am7" A4 - C5 B4 | "D/F#" A4 - - - |', "w: Hel- lo you"]
    >>> song = LeadSheet.from_text(chr(10).join(bars))
    >>> song
    LeadSheet(2 bars of 2/4, 4 notes, 2 chords, 120 bpm)
    >>> song.chord_at([0, 3, 4])[1].pitch_classes
    (9, 0, 4, 7)
    """

    kind: ClassVar[str] = "lead-sheet"

    chords: tuple[tuple[int, Chord], ...] = ()
    lyrics: tuple[Cue, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        chords: dict[int, Chord] = {}
        for at, chord in sorted(self.chords, key=lambda cue: cue[0]):
            read = chord if isinstance(chord, Chord) else Chord.parse(chord)
            if not chords or read != chords[max(chords)]:  # a chord is not told again
                chords[int(at)] = read
        lyrics = {int(at): _printable(text) for at, text in self.lyrics}
        lyrics = {at: text for at, text in sorted(lyrics.items()) if text}
        if chords and not 0 <= min(chords) <= max(chords) < self.length:
            raise UsageError(
                "A chord lies outside of the melody.", hint=f"Steps 0 to {self.length - 1}."
            )
        if alone := sorted(set(lyrics) - set(self.notes[:, 0].tolist())):
            raise UsageError(
                f"No note begins at step {alone[0]}, where a syllable is.",
                hint="Give a syllable the step of its note.",
            )
        object.__setattr__(self, "chords", tuple(chords.items()))
        object.__setattr__(self, "lyrics", tuple(lyrics.items()))

    def chord_at(self, steps: npt.ArrayLike) -> list[Chord]:
        """Return the chord that holds at each step; no chord before the first one."""
        starts = [at for at, _ in self.chords]
        which = np.searchsorted(starts, np.asarray(steps), side="right")
        held = [Chord(""), *(chord for _, chord in self.chords)]
        return [held[number] for number in which.tolist()]

    def transpose(self, semitones: int) -> Self:
        moved = super().transpose(semitones)
        sharps = key_sharps(moved.key)[0] if moved.key else 0
        flats = sharps < 0 if sharps else None
        chords = tuple((at, chord.transpose(semitones, flats=flats)) for at, chord in self.chords)
        return replace(moved, chords=chords)

    def _window(self, first: int, end: int) -> Self:
        # The notes of the window first: words belong to notes.
        plain = replace(self, chords=(), lyrics=())
        cut = super(LeadSheet, plain)._window(first, end)
        (held,) = self.chord_at([first])
        chords = [(at - first, chord) for at, chord in self.chords if first < at < end]
        begins = [(0, held)] if held.root or any(at <= first for at, _ in self.chords) else []
        lyrics = [(at - first, text) for at, text in self.lyrics if first <= at < end]
        return replace(cut, chords=(*begins, *chords), lyrics=tuple(lyrics))

    def with_words(self, chords: Iterable[Any], lyrics: Iterable[Cue]) -> Self:
        return replace(self, chords=tuple(chords), lyrics=tuple(lyrics))

    def to_score(self) -> Score:
        """Return the lead sheet as a score: the melody, and chords that can be heard.

        The names of the chords are markers, and the words are lyrics, which other programs show.
        """
        tick, start, frame = self._tick, self._start, self._frame()
        at = [step for step, _ in self.chords]
        ends = [*at[1:], self.length][: len(at)]
        notes = [
            (start + step * tick, (end - step) * tick, pitch, 60)
            for (step, chord), end in zip(self.chords, ends, strict=True)
            for pitch in _voiced(chord)
        ]
        names = tuple((start + step * tick, str(chord)) for step, chord in self.chords)
        frame["markers"] += names
        frame["lyrics"] = tuple((start + step * tick, text) for step, text in self.lyrics)
        accompaniment = (Track(np.array(notes), name="chords"),) if notes else ()
        return Score((self._track(), *accompaniment), **frame)

    @classmethod
    def of_melody(cls, melody: Melody) -> Self:
        """Return a melody as a lead sheet without chords."""
        return cls(**{one.name: getattr(melody, one.name) for one in fields(Line)})

    def to_melody(self) -> Melody:
        """Return the lead sheet itself, which is a melody."""
        return self

    def to_json(self) -> dict[str, Any]:
        return {
            **super().to_json(),
            "chords": [[at, str(chord)] for at, chord in self.chords],
            "lyrics": [list(cue) for cue in self.lyrics],
        }

    def __repr__(self) -> str:
        plain = super().__repr__()
        chords = f"{len(self.chords)} chord{'s' * (len(self.chords) != 1)}"
        return plain.replace(" notes", f" notes, {chords}")


def _printable(text: Any) -> str:
    """Return a syllable without what neither MIDI nor a page can hold."""
    words = "".join(c if c.isprintable() else " " for c in str(text)).split()
    return " ".join(words)


def _voiced(chord: Chord) -> list[int]:
    """List the pitches that a chord is played with: its bass, and its notes above it."""
    if not chord.root:
        return []
    bass = VOICING - 12 + chord.bass_pitch_class
    return [bass, *sorted({VOICING + 4 + (c - 4) % 12 for c in chord.pitch_classes})]
