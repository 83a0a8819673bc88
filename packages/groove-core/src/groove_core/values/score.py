"""Scores: notes in musical time, read from and written to MIDI without loss."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import numpy as np
import numpy.typing as npt

from groove_core.errors import InputError, UsageError
from groove_core.files import check_file, write_bytes
from groove_core.values.base import Value

if TYPE_CHECKING:
    import pretty_midi
    from matplotlib.axes import Axes

__all__ = ["MAX_HOURS", "Score", "Track"]

MAX_BYTES = 64 * 2**20
MAX_HOURS = 4
"""Longer files are refused: they are mistakes far more often than music."""

Events = npt.NDArray[np.int64]


_TICK = (0, 2**31 - 1)
_COLUMNS = {
    # What each column may hold; MIDI has seven bits for most things.
    "notes": (_TICK, _TICK, (0, 127), (0, 127)),
    "controls": (_TICK, (0, 127), (0, 127)),
    "pitch_bends": (_TICK, (-8192, 8191)),
    "tempos": (_TICK, (1, 2**24 - 1)),
    "time_signatures": (_TICK, (1, 255), (1, 2**15)),
    "key_signatures": (_TICK, (-7, 7), (0, 1)),
}


def _events(name: str, rows: Any) -> Events:
    """Make a checked, sorted, read-only array of integers, one row per event."""
    columns = _COLUMNS[name]
    try:
        array = np.array(rows, dtype=np.int64).reshape(-1, len(columns))
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(
            f"{name} must be rows of {len(columns)} integers.", hint=f"Check {name}."
        ) from error
    low, high = np.array(columns).T
    if ((array < low) | (array > high)).any():
        wrong = array[((array < low) | (array > high)).any(axis=1)][0].tolist()
        raise UsageError(
            f"{name} has {wrong}; the columns may be {list(columns)}.", hint=f"Check {name}."
        )
    array = array[np.lexsort(array.T[::-1])]
    array.flags.writeable = False
    return array


_none: Any = ()


@dataclass(frozen=True, eq=False)
class Track:
    """One instrument of a score. All times are in ticks.

    Parameters
    ----------
    notes : int array [shape=(n, 4)]
        Start, duration, pitch and velocity of each note, sorted.
    name : str
    program : int
        General MIDI program, 0 to 127.
    is_drum : bool
        Whether it plays on the drum channel.
    controls : int array [shape=(n, 3)]
        Tick, controller and value.
    pitch_bends : int array [shape=(n, 2)]
        Tick and value, -8192 to 8191.
    """

    notes: Events
    name: str = ""
    program: int = 0
    is_drum: bool = False
    controls: Events = _none
    pitch_bends: Events = _none

    def __post_init__(self) -> None:
        for name in ("notes", "controls", "pitch_bends"):
            object.__setattr__(self, name, _events(name, getattr(self, name)))
        if not 0 <= self.program <= 127:
            raise UsageError(f"program must be 0 to 127, not {self.program}.", hint="program=0")

    def to_json(self) -> dict[str, Any]:
        """Give the track as plain lists."""
        return {
            "name": self.name,
            "program": self.program,
            "is_drum": self.is_drum,
            "notes": self.notes.tolist(),
            "controls": self.controls.tolist(),
            "pitch_bends": self.pitch_bends.tolist(),
        }


def _texts(items: Any) -> tuple[tuple[int, str], ...]:
    return tuple(sorted((int(tick), str(text)) for tick, text in items))


@dataclass(frozen=True, eq=False, repr=False)
class Score(Value):
    """Notes of any number of instruments with tempo, metre and key. Times are in ticks.

    MIDI cannot hold a note of no length or a track without notes, nor tell
    overlapping notes of one pitch on one track apart; everything else survives
    ``save`` and ``read``. Texts are UTF-8.

    Parameters
    ----------
    tracks : sequence of Track
    ticks_per_quarter : int
    tempos : int array [shape=(n, 2)]
        Tick and microseconds per quarter note. Before the first one: 120 bpm.
    time_signatures : int array [shape=(n, 3)]
        Tick, numerator, denominator. Before the first one: 4/4.
    key_signatures : int array [shape=(n, 3)]
        Tick, sharps (negative: flats), and 0 for major or 1 for minor.
    markers, lyrics : sequence of (tick, text)
    name : str
        Where it came from, for messages; not saved and not compared.
    """

    kind: ClassVar[str] = "score"
    suffixes: ClassVar[tuple[str, ...]] = ("mid", "midi", "json")
    default_formats: ClassVar[tuple[str, ...]] = ("mid", "wav")

    tracks: tuple[Track, ...]
    ticks_per_quarter: int = 480
    tempos: Events = _none
    time_signatures: Events = _none
    key_signatures: Events = _none
    markers: tuple[tuple[int, str], ...] = ()
    lyrics: tuple[tuple[int, str], ...] = ()
    name: str = "this score"

    def __post_init__(self) -> None:
        object.__setattr__(self, "tracks", tuple(self.tracks))
        for name in ("tempos", "time_signatures", "key_signatures"):
            object.__setattr__(self, name, _events(name, getattr(self, name)))
        if not isinstance(self.ticks_per_quarter, int) or not 1 <= self.ticks_per_quarter < 2**15:
            raise UsageError(
                f"ticks_per_quarter must be 1 to 32767, not {self.ticks_per_quarter!r}.",
                hint="ticks_per_quarter=480",
            )
        object.__setattr__(self, "markers", _texts(self.markers))
        object.__setattr__(self, "lyrics", _texts(self.lyrics))

    # reading and writing ---------------------------------------------------------

    @classmethod
    def from_midi(cls, content: bytes, *, name: str = "this MIDI data") -> Self:
        """Read a score from the bytes of a MIDI file.

        Raises
        ------
        InputError
            If it is no MIDI file, is cut short, or lasts longer than `MAX_HOURS`.
        """
        import symusic

        if not content.startswith((b"MThd", b"RIFF")):
            raise InputError(
                f"{name} is not a MIDI file.", hint="Give a standard MIDI file (.mid or .midi)."
            )
        try:
            score = cls._from_symusic(symusic.Score.from_midi(content), name)
        except (RuntimeError, ValueError, UsageError) as error:
            raise InputError(
                f"{name} is damaged or cut short: {' '.join(str(error).split())[:90]}.",
                hint="Export the file again from the program that made it.",
            ) from error
        hours = score.duration_s / 3600
        if hours > MAX_HOURS:
            raise InputError(
                f"{name} lasts {hours:.1f} hours; the longest that is read is {MAX_HOURS}.",
                hint="Cut it into pieces, or look for a stray note at its end.",
            )
        return score

    @classmethod
    def _read_file(cls, path: Path) -> Self:
        check_file(path, what="a MIDI file", max_bytes=MAX_BYTES)
        return cls.from_midi(path.read_bytes(), name=str(path))

    @classmethod
    def accept(cls, value: Any) -> Self | None:
        from groove_core.values.drums import DrumPattern

        return super().accept(value.to_score() if isinstance(value, DrumPattern) else value)

    @classmethod
    def from_document(cls, document: Any, path: str | Path) -> Self:
        if isinstance(document, dict) and document.get("kind") == "drum-pattern":
            from groove_core.values.drums import DrumPattern

            beat = DrumPattern.from_document(document, path)  # a beat is a score, too
            return replace(cast("Self", beat.to_score()), name=str(path))
        return super().from_document(document, path)

    @classmethod
    def _from_symusic(cls, score: Any, name: str) -> Self:
        def columns(events: Any, *names: str) -> Events:
            arrays = events.numpy()
            return np.stack([arrays[n].astype(np.int64) for n in names], axis=1)

        return cls(
            tracks=tuple(
                Track(
                    notes=columns(t.notes, "time", "duration", "pitch", "velocity"),
                    name=t.name,
                    program=t.program,
                    is_drum=t.is_drum,
                    controls=columns(t.controls, "time", "number", "value"),
                    pitch_bends=columns(t.pitch_bends, "time", "value"),
                )
                for t in score.tracks
                # Lyrics come as a track of their own, even where they did not go as one.
                if len(t.notes) or len(t.controls) or len(t.pitch_bends) or t.name
            ),
            ticks_per_quarter=score.ticks_per_quarter,
            tempos=np.array([(e.time, e.mspq) for e in score.tempos]),
            time_signatures=np.array(
                [(e.time, e.numerator, e.denominator) for e in score.time_signatures]
            ),
            key_signatures=np.array([(e.time, e.key, e.tonality) for e in score.key_signatures]),
            markers=tuple((e.time, e.text) for e in score.markers),
            lyrics=tuple((e.time, e.text) for t in score.tracks for e in t.lyrics),
            name=name,
        )

    def _to_symusic(self) -> Any:
        import symusic

        score: Any = symusic.Score(self.ticks_per_quarter)
        score.tempos.extend([symusic.Tempo(t, mspq=us) for t, us in self.tempos.tolist()])
        score.time_signatures.extend(
            [symusic.TimeSignature(*row) for row in self.time_signatures.tolist()]
        )
        score.key_signatures.extend(
            [symusic.KeySignature(*row) for row in self.key_signatures.tolist()]
        )
        score.markers.extend([symusic.TextMeta(*item) for item in self.markers])
        for track in self.tracks:
            out: Any = symusic.Track(track.name, track.program, track.is_drum)
            out.notes.extend([symusic.Note(*row) for row in track.notes.tolist()])
            out.controls.extend([symusic.ControlChange(*row) for row in track.controls.tolist()])
            out.pitch_bends.extend([symusic.PitchBend(*row) for row in track.pitch_bends.tolist()])
            score.tracks.append(out)
        if self.lyrics or not self.tracks:
            # symusic 0.6 writes tempo and metre out of order where there is no track.
            words: Any = symusic.Track()
            words.lyrics.extend([symusic.TextMeta(*item) for item in self.lyrics])
            score.tracks.append(words)
        return score

    def to_midi(self) -> bytes:
        """Give the score as the bytes of a MIDI file."""
        content: bytes = self._to_symusic().dumps_midi()
        return content

    @classmethod
    def from_pretty_midi(cls, midi: pretty_midi.PrettyMIDI) -> Self:
        """Make a score from a pretty_midi object."""
        buffer = io.BytesIO()
        midi.write(buffer)
        return cls.from_midi(buffer.getvalue(), name="this pretty_midi object")

    def to_pretty_midi(self) -> pretty_midi.PrettyMIDI:
        """Give the score as a pretty_midi object."""
        import pretty_midi

        return pretty_midi.PrettyMIDI(io.BytesIO(self.to_midi()))

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "ticks_per_quarter": self.ticks_per_quarter,
            "tempos": self.tempos.tolist(),
            "time_signatures": self.time_signatures.tolist(),
            "key_signatures": self.key_signatures.tolist(),
            "markers": [list(item) for item in self.markers],
            "lyrics": [list(item) for item in self.lyrics],
            "tracks": [track.to_json() for track in self.tracks],
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        fields = {k: v for k, v in document.items() if k not in ("kind", "tracks")}
        return cls(tracks=tuple(Track(**track) for track in document["tracks"]), **fields)

    def _save_mid(self, path: Path) -> None:
        write_bytes(path, self.to_midi())

    _save_midi = _save_mid

    def _save_wav(self, path: Path) -> None:
        from groove_core.render import render

        render(self).save(path)

    # time ------------------------------------------------------------------------

    @property
    def end_tick(self) -> int:
        """Tick at which the last note ends, or the last marker is."""
        ends = [tick for tick, _ in self.markers]
        ends += [int(t.notes[:, :2].sum(axis=1).max()) for t in self.tracks if len(t.notes)]
        return max(ends, default=0)

    @property
    def duration_s(self) -> float:
        """Seconds until the last note ends, or the last marker is."""
        return float(self.seconds(np.array([self.end_tick]))[0])

    def seconds(self, ticks: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Convert ticks to seconds, following every tempo change."""
        at = np.asarray(ticks, dtype=np.float64)
        starts = np.concatenate([[0], self.tempos[:, 0]]).astype(np.float64)
        s_per_tick = np.concatenate([[500_000], self.tempos[:, 1]]) / 1e6 / self.ticks_per_quarter
        begin_s = np.concatenate([[0.0], np.cumsum(np.diff(starts) * s_per_tick[:-1])])
        which = np.maximum(np.searchsorted(starts, at, side="right") - 1, 0)
        seconds: npt.NDArray[np.float64] = begin_s[which] + (at - starts[which]) * s_per_tick[which]
        return seconds

    def tempo_at(self, ticks: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Give the tempo at ticks, in quarter notes per minute."""
        us = np.concatenate([[500_000], self.tempos[:, 1]])
        which = np.searchsorted(self.tempos[:, 0], np.asarray(ticks), side="right")
        tempo: npt.NDArray[np.float64] = 6e7 / us[which]
        return tempo

    # showing ---------------------------------------------------------------------

    def to_text(self) -> str:
        lines = [f"{self.duration_s:.1f} s, {len(self.tracks)} tracks"]
        for track in self.tracks:
            what = "drums" if track.is_drum else f"program {track.program}"
            lines.append(f"  {track.name or '(no name)':24} {what:12} {len(track.notes):6} notes")
        return "\n".join(lines)

    def __repr__(self) -> str:
        notes = sum(len(t.notes) for t in self.tracks)
        return f"Score({len(self.tracks)} tracks, {notes} notes, {self.duration_s:.1f} s)"

    def _repr_html_(self) -> str:
        from groove_core.render import render

        return render(self)._repr_html_()

    def plot(self, ax: Axes | None = None) -> Axes:
        from groove_core.plots import PALETTE, new_axes

        ax = ax or new_axes(9, 4)
        for i, track in enumerate(self.tracks):
            start = self.seconds(track.notes[:, 0])
            end = self.seconds(track.notes[:, 0] + track.notes[:, 1])
            ax.barh(
                track.notes[:, 2],
                end - start,
                left=start,
                height=0.9,
                color=PALETTE[i % len(PALETTE)],
                label=track.name or f"track {i + 1}",
            )
        ax.set(xlabel="seconds", ylabel="MIDI pitch")
        if 1 < len(self.tracks) <= len(PALETTE):
            ax.legend(fontsize="small")
        return ax


def drum_tracks(score: Score) -> Sequence[Track]:
    """Find the tracks that play drums.

    The drum channel first; where a file does not use it, tracks whose name says
    so and whose pitches lie in the General MIDI percussion range.
    """
    tracks = [t for t in score.tracks if t.is_drum and len(t.notes)]
    if tracks:
        return tracks
    words = ("drum", "perc", "beat", "kit", "schlagzeug", "batterie", "bateria")
    return [
        t
        for t in score.tracks
        if len(t.notes)
        and any(word in t.name.lower() for word in words)
        and t.notes[:, 2].min() >= 22
        and t.notes[:, 2].max() <= 87
    ]
