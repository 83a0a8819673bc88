"""What became of each of many files, as lines of JSON on disk that outlive an interruption."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from groove_core import errors
from groove_core.errors import InputError, UsageError
from groove_core.storage.files import (
    atomic_path,
    check_writable,
    dump_json,
    sweep,
    write_bytes,
    writing,
)
from groove_core.storage.locks import locked

__all__ = [
    "SCHEMA", "Current", "Header", "Identity", "Journal", "Outcome", "open_journal", "read_header",
    "read_outcomes", "read_settings",
]  # fmt: skip

SCHEMA = "groove.outcomes/1"
Identity = tuple[int | None, int | None]
"""Size and time of change of a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one file; one line of a journal.

    Either `result` or `error` is there. An error has ``kind`` (the class of the
    error; ``OSError``, ``Bug``, ``WorkerDied`` or ``Timeout``), ``message``, ``hint`` and the
    ``exit_code`` that the error has on its own.
    """

    file: str
    size: int | None = None
    """Bytes; None if the file could not be read."""
    mtime_ns: int | None = None
    """When the file was last changed, in nanoseconds since 1970."""
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None

    def check(self) -> dict[str, Any]:
        """Return the result, or raise the error, for work that is of no use in parts.

        Raises
        ------
        GrooveError
            Of the kind that it was where it happened.
        """
        if self.error is None:
            return self.result or {}
        raise self.to_error()

    def to_error(self) -> errors.GrooveError:
        """Return the error as the kind that it was where it happened, or nearest to it."""
        assert self.error is not None
        kind = getattr(errors, self.error["kind"], errors.GrooveError)
        if self.error["exit_code"] == InputError.exit_code:  # of the system, or of a package
            kind = InputError
        return kind(self.error["message"], hint=self.error["hint"])

    def to_json(self) -> dict[str, Any]:
        """Return the outcome as one line of a journal holds it."""
        return {k: v for k, v in asdict(self).items() if v is not None or k in ("size", "mtime_ns")}


Current = Callable[[Outcome], bool]


@dataclass(frozen=True, slots=True)
class Header:
    """The first line of a journal."""

    settings: dict[str, Any]
    """All that the results depend on besides the files."""
    shard: dict[str, Any] | None = None
    """Of which part of a list it is the journal; see `groove_core.batch.shards`."""

    def to_line(self) -> bytes:
        """Return the line."""
        document = {"schema": SCHEMA, "settings": self.settings, "shard": self.shard}
        return _line({key: value for key, value in document.items() if value is not None})

    def replaces(self, other: Header) -> bool:
        """Return whether a journal with the other header goes on under this one.

        A shard does when the list has grown or shrunk, but not with other settings.
        """
        now, before = (h.shard and (h.shard["number"], h.shard["of"]) for h in (self, other))
        return (self.settings, now) == (other.settings, before)


def read_header(out: str | os.PathLike[str]) -> Header | None:
    """Read the first line of a journal; None if there is no journal."""
    try:
        with Path(out).open("rb") as stream:
            found = json.loads(stream.readline(2**20))
        header = Header(found["settings"], found.get("shard"))
        if found["schema"] != SCHEMA or not isinstance(header.settings, dict):
            return None
        return header if header.replaces(header) else None  # its shard has what it needs
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def read_settings(out: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Read the settings a journal was made with; None if there is no journal."""
    header = read_header(out)
    return None if header is None else header.settings


def read_outcomes(out: str | os.PathLike[str]) -> Iterator[Outcome]:
    """Read the outcomes of a journal that is finished.

    Raises
    ------
    InputError
        If it is not there, or a line is damaged.
    """
    try:
        with Path(out).open("rb") as stream:
            stream.readline()
            for line in stream:
                yield Outcome(**json.loads(line))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"{out} is no finished journal: {error}.", hint="Run what has made it again."
        ) from error


