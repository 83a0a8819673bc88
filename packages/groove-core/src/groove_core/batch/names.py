"""Names of very many files: sorted, each once, on disk instead of in memory."""

from __future__ import annotations

import functools
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import Any

from groove_core.storage.remote import RemotePath, path_of

__all__ = ["Names"]

FETCHED = 1000
"""Rows that are read at a time."""


class Names:
    """Names of files in the order of their letters, each file once; may be read many times.

    They lie in a temporary database that the system removes with the process, so that a
    million names take no more memory than a thousand.
    """

    def __init__(self, names: Iterable[str | os.PathLike[str]] = ()) -> None:
        self._real = functools.lru_cache(maxsize=1024)(os.path.realpath)
        self._rows = sqlite3.connect("")  # of its own, on disk, gone when it is closed
        self._rows.executescript(
            "pragma journal_mode = off; pragma synchronous = off;"
            "create table file (name blob primary key, real blob unique, stem blob) without rowid;"
        )
        self.update(names)

    def update(self, names: Iterable[str | os.PathLike[str]]) -> None:
        """Add names; of two that lead to the same file, the first stays."""
        self._rows.executemany(
            "insert or ignore into file values (?, ?, ?)", map(self._keys, names)
        )

    def __len__(self) -> int:
        count: int = self._rows.execute("select count(*) from file").fetchone()[0]
        return count

    def __iter__(self) -> Iterator[PurePath]:
        for name in self.encoded():
            yield path_of(os.fsdecode(name))

    def encoded(self) -> Iterator[bytes]:
        """Yield the names as the system has them; ten times as fast as paths."""
        for (name,) in self._select("select name from file order by name"):
            yield name

    def shared_stems(self) -> Iterator[PurePath]:
        """Yield the paths, without their endings, of files that differ in their endings only."""
        for (stem,) in self._select("select stem from file group by stem having count(*) > 1"):
            yield path_of(os.fsdecode(stem))

    def _keys(self, name: str | os.PathLike[str]) -> tuple[bytes, bytes, bytes]:
        path = path_of(name)
        folder = str(path.parent)
        real = path if isinstance(path, RemotePath) else PurePath(self._real(folder), path.name)
        return os.fsencode(path), os.fsencode(real), os.fsencode(path.with_suffix(""))

    def _select(self, query: str) -> Iterator[Any]:
        cursor = self._rows.execute(query)
        while rows := cursor.fetchmany(FETCHED):
            yield from rows
