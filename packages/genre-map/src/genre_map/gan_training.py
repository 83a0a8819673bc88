"""Training the generator of `genre_map.gan` against a frozen classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from genre_map.augmentation import textured
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
from genre_map.gan_evaluation import measure_pictures
from genre_map.mapping import find_anchors
from genre_map.model import GenreClassifier
from genre_map.pictures import cut_all, read_pictures, to_windows
from genre_map.songs import SongSet
from genre_map.splits import Divided, fold_of
from groove_core.errors import InputError
from groove_core.learning import EMA, Step, Training, digest, epoch_generator, frozen, linear
from groove_core.storage import Cache
from groove_core.values import Report

__all__ = ["GANSettings", "GANTraining", "Guided"]

COUNT = 2048
"""Pictures that a generator is measured by."""


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
    unsure_weight: float = 4.0
    textured: bool = True
    """Whether the classifier sees drawn pictures with another texture, as sounds of them have."""
    average: float = 0.998
    """Of the generator's weights from step to step; 0 keeps the last."""
    precision: Literal["32", "bf16"] = "32"

    @classmethod
    def of(cls, variant: Variant, **given: Any) -> GANSettings:
        """Return the settings of a variant; the source's has nothing that came after it."""
        if variant == "paper":
            plain = {
                "critic_steps": 5, "generator_rate": 1e-4, "critic_rate": 1e-4, "drift": 0.0,
                "dependence_weight": 1.0, "uneven_weight": 0.0, "unsure_weight": 0.0,
                "average": 0.0, "textured": False,
            }  # fmt: skip
            given = {**plain, **given}
        return cls(variant=variant, **given)


@dataclass(frozen=True)
class Guided(Divided):
    """What a generator learns from: songs, and a classifier that has its card."""

    classifier: GenreClassifier
    about: Mapping[str, Any]

    @classmethod
    def of(cls, songs: SongSet, classifier: GenreClassifier, about: Mapping[str, Any]) -> Guided:
        """Divide songs as the classifier learnt them; those it does not know, by their names.

        Raises
        ------
        InputError
            If the songs have other genres than the classifier, or too few of one to measure on.
        """
        if songs.genres != classifier.genres:
            raise InputError(
                f"The songs are {', '.join(songs.genres)}; the classifier knows "
                f"{', '.join(classifier.genres)}.",
                hint="Train a classifier on the same songs first, and give it with --classifier.",
            )
        songs, pictures = read_pictures(songs, classifier.layout, Cache())
        return cls(songs, pictures, fold_of(songs, about), classifier, about)


