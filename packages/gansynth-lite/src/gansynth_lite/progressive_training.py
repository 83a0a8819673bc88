"""Training the network of the source as the source does, level by level.

Engel et al., "GANSynth", ICLR 2019 (1902.08710), section 3.1; Gulrajani et al., "Improved Training
of Wasserstein GANs" (1704.00028); Odena et al. (1610.09585) for classes; Karras et al. (1710.10196)
for growing and drift. From notes x at pitch p, and instruments w at pitches q drawn as often:

    L_D = E D(G(w, q)) - E D(x) + 10 E (|grad D(x')| - 1)^2 + 0.001 E D(x)^2 + 10 CE(p | x)
    L_G = -E D(G(w, q)) + 10 CE(q | G(w, q))       x' = u x + (1 - u) G(w, q), u in U(0, 1)

A training is in 2 levels - 1 parts of equally many notes: each level in turn, and between two
the finer fades in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gansynth_lite.layout import Layout
from gansynth_lite.lessons import GeneratorTraining
from gansynth_lite.progressive import (
    ProgressiveDiscriminator,
    ProgressiveGAN,
    faded,
    levels_of,
    stage,
)
from groove_core.learning import EMA, Step, frozen, gradient_penalty

__all__ = ["ProgressiveSettings", "ProgressiveTraining", "progress_at"]


@dataclass(frozen=True)
class ProgressiveSettings:
    """What decides the outcome of a training, beside the notes and the seed.

    The source trains on 11 million notes: 13 parts of 800,000 and some more.
    """

    layout: Layout
    most: int = 256
    code: int = 256
    epochs: int = 100
    batches: int = 128
    """In an epoch."""
    batch_size: int = 8
    learning_rate: float = 8e-4
    penalty: float = 10.0
    """Weight of slopes that are not 1."""
    drift: float = 1e-3
    """Weight of scores of real notes that are not 0."""
    pitch: float = 10.0
    """Weight of pitches that are not told."""
    average: float = 0.999
    """Of weights from step to step."""
    precision: Literal["32", "bf16"] = "32"


def progress_at(done: float, levels: int) -> float:
    """Return how many levels are grown [0 to levels - 1] when a part of the training is done.

    Examples
    --------
    >>> [progress_at(done / 6, 2) for done in range(6)]  # stable, fading, stable
    [0.0, 0.0, 0.0, 0.5, 1.0, 1.0]
    """
    part, within = divmod(done * (2 * levels - 1), 2)
    return min(part + max(0.0, within - 1), levels - 1.0)


class ProgressiveTraining(GeneratorTraining[ProgressiveSettings, ProgressiveGAN]):
    """How the networks learn from notes."""

    unused_parameters = True
    """Those of levels to be grown."""

    def build(self) -> ProgressiveGAN:
        """Make the networks, and number the pitches."""
        settings = self.settings
        pitches = torch.from_numpy(self.data.known.pitches)
        low, high = int(pitches.min()), int(pitches.max())
        layout = asdict(settings.layout)
        model = ProgressiveGAN(layout, settings.most, settings.code, low, high)
        self.discriminator = ProgressiveDiscriminator(model)
        for one in (model, self.discriminator):
            one.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = EMA(model, settings.average, warm_up=True)
        self.levels = levels_of(settings.layout)
        self.classes = pitches - low
        self.often = torch.bincount(self.classes).float()
        return model

    def networks(self) -> dict[str, nn.Module]:
        """Name the generator, the discriminator, and the average of the first."""
        return {
            "synthesis": self.model.synthesis,
            "discriminator": self.discriminator,
            "average": self.average,
        }

    def configure_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Let both sides learn at one rate."""
        sides = {"synthesis": self.model, "discriminator": self.discriminator}
        rate = self.settings.learning_rate
        return {n: torch.optim.Adam(m.parameters(), rate, (0.0, 0.99)) for n, m in sides.items()}

    def rate(self, optimizer: str, done: float) -> float:
        """Return 1: the rate never changes."""
        return 1.0

    def batches(self, generator: torch.Generator) -> Sequence[Tensor]:
        """Draw notes [shape=(batch,)]."""
        count = self.settings.batches * self.settings.batch_size
        drawn = torch.randint(len(self.data.known), (count,), generator=generator)
        return list(drawn.split(self.settings.batch_size))

    def learn(self, batch: Tensor, step: Step) -> dict[str, Tensor]:
        """Learn from a batch: the discriminator, then the generator."""
        settings, n, device = self.settings, len(batch), step.device
        progress = progress_at(step.done, self.levels)
        w = self.model.instruments(step.randn(n, self.model.code))
        q = step.part(torch.multinomial(self.often, n, replacement=True, generator=step.generator))
        u = step.rand(n)
        at = step.rows(batch)
        with torch.no_grad():
            pictures = settings.layout.to_pictures(self.data.known.sounds(at, device))
            real = faded(pictures, progress, self.levels)
        with step.autocast(settings.precision):
            fake = self.modules["synthesis"](w, q, progress)
            p = self.classes[at].to(device)
            losses = self._discriminate(step, real, fake.detach(), p, u, progress)
            more = self._generate(step, fake, q, progress)
        self.model.progress.fill_(progress)
        self.average.update(self.model)
        return {"progress": torch.tensor(progress, device=device), **losses, **more}

    def _discriminate(
        self, step: Step, real: Tensor, fake: Tensor, p: Tensor, u: Tensor, progress: float
    ) -> dict[str, Tensor]:
        settings, discriminator = self.settings, self.modules["discriminator"]
        on_real, logits = discriminator(real, progress)
        on_fake, _ = discriminator(fake, progress)
        distance = on_real.mean() - on_fake.mean()
        # The source measures slopes on whole pictures, which these points stand for.
        side = 1 << (self.levels - 1 - stage(progress)[0])
        steep = gradient_penalty(lambda x: discriminator(x, progress)[0], real, fake, u, side=side)
        told = F.cross_entropy(logits, p)
        loss = (
            -distance
            + settings.penalty * steep
            + settings.drift * on_real.square().mean()
            + settings.pitch * told
        )
        self.minimise(loss, step, "discriminator")
        return {"distance": distance, "penalty": steep, "pitch of real": told}

    def _generate(self, step: Step, fake: Tensor, q: Tensor, progress: float) -> dict[str, Tensor]:
        with frozen(self.discriminator):
            on_fake, logits = self.discriminator(fake, progress)
        told = F.cross_entropy(logits, q)
        self.minimise(self.settings.pitch * told - on_fake.mean(), step, "synthesis")
        return {"score of fakes": on_fake.mean(), "pitch of fakes": told}

    def result(self) -> ProgressiveGAN:
        """Return the average."""
        return self.average.module
