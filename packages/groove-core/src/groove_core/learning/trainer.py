"""The life of a training, once: a package brings a model, its data and its losses.

>>> import torch
>>> from dataclasses import dataclass
>>> @dataclass(frozen=True)
... class Settings:
...     epochs: int = 40
...     batch_size: int = 16
...     learning_rate: float = 0.1
>>> class Line(Training[Settings, torch.Tensor, torch.nn.Linear]):
...     def build(self):
...         return torch.nn.Linear(1, 1)
...     def loss(self, batch, step):
...         x = step.part(self.data[batch])
...         error = (self.modules["model"](x) - 2 * x).square().mean()
...         return error, {"error": error}
>>> line = trained(Line, Settings(), torch.linspace(-1, 1, 64)[:, None], Run(seed=1))
>>> round(line.model.weight.item(), 1)
2.0

With a `card`, `train` does the rest: it measures the model, stores it and returns the report.
"""

from __future__ import annotations

import platform
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from groove_core.console import note
from groove_core.errors import InputError, UsageError
from groove_core.learning.loop import fit
from groove_core.learning.run import UNKNOWN, Run
from groove_core.learning.training import Training
from groove_core.storage import checkpoints
from groove_core.values.results import Report

__all__ = ["made_with", "rounded", "source", "train", "trained"]

M = TypeVar("M", bound=nn.Module)
T = TypeVar("T", bound="Training[Any, Any, Any]")


def rounded(model: M) -> M:
    """Round a trained network to the 16 bits in which it is stored: so what is measured is kept."""
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(tensor.half().float())
    return model.eval()


def trained(kind: type[T], settings: Any, data: Any, run: Run) -> T:
    """Train a model and complete it, without measuring or storing it.

    Parameters
    ----------
    kind : subclass of Training
    settings, data
        What it takes.
    run : Run

    Returns
    -------
    Training
        Its ``model`` is on the device of the run, rounded as it would be stored; ``history``
        has the mean losses of each epoch.

    Raises
    ------
    UsageError
        If a batch cannot be cut into parts for the devices.
    """
    _check_parts(kind, settings.batch_size, run.devices)
    if kind.unused_parameters and run.devices > 1 and run.strategy in ("auto", "ddp"):
        run = replace(run, strategy="ddp_find_unused_parameters_true")
    training = kind(settings, data, run.fabric.broadcast(run.seed), run.device)
    fit(training, run)
    training.model = rounded(training.result().to(run.fabric.device))
    with torch.no_grad():
        training.finish()
    rounded(training.model)
    return training


def _check_parts(kind: type[Training[Any, Any, Any]], size: int, devices: int) -> None:
    each = kind.multiple * devices
    if size % each == 0 and size >= kind.fewest * devices:
        return
    whole = each * max(-(-kind.fewest // kind.multiple), size // each)
    raise UsageError(
        f"The batch of {size} cannot be cut into {devices} even parts.",
        hint=f"--batch-size {whole}",
    )


def train(kind: type[T], settings: Any, data: Any, run: Run) -> Report:
    """Train a model, measure it on the device of the run, and store it with its card.

    What was learnt is kept, whatever the held-out data is like: where it does not allow a
    measurement, the report has the last losses.

    Returns
    -------
    Report
        With ``history`` and ``checkpoint`` in its data.
    """
    training = trained(kind, settings, data, run)
    assert run.folder is not None
    try:
        # The others would measure the same.
        report = (kind if run.fabric.is_global_zero else Training).measure(training, run.name)
    except InputError as error:
        note(f"nothing is measured on held-out data: {error.message}")
        report = Training.measure(training, run.name)
    if run.fabric.is_global_zero:
        card, data = training.card(), {"name": UNKNOWN, "license": UNKNOWN, **run.source}
        data |= {**card.get("data", {}), **training.split()}
        about = {
            "name": run.name,
            "version": "1",
            "package": kind.package,
            **card,
            **training.extra,
            "data": data,
            "training": asdict(settings),
            "clock": {"steps": training.clock.steps, "seconds": round(training.clock.seconds, 1)},
            "seed": training.seed,
            "made_with": {**made_with(kind.package), "device": run.device},
            "license": run.license,
            "metrics": {
                "split": report.data.get("split", "test"),
                "seed": 1,
                "report": report.to_json(),
            },
        }
        checkpoints.save(run.folder, training.model, about, half=True)
        checkpoints.remember(run.folder)
    is_named = run.folder == Path(checkpoints.MODELS, kind.package, run.name)
    note(f"checkpoint in {run.folder}; use it with {kind.option} "
         f"{run.name if is_named else run.folder}")  # fmt: skip
    more = {"history": training.history, "checkpoint": str(run.folder)}
    return replace(report, data={**report.data, **training.extra, **more})


def source(data: Path | None, name: str, license: str) -> dict[str, str]:
    """Return name and licence of data for a card: those of the packaged data, or the user's own.

    Parameters
    ----------
    data : path, optional
        The user's own; None for the packaged data.
    name, license : str
        Of the packaged data.
    """
    if data is None:
        return {"name": name, "license": license}
    return {"name": str(data), "license": f"{UNKNOWN}: your own data"}


def made_with(package: str) -> dict[str, str]:
    """Return the versions that a checkpoint is made with."""
    return {
        package: metadata.version(package),
        "groove-core": metadata.version("groove-core"),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
