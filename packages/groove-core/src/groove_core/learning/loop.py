"""The loop of every training, on Lightning Fabric: interruptible and exact."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from groove_core.console import duration_text, note, track
from groove_core.errors import InputError, UsageError
from groove_core.learning import state
from groove_core.learning.run import Run
from groove_core.learning.step import Step, epoch_generator, learning_from, seeded
from groove_core.learning.training import Clock, History, Training
from groove_core.storage.locks import locked

__all__ = ["fit"]

STORE_EVERY_S = 2.0
LOCK = ".training.lock"
FORECAST_S = 1.0
"""Time of the steps from whose rate the length of a training is told."""


class Forecast:
    """Tells once, after the first steps, how long a training will take.

    Parameters
    ----------
    run : Run
    epochs : int
    """

    def __init__(self, run: Run, epochs: int) -> None:
        self.run, self.epochs = run, epochs
        self.steps, self.start, self.told = 0, 0.0, False

    def step(self, clock: Clock, left: int) -> None:
        """Count a step; with `left` more to come, tell what they will take once that is known."""
        now = time.perf_counter()
        self.steps += 1
        if self.steps == 1:  # it sets things up, which takes longer
            self.start = now
        elif not self.told and now - self.start > FORECAST_S:
            self.told = True
            step_s = (now - self.start) / (self.steps - 1)
            needed_s = left * step_s
            if self.run.minutes is not None:
                needed_s = min(needed_s, 60 * self.run.minutes - clock.seconds)
            kept = "; Ctrl-C keeps what was learnt, --resume goes on" if self.run.folder else ""
            note(
                f"this takes about {duration_text(needed_s)}: {self.epochs} epochs, "
                f"{step_s:.2g} s a step{kept}"
            )


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
    forecast = Forecast(run, epochs)
    history = training.history
    stored, stored_s = len(history), -math.inf

    def store() -> None:
        if folder is not None and fabric.is_global_zero:
            # The plain networks: what wraps them has no business in a file.
            training.modules, training.optimizers = plain
            state.store(training, folder, settings)
            training.modules, training.optimizers = wrapped, optimizers  # type: ignore[assignment]

    try:
        for epoch in _epochs(training, run):
            start = time.perf_counter()
            losses = _one_epoch(training, run, epoch, forecast)
            bad = [name for name, loss in losses.items() if not math.isfinite(loss)]
            if bad:
                raise InputError(
                    f"The loss {bad[0]} is not a number after epoch {epoch + 1}.",
                    hint="Train with a smaller --learning-rate.",
                )
            history.append({"epoch": epoch + 1, **losses})
            now = time.perf_counter()
            last = epoch + 1 == epochs or run.is_over(training.clock)
            if last or now - stored_s > STORE_EVERY_S:
                store()
                stored, stored_s = len(history), now
            if (epoch + 1) % max(1, epochs // 10) == 0:
                shown = ", ".join(f"{name} {loss:.4f}" for name, loss in losses.items())
                note(f"epoch {epoch + 1}/{epochs}: {shown} ({now - start:.1f} s)")
        if stored < len(history):  # it was finished before its last epoch
            store()
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
    again = not (run.resume or run.restart) and state.is_finished(folder, settings)
    if again:
        note(f"{folder} holds this training already; --restart trains it anew")
    if run.resume or again:
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
        # Processes that round differently must not disagree: the others would wait for ever.
        if run.fabric.broadcast(training.is_finished()):
            note(f"nothing more is learnt after epoch {epoch} of {epochs}")
            return
        yield epoch


def _one_epoch(
    training: Training[Any, Any, Any], run: Run, epoch: int, forecast: Forecast
) -> dict[str, float]:
    """Learn from the batches of an epoch, or from those that there is time for."""
    fabric, clock, epochs = run.fabric, training.clock, training.settings.epochs
    generator = epoch_generator(training.seed, epoch)
    batches = training.batches(generator)
    sums: dict[str, Any] = defaultdict(float)
    before, start, count = clock.seconds, time.perf_counter(), 0
    for index, batch in enumerate(batches):
        done = run.progress(clock, (epoch + index / len(batches)) / epochs)
        step = Step(fabric, generator, done, len(batch))
        # Layers that draw from the global generators, such as the dropout between the layers
        # of an LSTM: the same when resumed, other numbers in every process.
        chance = generator.initial_seed() * 1_000_003 + index * fabric.world_size
        own = (chance + fabric.global_rank) % 2**63
        with learning_from(step), seeded(own, fabric.device):
            training.set_rates(done)
            losses = training.learn(batch, step)
        for name, loss in losses.items():
            sums[name] = sums[name] + loss.detach()
        count += 1
        clock.steps += 1
        clock.seconds = before + time.perf_counter() - start
        forecast.step(clock, (epochs - epoch) * len(batches) - count)
        if run.is_over(clock):
            break
    means = {name: total / count for name, total in sums.items()}
    reduced: dict[str, Any] = {n: fabric.all_reduce(m, reduce_op="mean") for n, m in means.items()}
    return {name: float(loss) for name, loss in reduced.items()}
