"""Melodies: one line of notes on a grid of steps."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

from groove_core.console import note
from groove_core.errors import UsageError
from groove_core.storage.files import check_file, list_files, write_bytes
from groove_core.values.base import Value
from groove_core.values.musicxml import SUFFIXES, write_musicxml
from groove_core.values.phrases import DEFAULT_VELOCITY, format_phrase, parse_phrase
from groove_core.values.pitches import key_name, key_sharps, transpose_sharps
from groove_core.values.score import Score, Track

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["HOLD", "MARKER", "OFF", "Melody"]

HOLD, OFF = -2, -1
"""Events of a step that begins no note: nothing changes, or the note ends."""
MARKER = "groove:melody="
"""MIDI marker at the first step of a melody that Groove wrote: the grid, pickup and length."""
MAX_STEPS = 2**18
TEMPOS_BPM = (3.58, 60_000)
"""What MIDI can hold."""

Rows = npt.NDArray[np.int64]
Cue = tuple[int, str]


@dataclass(frozen=True, eq=False, repr=False)
class Melody(Value):
    """A line of single notes on a grid, in one metre, key and tempo.

    Parameters
    ----------
    notes : int array [shape=(n, 4)]
        Start and length in steps, MIDI pitch, and velocity (1 to 127) of each note. A note ends
        where the next one begins, or earlier.
    steps_per_quarter : int, 1 to 96
        Resolution of the grid: 4 for sixteenths, 3 for eighth triplets, 12 for both.
    metre : (int, int)
        Numerator and denominator, such as (6, 8). A bar is a whole number of steps.
    length : int
        Steps, silence at the end included; at least up to the end of the last note.
    pickup : int
        Steps before the first bar line (an anacrusis), less than a bar.
    tempo_bpm : float, 3.58 to 60,000 [quarter notes per minute]
        Kept to a hundredth, or to what MIDI can hold: whole microseconds per quarter note.
    key : str
        Such as ``C``, ``Bb`` or ``F#m``; empty where it is not known.
    name : str
        Where it came from, for messages; not saved and not compared.
    left_out : mapping of str to int
        What `from_score` could not take over, by reason; not saved and not compared.

    Raises
    ------
    UsageError
        If notes overlap, or a value is out of range.

    Examples
    --------
    >>> tune = Melody.from_text("M:3/4 L:1/8 K:G D4 | G4 - B4 - D5 - | B4 - - - . . |")
    >>> tune
    Melody(2 bars of 3/4 and a pickup, 5 notes, G, 120 bpm)
    >>> tune.notes[:, :3].tolist()
    [[0, 1, 62], [1, 2, 67], [3, 2, 71], [5, 2, 74], [7, 4, 71]]
    >>> tune.transpose(-2).key
    'F'
    """

    kind: ClassVar[str] = "melody"
    suffixes: ClassVar[tuple[str, ...]] = ("mid", "midi", "txt", "json", *SUFFIXES)
    default_formats: ClassVar[tuple[str, ...]] = ("mid", "wav")

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
        >>> Melody.from_events([60, HOLD, OFF, 62]).notes[:, :3].tolist()
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

    def slice_bars(self, start: int, bars: int = 1) -> Self:
        """Cut whole bars out, counted from 0 behind the pickup.

        A note that begins before is left out; one that sounds on is cut at the end.
        """
        if start < 0 or bars < 1 or start + bars > self.bars:
            raise UsageError(
                f"Bars {start} to {start + bars} are not in a melody of {self.bars}.",
                hint="Count bars from 0.",
            )
        first = self.pickup + start * self.steps_per_bar
        return self._window(first, min(first + bars * self.steps_per_bar, self.length))

    def _window(self, first: int, end: int) -> Self:
        mine = (self.notes[:, 0] >= first) & (self.notes[:, 0] < end)
        notes = self.notes[mine] - np.array([first, 0, 0, 0])
        notes[:, 1] = np.minimum(notes[:, 1], end - first - notes[:, 0])
        return replace(self, notes=notes, length=end - first, pickup=0)

    @classmethod
    def join(cls, melodies: Sequence[Self]) -> Self:
        """Put melodies one behind the other, in the metre, key and tempo of the first.

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
        starts = np.cumsum([0, *(m.length for m in melodies)]).tolist()
        moved = [m.notes + np.array([at, 0, 0, 0]) for m, at in zip(melodies, starts, strict=False)]
        joined = replace(first, notes=np.concatenate(moved), length=starts[-1])
        chords, lyrics = (
            [(at + cue[0], cue[1]) for m, at in zip(melodies, starts, strict=False)
             for cue in getattr(m, name, ())] for name in ("chords", "lyrics")
        )  # fmt: skip
        return joined.with_words(chords, lyrics)

    def with_words(self, chords: Iterable[Any], lyrics: Iterable[Cue]) -> Self:
        """Return this melody with chords and words, where it can hold them; else count them."""
        lost = {"chord symbols": len(list(chords)), "syllables": len(list(lyrics))}
        lost = {reason: count for reason, count in lost.items() if count}
        return replace(self, left_out={**self.left_out, **lost}) if lost else self

    # scores ----------------------------------------------------------------------

    @classmethod
    def from_score(
        cls,
        score: Score,
        *,
        track: str | int | None = None,
        steps_per_quarter: int | None = None,
        chords: Literal["top", "bottom", "refuse"] = "top",
    ) -> Self:
        """Read a line of a score; `left_out` counts what it could not take over.

        Of a score in several metres, the longest stretch in one is read; `extract_melodies` of
        `groove_core.values.lines`, which has the rules, returns all of them.

        Parameters
        ----------
        track : str, int or None
            Name of the track, or its number (from 1). None: the line that one would hum.
        steps_per_quarter : int, optional
            Resolution of the grid. None: the coarsest that fits the notes.
        chords : "top", "bottom" or "refuse"
            Which note counts where several sound.

        Raises
        ------
        InputError
            If there are no notes but drums, or several at once and chords are refused.
        UsageError
            If there is no such track.
        """
        from groove_core.values.lines import longest_melody

        return longest_melody(cls, score, track, steps_per_quarter, chords)

    def to_score(self) -> Score:
        """Return the melody as a score with one track.

        A pickup stands at the end of a bar that begins with silence. A marker tells the grid.
        """
        return Score((self._track(),), **self._frame())

    @property
    def _tick(self) -> int:
        """Ticks of a step."""
        return max(1, 480 // self.steps_per_quarter)

    @property
    def _start(self) -> int:
        """Tick at which the first step is written."""
        return (self.steps_per_bar - self.pickup) * self._tick if self.pickup else 0

    def _frame(self) -> dict[str, Any]:
        marker = f"{MARKER}{self.steps_per_quarter},{self.pickup},{self.length}"
        sharps = [[0, *key_sharps(self.key)]] if self.key else ()
        return {
            "ticks_per_quarter": self._tick * self.steps_per_quarter,
            "tempos": np.array([[0, round(6e7 / self.tempo_bpm)]]),
            "time_signatures": np.array([[0, *self.metre]]),
            "key_signatures": np.array(sharps, np.int64).reshape(-1, 3),
            "markers": ((self._start, marker),),
            # So that the file is as long as the melody, and loops in a sequencer.
            "end_tick": self._start + self.length * self._tick,
            "name": self.name,
        }

    def _track(self) -> Track:
        notes = self.notes * np.array([self._tick, self._tick, 1, 1])
        return Track(notes + np.array([self._start, 0, 0, 0]), name="melody")

    @classmethod
    def _read_file(cls, path: Path) -> Self:
        suffix = path.suffix.lower().lstrip(".")
        if suffix == "txt":
            check_file(path, what="a melody as text", max_bytes=2**20)
            text = path.read_text("utf-8", errors="replace")
            return cls.from_text(text, name=str(path))
        made = cls.from_score(Score.read(path))
        if made.left_out:
            told = ", ".join(f"{count:,} {reason}" for reason, count in made.left_out.items())
            note(f"{path}: read as a melody; not kept: {told}")
        return made

    @classmethod
    def files(cls, path: Path) -> list[Path]:
        # A text file in a folder is a licence or a note far more often than a melody, and an
        # .xml may be anything.
        suffixes = [suffix for suffix in cls.suffixes if suffix not in ("txt", "xml")]
        return list_files(path, suffixes, kinds=cls.takes)

    def _save_musicxml(self, path: Path) -> None:
        write_bytes(path, write_musicxml(self))

    # text and JSON ---------------------------------------------------------------

    @classmethod
    def from_text(cls, text: str, *, name: str = "the phrase", **settings: Any) -> Self:
        """Read a melody from text, a word a step: in ``"C4 E4 . G4 -"``, ``.`` rests, ``-`` holds.

        Header fields, bar lines, chords and words are those of ABC notation; see
        `groove_core.values.phrases`. `settings` such as ``steps_per_quarter=2`` stand in for
        fields that are not there.

        Raises
        ------
        InputError
            If a word cannot be read; the message says where it is.
        """
        made: Self = parse_phrase(cls, text, name=name, **settings)
        return made

    def to_text(self) -> str:
        return format_phrase(self)

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "steps_per_quarter": self.steps_per_quarter,
            "metre": list(self.metre),
            "length": self.length,
            "pickup": self.pickup,
            "tempo_bpm": self.tempo_bpm,
            "key": self.key,
            "notes": self.notes.tolist(),
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        fields = {name: value for name, value in document.items() if name != "kind"}
        return cls(**{**fields, "metre": tuple(fields["metre"])})

    # showing ---------------------------------------------------------------------

    def __repr__(self) -> str:
        bars = "bar" if self.bars == 1 else "bars"
        pickup = " and a pickup" if self.pickup else ""
        top, bottom = self.metre
        what = [f"{self.bars} {bars} of {top}/{bottom}{pickup}", f"{len(self.notes)} notes"]
        what += [self.key] if self.key else []
        return f"{type(self).__name__}({', '.join(what)}, {self.tempo_bpm:g} bpm)"

    def _repr_html_(self) -> str:
        return f"{self.to_score()._repr_html_()}<pre>{html.escape(self.to_text())}</pre>"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw a piano roll: louder notes are darker; chords stand above, words below the notes."""
        from groove_core.values.plots import plot_melody

        return plot_melody(self, ax)


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
