"""How a training is run: its seed, its devices, its folder and its time."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groove_core.devices import resolve
from groove_core.errors import DeviceError, UsageError
from groove_core.learning.training import Clock
from groove_core.storage import checkpoints

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["Run", "launch"]

UNKNOWN = "unknown"
"""Name or licence of data of which nothing is known."""


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
        See `launch`.
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


def launch(device: str, devices: int = 1, strategy: str = "auto") -> Fabric:
    """Start the processes that train together and return this one's Fabric.

    Where ``torchrun`` or ``srun`` has started processes on several machines, `devices` are
    those of each machine.

    Raises
    ------
    UsageError
        If the strategy is unknown.
    DeviceError
        If there are not so many devices.
    """
    from lightning_fabric import Fabric

    kind, _, index = device.partition(":")
    count: int | list[int] = [int(index)] if index and devices == 1 else devices
    try:
        fabric = Fabric(accelerator=kind, devices=count, strategy=strategy, num_nodes=machines())
    except ValueError as error:
        raise UsageError(
            f"There is no strategy {strategy!r}.", hint="Use --strategy auto or --strategy ddp."
        ) from error
    except Exception as error:  # Lightning's own errors derive from nothing closer
        raise DeviceError(
            f"Cannot train on {devices} x {kind}: {' '.join(str(error).split())[:160]}.",
            hint="Train on one: --devices 1.",
        ) from error
    fabric.launch()
    return fabric


def machines() -> int:
    """Return on how many machines this command was started, by torchrun or Slurm's srun."""
    found = os.environ.get
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return int(found("WORLD_SIZE", "1")) // int(found("LOCAL_WORLD_SIZE", "1"))
    return int(found("SLURM_NNODES", "1")) if "SLURM_PROCID" in os.environ else 1
