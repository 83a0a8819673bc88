"""Parts of a list of files, for machines that know nothing of each other, and their joining.

The name of a file alone says to which part it belongs, so a file that is added later
moves no other one to another part.
"""

from __future__ import annotations

import contextlib
import hashlib
import heapq
import itertools
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, BinaryIO

from groove_core.batch.journal import Header, Outcome, read_header
from groove_core.batch.names import Names
from groove_core.errors import InputError, UsageError
from groove_core.storage.files import atomic_path, printable
from groove_core.storage.remote import path_of

__all__ = ["Part", "Shard", "merge"]

MADE_BY = ("version", "versions", "checkpoint")
"""What a result says of the code and weights behind it; the same in all parts."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One of so many parts.

    Raises
    ------
    UsageError
        If there is no such part.
    """

    number: int
    """From 1."""
    of: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of:
            raise UsageError(
                f"There is no shard {self}.", hint=f"--shard 1/{max(self.of, 1)} is the first."
            )

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``3/10``.

        Raises
        ------
        UsageError
            If it is written otherwise, or there is no such part.
        """
        found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
        if found is None:
            raise UsageError(f"{text!r} is not a shard.", hint="--shard 3/10 is the third of ten.")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def has(self, name: str | bytes | os.PathLike[str]) -> bool:
        """Return whether a file is in this part, by its name as it is written."""
        hashed = hashlib.blake2b(os.fsencode(name), digest_size=8).digest()
        return int.from_bytes(hashed) % self.of == self.number - 1

    def of_list(self, files: Iterable[str | os.PathLike[str]]) -> Part:
        """Take this part of a list."""
        return Part(self, files if isinstance(files, Names) else Names(files))


class Part:
    """The files of a shard, in the order of their names."""

    def __init__(self, shard: Shard, names: Names) -> None:
        self.shard = shard
        self._names = names
        self._length = self._listed = 0
        self._sha256 = hashlib.sha256()
        for name in names.encoded():
            self._listed += 1
            self._length += shard.has(name)
            self._sha256.update(name + b"\0")

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[PurePath]:
        for name in filter(self.shard.has, self._names.encoded()):
            yield path_of(os.fsdecode(name))

    def to_json(self) -> dict[str, Any]:
        """Return what a journal says of its part: enough to know that parts are of one list."""
        return {
            "number": self.shard.number, "of": self.shard.of, "files": self._length,
            "listed": self._listed, "names": self._sha256.hexdigest(),
        }  # fmt: skip


def merge(parts: Sequence[str | os.PathLike[str]], out: str | os.PathLike[str]) -> int:
    """Join the journals of all shards into the journal that one machine would have written.

    Parameters
    ----------
    parts : sequence of paths
        Journals of `groove_core.batch.map_files` with a shard each, in any order.
    out : path
        The joined journal, byte for byte as without shards.

    Returns
    -------
    int
        Number of files in it.

    Raises
    ------
    InputError
        If one is missing, is no journal of a shard, or is damaged.
    UsageError
        If a shard is missing, there twice, or not finished; or they are of different lists of
        files, settings, versions or weights. The message names it.
    """
    paths = [Path(part) for part in parts]
    headers = [_header(path) for path in paths]
    _check_fit(paths, headers)
    first = headers[0]
    assert first.shard is not None
    sha256 = hashlib.sha256()
    made_by: dict[str, tuple[str, Path]] = {}
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(path.open("rb")) for path in paths]
        lines = heapq.merge(
            *itertools.starmap(_lines, zip(paths, headers, streams, strict=True)),
            key=lambda line: os.fsencode(line[0].file),
        )
        with atomic_path(out) as temporary, temporary.open("wb") as joined:
            joined.write(Header(first.settings).to_line())
            for outcome, line, path in lines:
                sha256.update(os.fsencode(outcome.file) + b"\0")
                _check_made_by(outcome, path, made_by)
                joined.write(line)
            if sha256.hexdigest() != first.shard["names"]:
                raise InputError(
                    "The lines of the shards are not those of the files that they list.",
                    hint="Run the shards again, each with --overwrite.",
                )
    return int(first.shard["listed"])


def _header(path: Path) -> Header:
    header = read_header(path)
    if header is None or header.shard is None:
        what = "does not exist" if not path.exists() else "is not the journal of a shard"
        raise InputError(f"{path} {what}.", hint="Give what groove map --shard 1/3 --out has made.")
    return header


def _check_fit(paths: list[Path], headers: list[Header]) -> None:
    if not headers:
        raise UsageError("There is nothing to merge.", hint="groove map --merge part-*.jsonl")
    first, found = headers[0], dict[int, Path]()
    assert first.shard is not None
    for path, header in zip(paths, headers, strict=True):
        assert header.shard is not None
        shard = Shard(header.shard["number"], header.shard["of"])
        if shard.of != first.shard["of"]:
            raise UsageError(
                f"{path} is one of {shard.of} shards, and {paths[0]} one of {first.shard['of']}.",
                hint="Merge the shards of one run.",
            )
        if shard.number in found:
            raise UsageError(
                f"Shard {shard} is there twice: {found[shard.number]} and {path}.",
                hint="Leave one of them out.",
            )
        found[shard.number] = path
        _check_settings(paths[0], first.settings, path, header.settings)
        if header.shard["names"] != first.shard["names"]:
            raise UsageError(
                f"{path} is of another list of files ({header.shard['listed']}) than {paths[0]} "
                f"({first.shard['listed']}).",
                hint="Run the shards again with the same files, under the same names: those that "
                "are known already take no time.",
            )
    missing = [n for n in range(1, first.shard["of"] + 1) if n not in found]
    if missing:
        named = ", ".join(f"{n}/{first.shard['of']}" for n in missing[:10])
        more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
        raise UsageError(
            f"Missing: shard{'s' * (len(missing) > 1)} {named}{more}.",
            hint=f"groove map ... --shard {missing[0]}/{first.shard['of']}",
        )


def _check_settings(
    path: Path, settings: dict[str, Any], other: Path, others: dict[str, Any]
) -> None:
    for key in dict.fromkeys([*settings, *others]):
        if settings.get(key) != others.get(key):
            raise UsageError(
                f"{other} was made with other settings than {path}: {key} "
                f"{printable(json.dumps(others.get(key)))}, "
                f"not {printable(json.dumps(settings.get(key)))}.",
                hint="Merge the shards of one run.",
            )


def _check_made_by(outcome: Outcome, path: Path, seen: dict[str, tuple[str, Path]]) -> None:
    """Check that the code and the weights behind a result are those behind all others."""
    for key in MADE_BY:
        if outcome.result is None or key not in outcome.result:
            continue
        value = json.dumps(outcome.result[key], sort_keys=True)
        before, where = seen.setdefault(key, (value, path))
        if value != before:
            raise UsageError(
                f"{path} was made with another {key} than {where}: {value}, not {before}.",
                hint="Install the same versions, and run that shard again with --overwrite.",
            )


def _lines(path: Path, header: Header, stream: BinaryIO) -> Iterator[tuple[Outcome, bytes, Path]]:
    """Read the lines of a shard, which are all there and in order."""
    assert header.shard is not None
    shard = Shard(header.shard["number"], header.shard["of"])
    again = f"groove map ... --shard {shard} --out {path}"
    before, count = b"", 0
    stream.readline()
    for line in stream:
        count += 1
        try:
            outcome = Outcome(**json.loads(line))
            name = os.fsencode(outcome.file)
            whole = line.endswith(b"\n") and name > before and shard.has(name)
        except (ValueError, TypeError):
            whole = False
        if not whole:
            raise UsageError(f"Shard {shard} in {path} is not finished.", hint=again)
        before = name
        yield outcome, line, path
    if count != header.shard["files"]:
        raise UsageError(
            f"Shard {shard} in {path} has {count} of its {header.shard['files']} files.", hint=again
        )
