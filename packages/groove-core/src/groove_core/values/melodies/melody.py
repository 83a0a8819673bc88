"""Melodies: one line of notes on a grid of steps."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np

from groove_core.console import note
from groove_core.storage.files import check_file, write_bytes
from groove_core.storage.folders import list_files
from groove_core.values.base import Value
from groove_core.values.melodies.line import Line
from groove_core.values.melodies.musicxml import write_musicxml
from groove_core.values.melodies.text import format_phrase, is_phrase, parse_phrase
from groove_core.values.pitches import key_sharps
from groove_core.values.scores.musicxml import SUFFIXES
from groove_core.values.scores.score import Score, Track
from groove_core.values.scores.symbols import MELODY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Melody"]


class Melody(Line, Value):
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
        `groove_core.values.melodies.extraction`, which has the rules, returns all of them.

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
        from groove_core.values.melodies.extraction import longest_melody

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
        marker = f"{MELODY}{self.steps_per_quarter},{self.pickup},{self.length}"
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
        `groove_core.values.melodies.text`. `settings` such as ``steps_per_quarter=2`` stand in for
        fields that are not there.

        Raises
        ------
        InputError
            If a word cannot be read; the message says where it is.
        """
        made: Self = parse_phrase(cls, text, name=name, **settings)
        return made

    @classmethod
    def typed(cls, text: str) -> Self | None:
        file = text.lower().endswith(tuple(f".{suffix}" for suffix in cls.suffixes))
        return cls.from_text(text) if is_phrase(text) and not file else None

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
        from groove_core.values.melodies.plots import plot_melody

        return plot_melody(self, ax)