class GANTraining(Training[GANSettings, Guided, GenreGAN]):
    """How generator, critic and dependence learn from a batch of windows."""

    package = "genre-map"
    fewest = 2
    """Each dependent value is compared with that of another picture."""

    def build(self) -> GenreGAN:
        """Make the networks around the classifier, which stays as it is."""
        classifier = self.data.classifier
        self.pictures, labels = self.data.part("train", "validation")
        self.labels = torch.tensor(labels)
        model = GenreGAN(classifier.config, self.settings.variant, self.settings.width)
        model.classifier.load_state_dict(classifier.state_dict())
        model.classifier.eval().requires_grad_(False)
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.layout = model.classifier.layout
        with torch.no_grad():
            features = torch.cat([
                model.classifier.pooled(to_windows(picture.float(), self.layout)[::6])
                for picture in self.pictures[:: max(1, len(self.pictures) // 300)]
            ])  # fmt: skip
            model.center.copy_(features.mean(dim=0))
            model.scale.copy_(features.std(dim=0).clamp_min(1e-3))
        self.average = EMA(model.generator, self.settings.average)
        self.last: dict[str, Tensor] = {}
        return model

    def networks(self) -> dict[str, nn.Module]:
        """Name what learns, and the average of the generator."""
        return {
            "generator": self.model.generator,
            "critic": self.model.critic,
            "dependence": self.model.dependence,
            "average": self.average,
        }

    def configure_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Let the dependence learn with the generator, and the critic by itself."""
        model, settings, betas = self.model, self.settings, (0.0, 0.9)
        tied = [*model.generator.parameters(), *model.dependence.parameters()]
        return {
            "generator": torch.optim.Adam(tied, settings.generator_rate, betas),
            "critic": torch.optim.Adam(model.critic.parameters(), settings.critic_rate, betas),
        }

    def rate(self, optimizer: str, done: float) -> float:
        """Return the decay over the last quarter."""
        return linear(done, start=0.75)

    def fingerprint(self) -> str:
        """Return a hash of the pictures, their genres, and the classifier."""
        return digest(self.labels, *self.pictures, self.data.about["sha256"].encode())

    def batches(self, generator: torch.Generator) -> Sequence[Tensor]:
        """Draw songs, in our variant all genres as often."""
        settings = self.settings
        count = settings.batches * settings.batch_size
        if settings.variant == "paper":
            chosen = torch.randint(len(self.labels), (count,), generator=generator)
        else:
            songs = [torch.nonzero(self.labels == g).flatten() for g in self.labels.unique()]
            genres = torch.randint(len(songs), (count,), generator=generator)
            at = torch.rand(count, generator=generator)
            chosen = torch.stack(
                [songs[g][int(u * len(songs[g]))] for g, u in zip(genres, at, strict=True)]
            )
        self.count = 0
        drawn: Sequence[Tensor] = chosen.split(settings.batch_size)
        return drawn

    def learn(self, batch: Tensor, step: Step) -> dict[str, Tensor]:
        """Learn from a batch: the critic always, the generator now and then."""
        n = len(batch)
        self.model.to(step.device)  # the classifier, too, which is not among the networks
        draw = step.rand(n, 2)
        z, later = (2 * step.rand(n, FREE + DEPENDENT) - 1 for _ in range(2))
        real = cut_all(self.pictures, step.rows(batch).tolist(), draw[:, 0], self.layout.frames)
        real = self.layout.shown(real).contiguous(memory_format=torch.channels_last)
        losses = self._criticize(real, z, draw[:, 1], step)
        if self.count % self.settings.critic_steps == 0:
            self.last = self._generate(later, step)
        self.count += 1
        return {**losses, **self.last}

    def _criticize(self, real: Tensor, z: Tensor, u: Tensor, step: Step) -> dict[str, Tensor]:
        settings = self.settings
        with step.autocast(settings.precision):
            with torch.no_grad():
                fake = self.modules["generator"](z).float()
            loss, distance = critic_loss(
                self.modules["critic"], real, fake, u,
                penalty=settings.penalty, drift=settings.drift,
            )  # fmt: skip
        self.minimise(loss, step, "critic")
        return {"distance": distance, "critic": loss}

    def _generate(self, z: Tensor, step: Step) -> dict[str, Tensor]:
        settings, generator = self.settings, self.model.generator
        measure = jensen_shannon if settings.information == "jensen-shannon" else infonce
        with frozen(self.model.critic), step.autocast(settings.precision):
            picture = self.modules["generator"](z)
            m, probabilities = self.model.seen(self._as_heard(picture, step))
            dependence = measure(self.modules["dependence"], z[:, FREE:], m)
            lacking, doubt = uneven(probabilities.float()), unsure(probabilities.float())
            loss = (
                -self.model.critic(picture).float().mean()
                + settings.dependence_weight * dependence
                + settings.uneven_weight * lacking
                + settings.unsure_weight * doubt
            )
        self.minimise(loss, step, "generator")
        self.average.update(generator)
        gradient = torch.stack([p.grad.norm() for p in generator.parameters()]).norm()  # type: ignore[union-attr]
        return {
            "information": dependence, "uneven": lacking, "unsure": doubt, "gradient": gradient,
        }  # fmt: skip

    def _as_heard(self, picture: Tensor, step: Step) -> Tensor:
        """Return drawn pictures as the classifier sees them while it guides the generator."""
        if not self.settings.textured:
            return picture
        n, parts, n_mels, frames = self.settings.batch_size, *self.layout.shape
        draw, noise = step.rand(n, 6), step.randn(n, parts, n_mels, frames // 2)
        draw[:, 0], draw[:, 1:3] = 1, 0  # never smoother; always trembling, without what is faint
        draw[:, 4] = (1 + draw[:, 4]) / 2  # by 3 to 6 dB, as their sounds do
        return textured(picture.float(), draw, noise)

    def result(self) -> GenreGAN:
        """Return the model with the average of the generator's weights."""
        self.model.generator.load_state_dict(self.average.module.state_dict())
        return self.model

    def finish(self) -> None:
        """Let the critic take for usual how pictures differ, and look for the anchors."""
        model = self.model
        z = model.draw(256, epoch_generator(self.seed, 0)).to(model.center)
        model.critic.settle(model.generator(z))
        find_anchors(model, seed=self.seed)

    def measure(self, name: str) -> Report:
        """Measure beside the songs that were learnt and those that were not."""
        (train, _), (test, _) = self.data.part("train", "validation"), self.data.part("test")
        return measure_pictures(self.model, train, test, count=COUNT, seed=1, name=name)

    def split(self) -> dict[str, Any]:
        """Return which songs it learnt from, and the classifier before it."""
        return self.data.split(self.data.about)

    def card(self) -> dict[str, Any]:
        """Say what the generator is for."""
        about = self.data.about
        return {
            "data": {"songs": self.data.songs.counts()},
            "classifier": {key: about[key] for key in ("name", "version", "sha256")},
            "intended_use": "Maps of genres; sketches of spectrograms to look at and listen to.",
            "limits": "Three seconds; without phase, which Griffin-Lim guesses: it sounds veiled. "
            "The genres are the classifier's.",
            "paper": "arXiv:1704.00028; arXiv:1808.06670",
        }
