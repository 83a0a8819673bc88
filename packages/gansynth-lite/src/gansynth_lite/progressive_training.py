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

import copy
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from gansynth_lite.layout import Layout
from gansynth_lite.notes import Notes
from gansynth_lite.progressive import (
    ProgressiveDiscriminator,
    ProgressiveGAN,
    faded,
    levels_of,
    stage,
)
from gansynth_lite.training import digest, follow, sounds, trained
from groove_core.learning.before import Shard, rounded

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["ProgressiveSettings", "ProgressiveTask", "penalty", "progress_at", "train_progressive"]


@dataclass(frozen=True)
class ProgressiveSettings:
    """What decides the outcome, beside the notes and the seed.

    The source trains on 11 million notes: 13 parts of 800,000 and some more.
    """

    layout: Layout
    most: int = 256
    code: int = 256
    epochs: int = 100
    batches: int = 128
    """In an epoch."""
    batch_size: int = 8
    rate: float = 8e-4
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
    """Give how many levels are grown [0 to levels - 1] when a part of the training is done.

    Examples
    --------
    >>> [progress_at(done / 6, 2) for done in range(6)]  # stable, fading, stable
    [0.0, 0.0, 0.0, 0.5, 1.0, 1.0]
    """
    part, within = divmod(done * (2 * levels - 1), 2)
    return min(part + max(0.0, within - 1), levels - 1.0)


def penalty(
    critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, u: Tensor, side: int = 1
) -> Tensor:
    """Give how far slopes are from 1, between real and fake: E (|grad D(x')| - 1)^2.

    Parameters
    ----------
    critic : function of pictures to scores [shape=(n,)]
    real, fake : Tensor [shape=(n, ...)]
    u : Tensor [shape=(n,), 0 to 1]
        Where between.
    side : int
        Each point stands for as many times as many of a whole picture, on which the source
        measures slopes: a point's slope is shared among them.
    """
    u = u.reshape(-1, *[1] * (real.dim() - 1))
    between = (u * real + (1 - u) * fake).detach().requires_grad_()
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    steepness = (slope.float().square().flatten(1).sum(dim=1) + 1e-12).sqrt() / side
    return (steepness - 1).square().mean()


class ProgressiveTask:
    """How the networks learn from a batch of notes."""

    def __init__(self, settings: ProgressiveSettings, notes: Notes, seed: int) -> None:
        self.settings, self.notes = settings, notes
        pitches = torch.from_numpy(notes.pitches)
        low, high = int(pitches.min()), int(pitches.max())
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = ProgressiveGAN(
                asdict(settings.layout), settings.most, settings.code, low, high
            )
            self.discriminator = ProgressiveDiscriminator(self.model)
        for one in (self.model, self.discriminator):
            one.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.modules: dict[str, torch.nn.Module] = {
            "synthesis": self.model.synthesis,
            "discriminator": self.discriminator,
            "average": self.average,
        }
        betas = (0.0, 0.99)
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "synthesis": torch.optim.Adam(self.model.parameters(), settings.rate, betas),
            "discriminator": torch.optim.Adam(
                self.discriminator.parameters(), settings.rate, betas
            ),
        }
        self.config: dict[str, Any] = {**asdict(settings), "notes": digest(notes)}
        self.levels = levels_of(settings.layout)
        self.classes = pitches - low
        self.often = torch.bincount(self.classes).float()

    def batches(self, generator: torch.Generator) -> Sequence[Tensor]:
        """Draw notes [shape=(batch,)]."""
        settings = self.settings
        count = settings.batches * settings.batch_size
        drawn = torch.randint(len(self.notes), (count,), generator=generator)
        pieces: Sequence[Tensor] = drawn.split(settings.batch_size)
        return pieces

    def step(self, fabric: Fabric, batch: Tensor, shard: Shard, done: float) -> dict[str, Tensor]:
        """Learn from a batch: the discriminator, then the generator."""
        settings, device = self.settings, fabric.device
        n = len(batch)
        progress = progress_at(done, self.levels)
        w = self.model.instruments(shard.randn(n, self.model.code))
        q = shard(torch.multinomial(self.often, n, replacement=True, generator=shard.generator))
        u = shard.rand(n)
        at = shard(batch).cpu()
        with torch.no_grad():
            pictures = settings.layout.to_pictures(sounds(self.notes, at, device))
            real = faded(pictures, progress, self.levels)
        with torch.autocast(device.type, torch.bfloat16, settings.precision == "bf16"):
            fake = self.modules["synthesis"](w, q, progress)
            p = self.classes[at].to(device)
            losses = self._discriminate(fabric, real, fake.detach(), p, u, progress)
            more = self._generate(fabric, fake, q, progress)
        steps = done * settings.epochs * settings.batches
        follow(self.average, self.model, steps, 1 - settings.average)
        self.average.progress.fill_(progress)
        return {"progress": torch.tensor(progress, device=device), **losses, **more}

    def _discriminate(
        self, fabric: Fabric, real: Tensor, fake: Tensor, p: Tensor, u: Tensor, progress: float
    ) -> dict[str, Tensor]:
        settings, discriminator = self.settings, self.modules["discriminator"]
        on_real, logits = discriminator(real, progress)
        on_fake, _ = discriminator(fake, progress)
        distance = on_real.mean() - on_fake.mean()
        side = 1 << (self.levels - 1 - stage(progress)[0])
        steep = penalty(lambda x: discriminator(x, progress)[0], real, fake, u, side)
        told = F.cross_entropy(logits, p)
        loss = (
            -distance
            + settings.penalty * steep
            + settings.drift * on_real.square().mean()
            + settings.pitch * told
        )
        self.optimizers["discriminator"].zero_grad()
        fabric.backward(loss)
        self.optimizers["discriminator"].step()
        return {"distance": distance, "penalty": steep, "pitch of real": told}

    def _generate(
        self, fabric: Fabric, fake: Tensor, q: Tensor, progress: float
    ) -> dict[str, Tensor]:
        self.discriminator.requires_grad_(False)
        on_fake, logits = self.discriminator(fake, progress)
        told = F.cross_entropy(logits, q)
        self.optimizers["synthesis"].zero_grad()
        fabric.backward(-on_fake.mean() + self.settings.pitch * told)
        self.optimizers["synthesis"].step()
        self.discriminator.requires_grad_(True)
        return {"score of fakes": on_fake.mean(), "pitch of fakes": told}


def train_progressive(
    notes: Notes,
    settings: ProgressiveSettings,
    *,
    folder: Path | None = None,
    seed: int,
    device: str,
    devices: int = 1,
    strategy: str = "auto",
    resume: bool = False,
    restart: bool = False,
) -> tuple[ProgressiveGAN, list[dict[str, float]]]:
    """Train on notes, as the source does.

    Returns
    -------
    model : ProgressiveGAN
        On the CPU, averaged, in the precision it is stored in.
    history : list of dict
        Mean losses of each epoch.
    """
    if devices > 1 and strategy in ("auto", "ddp"):
        strategy = "ddp_find_unused_parameters_true"  # those of levels to be grown
    task, history = trained(
        lambda seed: ProgressiveTask(settings, notes, seed), settings.epochs, folder=folder,
        seed=seed, device=device, devices=devices, strategy=strategy, resume=resume,
        restart=restart,
    )  # fmt: skip
    return rounded(task.average), history
