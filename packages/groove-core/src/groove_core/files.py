"""Files: checked before they are read, never half-written."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import tempfile
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from groove_core.console import note
from groove_core.errors import InputError, UsageError

__all__ = [
    "RESULT",
    "Found",
    "atomic_path",
    "beside",
    "check_file",
    "check_writable",
    "dump_json",
    "file_sha256",
    "find_files",
    "is_hidden",
    "list_files",
    "printable",
    "read_json",
    "write_bytes",
    "write_text",
]

RESULT = "result.json"
"""What a run writes beside its files."""
NAME_BYTES = 255
"""The longest name that the usual file systems hold."""
PEEK_BYTES = 2**16
"""How much of a JSON file is looked at to tell what it is."""
ENDINGS_SHOWN = 4


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
    stem, end = path.stem, f"-{secrets.token_hex(4)}{path.suffix}"
    if len(os.fsencode(end)) >= NAME_BYTES:  # a dot early in a long name makes no ending
        end = end[:9]
    while len(os.fsencode(f".{stem}{end}")) > NAME_BYTES:
        stem = stem[:-1]
    return path.parent / f".{stem}{end}"


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


@dataclass
class Found:
    """The wanted files of a folder, and what else is in it."""

    folder: Path
    files: list[Path] = field(default_factory=list)
    """In a fixed order: by their path below the folder."""
    hidden: int = 0
    """Files and folders."""
    results: int = 0
    """Folders that Groove has written."""
    locked: int = 0
    """Folders that cannot be read."""
    others: Counter[str] = field(default_factory=Counter)
    """Other files, by their ending."""

    @property
    def passed_over(self) -> str:
        """What is in the folder besides the files, in words."""
        parts = [
            f"{self.hidden} hidden" if self.hidden else "",
            f"{self.results} result{'s' * (self.results > 1)} of Groove" if self.results else "",
            f"{self.locked} that cannot be read" if self.locked else "",
        ]
        if count := self.others.total():
            common = sorted(self.others.items(), key=lambda item: (-item[1], item[0]))
            listed = ", ".join(f"{ending} {n}" for ending, n in common[:ENDINGS_SHOWN])
            more = ", ..." if len(self.others) > ENDINGS_SHOWN else ""
            parts.append(f"{count} other{'s' * (count > 1)} ({listed}{more})")
        return ", ".join(filter(None, parts))


def list_files(
    folder: str | os.PathLike[str], suffixes: Iterable[str], *, kinds: Iterable[str] = ()
) -> list[Path]:
    """List the files below a folder that have one of the endings; see `find_files`."""
    return find_files(folder, suffixes, kinds=kinds).files


def find_files(
    folder: str | os.PathLike[str], suffixes: Iterable[str], *, kinds: Iterable[str] = ()
) -> Found:
    """Find the files below a folder that have one of the endings, and say what is passed over.

    Hidden files and folders (a name that begins with a dot) and folders that hold a result of
    Groove are passed over. Folders that are links are followed; each folder is searched
    once, so that loops end. What is named itself is always taken: a file of any name, a hidden
    folder, and the folder of one result.

    Parameters
    ----------
    folder : path of a folder or of one file
    suffixes : iterable of str
        Wanted endings, with or without a dot, in any case.
    kinds : iterable of str, optional
        Wanted kinds of value: other ``.json`` files are passed over, as is ``result.json``.

    Raises
    ------
    InputError
        If the folder is missing or has no such file.
    """
    found = Found(Path(folder))
    if found.folder.is_file():
        found.files.append(found.folder)
        return found
    if not found.folder.is_dir():
        raise InputError(f"{folder} does not exist.", hint="Give a folder of files.")
    wanted, kinds = {"." + suffix.lower().lstrip(".") for suffix in suffixes}, tuple(kinds)
    for path in _walk(found):
        ending = path.suffix.lower()
        if ending in wanted and not (ending == ".json" and kinds and not _holds(path, kinds)):
            found.files.append(path)
        else:
            found.others[ending or "none"] += 1
    found.files.sort(key=lambda path: path.relative_to(folder).as_posix())
    if not found.files:
        rest = f" (passed over: {found.passed_over})" if found.passed_over else ""
        raise InputError(
            f"{folder} holds no {' or '.join(sorted(wanted))} file{rest}.",
            hint="Give the folder of one result."
            if found.results
            else "Give a folder that does; subfolders are searched, too.",
        )
    if found.passed_over:
        note(f"passed over in {printable(folder)}: {found.passed_over}")
    return found


def _walk(found: Found) -> Iterator[Path]:
    """Yield the files below a folder that are not hidden, and count what is passed over."""
    inside = _is_map(found.folder)  # it is full of results, and was named itself
    searched: set[tuple[int, int]] = set()
    folders, links = [found.folder], deque[Path]()
    while folders or links:
        folder = folders.pop() if folders else links.popleft()  # a folder goes by its own name
        try:
            about = folder.stat()
            with os.scandir(folder) as scanned:
                entries = sorted(scanned, key=lambda entry: entry.name)
        except OSError:
            found.locked += 1
            continue
        if (about.st_dev, about.st_ino) in searched:
            continue
        searched.add((about.st_dev, about.st_ino))
        if folder != found.folder and (_is_map(folder) or (not inside and _is_result(folder))):
            found.results += 1
            continue
        for entry in entries:
            path = Path(entry.path)
            if is_hidden(entry.name):
                found.hidden += 1
            elif os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises what it cannot look at
                (links if entry.is_symlink() else folders).append(path)
            else:
                yield path


def is_hidden(path: str | PurePath) -> bool:
    """Return whether a name, or a part of a relative path, begins with a dot."""
    return any(part.startswith(".") for part in PurePath(path).parts)


def _is_result(folder: Path) -> bool:
    return _begins(folder / RESULT, r'"schema"\s*:\s*"groove\.result/')


def _is_map(folder: Path) -> bool:
    return _begins(folder / "results.jsonl", r'"schema"\s*:\s*"groove\.outcomes/')


def _holds(path: Path, kinds: tuple[str, ...]) -> bool:
    """Return whether a JSON file seems to hold a value of one of the kinds."""
    named = "|".join(map(re.escape, kinds))
    return path.name != RESULT and _begins(path, rf'"kind"\s*:\s*"(?:{named})"')


def _begins(path: Path, pattern: str) -> bool:
    """Look for a pattern at the beginning of a file, however long and whatever it is."""
    if not os.path.isfile(path):  # noqa: PTH113 - as above; opening a pipe would wait for ever
        return False
    try:
        with path.open("rb") as stream:
            return re.search(pattern.encode(), stream.read(PEEK_BYTES)) is not None
    except OSError:
        return False


def file_sha256(path: str | os.PathLike[str]) -> str:
    """Hash the content of a file."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
