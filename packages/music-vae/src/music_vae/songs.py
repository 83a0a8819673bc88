"""Songs in several voices, as stretches of 4/4 in sixteenths, each in a part of the split."""

from __future__ import annotations

import base64
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from groove_core.actions import given, leave_out
from groove_core.console import track
from groove_core.drums import STEPS_PER_BAR
from groove_core.errors import InputError, UsageError
from groove_core.learning import PARTS, content_name
from groove_core.storage import read_arrays, read_table, write_arrays
from groove_core.tunes import Head, find_songs, group_by_parts
from groove_core.tunes.reading import published
from groove_core.values import Value
from music_vae.alphabets import ALPHABETS, NOTE, VOICES
from music_vae.pieces import song_of
from music_vae.windows import BY_SONG, Song, transposed

__all__ = ["SongSet", "read_songs"]

COPY_BARS = 4
"""Songs that share more than half of their windows of so many bars are copies of each other."""
LIST = "info.csv"
"""Table of the Groove MIDI Dataset, with its published split."""

REASONS = {
    "no drums": "without drums", "no bass": "without a bass", "no notes": "without a melody",
    "triplets": "in triplets", "in 4/4": "not in 4/4",
}  # fmt: skip
"""What errors say of a song, and how it is counted."""

Ints = npt.NDArray[np.int64]
KINDS = {
    "voices": "u1", "songs": "u1", "stretches_of_song": "<i4", "steps": "<i4", "events": "<u2",
    "left_out": "u1",
}  # fmt: skip
"""Arrays of a set, as they are stored; texts are lines of UTF-8."""


