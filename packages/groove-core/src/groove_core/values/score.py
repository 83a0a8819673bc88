"""Scores: notes in musical time, read from and written to MIDI without loss."""

from __future__ import annotations

import base64
import html
import io
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from groove_core.errors import GrooveError, InputError, UsageError
from groove_core.storage.files import check_file, write_bytes
from groove_core.values.base import Value
from groove_core.values.midi import MAX_TICK, MidiError, MidiFile, RefusedError
from groove_core.values.parts import Part, Source, finer
from groove_core.values.writing import write

if TYPE_CHECKING:
    import pretty_midi
    from matplotlib.axes import Axes

__all__ = ["MAX_HOURS", "Score", "Track"]

MAX_BYTES = 64 * 2**20
MAX_HOURS = 4
"""Longer files are refused: they are mistakes far more often than music."""

Events = npt.NDArray[np.int64]


_TICK = (0, MAX_TICK)
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
    """Make a checked, read-only array of integers, one row per event, in the order of time.

    What is at one tick keeps its order, which is part of the music.
    """
    columns = _COLUMNS[name]
    try:
        given = np.asarray(rows)
        with np.errstate(invalid="ignore"):  # of NaN: unequal to what it becomes
            array = np.array(given, dtype=np.int64).reshape(-1, len(columns))
        if given.dtype.kind not in "iu" and (array.ravel() != given.ravel()).any():
            raise ValueError
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(
            f"{name} must be rows of {len(columns)} whole numbers.",
            hint=f"Round {name}, and check its shape.",
        ) from error
    if not len(array):
        array.flags.writeable = False
        return array
    low, high = np.array(columns).T
    if (array.min(axis=0) < low).any() or (array.max(axis=0) > high).any():
        wrong = array[((array < low) | (array > high)).any(axis=1)][0].tolist()
        raise UsageError(
            f"{name} has {wrong}; the columns may be {list(columns)}.", hint=f"Check {name}."
        )
    if name == "time_signatures" and (array[:, 2] & (array[:, 2] - 1)).any():
        raise UsageError(
            "time_signatures has a denominator that is no power of two.", hint=f"Check {name}."
        )
    if (array[1:, 0] < array[:-1, 0]).any():
        array = array[np.argsort(array[:, 0], kind="stable")]
    array.flags.writeable = False
    return array


_none: Any = ()


def _unchecked(kind: Any, **values: Any) -> Any:
    """Make a dataclass of what the bytes of a MIDI file say: nothing in them is out of range."""
    made = object.__new__(kind)
    for name, value in values.items():
        object.__setattr__(made, name, value)
    return made


@dataclass(frozen=True, eq=False)
class Track:
    """One instrument of a score. All times are in ticks.

    Parameters
    ----------
    notes : int array [shape=(n, 4)]
        Start, duration, pitch and velocity of each note, in the order of time.
    name : str
    program : int
        General MIDI program, 0 to 127; of drums the number of the kit.
    is_drum : bool
        Whether it plays on the drum channel.
    controls : int array [shape=(n, 3)]
        Tick, controller and value of what acts on its notes. In a MIDI file that is what any
        track tells the channel, at any time.
    pitch_bends : int array [shape=(n, 2)]
        Tick and value, -8192 to 8191, of the same kind.
    channel : int, optional
        MIDI channel, 0 to 15, that it was read from, or is to be written to if that is free.
    """

    notes: Events
    name: str = ""
    program: int = 0
    is_drum: bool = False
    controls: Events = _none
    pitch_bends: Events = _none
    channel: int | None = None
    part: Part | None = field(default=None, repr=False)
    """What it was in the file that it was read from; set by `Score.from_midi`."""

    def __post_init__(self) -> None:
        for name in ("notes", "controls", "pitch_bends"):
            object.__setattr__(self, name, _events(name, getattr(self, name)))
        if not 0 <= self.program <= 127:
            raise UsageError(f"program must be 0 to 127, not {self.program}.", hint="program=0")
        if self.channel is not None and not 0 <= self.channel <= 15:
            raise UsageError(f"channel must be 0 to 15, not {self.channel}.", hint="channel=None")

    @classmethod
    def of_part(cls, part: Part) -> Self:
        """Make the track of a part of a MIDI file."""
        names = ("notes", "name", "program", "is_drum", "controls", "pitch_bends", "channel")
        made: Self = _unchecked(cls, part=part, **{name: getattr(part, name) for name in names})
        return made

    def to_json(self) -> dict[str, Any]:
        """Return the track as plain lists."""
        document = {
            "name": self.name,
            "program": self.program,
            "is_drum": self.is_drum,
            "notes": self.notes.tolist(),
            "controls": self.controls.tolist(),
            "pitch_bends": self.pitch_bends.tolist(),
        }
        return document if self.channel is None else {**document, "channel": self.channel}


