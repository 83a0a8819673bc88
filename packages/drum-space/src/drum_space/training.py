"""Training the three models; the losses themselves are in `drum_space.model`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from drum_space.data import PatternSet
from drum_space.evaluation import evaluate_models
from drum_space.model import (
    Critic,
    DrumAutoencoder,
    acai_critic_loss,
    acai_regularizer,
    mix,
    reconstruction,
    vae_kl,
)
from drum_space.space import SHIPPED
from groove_core.console import note
from groove_core.errors import InputError
from groove_core.learning import Step, Training, cosine, digest, frozen, shuffled
from groove_core.values import Report

__all__ = ["SHIPPED", "DrumTraining", "Settings"]

FEWEST = 8
"""Patterns to learn from."""


@dataclass(frozen=True)
class Settings:
    """What decides the outcome of a training, beside the data and the seed."""

    kind: str
    latent: int = 4
    epochs: int = 300
    batch_size: int = 256
    learning_rate: float = 2e-3
    beta: float = 0.2
    """Weight of the VAE's KL against the cross-entropy summed over 448 bits."""
    free_bits: float = 0.25
    """Nats per dimension that the VAE's KL leaves free."""
    advweight: float = 0.5
    """ACAI's lambda."""
    gamma: float = 0.2
    """ACAI's gamma."""
    warm_up: float = 0.2
    """Share of the training over which beta and lambda rise from 0: a critic that
    is listened to before the decoder can draw ruins the reconstruction."""
    critic_rate: float = 3e-4


class DrumTraining(Training[Settings, PatternSet, DrumAutoencoder]):
    """One of the three models and how it learns from the training split."""

    package = "drum-space"
    multiple = 2
    """Mixtures pair the patterns of a batch."""

    def build(self) -> DrumAutoencoder:
        """Make autoencoder and critic."""
        settings = self.settings
        self.hits = torch.from_numpy(self.data.hits[self.data.part("train")])
        if len(self.hits) < FEWEST:
            raise InputError(
                f"The training split has {len(self.hits)} patterns, too few to learn from.",
                hint="Give a folder with more MIDI files.",
            )
        model = DrumAutoencoder(kind=settings.kind, latent=settings.latent)
        self.critic = Critic(settings.latent, tuple(model.config["encoder"]))
        return model

    def networks(self) -> dict[str, nn.Module]:
        """Name encoder and decoder, and for ACAI the critic."""
        found: dict[str, nn.Module] = {
            "encoder": self.model.encoder,
            "decoder": self.model.decoder,
        }
        return {**found, "critic": self.critic} if self.settings.kind == "acai" else found

    def configure_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Let the critic learn by itself, at a rate of its own."""
        adam, settings = torch.optim.Adam, self.settings
        found = {"autoencoder": adam(self.model.parameters(), settings.learning_rate)}
        if settings.kind == "acai":
            found["critic"] = adam(self.critic.parameters(), settings.critic_rate)
        return {**found}

    def rate(self, optimizer: str, done: float) -> float:
        """Return the decay; the critic has none."""
        return 1.0 if optimizer == "critic" else cosine(done)

    def fingerprint(self) -> str:
        """Return a hash of the patterns."""
        return digest(self.hits)

    def batches(self, generator: torch.Generator) -> Sequence[Tensor]:
        """Shuffle the patterns into batches of pairs."""
        size = min(self.settings.batch_size, len(self.hits) // 2 * 2)
        return shuffled(len(self.hits), size, generator)

    def learn(self, batch: Tensor, step: Step) -> dict[str, Tensor]:
        """Learn from one batch: the autoencoder, then the critic."""
        settings, encoder, decoder = self.settings, self.modules["encoder"], self.modules["decoder"]
        rise = min(1.0, step.done / settings.warm_up)
        bits = step.part(self.hits[batch].flatten(1).float())
        codes = encoder(bits)
        losses: dict[str, Tensor] = {}
        if settings.kind == "vae":
            mean, log_variance = codes.chunk(2, dim=1)
            noise = step.randn(len(batch), settings.latent)
            codes = mean + noise * (0.5 * log_variance).exp()
            losses["kl"] = vae_kl(mean, log_variance, free_bits=settings.free_bits)
        logits = decoder(codes)
        losses["reconstruction"] = total = reconstruction(logits, bits)
        if settings.kind == "vae":
            total = total + rise * settings.beta * losses["kl"] / bits.shape[1]
        if settings.kind == "acai":
            alpha = 0.5 * step.rand(len(batch))
            mixed = decoder(mix(codes, alpha)).sigmoid()
            with frozen(self.critic):
                losses["fooled"] = acai_regularizer(self.critic, mixed)
            total = total + rise * settings.advweight * losses["fooled"]
        self.minimise(total, step, "autoencoder")
        if settings.kind == "acai":
            made, mixed = logits.detach().sigmoid(), mixed.detach()
            losses["critic"] = acai_critic_loss(
                self.modules["critic"], bits, made, mixed, alpha, gamma=settings.gamma
            )
            self.minimise(losses["critic"], step, "critic")
        return losses

    def finish(self) -> None:
        """Fit the prior and the thresholds, and keep where genres lie."""
        note("fitting the prior and the thresholds")
        hits = self.hits.to(self.model.thresholds.device)
        self.model.calibrate(hits, seed=self.seed)
        genres = self.data.genre_of()[self.data.part("train")].tolist()
        self.model.remember(hits, genres, seed=self.seed)

    def measure(self, name: str) -> Report:
        """Measure on held-out patterns, and on about as many samples as there are patterns."""
        count = min(max(1_000, len(self.hits)), 10_000)
        report = evaluate_models({name: self.model}, self.data, count=count, seed=1)
        title = f"{name}, {self.settings.epochs} epochs on {len(self.hits)} patterns"
        return replace(report, title=title)

    def split(self) -> dict[str, Any]:
        """Return which performances are learnt from."""
        return self.data.split_card()

    def card(self) -> dict[str, Any]:
        """Say what the model is for."""
        return {
            "intended_use": "Two-bar 4/4 drum patterns in sixteenths: ideas, variations, morphs.",
            "limits": (
                "No velocity and no micro-timing; no triplets and no other metre. Mostly rock, "
                "funk and latin played by ten drummers on an electronic kit. Four numbers cannot "
                "hold a pattern: encoding and decoding a beat gives a relative of it, not the beat."
            ),
            "paper": "arXiv:2007.06284; ACAI: arXiv:1807.07543",
        }
