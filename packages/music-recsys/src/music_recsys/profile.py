"""What one listener said and played: ratings, plays, and what the songs sound like, in one file.

Many processes may write at once. The passages of rated songs are kept beside the ratings, so
that a taste can be learnt again in a moment, even where the songs have moved.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from groove_core.errors import InputError, UsageError, unwritable
from groove_core.storage import check_file, file_sha256, printable, read_table
from groove_core.values import Audio
from music_recsys.listening import Encoder, Passages
from music_recsys.plays import WEAK, Played, weak_ratings
from music_recsys.taste import HIGHEST, LOWEST

__all__ = ["Profile", "Rated", "check_rating", "read_ratings"]

WAIT_S = 60.0
"""For another process that is writing."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS ratings (
    sha256 TEXT PRIMARY KEY, path TEXT NOT NULL, rating REAL NOT NULL,
    rated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')));
CREATE TABLE IF NOT EXISTS passages (
    sha256 TEXT NOT NULL, front_end TEXT NOT NULL, count INTEGER NOT NULL, float16 BLOB NOT NULL,
    PRIMARY KEY (sha256, front_end));
CREATE TABLE IF NOT EXISTS plays (
    sha256 TEXT NOT NULL, path TEXT NOT NULL, service TEXT NOT NULL, plays INTEGER NOT NULL,
    skips INTEGER NOT NULL, PRIMARY KEY (sha256, service));
