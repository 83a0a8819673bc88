"""Read songs from folders and zip files of MIDI, MusicXML and ABC files, as tunes in parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from groove_core.actions import given, leave_out
from groove_core.batch import map_items
from groove_core.batch.engines import LOCAL, jobs_of
from groove_core.errors import InputError, UsageError
from groove_core.learning import PARTS, content_name
from groove_core.storage import is_hidden, list_files, read_table, zip_members
from groove_core.tunes.annotations import annotated
from groove_core.tunes.cutting import FINE, cut
from groove_core.tunes.grouping import BY_TUNE, group_tunes
from groove_core.tunes.sets import Tune, TuneSet
from groove_core.values import LeadSheet, Score, extract_melodies

__all__ = ["Song", "find_songs", "open_tunes", "read_tunes"]

MIDI = (".mid", ".midi")
SCORES = (*MIDI, ".musicxml", ".mxl", ".xml", ".abc")
NOTES = {"beats": "beat_midi.txt", "chords": "chord_midi.txt", "keys": "key_audio.txt"}
"""Files that annotate a played MIDI file of POP909."""
FEW = 64
"""Songs that are read before other processes have started."""
LINES = {"violin-1"}
"""Tracks that are the line, beside those that say so by name: a quartet's first violin."""


@dataclass(frozen=True)
class Song:
    """A file of a song, in a folder or in a zip file.

    Parameters
    ----------
    name : str
        Its path below the corpus, without the ending.
    corpus : str
    read : callable
        Returns the score.
    content : callable
        Returns the bytes of the file.
    """

    name: str
    corpus: str
    read: Callable[[], Score]
    content: Callable[[], bytes]


def find_songs(folders: Iterable[Path]) -> Iterator[Song]:
    """Find songs; a corpus is a zip file of MIDI files, or one of the folders.

    Text files with beats, chords and keys beside a MIDI file, or in another zip file of the
    folder, put a played song on its beats, as those of POP909 do.
    """
    for folder in folders:
        files = list_files(folder, (*SCORES, ".zip"))
        archives = {path: _members(path) for path in files if path.suffix.lower() == ".zip"}
        texts = {_place(name): read for some in archives.values() for name, read in some}
        root = folder if folder.is_dir() else folder.parent
        for path in files:
            for inner, content in archives.get(path, ()):
                if _is_midi(inner):
                    midi = partial(_midi, content, inner)
                    played = partial(_played, midi, texts, inner)
                    yield Song(_stem(inner), path.stem, played, content)
            if path not in archives:
                name = path.relative_to(root).as_posix()
                beside = {
                    (path.stem, text): path.with_name(text).read_bytes
                    for text in NOTES.values()
                    if path.with_name(text).is_file()
                }
                score = partial(Score.read, path)
                played = partial(_played, score, beside, name)
                yield Song(_stem(name), root.resolve().name, played, path.read_bytes)


def _members(path: Path) -> list[tuple[str, Callable[[], bytes]]]:
    """List the songs and annotations of a zip file; one that is damaged costs only itself."""
    try:
        return list(zip_members(path, lambda name: _is_midi(name) or _is_note(name)))
    except InputError as error:
        leave_out(path, error)
        return []


def _stem(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))


def _place(name: str) -> tuple[str, str]:
    """Return the folder and the file by which an annotation is found."""
    path = PurePosixPath(name)
    return path.parent.name, path.name


def _is_midi(name: str) -> bool:
    return name.lower().endswith(MIDI) and not is_hidden(name)


def _is_note(name: str) -> bool:
    return PurePosixPath(name).name in NOTES.values()


def _midi(content: Callable[[], bytes], name: str) -> Score:
    return Score.from_midi(content(), name=name)


def _played(
    score: Callable[[], Score], texts: Mapping[tuple[str, str], Callable[[], bytes]], name: str
) -> Score:
    """Read a score, and put it on its beats if they are known."""
    stem = PurePosixPath(name).stem
    found = {
        what: texts[stem, file]().decode("utf-8", errors="replace")
        for what, file in NOTES.items()
        if (stem, file) in texts
    }
    if "beats" not in found:
        return score()
    return annotated(score(), found["beats"], found.get("chords", ""), found.get("keys", ""),
                     name=name)  # fmt: skip


def melodies_of(score: Score, track: str | int | None) -> tuple[list[LeadSheet], Counter[str]]:
    """Cut the line of a song into melodies, and count what is left out."""
    counts: Counter[str] = Counter()
    if track is None:
        named = [one.name for one in score.tracks if one.name in LINES]
        track = named[0] if named else None
    found = extract_melodies(LeadSheet, score, track=track, steps_per_quarter=FINE)
    melodies = []
    for _, sheet in found:
        some, left = cut(sheet)
        melodies += some
        counts.update(left)
    return melodies, counts


