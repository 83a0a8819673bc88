"""Folders of songs, and what is known of them: pieces that stay together, and reasons to like.

A split divides families of pieces by a hash. What is held out of a training on labels is divided
by a hash, too: whole kinds of taste, or some of the values of a kind, whose songs teach nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from torch import Tensor

from groove_core.actions import each
from groove_core.errors import InputError, UsageError, did_you_mean
from groove_core.learning import PARTS, Split, content_name, parts_for
from groove_core.render import MANIFEST
from groove_core.storage import Cache, member, read_table
from groove_core.values import Audio

if TYPE_CHECKING:
    from music_recsys.features import Columns

__all__ = [
    "LABELS", "TASTES", "Part", "Song", "SongSet", "as_learnt", "check_kinds", "divided",
    "open_songs", "read_columns", "split_of",
]  # fmt: skip

TASTES = ("genre", "library", "drummer", "style", "instrument", "composer", "artist")
"""Columns of a manifest that a listener may go by."""
TEMPO, GROOVE = "tempo", "groove"
LABELS = (*TASTES, TEMPO, GROOVE)
"""What a front end can be taught."""
TEMPO_CLASSES = 4
"""Classes of tempo to an octave."""
Part = Literal["validation", "test"]


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
    tempo_bpm: float | None = None

    def label(self, kind: str) -> str | None:
        """Return its label of a kind, one of `TASTES` or the tempo; None where it has none."""
        if kind != TEMPO:
            return self.tastes.get(kind)
        if self.tempo_bpm is None:
            return None
        return str(round(TEMPO_CLASSES * math.log2(self.tempo_bpm)))


@dataclass(frozen=True, slots=True)
class SongSet:
    """Songs of one folder."""

    name: str
    songs: tuple[Song, ...]


def check_kinds(text: str, known: Sequence[str]) -> tuple[str, ...]:
    """Return the kinds of labels that a text names, with commas between.

    Raises
    ------
    UsageError
        If one is not.
    """
    kinds = [kind.strip() for kind in text.split(",") if kind.strip()]
    for kind in kinds:
        if kind not in known:
            raise UsageError(
                f"There is no kind of label {kind!r}.",
                hint=did_you_mean(kind, known) or f"Use {', '.join(known)}.",
            )
    return tuple(dict.fromkeys(kinds))


def split_of(share: float) -> Split:
    """Return how families are divided of which a share is learnt from.

    Of the others, two in seven are there to choose by, and five to measure on.
    """
    rest = 1.0 - share
    return Split("piece", shares=(share, rest * 2 / 7, rest * 5 / 7))


def divided(
    songs: Sequence[Song], split: Split, held_out: Sequence[str]
) -> dict[str, npt.NDArray[np.int64]]:
    """Divide songs by their families, and by the values of the kinds that are held out.

    A song is learnt from where its family and each of those values fall on that side; it is in
    the test where one of them is in the test.

    Parameters
    ----------
    songs : sequence of Song
    split : Split
    held_out : sequence of str
        Kinds of `TASTES`.

    Returns
    -------
    dict of str to int array
        Numbers of the songs of ``train``, ``validation`` and ``test``, ascending.
    """
    side = np.zeros(len(songs), np.int64)

    def place(some: Sequence[int], groups: Sequence[str]) -> None:
        for number, part in enumerate(split.parts(groups).values()):
            chosen = np.asarray(some, np.int64)[part]
            side[chosen] = np.maximum(side[chosen], number)

    place(range(len(songs)), [song.family for song in songs])
    for kind in held_out:
        some = [number for number, song in enumerate(songs) if kind in song.tastes]
        place(some, [f"{kind}: {songs[number].tastes[kind]}" for number in some])
    return {part: np.flatnonzero(side == number) for number, part in enumerate(PARTS)}


def as_learnt(
    sets: Sequence[SongSet], card: Mapping[str, Any], part: Part = "test"
) -> list[SongSet]:
    """Mark the songs whose pieces a front end learnt from, or that are of another part.

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
    held = set(parts[part].tolist())
    marked = iter(
        replace(song, learnt=song.learnt or number not in held) for number, song in enumerate(songs)
    )
    return [SongSet(one.name, tuple(next(marked) for _ in one.songs)) for one in sets]


def open_songs(folder: Path) -> SongSet:
    """Open a folder of songs, with a ``manifest.csv`` or with a folder for each taste.

    A manifest has a column ``path``; ``piece`` where several files play one piece; ``groove``
    where several pieces have one accompaniment; and any of
    ``genre``, ``library``, ``drummer``, ``style``, ``instrument``, ``composer``, ``artist``,
    ``tempo_bpm``.
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
        tempo_bpm = _positive(row.get("tempo_bpm"))
        found.append(Song(member(folder, row["path"]), piece, tastes, family, tempo_bpm=tempo_bpm))
    return SongSet(folder.name, tuple(found))


def _positive(text: str | None) -> float | None:
    """Read a number above 0; None where there is none."""
    try:
        number = float(text or 0)
    except ValueError:
        return None
    return number if 0 < number < math.inf else None


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
