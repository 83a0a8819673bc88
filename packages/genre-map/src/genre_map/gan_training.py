"""Training the generator of `genre_map.gan` against a frozen classifier."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from genre_map.gan import (
    DEPENDENT,
    DRIFT,
    FREE,
    GenreGAN,
    Variant,
    critic_loss,
    infonce,
    jensen_shannon,
    uneven,
    unsure,
)
from genre_map.model import GenreClassifier
from genre_map.pictures import peaked, to_windows
from genre_map.training import Pictures, cut, digest
from groove_core.learning.before import Shard, epoch_generator, fit, launch, rounded

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["GANSettings", "train_gan"]


@dataclass(frozen=True)
class GANSettings:
    """What decides the outcome, beside the data, the classifier and the seed."""

    variant: Variant = "ours"
    width: int = 16
    epochs: int = 150
    batches: int = 32
    """Of the critic, in an epoch."""
    batch_size: int = 32
    critic_steps: int = 2
    """For one of the generator."""
    generator_rate: float = 5e-4
    critic_rate: float = 5e-4
    penalty: float = 10.0
    drift: float = DRIFT
    information: Literal["jensen-shannon", "infonce"] = "jensen-shannon"
    dependence_weight: float = 5.0
    uneven_weight: float = 10.0
    unsure_weight: float = 1.0
    average: float = 0.998
    """Of the generator's weights from step to step; 0 keeps the last."""
    precision: Literal["32", "bf16"] = "32"

    @classmethod
    def of(cls, variant: Variant, **given: Any) -> GANSettings:
        """Give the settings of a variant; the source's has nothing that came after it."""
        if variant == "paper":
            plain = {
                "critic_steps": 5, "generator_rate": 1e-4, "critic_rate": 1e-4, "drift": 0.0,
                "dependence_weight": 1.0, "uneven_weight": 0.0, "unsure_weight": 0.0,
                "average": 0.0,
            }  # fmt: skip
            given = {**plain, **given}
        return cls(variant=variant, **given)


