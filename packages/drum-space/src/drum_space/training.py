"""Training the three models; the losses themselves are in `drum_space.model`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from drum_space.cards import made_with
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
from groove_core.console import note
from groove_core.errors import InputError, UsageError
from groove_core.learning import Shard, cosine, fit, launch, measured, rounded, store
from groove_core.values import Report

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["SHIPPED", "Settings", "card", "save_measured", "train_model"]

SHIPPED = "two-bar-patterns"


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


class DrumTask:
    """One of the three models and how it learns from a batch."""

    def __init__(self, settings: Settings, bits: Tensor, seed: int) -> None:
        self.settings, self.bits = settings, bits
        # The one place where global state is touched: layers are initialised from it.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = DrumAutoencoder(kind=settings.kind, latent=settings.latent)
            critic = Critic(settings.latent, tuple(self.model.config["encoder"]))
        self.modules: dict[str, torch.nn.Module] = {
            "encoder": self.model.encoder,
            "decoder": self.model.decoder,
        }
        parameters = [*self.model.encoder.parameters(), *self.model.decoder.parameters()]
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "autoencoder": torch.optim.Adam(parameters, lr=settings.learning_rate)
        }
        if settings.kind == "acai":
            self.modules["critic"] = critic
            self.optimizers["critic"] = torch.optim.Adam(
                critic.parameters(), lr=settings.critic_rate
            )
        # What a resumed training must have in common with the interrupted one.
        content = hashlib.sha256(bits.numpy().tobytes()).hexdigest()
        self.config: dict[str, Any] = {**asdict(settings), "patterns": content}

    def batches(self, generator: torch.Generator) -> Sequence[Tensor]:
        """Shuffle the patterns into whole batches."""
        order = torch.randperm(len(self.bits), generator=generator)
        size = min(self.settings.batch_size, len(order) // 2 * 2)
        return [self.bits[chunk].float() for chunk in order.split(size) if len(chunk) == size]

    def step(self, fabric: Fabric, batch: Tensor, shard: Shard, done: float) -> dict[str, Tensor]:
        """Learn from one batch."""
        settings, encoder, decoder = self.settings, self.modules["encoder"], self.modules["decoder"]
        optimizer = self.optimizers["autoencoder"]
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * cosine(done)
        rise = min(1.0, done / settings.warm_up)
        bits = shard(batch)
        codes = encoder(bits)
        losses: dict[str, Tensor] = {}
        if settings.kind == "vae":
            mean, log_variance = codes.chunk(2, dim=1)
            noise = shard.randn(len(batch), settings.latent)
            codes = mean + noise * (0.5 * log_variance).exp()
            losses["kl"] = vae_kl(mean, log_variance, free_bits=settings.free_bits)
        logits = decoder(codes)
        losses["reconstruction"] = total = reconstruction(logits, bits)
        if settings.kind == "vae":
            total = total + rise * settings.beta * losses["kl"] / bits.shape[1]
        if settings.kind == "acai":
            critic = self.modules["critic"]
            alpha = 0.5 * shard.rand(len(batch))
            mixed = decoder(mix(codes, alpha)).sigmoid()
            losses["fooled"] = acai_regularizer(critic, mixed)
            total = total + rise * settings.advweight * losses["fooled"]
        optimizer.zero_grad()
        fabric.backward(total)
        optimizer.step()
        if settings.kind == "acai":
            losses["critic"] = acai_critic_loss(
                critic, bits, logits.detach().sigmoid(), mixed.detach(), alpha, gamma=settings.gamma
            )
            # Also clears what the autoencoder's loss left on the critic.
            self.optimizers["critic"].zero_grad()
            fabric.backward(losses["critic"])
            self.optimizers["critic"].step()
        return losses


def train_model(
    patterns: PatternSet,
    settings: Settings,
    folder: Path,
    *,
    seed: int,
    device: str,
    devices: int,
    strategy: str,
    resume: bool,
    restart: bool,
) -> tuple[DrumAutoencoder, list[dict[str, float]]]:
    """Train a model on the training split and make it ready to sample.

    Returns
    -------
    model : DrumAutoencoder
        On the CPU, in the precision it is stored in.
    history : list of dict
        Mean losses of each epoch.
    """
    hits = torch.from_numpy(patterns.hits[patterns.part("train")])
    if len(hits) < 8:
        raise InputError(
            f"The training split has {len(hits)} patterns, too few to learn from.",
            hint="Give a folder with more MIDI files.",
        )
    if settings.batch_size % (2 * devices):
        raise UsageError(
            f"The batch of {settings.batch_size} cannot be cut into {devices} even parts.",
            hint=f"--batch-size {2 * devices * max(1, settings.batch_size // (2 * devices))}",
        )
    fabric = launch(device, devices, strategy)
    seed = fabric.broadcast(seed)
    task = DrumTask(settings, hits.flatten(1), seed)
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
    note("fitting the prior and the thresholds")
    with torch.no_grad():
        model.calibrate(hits, seed=seed)
        for buffer in model.buffers():
            buffer.copy_(buffer.half().float())
    return model, history


def card(
    settings: Settings, patterns: PatternSet, *, name: str, seed: int, data: str
) -> dict[str, Any]:
    """Fill what a card says of a training; its metrics come from `evaluate`."""
    counts = {split: len(patterns.part(split)) for split in ("train", "validation", "test")}
    return {
        "name": name,
        "version": "1",
        "package": "drum-space",
        "data": {"name": data, "license": _license(data), "split": "by performance", **counts},
        "training": asdict(settings),
        "seed": seed,
        "made_with": made_with(),
        "license": "MIT" if data == SHIPPED else "yours to choose",
        "intended_use": "Two-bar 4/4 drum patterns in sixteenths: ideas, variations, morphs.",
        "limits": (
            "No velocity and no micro-timing; no triplets and no other metre. Mostly rock, funk "
            "and latin played by ten drummers on an electronic kit. Four numbers cannot hold a "
            "pattern: encoding and decoding a beat gives a relative of it, not the beat."
        ),
        "paper": "arXiv:2007.06284; ACAI: arXiv:1807.07543",
    }


def save_measured(
    network: DrumAutoencoder,
    history: Sequence[dict[str, float]],
    patterns: PatternSet,
    settings: Settings,
    folder: Path,
    *,
    name: str,
    seed: int,
    data: str,
) -> Report:
    """Measure a trained network on held-out patterns and save it with its card."""
    report = measured(
        lambda: evaluate_models({name: network}, patterns, count=10_000, seed=1), name, history
    )
    about = card(settings, patterns, name=name, seed=seed, data=data)
    title = f"{name}, {settings.epochs} epochs on {len(patterns.part('train'))} patterns"
    return replace(store(folder, network, about, report, history=history), title=title)


def _license(data: str) -> str:
    return "CC-BY-4.0 AND BSD-3-Clause" if data == SHIPPED else "unknown: your own data"
