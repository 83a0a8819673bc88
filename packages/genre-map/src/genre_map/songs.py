"""Songs with genres: GTZAN and FMA as users have them, the rendered corpus, any folder."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from pathlib import Path, PurePosixPath

from genre_map.genres import GENRES, canonical
from groove_core.console import note
from groove_core.errors import InputError
from groove_core.learning.splits import content_name
from groove_core.render import MANIFEST
from groove_core.storage import member, read_rows, read_table
from groove_core.values import Audio

__all__ = ["PUBLISHED", "Song", "SongSet", "name_of", "open_songs"]

PUBLISHED = ("train", "valid", "test")
"""Parts of a published split: GTZAN without faults (Kereliuk, Sturm and Larsen 2015), FMA."""
PARTS = {"training": "train", "validation": "valid", "test": "test"}
"""What FMA calls them."""
NAMES = {"gtzan": "GTZAN", "fma": "FMA", "corpus": "rendered corpus"}
LICENSES = {"gtzan": "unknown: see GTZAN", "fma": "CC, by track: see FMA", "corpus": "MIT"}
MAX_TABLE = 2**30
"""Bytes of FMA's table of tracks, which has a quarter of it."""
_CLIP = re.compile(r"([a-z\-]+\.\d{5})\.(au|wav)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Song:
    """A sound file and what is known of it.

    Parameters
    ----------
    path : Path
    genre : str
    groups : dict
        What songs may have in common: ``artist``, or in the rendered corpus ``library``,
        ``groove`` and ``soundfont``.
    split : str
        A published one that it belongs to, or nothing.
    name : str
        What its collection calls it, wherever its file is. Default: a hash of the file.
    """

    path: Path
    genre: str
    groups: dict[str, str] = field(default_factory=dict)
    split: str = ""
    name: str = ""


@dataclass(frozen=True)
class SongSet:
    """Songs, and the genres among them."""

    kind: str
    """``gtzan``, ``fma``, ``corpus`` or ``folder``."""
    songs: tuple[Song, ...]

    @property
    def source(self) -> dict[str, str]:
        """Name and licence of the collection, for the card of what learns from it."""
        return {
            "name": NAMES.get(self.kind, "own songs"),
            "license": LICENSES.get(self.kind, "unknown: your own data"),
        }

    @cached_property
    def genres(self) -> tuple[str, ...]:
        """Names of genres: GTZAN's in its order, others by the alphabet."""
        found = {song.genre for song in self.songs}
        return (*(g for g in GENRES if g in found), *sorted(found.difference(GENRES)))

    @cached_property
    def labels(self) -> list[int]:
        """Number of each song's genre."""
        number = {genre: i for i, genre in enumerate(self.genres)}
        return [number[song.genre] for song in self.songs]

    @cached_property
    def groups(self) -> list[str]:
        """Name of each song, by which it is kept on one side of a split."""
        return [song.name or content_name(song.path) for song in self.songs]

    def counts(self) -> dict[str, int]:
        """Songs of each genre."""
        found = Counter(song.genre for song in self.songs)
        return {genre: found[genre] for genre in self.genres}

    def only(self, indices: Sequence[int]) -> SongSet:
        """Give some of the songs."""
        return SongSet(self.kind, tuple(self.songs[i] for i in indices))

    def __len__(self) -> int:
        return len(self.songs)

    def __iter__(self) -> Iterator[Song]:
        return iter(self.songs)


def open_songs(root: str | Path) -> SongSet:
    """Open a collection; what kind it is shows in its files.

    - The rendered corpus: ``manifest.csv``.
    - FMA: ``tracks.csv``, there or in ``fma_metadata``; genre is ``genre_top``.
    - GTZAN, ``.au`` or ``.wav``: files called ``genre.00000``. The 50 exact repetitions that
      Sturm (2013, arXiv 1306.1461) lists are left out.
    - Else the folders in it are genres, whatever their case, hyphens and spaces.

    Raises
    ------
    InputError
        If there are no songs, or of one genre only.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(
            f"{root} is not a folder.", hint="Give a folder with one folder for each genre."
        )
    tables = [root / "tracks.csv", root / "fma_metadata" / "tracks.csv"]
    if (root / MANIFEST).is_file():
        songs = SongSet("corpus", tuple(_corpus(root)))
    elif any(table.is_file() for table in tables):
        songs = SongSet("fma", tuple(_fma(root, next(t for t in tables if t.is_file()))))
    else:
        paths = Audio.files(root)
        clips = [path for path in paths if _CLIP.fullmatch(path.name)]
        if len(clips) > len(paths) / 2:
            songs = SongSet("gtzan", tuple(_gtzan(clips)))
        else:
            songs = SongSet("folder", tuple(_folders(root, paths)))
    if len(songs.genres) < 2:
        found = f"one genre only, {songs.genres[0]}" if songs.genres else "no song with a genre"
        raise InputError(
            f"{root} holds {found}.", hint="Give a folder with one folder for each genre."
        )
    return songs


def _corpus(root: Path) -> Iterator[Song]:
    columns = ("path", "genre", "library", "soundfont", "groove")
    what = "a table as groove run genre-map dataset writes it"
    for row in read_table(root / MANIFEST, columns, what=what):
        groups = {key: row[key] for key in ("library", "soundfont")}
        groups["groove"] = f"{row['library']}:{row['groove']}"
        name = name_of(row["path"], row["seed"]) if row.get("seed") else ""
        yield Song(member(root, row["path"]), row["genre"], groups, name=name)


def name_of(path: str, seed: str) -> str:
    """Name a song of the rendered corpus.

    Its own seed is drawn from that of the corpus: songs of two corpora have two names.
    """
    return f"{PurePosixPath(path).stem} {seed}"


def _lines(name: str) -> list[str]:
    text = (resources.files("genre_map") / "gtzan" / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def _gtzan(paths: Sequence[Path]) -> Iterator[Song]:
    repeated = {
        stem for stem, reason, _ in (line.split("\t", 2) for line in _lines("faults.txt"))
        if reason == "exact-repetition"
    }  # fmt: skip
    split = {Path(line).stem: part for part in PUBLISHED for line in _lines(f"{part}_filtered.txt")}
    seen: set[str] = set()
    for path in sorted(paths, key=lambda p: (p.suffix.lower() != ".au", p)):
        stem = path.stem.lower()
        if stem in seen:  # the same clip in both formats
            continue
        seen.add(stem)
        if stem not in repeated:
            genre = canonical(stem.partition(".")[0])
            yield Song(path, genre, {}, split.get(stem, ""), name=f"GTZAN {stem}")
    if left := len(seen & repeated):
        note(f"{left} exact repetitions of GTZAN are left out (Sturm 2013)")


def _fma(root: Path, table: Path) -> Iterator[Song]:
    """Read FMA's table: two rows of headings, then one of the index's name."""
    audio = {path.stem: path for path in Audio.files(root)}
    rows = read_rows(table, what="FMA's table of tracks", max_bytes=MAX_TABLE)
    try:
        heads = list(zip(next(rows), next(rows), strict=True))
        genre, split = heads.index(("track", "genre_top")), heads.index(("set", "split"))
        artist = heads.index(("artist", "id"))
    except (StopIteration, ValueError) as error:
        raise InputError(
            f"{table} is not FMA's table of tracks.",
            hint="Give tracks.csv of fma_metadata.zip.",
        ) from error
    missing = 0
    for row in rows:
        if len(row) < len(heads) or not re.fullmatch("[0-9]{1,9}", row[0]) or not row[genre]:
            continue
        path = audio.get(f"{int(row[0]):06d}")
        missing += path is None
        if path is not None:
            yield Song(
                path,
                canonical(row[genre]),
                {"artist": row[artist]},
                PARTS.get(row[split], ""),
                name=f"FMA {int(row[0])}",
            )
    if missing:
        note(f"{missing} tracks of the table have no sound file here")


def _folders(root: Path, paths: Sequence[Path]) -> Iterator[Song]:
    for path in paths:
        inner = path.relative_to(root).parts
        if len(inner) > 1:
            yield Song(path, canonical(inner[0]))