class GANTask:
    """How generator, critic and dependence learn from a batch of windows."""

    def __init__(
        self,
        settings: GANSettings,
        classifier: GenreClassifier,
        pictures: Pictures,
        labels: Tensor,
        seed: int,
    ) -> None:
        self.settings, self.pictures, self.labels = settings, pictures, labels
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = GenreGAN(classifier.config, settings.variant, settings.width)
        self.model.classifier.load_state_dict(classifier.state_dict())
        self.model.classifier.eval().requires_grad_(False)
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._standardize()
        self.layout = self.model.classifier.layout
        self.generator = self.model.generator
        self.average = copy.deepcopy(self.generator)
        self.modules: dict[str, torch.nn.Module] = {
            "generator": self.generator,
            "critic": self.model.critic,
            "dependence": self.model.dependence,
            "average": self.average.requires_grad_(False),
        }
        betas = (0.0, 0.9)
        tied = [*self.generator.parameters(), *self.model.dependence.parameters()]
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "generator": torch.optim.Adam(tied, settings.generator_rate, betas),
            "critic": torch.optim.Adam(self.model.critic.parameters(), settings.critic_rate, betas),
        }
        self.config: dict[str, Any] = {**asdict(settings), "pictures": digest(pictures, labels)}
        self.count = 0
        self.last: dict[str, Tensor] = {}

    def _standardize(self) -> None:
        """Learn mean and deviation of the features of real windows."""
        with torch.no_grad():
            found = [
                self.model.classifier.pooled(
                    to_windows(p.float(), self.model.classifier.layout)[::6]
                )
                for p in self.pictures[:: max(1, len(self.pictures) // 300)]
            ]
            features = torch.cat(found)
            self.model.center.copy_(features.mean(dim=0))
            self.model.scale.copy_(features.std(dim=0).clamp_min(1e-3))

    def batches(self, generator: torch.Generator) -> Sequence[Tensor]:
        """Draw songs, in our variant all genres as often."""
        settings = self.settings
        count = settings.batches * settings.batch_size
        if settings.variant == "paper":
            chosen = torch.randint(len(self.labels), (count,), generator=generator)
        else:
            genres = torch.randint(int(self.labels.max()) + 1, (count,), generator=generator)
            at = torch.rand(count, generator=generator)
            songs = [
                torch.nonzero(self.labels == g).flatten() for g in range(int(genres.max()) + 1)
            ]
            chosen = torch.stack(
                [songs[g][int(u * len(songs[g]))] for g, u in zip(genres, at, strict=True)]
            )
        self.count = 0
        drawn: Sequence[Tensor] = chosen.split(settings.batch_size)
        return drawn

    def step(self, fabric: Fabric, batch: Tensor, shard: Shard, done: float) -> dict[str, Tensor]:
        """Learn from a batch: the critic always, the generator now and then."""
        settings = self.settings
        n = len(batch)
        draw = shard.rand(n, 2)
        z = 2 * shard.rand(n, FREE + DEPENDENT) - 1
        later = 2 * shard.rand(n, FREE + DEPENDENT) - 1
        decay = min(1.0, 4 * (1 - done) + 0.02)  # over the last quarter, to zero
        for name, rate in (
            ("generator", settings.generator_rate),
            ("critic", settings.critic_rate),
        ):
            for group in self.optimizers[name].param_groups:
                group["lr"] = rate * decay
        songs = shard(batch).tolist()
        windows = [
            cut(self.pictures[s], u, self.layout.frames)
            for s, u in zip(songs, draw[:, 0].tolist(), strict=True)
        ]
        real = torch.stack(windows).to(draw.device)
        real = peaked(real) if self.layout.scale == "peak" else real
        real = real.contiguous(memory_format=torch.channels_last)
        with torch.autocast(draw.device.type, torch.bfloat16, settings.precision == "bf16"):
            losses = self._criticize(fabric, real, z, draw[:, 1])
            if self.count % settings.critic_steps == 0:
                self.last = self._generate(fabric, later)
        self.count += 1
        return {**losses, **self.last}

    def _criticize(
        self, fabric: Fabric, real: Tensor, z: Tensor, epsilon: Tensor
    ) -> dict[str, Tensor]:
        with torch.no_grad():
            fake = self.modules["generator"](z).float()
        loss, distance = critic_loss(
            self.modules["critic"], real, fake, epsilon,
            penalty=self.settings.penalty, drift=self.settings.drift,
        )  # fmt: skip
        self.optimizers["critic"].zero_grad()
        fabric.backward(loss)
        self.optimizers["critic"].step()
        return {"distance": distance, "critic": loss}

    def _generate(self, fabric: Fabric, z: Tensor) -> dict[str, Tensor]:
        settings = self.settings
        picture = self.modules["generator"](z)
        shown = peaked(picture.float()) if self.layout.scale == "peak" else picture
        m, probabilities = self.model.seen(shown)
        measure = jensen_shannon if settings.information == "jensen-shannon" else infonce
        dependence = measure(self.modules["dependence"], z[:, FREE:], m)
        lacking, doubt = uneven(probabilities.float()), unsure(probabilities.float())
        score = self.modules["critic"](picture).float().mean()
        loss = (
            -score
            + settings.dependence_weight * dependence
            + settings.uneven_weight * lacking
            + settings.unsure_weight * doubt
        )
        self.optimizers["generator"].zero_grad()
        fabric.backward(loss)
        gradient = torch.stack([p.grad.norm() for p in self.generator.parameters()]).norm()  # type: ignore[union-attr]
        self.optimizers["generator"].step()
        with torch.no_grad():
            for kept, new in zip(
                self.average.parameters(), self.generator.parameters(), strict=True
            ):
                kept.lerp_(new, 1 - settings.average)
        return {
            "information": dependence, "uneven": lacking, "unsure": doubt, "gradient": gradient,
        }  # fmt: skip


def train_gan(
    classifier: GenreClassifier,
    pictures: Pictures,
    labels: Sequence[int],
    settings: GANSettings,
    *,
    folder: Path | None = None,
    seed: int,
    device: str,
    devices: int = 1,
    strategy: str = "auto",
    resume: bool = False,
    restart: bool = False,
) -> tuple[GenreGAN, list[dict[str, float]]]:
    """Train a generator on the pictures of songs.

    Returns
    -------
    model : GenreGAN
        On the CPU, with the average of the generator's weights, in the precision it is
        stored in.
    history : list of dict
        Mean losses of each epoch.
    """
    fabric = launch(device, devices, strategy)
    seed = fabric.broadcast(seed)
    task = GANTask(settings, classifier, pictures, torch.tensor(labels), seed)
    task.model.to(fabric.device)
    with tempfile.TemporaryDirectory() as scratch:
        history = fit(
            fabric, task, epochs=settings.epochs, folder=folder or Path(scratch), seed=seed,
            resume=resume, restart=restart,
        )  # fmt: skip
    model = task.model
    model.generator.load_state_dict(task.average.state_dict())
    model = model.cpu().eval()
    with torch.no_grad():
        model.critic.settle(model.generator(model.draw(256, epoch_generator(seed, 0))))
    return rounded(model), history