class Journal:
    """Lines on disk, and where each is; neither the lines nor their places need memory."""

    def __init__(
        self, path: Path, header: Header, overwrite: bool, current: Current | None
    ) -> None:
        self.path = path
        line = header.to_line()
        if overwrite or not _begun(path, line):
            write_bytes(path, line)
        found = read_header(path)
        wanted = Header(**{**asdict(header), "settings": json.loads(line)["settings"]})
        if found is None or not wanted.replaces(found):
            what = "is another kind of file" if found is None else "was made with other settings"
            if found is not None and found.settings == wanted.settings:
                what = "is the journal of another shard"
            raise UsageError(
                f"{path} {what}.",
                hint="--overwrite to begin anew, or another --out to keep it.",
            )
        self.header = line
        self.places = sqlite3.connect("")  # on disk until it is closed
        self.places.executescript(
            "pragma journal_mode = off; pragma synchronous = off;"
            "create table known (file blob primary key, size, mtime_ns, start) without rowid;"
            "create table turn (start);"
        )
        self.stream = path.open("r+b")
        self.old = self.stream.readline()
        self.end = len(self.old)
        self.places.executemany(
            "insert or replace into known values (?, ?, ?, ?)", self._lines(current)
        )
        self.stream.truncate(self.end)
        self.straight = len(self.old)
        """Up to where the lines of this run stand in their order."""

    def _lines(self, current: Current | None) -> Iterator[tuple[bytes, int, int, int]]:
        """Yield where the lines are that hold; what a killed process left of one ends them."""
        for line in self.stream:
            if not line.endswith(b"\n"):
                break
            with contextlib.suppress(ValueError, TypeError, KeyError):
                outcome = Outcome(**json.loads(line))
                if outcome.error:
                    holds = _stays(outcome.error)
                else:
                    holds = current is None or current(outcome)
                file, size, mtime_ns = os.fsencode(outcome.file), outcome.size, outcome.mtime_ns
                if holds and isinstance(size, int) and isinstance(mtime_ns, int):
                    yield file, size, mtime_ns, self.end
            self.end += len(line)

    def close(self) -> None:
        """Close the file; its lock is `open_journal`'s."""
        self.places.close()
        with contextlib.suppress(OSError):  # of a line that `append` could not write: it has told
            self.stream.close()

    def has(self, file: str, identity: Identity) -> bool:
        """Return whether there is an outcome of the file as it is now."""
        found = self.places.execute(
            "select 1 from known where (file, size, mtime_ns) = (?, ?, ?)",
            (os.fsencode(file), *identity),
        )
        return found.fetchone() is not None

    def take(self, file: str) -> Outcome:
        """Return the outcome that is there as the next one."""
        (start,) = self.places.execute(
            "select start from known where file = ?", (os.fsencode(file),)
        ).fetchone()
        self.stream.seek(start)
        line = self.stream.readline()
        self._turn(start, len(line))
        return Outcome(**json.loads(line))

    def append(self, outcome: Outcome) -> None:
        """Write the next outcome; what a killed process leaves of a line is dropped later."""
        line = _line(outcome.to_json())
        self._turn(self.end, len(line))
        with writing(self.path):  # the same again continues where it stopped
            self.stream.seek(self.end)
            self.stream.write(line)
            self.stream.flush()
        self.end += len(line)

    def _turn(self, start: int, length: int) -> None:
        self.places.execute("insert into turn values (?)", (start,))
        if start == self.straight:
            self.straight += length

    def finish(self) -> None:
        """Leave exactly one line per file, in order, under the header of this run."""
        if self.straight == self.end and self.header == self.old:
            return
        with atomic_path(self.path) as temporary, temporary.open("wb") as copy:
            copy.write(self.header)
            for (start,) in self.places.execute("select start from turn order by rowid"):
                self.stream.seek(start)
                copy.write(self.stream.readline())


def _begun(path: Path, header: bytes) -> bool:
    """Return whether there is more than (a part of) the header."""
    if not path.exists():
        return False
    try:
        with path.open("rb") as stream:
            return not header.startswith(stream.read(len(header) + 1))
    except OSError as error:
        raise UsageError(
            f"{path} is not a file that can be read: {error.strerror or error}.",
            hint="Give another --out.",
        ) from error


def _line(document: dict[str, Any]) -> bytes:
    return dump_json(document, indent=None).encode()


def _stays(error: dict[str, Any]) -> bool:
    """Return whether an unchanged file will fail again, as a broken one does."""
    return bool(error["exit_code"] == InputError.exit_code and error["kind"] != "OSError")


@contextlib.contextmanager
def open_journal(
    path: Path, header: Header, overwrite: bool, current: Current | None
) -> Iterator[Journal]:
    """Open a journal for this process alone."""
    check_writable(path.parent)
    with locked(path, path.with_name(f".{path.name}.lock")):
        sweep(path)
        with contextlib.closing(Journal(path, header, overwrite, current)) as journal:
            yield journal