def published(folder: Path | None, corpora: Iterable[str]) -> dict[str, dict[str, dict[str, str]]]:
    """Read the tables of a published split: ``CORPUS.tsv`` with ``id``, ``split``, ``group``.

    Raises
    ------
    InputError
        If a column is missing, or a part is not one of three.
    """
    tables: dict[str, dict[str, dict[str, str]]] = {}
    for corpus in corpora if folder is not None else ():
        path = folder / f"{corpus}.tsv"  # type: ignore[operator]
        if path.is_file():
            rows = list(read_table(path, ("id", "split", "group")))
            for row in rows:
                if row["split"] not in PARTS:
                    raise InputError(
                        f"{path} puts {row['id']} into {row['split']!r}.",
                        hint="Use train, validation or test.",
                    )
            tables[corpus] = {_stem_of_id(row["id"]): row for row in rows}
    return tables


def _stem_of_id(text: str) -> str:
    return _stem(text) if text.lower().endswith(SCORES) else text


def _row(table: Mapping[str, Mapping[str, str]], name: str) -> Mapping[str, str] | None:
    """Return what a table says of a song: by its path in the corpus, or by its name alone."""
    return table.get(name, table.get(name.rpartition("/")[2]))


def read_tunes(
    folders: Iterable[Path],
    *,
    splits: Path | None = None,
    line: str | int | None = None,
    jobs: int | None = None,
    engine: str = LOCAL,
) -> tuple[list[Tune], Counter[str]]:
    """Read all songs of folders as tunes, each in a part.

    Parts are those of published tables, or by a hash of the tune: copies of a tune, transposed
    or not, are in one part.

    Parameters
    ----------
    folders : paths
        Folders or zip files.
    splits : path, optional
        Folder with a table for each corpus.
    line : str or int, optional
        Name or number (from 1) of the track with the line. Default: the one that one would hum.
    jobs : int, optional
    engine : str
        How many songs are read at a time, and where; see `groove_core.batch.map_files`.

    Raises
    ------
    InputError
        If there is no usable song, or a table cannot be read.
    """
    found, counts = [], Counter[str]()
    files = list(find_songs(folders))
    given(f"{song.corpus}/{song.name}" for song in files)
    jobs = jobs_of(jobs, engine, few=len(files) < FEW)
    read = map_items(
        partial(_cut, line=line), files, jobs=jobs, engine=engine, text="reading songs"
    )
    for song, outcome in read:
        name = f"{song.corpus}/{song.name}"
        if outcome.error is not None:  # it lacks the track that was named, perhaps
            if not isinstance(error := outcome.to_error(), InputError | UsageError):
                raise error
            leave_out(name, error)
            counts["songs that cannot be used"] += 1
            continue
        about = outcome.check()
        counts.update(about["left"])
        melodies = [LeadSheet.from_json(one) for one in about["melodies"]]
        if melodies:
            found.append((song, melodies))
        else:
            counts["songs without a usable melody"] += 1
    if not found:
        raise InputError(
            "No song has a usable melody" + (f" ({_commonest(counts)})." if counts else "."),
            hint="Give MIDI files with a line of single notes, or choose it with --track.",
        )
    return _divided(found, published(splits, {song.corpus for song, _ in found})), +counts


def _cut(song: Song, *, line: str | int | None) -> dict[str, Any]:
    melodies, left = melodies_of(song.read(), line)
    return {"melodies": [sheet.to_json() for sheet in melodies], "left": dict(left)}


def _commonest(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in counts.most_common(4))


def _divided(
    found: list[tuple[Song, list[LeadSheet]]], tables: Mapping[str, Mapping[str, Mapping[str, Any]]]
) -> list[Tune]:
    rows = [_row(tables.get(song.corpus, {}), song.name) for song, _ in found]
    # What no table names is the same song in whatever folder: a checkpoint remembers it.
    names = [
        f"{song.corpus}/{song.name}" if row else content_name(song.content())
        for (song, _), row in zip(found, rows, strict=True)
    ]
    groups = group_tunes(names, [melodies for _, melodies in found])
    by_hash = BY_TUNE.parts(groups)
    part = {i: name for name in PARTS for i in by_hash[name].tolist()}
    tunes = []
    for number, ((song, melodies), row) in enumerate(zip(found, rows, strict=True)):
        group = (row["group"] if row else "") or (names[number] if row else groups[number])
        tunes.append(Tune(
            song.name, song.corpus, group, row["split"] if row else part[number], tuple(melodies)
        ))  # fmt: skip
    return tunes


def open_tunes(data: Path, *, line: str | int | None = None) -> TuneSet:
    """Open a set of tunes: a ``.npz`` file, or a folder of songs.

    Parameters
    ----------
    line : str or int, optional
        See `read_tunes`.

    Raises
    ------
    InputError
        If there is nothing usable in it.
    """
    if data.suffix == ".npz":
        return TuneSet.read(data)
    tunes, left_out = read_tunes([data], line=line)
    return TuneSet.of(tunes, dict(left_out.most_common()))
