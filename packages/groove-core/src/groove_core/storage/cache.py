"""Arrays that were computed before: stored by what they were made from, in bounded space."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
import numpy.typing as npt

from groove_core.console import note
from groove_core.errors import GrooveError, UsageError
from groove_core.storage.files import atomic_path, check_file, file_sha256, kept_reason
from groove_core.storage.folders import cache_folder

__all__ = ["Cache", "Stats", "cache_folder"]

FORMAT = 1
"""Part of every key: another layout on disk is another number, and old entries are left to age."""
LIMIT_GB = 4.0
SLACK = 0.05
"""Part of the limit that a process adds before it looks at the folder again."""
MAPPED_BYTES = 2**22
"""From this size on an entry is mapped rather than read: a crop of an hour's features then
costs its own pages only. Below, reading is as fast, and each map would be one of the 65,530
that Linux allows a process."""
ABANDONED_S = 3600.0
"""Age from which an unfinished file is known to belong to a process that was killed."""
_ENTRY = re.compile(r"[0-9a-f]{64}\.npy")
_UNFINISHED = re.compile(r"\.[0-9a-f]{64}-\w+\.npy")


def _limit_bytes() -> int:
    given = os.environ.get("GROOVE_CACHE_GB", "") or str(LIMIT_GB)
    try:
        limit_gb = float(given)
    except ValueError:
        limit_gb = math.nan
    if not (math.isfinite(limit_gb) and limit_gb >= 0):
        raise UsageError(f"GROOVE_CACHE_GB cannot be {given!r}.", hint="export GROOVE_CACHE_GB=4")
    return int(limit_gb * 1e9)


@dataclasses.dataclass(frozen=True, slots=True)
class Stats:
    """What a cache holds."""

    folder: str
    entries: int
    bytes: int
    limit_bytes: int


class Cache:
    """A store of numpy arrays on disk that many processes share.

    Entries are ``ab/abcdef....npy``, written atomically and never changed. When
    the total passes the limit, the least recently used go; for a moment it may be over
    by a twentieth of the limit for each process that writes. A damaged entry is
    made again. Where the folder cannot be written, everything works without it.

    Parameters
    ----------
    folder : path, optional
        ``GROOVE_HOME/cache``, or else the system's folder for caches, when left out.
    limit_bytes : int >= 0, optional
        ``GROOVE_CACHE_GB`` times 10^9, or else 4 GB; 0 stores nothing.

    Raises
    ------
    UsageError
        If the limit is negative or ``GROOVE_CACHE_GB`` is not a number.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cache = Cache(folder)
    ...     key = cache.key({"bands": 2}, b"the content of a file")
    ...     first = cache.get(key, lambda: np.array([1.0, 2.0]))
    ...     again = cache.get(key, lambda: np.array([0.0, 0.0]))  # is not called
    >>> again
    array([1., 2.])
    """

    def __init__(
        self, folder: str | os.PathLike[str] | None = None, limit_bytes: int | None = None
    ) -> None:
        self.folder = cache_folder() if folder is None else Path(folder)
        self.limit_bytes = _limit_bytes() if limit_bytes is None else int(limit_bytes)
        if self.limit_bytes < 0:
            raise UsageError(
                "The limit of a cache cannot be negative.", hint="limit_bytes=4 * 10**9"
            )
        self._slack = int(self.limit_bytes * SLACK)
        # From anywhere within the slack, so that many short processes, which each add less
        # than it, look at the folder as often as one long process that adds as much.
        self._until_scan = self._slack * int.from_bytes(os.urandom(4), "big") // 2**32
        self._works = True

    @staticmethod
    def key(settings: Any, content: str | os.PathLike[str] | bytes | npt.NDArray[Any]) -> str:
        """Return the key of what is made with some settings from some content.

        Parameters
        ----------
        settings : dict or dataclass that JSON can hold
            All that the array depends on besides the content, with the version of the
            code that makes it.
        content : path, bytes or array
            A file counts by its bytes, whatever its name; an array by its
            bytes, type and shape.

        Raises
        ------
        InputError
            If the file cannot be read.
        UsageError
            If the settings are not JSON, or the array holds Python objects.
        """
        if dataclasses.is_dataclass(settings) and not isinstance(settings, type):
            address = f"{type(settings).__module__}:{type(settings).__qualname__}"
            settings = {address: dataclasses.asdict(settings)}
        if not isinstance(settings, Mapping):
            raise UsageError("Settings must be a dict or a dataclass.", hint='{"bands": 80}')
        about = {"format": FORMAT, "settings": settings, "content": _content(content)}
        try:
            text = json.dumps(about, sort_keys=True, separators=(",", ":"), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise UsageError(
                f"Settings cannot be stored: {error}.",
                hint="Use numbers, texts, lists and dicts only.",
            ) from error
        return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()

    def get(self, key: str, make: Callable[[], npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """Return the array of a key, read-only; `make` is called if it is not there.

        Raises
        ------
        UsageError
            If `make` gives an array of Python objects, or the key is not one of `key`.
        """
        if not _ENTRY.fullmatch(f"{key}.npy"):
            raise UsageError(
                f"{key!r} is not a key of a cache.", hint="cache.key(settings, content)"
            )
        path = self._path(key)
        stored = _load(path)
        if stored is not None:
            with contextlib.suppress(OSError):  # removed meanwhile, or a read-only folder
                os.utime(path)  # when it was last used; many systems do not keep access times
            return stored
        made = np.asarray(make())
        if made.dtype.hasobject:
            raise UsageError(
                "An array of Python objects cannot be stored.", hint="Give an array of numbers."
            )
        self._put(path, made)
        made = made.view()
        made.flags.writeable = False
        return made

    def stats(self) -> Stats:
        """Count what is there."""
        sizes = [size for _, size, _ in self._scan()]
        return Stats(str(self.folder), len(sizes), sum(sizes), self.limit_bytes)

    def clear(self) -> int:
        """Remove all entries and nothing else; gives their number."""
        return self.trim(-1)  # empty ones, too; folders stay, someone may be writing there

    def trim(self, limit_bytes: int | None = None) -> int:
        """Remove the least recently used entries until the rest fits; gives their number."""
        limit = self.limit_bytes if limit_bytes is None else limit_bytes
        entries = sorted(self._scan())
        total, removed = sum(size for _, size, _ in entries), 0
        for _, size, path in entries:
            if total <= limit:
                break
            try:
                Path(path).unlink()
                removed += 1
            except FileNotFoundError:
                pass  # another process was faster
            except OSError:
                continue  # not allowed; on Windows, someone has it mapped
            total -= size
        return removed

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.npy"

    def _put(self, path: Path, array: npt.NDArray[Any]) -> None:
        if not self._works or array.nbytes > self.limit_bytes or not self.limit_bytes:
            return
        try:
            with atomic_path(path) as temporary, kept_reason(temporary) as file:
                np.save(file, array, allow_pickle=False)
        except GrooveError as error:
            if path.exists():  # another process was faster and, on Windows, has it mapped
                return
            self._works = False
            note(f"works without the cache of features: {error.message}")
            return
        self._until_scan -= array.nbytes
        if self._until_scan <= 0:
            self._until_scan = self._slack
            self.trim(self.limit_bytes - self._slack)  # so that the limit holds until the next time

    def _shards(self) -> list[str]:
        try:
            with os.scandir(self.folder) as found:
                return [e.path for e in found if re.fullmatch("[0-9a-f]{2}", e.name) and e.is_dir()]
        except OSError:
            return []

    def _scan(self) -> Iterator[tuple[int, int, str]]:
        """Yield time of last use, size and path of every entry; remove what was never finished."""
        for shard in self._shards():
            with contextlib.suppress(OSError), os.scandir(shard) as found:
                for entry in found:
                    with contextlib.suppress(OSError):  # gone since
                        if _ENTRY.fullmatch(entry.name):
                            about = entry.stat(follow_symlinks=False)
                            yield about.st_mtime_ns, about.st_size, entry.path
                        elif _UNFINISHED.fullmatch(entry.name) and _abandoned(entry):
                            Path(entry.path).unlink()


def _abandoned(entry: os.DirEntry[str]) -> bool:
    return time.time() - entry.stat().st_mtime > ABANDONED_S


def _load(path: Path) -> npt.NDArray[Any] | None:
    """Read an entry; a damaged one is removed."""
    try:
        mapped = path.stat().st_size >= MAPPED_BYTES
        array = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except OSError:
        return None
    except (ValueError, EOFError, SyntaxError, TokenError):  # cut, or not an array at all
        with contextlib.suppress(OSError):
            path.unlink()
        return None
    array = np.asarray(array)  # an array like any other, mapped or not
    array.flags.writeable = False
    return array


def _content(content: Any) -> list[Any]:
    """Name the content by its hash; the kinds of content never meet."""
    if isinstance(content, np.ndarray):
        if content.dtype.hasobject:
            raise UsageError(
                "An array of Python objects has no content to hash.", hint="Give numbers."
            )
        flat = np.ascontiguousarray(content).reshape(-1).view(np.uint8)
        kind = repr(content.dtype.descr)  # byte order and names of fields belong to it
        return ["array", kind, list(content.shape), hashlib.sha256(flat.data).hexdigest()]
    if isinstance(content, bytes):
        return ["bytes", hashlib.sha256(content).hexdigest()]
    return ["file", file_sha256(check_file(content))]
