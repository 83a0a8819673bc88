"""Training the symbolic twin; the networks are in `groove_vae.twin`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from groove_core.console import note
from groove_core.errors import InputError, UsageError
from groove_core.learning.before import Shard, cosine, fit, launch, measured, rounded, store
from groove_core.values import Report
from groove_vae.cards import card
from groove_vae.performances import Performance, load
from groove_vae.symbolic import STEPS, performance_grid, windows
from groove_vae.twin import DRUMS, Twin, active_units, as_feel, kl_per_dimension

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["Settings", "TwinTask", "Windows", "collapse", "train"]


LIMITS = (
    "Two bars at a time; no triplet grid and no other metre. Ten drummers on one electronic "
    "kit, mostly rock, funk and latin, playing to a metronome. What a drummer will do is "
    "known only in part from the notes."
)


@dataclass(frozen=True)
class Settings:
    """What decides the outcome of a training, beside the data and the seed."""

    latent: int = 16
    hidden: int = 128
    components: int = 3
    epochs: int = 45
    batch_size: int = 256
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    dropout: float = 0.4
    beta: float = 0.5
    """Weight of the KL against the nats of the hits of a window."""
    free_bits: float = 0.05
    """Nats per dimension that the KL leaves free."""
    warm_up: float = 0.2
    """Share of the training over which beta rises from 0."""
    without_z: float = 0.5
    """Share of windows that are decoded without z."""
    unknown: float = 0.5
    """Share of windows whose style, and whose drummer, is withheld."""
    drum_dropout: float = 0.1
    """Chance of each drum to be left out of a window."""


@dataclass(frozen=True)
class Windows:
    """Windows of two bars as one table, so that a batch is one tensor.

    Parameters
    ----------
    table : float Tensor [shape=(n, 32 * 27 + 3)]
        The window, then tempo, index of the style and of the drummer (0 for unknown).
    styles, drummers : sequences of str
    """

    table: Tensor
    styles: tuple[str, ...]
    drummers: tuple[str, ...]

    @classmethod
    def of(
        cls,
        performances: Sequence[Performance],
        *,
        styles: Sequence[str] | None = None,
        drummers: Sequence[str] | None = None,
    ) -> Windows:
        """Cut performances into windows that start at every bar."""
        if styles is None:
            styles = sorted({one.style for one in performances} - {""})
        if drummers is None:
            found = {one.drummer for one in performances} - {""}
            drummers = sorted(found, key=lambda name: (len(name), name))
        rows = []
        for one in performances:
            cut = windows(performance_grid(one))
            known = (
                styles.index(one.style) + 1 if one.style in styles else 0,
                drummers.index(one.drummer) + 1 if one.drummer in drummers else 0,
            )
            about = np.tile(np.array([one.bpm, *known], np.float32), (len(cut), 1))
            rows.append(np.concatenate([cut.reshape(len(cut), STEPS * 3 * DRUMS), about], axis=1))
        empty = np.zeros((0, STEPS * 3 * DRUMS + 3), np.float32)
        table = torch.from_numpy(np.concatenate(rows or [empty]))
        return cls(table, tuple(styles), tuple(drummers))

    def __len__(self) -> int:
        return len(self.table)


def unpack(rows: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Give windows [(n, 32, 27)], tempo, style and drummer of rows of a table."""
    window = rows[:, :-3].unflatten(1, (STEPS, 3 * DRUMS))
    return window, rows[:, -3], rows[:, -2].long(), rows[:, -1].long()


