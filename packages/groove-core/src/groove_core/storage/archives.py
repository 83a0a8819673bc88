"""Zip and npz files: what is in them is looked at before it is unpacked, one at a time."""

from __future__ import annotations

import io
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groove_core.errors import InputError
from groove_core.storage.files import check_file, write_bytes

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["read_arrays", "read_members", "write_arrays", "zip_members"]

MAX_LIST = 32 * 2**20
"""Bytes of the list of members: that of some 200,000."""
MAX_MEMBER = 64 * 2**20
MAX_RATIO = 100
"""How many times what takes more than `SMALL` bytes may have been packed."""
SMALL = 2**20
MAX_ARRAYS, SMALL_ARRAYS = 2**30, 16 * 2**20
"""The same for all arrays of a file: many are texts or bits that repeat."""
DAMAGED = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError,
    ValueError, struct.error, tokenize.TokenError,
)  # fmt: skip


def zip_members(
    path: Path, wanted: Callable[[str], bool], *, max_bytes: int = MAX_MEMBER
) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield name and content of members of a zip file, sorted; each is read when it is called.

    Raises
    ------
    InputError
        If the file is no zip file, or lists too many. A member that is damaged or too large
        raises it when its content is asked for, so that it costs only itself.
    """
    with _opened(path, "a zip file") as archive:
        members = sorted((one for one in archive.infolist() if wanted(one.filename)),
                         key=lambda one: one.filename)  # fmt: skip
    for one in members:
        yield one.filename, partial(_content, path, one, max_bytes)


def read_members(
    path: Path, wanted: Callable[[str], bool], *, max_bytes: int = MAX_MEMBER
) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of members of a zip file, sorted: of thousands, opened only once.

    Raises
    ------
    InputError
        If the file is no zip file, lists too many, or a member is damaged or too large.
    """
    with _opened(path, "a zip file") as archive:
        for one in sorted(archive.infolist(), key=lambda one: one.filename):
            if wanted(one.filename):
                yield one.filename, _unpacked(archive, path, one, max_bytes)


def _content(path: Path, one: zipfile.ZipInfo, max_bytes: int) -> bytes:
    with _opened(path, "a zip file") as archive:
        return _unpacked(archive, path, one, max_bytes)


def _unpacked(archive: zipfile.ZipFile, path: Path, one: zipfile.ZipInfo, max_bytes: int) -> bytes:
    _check(f"{one.filename} in {path}", one.file_size, one.compress_size, max_bytes, SMALL)
    try:
        with archive.open(one) as stream:
            return stream.read(max_bytes)
    except DAMAGED as error:
        raise InputError(
            f"{one.filename} in {path} cannot be read: {error}.", hint="Unpack it yourself."
        ) from error


def _check(name: str, size: int, packed: int, max_bytes: int, small: int) -> None:
    if size > max_bytes:
        raise InputError(f"{name} unpacks to more than {max_bytes // 2**20} MiB.", hint="Split it.")
    if size > max(small, MAX_RATIO * packed):
        raise InputError(
            f"{name} unpacks to more than {MAX_RATIO} times its size.",
            hint="Unpack it yourself, and look at what is in it.",
        )


def _opened(path: Path, what: str) -> zipfile.ZipFile:
    check_file(path, what=what)
    try:
        if _list_bytes(path) > MAX_LIST:
            raise InputError(f"{path} lists too many files.", hint="Unpack it yourself.")
        return zipfile.ZipFile(path)
    except DAMAGED as error:
        raise InputError(f"{path} is not {what}: {error}.", hint=f"Give {what}.") from error


def _list_bytes(path: Path) -> int:
    """Return how long a zip file says that the list of its members is."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - 2**17))
        tail = stream.read()
    sizes = [0]
    for mark, place, kind in ((b"PK\5\6", 12, "<I"), (b"PK\6\6", 40, "<Q")):
        at = tail.rfind(mark)
        if at >= 0 and len(tail) >= at + place + struct.calcsize(kind):
            sizes += struct.unpack_from(kind, tail, at + place)
    return max(sizes)


def read_arrays(path: Path, *, what: str) -> dict[str, npt.NDArray[Any]]:
    """Read the arrays of an npz file, none of them pickled.

    Raises
    ------
    InputError
        If it is not such a file, an array is not as long as it says, or they unpack to too much.
    """
    import numpy as np

    arrays = {}
    with _opened(path, what) as archive:
        members = archive.infolist()
        size = sum(one.file_size for one in members)
        _check(str(path), size, path.stat().st_size, MAX_ARRAYS, SMALL_ARRAYS)
        try:
            for one in members:
                with archive.open(one) as stream:
                    shape, _, kind = _header(stream)
                    if math.prod(shape) * kind.itemsize > one.file_size:
                        raise ValueError(f"{one.filename} is shorter than it says")
                with archive.open(one) as stream:
                    array = np.lib.format.read_array(stream, allow_pickle=False)
                arrays[one.filename.removesuffix(".npy")] = array
        except DAMAGED as error:
            raise InputError(
                f"{path} is not {what}: {error}.", hint=f"Give {what}, as Groove writes it."
            ) from error
    return arrays


def write_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> Path:
    """Write arrays to a compressed npz file, atomically and without pickles."""
    import numpy as np

    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    return write_bytes(path, content.getvalue())


def _header(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    from numpy.lib import format as npy

    read = npy.read_array_header_1_0
    if npy.read_magic(stream) != (1, 0):
        read = npy.read_array_header_2_0
    return read(stream)
