"""Learning to write melodies: the three originals, and the Transformer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from groove_core.errors import UsageError
from groove_core.learning import EMA, Step, Training, cosine, digest, warm_up
from groove_core.tunes import BY_TUNE
from groove_core.values import Report
from melody_rnn.attention import Attention
from melody_rnn.conditions import OPENED, conditions_of, hidden
from melody_rnn.encodings import BAR, labels, told
from melody_rnn.evaluation import measured
from melody_rnn.lessons import Lesson
from melody_rnn.lines import NOTE, Line, Windows, windows
from melody_rnn.loading import PACKAGE
from melody_rnn.recurrent import Basic, Lookback, Recurrent
from melody_rnn.transformer import ONSET, UNKNOWN, Transformer

__all__ = [
    "KINDS", "SHIPPED", "RecurrentTraining", "Settings", "TransformerTraining",
    "training_of",
]  # fmt: skip

Name = Literal["transformer", "attention", "lookback", "basic"]
KINDS: dict[str, type[Recurrent]] = {"basic": Basic, "lookback": Lookback, "attention": Attention}
ORIGINAL: dict[str, Any] = {
    "layers": 2, "dropout": 0.5, "epochs": 14, "batch_size": 32, "learning_rate": 7e-3,
    "weight_decay": 0.0, "precision": "32",
}  # fmt: skip
"""Settings of the three originals, where they are not those of the Transformer."""
HEAD = 32
"""Numbers of each head of the Transformer."""
PAPERS = {
    "basic": "https://magenta.tensorflow.org/2016/06/10/recurrent-neural-network-generation-tutorial",
    "lookback": "https://magenta.tensorflow.org/2016/07/15/lookback-rnn-attention-rnn",
    "attention": "https://magenta.tensorflow.org/2016/07/15/lookback-rnn-attention-rnn",
    "transformer": "arXiv:1706.03762",
}
SHIPPED = "melody-tunes", "MIT AND CC0-1.0 AND BSD-3-Clause AND Artistic-1.0"
"""Name and licence of the shipped tunes."""


@dataclass(frozen=True)
class Settings:
    """What decides the outcome of a training, beside the data and the seed."""

    model: Name = "transformer"
    size: int = 128
    layers: int = 4
    dropout: float = 0.1
    epochs: int = 12
    batch_size: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    precision: Literal["32", "bf16"] = "bf16"

    def __post_init__(self) -> None:
        if self.model == "transformer" and self.size % HEAD:
            raise UsageError(
                f"The size of the Transformer must be a multiple of {HEAD}, not {self.size}.",
                hint=f"--size {HEAD * round(self.size / HEAD)}",
            )

    @classmethod
    def of(cls, model: Name, **told: float | None) -> Settings:
        """Return the settings of a network, and what is told instead."""
        own: dict[str, Any] = ORIGINAL if model in KINDS else {}
        return cls(model, **{**own, **{name: x for name, x in told.items() if x is not None}})


class _Windowed(Training[Settings, Lesson, Any]):
    """Batches of windows of about equal length."""

    package = PACKAGE
    steps: ClassVar[int] = 256
    """Of a window: sixteen bars of 4/4 in sixteenths."""

    def split(self) -> dict[str, Any]:
        """Say which tunes were learnt from."""
        groups, parts = self.data.tunes.groups, self.data.tunes.parts
        return BY_TUNE.or_published(groups, parts).card(groups, parts)

    def measure(self, name: str) -> Report:
        """Measure the bits of events of tunes that were not learnt."""
        return measured(self.model, self.data, name)

    def card(self) -> dict[str, Any]:
        """Say what the network is for."""
        return {
            "intended_use": "Melodies to go on with: continued, completed, varied.",
            "limits": (
                "Learnt from pop songs, art songs, hymns, string quartets and game music of the "
                "18th to the 21st century, most of them European or Chinese, in major and minor. "
                "It knows no words, and no instrument."
            ),
            "paper": PAPERS[self.settings.model],
        }

    def fingerprint(self) -> str:
        """Return a hash of the events and the chords."""
        return digest(*(part for line in self.data.lines for part in (line.events, line.root)))

    @property
    def learnt_lines(self) -> list[Line]:
        """The lines of an epoch."""
        return self.data.lines

    def batches(self, generator: torch.Generator) -> Sequence[Tensor]:
        """Cut the lines anew, and put windows of about one length together.

        A batch has about as many steps as `batch_size` whole windows: the more windows, the
        shorter they are.
        """
        seed = int(torch.randint(2**31, (), generator=generator))
        rng = np.random.default_rng(seed)
        self.windows = windows(self.learnt_lines, self.steps, rng=rng)
        self.lengths = self.steps - self.windows.known[:, ::-1].argmax(axis=1)
        order = np.argsort(-self.lengths - rng.uniform(0, BAR, len(self.windows)), kind="stable")
        batches = []
        while len(order):
            size = self.settings.batch_size * self.steps // int(self.lengths[order[0]])
            batches.append(torch.from_numpy(order[:size]))
            order = order[size:]
        return [batches[i] for i in rng.permutation(len(batches))]

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
    steps = 512

    def build(self) -> Transformer:
        """Make the network, and the average of its weights, which is what is kept."""
        settings = self.settings
        model = Transformer(
            size=settings.size, heads=settings.size // HEAD, layers=settings.layers,
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
        beats = step.rand(size, events.shape[1])
        given = partly_given(events, known, step.rand(size, 4), beats, on.grid)
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


def training_of(model: str) -> type[_Windowed]:
    """Return how a network is trained."""
    return RecurrentTraining if model in KINDS else TransformerTraining


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of the values that a mask marks."""
    return (values * mask).sum() / mask.sum().clamp(min=1)


def partly_given(
    events: Tensor, known: Tensor, random: Tensor, beats: Tensor, grid: Tensor
) -> Tensor:
    """Choose what is given: nothing, all but a gap, or scattered beats; a rhythm, too.

    Parameters
    ----------
    events, known : Tensor [shape=(n, steps)]
    random : Tensor [shape=(n, 4), 0 to 1]
        What is given, how much is hidden, where the gap begins, and whether its rhythm is given.
    beats : Tensor [shape=(n, steps), 0 to 1]
        Which beats are hidden.
    grid : int tensor [shape=(n,)]
        Steps of a beat.

    Returns
    -------
    int tensor [shape=(n, steps)]
    """
    what, share, start, rhythm = random[:, :, None].unbind(dim=1)
    length = known.sum(dim=1, keepdim=True)
    at = torch.arange(events.shape[1], device=events.device)
    size = share.square() * length
    first = start * (length - size)
    gap = (at >= first) & (at < first + size + 1)
    scattered = beats.gather(1, at // grid[:, None] * grid[:, None]) < share
    closed = torch.where(what < 0.85, gap, scattered)
    inside = torch.where(rhythm < 0.3, torch.where(events >= NOTE, ONSET, events), UNKNOWN)
    given = torch.where(closed, inside, events)
    return torch.where((what < 0.5) | ~known, UNKNOWN, given)
