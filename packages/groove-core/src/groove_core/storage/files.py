"""Files: checked before they are read, never half-written."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from groove_core.endings import uninterrupted
from groove_core.errors import FULL, InputError, unwritable

__all__ = [
    "atomic_path",
    "beside",
    "check_file",
    "check_writable",
    "dump_json",
    "file_sha256",
    "in_script",
    "kept_reason",
    "printable",
    "read_json",
    "sweep",
    "sweep_below",
    "write_bytes",
    "write_text",
    "writing",
]

NAME_BYTES = 255
"""The longest name that the usual file systems hold."""
MAX_JSON_BYTES = 64 * 2**20
MAX_JSON_VALUES = 2_000_000
"""Commas and opening brackets, in texts, too."""
STAGING = ".groove"
"""How the hidden folders begin that a run writes to before its files are moved."""


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Return a temporary path beside `path` that takes its place when the block ends well.

    An error or Ctrl-C inside the block leaves nothing behind, and a reader never
    sees half a file.

    Raises
    ------
    UsageError
        If `path` cannot be written. Other errors of the block, such as a missing input, are
        passed on as they are.
    """
    target = Path(path)
    temporary = beside(target)
    try:
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary.touch(exist_ok=False)  # now, not after long work in the block
        with writing(target, temporary):
            yield temporary
        with writing(target):
            temporary.replace(target)
    finally:
        with uninterrupted(), contextlib.suppress(OSError):
            temporary.unlink()


@contextlib.contextmanager
def writing(target: Path, *places: Path) -> Iterator[None]:
    """Report that a place cannot be written, by its name and with the reason of the system.

    Parameters
    ----------
    target : path
        What the error names.
    places : paths
        Where the block writes, if it does other things, too: then only errors of these places,
        and a full disk, are errors of `target`.

    Raises
    ------
    UsageError
        Instead of an `OSError` of the target.
    """
    try:
        yield
    except OSError as error:
        # An error of writing to an open file names no file; one of opening another file does.
        inside = error.filename is None or any(
            Path(os.fsdecode(error.filename)).is_relative_to(place) for place in places
        )
        if not places or inside or error.errno in FULL:
            raise unwritable(_meant(target), error) from error
        raise


@contextlib.contextmanager
def kept_reason(file: Path | io.BytesIO) -> Iterator[Any]:
    """Open a file for a library that forgets why it could not write, and raise the reason.

    libsndfile says "System error." of a full disk. Here it is told that all was written, and
    what the file itself said is raised at the end of the block. A file in memory is given as
    it is.
    """
    if isinstance(file, io.BytesIO):
        yield file
        return
    with file.open("wb", buffering=2**20) as stream:  # callers write little at a time
        kept = _Kept(stream)
        yield kept
        if kept.reason is not None:
            raise kept.reason


