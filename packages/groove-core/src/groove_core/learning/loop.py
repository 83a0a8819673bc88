"""The loop of every training, on Lightning Fabric: interruptible and exact.

All randomness of an epoch comes from one generator made from the seed and the
number of the epoch. So a run that was interrupted and resumed gives the same
weights as an unbroken one, and random numbers drawn for a whole batch and then
cut into parts make many processes compute what one would.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections import defaultdict
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from groove_core.console import note, track
from groove_core.errors import DeviceError, InputError, UsageError
from groove_core.learning import state
from groove_core.learning.state import History
from groove_core.storage.locks import locked

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from groove_core.learning.training import Run, Training

__all__ = ["Step", "current_step", "epoch_generator", "fit", "launch", "seeded"]

STORE_EVERY_S = 2.0
LOCK = ".training.lock"


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
def seeded(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Seed the global generators and put them back: layers are initialised from them."""
    device = torch.device(device)
    devices = [device] if device.type != "cpu" else []
    with torch.random.fork_rng(devices=devices, device_type=device.type if devices else "cuda"):
        torch.manual_seed(seed)
        yield


def launch(device: str, devices: int = 1, strategy: str = "auto") -> Fabric:
    """Start the processes that train together and return this one's Fabric.

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
        fabric = Fabric(accelerator=kind, devices=count, strategy=strategy)
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


def epoch_generator(seed: int, epoch: int) -> torch.Generator:
    """Make the generator of one epoch; epochs and neighbouring seeds share nothing."""
    return torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**63)


def fit(training: Training[Any, Any, Any], run: Run) -> History:
    """Train for the epochs of the settings, or until the time is up.

    The folder of the run receives ``state.safetensors`` and ``metrics.jsonl``, one line per
    epoch, after the first epoch, the last, and every `STORE_EVERY_S` seconds between. Ctrl-C
    leaves both whole. Without a folder nothing is kept.

    Returns
    -------
    list of dict
        Mean losses of each epoch.

    Raises
    ------
    UsageError
        If the folder holds another training and the run neither resumes nor restarts it, the
        one to resume had other settings, or another process trains there.
    InputError
        If a loss is not a number.
    """
    folder = run.folder
    if run.resume and (folder is None or not (folder / state.STATE).is_file()):
        raise UsageError(  # before a folder is made for the lock
            f"{folder} holds no training to resume.", hint="Leave --resume out to start one."
        )
    # An error of one process among several would let the others wait.
    if folder is None or run.fabric.world_size > 1:
        return _fit(training, run)
    try:
        with locked(folder, folder / LOCK):
            return _fit(training, run)
    finally:
        with contextlib.suppress(OSError):  # it is empty only if there was nothing to do
            folder.rmdir()


def _fit(training: Training[Any, Any, Any], run: Run) -> History:
    fabric, folder, epochs = run.fabric, run.folder, training.settings.epochs
    config = {**training.config, "epochs": epochs, "seed": training.seed}
    settings = json.dumps(config, sort_keys=True)
    if folder is not None:
        _open(training, run, folder, settings)
    # What does not learn (an average of weights) is stored, but not wrapped: DDP refuses it.
    wrapped = {
        name: fabric.setup_module(module)
        if any(p.requires_grad for p in module.parameters())
        else module.to(fabric.device)
        for name, module in training.modules.items()
    }
    optimizers = {n: fabric.setup_optimizers(o) for n, o in training.optimizers.items()}
    plain = training.modules, training.optimizers
    training.modules, training.optimizers = wrapped, optimizers  # type: ignore[assignment]
    history = training.history
    stored, stored_s = len(history), -math.inf
    try:
        for epoch in _epochs(training, run):
            start = time.perf_counter()
            losses = _one_epoch(training, run, epoch)
            bad = [name for name, loss in losses.items() if not math.isfinite(loss)]
            if bad:
                raise InputError(
                    f"The loss {bad[0]} is not a number after epoch {epoch + 1}.",
                    hint="Train with a smaller --learning-rate.",
                )
            history.append({"epoch": epoch + 1, **losses})
            now = time.perf_counter()
            last = epoch + 1 == epochs or run.is_over(training.clock)
            if folder is not None and (last or now - stored_s > STORE_EVERY_S):
                if fabric.is_global_zero:
                    # The plain networks: what wraps them has no business in a file.
                    training.modules, training.optimizers = plain
                    state.store(training, folder, settings)
                    training.modules, training.optimizers = wrapped, optimizers  # type: ignore[assignment]
                stored, stored_s = len(history), now
            if (epoch + 1) % max(1, epochs // 10) == 0:
                shown = ", ".join(f"{name} {loss:.4f}" for name, loss in losses.items())
                note(f"epoch {epoch + 1}/{epochs}: {shown} ({now - start:.1f} s)")
    except KeyboardInterrupt:
        if stored and folder is not None:
            note(f"stopped; --resume goes on after epoch {stored}")
        raise
    finally:
        training.modules, training.optimizers = plain
    return history


def _open(training: Training[Any, Any, Any], run: Run, folder: Path, settings: str) -> None:
    """Restore the training of a folder, or see that there is none to lose."""
    if run.fabric.is_global_zero:
        state.swept(folder)
    if run.resume:
        state.restore(training, folder, settings)
        if run.fabric.is_global_zero:
            state.write_log(folder, training.history)  # a kill between the two files parts them
    elif not run.restart and any((folder / name).exists() for name in (state.STATE, "card.json")):
        raise UsageError(
            f"{folder} already holds a training.",
            hint="--resume to go on with it, --restart to start again.",
        )


def _epochs(training: Training[Any, Any, Any], run: Run) -> Iterator[int]:
    start, epochs = len(training.history), training.settings.epochs
    for epoch in track(range(start, epochs), "training", total=epochs - start):
        if run.is_over(training.clock):
            note(f"the time is up after epoch {epoch} of {epochs}")
            return
        yield epoch


def _one_epoch(training: Training[Any, Any, Any], run: Run, epoch: int) -> dict[str, float]:
    """Learn from the batches of an epoch, or from those that there is time for."""
    fabric, clock, epochs = run.fabric, training.clock, training.settings.epochs
    generator = epoch_generator(training.seed, epoch)
    batches = training.batches(generator)
    sums: dict[str, Any] = defaultdict(float)
    before, start, count = clock.seconds, time.perf_counter(), 0
    for index, batch in enumerate(batches):
        done = run.progress(clock, (epoch + index / len(batches)) / epochs)
        step = Step(fabric, generator, done, len(batch))
        token = _CURRENT.set(step)
        # Layers that draw from the global generators, such as the dropout between the layers
        # of an LSTM: the same when resumed, other numbers in every process.
        chance = generator.initial_seed() * 1_000_003 + index * fabric.world_size
        try:
            with seeded((chance + fabric.global_rank) % 2**63, fabric.device):
                training.set_rates(done)
                losses = training.learn(batch, step)
        finally:
            _CURRENT.reset(token)
        for name, loss in losses.items():
            sums[name] = sums[name] + loss.detach()
        count += 1
        clock.steps += 1
        clock.seconds = before + time.perf_counter() - start
        if run.is_over(clock):
            break
    means = {name: total / count for name, total in sums.items()}
    reduced: dict[str, Any] = {n: fabric.all_reduce(m, reduce_op="mean") for n, m in means.items()}
    return {name: float(loss) for name, loss in reduced.items()}
