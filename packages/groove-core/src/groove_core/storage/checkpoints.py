"""Checkpoints: a folder with ``model.safetensors`` and ``card.json``, nothing pickled.

Beside them, ``learnt.json`` holds hashes of what the weights learnt from, if the card has
``data.learnt`` (see `groove_core.learning.splits`).

Cards and headers are read without torch; only `load` and `save` need it.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import math
import os
import re
import shutil
import struct
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groove_core.console import note
from groove_core.devices import resolve
from groove_core.endings import uninterrupted
from groove_core.errors import (
    CheckpointError,
    GrooveError,
    InputError,
    PluginError,
    UsageError,
    did_you_mean,
)
from groove_core.hookspecs import Run
from groove_core.plugins import loader
from groove_core.storage.files import (
    beside,
    check_file,
    check_writable,
    dump_json,
    file_sha256,
    read_json,
    writing,
)

if TYPE_CHECKING:
    import torch

__all__ = [
    "SCHEMA",
    "Stored",
    "available",
    "current_run",
    "find",
    "load",
    "place",
    "read_card",
    "read_header",
    "save",
    "storable",
    "verify",
    "write_learnt",
]

current_run: ContextVar[Run | None] = ContextVar("groove_run", default=None)
"""The run that is going on: what it loads is written down there."""

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
MAX_COMPUTED = 2**24
"""Numbers that a network computes when it is built, such as filters, and that no file has."""
MAX_PARTS = 16
"""Parts of a network, of whatever kind, for each of its tensors."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A checkpoint on disk: where it is and who brought it."""

    name: str
    package: str
    path: Path
    origin: str
    """``path``, ``project``, ``home`` or ``packaged``."""


def _roots(package: str, everything: list[loader.Installed]) -> Iterator[tuple[str, Path]]:
    """Yield the folders that may hold checkpoints of a package, in search order."""
    yield "project", Path("groove-models", package)
    home = os.environ.get("GROOVE_HOME")
    if home:
        yield "home", Path(home, "models", package)
    try:
        module = loader.find(package, everything).module.partition(".")[0]
    except PluginError:
        return
    spec = importlib.util.find_spec(module)
    for location in (spec and spec.submodule_search_locations) or ():
        yield "packaged", Path(location, "weights")


def available(package: str | None = None) -> list[Stored]:
    """List the checkpoints that can be named; no plugin and no torch is imported."""
    everything = loader.installed()
    packages = [package] if package else sorted({entry.name for entry in everything})
    return [
        Stored(folder.name, one, folder, origin)
        for one in packages
        for origin, root in _roots(one, everything)
        if root.is_dir()
        for folder in sorted(root.iterdir())
        # A hidden one was never finished: a save that was killed has left it.
        if (folder / CARD).is_file() and not folder.name.startswith(".")
    ]


def find(package: str, wanted: str | Path) -> Stored:
    """Find a checkpoint by path, or by name in the project, ``GROOVE_HOME`` or the package.

    Raises
    ------
    CheckpointError
        If there is none.
    """
    path = Path(wanted)
    stored = available(package)
    # A bare word is a name, even where a folder happens to be called so.
    if path.name == str(wanted):
        for one in stored:
            if one.name == str(wanted):
                return one
    if (path / CARD).is_file():
        return Stored(path.name, package, path, "path")
    if path.is_dir():
        raise CheckpointError(
            f"{path} is not a checkpoint: it has no {CARD}.",
            hint="groove models list shows the checkpoints there are.",
        )
    names = [one.name for one in stored]
    raise CheckpointError(
        f"{package} has no checkpoint {str(wanted)!r}.",
        hint=did_you_mean(str(wanted), names) or f"There is {', '.join(names) or 'none'}.",
    )


def place(package: str, name: str | None, into: Path | None, default: str) -> tuple[str, Path]:
    """Return the name and the folder of a checkpoint that is to be trained.

    Raises
    ------
    UsageError
        If it cannot be called so, or the folder cannot be written: now, not after the training.
    """
    name = name or (into.name if into else default)
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise UsageError(f"A model cannot be called {name!r}.", hint="--name my-model")
    folder = into or Path("groove-models", package, name)
    check_writable(folder)
    return name, folder


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


def _remove(folder: Path) -> None:
    with uninterrupted():
        shutil.rmtree(folder, ignore_errors=True)


def save(
    folder: str | Path, model: torch.nn.Module, card: dict[str, Any], *, half: bool = False
) -> Path:
    """Write a checkpoint. An existing one is replaced when the new one is complete.

    A kill between its two files leaves a card that does not fit, which `load` refuses.

    Parameters
    ----------
    folder : path
    model : torch.nn.Module
        Its state is written, and its class and ``config`` attribute go on the card.
    card : dict
        What the card says beyond ``schema``, ``model``, ``config`` and ``sha256``.
    half : bool
        Store 16-bit floats; `load` makes them 32-bit again.
    """
    folder = Path(folder)
    made = beside(folder)
    with contextlib.ExitStack() as stack:
        stack.callback(_remove, made)
        stack.enter_context(writing(folder))
        folder.parent.mkdir(parents=True, exist_ok=True)
        made.mkdir()
        tensors = storable(model.state_dict())
        if half:
            tensors = {k: v.half() if v.is_floating_point() else v for k, v in tensors.items()}
        save_tensors(tensors, made / WEIGHTS)
        full = {
            "schema": SCHEMA,
            **card,
            "model": f"{type(model).__module__}:{type(model).__qualname__}",
            "config": model.config,
            "sha256": file_sha256(made / WEIGHTS),
        }
        write_learnt(made, full)
        (made / CARD).write_text(dump_json(full), encoding="utf-8")
        read_card(made)
        written = [name for name in (WEIGHTS, LEARNT, CARD) if (made / name).exists()]
        for name in written:
            (made / name).chmod(0o644)  # safetensors writes files that only their owner may read
        if folder.exists():
            # Files of a training run that live in the folder are kept.
            for name in written:
                (made / name).replace(folder / name)
        else:
            made.rename(folder)
    return folder


