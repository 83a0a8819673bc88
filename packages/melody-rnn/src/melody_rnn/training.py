"""Learning to write melodies: the three originals, and the Transformer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from groove_core.learning import EMA, Split, Step, Training, cosine, digest, warm_up
from melody_rnn.attention import Attention
from melody_rnn.cutting import METRES
from melody_rnn.encodings import BAR, labels, told
from melody_rnn.lines import NOTE, OPEN, OPEN_ROOT, Line, Windows, windows
from melody_rnn.recurrent import Basic, Lookback, Recurrent
from melody_rnn.transformer import (
    DENSITIES,
    ONSET,
    REGISTERS,
    UNKNOWN,
    Conditions,
    Transformer,
    density_of,
    register_of,
)

__all__ = [
    "KINDS", "Lesson", "RecurrentTraining", "Settings", "TransformerTraining", "conditions_of",
    "for_originals",
]  # fmt: skip

PACKAGE = "melody-rnn"
STEPS = 256
"""Steps of a window: sixteen bars of 4/4 in sixteenths."""
Name = Literal["transformer", "attention", "lookback", "basic"]
KINDS: dict[str, type[Recurrent]] = {"basic": Basic, "lookback": Lookback, "attention": Attention}


@dataclass(frozen=True)
class Settings:
    """What decides the outcome of a training, beside the data and the seed."""

    model: Name = "transformer"
    size: int = 128
    layers: int = 4
    dropout: float = 0.1
    epochs: int = 12
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    precision: Literal["32", "bf16"] = "bf16"


@dataclass(frozen=True)
class Lesson:
    """Lines to learn from, and the names of the tunes that they are of."""

    lines: tuple[Line, ...]
    groups: tuple[str, ...] = ()
    parts: dict[str, Sequence[int]] | None = None


def for_originals(line: Line) -> bool:
    """Return whether the originals can read a line: bars of sixteen sixteenths."""
    return line.bar == BAR and line.grid == 4


class _Windowed(Training[Settings, Lesson, Any]):
    """Batches of windows of about equal length."""

    package = PACKAGE

    def fingerprint(self) -> str:
        """Return a hash of the events and the chords."""
        return digest(*(part for line in self.data.lines for part in (line.events, line.root)))

    def batches(self, generator: torch.Generator) -> Sequence[Tensor]:
        """Cut the lines anew, and put windows of about one length together."""
        seed = int(torch.randint(2**31, (), generator=generator))
        rng = np.random.default_rng(seed)
        self.windows = windows(self.data.lines, STEPS, rng=rng)
        self.lengths = STEPS - self.windows.known[:, ::-1].argmax(axis=1)
        order = np.argsort(self.lengths + rng.uniform(0, BAR, len(self.windows)), kind="stable")
        size = min(self.settings.batch_size, len(order))
        whole = [order[at : at + size] for at in range(0, len(order) - size + 1, size)]
        return [torch.from_numpy(whole[i]) for i in rng.permutation(len(whole))]

    def picked(self, batch: Tensor, step: Step) -> Windows:
        """Return this process's windows of a batch, as long as the longest of the whole batch."""
        longest = int(self.lengths[batch.numpy()].max())
        return self.windows.pick(step.rows(batch).numpy()).until(longest)

    def rate(self, optimizer: str, done: float) -> float:
        """Rise for a fiftieth of the training, then decay."""
        return warm_up(cosine, 0.02)(done)


