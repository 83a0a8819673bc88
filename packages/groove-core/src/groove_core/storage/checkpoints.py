"""Checkpoints: a folder with ``model.safetensors`` and ``card.json``, nothing pickled.

Only `load` and `save` need torch. `groove_core.storage.cards` reads and checks what stands
beside the weights.
"""

from __future__ import annotations

import contextlib
import importlib.util
import math
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
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
    PluginError,
    UsageError,
    did_you_mean,
)
from groove_core.hookspecs import Run
from groove_core.plugins import loader
from groove_core.storage.cards import (
    CARD,
    LEARNT,
    REQUIRED,
    SCHEMA,
    WEIGHTS,
    read_card,
    read_header,
    read_learnt,
    verify,
    write_learnt,
)
from groove_core.storage.files import (
    beside,
    check_writable,
    dump_json,
    file_sha256,
    write_text,
    writing,
)
from groove_core.storage.folders import cache_folder

if TYPE_CHECKING:
    import torch

__all__ = [
    "CARD", "LEARNT", "MODELS", "REQUIRED", "SCHEMA", "WEIGHTS", "Stored", "available",
    "config_of", "current_run", "find", "fitting", "load", "place", "read_card", "read_header",
    "remember", "save", "save_tensors", "storable", "verify", "write_learnt",
]  # fmt: skip

current_run: ContextVar[Run | None] = ContextVar("groove_run", default=None)
"""The run that is going on: what it loads is written down there."""

MODELS = "groove-models"
"""Folder of a project's own checkpoints: in the working folder, or in one above it."""
REMEMBERED = 200
"""Folders of trained checkpoints that are remembered, to be named when one is looked for."""
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
    yield "project", Path(MODELS, package)
    with contextlib.suppress(OSError):  # a working folder that was removed has none above it
        for parent in Path.cwd().parents:
            yield "project", parent / MODELS / package
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
        exact = [one for one in stored if one.name == str(wanted)]
        alike = [one for one in stored if one.name.lower() == str(wanted).lower()]
        if found := [*exact, *alike]:
            return found[0]
    if (path / CARD).is_file():
        return Stored(path.name, package, path, "path")
    if path.is_dir():
        raise CheckpointError(
            f"{path} is not a checkpoint: it has no {CARD}.",
            hint="groove models list shows the checkpoints there are.",
        )
    names = [one.name for one in stored]
    known = (
        f"One of this name is in {folder}: pass that folder."
        for folder in reversed(_remembered())
        if folder.name == path.name and _is_of(folder, package)
    )
    raise CheckpointError(
        f"{package} has no checkpoint {str(wanted)!r}.",
        hint=next(known, "")
        or did_you_mean(str(wanted), names)
        or (f"There is {', '.join(names)}." if names else "Train one, or pass its folder."),
    )


def _is_of(folder: Path, package: str) -> bool:
    with contextlib.suppress(CheckpointError):
        return bool(read_card(folder)["package"] == package)
    return False


def _memory() -> Path:
    return cache_folder() / "checkpoints.txt"


def _remembered() -> list[Path]:
    try:
        return [Path(line) for line in _memory().read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError):
        return []


def remember(folder: Path) -> None:
    """Remember where a checkpoint was made: `find` names it to whoever looks elsewhere."""
    made = folder.resolve()
    lines = [str(one) for one in (*(f for f in _remembered() if f != made), made)]
    # It only ever serves a hint, which is left out where it cannot be written.
    with contextlib.suppress(OSError, GrooveError, ValueError):
        write_text(_memory(), "\n".join(lines[-REMEMBERED:]) + "\n")


def config_of(package: str, wanted: str | Path) -> dict[str, Any]:
    """Return what the network of a checkpoint is built from, as its card has it; see `find`."""
    config: dict[str, Any] = read_card(find(package, wanted).path)["config"]
    return config


def fitting(package: str, networks: Sequence[str] = ()) -> list[str]:
    """List the names of the checkpoints whose network is one of these (default: of any).

    Parameters
    ----------
    package : str
    networks : sequence of str
        ``module:Class`` of each.
    """
    names: dict[str, None] = {}
    for one in available(package):
        with contextlib.suppress(CheckpointError):  # a broken one cannot be used
            network = read_card(one.path)["model"]
            if not networks or network in networks:
                names.setdefault(one.name)
    return list(names)


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
    folder = into or Path(MODELS, package, name)
    check_writable(folder)
    return name, folder


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
    read_learnt(path, card)
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
    from torch.overrides import TorchFunctionMode

    class Shapes(TorchFunctionMode):
        """Leaves parameters as they are: to draw some without memory, torch loads its compiler."""

        def __torch_function__(
            self, function: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            if getattr(function, "__module__", "") == "torch.nn.init":
                return None
            return function(*args, **(kwargs or {}))

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
        with torch.device("meta"), Shapes():
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
