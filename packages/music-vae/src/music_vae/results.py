"""What the verbs write: pieces of a few bars, alone or in the song that they stand in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from groove_core.drums import DEFAULT_VELOCITY, STEPS_PER_BAR, DrumPattern
from groove_core.errors import UsageError
from groove_core.tunes import accented, performed
from groove_core.values import LeadSheet, Score, Value, key_name, key_sharps, transpose_sharps
from music_vae.alphabets import ALPHABETS, VOICES, drum_hits, melody_events
from music_vae.excerpts import Excerpt
from music_vae.frames import Frame, drum_accents
from music_vae.pieces import score_of
from music_vae.windows import transposed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Piece", "tiny_piece"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class Piece(Value):
    """Bars of melody, beat or trio that a network wrote.

    As MIDI and as sound it is the song that it stands in, if it stands in one: all else of the
    song is as it was. As text, JSON, MusicXML and picture it is the piece alone.

    Parameters
    ----------
    events : int array [shape=(voices, steps)]
        Classes of `music_vae.alphabets`, whole bars.
    voices : sequence of str
        Of ``melody``, ``bass`` and ``drums``, in this order.
    tempo_bpm : float
    key : str
        Empty where nobody asked for one.
    flat : bool
        Whether sound is played as typed, without accents.
    about : mapping of str to float
        What was measured.
    frame : Frame, optional
        Where it stands in a song.
    name : str
        Where it came from, for messages; not saved and not compared.

    Raises
    ------
    UsageError
        If there are no such voices or events.
    """

    kind: ClassVar[str] = "piece"
    default_formats: ClassVar[tuple[str, ...]] = ("mid", "wav")

    events: Ints
    voices: tuple[str, ...]
    tempo_bpm: float = 120.0
    key: str = ""
    flat: bool = False
    about: Mapping[str, float] = field(default_factory=dict)
    frame: Frame | None = None
    name: str = "this piece"

    def __post_init__(self) -> None:
        voices = tuple(self.voices)
        if not voices or [voice for voice in VOICES if voice in voices] != list(voices):
            raise UsageError(
                f"There are no voices {', '.join(voices) or '(none)'}.",
                hint="Use some of melody, bass and drums, in this order.",
            )
        events = np.array(self.events, np.int64)
        if events.ndim != 2 or len(events) != len(voices) or events.shape[1] % STEPS_PER_BAR:
            raise UsageError(
                f"A piece has whole bars of 16 steps for each voice, not shape {events.shape}.",
                hint="Give events of shape (1, 32) for two bars of melody.",
            )
        most = np.array([ALPHABETS[voice].classes for voice in voices])[:, None]
        if (events < 0).any() or (events >= most).any():
            raise UsageError(
                "An event is not one of the classes of its voice.",
                hint="Melody and bass have classes 0 to 89, drums 0 to 511.",
            )
        events.flags.writeable = False
        object.__setattr__(self, "events", events)
        object.__setattr__(self, "voices", voices)

    @classmethod
    def of(cls, excerpt: Excerpt, events: Ints, voices: Sequence[str], *, flat: bool) -> Self:
        """Return what stands in the place of an excerpt: the bars that the piece has.

        Parameters
        ----------
        events : int array [shape=(voices, steps)]
        """
        stretch = excerpt.stretch
        return cls(
            events[:, : excerpt.bars * STEPS_PER_BAR], tuple(voices), stretch.tempo_bpm,
            stretch.key, flat, frame=excerpt.frame, name=stretch.name,
        )  # fmt: skip

    @property
    def bars(self) -> int:
        """Number of its bars."""
        return int(self.events.shape[1]) // STEPS_PER_BAR

    def alone(self) -> Self:
        """Return the piece without its song."""
        return replace(self, frame=None)

    def line(self, voice: str = "melody") -> LeadSheet:
        """Return the melody or the bass.

        Raises
        ------
        UsageError
            If there is none.
        """
        return LeadSheet.from_events(
            melody_events(self._row(voice)), tempo_bpm=self.tempo_bpm, key=self.key, name=self.name
        )

    def beat(self) -> DrumPattern:
        """Return the drums.

        Raises
        ------
        UsageError
            If there are none.
        """
        return DrumPattern(drum_hits(self._row("drums")), tempo_bpm=self.tempo_bpm)

    def _row(self, voice: str) -> Ints:
        if voice not in self.voices:
            raise UsageError(
                f"The piece has no {voice}: it has {' and '.join(self.voices)}.",
                hint="Choose a model that writes it.",
            )
        row: Ints = self.events[self.voices.index(voice)]
        return row

    def transpose(self, semitones: int) -> Self:
        """Move melody and bass, alone, by semitones."""
        moved = transposed(self.events[None], self.voices, np.array([semitones]))[0]
        key = self.key
        if key:
            sharps, minor = key_sharps(key)
            key = key_name(transpose_sharps(sharps, semitones), minor)
        return replace(self, events=moved, key=key, frame=None)

    @classmethod
    def join(cls, pieces: Sequence[Self]) -> Self:
        """Put pieces one behind the other, in the tempo and the key of the first."""
        events = np.concatenate([one.events for one in pieces], axis=1)
        return replace(pieces[0], events=events, frame=None, about={})

    def to_score(self) -> Score:
        """Return the song with the piece in its place, or else the piece."""
        if self.frame is not None:
            return self.frame.put(self.events)
        return score_of(self.events, self.voices, tempo_bpm=self.tempo_bpm, key=self.key)

    def performed(self) -> Score:
        """Return it as it is played: a melody alone with phrasing, all else with accents.

        In a song, only what was written is played anew.
        """
        if self.frame is not None:
            return self.frame.put(self.events, flat=self.flat)
        if self.flat:
            return self.to_score()
        if self.voices == ("melody",):
            return performed(self.line())
        score, tracks = self.to_score(), []
        for voice, track in zip(self.voices, score.tracks, strict=True):
            if voice == "drums":
                beat = self.beat()
                accents = np.zeros(beat.hits.shape, np.int64)
                accents[:, :9] = drum_accents(len(accents))
                louder = replace(beat, velocity=DEFAULT_VELOCITY + accents)
                tracks.append(replace(track, notes=louder.to_score().tracks[0].notes))
            else:
                tracks.append(replace(track, notes=accented(self.line(voice), track.notes)))
        return replace(score, tracks=tuple(tracks))

    def _save_wav(self, path: Path) -> None:
        self.performed().writer("wav")(path)

    def _save_musicxml(self, path: Path) -> None:
        if self.voices != ("melody",):
            raise UsageError(
                f"A piece with {' and '.join(self.voices)} cannot be written as MusicXML.",
                hint="--format mid",
            )
        self.line().writer("musicxml")(path)

    def to_text(self) -> str:
        """Return a melody as a phrase that can be typed, drums as a grid; below it, measures."""
        parts = []
        for voice in self.voices:
            text = self.beat().to_text() if voice == "drums" else self.line(voice).to_text()
            parts.append(text if len(self.voices) == 1 else f"% {voice}\n{text}")
        return "\n".join([*parts, *(f"% {name}: {x:.4g}" for name, x in self.about.items())])

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind, "voices": [*self.voices], "events": self.events.tolist(),
            "tempo_bpm": self.tempo_bpm, "key": self.key, "flat": self.flat,
            "about": dict(self.about), "frame": self.frame and self.frame.to_json(),
        }  # fmt: skip

    def to_document(self) -> dict[str, Any]:
        document = self.to_json()
        del document["frame"]  # the song is in the MIDI file
        return document

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        frame = document.get("frame")
        return cls(
            np.array(document["events"]), tuple(document["voices"]), document["tempo_bpm"],
            document["key"], document["flat"], document["about"],
            None if frame is None else Frame.from_json(frame),
        )  # fmt: skip

    def __repr__(self) -> str:
        bars = "bar" if self.bars == 1 else "bars"
        return f"Piece({self.bars} {bars} of {' and '.join(self.voices)}, {self.tempo_bpm:g} bpm)"

    def _repr_html_(self) -> str:
        return self.performed()._repr_html_()

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw a piano roll of melody and bass, and the hits of drums below it."""
        if self.voices == ("drums",):
            return self.beat().plot(ax)
        from groove_core.drums import DRUMS
        from groove_core.values import INK, PALETTE

        ax = self.line().plot(ax)
        low, high = ax.get_ylim()
        if "bass" in self.voices and len(notes := self.line("bass").notes):
            ax.barh(notes[:, 2], notes[:, 1], left=notes[:, 0], height=0.9, align="center",
                    color=PALETTE[1])  # fmt: skip
            low = min(low, float(notes[:, 2].min()) - 1)
        if "drums" in self.voices:
            hits = self.beat().hits
            for _place, number in enumerate(np.flatnonzero(hits.any(axis=0))[::-1].tolist()):
                steps, low = np.flatnonzero(hits[:, number]), low - 1.5
                ax.plot(steps + 0.5, np.full(len(steps), low), "s", ms=2.5, color=INK)
                ax.text(-0.5, low, DRUMS[number].name, fontsize=6, ha="right", va="center")
            low -= 1
        ax.set_ylim(low, high)
        return ax


def tiny_piece() -> Piece:
    """Return two bars for checks."""
    return Piece(np.array([[41, 0, 43, 0, 45, 0, 46, 0] * 4]), ("melody",))
