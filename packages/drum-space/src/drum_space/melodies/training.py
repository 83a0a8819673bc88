"""Training the melody network; the network itself is in `drum_space.melodies.model`."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from drum_space.melodies.crops import crops_of
from drum_space.melodies.evaluation import Measured, measure, report_of
from drum_space.melodies.lines import FOLDS, NO_BASS, Piece, Songbook
from drum_space.melodies.model import DrumMelody
from drum_space.model import DrumAutoencoder
from drum_space.space import PACKAGE
from groove_core.console import note
from groove_core.errors import InputError
from groove_core.learning import Run, Step, Training, digest, shuffled, trained
from groove_core.values import Report

__all__ = ["SHIPPED", "Lesson", "MelodyTraining", "Settings"]

SHIPPED = "freedoom-lines", "BSD-3-Clause"


@dataclass(frozen=True)
class Settings:
    """What decides the outcome of a training, beside the data and the seed."""

    hidden: int = 128
    layers: int = 2
    around: int = 5
    columns: int = 24
    dropout: float = 0.5
    epochs: int = 5
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.1
    hide_drums: float = 0.2
    """Share of lines that are learnt without a beat, so that there is one to compare with."""
    hide_bass: float = 0.5
    blur_codes: float = 1.0
    """Noise on codes, in their deviations: an exact code would give the piece away."""
    lose_drum: float = 0.2
    """Chance of each drum to be missing from a beat: no kit is the only one to follow."""


@dataclass(frozen=True)
class Lesson:
    """What a network learns from, and what it is measured on."""

    book: Songbook
    space: DrumAutoencoder
    about: dict[str, str]
    """Name and ``sha256`` of the space."""
    held_out: int = 0
    """Fold of the pieces that are not learnt."""
    folds: int = 1
    """Folds to measure on, each by a network that has not learnt it."""

    @property
    def learnt(self) -> list[Piece]:
        """The pieces of all other folds."""
        return self.book.part(set(range(FOLDS)) - {self.held_out})


class MelodyTraining(Training[Settings, Lesson, DrumMelody]):
    """The network and how it learns from a batch of crops."""

    package = PACKAGE
    max_norm = 1.0

    def build(self) -> DrumMelody:
        """Make the network, which knows mean and deviation of the codes."""
        settings = self.settings
        self.crops = crops_of(self.data.learnt, self.data.space.cpu())
        model = DrumMelody(
            latent=self.data.space.latent,
            hidden=settings.hidden,
            layers=settings.layers,
            around=settings.around,
            columns=settings.columns,
            dropout=settings.dropout,
        )
        codes = self.crops.codes.flatten(0, 1)
        model.code_mean.copy_(codes.mean(dim=0))
        model.code_spread.copy_(codes.std(dim=0).clamp(min=1e-3))
        return model

    def fingerprint(self) -> str:
        """Return a hash of the crops."""
        return digest(*(getattr(self.crops, field.name) for field in fields(self.crops)))

    def batches(self, generator: torch.Generator) -> Sequence[Tensor]:
        """Shuffle the crops into whole batches."""
        return shuffled(len(self.crops), self.settings.batch_size, generator)

    def loss(self, batch: Tensor, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the nats per step of lines on beats that are partly hidden."""
        settings, n = self.settings, len(batch)
        chosen = self.crops.pick(step.rows(batch)).each(lambda field: field.to(step.device))
        heard = (step.rand(n) >= settings.hide_drums).float()
        hidden = step.rand(n) < settings.hide_bass
        kept = step.rand(n, 1, chosen.drums.shape[2]) >= settings.lose_drum
        noise = step.randn(n, *chosen.codes.shape[1:]) * self.model.code_spread
        on = replace(
            chosen,
            bass=torch.where(hidden[:, None], NO_BASS, chosen.bass),
            drums=chosen.drums & kept,
            codes=chosen.codes + settings.blur_codes * noise,
        ).on(heard)
        loss = self.modules["model"](chosen.line, on).mean()
        return loss, {"nll": loss}

    def measure(self, name: str) -> Report:
        """Measure on the pieces that are not learnt.

        With more folds, further networks are trained that leave other pieces out; they are not
        kept.
        """
        found = [self._measured()]
        for fold in range(1, self.data.folds):
            note(f"training without part {fold + 1} of {FOLDS} of the pieces, to measure on it")
            lesson = replace(self.data, held_out=fold)
            run = Run(self.seed, self.device)
            found.append(trained(MelodyTraining, self.settings, lesson, run)._measured())
        if not any(found):
            raise InputError(
                "No piece that is left out has eight bars with notes and drums.",
                hint="Give more MIDI files with drums and other instruments.",
            )
        return report_of([one for one in found if one], title=name)

    def _measured(self) -> Measured | None:
        """Measure on the fold that is held out; None where it has nothing to measure on."""
        held_out = self.data.book.part([self.data.held_out])
        with contextlib.suppress(InputError):
            return measure(self.model, self.data.space, held_out, self.data.learnt, seed=1)
        return None

    def split(self) -> dict[str, Any]:
        """Return which pieces are learnt from."""
        return self.data.book.split_card(self.data.held_out)

    def card(self) -> dict[str, Any]:
        """Say what the network is for."""
        return {
            "space": self.data.about,
            "data": {"lines": sum(len(piece.lines) for piece in self.data.book.pieces)},
            "intended_use": "Melodies and bass lines on a beat in 4/4: sketches to go on with.",
            "limits": (
                "Learnt from four dozen pieces of game music, mostly rock and metal in minor: "
                "riffs rather than songs, and no harmony beyond the bass. It follows the beat, but "
                "only a little: see the rows with other drums and with none."
            ),
            "paper": "arXiv:2007.06284",
        }
