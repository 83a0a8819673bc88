"""Training the classifier of `gansynth_lite.classifier`, and measuring it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gansynth_lite.classifier import AT_ONCE, NoteClassifier, hear
from gansynth_lite.lessons import NoteTraining
from groove_core.console import note
from groove_core.errors import InputError
from groove_core.learning import Step, cosine, shuffled, wilson
from groove_core.values import Cell, Report

__all__ = ["ClassifierSettings", "ClassifierTraining"]

SHIFT_S = 0.1
NOISE_DB = (-90.0, -40.0)
"""Level of the noise added in training, against the peak."""
KNOWN = 4096
"""Notes of a part that it is measured by, at most."""


@dataclass(frozen=True)
class ClassifierSettings:
    """What decides the outcome of a training, beside the notes and the seed."""

    epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    width: int = 32
    low: int | None = None
    high: int | None = None
    """Range of pitches (default: that of the notes)."""
    precision: Literal["32", "bf16"] = "32"
    network: Literal["harmonic", "mel"] = "harmonic"


class ClassifierTraining(NoteTraining[ClassifierSettings, NoteClassifier]):
    """How a classifier learns from notes."""

    option = "--classifier"

    def build(self) -> NoteClassifier:
        """Make the classifier, and number the pitches."""
        settings, notes, known = self.settings, self.data.notes, self.data.known
        low = int(notes.pitches.min()) if settings.low is None else settings.low
        high = int(notes.pitches.max()) if settings.high is None else settings.high
        self.pitches = torch.from_numpy(known.pitches) - low
        self.families = torch.from_numpy(known.families)
        length = notes.samples.shape[1]
        return NoteClassifier(
            notes.sample_rate, length, notes.family_names, low, high, settings.width,
            settings.network,
        )  # fmt: skip

    def rate(self, optimizer: str, done: float) -> float:
        """Return the decay, after a quick rise."""
        return min(1.0, 20 * done + 0.05) * cosine(done)

    def batches(self, generator: torch.Generator) -> Sequence[Tensor]:
        """Shuffle the notes into batches."""
        return shuffled(len(self.pitches), self.settings.batch_size, generator)

    def loss(self, batch: Tensor, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        """Return how badly notes are told, a little shifted in time and with a little noise."""
        mine = step.rows(batch)
        draw, noise = step.rand(len(batch), 2), step.noise()
        heard = self._varied(self.data.known.sounds(mine, step.device), draw, noise)
        pitches, families = (
            labels[mine].to(step.device) for labels in (self.pitches, self.families)
        )
        with step.autocast(self.settings.precision):
            pitch_logits, family_logits = self.modules["model"](heard)
        losses = {"pitch": F.cross_entropy(pitch_logits.float(), pitches)}
        if family_logits.shape[1]:
            # A sum, since the mean over none would be no number.
            total = F.cross_entropy(
                family_logits.float(), families, ignore_index=-1, reduction="sum"
            )
            losses["family"] = total / (families >= 0).sum().clamp_min(1)
        right = (pitch_logits.argmax(dim=1) == pitches).float().mean()
        return torch.stack(list(losses.values())).sum(), {**losses, "accuracy": right}

    def _varied(self, samples: Tensor, draw: Tensor, generator: torch.Generator) -> Tensor:
        shift = (draw[:, :1] * SHIFT_S * self.data.known.sample_rate).long()
        at = torch.arange(samples.shape[1], device=samples.device) - shift
        late = samples.gather(1, at.clamp_min(0)) * (at >= 0)
        noise = torch.randn(samples.shape, generator=generator, device=samples.device)
        low, high = NOISE_DB
        return late + 10 ** ((low + (high - low) * draw[:, 1:]) / 20) * noise

    def finish(self) -> None:
        """Tell how well the notes of the validation part are heard."""
        notes, held = self.data.notes, torch.from_numpy(self.data.parts["validation"])
        if len(held):
            heard = hear(self.model, (notes.sounds(some) for some in held.split(AT_ONCE)))
            right = heard.pitch == torch.from_numpy(notes.pitches)[held]
            note(f"pitch heard right in {right.float().mean():.1%} of {len(held)} other notes")

    def measure(self, name: str) -> Report:
        """Measure how often pitch and family of notes are told, beside guesses."""
        notes, parts = self.data.notes, self.data.parts
        if not len(parts["test"]):
            raise InputError("No note is held out to measure by.", hint="Give more notes.")
        rows: list[tuple[Cell, ...]] = []
        for part, row in (("test", "held-out"), ("train", "training")):
            which = torch.from_numpy(parts[part])[:: max(1, len(parts[part]) // KNOWN)]
            pitches, families = (
                torch.from_numpy(one)[which] for one in (notes.pitches, notes.families)
            )
            heard = hear(self.model, (notes.sounds(at) for at in which.split(AT_ONCE)))
            known = families >= 0
            guess = heard.families.argmax(dim=1) if self.model.families else families
            right = int((guess == families)[known].sum())
            rows.append((
                f"{name}, {row} notes", len(which),
                wilson(int((heard.pitch == pitches).sum()), len(which)),
                wilson(right, int(known.sum())) if known.any() else None,
            ))  # fmt: skip
        counts = torch.bincount(torch.from_numpy(notes.families) + 1)[1:]
        rows.append((
            "most frequent", None,
            float(np.bincount(notes.pitches).max() / len(notes)),
            float(counts.max() / counts.sum()) if counts.any() else None,
        ))  # fmt: skip
        return Report(name, ("", "notes", "pitch", "family"), tuple(rows))

    def card(self) -> dict[str, Any]:
        """Say what the classifier is for."""
        return {
            "data": self.data.card(),
            "intended_use": "Judging generators of notes that learnt from the same notes.",
            "limits": "Families and pitches as the training notes have them.",
            "paper": "arXiv:1902.08710, section 4",
        }
