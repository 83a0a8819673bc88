"""Folders of files: what is wanted of them, and what is passed over."""

from __future__ import annotations

import os
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from groove_core.console import note
from groove_core.errors import InputError
from groove_core.storage.files import printable

__all__ = ["RESULT", "Found", "cache_folder", "find_files", "is_hidden", "is_map", "list_files"]

RESULT = "result.json"
"""What a run writes beside its files."""
PEEK_BYTES = 2**16
"""How much of a JSON file is looked at to tell what it is."""
ENDINGS_SHOWN = 4


def cache_folder() -> Path:
    """Return the folder of what can be made again: in ``GROOVE_HOME``, or the system's place."""
    home = os.environ.get("GROOVE_HOME")
    if home:
        return Path(home, "cache")
    import platformdirs

    return Path(platformdirs.user_cache_dir("groove"))


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
    folder: str | os.PathLike[str],
    suffixes: Iterable[str],
    *,
    kinds: Callable[[str], bool] | None = None,
) -> list[Path]:
    """List the files below a folder that have one of the endings; see `find_files`."""
    return find_files(folder, suffixes, kinds=kinds).files


def find_files(
    folder: str | os.PathLike[str],
    suffixes: Iterable[str],
    *,
    kinds: Callable[[str], bool] | None = None,
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
    kinds : callable of (str) -> bool, optional
        Whether a kind of value is wanted: other ``.json`` files are passed over, as is
        ``result.json``.

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
    wanted = {"." + suffix.lower().lstrip(".") for suffix in suffixes}
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
    inside = is_map(found.folder)  # it is full of results, and was named itself
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
        names = [entry.name for entry in entries]
        if folder != found.folder and (
            _is_map(folder, names) or (not inside and _is_result(folder))
        ):
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
    return _beginning(folder / RESULT, r'"schema"\s*:\s*"groove\.result/') is not None


def is_map(folder: Path) -> bool:
    """Return whether a folder holds the results of ``groove map``, of all files or of a shard."""
    try:
        return _is_map(folder, os.listdir(folder))  # noqa: PTH208 - names
    except OSError:
        return False


def _is_map(folder: Path, names: Iterable[str]) -> bool:
    journals = (name for name in names if re.fullmatch(r"results(\.\d+-of-\d+)?\.jsonl", name))
    schema = r'"schema"\s*:\s*"groove\.outcomes/'
    return any(_beginning(folder / name, schema) is not None for name in journals)


def _holds(path: Path, kinds: Callable[[str], bool]) -> bool:
    """Return whether a JSON file seems to hold a value of a wanted kind."""
    if path.name == RESULT:
        return False
    found = _beginning(path, r'"kind"\s*:\s*"([\w-]{1,64})"')
    return found is not None and kinds(found[1].decode())


def _beginning(path: Path, pattern: str) -> re.Match[bytes] | None:
    """Look for a pattern at the beginning of a file, however long and whatever it is."""
    if not os.path.isfile(path):  # noqa: PTH113 - as above; opening a pipe would wait for ever
        return None
    try:
        with path.open("rb") as stream:
            return re.search(pattern.encode(), stream.read(PEEK_BYTES))
    except OSError:
        return None