class _Kept:
    """A file whose first error is kept, after which nothing is written any more."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.reason: OSError | None = None
        self.tell = file.tell

    def write(self, data: bytes) -> int:
        self._attempt(self._file.write, data)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        self._attempt(self._file.seek, offset, whence)
        return self.tell()

    def flush(self) -> None:
        self._attempt(self._file.flush)

    def _attempt(self, call: Callable[..., object], *arguments: object) -> None:
        try:
            if self.reason is None:
                call(*arguments)
        except OSError as error:
            self.reason = error


def beside(path: Path) -> Path:
    """Name a hidden file or folder beside `path` that is not there yet, of the same suffix.

    Whoever makes it knows its name before it is there, and so can remove it whatever
    happens. `tempfile.mkstemp` and `mkdtemp` tell the name after: Ctrl-C between leaves it.
    """
    stem, end = path.stem, f"-{secrets.token_hex(4)}{path.suffix}"
    if len(os.fsencode(end)) >= NAME_BYTES:  # a dot early in a long name makes no ending
        end = end[:9]
    while len(os.fsencode(f".{stem}{end}")) > NAME_BYTES:
        stem = stem[:-1]
    return path.parent / f".{stem}{end}"


def sweep(path: Path) -> None:
    """Remove what killed processes have left of a file or folder beside it; see `beside`.

    For those who are alone in the place: it would take the unfinished file of another, too.
    """
    hidden = re.compile(rf"\.{re.escape(path.stem)}-[0-9a-f]{{8}}{re.escape(path.suffix)}")
    with contextlib.suppress(OSError):
        _remove([one for one in path.parent.iterdir() if hidden.fullmatch(one.name)])


def sweep_below(folder: Path) -> None:
    """Remove what killed processes have left anywhere in a folder that holds only Groove's files.

    For those who are alone in the folder, as `sweep` is.
    """
    hidden = re.compile(r"\..+-[0-9a-f]{8}(\.\w+)?")
    with contextlib.suppress(OSError):
        _remove([one for one in folder.rglob(".*") if hidden.fullmatch(one.name)])


def _remove(hidden: list[Path]) -> None:
    for left in hidden:
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def _meant(path: Path) -> str:
    """Return the path that a hidden one is for, which is the one that people know."""
    shown = re.sub(r"\.groove-[0-9a-f]{8}[\\/]fresh[\\/]", "", str(path))
    return re.sub(r"\.([^\\/]+)-[0-9a-f]{8}(\.[^\\/.]*)?(?=[\\/]|$)", r"\1\2", shown)


def check_writable(folder: Path) -> None:
    """Try to write to a folder, making it if need be, and leave no trace.

    Raises
    ------
    UsageError
        If that fails.
    """
    made = [p for p in (folder, *folder.parents) if not p.exists()]
    try:
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as probe:
                probe.write(b"x")  # a folder may have room for names and none for content
    finally:
        for one in made:  # innermost first
            with contextlib.suppress(OSError):
                one.rmdir()


def write_bytes(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write a file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    return Path(path)


def write_text(path: str | os.PathLike[str], content: str) -> Path:
    """Write a text file atomically, as UTF-8 with line feeds."""
    return write_bytes(path, printable(content).encode())


def dump_json(document: Any, *, indent: int | None = 1) -> str:
    r"""Return JSON as Groove prints and saves it: stable bytes, no NaN.

    What UTF-8 cannot hold, as in the name of a file of other bytes, is escaped: `json.loads`
    returns the same name.

    >>> dump_json({"file": "Bj\udcf6rk.wav", "artist": "Björk"}, indent=None)
    '{"file": "Bj\\udcf6rk.wav", "artist": "Björk"}\n'
    """
    text = json.dumps(document, indent=indent, ensure_ascii=False, allow_nan=False) + "\n"
    return printable(text)


def in_script(document: Any) -> str:
    r"""Return JSON for a script element of a page: no text of it ends the element.

    >>> in_script(["</script>", "<!--<script>"])
    '["\\u003c/script>", "\\u003c!--\\u003cscript>"]'
    """
    return dump_json(document, indent=None).strip().replace("<", "\\u003c")


def printable(text: object) -> str:
    """Write out what UTF-8 cannot hold: names of files may be any bytes."""
    return str(text).encode("utf-8", "backslashreplace").decode()


def read_json(
    path: str | os.PathLike[str],
    *,
    max_bytes: int = MAX_JSON_BYTES,
    max_values: int = MAX_JSON_VALUES,
) -> Any:
    """Read a JSON document of at most `max_bytes` bytes and `max_values` values.

    Raises
    ------
    InputError
        If the file is missing, is not JSON, or is too large.
    """
    path = check_file(path, what="a JSON file", max_bytes=max_bytes)
    hint = "Give a file that Groove has written."
    content = path.read_bytes()
    # Small texts make large objects, so they are counted before they are made.
    if sum(map(content.count, (b",", b"[", b"{"))) > max_values:
        raise InputError(f"{path} holds more than {max_values:,} values.", hint=hint)
    try:
        return json.loads(content.decode())
    except RecursionError as error:
        raise InputError(f"{path} is nested too deeply.", hint=hint) from error
    except ValueError as error:
        raise InputError(f"{path} is not a JSON file: {error}.", hint=hint) from error


def check_file(
    path: str | os.PathLike[str], *, what: str = "a file", max_bytes: int | None = None
) -> Path:
    """Check that a path is a readable file with something in it.

    Raises
    ------
    InputError
        If it is missing, a folder, empty, unreadable or larger than `max_bytes`.
    """
    path = path if isinstance(path, Path) else Path(path)  # which takes as long as a look at it
    if path.is_dir():
        raise InputError(f"{path} is a folder, not {what}.", hint="Give one of the files in it.")
    if not path.exists():
        near = _nearest(path)
        raise InputError(
            f"{path} does not exist.",
            hint=f"Did you mean {near}?" if near else f"Give the path of {what}.",
        )
    if not path.is_file():  # opening a pipe would wait for ever
        raise InputError(f"{path} is no regular file.", hint=f"Give the path of {what}.")
    try:
        size = path.stat().st_size
        with path.open("rb"):
            pass
    except OSError as error:
        raise InputError(
            f"Cannot read {path}: {error.strerror or error}.", hint="Check its permissions (ls -l)."
        ) from error
    if size == 0:
        raise InputError(f"{path} is empty.", hint=f"Give {what} with something in it.")
    if max_bytes is not None and size > max_bytes:
        raise InputError(
            f"{path} is larger than {max_bytes // 2**20} MiB, too large for {what}.",
            hint="Cut it into smaller pieces.",
        )
    return path


def _nearest(path: Path) -> Path | None:
    import difflib

    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return None
    near = difflib.get_close_matches(path.name, names, n=1)
    return path.parent / near[0] if near else None


def file_sha256(path: str | os.PathLike[str]) -> str:
    """Hash the content of a file."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
