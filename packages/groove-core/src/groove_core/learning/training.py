"""How a model learns: what a package brings, its model, its data and its losses."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from groove_core.learning.schedules import cosine
from groove_core.learning.step import Step, seeded
from groove_core.values.results import Report

__all__ = ["Settings", "Training", "digest", "shuffled"]

History = list[dict[str, float]]
"""Mean losses of each epoch."""


class Settings(Protocol):
    """A dataclass of all that decides the outcome of a training, beside data and seed."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def epochs(self) -> int:
        """How often `Training.batches` is asked for the batches of an epoch."""

    @property
    def batch_size(self) -> int:
        """Items of a batch, of all devices together."""


@dataclass
class Clock:
    """Steps and seconds of a training, all its resumptions together."""

    steps: int = 0
    seconds: float = 0.0


S = TypeVar("S", bound=Settings)
D = TypeVar("D")
M = TypeVar("M", bound=nn.Module)


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
        raise NotImplementedError  # every training has its own

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
        raise NotImplementedError  # asked for by `learn`, which some trainings replace

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

    def is_finished(self) -> bool:
        """Return whether there is no more to learn: asked before each epoch.

        A training that is resumed is asked again about the last epoch that it kept.
        """
        return False

    def result(self) -> M:
        """Return the trained model: by default what learnt, or an average of its weights."""
        return self.model

    def finish(self) -> None:
        """Complete the trained model, for example calibrate it.

        It is on the device of the run, in evaluation mode, and rounded as it will be stored.
        """

    def measure(self, name: str) -> Report:
        """Measure the model on held-out data: by default, show the last losses.

        A report that is not of the test split says so in its data, for the card.
        """
        last = {key: value for key, value in self.history[-1].items() if key != "epoch"}
        return Report(name, ("", *last), ((name, *last.values()),), data={"split": "train"})

    def card(self) -> dict[str, Any]:
        """Return what the card says of this model: data, intended use, limits and paper."""
        raise NotImplementedError  # asked for where the model is stored, by `train` only

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