class RecurrentTraining(_Windowed):
    """One of the originals: cross-entropy of the labels."""

    max_norm = 3.0

    def build(self) -> Recurrent:
        """Make the network."""
        return KINDS[self.settings.model](hidden=self.settings.size, dropout=self.settings.dropout)

    def loss(self, batch: Tensor, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the nats per step."""
        some = self.picked(batch, step)
        encoding = self.model.encoding
        x = torch.from_numpy(told(encoding, some.events)).to(step.device)
        wanted = torch.from_numpy(labels(encoding, some.events)).to(step.device)
        logits, _ = self.modules["model"](x)
        nats = F.cross_entropy(logits.transpose(1, 2), wanted, reduction="none")
        loss = masked_mean(nats, torch.from_numpy(some.known).to(step.device))
        return loss, {"nats": loss}


class TransformerTraining(_Windowed):
    """The Transformer: under conditions, each of which is left open often, and around notes."""

    max_norm = 1.0

    def build(self) -> Transformer:
        """Make the network, and the average of its weights, which is what is kept."""
        settings = self.settings
        model = Transformer(
            size=settings.size, heads=settings.size // 32, layers=settings.layers,
            encoder_layers=max(1, settings.layers // 2), dropout=settings.dropout,
        )  # fmt: skip
        self.average = EMA(model, 0.999, warm_up=True)
        return model

    def networks(self) -> dict[str, nn.Module]:
        """Name the network and its average."""
        return {"model": self.model, "average": self.average}

    def result(self) -> Transformer:
        """Return the average."""
        return self.average.module

    def loss(self, batch: Tensor, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the nats per step that is not given."""
        some, size = self.picked(batch, step), len(batch)
        events = torch.from_numpy(some.events).to(step.device)
        known = torch.from_numpy(some.known).to(step.device)
        on = hidden(conditions_of(some, step.device), step.rand(size, len(OPENED)))
        given = partly_given(events, known, step.rand(size, 4))
        with step.autocast(self.settings.precision):
            logits = self.modules["model"](events, on, given)
        nats = F.cross_entropy(logits.float().transpose(1, 2), events, reduction="none")
        open_steps = known & ((given == UNKNOWN) | (given == ONSET))
        loss = masked_mean(nats, open_steps)
        return loss, {"nats": loss}

    def learn(self, batch: Tensor, step: Step) -> dict[str, Tensor]:
        """Learn from a batch, and move the average."""
        shown = super().learn(batch, step)
        self.average.update(self.model)
        return shown


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of the values that a mask marks."""
    return (values * mask).sum() / mask.sum().clamp(min=1)


def conditions_of(some: Windows, device: torch.device | str) -> Conditions:
    """Return all that is known of windows as conditions."""
    def tensor(array: Any) -> Tensor:
        return torch.from_numpy(array).to(device)

    events, known, bar = tensor(some.events), tensor(some.known), tensor(some.bar)
    return Conditions(
        bar, tensor(some.grid), tensor(some.metre), tensor(some.mode),
        density_of(events, known, bar), register_of(events), tensor(some.root), tensor(some.chord),
    )  # fmt: skip


OPENED = {"metre": 0.1, "mode": 0.2, "density": 0.6, "register": 0.6, "chords": 0.5}
"""How often each condition is left open in training."""


def hidden(on: Conditions, random: Tensor) -> Conditions:
    """Leave conditions open.

    Parameters
    ----------
    random : Tensor [shape=(n, 5), 0 to 1]
    """
    metre, mode, density, register, chords = (
        random[:, i] < share for i, share in enumerate(OPENED.values())
    )
    return on._replace(
        metre=torch.where(metre, len(METRES), on.metre),
        mode=torch.where(mode, OPEN, on.mode),
        density=torch.where(density, DENSITIES, on.density),
        register=torch.where(register, REGISTERS, on.register),
        root=torch.where(chords[:, None], OPEN_ROOT, on.root),
        chord=torch.where(chords[:, None], 0, on.chord),
    )


def opened(on: Conditions) -> Conditions:
    """Leave all conditions open but the metre and the mode."""
    return hidden(on, torch.tensor([[1.0, 1.0, 0.0, 0.0, 0.0]], device=on.bar.device))


def partly_given(events: Tensor, known: Tensor, random: Tensor) -> Tensor:
    """Choose what is given: nothing, all but a gap, or a rhythm without pitches, too.

    Parameters
    ----------
    events, known : Tensor [shape=(n, steps)]
    random : Tensor [shape=(n, 4), 0 to 1]
        Whether anything is given, both ends of the gap, and whether its rhythm is given.

    Returns
    -------
    int tensor [shape=(n, steps)]
    """
    length = known.sum(dim=1)
    at = torch.arange(events.shape[1], device=events.device)
    ends = (random[:, 1:3].sort(dim=1).values * (length[:, None] + 1)).long()
    gap = (at >= ends[:, :1]) & (at < ends[:, 1:])
    rhythm = (random[:, 3] < 0.3)[:, None]
    in_gap = torch.where(rhythm, torch.where(events >= NOTE, ONSET, events), UNKNOWN)
    given = torch.where(gap, in_gap, events)
    return torch.where((random[:, :1] < 0.5) | ~known, UNKNOWN, given)
