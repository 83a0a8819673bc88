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

import copy
import hashlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from gansynth_lite.layout import Layout
from gansynth_lite.model import Discriminator, GANSynth, unlike
from gansynth_lite.notes import Notes
from groove_core.console import track
from groove_core.learning.before import Shard, Task, fit, launch, rounded

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = [
    "GANTask",
    "Settings",
    "difference",
    "digest",
    "often",
    "one_hot",
    "sounds",
    "train",
    "trained",
]

R1_EVERY = 16
KNOWN = 4096
"""Notes whose instruments are looked at when a training is over."""


@dataclass(frozen=True)
class Settings:
    """What decides the outcome, beside the notes and the seed."""

    layout: Layout
    width: int = 16
    most: int = 192
    epochs: int = 100
    batches: int = 128
    """In an epoch."""
    batch_size: int = 16
    rate: float = 2e-3
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


def one_hot(labels: Tensor, count: int) -> Tensor:
    """Give rows of one-hot weights; an unknown label (-1) has the same weight for all."""
    if not count:
        return torch.zeros(len(labels), 0, device=labels.device)
    known = F.one_hot(labels.clamp_min(0), count).float()
    return torch.where(labels[:, None] < 0, torch.full_like(known, 1 / count), known)


def sounds(notes: Notes, at: Tensor, device: torch.device | str = "cpu") -> Tensor:
    """Give the samples of some notes [shape=(len(at), samples), -1 to 1]."""
    some = torch.from_numpy(np.ascontiguousarray(notes.samples[at.cpu().numpy()]))
    return some.to(device).float() / 32767


class _Players(torch.nn.Module):
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


class GANTask:
    """How the networks learn from a batch of pairs of notes."""

    def __init__(self, settings: Settings, notes: Notes, seed: int) -> None:
        self.settings, self.notes = settings, notes
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = GANSynth(
                asdict(settings.layout), notes.family_names, settings.width, settings.most
            )
            self.discriminator = Discriminator(self.model)
        for one in (self.model, self.discriminator):
            one.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.modules: dict[str, torch.nn.Module] = {
            "players": _Players(self.model),
            "discriminator": self.discriminator,
            "average": self.average,
        }
        if settings.compile:
            for network in (self.model.synthesis, self.model.encoder, self.discriminator):
                network.compile()
        betas = (0.0, 0.99)
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "model": torch.optim.Adam(self.model.parameters(), settings.rate, betas),
            "discriminator": torch.optim.Adam(
                self.discriminator.parameters(), settings.rate, betas
            ),
        }
        self.config: dict[str, Any] = {**asdict(settings), "notes": digest(notes)}
        self.pitches = torch.from_numpy(notes.pitches).float()
        self.families = torch.from_numpy(notes.families)
        self.partners = _of_instruments(notes.instruments)
        self.count = 0

    def batches(self, generator: torch.Generator) -> Sequence[Tensor]:
        """Draw pairs of notes [shape=(batch, 2)] of one instrument each, families alike often."""
        settings = self.settings
        count = settings.batches * settings.batch_size
        first = torch.multinomial(
            often(self.families), count, replacement=True, generator=generator
        )
        at = torch.rand(count, generator=generator)
        second = torch.tensor(
            [
                int(mine[int(u * len(mine))])
                for u, mine in zip(
                    at.tolist(), (self.partners[i] for i in self.notes.instruments[first.numpy()]),
                    strict=True,
                )
            ]
        )  # fmt: skip
        pairs: Sequence[Tensor] = torch.stack([first, second], dim=1).split(settings.batch_size)
        self.count = 0
        return pairs

    def step(self, fabric: Fabric, batch: Tensor, shard: Shard, done: float) -> dict[str, Tensor]:
        """Learn from a batch: the discriminator, then the others."""
        settings, device = self.settings, fabric.device
        n = len(batch)
        z = shard.randn(n, self.model.code)
        seed = int(torch.randint(2**62, (1,), generator=shard.generator)) + fabric.global_rank
        noise = torch.Generator(device).manual_seed(seed)
        pairs = shard(batch).cpu()
        half = len(pairs) // 2
        for optimizer in self.optimizers.values():
            optimizer.param_groups[0]["lr"] = settings.rate * decay(done)
        layout = self.model.layout
        with torch.no_grad():
            heard = torch.cat([pairs[:, 1], pairs[:half, 0]])
            pictures = layout.to_pictures(sounds(self.notes, heard, device))
            pitch = self.pitches[heard].to(device)
            family = one_hot(self.families[pairs[:, 1]], len(self.model.families)).to(device)
        real, source = pictures.split([len(pairs), half])
        with torch.autocast(device.type, torch.bfloat16, settings.precision == "bf16"):
            fake, told = self.modules["players"](
                source, pitch[len(pairs) :], z[half:], family[half:], pitch[: len(pairs)], noise
            )
            wanted = pitch[: len(pairs)], family
            losses = self._discriminate(fabric, real, fake.detach(), *wanted)
            more = self._generate(fabric, real, fake, told, *wanted)
        steps = done * settings.epochs * settings.batches
        follow(self.average, self.model, steps, 1 - settings.average)
        self.count += 1
        return {**losses, **more}

    def _discriminate(
        self, fabric: Fabric, real: Tensor, fake: Tensor, *wanted: Tensor
    ) -> dict[str, Tensor]:
        discriminator = self.modules["discriminator"]
        on_real, on_fake = discriminator(real, *wanted), discriminator(fake, *wanted)
        loss = F.softplus(-on_real).mean() + F.softplus(on_fake).mean()
        self.optimizers["discriminator"].zero_grad()
        fabric.backward(loss)
        if self.count % R1_EVERY == 0:
            # What is compiled cannot be derived twice.
            plain = self.discriminator.forward if self.settings.compile else discriminator
            half = len(real) // 2
            some = real[half:].clone().requires_grad_()
            (slope,) = torch.autograd.grad(
                plain(some, *(one[half:] for one in wanted)).sum(), some, create_graph=True
            )
            steepness = slope.float().square().sum(dim=(1, 2, 3)).mean()
            fabric.backward(R1_EVERY * self.settings.r1 / 2 * steepness)
        self.optimizers["discriminator"].step()
        return {
            "discriminator": loss,
            "right on real": (on_real > 0).float().mean(),
            "right on fakes": (on_fake < 0).float().mean(),
        }

    def _generate(
        self, fabric: Fabric, real: Tensor, fake: Tensor, told: Tensor, *wanted: Tensor
    ) -> dict[str, Tensor]:
        settings, half = self.settings, len(real) // 2
        self.discriminator.requires_grad_(False)
        adversarial = F.softplus(-self.discriminator(fake, *wanted)).mean()
        magnitude, frequency = difference(fake[:half], real[:half])
        likeness = settings.magnitude * magnitude + settings.frequency * frequency
        loss = adversarial + likeness + settings.told * told
        self.optimizers["model"].zero_grad()
        fabric.backward(loss)
        self.optimizers["model"].step()
        self.discriminator.requires_grad_(True)
        return {
            "generator": adversarial, "magnitude": magnitude, "frequency": frequency, "told": told,
        }  # fmt: skip


