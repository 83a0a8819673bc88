"""The data of a melody: one line of notes on a grid, and what moves or cuts it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from groove_core.errors import UsageError
from groove_core.values.pitches import key_name, key_sharps, transpose_sharps

__all__ = ["DEFAULT_VELOCITY", "HOLD", "OFF", "Line"]

HOLD, OFF = -2, -1
"""Events of a step that begins no note: nothing changes, or the note ends."""
DEFAULT_VELOCITY = 100
MAX_STEPS = 2**18
TEMPOS_BPM = (3.58, 60_000)
"""What MIDI can hold."""

Rows = npt.NDArray[np.int64]
Cue = tuple[int, str]


@dataclass(frozen=True, eq=False, repr=False)
class Line:
    """Single notes on a grid, in one metre, key and tempo; `Melody` is the value."""

    notes: Rows
    steps_per_quarter: int = 4
    metre: tuple[int, int] = (4, 4)
    length: int = 0
    pickup: int = 0
    tempo_bpm: float = 120.0
    key: str = ""
    name: str = "this melody"
    left_out: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        notes = _rows(self.notes)
        end = int((notes[-1:, 0] + notes[-1:, 1]).sum())
        values: dict[str, Any] = {"notes": notes, "length": max(int(self.length), end)}
        top, bottom = (int(number) for number in self.metre)
        steps = self.steps_per_quarter
        if not isinstance(steps, int) or not 1 <= steps <= 96:
            raise UsageError(
                f"steps_per_quarter must be 1 to 96, not {steps!r}.", hint="steps_per_quarter=4"
            )
        if not 1 <= top <= 64 or bottom not in (1, 2, 4, 8, 16, 32, 64):
            raise UsageError(f"There is no metre {top}/{bottom}.", hint="metre=(6, 8)")
        if 4 * steps * top % bottom:
            raise UsageError(
                f"A bar of {top}/{bottom} has no whole number of steps at {steps} per quarter.",
                hint=f"steps_per_quarter={bottom // 4 * steps}",
            )
        if values["length"] > MAX_STEPS:
            raise UsageError(
                f"A melody has at most {MAX_STEPS:,} steps, not {values['length']:,}.",
                hint="Cut it into pieces.",
            )
        size = 4 * steps * top // bottom
        if not 0 <= self.pickup < size:
            raise UsageError(
                f"pickup must be 0 to {size - 1} steps, not {self.pickup}.", hint="pickup=0"
            )
        low, high = TEMPOS_BPM
        if not low <= self.tempo_bpm <= high:
            raise UsageError(
                f"tempo_bpm must be {low} to {high}, not {self.tempo_bpm!r}.", hint="tempo_bpm=120"
            )
        # One form for one melody, so that what was saved and loaded is equal to what there was.
        values["metre"] = (top, bottom)
        # Where nothing follows the first bar line, there is no bar line.
        values["pickup"] = int(self.pickup) if self.pickup < values["length"] else 0
        values["tempo_bpm"] = round(6e7 / round(6e7 / self.tempo_bpm), 2)
        values["key"] = key_name(*key_sharps(self.key)) if self.key else ""
        for name, value in values.items():
            object.__setattr__(self, name, value)

    # the grid --------------------------------------------------------------------

    @property
    def steps_per_bar(self) -> int:
        """Steps in a bar of the metre."""
        return 4 * self.steps_per_quarter * self.metre[0] // self.metre[1]

    @property
    def bars(self) -> int:
        """Number of bars behind the pickup; the last one may be cut short."""
        return -(-(self.length - self.pickup) // self.steps_per_bar)

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.length / self.steps_per_quarter * 60 / self.tempo_bpm

    @property
    def events(self) -> npt.NDArray[np.int64]:
        """What happens at each step, in note-seq's alphabet [shape=(length,)].

        A pitch begins a note, `HOLD` (-2) changes nothing, `OFF` (-1) ends the note.
        """
        events = np.full(self.length, HOLD)
        ends = self.notes[:, 0] + self.notes[:, 1]
        events[ends[ends < self.length]] = OFF
        events[self.notes[:, 0]] = self.notes[:, 2]
        return events

    @classmethod
    def from_events(cls, events: npt.ArrayLike, **settings: Any) -> Self:
        """Make a melody from the events of its steps; see `events`.

        Examples
        --------
        >>> Line.from_events([60, HOLD, OFF, 62]).notes[:, :3].tolist()
        [[0, 2, 60], [3, 1, 62]]
        """
        given = np.asarray(events, np.int64).ravel()
        changes = np.flatnonzero(given != HOLD)
        ends = np.append(changes[1:], len(given))
        pitches = given[changes]
        rows = np.stack(
            [changes, ends - changes, pitches, np.full(len(changes), DEFAULT_VELOCITY)], axis=1
        )
        return cls(rows[pitches != OFF], length=len(given), **settings)

    def transpose(self, semitones: int) -> Self:
        """Move every note, and the key, by semitones.

        Raises
        ------
        UsageError
            If a note would leave MIDI's range of 0 to 127.
        """
        notes = self.notes + np.array([0, 0, semitones, 0])
        key = self.key
        if key:
            sharps, minor = key_sharps(key)
            key = key_name(transpose_sharps(sharps, semitones), minor)
        return replace(self, notes=notes, key=key)

    def slice_bars(self, start: int, bars: int = 1, *, pickup: int = 0) -> Self:
        """Cut whole bars out, counted from 0 behind the pickup.

        A note that begins before is left out; one that sounds on is cut at the end.

        Parameters
        ----------
        start, bars : int
        pickup : int
            Steps before the first bar line that belong to the phrase.

        Raises
        ------
        UsageError
            If the melody has no such bars, or not so many steps before them.
        """
        if start < 0 or bars < 1 or start + bars > self.bars:
            raise UsageError(
                f"Bars {start} to {start + bars} are not in a melody of {self.bars}.",
                hint="Count bars from 0.",
            )
        first = self.pickup + start * self.steps_per_bar
        if not 0 <= pickup <= min(first, self.steps_per_bar - 1):
            raise UsageError(
                f"There is no pickup of {pickup} steps before bar {start}.",
                hint=f"Use 0 to {min(first, self.steps_per_bar - 1)}.",
            )
        end = min(first + bars * self.steps_per_bar, self.length)
        return replace(self._window(first - pickup, end), pickup=pickup)

    def _window(self, first: int, end: int) -> Self:
        mine = (self.notes[:, 0] >= first) & (self.notes[:, 0] < end)
        notes = self.notes[mine] - np.array([first, 0, 0, 0])
        notes[:, 1] = np.minimum(notes[:, 1], end - first - notes[:, 0])
        return replace(self, notes=notes, length=end - first, pickup=0)

    @classmethod
    def join(cls, melodies: Sequence[Self]) -> Self:
        """Put melodies one behind the other, in the metre, key and tempo of the first.

        A pickup stands before a bar line, in the silence at the end of the melody before if there
        is enough of it. A chord ends where a melody begins whose first bar has none; of chords in
        the silence where a pickup has its own, those of the pickup count.

        Raises
        ------
        UsageError
            If there is none, or their grids or metres differ.
        """
        if not melodies:
            raise UsageError("There is nothing to join.", hint="Give at least one melody.")
        first = melodies[0]
        if len({(m.steps_per_quarter, m.metre) for m in melodies}) > 1:
            raise UsageError(
                "Melodies of several metres or grids cannot be joined.",
                hint="Bring them to one steps_per_quarter and one metre.",
            )
        notes: list[Rows] = []
        chords: list[tuple[int, Any]] = []
        lyrics: list[Cue] = []
        sounds = end = 0
        for one in melodies:
            at = end
            if one.pickup and notes:
                at = max(sounds, end - one.pickup)
                at += (first.pickup - one.pickup - at) % first.steps_per_bar
            notes.append(one.notes + np.array([at, 0, 0, 0]))
            sounds = max(sounds, int(notes[-1][-1:, :2].sum()))
            its = [(at + step, chord) for step, chord in getattr(one, "chords", ())]
            bar = at + one.pickup
            told = not one.length or any(step <= bar for step, _ in its)
            if chords and not told and hasattr(first, "chords"):
                chords.append((bar, "N.C."))
            # A pickup may stand in the silence of the melody before, whose chords end there.
            chords = [cue for cue in chords if not its or cue[0] < its[0][0]] + its
            lyrics += [(at + step, text) for step, text in getattr(one, "lyrics", ())]
            end = max(end, at + one.length)
        joined = replace(first, notes=np.concatenate(notes), length=end)
        return joined.with_words(chords, lyrics)

    def with_words(self, chords: Iterable[Any], lyrics: Iterable[Cue]) -> Self:
        """Return this melody with chords and words, where it can hold them; else count them."""
        lost = {"chord symbols": len(list(chords)), "syllables": len(list(lyrics))}
        lost = {reason: count for reason, count in lost.items() if count}
        return replace(self, left_out={**self.left_out, **lost}) if lost else self


def _rows(rows: Any) -> Rows:
    """Make a checked, read-only array of notes, in the order of time."""
    try:
        given = np.asarray(rows)
        with np.errstate(invalid="ignore"):  # of NaN: unequal to what it becomes
            notes = np.array(given, dtype=np.int64).reshape(-1, 4)
        whole = given.dtype.kind in "iu" or bool((notes.ravel() == given.ravel()).all())
    except (TypeError, ValueError, OverflowError):
        whole, notes = False, np.zeros((0, 4), np.int64)
    if not whole:
        raise UsageError(
            "notes must be rows of four whole numbers: start, length, pitch, velocity.",
            hint="Round the notes, and check their shape.",
        )
    notes = notes[np.argsort(notes[:, 0], kind="stable")]
    low, high = np.array([[0, 1, 0, 1], [MAX_STEPS, MAX_STEPS, 127, 127]])
    if (wrong := ((notes < low) | (notes > high)).any(axis=1)).any():
        raise UsageError(
            f"The note {notes[wrong][0].tolist()} is out of range.",
            hint="Steps are 0 or more, lengths 1 or more, pitches 0 to 127, velocities 1 to 127.",
        )
    overlap = np.flatnonzero(notes[:-1, 0] + notes[:-1, 1] > notes[1:, 0])
    if len(overlap):
        raise UsageError(
            f"A melody has one note at a time; that at step {notes[overlap[0], 0]} sounds into "
            f"the one at {notes[overlap[0] + 1, 0]}.",
            hint="Melody.from_score chooses a line.",
        )
    notes.flags.writeable = False
    return notes
