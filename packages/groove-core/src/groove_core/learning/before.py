"""Training on Lightning Fabric: one loop for every package, interruptible and exact.

All randomness of an epoch comes from one generator made from the seed and the
number of the epoch. So a run that was interrupted and resumed gives the same
weights as an unbroken one, and random numbers drawn for a whole batch and then
cut into shards make many processes compute what one would.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import torch

from groove_core.console import is_main_process, note, track
from groove_core.errors import DeviceError, InputError, UsageError
from groove_core.storage import checkpoints
from groove_core.storage.files import atomic_path, sweep, write_text
from groove_core.storage.locks import locked
from groove_core.values.results import Report

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = [
    "Run",
    "Shard",
    "Task",
    "cosine",
    "epoch_generator",
    "fit",
    "launch",
    "measured",
    "rounded",
    "store",
]

STATE = "state.safetensors"
STORE_EVERY_S = 2.0
METRICS = "metrics.jsonl"
LOCK = ".training.lock"


class Shard:
    """The part of every batch that this process computes."""

    def __init__(self, fabric: Fabric, generator: torch.Generator) -> None:
        self.fabric = fabric
        self.generator = generator

    def __call__(self, whole: torch.Tensor) -> torch.Tensor:
        """Cut this process's contiguous part out of a tensor of the whole batch.

        Together the parts are the batch. Where it cannot be divided evenly some parts are
        longer by one item; of fewer items than processes, some are in several parts.
        """
        rank, count = self.fabric.global_rank, self.fabric.world_size
        start, stop = (len(whole) * number // count for number in (rank, rank + 1))
        return whole[start : max(stop, start + 1)].to(self.fabric.device)

    def rand(self, *shape: int) -> torch.Tensor:
        """Draw uniform numbers for the whole batch; give this process's part."""
        return self(torch.rand(*shape, generator=self.generator))

    def randn(self, *shape: int) -> torch.Tensor:
        """Draw normal numbers for the whole batch; give this process's part."""
        return self(torch.randn(*shape, generator=self.generator))


class Task(Protocol):
    """What a package brings to `fit`."""

    modules: dict[str, torch.nn.Module]
    """Networks by name; called, never reached into, so that they can be wrapped."""
    optimizers: dict[str, torch.optim.Optimizer]
    config: dict[str, Any]
    """Everything that decides the numbers, as plain JSON; a resumed run must have the same."""

    def batches(self, generator: torch.Generator) -> Sequence[torch.Tensor]:
        """Give the batches of an epoch, each whole, on the CPU."""

    def step(
        self, fabric: Fabric, batch: torch.Tensor, shard: Shard, done: float
    ) -> dict[str, Any]:
        """Learn from a batch and give its losses; `done` runs from 0 to 1 over the training."""


