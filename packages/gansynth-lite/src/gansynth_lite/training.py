"""Training generator, encoder and discriminator of `gansynth_lite.model` together.

From notes x of instruments, and for each another note x' of the same instrument at pitch p':

    half of the fakes   G(E(x), p')        should be x'
    the other half      G(M(z, family), p')

    L_D = sp(-D(x')) + sp(D(fake)) + R1        sp(u) = log(1 + e^u)
    L_G = sp(-D(fake)) + a |fake - x'| (of the first half) + b (1 - cos(E(fake), w)) (the second)

The logistic loss and R1 = gamma / 2 E[|grad D(x')|^2] are those of Mescheder et al. (1801.04406),
R1 every sixteenth step as in 1912.04958. The second half cannot collapse: each w is to be told
from its sound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gansynth_lite.layout import Layout
from gansynth_lite.lessons import GeneratorTraining
from gansynth_lite.model import Discriminator, GANSynth, one_hot, unlike
from groove_core.console import track
from groove_core.learning import EMA, Step, frozen, linear, pixel_norm, r1_penalty

__all__ = ["GANTraining", "Settings", "decay", "difference", "often"]

R1_EVERY = 16
KNOWN = 4096
"""Notes whose instruments are looked at when a training is over."""


@dataclass(frozen=True)
class Settings:
    """What decides the outcome of a training, beside the notes and the seed."""

    layout: Layout
    width: int = 16
    most: int = 192
    epochs: int = 100
    batches: int = 128
    """In an epoch."""
    batch_size: int = 16
    learning_rate: float = 2e-3
    r1: float = 2.0
    magnitude: float = 10.0
    frequency: float = 3.0
    """Weights of the differences to the note wanted."""
    told: float = 1.0
    """Weight of how well an instrument is told from its sound."""
    average: float = 0.998
    """Of weights from step to step."""
    precision: Literal["32", "bf16"] = "32"
    compile: bool = False


class _Players(nn.Module):
    """Mapping, encoder and generator in one call, as several devices need it."""

    def __init__(self, model: GANSynth) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        source: Tensor,
        source_pitch: Tensor,
        z: Tensor,
        family: Tensor,
        pitch: Tensor,
        noise: torch.Generator,
    ) -> tuple[Tensor, Tensor]:
        """Give fakes of encoded and of drawn instruments, and how badly these can be told."""
        drawn = self.model.mapped(z, family)
        fake = self.model(torch.cat([self.model.encode(source, source_pitch), drawn]), pitch, noise)
        n = len(drawn)
        return fake, unlike(self.model.encode(fake[-n:], pitch[-n:]), drawn.detach())


class GANTraining(GeneratorTraining[Settings, GANSynth]):
    """How the networks learn from pairs of notes."""

    fewest = 2
    """The first half of a batch is encoded, the second drawn."""

    def build(self) -> GANSynth:
        """Make the networks, and list the notes of each instrument."""
        settings, notes = self.settings, self.data.known
        layout = asdict(settings.layout)
        low, high = int(notes.pitches.min()), int(notes.pitches.max())
        model = GANSynth(
            layout, notes.family_names, settings.width, settings.most, low=low, high=high
        )
        self.discriminator = Discriminator(model)
        for one in (model, self.discriminator):
            one.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = EMA(model, settings.average, warm_up=True)
        if settings.compile:
            for network in (model.synthesis, model.encoder, self.discriminator):
                network.compile()
        self.pitches = torch.from_numpy(notes.pitches).float()
        self.families = torch.from_numpy(notes.families)
        self.partners = _of_instruments(notes.instruments)
        return model

    def networks(self) -> dict[str, nn.Module]:
        """Name those that play, the discriminator, and the average of the first."""
        return {
            "players": _Players(self.model),
            "discriminator": self.discriminator,
            "average": self.average,
        }

    def configure_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Let both sides learn at one rate."""
        sides = {"model": self.model, "discriminator": self.discriminator}
        rate = self.settings.learning_rate
        return {n: torch.optim.Adam(m.parameters(), rate, (0.0, 0.99)) for n, m in sides.items()}

    def rate(self, optimizer: str, done: float) -> float:
        """Return the share of the learning rate."""
        return decay(done)

    def batches(self, generator: torch.Generator) -> Sequence[Tensor]:
        """Draw pairs of notes [shape=(batch, 2)] of one instrument each, families alike often."""
        settings, instruments = self.settings, self.data.known.instruments
        count = settings.batches * settings.batch_size
        first = torch.multinomial(
            often(self.families), count, replacement=True, generator=generator
        )
        at = torch.rand(count, generator=generator).tolist()
        groups = (self.partners[one] for one in instruments[first.numpy()])
        second = [int(mine[int(u * len(mine))]) for u, mine in zip(at, groups, strict=True)]
        pairs = torch.stack([first, torch.tensor(second)], dim=1)
        return list(pairs.split(settings.batch_size))

    def learn(self, batch: Tensor, step: Step) -> dict[str, Tensor]:
        """Learn from a batch: the discriminator, then the others."""
        settings, model, device = self.settings, self.model, step.device
        z, noise = step.randn(len(batch), model.code), step.noise()
        pairs = step.rows(batch)
        n, half = len(pairs), len(pairs) // 2
        with torch.no_grad():
            heard = torch.cat([pairs[:, 1], pairs[:half, 0]])
            pictures = model.layout.to_pictures(self.data.known.sounds(heard, device))
            pitch = self.pitches[heard].to(device)
            family = one_hot(self.families[pairs[:, 1]], len(model.families)).to(device)
        real, source = pictures.split([n, half])
        with step.autocast(settings.precision):
            fake, told = self.modules["players"](
                source, pitch[n:], z[half:], family[half:], pitch[:n], noise
            )
            wanted = pitch[:n], family
            losses = self._discriminate(step, real, fake.detach(), *wanted)
            more = self._generate(step, real, fake, told, *wanted)
        self.average.update(model)
        return {**losses, **more}

    def _discriminate(
        self, step: Step, real: Tensor, fake: Tensor, *wanted: Tensor
    ) -> dict[str, Tensor]:
        discriminator = self.modules["discriminator"]
        on_real, on_fake = discriminator(real, *wanted), discriminator(fake, *wanted)
        loss = total = F.softplus(-on_real).mean() + F.softplus(on_fake).mean()
        if self.clock.steps % R1_EVERY == 0:
            # What is compiled cannot be derived twice.
            plain = self.discriminator.forward if self.settings.compile else discriminator
            half = len(real) // 2
            some = [one[half:] for one in wanted]
            r1 = r1_penalty(lambda pictures: plain(pictures, *some), real[half:])
            total = loss + R1_EVERY * self.settings.r1 / 2 * r1
        self.minimise(total, step, "discriminator")
        return {
            "discriminator": loss,
            "right on real": (on_real > 0).float().mean(),
            "right on fakes": (on_fake < 0).float().mean(),
        }

    def _generate(
        self, step: Step, real: Tensor, fake: Tensor, told: Tensor, *wanted: Tensor
    ) -> dict[str, Tensor]:
        settings, half = self.settings, len(real) // 2
        with frozen(self.discriminator):
            adversarial = F.softplus(-self.discriminator(fake, *wanted)).mean()
        magnitude, frequency = difference(fake[:half], real[:half])
        likeness = settings.magnitude * magnitude + settings.frequency * frequency
        self.minimise(adversarial + likeness + settings.told * told, step, "model")
        return {
            "generator": adversarial, "magnitude": magnitude, "frequency": frequency, "told": told,
        }  # fmt: skip

    def result(self) -> GANSynth:
        """Return the average."""
        return self.average.module

    def finish(self) -> None:
        """Find where the instruments of notes lie, so that others can be drawn there."""
        notes, model = self.data.known, self.model
        some = torch.arange(len(notes))[:: max(1, len(notes) // KNOWN)]
        device, numbers = next(model.parameters()).device, notes.instruments[some.numpy()]
        _, first, who = np.unique(numbers, return_index=True, return_inverse=True)
        codes = torch.zeros(len(first), model.code)
        for at in track(torch.arange(len(some)).split(16), "finding instruments"):
            pictures = model.layout.to_pictures(notes.sounds(some[at], device))
            seen = model.encode(pictures, self.pitches[some[at]].to(device))
            codes.index_add_(0, torch.from_numpy(who)[at], seen.cpu())
        model.settle(pixel_norm(codes), self.families[some][first])


def decay(done: float) -> float:
    """Return the share of the learning rate: all of it until the last quarter."""
    return linear(done, start=0.75)


def difference(fake: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
    """Give the mean difference of log magnitudes, and of frequencies where the real one sounds."""
    magnitude = (fake[:, 0] - real[:, 0]).abs().mean()
    sounding = (real[:, 1] != 0).float() * (1 + real[:, 0]).square()  # the loud count most
    turn = fake[:, 1] - real[:, 1]
    turn = turn - 2 * torch.round(turn.detach() / 2)  # half turns: 1 and -1 are the same
    return magnitude, (turn.abs() * sounding).sum() / sounding.sum().clamp_min(1.0)


def often(families: Tensor) -> Tensor:
    """Give how often to draw each note: halfway between as they come and all families alike."""
    counts = torch.bincount(families + 1, minlength=1).float()
    return counts[families + 1].rsqrt()


def _of_instruments(instruments: npt.NDArray[np.int64]) -> dict[int, npt.NDArray[np.int64]]:
    order = np.argsort(instruments, kind="stable")
    names, starts = np.unique(instruments[order], return_index=True)
    return dict(zip(names.tolist(), np.split(order, starts[1:]), strict=True))