def write_learnt(folder: Path, card: dict[str, Any]) -> None:
    """Move the hashes of what was learnt out of a card, which keeps a hash of their file."""
    data = card["data"]
    if "groups" in data.get("learnt", {}):
        about = {**data["learnt"]}
        content = dump_json(about.pop("groups"), indent=None).encode()
        about["sha256"] = hashlib.sha256(content).hexdigest()
        (folder / LEARNT).write_bytes(content)
        card["data"] = {**data, "learnt": about}


def _read_learnt(folder: Path, card: dict[str, Any]) -> None:
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


def storable(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Copy tensors one by one: safetensors refuses those that share memory, as tied weights do."""
    return {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}


def save_tensors(
    tensors: dict[str, torch.Tensor], path: Path, metadata: dict[str, str] | None = None
) -> None:
    """Write a safetensors file; a full disk is an `OSError` here, as everywhere else."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        save_file(tensors, path, metadata)
    except SafetensorError as error:
        if (number := re.search(r"os error (\d+)", str(error))) is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error


def load(
    package: str, wanted: str | Path, kind: type[torch.nn.Module], *, device: str = "cpu"
) -> tuple[Any, dict[str, Any]]:
    """Build a model from its card and load its weights, strictly.

    Parameters
    ----------
    package : str
        Package the checkpoint must belong to.
    wanted : str or path
        See `find`.
    kind : subclass of torch.nn.Module
        Class the checkpoint must be of; it is called with the card's ``config``.
    device : str
        auto, cpu, cuda, cuda:1 or mps.

    Returns
    -------
    model, card

    Raises
    ------
    CheckpointError
        If it is missing, damaged, or belongs to another package or model.
    DeviceError
        If the device is not there or does not work.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    stored = find(package, wanted)
    path = stored.path
    card = verify(path)
    _read_learnt(path, card)
    if stored.origin != "packaged":
        note(f"weights from {path}")
    address = f"{kind.__module__}:{kind.__qualname__}"
    for what, here, there in (
        ("package", package, card["package"]),
        ("model", address, card["model"]),
    ):
        if here != there:
            raise CheckpointError(
                f"{path} is for the {what} {there}, not {here}.",
                hint="groove models list shows which checkpoint belongs to which package.",
            )
    try:
        if stored.origin != "packaged":  # a stranger's; it takes a second to import what it needs
            _compare(kind, card["config"], read_header(path))
        model = kind(**card["config"])
        model.load_state_dict(load_file(path / WEIGHTS), strict=True)
    except (
        TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RuntimeError,
        RecursionError, GrooveError, SafetensorError,
    ) as error:  # fmt: skip
        reason = " ".join(str(error).split())[:160]
        raise CheckpointError(
            f"{path} does not fit {address}: {reason}.", hint=f"pip install --upgrade {package}"
        ) from error
    _note_on_run({"name": card["name"], "version": card["version"], "sha256": card["sha256"]})
    return model.to(resolve(device)).eval(), card


def _note_on_run(about: dict[str, Any]) -> None:
    """Record on the current run, if there is one, which checkpoint was loaded."""
    run = current_run.get()
    if run is None:
        return
    wanted = run.wanted_checkpoint
    known: list[Any] = wanted if isinstance(wanted, list) else [wanted]
    if wanted is not None and about not in known:
        made_with = known[0] if known and isinstance(known[0], dict) else {}
        raise CheckpointError(
            f"The result was made with {made_with.get('name', 'other weights')} "
            f"{str(made_with.get('sha256', ''))[:12]}..., this is {about['name']} "
            f"{about['sha256'][:12]}...",
            hint="Put the checkpoint back, or groove run again to make a new result.",
        )
    if run.checkpoint is None:
        run.checkpoint = about
    else:  # an action that compares models loads several
        before = run.checkpoint if isinstance(run.checkpoint, list) else [run.checkpoint]
        run.checkpoint = [*before, about]


def _compare(
    kind: type[torch.nn.Module], config: dict[str, Any], header: dict[str, dict[str, Any]]
) -> None:
    """Compare the shapes of a model with those of its file, before any memory is taken.

    Raises
    ------
    ValueError
        If they differ; the message names both.
    """
    import torch
    from torch.nn.modules import module

    count = 0

    def counted(*_: Any) -> None:
        nonlocal count
        count += 1
        if count > MAX_PARTS * (len(header) + 1):  # "layers": 1000000000
            raise ValueError(f"its card describes a network of more than {len(header)} tensors")

    hooks = [
        module.register_module_parameter_registration_hook(counted),
        module.register_module_buffer_registration_hook(counted),
        module.register_module_module_registration_hook(counted),
    ]
    try:
        with torch.device("meta"):
            model = kind(**config)
        made = {name: list(one.shape) for name, one in model.state_dict().items()}
        computed = sum(one.numel() for one in model.buffers())
    except MemoryError as error:
        raise ValueError("its card describes more than there is memory for") from error
    finally:
        for hook in hooks:
            hook.remove()
    stored = {name: about["shape"] for name, about in header.items()}
    if computed > MAX_COMPUTED + sum(map(math.prod, stored.values())):
        raise ValueError(f"its card describes {computed:,} numbers that are in no file")
    for name in sorted(made.keys() | stored.keys()):
        if made.get(name) != stored.get(name):
            raise ValueError(
                f"{name} is {made.get(name, 'missing')} by its card and "
                f"{stored.get(name, 'missing')} in its file"
            )
