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

import functools
import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from groove_core.console import note
from groove_core.devices import resolve
from groove_core.errors import InputError, UsageError
from groove_core.learning.loop import Step, fit, launch, seeded
from groove_core.learning.schedules import cosine
from groove_core.learning.state import Clock, History
from groove_core.storage import checkpoints
from groove_core.values.results import Report

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = [
    "Run", "Settings", "Training", "digest", "made_with", "rounded", "shuffled", "source",
    "train", "trained",
]  # fmt: skip

UNKNOWN = "unknown"


class Settings(Protocol):
    """A dataclass of all that decides the outcome of a training, beside data and seed."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def epochs(self) -> int:
        """How often `Training.batches` is asked for the batches of an epoch."""

    @property
    def batch_size(self) -> int:
        """Items of a batch, of all devices together."""


@dataclass(frozen=True)
class Run:
    """How a training is run: the seed, and what does not change the outcome.

    Parameters
    ----------
    seed : int
    device : str
        One that works: see `groove_core.devices.resolve`.
    name : str
        Of the checkpoint.
    folder : path, optional
        Of the checkpoint and the state; without one nothing can be resumed or stored.
    devices, strategy
        See `groove_core.learning.loop.launch`.
    resume, restart : bool
        Go on with the training in the folder, or discard it.
    minutes : float, optional
        End the training after so long, all its resumptions together.
    license : str
        Of the weights, as their owner says.
    source : dict
        ``name`` and ``license`` of the data, for the card; see `source`.
    """

    seed: int = 1
    device: str = "cpu"
    name: str = "model"
    folder: Path | None = None
    devices: int = 1
    strategy: str = "auto"
    resume: bool = False
    restart: bool = False
    minutes: float | None = None
    license: str = UNKNOWN
    source: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        package: str,
        default: str,
        *,
        name: str | None = None,
        into: Path | None = None,
        seed: int,
        device: str,
        **more: Any,
    ) -> Run:
        """Make the run of an action from its options.

        Parameters
        ----------
        package, default : str
            Where the checkpoint goes and what it is called unless `name` or `into` say.

        Raises
        ------
        UsageError
            If the checkpoint cannot be called so, or its folder cannot be written.
        DeviceError
            If the device is not there or does not work.
        """
        name, folder = checkpoints.place(package, name, into, default)
        return cls(seed, resolve(device), name, folder, **more)

    @functools.cached_property
    def fabric(self) -> Fabric:
        """The processes that train together, started when first asked for."""
        return launch(self.device, self.devices, self.strategy)

    def progress(self, clock: Clock, done: float) -> float:
        """Return the share of the training that lies behind, by steps or by time."""
        if self.minutes is None:
            return done
        return min(1.0, max(done, self._seconds(clock) / (60 * self.minutes)))

    def is_over(self, clock: Clock) -> bool:
        """Return whether the time is up, in every process alike."""
        return self.minutes is not None and self._seconds(clock) >= 60 * self.minutes

    def _seconds(self, clock: Clock) -> float:
        return self.fabric.broadcast(clock.seconds)


S = TypeVar("S", bound=Settings)
D = TypeVar("D")
M = TypeVar("M", bound=nn.Module)
T = TypeVar("T", bound="Training[Any, Any, Any]")


class Training(Generic[S, D, M]):
    """How a model learns: what a package brings to `train`.

    Subclasses have a `build` and a `loss` (or a `learn`, where networks learn from several
    losses), and a `card` if the model is to be stored. Everything else has a default.

    Parameters
    ----------
    settings : dataclass
        See `Settings`; ``learning_rate`` and ``weight_decay`` are used by the default optimizer.
    data : any
        What is learnt from.
    seed : int
    device : str
        Where it will learn, for those that look at their data before.
    """

    package: ClassVar[str] = ""
    option: ClassVar[str] = "--checkpoint"
    """The option of actions that takes the checkpoint."""
    multiple: ClassVar[int] = 1
    """Items that belong together, so that the part of each device is a multiple of them."""
    fewest: ClassVar[int] = 1
    """Items of a device's part, at least."""
    max_norm: ClassVar[float | None] = None
    """To which gradients are clipped."""
    unused_parameters: ClassVar[bool] = False
    """Whether a step may leave weights without a gradient."""

    def __init__(self, settings: S, data: D, seed: int = 0, device: str = "cpu") -> None:
        self.settings, self.data, self.seed, self.device = settings, data, seed, device
        with seeded(seed):
            self.model: M = self.build()
        self.modules = self.networks()
        self.optimizers = self.configure_optimizers()
        self._rates = {
            name: [group["lr"] for group in optimizer.param_groups]
            for name, optimizer in self.optimizers.items()
        }
        self.config: dict[str, Any] = {**asdict(settings), "data": self.fingerprint()}
        self.history: History = []
        self.clock = Clock()
        self.extra: dict[str, Any] = {}
        """Further JSON for card and report."""

    def build(self) -> M:
        """Make the model that will be stored, and keep further networks on `self`.

        The global generators are seeded, so that the seed decides the first weights.
        """
        raise NotImplementedError

    def networks(self) -> dict[str, nn.Module]:
        """Name all networks of the training; `loss` calls them as ``self.modules[name]``.

        Several devices wrap them, so they are called and never reached into.
        """
        return {"model": self.model}

    def configure_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Make the optimizers: AdamW on everything that learns."""
        learnt = [p for m in self.modules.values() for p in m.parameters() if p.requires_grad]
        rate = getattr(self.settings, "learning_rate", 1e-3)
        decay = getattr(self.settings, "weight_decay", 0.0)
        return {"model": torch.optim.AdamW(learnt, rate, weight_decay=decay)}

    def rate(self, optimizer: str, done: float) -> float:
        """Return the share of an optimizer's learning rate: by default, cosine decay."""
        return cosine(done)

    def set_rates(self, done: float) -> None:
        """Set the learning rates of a moment."""
        for name, optimizer in self.optimizers.items():
            for group, rate in zip(optimizer.param_groups, self._rates[name], strict=True):
                group["lr"] = rate * self.rate(name, done)

    def fingerprint(self) -> str:
        """Return a hash of what is learnt from: a resumed training must have the same."""
        return digest(self.data) if isinstance(self.data, (Tensor, np.ndarray)) else ""

    def batches(self, generator: torch.Generator) -> Sequence[Tensor]:
        """Return the batches of an epoch, each whole, on the CPU: numbers of items by default."""
        return shuffled(len(self.data), self.settings.batch_size, generator)  # type: ignore[arg-type]

    def loss(self, batch: Tensor, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        """Return what is minimised, and losses to show."""
        raise NotImplementedError

    def learn(self, batch: Tensor, step: Step) -> dict[str, Tensor]:
        """Learn from a batch and return the losses to show."""
        loss, shown = self.loss(batch, step)
        self.minimise(loss, step)
        return shown

    def minimise(self, loss: Tensor, step: Step, *optimizers: str) -> None:
        """Take a step down the gradient of a loss, with some optimizers or with all."""
        chosen = [self.optimizers[name] for name in optimizers or self.optimizers]
        for optimizer in chosen:
            optimizer.zero_grad()
        step.fabric.backward(loss)
        for optimizer in chosen:
            if self.max_norm is not None:
                learnt = [p for group in optimizer.param_groups for p in group["params"]]
                nn.utils.clip_grad_norm_(learnt, self.max_norm)
            optimizer.step()

    def result(self) -> M:
        """Return the trained model: by default what learnt, or an average of its weights."""
        return self.model

    def finish(self) -> None:
        """Complete the trained model, for example calibrate it.

        It is on the device of the run, in evaluation mode, and rounded as it will be stored.
        """

    def measure(self, name: str) -> Report:
        """Measure the model on held-out data: by default, show the last losses."""
        last = {key: value for key, value in self.history[-1].items() if key != "epoch"}
        return Report(name, ("", *last), ((name, *last.values()),))

    def card(self) -> dict[str, Any]:
        """Return what the card says of this model: data, intended use, limits and paper."""
        raise NotImplementedError

    def split(self) -> dict[str, Any]:
        """Return what the card remembers of the data's split, see `Split.card`.

        By default nothing, and then nobody can tell later what the weights learnt from.
        """
        return {}


def shuffled(count: int, size: int, generator: torch.Generator) -> list[Tensor]:
    """Shuffle the numbers of items into whole batches."""
    order = torch.randperm(count, generator=generator)
    size = min(size, count)
    return [chunk for chunk in order.split(size) if len(chunk) == size]


def digest(*parts: Tensor | np.ndarray[Any, Any] | bytes) -> str:
    """Return a hash of arrays."""
    found = hashlib.sha256()
    for part in parts:
        array = part.numpy() if isinstance(part, Tensor) else part
        found.update(array if isinstance(array, bytes) else np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


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
            "metrics": {"split": "test", "seed": 1, "report": report.to_json()},
        }
        checkpoints.save(run.folder, training.model, about, half=True)
    is_named = run.folder == Path("groove-models", kind.package, run.name)
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