class TwinTask:
    """The twin and how it learns from a batch."""

    def __init__(self, settings: Settings, data: Windows, seed: int) -> None:
        self.settings, self.table = settings, data.table
        # The one place where global state is touched: layers are initialised from it.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = Twin(
                styles=data.styles,
                drummers=data.drummers,
                hidden=settings.hidden,
                latent=settings.latent,
                components=settings.components,
            )
        self.modules: dict[str, torch.nn.Module] = {
            "encoder": self.model.encoder,
            "decoder": self.model.decoder,
        }
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "adam": torch.optim.AdamW(
                self.model.parameters(),
                lr=settings.learning_rate,
                weight_decay=settings.weight_decay,
            )
        }
        # What a resumed training must have in common with the interrupted one.
        content = hashlib.sha256(data.table.numpy().tobytes()).hexdigest()
        self.config: dict[str, Any] = {**asdict(settings), "windows": content}

    def batches(self, generator: torch.Generator) -> Sequence[Tensor]:
        """Shuffle the windows into whole batches."""
        order = torch.randperm(len(self.table), generator=generator)
        size = min(self.settings.batch_size, len(order))
        return [self.table[chunk] for chunk in order.split(size) if len(chunk) == size]

    def step(self, fabric: Fabric, batch: Tensor, shard: Shard, done: float) -> dict[str, Tensor]:
        """Learn from one batch."""
        settings, optimizer = self.settings, self.optimizers["adam"]
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * cosine(done)
        n = len(batch)
        window, tempo, style, drummer = unpack(shard(batch))
        # Drums that are left out: fewer notes are a part, too, and there are many such parts.
        kept = (shard.rand(n, 1, DRUMS) >= settings.drum_dropout).repeat(1, 1, 3)
        window = window * kept
        hits, velocity, offset = window.chunk(3, dim=2)
        style = style * (shard.rand(n) >= settings.unknown)
        drummer = drummer * (shard.rand(n) >= settings.unknown)
        # The batch is shuffled: its first part is decoded with z, the rest without.
        m = round(len(window) * (1 - settings.without_z))
        mean, log_variance = self.modules["encoder"](window[:m], tempo[:m])
        noise = shard.randn(n, settings.latent)
        z = torch.cat([mean + noise[:m] * (0.5 * log_variance).exp(), torch.zeros_like(noise[m:])])
        with_z = torch.arange(len(window), device=window.device) < m
        # From the generator of the epoch, not the global one, so that resuming is exact.
        kept_states = shard.rand(n, STEPS, 2 * settings.hidden) >= settings.dropout
        mask = kept_states / (1 - settings.dropout)
        out = self.modules["decoder"](hits, tempo, style, drummer, z, with_z, mask)
        log_prob = as_feel(out).log_prob(torch.stack([offset, velocity], dim=-1)) * hits
        surprise = -log_prob.sum(dim=(1, 2))
        count = hits.sum(dim=(1, 2))
        kl = kl_per_dimension(mean, log_variance)
        rise = min(1.0, done / settings.warm_up)
        penalty = rise * settings.beta * m * kl.clamp(min=settings.free_bits).sum()
        loss = (surprise.sum() + penalty) / count.sum().clamp(min=1)
        optimizer.zero_grad()
        fabric.backward(loss)
        torch.nn.utils.clip_grad_norm_(
            [p for group in optimizer.param_groups for p in group["params"]], 1.0
        )
        optimizer.step()
        return {
            "with_z": surprise[:m].sum() / count[:m].sum().clamp(min=1),
            "without_z": surprise[m:].sum() / count[m:].sum().clamp(min=1),
            "kl": kl.sum(),
            "active_units": active_units(mean).float(),
            **{f"kl_{i + 1}": one for i, one in enumerate(kl)},
        }


def collapse(model: Twin, data: Windows) -> dict[str, Any]:
    """Look for posterior collapse: a z that says nothing, so that every take is the same.

    Returns
    -------
    dict
        ``kl_per_dimension`` in nats, ``active_units``, and ``collapsed``: whether fewer than
        an eighth of the dimensions are active.
    """
    means, log_variances = [], []
    device = next(model.parameters()).device
    with torch.no_grad():
        for rows in data.table.split(1024):
            window, tempo, _, _ = unpack(rows.to(device))
            mean, log_variance = model.encoder(window, tempo)
            means.append(mean.cpu())
            log_variances.append(log_variance.cpu())
    mean = torch.cat(means)
    kl = kl_per_dimension(mean, torch.cat(log_variances))
    active = int(active_units(mean))
    collapsed = active < max(1, model.latent // 8)
    if collapsed:
        note(
            f"posterior collapse: {active} of {model.latent} dimensions are active; "
            "train with a smaller --beta, or longer"
        )
    return {
        "kl_per_dimension": [round(one, 4) for one in kl.tolist()],
        "active_units": active,
        "collapsed": collapsed,
    }


def train(
    wanted: dict[str, Any],
    folder: Path,
    *,
    name: str,
    data: Path | None,
    seed: int,
    device: str,
    devices: int,
    strategy: str,
    resume: bool,
    restart: bool,
) -> Report:
    """Train on the training split, measure on the test split, and store the checkpoint.

    Parameters
    ----------
    wanted : dict
        `Settings` that differ from the usual ones.
    folder : path
        Gets the checkpoint; other parameters as for `groove_vae.actions.train`.
    """
    from groove_vae.twin_evaluation import evaluate_twin

    settings = Settings(**wanted)
    performances = load(data=data)
    learnt = Windows.of([one for one in performances if one.split == "train"])
    if len(learnt) < 8 * devices:
        raise InputError(
            f"The training split has {len(learnt)} windows of two bars, too few to learn from.",
            hint="Give a folder with more MIDI files in 4/4.",
        )
    if settings.batch_size % devices or settings.batch_size < 4 * devices:
        raise UsageError(
            f"The batch of {settings.batch_size} cannot be cut into {devices} even parts of 4.",
            hint=f"--batch-size {devices * max(4, settings.batch_size // devices)}",
        )
    fabric = launch(device, devices, strategy)
    seed = fabric.broadcast(seed)
    task = TwinTask(settings, learnt, seed)
    history = fit(
        fabric,
        task,
        epochs=settings.epochs,
        folder=folder,
        seed=seed,
        resume=resume,
        restart=restart,
    )
    model = rounded(task.model)
    held_out = Windows.of(
        [one for one in performances if one.split == "validation"],
        styles=learnt.styles,
        drummers=learnt.drummers,
    )
    watch = collapse(model, held_out if len(held_out) > 1 else learnt)
    report = measured(lambda: evaluate_twin(model, performances, seed=1), name, history)
    about = card(
        asdict(settings),
        performances,
        watch,
        name=name,
        seed=seed,
        data=None if data is None else str(data),
        intended_use="Velocities and micro-timing for drum parts in 4/4, in sixteenths.",
        limits=LIMITS,
        paper="arXiv:1905.06118",
    )
    return store(folder, model, about, report, history=history, posterior=watch)
