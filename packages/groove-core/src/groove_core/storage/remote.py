"""Files that no disk of this computer has: addresses that fsspec opens, such as ``s3://``.

An address goes where a path goes: it has a name, an ending, a folder. Its content is fetched by
whoever works on it, on whatever machine, and is gone afterwards.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import re
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from groove_core.errors import InputError, PluginError

__all__ = ["RemotePath", "at_hand", "identity", "list_remote", "path_of"]

LOCAL = "file://"


class RemotePath(PurePosixPath):
    """An address such as ``s3://bucket/song.flac``, with the parts of a path."""

    def __str__(self) -> str:
        return super().__str__().replace(":/", "://", 1)


def path_of(name: str | os.PathLike[str]) -> PurePath:
    """Return a name as what it is: a path of this computer, or an address."""
    text = os.fspath(name)
    if text.startswith(LOCAL):
        return Path(text.removeprefix(LOCAL))
    return RemotePath(text) if re.match(r"[A-Za-z][\w+.-]+://", text) else Path(text)


def list_remote(folder: RemotePath, suffixes: Iterable[str]) -> list[PurePath]:
    """List what lies below an address and has one of the endings; a file lists itself.

    Raises
    ------
    InputError
        If there is no such file, or the place cannot be reached.
    """
    with _reached(folder) as (system, place):
        if system.isfile(place):
            return [folder]
        system.ls(place)  # of what is not there, find says nothing
        endings = tuple("." + suffix.lower().lstrip(".") for suffix in suffixes)
        found = [
            path_of(system.unstrip_protocol(one))
            for one in system.find(place)
            if one.lower().endswith(endings)
        ]
    if not found:
        raise InputError(f"{folder} holds no {' or '.join(endings)} file.", hint="Check its name.")
    return sorted(found)


def identity(path: RemotePath) -> tuple[int | None, int | None]:
    """Return size and what changes with the content, best its time; None for what is not there."""
    try:
        with _reached(path) as (system, place):
            about = system.info(place)
            changed = next(
                (about[k] for k in ("mtime", "LastModified", "updated", "created") if k in about),
                None,
            )
            if isinstance(changed, datetime.datetime):
                changed = changed.timestamp()
            if not isinstance(changed, int | float):
                changed = zlib.crc32(system.ukey(place).encode())
            return int(about["size"]), int(changed * 10**9)
    except (InputError, KeyError, TypeError, ValueError):
        return None, None


@contextlib.contextmanager
def at_hand(path: PurePath) -> Iterator[Path]:
    """Fetch a file for as long as it is worked on; one of this computer is there already.

    Raises
    ------
    InputError
        If it cannot be fetched.
    PluginError
        If fsspec, or what it needs for the place, is not installed.
    """
    if not isinstance(path, RemotePath):
        yield Path(path)
        return
    with tempfile.TemporaryDirectory(prefix="groove-") as folder:
        file = Path(folder, path.name)
        with _reached(path) as (system, place):
            system.get_file(place, str(file))
        yield file


@contextlib.contextmanager
def _reached(path: RemotePath) -> Iterator[tuple[Any, str]]:
    """Open the place of an address, and say in its words what its library says in others."""
    try:
        from fsspec.core import url_to_fs

        yield url_to_fs(str(path))
    except ImportError as error:  # fsspec says what a place needs, in its words
        raise PluginError(
            f"{path} cannot be reached: {error}.", hint='pip install "groove-core[remote]"'
        ) from error
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist.", hint="Check its name.") from error
    except Exception as error:  # of any library, for want of a key, a network, a bucket
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{path} cannot be reached: {reason}.", hint="Check its name, and your keys for it."
        ) from error
