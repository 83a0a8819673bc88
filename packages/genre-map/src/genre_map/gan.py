"""A Wasserstein GAN of spectrograms, tied to a genre classifier by mutual information.

Gulrajani et al., "Improved Training of Wasserstein GANs" (1704.00028); Hjelm et al., "Deep
InfoMax" (1808.06670) for the Jensen-Shannon bound; van den Oord et al. (1807.03748) for
InfoNCE; Karras et al., "Progressive Growing of GANs" (1710.10196) for drift, feature
normalisation and minibatch deviation.

Noise z in U(-1, 1)^128 is 118 free values and 10 dependent ones, c. What the frozen
classifier C sees in a picture, its features m(G(z)), shall tell c. So c spans a map.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genre_map.model import GenreClassifier
from groove_core.learning import PixelNorm, gradient_penalty, minibatch_deviation

__all__ = [
    "ANCHORS", "DEPENDENT", "FREE", "INDEPENDENT", "Critic", "Dependence", "Generator", "GenreGAN",
    "Looked", "Variant", "critic_loss", "infonce", "jensen_shannon", "uneven", "unsure",
]  # fmt: skip

FREE, DEPENDENT = 118, 10
INDEPENDENT = 2 * math.log(2)
"""What `jensen_shannon` is where c and m tell nothing of each other: 1.386."""
DRIFT = 1e-3
ANCHORS = 8
Variant = Literal["ours", "paper"]


class Generator(nn.Module):
    """Noise z [shape=(n, 128)] to pictures [shape=(n, parts, n_mels, frames), 0 to 1].

    ``ours`` doubles a small picture and convolves it, four times; ``paper`` is our
    reconstruction of the thesis' network: transposed convolutions, with kernels that their
    strides divide.
    """

    gain: Tensor

    def __init__(self, shape: tuple[int, int, int], variant: Variant, width: int) -> None:
        super().__init__()
        parts, n_mels, frames = shape
        # In ours, the few dependent values shall weigh as much as the many free ones.
        loud = math.sqrt(FREE / DEPENDENT) if variant == "ours" else 1.0
        gain = torch.cat([torch.ones(FREE), torch.full((DEPENDENT,), loud)])
        self.register_buffer("gain", gain, persistent=False)
        if variant == "paper":
            first = (n_mels // 12, frames // 16)
            self.layers = nn.Sequential(
                nn.Linear(FREE + DEPENDENT, 8 * width * first[0] * first[1]),
                nn.Unflatten(1, (8 * width, *first)), nn.ReLU(),
                nn.ConvTranspose2d(8 * width, 4 * width, (3, 4), stride=(3, 4)), nn.ReLU(),
                nn.ConvTranspose2d(4 * width, 2 * width, 4, stride=2, padding=1), nn.ReLU(),
                nn.ConvTranspose2d(2 * width, parts, 4, stride=2, padding=1), nn.Sigmoid(),
            )  # fmt: skip
            return
        first = (n_mels // 16, frames // 16)
        sizes = [4 * width, 4 * width, 3 * width, 2 * width, width]
        layers: list[nn.Module] = [
            nn.Linear(FREE + DEPENDENT, sizes[0] * first[0] * first[1]),
            nn.Unflatten(1, (sizes[0], *first)),
            PixelNorm(),
        ]
        for of, to in pairwise(sizes):
            layers += [
                nn.Upsample(scale_factor=2), nn.Conv2d(of, to, 3, padding=1),
                nn.LeakyReLU(0.2), PixelNorm(),
            ]  # fmt: skip
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, parts, 3, padding=1), nn.Sigmoid())

    def forward(self, z: Tensor) -> Tensor:
        picture: Tensor = self.layers(self.gain * z)
        return picture


class Critic(nn.Module):
    """Pictures to unbounded scores [shape=(n,)]; without batch norm, for the penalty's sake.

    While ours learns, it sees how much the pictures of a batch differ; afterwards it takes
    that for `usual`, so that a score does not depend on the others.
    """

    usual: Tensor

    def __init__(self, shape: tuple[int, int, int], variant: Variant, width: int) -> None:
        super().__init__()
        parts, n_mels, frames = shape
        self.deviation = variant == "ours"
        self.register_buffer("usual", torch.ones(()))
        layers: list[nn.Module] = []
        sizes = [parts, width, 2 * width, 4 * width, 4 * width]
        for of, to in pairwise(sizes):
            layers += [nn.Conv2d(of, to, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        self.trunk = nn.Sequential(*layers)
        cells = (n_mels // 16) * (frames // 16)
        maps = 4 * width + self.deviation
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(maps * cells, 128), nn.LeakyReLU(0.2), nn.Linear(128, 1)
        )

    def forward(self, pictures: Tensor) -> Tensor:
        features = self.trunk(pictures)
        if self.deviation:  # a generator that repeats itself shows here
            one = features[:, :1]
            spread = minibatch_deviation(features) if self.training else self.usual.expand_as(one)
            features = torch.cat([features, spread], dim=1)
        score: Tensor = self.head(features).squeeze(1)
        return score

    @torch.no_grad()
    def settle(self, pictures: Tensor) -> None:
        """Take for usual how much these pictures differ."""
        self.usual.copy_(minibatch_deviation(self.trunk(pictures)).flatten()[0])


class Dependence(nn.Module):
    """T: how well dependent values c [shape=(n, 10)] and features m fit each other."""

    def __init__(self, features: int, hidden: int = 256) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(DEPENDENT + features, hidden), nn.LeakyReLU(0.2),
            nn.Linear(hidden, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, 1),
        )  # fmt: skip

    def forward(self, c: Tensor, m: Tensor) -> Tensor:
        score: Tensor = self.layers(torch.cat([c, m], dim=-1)).squeeze(-1)
        return score


def critic_loss(
    critic: nn.Module, real: Tensor, fake: Tensor, u: Tensor, *, penalty: float, drift: float
) -> tuple[Tensor, Tensor]:
    """Give what the critic minimises, and its estimate of the Wasserstein distance.

    E[D(G(z))] - E[D(x)] + lambda E[(|grad D(x')| - 1)^2] + drift E[D(x)^2], with
    x' = u x + (1 - u) G(z).

    Parameters
    ----------
    u : Tensor [shape=(n,), uniform in 0 to 1]
    penalty, drift : float
        Drift keeps scores near zero, without which the distance wanders and gradients vanish.
    """
    on_real, on_fake = critic(real).float(), critic(fake).float()
    distance = on_real.mean() - on_fake.mean()
    loss = -distance + penalty * gradient_penalty(critic, real, fake, u)
    return loss + drift * on_real.square().mean(), distance.detach()


def jensen_shannon(dependence: nn.Module, c: Tensor, m: Tensor) -> Tensor:
    """Give the mutual-information loss of the Jensen-Shannon bound.

    E[sp(-T(c, m))] + E[sp(T(c', m))] with c' of another picture of the batch and
    sp(u) = log(1 + e^u): 1.386 if c and m are independent, 0 if each tells the other.
    """
    together, apart = dependence(c, m), dependence(c.roll(1, dims=0), m)
    return F.softplus(-together.float()).mean() + F.softplus(apart.float()).mean()


def infonce(dependence: nn.Module, c: Tensor, m: Tensor) -> Tensor:
    """Give the InfoNCE loss: the cross-entropy of finding each m's own c in the batch.

    log(n) minus it is a lower bound of the mutual information, in nats.
    """
    n = len(c)
    pairs = dependence(c[None].expand(n, -1, -1), m[:, None].expand(-1, n, -1))
    return F.cross_entropy(pairs.float(), torch.arange(n, device=c.device))


def entropy(p: Tensor) -> Tensor:
    """Give the entropy of probabilities [shape=(..., genres)], in nats."""
    return -(p * p.clamp_min(1e-8).log()).sum(dim=-1)


def unsure(probabilities: Tensor) -> Tensor:
    """Give the mean entropy of pictures: 0 where each is of one genre."""
    return entropy(probabilities).mean()


def uneven(probabilities: Tensor) -> Tensor:
    """Give how much the genres of a batch lack to be even: log K - H(E[p]), 0 where they are."""
    genres = probabilities.shape[-1]
    return math.log(genres) - entropy(probabilities.mean(dim=0))


class GenreGAN(nn.Module):
    """Generator, critic, dependence and the classifier they are tied to.

    Parameters
    ----------
    classifier : dict
        Configuration of `GenreClassifier`.
    variant : {"ours", "paper"}
    width : int
        Maps of the generator's last layer; the critic's first one has half as many again.
    """

    center: Tensor
    scale: Tensor
    anchors: Tensor
    """Noise of each genre's purest pictures [shape=(genres, ANCHORS, 128)]."""
    base: Tensor
    """The noise around which the map lies [shape=(128,)]."""
    plane: Tensor
    """The two dependent values between which the most genres lie [shape=(2,)]."""

    def __init__(
        self, classifier: dict[str, Any], variant: Variant = "ours", width: int = 16
    ) -> None:
        super().__init__()
        self.config = {"classifier": classifier, "variant": variant, "width": width}
        self.classifier = GenreClassifier(**classifier)
        shape = self.classifier.layout.shape
        self.generator = Generator(shape, variant, width)
        self.critic = Critic(shape, variant, 3 * width // 2)
        self.dependence = Dependence(self.classifier.features)
        self.register_buffer("center", torch.zeros(self.classifier.features))
        self.register_buffer("scale", torch.ones(self.classifier.features))
        noise = FREE + DEPENDENT
        self.register_buffer("anchors", torch.zeros(len(self.genres), ANCHORS, noise))
        self.register_buffer("base", torch.zeros(noise))
        self.register_buffer("plane", torch.tensor([0.0, 1.0]))

    @property
    def genres(self) -> tuple[str, ...]:
        """Names of genres."""
        return self.classifier.genres

    def seen(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Give what the classifier sees in pictures: features m, standardised, and probabilities.

        Returns
        -------
        m : Tensor [shape=(n, features)]
        probabilities : Tensor [shape=(n, genres)]
        """
        features = self.classifier.pooled(self.classifier.layout.shown(pictures)).float()
        logits = self.classifier.head(features)
        return (features - self.center) / self.scale, self.classifier.probabilities(logits)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw noise [shape=(count, 128)] on the CPU."""
        return 2 * torch.rand(count, FREE + DEPENDENT, generator=generator) - 1

    @torch.no_grad()
    def hear(self, windows: Tensor, at_once: int = 64) -> tuple[Tensor, Tensor]:
        """Return what the classifier sees in any number of windows, on the CPU: see `seen`."""
        parts = [self.seen(some.to(self.center)) for some in windows.split(at_once)]
        features, probabilities = (torch.cat(one).cpu() for one in zip(*parts, strict=True))
        return features, probabilities

    @torch.no_grad()
    def look(self, z: Tensor, at_once: int = 16) -> Looked:
        """Generate pictures and look at them, as many at once as stay in the cache of a CPU.

        Parameters
        ----------
        z : Tensor [shape=(n, 128)]
        """
        parts = []
        for some in z.to(self.center).split(at_once):
            pictures = self.generator(some)
            parts.append((pictures, *self.seen(pictures), self.critic(pictures)))
        return Looked(*(torch.cat(one).cpu().contiguous() for one in zip(*parts, strict=True)))


class Looked(NamedTuple):
    """Generated pictures [shape=(n, ...)], and what classifier and critic make of them."""

    pictures: Tensor
    features: Tensor
    probabilities: Tensor
    critic: Tensor
