"""What stands beside and in front of weights: cards, headers, hashes of what was learnt.

All of it is read and checked without torch. ``learnt.json`` holds the hashes, if the card has
``data.learnt`` (see `groove_core.learning.splits`).
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
from pathlib import Path
from typing import Any

from groove_core.errors import CheckpointError, InputError
from groove_core.storage.files import check_file, dump_json, file_sha256, read_json

__all__ = [
    "CARD", "LEARNT", "REQUIRED", "SCHEMA", "WEIGHTS", "read_card", "read_header", "read_learnt",
    "verify", "write_learnt",
]  # fmt: skip

SCHEMA = "groove.checkpoint/1"
WEIGHTS = "model.safetensors"
CARD = "card.json"
LEARNT = "learnt.json"
REQUIRED = (
    "schema", "name", "version", "package", "model", "config", "sha256", "data", "metrics",
    "seed", "made_with", "license", "intended_use", "limits", "paper",
)  # fmt: skip
TABLES = ("config", "data", "metrics", "made_with")
MAX_CARD = 2**22
"""Bytes of a card; with all that is measured they have a tenth of it."""
MAX_LEARNT = 2**28
"""Bytes of the hashes of what was learnt: ten million groups."""
MAX_HEADER = 2**20
"""Bytes of a header: those of some ten thousand tensors."""
DTYPES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "U16": 2, "I16": 2, "F16": 2,
    "BF16": 2, "U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8,
}  # fmt: skip
"""Bytes of a number of each type."""
EXPONENTS = {"F16": 0x7C00, "BF16": 0x7F80, "F32": 0x7F800000, "F64": 0x7FF0000000000000}
"""The bits that are all set in what is no number, or infinite."""


def read_card(folder: str | Path) -> dict[str, Any]:
    """Read and check the card of a checkpoint.

    Raises
    ------
    CheckpointError
        If it is missing, broken, incomplete or of another schema.
    """
    path = Path(folder, CARD)
    if not path.exists():
        raise CheckpointError(
            f"{folder} is not a checkpoint: it has no {CARD}.",
            hint="groove models list shows the checkpoints there are.",
        )
    try:
        card = read_json(path, max_bytes=MAX_CARD)
    except InputError as error:
        raise CheckpointError(f"{path} is broken: {error.message}", hint=_REINSTALL) from error
    except OSError as error:
        raise CheckpointError(f"{path} is broken: {error}.", hint=_REINSTALL) from error
    if not isinstance(card, dict) or card.get("schema") != SCHEMA:
        schema = card.get("schema") if isinstance(card, dict) else None
        raise CheckpointError(
            f"{path} has schema {schema!r}; this groove-core reads {SCHEMA!r}.",
            hint="pip install --upgrade groove-core",
        )
    missing = [key for key in REQUIRED if key not in card]
    if missing:
        raise CheckpointError(f"{path} lacks {', '.join(missing)}.", hint=_REINSTALL)
    for key in REQUIRED:
        wanted, what = (dict, "a table") if key in TABLES else (str, "a text")
        if key != "seed" and not isinstance(card[key], wanted):
            raise CheckpointError(f"{path}: {key} is not {what}.", hint=_REINSTALL)
    return card


_REINSTALL = "Copy it again, or pip install --force-reinstall the package it came with."


def read_header(folder: str | Path) -> dict[str, dict[str, Any]]:
    """Read name, type and shape of every tensor from the safetensors header.

    Raises
    ------
    CheckpointError
        If the file is missing or is not safetensors.
    """
    return _header(Path(folder, WEIGHTS))[0]


def _header(path: Path) -> tuple[dict[str, dict[str, Any]], int]:
    """Read and check the header; give it, and where the numbers begin."""
    try:
        with check_file(path, what="a file of weights").open("rb") as stream:
            (size,) = struct.unpack("<Q", stream.read(8))
            if size > MAX_HEADER:
                raise ValueError(f"its header claims {size} bytes")
            header = json.loads(stream.read(size))
            length = stream.seek(0, os.SEEK_END) - 8 - size
        if not isinstance(header, dict):
            raise ValueError("its header is not a table")
        header.pop("__metadata__", None)
        for name, about in header.items():
            if not _is_whole(about, length):
                raise ValueError(f"its header describes the tensor {name!r} wrongly")
    except InputError as error:
        raise CheckpointError(error.message, hint=_REINSTALL) from error
    except (OSError, ValueError, RecursionError, struct.error) as error:
        raise CheckpointError(f"{path} cannot be read: {error}.", hint=_REINSTALL) from error
    return header, 8 + size


def _is_whole(about: Any, length: int) -> bool:
    """Return whether what a header says of a tensor agrees with itself and with the file."""
    if not isinstance(about, dict) or about.get("dtype") not in DTYPES:
        return False
    shape, offsets = about.get("shape", 0), about.get("data_offsets", 0)
    if not all(
        isinstance(one, list) and all(type(n) is int and n >= 0 for n in one)
        for one in (shape, offsets)
    ):
        return False
    size = math.prod(shape) * DTYPES[about["dtype"]]
    return len(offsets) == 2 and offsets[1] <= length and offsets[1] - offsets[0] == size


def verify(folder: str | Path) -> dict[str, Any]:
    """Check card, header, hash and that all weights are numbers, and give the card.

    Raises
    ------
    CheckpointError
        If anything differs; the message names both sides.
    """
    card = read_card(folder)
    path = Path(folder, WEIGHTS)
    header, begin = _header(path)
    found = file_sha256(path)
    if found != card["sha256"]:
        raise CheckpointError(
            f"{path} has sha256 {found[:12]}..., its card says {str(card['sha256'])[:12]}...",
            hint=_REINSTALL,
        )
    for name, about in header.items():
        if not _is_finite(path, begin, about):
            raise CheckpointError(
                f"{path} holds weights that are not numbers (NaN or infinite), in {name}.",
                hint="Train it again from an earlier state, with a lower learning rate.",
            )
    return card


def _is_finite(path: Path, begin: int, about: dict[str, Any]) -> bool:
    """Return whether all numbers of a tensor are finite; looked at as bits, without torch."""
    import numpy as np

    bits = EXPONENTS.get(about["dtype"])
    if bits is None:
        return True
    kind = np.dtype(f"<u{DTYPES[about['dtype']]}")
    left = math.prod(about["shape"])
    with path.open("rb") as stream:
        stream.seek(begin + about["data_offsets"][0])
        while left > 0:
            numbers = np.fromfile(stream, kind, min(left, 2**20)) & kind.type(bits)
            if not len(numbers) or (numbers == bits).any():
                return False
            left -= len(numbers)
    return True


def write_learnt(folder: Path, card: dict[str, Any]) -> None:
    """Move the hashes of what was learnt out of a card, which keeps a hash of their file."""
    data = card["data"]
    if "groups" in data.get("learnt", {}):
        about = {**data["learnt"]}
        content = dump_json(about.pop("groups"), indent=None).encode()
        about["sha256"] = hashlib.sha256(content).hexdigest()
        (folder / LEARNT).write_bytes(content)
        card["data"] = {**data, "learnt": about}


def read_learnt(folder: Path, card: dict[str, Any]) -> None:
    """Put the hashes of what was learnt into a card, if it has some and they are there.

    Raises
    ------
    CheckpointError
        If they are not those that the card speaks of.
    """
    about, path = card["data"].get("learnt"), folder / LEARNT
    if not isinstance(about, dict):
        return
    about.pop("groups", None)  # they are in their own file, or nowhere
    if "sha256" not in about or not path.is_file():
        return
    if file_sha256(path) != about["sha256"]:
        raise CheckpointError(f"{path} is not the one its card speaks of.", hint=_REINSTALL)
    try:
        groups = read_json(path, max_bytes=MAX_LEARNT)
    except InputError as error:
        raise CheckpointError(error.message, hint=_REINSTALL) from error
    if not isinstance(groups, dict) or not all(
        isinstance(some, list) and all(isinstance(one, str) for one in some)
        for some in (groups.get("train"), groups.get("validation"))
    ):
        raise CheckpointError(f"{path} holds no hashes.", hint=_REINSTALL)
    about["groups"] = groups