"""
TAKEN_BACK = (
    "DELETE FROM ratings WHERE sha256 = ? OR path = ? RETURNING sha256",
    "DELETE FROM plays WHERE sha256 = ? OR path = ? RETURNING sha256",
)
FOREIGN = (
    "SELECT 1 FROM sqlite_master WHERE type IN ('view', 'trigger')"
    " OR sql LIKE '%VIRTUAL%' OR sql LIKE '%GENERATED%' LIMIT 1"
)
MAX_BYTES = 4 * 2**30
"""Of a profile: that of some hundred thousand songs."""
MAX_CELL = 16 * 2**20
"""Bytes of one: the passages of an hour have a tenth of it."""
MAX_RATINGS = 1_000_000
LIKED, DISLIKED = ("liked", "like", "loved"), ("disliked", "dislike", "hated")


@dataclass(frozen=True, slots=True)
class Rated:
    """A song and what was said of it."""

    sha256: str
    path: str
    rating: float
    weight: float = 1.0
    """How much it counts: 1 for a rating that was given, less for one that plays suggest."""

    @property
    def name(self) -> str:
        """Name of the file, as it is shown."""
        return printable(Path(self.path).name)


class Profile:
    """A listener's ratings.

    Parameters
    ----------
    name : str
        A name, kept in ``GROOVE_HOME/profiles`` or where the system keeps such data, or the
        path of a file that ends in ``.sqlite``.

    Raises
    ------
    UsageError
        If it cannot be called so.
    """

    def __init__(self, name: str) -> None:
        if Path(name).suffix == ".sqlite":
            self.path = Path(name)
        elif re.fullmatch(r"\w[\w.-]*", name):
            self.path = _folder() / f"{name}.sqlite"
        else:
            raise UsageError(
                f"A profile cannot be called {name!r}.", hint="--profile anna, or PATH.sqlite"
            )

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one transaction: all of it is written, or nothing."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # An empty file is a database that another process has just begun.
            if self.path.exists() and not (self.path.is_file() and not self.path.stat().st_size):
                check_file(self.path, what="a profile (.sqlite)", max_bytes=MAX_BYTES)
            with contextlib.closing(sqlite3.connect(self.path, timeout=WAIT_S)) as file:
                file.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_CELL)
                file.execute("PRAGMA trusted_schema = OFF")
                file.executescript(SCHEMA)
                if file.execute(FOREIGN).fetchone():  # a view may compute for ever
                    raise sqlite3.DatabaseError("it holds more than tables of ratings")
                with file:
                    yield file
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # of its own message, too
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
                full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                raise unwritable(self.path, full) from error
            raise self._damaged(error) from error
        except OSError as error:
            raise unwritable(self.path, error) from error

    def rate(self, path: Path, rating: float, encoder: Encoder) -> Rated:
        """Take down what is said of a song; a later rating replaces an earlier one.

        Raises
        ------
        InputError
            If it is no sound, too short or silent.
        """
        one = Rated(file_sha256(check_file(path)), str(path.resolve()), check_rating(rating))
        # Before anything is written: what cannot be heard is not rated either.
        heard = self._hear(one.sha256, path, encoder)
        with self._open() as file:
            file.execute(
                "INSERT INTO ratings (sha256, path, rating) VALUES (?, ?, ?) ON CONFLICT (sha256) "
                "DO UPDATE SET path = excluded.path, rating = excluded.rating, "
                "rated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
                (one.sha256, _column(one.path), one.rating),
            )
            _keep(file, one.sha256, encoder, heard)
        return one

    def play(self, song: Played, service: str, encoder: Encoder) -> None:
        """Take down how often a song was played, in place of an earlier count of that service.

        Raises
        ------
        InputError
            If it is no sound, too short or silent.
        """
        sha256 = file_sha256(check_file(song.path))
        heard = self._hear(sha256, song.path, encoder)
        with self._open() as file:
            file.execute(
                "INSERT OR REPLACE INTO plays VALUES (?, ?, ?, ?, ?)",
                (sha256, _column(str(song.path.resolve())), service, song.plays, song.skips),
            )
            _keep(file, sha256, encoder, heard)

    def _hear(self, sha256: str, path: Path, encoder: Encoder) -> Passages:
        stored = self._stored(sha256, encoder)
        return encoder.passages(path) if stored is None else stored

    def forget(self, path: Path) -> None:
        """Take a rating back.

        Raises
        ------
        InputError
            If the song was not rated.
        """
        known = file_sha256(path) if path.is_file() else ""
        gone: list[str] = []
        if self.path.exists():
            with self._open() as file:
                # A file that is gone or has changed is known by its name.
                which = (known, _column(str(path.resolve())))
                rows = [row for taken in TAKEN_BACK for row in file.execute(taken, which)]
                file.executemany("DELETE FROM passages WHERE sha256 = ?", rows)
            gone = [row[0] for row in rows]
        if not gone:
            raise InputError(
                f"{path} is not rated.", hint="Rate it first: groove run music-recsys rate SONG 5"
            )

    def ratings(self) -> list[Rated]:
        """Return the ratings that were given, the oldest first."""
        if not self.path.exists():
            return []
        with self._open() as file:
            rows = file.execute(
                "SELECT sha256, path, rating FROM ratings ORDER BY rated_at, sha256 LIMIT ?",
                (MAX_RATINGS,),
            )
            return [self._rated(*row) for row in rows]

    def weak_ratings(self) -> list[Rated]:
        """Return the ratings that plays suggest, of songs that were not rated."""
        if not self.path.exists():
            return []
        with self._open() as file:
            rows = file.execute(
                "SELECT sha256, min(path), sum(plays), sum(skips) FROM plays WHERE sha256 NOT IN "
                "(SELECT sha256 FROM ratings) GROUP BY sha256 ORDER BY sha256 LIMIT ?",
                (MAX_RATINGS,),
            ).fetchall()
        try:
            counts = [(int(plays), int(skips)) for _, _, plays, skips in rows]
        except (TypeError, ValueError) as error:
            raise self._damaged(error) from error
        found = []
        for (sha256, path, _, _), rating in zip(rows, weak_ratings(counts), strict=True):
            one = self._rated(sha256, path, rating)
            found.append(replace(one, weight=WEAK))
        return found

    def _rated(self, sha256: Any, path: Any, rating: Any) -> Rated:
        """Check the cells of a row; SQLite keeps any type in any column."""
        try:
            if not re.fullmatch(r"[0-9a-f]{64}", sha256):
                raise ValueError(f"{sha256[:16]!r} is no sha256")
            return Rated(sha256, os.fsdecode(path), check_rating(float(rating)))
        except (TypeError, ValueError, UsageError) as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> InputError:
        return InputError(
            f"{self.path} cannot be used as a profile: {error}.",
            hint="Give another --profile, or move that file away.",
        )

    def passages(self, one: Rated, encoder: Encoder) -> Passages | None:
        """Give what a rated song sounds like; None if this front end never heard it and cannot."""
        stored = self._stored(one.sha256, encoder)
        if stored is not None:
            return stored
        path = Path(one.path)
        if not path.is_file() or file_sha256(path) != one.sha256:
            return None
        heard = encoder.passages(path)
        if not encoder.kept:
            return heard
        with self._open() as file:
            _keep(file, one.sha256, encoder, heard)
        return heard

    def _stored(self, sha256: str, encoder: Encoder) -> Passages | None:
        if not encoder.kept or not self.path.exists():
            return None
        with self._open() as file:
            row = file.execute(
                "SELECT count, float16 FROM passages WHERE sha256 = ? AND front_end = ?",
                (sha256, encoder.identity),
            ).fetchone()
        if row is None:
            return None
        try:
            heard: Passages = np.frombuffer(row[1], "<f2").reshape(row[0], -1)
            if not heard.size or not np.isfinite(heard).all():
                raise ValueError("passages that are not numbers")
        except (TypeError, ValueError) as error:
            raise self._damaged(error) from error
        return heard


def _keep(file: sqlite3.Connection, sha256: str, encoder: Encoder, heard: Passages) -> None:
    if not encoder.kept:
        return
    file.execute(
        "INSERT OR REPLACE INTO passages VALUES (?, ?, ?, ?)",
        (sha256, encoder.identity, len(heard), heard.astype("<f2").tobytes()),
    )


def _column(path: str) -> str | bytes:
    """Return a path as SQLite keeps it: a name of bytes that are not UTF-8 as those bytes."""
    return path if printable(path) == path else os.fsencode(path)


def _folder() -> Path:
    home = os.environ.get("GROOVE_HOME")
    if home:
        return Path(home, "profiles")
    import platformdirs

    return Path(platformdirs.user_data_dir("groove"), "profiles")


def check_rating(rating: float) -> float:
    """Give a rating that is one.

    Raises
    ------
    UsageError
        If it is not between 1 and 5.
    """
    if not LOWEST <= rating <= HIGHEST:
        raise UsageError(
            f"A rating is from {LOWEST} (not at all) to {HIGHEST} (very much), not {rating:g}.",
            hint="groove run music-recsys rate SONG 5",
        )
    return float(rating)


def read_ratings(source: Path) -> list[tuple[Path, float]]:
    """Read ratings from a table or from folders.

    Parameters
    ----------
    source : Path
        A CSV file with the columns ``path`` (from its folder on) and ``rating``, or a folder
        with folders ``liked`` and ``disliked``.

    Raises
    ------
    InputError
        If there are none, or a line holds no rating.
    """
    if source.is_dir():
        return _of_folders(source)
    table = read_table(source, ("path", "rating"), what="a table of ratings, or a folder")
    found = [_of_row(source, number, row) for number, row in enumerate(table, 2)]
    if not found:
        raise InputError(f"{source} holds no ratings.", hint="A line each: song.mp3,5")
    return found


def _of_row(source: Path, line: int, row: dict[str, str]) -> tuple[Path, float]:
    try:
        rating = check_rating(float(row["rating"] or "nothing"))
    except (ValueError, UsageError) as error:
        raise InputError(
            f"{source}, line {line}: {row['rating']!r} is no rating of {LOWEST} to {HIGHEST}.",
            hint="A line each: song.mp3,5",
        ) from error
    path = row["path"]
    if "\0" in path:
        raise InputError(
            f"{source}, line {line}: {path!r} is no path.", hint="A line each: song.mp3,5"
        )
    return source.parent / path, rating


def _of_folders(source: Path) -> list[tuple[Path, float]]:
    found = []
    for folder in sorted(path for path in source.iterdir() if path.is_dir()):
        name = folder.name.lower()
        if name in LIKED or name in DISLIKED:
            rating = float(HIGHEST if name in LIKED else LOWEST)
            found += [(path, rating) for path in Audio.files(folder)]
    if not found:
        raise InputError(
            f"{source} has no folder called liked or disliked.",
            hint="Put songs into liked/ and disliked/, or give a CSV file.",
        )
    return found
