"""Files: checked before they are read, never half-written."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from groove_core.errors import InputError, UsageError

__all__ = [
    "atomic_path",
    "beside",
    "check_file",
    "check_writable",
    "dump_json",
    "file_sha256",
    "list_files",
    "printable",
    "read_json",
    "write_bytes",
    "write_text",
]


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path` that takes its place when the block ends well.

    An error or Ctrl-C inside the block leaves nothing behind, and a reader never
    sees half a file.

    Raises
    ------
    UsageError
        If the folder cannot be written.
    """
    target = Path(path)
    temporary = beside(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch(exist_ok=False)  # now, not after long work in the block
        yield temporary
        temporary.replace(target)
    except OSError as error:
        raise _unwritable(target, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def beside(path: Path) -> Path:
    """Name a hidden file or folder beside `path` that is not there yet, of the same suffix.

    Whoever makes it knows its name before it is there, and so can remove it whatever
    happens. `tempfile.mkstemp` and `mkdtemp` tell the name after: Ctrl-C between leaves it.
    """
    return path.parent / f".{path.stem}-{secrets.token_hex(4)}{path.suffix}"


def _unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError(
        f"Cannot write to {path}: {error.strerror or error}.",
        hint="Choose a folder you may write to, for example with --out FOLDER.",
    )


def check_writable(folder: Path) -> None:
    """Try to write to a folder, making it if need be, and leave no trace.

    Raises
    ------
    UsageError
        If that fails.
    """
    made = [p for p in (folder, *folder.parents) if not p.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _unwritable(folder, error) from error
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
    return write_bytes(path, content.encode())


def dump_json(document: Any, *, indent: int | None = 1) -> str:
    """Give JSON as Groove prints and saves it: stable bytes, no NaN."""
    return json.dumps(document, indent=indent, ensure_ascii=False, allow_nan=False) + "\n"


def printable(text: object) -> str:
    """Write out what UTF-8 cannot hold: names of files may be any bytes."""
    return str(text).encode("utf-8", "backslashreplace").decode()


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read a JSON document.

    Raises
    ------
    InputError
        If the file is missing or is not JSON.
    """
    path = check_file(path, what="a JSON file")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} is not a JSON file: {error}.", hint="Give a file that Groove has written."
        ) from error


def check_file(
    path: str | os.PathLike[str], *, what: str = "a file", max_bytes: int | None = None
) -> Path:
    """Check that a path is a readable file with something in it.

    Raises
    ------
    InputError
        If it is missing, a folder, empty, unreadable or larger than `max_bytes`.
    """
    path = Path(path)
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
            f"Cannot read {path}: {error.strerror}.", hint="Check its permissions (ls -l)."
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


def list_files(folder: str | os.PathLike[str], suffixes: Iterable[str]) -> list[Path]:
    """List the files below a folder that have one of the endings, in a fixed order.

    Raises
    ------
    InputError
        If the folder is missing or has no such file.
    """
    folder = Path(folder)
    wanted = {"." + suffix.lower().lstrip(".") for suffix in suffixes}
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise InputError(f"{folder} does not exist.", hint="Give a folder of files.")
    found = sorted(
        (p for p in folder.rglob("*") if p.suffix.lower() in wanted and p.is_file()),
        key=lambda p: p.relative_to(folder).as_posix(),
    )
    if not found:
        raise InputError(
            f"{folder} holds no {' or '.join(sorted(wanted))} file.",
            hint="Give a folder that does; subfolders are searched, too.",
        )
    return found


def file_sha256(path: str | os.PathLike[str]) -> str:
    """Hash the content of a file."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
