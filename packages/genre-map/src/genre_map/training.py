"""Training the genre classifier; the networks are in `genre_map.model`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from genre_map.augmentation import textured, varied
from genre_map.evaluation import measure_classifier
from genre_map.model import DESIGN, GenreClassifier
from genre_map.pictures import LAYOUTS, LayoutName, cut_all
from genre_map.splits import Divided
from groove_core.learning import Step, Training, cosine, digest
from groove_core.values import Report

__all__ = ["RENDERED", "GenreTraining", "Settings", "calibrate"]

VARY = 14
"""Which of the random numbers of a window says whether it is varied."""
SHORT = 1.25
"""Varied windows are cut from so many times their length: they may be played faster."""
RENDERED = (
    "Learnt from rendered music only, in which nothing but the groove depends on the genre: what "
    "it says of recordings is a guess by rhythm and texture, and often wrong."
)


@dataclass(frozen=True)
class Settings:
    """What decides the outcome of a training, beside the data and the seed."""

    network: LayoutName = "ours"
    epochs: int = 20
    windows: int = 6
    """Of each song in an epoch, on average; all genres have as many."""
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    smoothing: float = 0.1
    """Of labels."""
    vary: float = 0.5
    """Share of the windows that are: see `genre_map.augmentation`. For our own network only."""
    texture: float = 0.7
    """Share of the windows, varied or not, whose texture is another. Likewise."""
    precision: Literal["32", "bf16"] = "32"


class GenreTraining(Training[Settings, Divided, GenreClassifier]):
    """How a classifier learns from windows drawn from songs."""

    package = "genre-map"

    def build(self) -> GenreClassifier:
        """Make the classifier, and choose what it learns from."""
        self.pictures, labels = self.data.part("train")
        self.labels = torch.tensor(labels)
        model = GenreClassifier(self.data.songs.genres, self.settings.network, design=DESIGN)
        self.layout = model.layout
        channels_last: GenreClassifier = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return channels_last

    def fingerprint(self) -> str:
        """Return a hash of the pictures and their genres."""
        return digest(self.labels, *self.pictures)

    def rate(self, optimizer: str, done: float) -> float:
        """Return the decay, after a quick rise."""
        return min(1.0, 50 * done) * cosine(done)

    def batches(self, generator: torch.Generator) -> Sequence[Tensor]:
        """Draw songs, all genres as often: numbers of songs, batch by batch."""
        genres = int(self.labels.max()) + 1
        each = max(1, self.settings.windows * len(self.labels) // genres)
        chosen = []
        for genre in range(genres):
            mine = torch.nonzero(self.labels == genre).flatten()
            rounds = -(-each // len(mine))
            order = [mine[torch.randperm(len(mine), generator=generator)] for _ in range(rounds)]
            chosen.append(torch.cat(order)[:each])
        drawn = torch.cat(chosen)
        drawn = drawn[torch.randperm(len(drawn), generator=generator)]
        size = min(self.settings.batch_size, len(drawn))
        return [chunk for chunk in drawn.split(size) if len(chunk) == size]

    def loss(self, batch: Tensor, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the cross-entropy of the genres of a window of each song."""
        settings = self.settings
        draw, room = step.rand(len(batch), 16), step.rand(len(batch), 4)
        labels = step.part(self.labels[batch])
        windows = self._windows(step.rows(batch).tolist(), draw, room)
        if settings.texture and self.layout == LAYOUTS["ours"]:
            windows = self._textured(windows, len(batch), step)
        with step.autocast(settings.precision):
            logits = self.modules["model"](windows.contiguous(memory_format=torch.channels_last))
        loss = F.cross_entropy(logits.float(), labels, label_smoothing=settings.smoothing)
        right = (logits.argmax(dim=1) == labels).float().mean()
        return loss, {"cross_entropy": loss, "accuracy": right}

    def _windows(self, songs: list[int], draw: Tensor, room: Tensor) -> Tensor:
        frames = self.layout.frames
        share = self.settings.vary if self.layout == LAYOUTS["ours"] else 0.0
        wide = int(SHORT * frames) + 1 if share else frames
        windows = cut_all(self.pictures, songs, draw[:, -1], wide)
        if not share:
            return self.layout.shown(windows)
        # What is as it was is learnt sooner; what is not carries over to other recordings.
        chosen = draw[:, VARY] >= 1 - share
        windows, long = windows[..., :frames].clone(), windows[chosen]
        windows[chosen] = varied(long, frames, draw[chosen], room[chosen])
        return windows

    def _textured(self, windows: Tensor, size: int, step: Step) -> Tensor:
        parts, n_mels, frames = self.layout.shape
        draw, noise = step.rand(size, 7), step.randn(size, parts, n_mels, frames // 2)
        chosen = draw[:, -1] < self.settings.texture
        windows[chosen] = textured(windows[chosen], draw[chosen, :-1], noise[chosen])
        return windows

    def finish(self) -> None:
        """Calibrate on the songs of validation."""
        pictures, labels = self.data.part("validation")
        calibrate(self.model, self.model.classify(pictures), labels)

    def measure(self, name: str) -> Report:
        """Measure on the songs of the test."""
        return measure_classifier(self.model, *self.data.part("test"), name=name)

    def split(self) -> dict[str, Any]:
        """Return which songs it learnt from."""
        return self.data.split()

    def card(self) -> dict[str, Any]:
        """Say what the classifier is for."""
        rendered = self.data.songs.kind == "corpus"
        return {
            "data": {"songs": self.data.songs.counts()},
            "intended_use": "Telling the genre of songs by windows of three seconds; research.",
            "limits": RENDERED if rendered else "Genres as the training songs have them.",
            "paper": "arXiv:1802.09697; Zhang et al., Interspeech 2016",
        }


def calibrate(model: GenreClassifier, logits: Sequence[Tensor], labels: Sequence[int]) -> None:
    """Choose the temperature at which the windows of songs not learnt from are least surprising."""
    if not logits:
        return
    together = torch.cat(list(logits))
    wanted = torch.cat([torch.full((len(a),), b) for a, b in zip(logits, labels, strict=True)])
    temperatures = torch.logspace(-0.7, 0.9, 81)
    losses = [float(F.cross_entropy(together / t, wanted)) for t in temperatures]
    model.temperature.fill_(temperatures[int(torch.tensor(losses).argmin())])
