"""The files that ``groove map`` works on, and where the results of each go."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from groove_core.actions.params import Param
    from groove_core.batch.names import Names
    from groove_core.batch.shards import Shard

__all__ = ["Folders", "check_empty", "names_of", "places"]

LINES = ".jsonl"
"""Ending of a journal, and of an ``--out`` that is nothing else."""


def places(out: Path, shard: Shard | None, format: str | None) -> tuple[Path, Path | None]:
    """Return the journal, and the folder of the results, if there is to be one."""
    from groove_core.errors import UsageError

    if out.suffix == LINES and not out.is_dir():
        if format is not None:
            raise UsageError(
                f"{out} holds lines and no files, so --format {format} means nothing.",
                hint=f"--out {out.with_suffix('')} is a folder for files.",
            )
        return out, None
    part = "" if shard is None else f".{shard.number}-of-{shard.of}"
    return out / f"results{part}{LINES}", out


def names_of(
    first: Param, given: Sequence[PurePath], listed: Path | None, out: Path | None
) -> tuple[Names, PurePath]:
    """Return the files that are named, and the folder that all lie in.

    They keep the names they are given by, which other machines may understand, too. Where these
    do not all lie below one folder as they are written, their names begin at the root. Files in
    the folder for the results are not taken.
    """
    from groove_core.batch.names import Names
    from groove_core.errors import InputError, UsageError
    from groove_core.storage.remote import RemotePath

    if not given and listed is None:
        raise UsageError("There are no files.", hint="Give files, folders, or --files-from LIST.")
    names = Names(_each(first, given, out))
    if listed is not None:
        names.update(_read(listed))
    if not len(names):
        raise InputError(
            f"{listed} names no file." if listed else f"All files lie in the results, {out}.",
            hint="Write a name of a file in each line." if listed else "Give another --out.",
        )
    if len(given) == 1 and listed is None and Path(given[0]).is_dir():
        return names, given[0]
    if len({isinstance(path, RemotePath) for path in names}) > 1:
        raise UsageError(
            "Some files are of this computer, and some are not.", hint="Map them one after another."
        )
    if len({path.is_absolute() for path in names}) > 1 or any(".." in p.parts for p in names):
        names = Names(Path(path.parent).resolve() / path.name for path in names)
    return names, functools.reduce(_common, (path.parent for path in names))


def _common(one: PurePath, other: PurePath) -> PurePath:
    """Return the folder that both lie in, as it is written."""
    pairs = zip(one.parts, other.parts, strict=False)
    return type(one)(
        *(part for part, _ in itertools.takewhile(lambda two: two[0] == two[1], pairs))
    )


def _each(first: Param, given: Sequence[PurePath], out: Path | None) -> Iterator[PurePath]:
    """Yield files, and those in folders that the action can take."""
    from groove_core.storage.folders import list_files
    from groove_core.storage.remote import RemotePath, list_remote

    def takes(kind: str) -> bool:
        return any(one.takes(kind) for one in first.kinds)

    suffixes = {suffix for kind in first.kinds for suffix in kind.suffixes}
    results = None if out is None else out.resolve()
    for name in given:
        if isinstance(name, RemotePath):
            known = name.suffix.lower().lstrip(".") in suffixes  # a file, there or not
            yield from [name] if known else list_remote(name, suffixes)
            continue
        if not (path := Path(name)).is_dir():
            yield path
            continue
        inside = results is not None and results.is_relative_to(path.resolve())
        for file in list_files(path, suffixes, kinds=takes):
            if not (inside and results in file.resolve().parents):
                yield file


def _read(listed: Path) -> Iterator[PurePath]:
    """Yield the names in a text, one in each line; ``-`` is the standard input."""
    from groove_core.errors import InputError
    from groove_core.storage.remote import path_of

    try:
        with contextlib.ExitStack() as stack:
            lines: Iterable[bytes] = sys.stdin.buffer
            if str(listed) != "-":
                lines = stack.enter_context(listed.open("rb"))
            for line in lines:
                if name := line.rstrip(b"\r\n"):
                    yield path_of(os.fsdecode(name))
    except OSError as error:
        raise InputError(
            f"{listed}: {error.strerror or error}.", hint="Give a text with a name in each line."
        ) from error


@dataclass(frozen=True, slots=True)
class Folders:
    """Where the results of each file lie: at its path in the root, without the ending.

    Where two files differ in their endings only, ``song.mid`` becomes ``song-mid``.
    """

    root: str
    out: str
    shared: frozenset[str]
    """Paths, without their endings, of more than one file."""

    @classmethod
    def of(cls, names: Names, root: PurePath, out: Path) -> Folders:
        """Name folders for all files, each another one."""
        from groove_core.errors import UsageError

        folders = cls(str(root), str(out), frozenset(map(str, names.shared_stems())))
        taken = set[Path]()
        # Only the folders of files that share a path may be those of others.
        for changed in (True, False) if folders.shared else ():
            for name in names:
                if folders.shares(name) == changed:
                    folder = folders.folder(name)
                    if folder in taken:
                        raise UsageError(
                            f"Results of two files would both be in {folder}.",
                            hint="Rename one of them.",
                        )
                    if changed:
                        taken.add(folder)
        return folders

    def shares(self, path: PurePath) -> bool:
        """Return whether another file differs from this one in its ending only."""
        return str(path.with_suffix("")) in self.shared

    def folder(self, path: PurePath) -> Path:
        """Return the folder for the results of a file."""
        inside = path.relative_to(self.root)
        if self.shares(path):
            return Path(self.out, inside.with_name(inside.name.replace(".", "-")))
        return Path(self.out, inside.with_suffix(""))


def check_empty(out: Path) -> None:
    """Check that nothing is in the folder, since no journal of ours says what it is."""
    from groove_core.errors import UsageError
    from groove_core.storage.folders import is_hidden, is_map

    if is_map(out):  # of other shards
        return
    # A map that was killed before its journal was there leaves hidden files, swept with its lock.
    if out.is_dir() and not all(is_hidden(path.name) for path in out.iterdir()):
        raise UsageError(
            f"{out} is not empty, and not from an earlier map.",
            hint="--overwrite to replace what is in it, or another --out.",
        )