def _texts(items: Any) -> tuple[tuple[int, str], ...]:
    return tuple(sorted(((int(tick), str(text)) for tick, text in items), key=lambda one: one[0]))


@dataclass(frozen=True, eq=False, repr=False)
class Score(Value):
    """Notes of any number of instruments with tempo, metre and key. Times are in ticks.

    A score that was read from a MIDI file keeps the events of the file. What is not changed
    is written as it was: every event, on its track and its channel, at its place. Where notes are
    changed, all others stay. Not kept are running status and foreign chunks of the
    file; time in frames (SMPTE) becomes a tempo.

    Two scores are equal if they are the same MIDI file. A track without notes is written, but
    not read as one. Of overlapping notes of one pitch on one channel, MIDI can only tell that the
    first ends where the second begins.

    Parameters
    ----------
    tracks : sequence of Track
    ticks_per_quarter : int
    tempos : int array [shape=(n, 2)]
        Tick and microseconds per quarter note. Before the first one: 120 bpm. Of several at
        one tick the last one counts.
    time_signatures : int array [shape=(n, 3)]
        Tick, numerator, denominator. Before the first one: 4/4.
    key_signatures : int array [shape=(n, 3)]
        Tick, sharps (negative: flats), and 0 for major or 1 for minor.
    markers, lyrics : sequence of (tick, text)
    end_tick : int
        Tick at which the longest track of the file ends: at least that of the last event.
    name : str
        Where it came from, for messages; not saved and not compared.
    drum_track : str
        Name or number (from 1) of the track that plays the drums, where neither the channel nor
        the name says so, or says it wrongly; not saved and not compared.
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
    end_tick: int = 0
    name: str = "this score"
    drum_track: str = ""
    source: Source | None = field(default=None, repr=False)
    """The MIDI file that it was read from; set by `from_midi`."""

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
        object.__setattr__(self, "end_tick", max(self.end_tick, self._last_tick()))

    def _last_tick(self) -> int:
        """Return the tick of the last event."""
        tables = [self.tempos, self.time_signatures, self.key_signatures]
        tables += [events for t in self.tracks for events in (t.controls, t.pitch_bends)]
        ticks = [int(events[-1, 0]) for events in tables if len(events)]
        ticks += [texts[-1][0] for texts in (self.markers, self.lyrics) if texts]
        return max([*ticks, self.last_note_tick])

    # reading and writing ---------------------------------------------------------

    @classmethod
    def from_midi(cls, content: bytes, *, name: str = "this MIDI data") -> Self:
        """Read a score from the bytes of a MIDI file.

        Raises
        ------
        InputError
            If it is no MIDI file, is cut short, or lasts longer than `MAX_HOURS`.
        """
        if not content.startswith((b"MThd", b"RIFF")):
            raise InputError(
                f"{name} is not a MIDI file.", hint="Give a standard MIDI file (.mid or .midi)."
            )
        try:
            score = cls._of_file(MidiFile.parse(content), name=name)
        except RefusedError as error:
            raise InputError(f"{name} {error}.", hint=error.hint) from error
        except MidiError as error:
            raise InputError(
                f"{name} is damaged or cut short: {error}.",
                hint="Export the file again from the program that made it.",
            ) from error
        slowest = max(500_000, int(score.tempos[:, 1].max(initial=0)))
        quarters = score.end_tick / score.ticks_per_quarter
        # Mostly the slowest tempo is proof enough.
        hours = quarters * slowest / 3.6e9
        hours = score.duration_s / 3600 if hours > MAX_HOURS else hours
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
    def from_document(cls, document: Any, path: str | Path) -> Self:
        return replace(super().from_document(document, path), name=str(path))

    @classmethod
    def _of_file(cls, file: MidiFile, **more: Any) -> Self:
        source = Source.read(file)
        names = ("tempos", "time_signatures", "key_signatures", "markers", "lyrics", "end_tick")
        made: Self = _unchecked(
            cls,
            tracks=tuple(map(Track.of_part, source.parts)),
            ticks_per_quarter=file.ticks_per_quarter,
            source=source,
            **{name: getattr(source, name) for name in names},
            **{"name": cls.name, "drum_track": "", **more},
        )
        return made

    def to_midi(self) -> bytes:
        """Return the score as the bytes of a MIDI file."""
        return write(self).dump()

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
        return replace(
            self,
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

    @classmethod
    def from_pretty_midi(cls, midi: pretty_midi.PrettyMIDI) -> Self:
        """Make a score from a pretty_midi object, of any number of instruments."""

        def ticks(events: Any, *values: str) -> Any:
            return [[midi.time_to_tick(e.time), *(getattr(e, v) for v in values)] for e in events]

        def texts(events: Any) -> Any:
            return [(midi.time_to_tick(event.time), event.text) for event in events]

        def notes(instrument: Any) -> Any:
            for note in instrument.notes:
                start, end = midi.time_to_tick(note.start), midi.time_to_tick(note.end)
                yield start, end - start, note.pitch, note.velocity

        tempos: Any = [(tick, round(s * midi.resolution * 1e6)) for tick, s in midi._tick_scales]
        keys: Any = [
            (tick, *_KEYS[number])
            for tick, number in ticks(midi.key_signature_changes, "key_number")
        ]
        return cls(
            tuple(
                Track(
                    _events("notes", list(notes(instrument))),
                    instrument.name,
                    instrument.program,
                    instrument.is_drum,
                    ticks(instrument.control_changes, "number", "value"),
                    ticks(instrument.pitch_bends, "pitch"),
                )
                for instrument in midi.instruments
            ),
            midi.resolution,
            tempos,
            ticks(midi.time_signature_changes, "numerator", "denominator"),
            keys,
            texts(midi.text_events),
            texts(midi.lyrics),
            name="this pretty_midi object",
        )

    def to_pretty_midi(self) -> pretty_midi.PrettyMIDI:
        """Return the score as a pretty_midi object."""
        import pretty_midi

        return pretty_midi.PrettyMIDI(io.BytesIO(self.to_midi()))

    def to_json(self) -> dict[str, Any]:
        document = {
            "kind": self.kind,
            "ticks_per_quarter": self.ticks_per_quarter,
            "end_tick": self.end_tick,
            "tempos": self.tempos.tolist(),
            "time_signatures": self.time_signatures.tolist(),
            "key_signatures": self.key_signatures.tolist(),
            "markers": [list(item) for item in self.markers],
            "lyrics": [list(item) for item in self.lyrics],
            "tracks": [track.to_json() for track in self.tracks],
        }
        midi = self.to_midi()
        if self.source is not None and type(self)._of_json(document).to_midi() != midi:
            # What only the file knows: the order of events, system exclusive, aftertouch ...
            document["midi"] = base64.b64encode(midi).decode()
        return document

    @classmethod
    def _of_json(cls, document: dict[str, Any], parts: Sequence[Track] = (), **more: Any) -> Self:
        """Make a score of the events of a document; `parts` are the tracks of its MIDI file."""
        fields = {k: v for k, v in document.items() if k not in ("kind", "tracks", "midi")}
        tracks = [Track(**track) for track in document["tracks"]]
        if len(tracks) == len(parts):
            tracks = [replace(t, part=p.part) for t, p in zip(tracks, parts, strict=True)]
        return cls(tuple(tracks), **fields, **more)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        if "midi" not in document:
            return cls._of_json(document)
        read = cls.from_midi(base64.b64decode(document["midi"], validate=True))
        # Where somebody has edited the lists, they count.
        return cls._of_json(document, read.tracks, source=read.source)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Score):
            return NotImplemented
        return self.to_midi() == other.to_midi()

    __hash__ = None

    def _save_mid(self, path: Path) -> None:
        write_bytes(path, self.to_midi())

    _save_midi = _save_mid

    # time ------------------------------------------------------------------------

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
        s_per_tick = np.concatenate([[500_000], self.tempos[:, 1]]) / 1e6 / self.ticks_per_quarter
        begin_s = np.concatenate([[0.0], np.cumsum(np.diff(starts) * s_per_tick[:-1])])
        return starts, begin_s, s_per_tick

    def tempo_at(self, ticks: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the tempo at ticks, in quarter notes per minute."""
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
        from groove_core.values.audio import PLAYER_S, Audio

        heard = self
        if self.duration_s > PLAYER_S:
            heard = self._of_file(write(self).until(int(self.tick_at(PLAYER_S))))
        try:
            with tempfile.TemporaryDirectory() as folder:
                return Audio.read(heard.save(Path(folder, "heard.wav")))._repr_html_()
        except GrooveError:  # no soundfont, or a renderer that fails
            return f"<pre>{html.escape(self.to_text())}</pre>"

    def plot(self, ax: Axes | None = None) -> Axes:
        from groove_core.values.plots import PALETTE, new_axes

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


_KEYS = [((7 * key + 5) % 12 - 5, 0) for key in range(12)]
_KEYS += [((7 * key + 2) % 12 - 5, 1) for key in range(12)]
"""Sharps and mode by pretty_midi's numbers: major keys from C, then minor ones."""
