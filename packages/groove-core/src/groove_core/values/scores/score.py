"""Scores: notes in musical time, read from and written to MIDI without loss."""

from __future__ import annotations

import base64
import html
import io
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from groove_core.console import note as tell
from groove_core.errors import GrooveError, InputError, UsageError
from groove_core.storage.files import check_file, write_bytes
from groove_core.storage.folders import list_files
from groove_core.values.base import Value
from groove_core.values.midi.files import MidiError, MidiFile, RefusedError
from groove_core.values.midi.parts import Source
from groove_core.values.scores.editing import Editing
from groove_core.values.scores.musicxml import SUFFIXES, read_musicxml, write_score
from groove_core.values.scores.tracks import (
    NONE,
    Events,
    Track,
    check_events,
    check_texts,
    unchecked,
)
from groove_core.values.scores.writing import write

if TYPE_CHECKING:
    import numpy.typing as npt
    import pretty_midi
    from matplotlib.axes import Axes

__all__ = ["MAX_HOURS", "Score", "Track"]

MAX_BYTES = 64 * 2**20
MAX_HOURS = 4
"""Longer files are refused: they are mistakes far more often than music."""


@dataclass(frozen=True, eq=False, repr=False)
class Score(Editing, Value):
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
    suffixes: ClassVar[tuple[str, ...]] = ("mid", "midi", "json", *SUFFIXES)
    default_formats: ClassVar[tuple[str, ...]] = ("mid", "wav")

    tracks: tuple[Track, ...]
    ticks_per_quarter: int = 480
    tempos: Events = NONE
    time_signatures: Events = NONE
    key_signatures: Events = NONE
    markers: tuple[tuple[int, str], ...] = ()
    lyrics: tuple[tuple[int, str], ...] = ()
    end_tick: int = 0
    name: str = "this score"
    drum_track: str = ""
    source: Source | None = field(default=None, repr=False)
    """The MIDI file that it was read from; set by `from_midi`."""

    if TYPE_CHECKING:  # whatever can be made into arrays

        def __init__(
            self,
            tracks: Iterable[Track],
            ticks_per_quarter: int = 480,
            tempos: npt.ArrayLike = NONE,
            time_signatures: npt.ArrayLike = NONE,
            key_signatures: npt.ArrayLike = NONE,
            markers: Iterable[tuple[int, str]] = (),
            lyrics: Iterable[tuple[int, str]] = (),
            end_tick: int = 0,
            name: str = "this score",
            drum_track: str = "",
            source: Source | None = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        object.__setattr__(self, "tracks", tuple(self.tracks))
        for name in ("tempos", "time_signatures", "key_signatures"):
            object.__setattr__(self, name, check_events(name, getattr(self, name)))
        if not isinstance(self.ticks_per_quarter, int) or not 1 <= self.ticks_per_quarter < 2**15:
            raise UsageError(
                f"ticks_per_quarter must be 1 to 32767, not {self.ticks_per_quarter!r}.",
                hint="ticks_per_quarter=480",
            )
        object.__setattr__(self, "markers", check_texts(self.markers))
        object.__setattr__(self, "lyrics", check_texts(self.lyrics))
        object.__setattr__(self, "end_tick", max(self.end_tick, self._last_tick()))

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
        if path.suffix.lower().lstrip(".") in SUFFIXES:
            return cls(**read_musicxml(path))
        check_file(path, what="a MIDI file", max_bytes=MAX_BYTES)
        return cls.from_midi(path.read_bytes(), name=str(path))

    @classmethod
    def files(cls, path: Path) -> list[Path]:
        # An .xml in a folder may be anything; .musicxml and .mxl are scores.
        suffixes = [suffix for suffix in cls.suffixes if suffix != "xml"]
        return list_files(path, suffixes, kinds=cls.takes)

    @classmethod
    def from_document(cls, document: Any, path: str | Path) -> Self:
        return replace(super().from_document(document, path), name=str(path))

    @classmethod
    def _of_file(cls, file: MidiFile, **more: Any) -> Self:
        source = Source.read(file)
        names = ("tempos", "time_signatures", "key_signatures", "markers", "lyrics", "end_tick")
        made: Self = unchecked(
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
                    check_events("notes", list(notes(instrument))),
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

    def _save_musicxml(self, path: Path) -> None:
        drums = self._drums()
        pitched = tuple(track for n, track in enumerate(self.tracks) if n not in drums)
        midi = replace(self, tracks=pitched, source=None).to_midi()
        write_bytes(path, write_score(midi, pitched, self.name))
        if any(len(self.tracks[n].notes) for n in drums):
            tell("drums are not written as MusicXML")

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
        from groove_core.values.sound.audio import PLAYER_S, Audio

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
