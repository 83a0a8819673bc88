"""One step of a training: its random numbers, and each process's part of a batch.

All randomness of an epoch comes from one generator made from the seed and the
number of the epoch. So a run that was interrupted and resumed gives the same
weights as an unbroken one, and random numbers drawn for a whole batch and then
cut into parts make many processes compute what one would.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["Step", "current_step", "epoch_generator", "learning_from", "seeded"]


class Step:
    """One step of a training: its random numbers, and this process's part of the batch.

    Parameters
    ----------
    fabric : Fabric
    generator : torch.Generator
        Of the epoch, the same in every process.
    done : float
        Share of the training that lies behind, 0 to 1.
    size : int
        Items of the whole batch.
    """

    def __init__(
        self, fabric: Fabric, generator: torch.Generator, done: float = 0.0, size: int = 0
    ) -> None:
        self.fabric, self.generator, self.done, self.size = fabric, generator, done, size

    @property
    def device(self) -> torch.device:
        """Where this process computes."""
        return self.fabric.device

    def _bounds(self, size: int) -> slice:
        rank, count = self.fabric.global_rank, self.fabric.world_size
        start, stop = (size * number // count for number in (rank, rank + 1))
        return slice(start, max(stop, start + 1))

    def part(self, whole: torch.Tensor) -> torch.Tensor:
        """Cut this process's contiguous part out of a tensor of the whole batch.

        Together the parts are the batch. Where it cannot be divided evenly some parts are
        longer by one item; of fewer items than processes, some are in several parts.
        """
        return whole[self._bounds(len(whole))].to(self.device)

    def rows(self, batch: torch.Tensor) -> torch.Tensor:
        """Cut this process's part out of a batch of row numbers, and leave it on the CPU."""
        return batch[self._bounds(len(batch))]

    def rand(self, *shape: int) -> torch.Tensor:
        """Draw uniform numbers for the whole batch; return this process's part."""
        return self.part(torch.rand(*shape, generator=self.generator))

    def randn(self, *shape: int) -> torch.Tensor:
        """Draw normal numbers for the whole batch; return this process's part."""
        return self.part(torch.randn(*shape, generator=self.generator))

    def rand_like(self, x: torch.Tensor) -> torch.Tensor:
        """Draw uniform numbers of the shape of what was computed from this process's part.

        The first dimension is that of the part, or a multiple of it; otherwise it is taken for
        whole.
        """
        mine = len(range(self.size)[self._bounds(self.size)])
        views, left = divmod(len(x), mine) if mine else (0, 1)
        if left:
            return torch.rand(x.shape, generator=self.generator).to(x.device)
        return torch.cat([self.rand(self.size, *x.shape[1:]) for _ in range(views)])

    def noise(self) -> torch.Generator:
        """Make a generator on the device, another one for every process."""
        seed = int(torch.randint(2**62, (1,), generator=self.generator))
        return torch.Generator(self.device).manual_seed(seed + self.fabric.global_rank)

    def autocast(self, precision: str) -> torch.autocast:
        """Compute in bfloat16 where the precision is ``bf16``."""
        return torch.autocast(self.device.type, torch.bfloat16, precision == "bf16")


_CURRENT: ContextVar[Step | None] = ContextVar("step", default=None)


def current_step() -> Step | None:
    """Return the step that is being learnt from; None outside of a training."""
    return _CURRENT.get()


@contextlib.contextmanager
def learning_from(step: Step) -> Iterator[None]:
    """Make a step the current one."""
    token = _CURRENT.set(step)
    try:
        yield
    finally:
        _CURRENT.reset(token)


@contextlib.contextmanager
def seeded(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Seed the global generators and put them back: layers are initialised from them."""
    device = torch.device(device)
    devices = [device] if device.type != "cpu" else []
    with torch.random.fork_rng(devices=devices, device_type=device.type if devices else "cuda"):
        torch.manual_seed(seed)
        yield


def epoch_generator(seed: int, epoch: int) -> torch.Generator:
    """Make the generator of one epoch; epochs and neighbouring seeds share nothing."""
    return torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**63)
