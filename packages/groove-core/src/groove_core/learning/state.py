"""The state of a training on disk, from which it is resumed: ``state.safetensors``."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from groove_core.errors import InputError, UsageError
from groove_core.learning.training import Clock, History, Training
from groove_core.storage import checkpoints
from groove_core.storage.files import atomic_path, sweep, write_text

__all__ = ["METRICS", "STATE", "is_finished", "restore", "store", "swept"]

STATE = "state.safetensors"
METRICS = "metrics.jsonl"


def swept(folder: Path) -> None:
    """Remove what a killed training left half-written."""
    for path in (folder, folder / STATE, folder / METRICS):
        sweep(path)


def _flatten(training: Training[Any, Any, Any]) -> dict[str, torch.Tensor]:
    tensors = {
        f"module/{name}/{key}": value
        for name, module in training.modules.items()
        for key, value in module.state_dict().items()
    }
    for name, optimizer in training.optimizers.items():
        for index, slots in optimizer.state_dict()["state"].items():
            for key, value in slots.items():
                tensors[f"optimizer/{name}/{index}/{key}"] = torch.as_tensor(value)
    return checkpoints.storable(tensors)


def store(training: Training[Any, Any, Any], folder: Path, settings: str) -> None:
    """Write the state of a training and its log, each whole or not at all."""
    with atomic_path(folder / STATE) as temporary:
        about = {
            "settings": settings,
            "history": _lines(training.history),
            "clock": json.dumps(asdict(training.clock)),
            "optimizers": json.dumps(sorted(training.optimizers)),  # one may have no tensors
        }
        checkpoints.save_tensors(_flatten(training), temporary, about)
    write_log(folder, training.history)


def is_finished(folder: Path, settings: str) -> bool:
    """Return whether a folder holds the checkpoint of a training with just these settings."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder / STATE, "pt") as stored:
            same = json.loads(stored.metadata()["settings"]) == json.loads(settings)
    except (SafetensorError, OSError, LookupError, TypeError, ValueError, RecursionError):
        return False
    return same and (folder / checkpoints.CARD).is_file()


def _lines(history: History) -> str:
    return "\n".join(json.dumps(line) for line in history)


def write_log(folder: Path, history: History) -> None:
    """Write ``metrics.jsonl``, one line per epoch."""
    write_text(folder / METRICS, _lines(history) + "\n")


def restore(training: Training[Any, Any, Any], folder: Path, settings: str) -> None:
    """Load networks, optimizers, history and clock of a training.

    Raises
    ------
    UsageError
        If it had other settings.
    InputError
        If the file is damaged, or of a version of the package that trained otherwise.
    """
    from safetensors import SafetensorError, safe_open

    path = folder / STATE
    try:
        with safe_open(path, "pt") as stored:
            metadata = stored.metadata()
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
            before, now = json.loads(metadata["settings"]), json.loads(settings)
            history = [json.loads(line) for line in metadata["history"].splitlines()]
            clock = Clock(**json.loads(metadata.get("clock", "{}")))
            optimizers = json.loads(metadata.get("optimizers", "null"))
    except (SafetensorError, OSError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path} is damaged: {error}.", hint="Begin again with --restart."
        ) from error
    # The first layouts had no clock and no list of optimizers; names of settings and networks
    # change with a package.
    if (
        "clock" not in metadata
        or optimizers not in (None, sorted(training.optimizers))
        or before.keys() != now.keys()
        or not _fits(training, tensors)
    ):
        raise InputError(
            f"{path} cannot be resumed: an older version wrote it.",
            hint="Begin again with --restart.",
        )
    if before != now:
        name = min(key for key in now if before[key] != now[key])
        raise UsageError(
            f"{folder} has {name} {before[name]}, not {now[name]}.",
            hint="Give the same settings with --resume, or begin again with --restart.",
        )
    for name, module in training.modules.items():
        module.load_state_dict(_below(f"module/{name}/", tensors))
    for name, optimizer in training.optimizers.items():
        state: dict[int, dict[str, torch.Tensor]] = defaultdict(dict)
        for key, value in _below(f"optimizer/{name}/", tensors).items():
            index, slot = key.split("/")
            state[int(index)][slot] = value
        optimizer.load_state_dict({**optimizer.state_dict(), "state": dict(state)})
    training.history, training.clock = history, clock


def _below(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _fits(training: Training[Any, Any, Any], tensors: dict[str, torch.Tensor]) -> bool:
    """Return whether tensors are of these networks and optimizers, whatever their settings."""
    weights = {
        f"module/{name}/{key}": value.shape
        for name, module in training.modules.items()
        for key, value in module.state_dict().items()
    }
    found = {key: value.shape for key, value in tensors.items() if key.startswith("module/")}
    owners = {key.split("/")[1] for key in tensors.keys() - found.keys()}
    return found == weights and owners <= training.optimizers.keys()
