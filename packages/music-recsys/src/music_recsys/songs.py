"""Folders of songs, and what is known of them: pieces that stay together, and reasons to like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from groove_core.actions import each
from groove_core.errors import InputError
from groove_core.learning import Split, content_name, parts_for
from groove_core.render import MANIFEST
from groove_core.storage import Cache, member, read_table
from groove_core.values import Audio

if TYPE_CHECKING:
    from music_recsys.features import Columns

__all__ = ["Song", "SongSet", "as_learnt", "open_songs", "read_columns", "split_of"]

TASTES = ("genre", "library", "drummer", "style", "instrument", "composer", "artist")
"""Columns of a manifest that a listener may go by."""


@dataclass(frozen=True, slots=True)
class Song:
    """A file, the piece it plays, and what may be liked about it."""

    path: Path
    piece: str
    tastes: dict[str, str]
    family: str
    """Pieces that share an accompaniment, which must not be rated here and ranked there."""
    learnt: bool = False
    """Whether a front end that is measured learnt from its piece, see `as_learnt`."""


@dataclass(frozen=True, slots=True)
class SongSet:
    """Songs of one folder."""

    name: str
    songs: tuple[Song, ...]


def split_of(share: float) -> Split:
    """Return how pieces are divided of which a share is learnt from."""
    return Split("piece", shares=(share, 0.0, 1.0 - share))


def as_learnt(sets: Sequence[SongSet], card: Mapping[str, Any]) -> list[SongSet]:
    """Mark the songs whose pieces a front end learnt from.

    Raises
    ------
    InputError
        If it learnt from all of them.
    """
    songs = [song for one in sets for song in one.songs]
    parts = parts_for(
        card,
        [song.piece for song in songs],
        names=[str(song.path) for song in songs],
        otherwise={"train": [], "validation": [], "test": range(len(songs))},
    )
    held = set(parts["test"].tolist())
    marked = iter(
        replace(song, learnt=song.learnt or number not in held) for number, song in enumerate(songs)
    )
    return [SongSet(one.name, tuple(next(marked) for _ in one.songs)) for one in sets]


def open_songs(folder: Path) -> SongSet:
    """Open a folder of songs, with a ``manifest.csv`` or with a folder for each taste.

    A manifest has a column ``path``; ``piece`` where several files play one piece; ``groove``
    where several pieces have one accompaniment; and any of
    ``genre``, ``library``, ``drummer``, ``style``, ``instrument``, ``composer``, ``artist``.
    Without one, the name of the folder that holds a song is its taste.

    Raises
    ------
    InputError
        If it holds no songs, or the manifest no paths.
    """
    table = folder / MANIFEST
    if not table.is_file():
        files = Audio.files(folder)
        songs = []
        for path in files:
            piece = content_name(path)
            tastes = {"folder": path.parent.name} if path.parent != folder != path else {}
            songs.append(Song(path, piece, tastes, piece))
        return SongSet(folder.name, tuple(songs))
    rows = list(read_table(table, ["path"], what="a table of songs"))
    if not rows or not all(row["path"] for row in rows):
        raise InputError(f"{table} has no paths.", hint="Its first line must name a column path.")
    found = []
    for row in rows:
        piece = row.get("piece") or row["path"]
        family = f"{row.get('library')}:{row['groove']}" if row.get("groove") else piece
        tastes = {name: row[name] for name in TASTES if row.get(name)}
        found.append(Song(member(folder, row["path"]), piece, tastes, family))
    return SongSet(folder.name, tuple(found))


def read_columns(
    songs: Sequence[Song], columns: Columns, cache: Cache | None
) -> tuple[list[Song], list[Tensor]]:
    """Read all songs; what cannot be read is told and left out.

    Raises
    ------
    InputError
        If none can be read.
    """
    if not songs:
        raise InputError("There are no songs.", hint="Give a folder of songs.")
    found = each(
        songs,
        lambda song, _: (song, columns.read(song.path, cache=cache)),
        "reading songs",
        files=[song.path for song in songs],
    )
    kept, read = zip(*found, strict=True)
    return list(kept), list(read)