class SongSet(Value):
    """Songs to learn from.

    Parameters
    ----------
    voices : sequence of str
        Of ``melody``, ``bass`` and ``drums``, in this order.
    heads : sequence of Head
        Name, corpus, group and part of each song.
    stretches : sequence of sequences of int arrays [each shape=(voices, steps)]
        The classes of each song, see `music_vae.alphabets`; whole bars.
    left_out : dict of str to int, optional
        What could not be used, by reason.

    Raises
    ------
    ValueError
        If they do not fit together.
    """

    kind: ClassVar[str] = "song-set"
    suffixes: ClassVar[tuple[str, ...]] = ("npz", "json")
    default_formats: ClassVar[tuple[str, ...]] = ("npz", "txt")

    def __init__(
        self,
        voices: Sequence[str],
        heads: Sequence[Head],
        stretches: Sequence[Sequence[npt.NDArray[Any]]],
        left_out: Mapping[str, int] | None = None,
    ) -> None:
        self.voices, self.heads = tuple(voices), tuple(heads)
        self.stretches = tuple(tuple(each) for each in stretches)
        self.left_out = dict(left_out or {})
        if not voices or [voice for voice in VOICES if voice in voices] != list(voices):
            raise ValueError(f"there are no voices {', '.join(voices) or '(none)'}")
        if len(self.heads) != len(self.stretches):
            raise ValueError(f"{len(self.stretches)} songs, not {len(self.heads)}")
        if odd := {head.part for head in heads}.difference(PARTS):
            raise ValueError(f"there is no part {min(odd)}")
        most = np.array([[ALPHABETS[voice].classes] for voice in voices])
        for rows in (rows for each in self.stretches for rows in each):
            if rows.ndim != 2 or len(rows) != len(voices) or rows.shape[1] % STEPS_PER_BAR:
                raise ValueError(f"a stretch of shape {rows.shape} has no whole bars of the voices")
            if (rows < 0).any() or (rows >= most).any():
                raise ValueError("an event is out of range")

    def __len__(self) -> int:
        return len(self.heads)

    def __iter__(self) -> Iterator[Song]:
        """Yield the songs, as `music_vae.windows.WindowSet.of` cuts them."""
        for head, stretches in zip(self.heads, self.stretches, strict=True):
            yield Song(head.group, stretches, head.part)

    def __add__(self, other: SongSet) -> SongSet:
        """Return these songs and others of the same voices."""
        if self.voices != other.voices:
            raise UsageError(
                f"Songs of {' and '.join(self.voices)} and of {' and '.join(other.voices)} do not "
                "go together.",
                hint="Join sets of the same voices.",
            )
        left_out = Counter(self.left_out) + Counter(other.left_out)
        return SongSet(
            self.voices, self.heads + other.heads, self.stretches + other.stretches, left_out
        )

    @property
    def corpora(self) -> list[str]:
        """Names of the corpora, in order."""
        return sorted({head.corpus for head in self.heads})

    @property
    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What is stored: all stretches, one behind the other."""
        rows = [rows for each in self.stretches for rows in each]
        empty = np.zeros((len(self.voices), 0), np.int64)
        columns: dict[str, Any] = {
            "voices": _text(self.voices),
            "songs": _text(
                "\t".join([head.name, head.corpus, head.group, head.part]) for head in self.heads
            ),
            "stretches_of_song": [len(each) for each in self.stretches],
            "steps": [some.shape[1] for some in rows],
            # Voice by voice, which packs better than step by step.
            "events": np.concatenate([empty, *rows], axis=1).ravel(),
            "left_out": _text(f"{count}\t{why}" for why, count in self.left_out.items()),
        }
        return {name: np.asarray(columns[name]).astype(kind) for name, kind in KINDS.items()}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Make a set from its `arrays`.

        Raises
        ------
        ValueError, LookupError, TypeError
            If they are not those of a set.
        """
        voices = _lines(arrays["voices"])
        heads = [Head(*line.split("\t")) for line in _lines(arrays["songs"])]
        events = arrays["events"].astype(np.int64).reshape(len(voices), -1)
        ends = np.cumsum(arrays["steps"].astype(np.int64))
        if int(ends[-1] if len(ends) else 0) != events.shape[1]:
            raise ValueError("the stretches are not as long as they say")
        rows = np.split(events, ends[:-1], axis=1) if len(ends) else []
        counts = np.cumsum(arrays["stretches_of_song"].astype(np.int64))
        if int(counts[-1] if len(counts) else 0) != len(rows):
            raise ValueError(f"{len(rows)} stretches, not as many as the songs have")
        edges = [0, *counts.tolist()]
        left_out = (line.split("\t") for line in _lines(arrays["left_out"]))
        return cls(
            voices, heads, [rows[a:b] for a, b in itertools.pairwise(edges)],
            {why: int(count) for count, why in left_out},
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        packed = {n: base64.b64encode(array.tobytes()).decode() for n, array in self.arrays.items()}
        return {"kind": self.kind, **packed}

    def to_document(self) -> dict[str, Any]:
        return {
            "kind": self.kind, "voices": list(self.voices), "songs": len(self),
            "left_out": self.left_out,
        }  # fmt: skip

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        return cls.of_arrays({
            name: np.frombuffer(base64.b64decode(document[name]), kind)
            for name, kind in KINDS.items()
        })  # fmt: skip

    def _save_npz(self, path: Path) -> None:
        write_arrays(path, self.arrays)

    @classmethod
    def _read_file(cls, path: Path) -> Self:
        arrays = read_arrays(path, what="a set of songs (.npz)")
        try:
            return cls.of_arrays(arrays)
        except (ValueError, LookupError, TypeError) as error:
            raise InputError(
                f"{path} is not a set of songs: {str(error).rstrip('.')}.",
                hint="Make one of a folder of songs, with the action dataset.",
            ) from error

    def to_text(self) -> str:
        bars = sum(rows.shape[1] for each in self.stretches for rows in each) // STEPS_PER_BAR
        lines = [f"{len(self):,} songs, {bars:,} bars of {' and '.join(self.voices)}"]
        for corpus in self.corpora:
            counts = Counter(head.part for head in self.heads if head.corpus == corpus)
            lines.append(
                f"  {corpus:20} " + ", ".join(f"{counts[part]:,} {part}" for part in PARTS)
            )
        if self.left_out:
            lines.append("left out:")
            lines += [f"  {count:8,} {why}" for why, count in self.left_out.items()]
        return "\n".join(lines)


def _text(lines: Iterable[str]) -> npt.NDArray[np.uint8]:
    return np.frombuffer("\n".join(lines).encode(), np.uint8)


def _lines(array: npt.NDArray[Any]) -> list[str]:
    return array.astype(np.uint8).tobytes().decode().splitlines()


def read_songs(
    folders: Iterable[Path], voices: Sequence[str], *, splits: Path | None = None
) -> SongSet:
    """Read the MIDI files of folders as songs, each in a part.

    Parts are those of published tables, or by a hash of the songs: copies of a song, transposed or
    not, are in one part.

    Parameters
    ----------
    folders : paths
        Folders or zip files. One with the ``info.csv`` of the Groove MIDI Dataset has its split.
    voices : sequence of str
    splits : path, optional
        Folder with a table for each corpus: ``id``, ``split`` and ``group``.

    Raises
    ------
    InputError
        If there is no usable song, or a table cannot be read.
    """
    folders = list(folders)
    found, counts = [], Counter[str]()
    files = list(find_songs(folders))
    given(f"{song.corpus}/{song.name}" for song in files)
    for file in track(files, "reading songs"):
        name = f"{file.corpus}/{file.name}"
        try:
            song = song_of(file.read(), voices, group=name)
        except (InputError, UsageError) as error:
            leave_out(name, error)
            counts[_reason(error)] += 1
            continue
        counts.update(song.left_out)
        if any((rows > 0).any() for rows in song.stretches):
            found.append((file, song.stretches))
        else:
            counts["songs without a bar of 4/4"] += 1
    if not found:
        why = ", ".join(f"{count:,} {reason}" for reason, count in counts.most_common(4))
        raise InputError(
            f"None of {len(files)} files has {' and '.join(voices)}"
            + (f" ({why})." if why else "."),
            hint="Give a folder of MIDI files in 4/4, with drums on channel 10.",
        )
    tables = published(splits, {file.corpus for file, _ in found}) | _of_groove_midi(folders)
    rows = [
        table.get(file.name, table.get(file.name.rpartition("/")[2]))
        for file, _ in found
        for table in [tables.get(file.corpus, {})]
    ]
    # What no table names is the same song in whatever folder: a checkpoint remembers it.
    names = [
        f"{file.corpus}/{file.name}" if row else content_name(file.content())
        for (file, _), row in zip(found, rows, strict=True)
    ]
    copies = [
        {mark for some in stretches for mark in _marks(some, voices)} for _, stretches in found
    ]
    groups = group_by_parts(names, [copies])
    by_hash = BY_SONG.parts(groups)
    part = {i: name for name in PARTS for i in by_hash[name].tolist()}
    heads = [
        Head(
            file.name, file.corpus, row["group"] or names[i] if row else groups[i],
            row["split"] if row else part[i],
        )
        for i, ((file, _), row) in enumerate(zip(found, rows, strict=True))
    ]  # fmt: skip
    left_out = dict((+counts).most_common())
    return SongSet(voices, heads, [stretches for _, stretches in found], left_out)


def _reason(error: InputError | UsageError) -> str:
    """Return why a song is left out, in words that are the same for many songs."""
    found = (reason for words, reason in REASONS.items() if words in error.message)
    return f"songs {next(found, 'that cannot be read')}"


def _of_groove_midi(folders: Iterable[Path]) -> dict[str, dict[str, dict[str, str]]]:
    """Read the split of the Groove MIDI Dataset where a folder has its table."""
    tables = {}
    for folder in folders:
        if (folder / LIST).is_file():
            rows = read_table(folder / LIST, ("midi_filename", "split"))
            tables[folder.resolve().name] = {
                row["midi_filename"].rpartition(".")[0]: {"split": row["split"], "group": ""}
                for row in rows
                if row["split"] in PARTS
            }
    return tables


def _marks(rows: Ints, voices: Sequence[str]) -> Iterator[bytes]:
    """Return the windows of a stretch by which copies are known, transposed or not the same."""
    size = COPY_BARS * STEPS_PER_BAR
    pitched = [voice != "drums" for voice in voices]
    for first in range(0, max(rows.shape[1] - size, 0) + 1, STEPS_PER_BAR):
        window = rows[:, first : first + size]
        notes = window[pitched][window[pitched] >= NOTE]
        if len(notes) or (window > 0).any():
            by = np.array([1000 - int(notes[0])]) if len(notes) else np.zeros(1, np.int64)
            yield transposed(window[None], voices, by).astype("<i2").tobytes()
