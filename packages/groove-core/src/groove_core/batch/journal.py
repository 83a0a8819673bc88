"""What became of each of many files, as lines of JSON on disk that outlive an interruption."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

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

__all__ = ["SCHEMA", "Current", "Identity", "Journal", "Outcome", "open_journal", "read_settings"]

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

    def to_json(self) -> dict[str, Any]:
        """Return the outcome as one line of a journal holds it."""
        return {k: v for k, v in asdict(self).items() if v is not None or k in ("size", "mtime_ns")}


Current = Callable[[Outcome], bool]


def read_settings(out: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Read the settings a journal was made with; None if there is no journal."""
    try:
        with Path(out).open("rb") as stream:
            header = json.loads(stream.readline(2**20))
        settings = header["settings"] if header["schema"] == SCHEMA else None
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return settings if isinstance(settings, dict) else None


class Journal:
    """Lines on disk, and where each is; the lines themselves need no memory."""

    def __init__(
        self, path: Path, settings: dict[str, Any], overwrite: bool, current: Current | None
    ) -> None:
        self.path = path
        header = _line({"schema": SCHEMA, "settings": settings})
        if overwrite or not _begun(path, header):
            write_bytes(path, header)
        self.known: dict[str, tuple[Identity, int]] = {}
        self.order: list[int] = []
        """Where the lines of this run begin."""
        found = read_settings(path)
        if found != json.loads(header)["settings"]:
            what = "is another kind of file" if found is None else "was made with other settings"
            raise UsageError(
                f"{path} {what}.",
                hint="--overwrite to begin anew, or another --out to keep it.",
            )
        self.stream = path.open("r+b")
        self.begin = self.end = len(self.stream.readline())
        for line in self.stream:
            if not line.endswith(b"\n"):
                break  # the process that wrote it was killed
            with contextlib.suppress(ValueError, TypeError, KeyError):
                outcome = Outcome(**json.loads(line))
                if outcome.error:
                    holds = _stays(outcome.error)
                else:
                    holds = current is None or current(outcome)
                if holds:
                    identity = outcome.size, outcome.mtime_ns
                    self.known[outcome.file] = identity, self.end
            self.end += len(line)
        self.stream.truncate(self.end)

    def close(self) -> None:
        """Close the file; its lock is `open_journal`'s."""
        with contextlib.suppress(OSError):  # of a line that `append` could not write: it has told
            self.stream.close()

    def has(self, file: str, identity: Identity) -> bool:
        """Return whether there is an outcome of the file as it is now."""
        return None not in identity and self.known.get(file, (None, 0))[0] == identity

    def take(self, file: str) -> Outcome:
        """Return the outcome that is there as the next one."""
        start = self.known[file][1]
        self.order.append(start)
        self.stream.seek(start)
        return Outcome(**json.loads(self.stream.readline()))

    def append(self, outcome: Outcome) -> None:
        """Write the next outcome; what a killed process leaves of a line is dropped later."""
        line = _line(outcome.to_json())
        self.order.append(self.end)
        with writing(self.path):  # the same again continues where it stopped
            self.stream.seek(self.end)
            self.stream.write(line)
            self.stream.flush()
        self.end += len(line)

    def finish(self) -> None:
        """Leave exactly one line per file, in order."""
        position = self.begin
        for start in self.order:
            if start != position:
                break
            self.stream.seek(start)
            position += len(self.stream.readline())
        else:
            if position == self.end:
                return
        with atomic_path(self.path) as temporary, temporary.open("wb") as copy:
            for start in [0, *self.order]:
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
    path: Path, settings: dict[str, Any], overwrite: bool, current: Current | None
) -> Iterator[Journal]:
    """Open a journal for this process alone."""
    check_writable(path.parent)
    with locked(path, path.with_name(f".{path.name}.lock")):
        sweep(path)
        with contextlib.closing(Journal(path, settings, overwrite, current)) as journal:
            yield journal