def decay(done: float) -> float:
    """Give the share of the learning rate: all of it until the last quarter."""
    return min(1.0, 4 * (1 - done) + 0.02)


@torch.no_grad()
def follow(average: torch.nn.Module, model: torch.nn.Module, steps: float, weight: float) -> None:
    """Move averages of weights towards a model; closely at first, when they are worth little."""
    weight = max(weight, 9 / (10 + steps))
    for kept, new in zip(average.parameters(), model.parameters(), strict=True):
        kept.lerp_(new, weight)


def difference(fake: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
    """Give the mean difference of log magnitudes, and of frequencies where the real one sounds."""
    magnitude = (fake[:, 0] - real[:, 0]).abs().mean()
    sounding = (real[:, 1] != 0).float() * (1 + real[:, 0]).square()  # the loud count most
    turn = fake[:, 1] - real[:, 1]
    turn = turn - 2 * torch.round(turn.detach() / 2)  # half turns: 1 and -1 are the same
    return magnitude, (turn.abs() * sounding).sum() / sounding.sum().clamp_min(1.0)


def digest(notes: Notes) -> str:
    """Tell these notes from others, by their labels and some samples of each."""
    found = hashlib.sha256(np.stack([notes.pitches, notes.families, notes.instruments]).tobytes())
    found.update(np.ascontiguousarray(notes.samples[:, ::97]).tobytes())
    return found.hexdigest()[:16]


def often(families: Tensor) -> Tensor:
    """Give how often to draw each note: halfway between as they come and all families alike."""
    counts = torch.bincount(families + 1, minlength=1).float()
    return counts[families + 1].rsqrt()


def _of_instruments(instruments: npt.NDArray[np.int64]) -> dict[int, npt.NDArray[np.int64]]:
    order = np.argsort(instruments, kind="stable")
    names, starts = np.unique(instruments[order], return_index=True)
    return dict(zip(names.tolist(), np.split(order, starts[1:]), strict=True))


def train(
    notes: Notes,
    settings: Settings,
    *,
    folder: Path | None = None,
    seed: int,
    device: str,
    devices: int = 1,
    strategy: str = "auto",
    resume: bool = False,
    restart: bool = False,
) -> tuple[GANSynth, list[dict[str, float]]]:
    """Train on notes.

    Returns
    -------
    model : GANSynth
        On the CPU, averaged, in the precision it is stored in.
    history : list of dict
        Mean losses of each epoch.
    """
    task, history = trained(
        lambda seed: GANTask(settings, notes, seed), settings.epochs, folder=folder, seed=seed,
        device=device, devices=devices, strategy=strategy, resume=resume, restart=restart,
    )  # fmt: skip
    model = rounded(task.average)
    settle(model, notes, device)
    return rounded(model), history


@torch.inference_mode()
def settle(model: GANSynth, notes: Notes, device: str) -> None:
    """Find where the instruments of training notes lie, so that others can be drawn there."""
    model.to(device)
    some = torch.arange(len(notes))[:: max(1, len(notes) // KNOWN)]
    pitches = torch.from_numpy(notes.pitches).float()
    codes = [
        model.encode(
            model.layout.to_pictures(sounds(notes, at, device)), pitches[at].to(device)
        ).cpu()
        for at in track(some.split(16), "finding instruments")
    ]
    model.cpu().settle(torch.cat(codes), torch.from_numpy(notes.families)[some])


T = TypeVar("T", bound=Task)


def trained(
    make: Callable[[int], T],
    epochs: int,
    *,
    folder: Path | None,
    seed: int,
    device: str,
    devices: int,
    strategy: str,
    resume: bool,
    restart: bool,
) -> tuple[T, list[dict[str, float]]]:
    """Start the processes that train together, make the task of a seed, and fit it."""
    fabric = launch(device, devices, strategy)
    seed = fabric.broadcast(seed)
    task = make(seed)
    with tempfile.TemporaryDirectory() as scratch:
        history = fit(
            fabric, task, epochs=epochs, folder=folder or Path(scratch), seed=seed,
            resume=resume, restart=restart,
        )  # fmt: skip
    return task, history