def launch(device: str, devices: int = 1, strategy: str = "auto") -> Fabric:
    """Start the processes that train together and give this one's Fabric.

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
            f"There is no strategy {strategy!r}.", hint="--strategy auto, or ddp"
        ) from error
    except Exception as error:  # Lightning's own errors derive from nothing closer
        raise DeviceError(
            f"Cannot train on {devices} x {kind}: {' '.join(str(error).split())[:160]}.",
            hint="--devices 1",
        ) from error
    fabric.launch()
    return fabric


def epoch_generator(seed: int, epoch: int) -> torch.Generator:
    """Make the generator of one epoch; epochs and neighbouring seeds share nothing."""
    return torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**63)


def cosine(done: float, *, floor: float = 0.02) -> float:
    """Cosine decay from 1 to `floor` while `done` goes from 0 to 1."""
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def fit(
    fabric: Fabric,
    task: Task,
    *,
    epochs: int,
    folder: Path,
    seed: int,
    resume: bool = False,
    restart: bool = False,
) -> list[dict[str, float]]:
    """Train for a number of epochs and give the mean losses of each.

    The folder receives ``state.safetensors`` and ``metrics.jsonl``, one line per epoch,
    after the first epoch, the last, and every `STORE_EVERY_S` seconds between. Ctrl-C
    leaves both whole.

    Raises
    ------
    UsageError
        If the folder holds another training and neither `resume` nor `restart` is given,
        the one to resume had other settings, or another process trains there.
    InputError
        If a loss is not a number.
    """
    if resume and not (folder / STATE).is_file():  # before a folder is made for the lock
        raise UsageError(
            f"{folder} holds no training to resume.", hint="Leave --resume out to start one."
        )
    if fabric.world_size > 1:  # an error of one process would let the others wait
        return _fit(fabric, task, epochs, folder, seed, resume, restart)
    try:
        with locked(folder, folder / LOCK):
            return _fit(fabric, task, epochs, folder, seed, resume, restart)
    finally:
        with contextlib.suppress(OSError):  # it is empty only if there was nothing to do
            folder.rmdir()


def _fit(
    fabric: Fabric,
    task: Task,
    epochs: int,
    folder: Path,
    seed: int,
    resume: bool,
    restart: bool,
) -> list[dict[str, float]]:
    settings = json.dumps({**task.config, "epochs": epochs, "seed": seed}, sort_keys=True)
    history: list[dict[str, float]] = []
    state = folder / STATE
    if fabric.is_global_zero:
        for path in (folder, state, folder / METRICS):
            sweep(path)
    if resume:
        history = _restore(task, folder, settings)
        if fabric.is_global_zero:
            _write_metrics(folder, history)  # a kill between the two files parts them
    elif not restart and (state.exists() or (folder / "card.json").exists()):
        raise UsageError(
            f"{folder} already holds a training.",
            hint="--resume to go on with it, --restart to start again.",
        )
    # What does not learn (an average of weights) is stored, but not wrapped: DDP refuses it.
    wrapped = {
        name: fabric.setup_module(module)
        if any(p.requires_grad for p in module.parameters())
        else module.to(fabric.device)
        for name, module in task.modules.items()
    }
    optimizers = {name: fabric.setup_optimizers(o) for name, o in task.optimizers.items()}
    plain = task.modules, task.optimizers
    task.modules, task.optimizers = wrapped, optimizers  # type: ignore[assignment]
    stored, stored_s = len(history), -math.inf
    try:
        for epoch in _epochs(len(history), epochs):
            start = time.perf_counter()
            losses = _one_epoch(fabric, task, epoch, epochs, epoch_generator(seed, epoch))
            bad = [name for name, loss in losses.items() if not math.isfinite(loss)]
            if bad:
                raise InputError(
                    f"The loss {bad[0]} is not a number after epoch {epoch + 1}.",
                    hint="Train with a smaller --learning-rate.",
                )
            history.append({"epoch": epoch + 1, **losses})
            now = time.perf_counter()
            if epoch + 1 == epochs or now - stored_s > STORE_EVERY_S:
                if fabric.is_global_zero:
                    _store(plain, folder, settings, history)
                stored, stored_s = len(history), now
            if (epoch + 1) % max(1, epochs // 10) == 0:
                shown = ", ".join(f"{name} {loss:.4f}" for name, loss in losses.items())
                note(f"epoch {epoch + 1}/{epochs}: {shown} ({now - start:.1f} s)")
    except KeyboardInterrupt:
        if stored:
            note(f"stopped; --resume goes on after epoch {stored}")
        raise
    finally:
        task.modules, task.optimizers = plain
    return history


def _epochs(start: int, epochs: int) -> Iterator[int]:
    return track(range(start, epochs), "training", total=epochs - start)


def _one_epoch(
    fabric: Fabric, task: Task, epoch: int, epochs: int, generator: torch.Generator
) -> dict[str, float]:
    batches = task.batches(generator)
    shard = Shard(fabric, generator)
    sums: dict[str, Any] = defaultdict(float)
    for index, batch in enumerate(batches):
        done = (epoch + index / len(batches)) / epochs
        for name, loss in task.step(fabric, batch, shard, done).items():
            sums[name] = sums[name] + loss.detach()
    means = {name: total / len(batches) for name, total in sums.items()}
    reduced: dict[str, Any] = {n: fabric.all_reduce(m, reduce_op="mean") for n, m in means.items()}
    return {name: float(loss) for name, loss in reduced.items()}


def _flatten(plain: tuple[Any, Any]) -> dict[str, torch.Tensor]:
    modules, optimizers = plain
    tensors = {
        f"module/{name}/{key}": value
        for name, module in modules.items()
        for key, value in module.state_dict().items()
    }
    for name, optimizer in optimizers.items():
        for index, slots in optimizer.state_dict()["state"].items():
            for key, value in slots.items():
                tensors[f"optimizer/{name}/{index}/{key}"] = torch.as_tensor(value)
    return checkpoints.storable(tensors)


def _store(
    plain: tuple[Any, Any], folder: Path, settings: str, history: list[dict[str, float]]
) -> None:
    with atomic_path(folder / STATE) as temporary:
        about = {"settings": settings, "history": _lines(history)}
        checkpoints.save_tensors(_flatten(plain), temporary, about)
    _write_metrics(folder, history)


def _lines(history: list[dict[str, float]]) -> str:
    return "\n".join(json.dumps(line) for line in history)


def _write_metrics(folder: Path, history: list[dict[str, float]]) -> None:
    write_text(folder / METRICS, _lines(history) + "\n")


def _restore(task: Task, folder: Path, settings: str) -> list[dict[str, float]]:
    from safetensors import SafetensorError, safe_open

    path = folder / STATE
    try:
        with safe_open(path, "pt") as stored:
            metadata = stored.metadata()
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
            before = json.loads(metadata["settings"])
            history = [json.loads(line) for line in metadata["history"].splitlines()]
    except (SafetensorError, OSError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged: {error}.", hint="--restart to start again") from error
    if metadata["settings"] != settings:
        now = json.loads(settings)
        names = sorted(k for k in before.keys() | now.keys() if before.get(k) != now.get(k))
        raise UsageError(
            f"{folder} has {names[0]} {before.get(names[0])}, not {now.get(names[0])}.",
            hint="Give the same settings with --resume, or --restart to start again.",
        )
    for name, module in task.modules.items():
        prefix = f"module/{name}/"
        module.load_state_dict(
            {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        )
    for name, optimizer in task.optimizers.items():
        state: dict[int, dict[str, torch.Tensor]] = defaultdict(dict)
        prefix = f"optimizer/{name}/"
        for key, value in tensors.items():
            if key.startswith(prefix):
                index, slot = key.removeprefix(prefix).split("/")
                state[int(index)][slot] = value
        optimizer.load_state_dict({**optimizer.state_dict(), "state": dict(state)})
    return history


@dataclass(frozen=True, slots=True)
class Run:
    """How a training is run: what does not change its outcome, and the seed."""

    name: str
    folder: Path
    seed: int
    device: str
    devices: int = 1
    strategy: str = "auto"
    resume: bool = False
    restart: bool = False

    @property
    def loop(self) -> dict[str, Any]:
        """What the loop takes of it."""
        names = ("folder", "seed", "device", "devices", "strategy", "resume", "restart")
        return {name: getattr(self, name) for name in names}

    @property
    def card(self) -> dict[str, Any]:
        """What the card takes of it."""
        return {name: getattr(self, name) for name in ("name", "seed", "device")}


M = TypeVar("M", bound=torch.nn.Module)


def rounded(model: M) -> M:
    """Bring a trained network to the CPU and round it to the 16 bits in which it is stored.

    So what is measured is what is stored.
    """
    model = model.cpu().eval()
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(tensor.half().float())
    return model


def measured(
    measure: Callable[[], Report], name: str, history: Sequence[dict[str, float]]
) -> Report:
    """Measure a trained network; where its data does not allow it, report its last losses.

    What was learnt is kept, whatever the test split is like.
    """
    try:
        return measure()
    except InputError as error:
        note(f"nothing is measured on held-out data: {error.message}")
    last = {key: value for key, value in history[-1].items() if key != "epoch"}
    return Report(name, ("", *last), ((name, *last.values()),))


def store(
    folder: Path, model: torch.nn.Module, card: dict[str, Any], report: Report, **more: Any
) -> Report:
    """Write the checkpoint of a network that was measured, and give its report.

    Parameters
    ----------
    card : dict
        What it says beyond its metrics.
    report : Report
        On the test split, with seed 1.
    **more
        Further JSON for the report.
    """
    if is_main_process():
        metrics = {"split": "test", "seed": 1, "report": report.to_json()}
        checkpoints.save(folder, model, {**card, "metrics": metrics}, half=True)
    return replace(report, data={**report.data, **more, "checkpoint": str(folder)})
