"""A latent space of drum patterns: AE, VAE and ACAI.

The patterns and the three models follow A. Tikhonov and I. P. Yamshchikov, "Drum
Beats and Where To Find Them: Sampling Drum Patterns from a Latent Space", ICCC
2020 (arXiv:2007.06284): 32 sixteenths x 14 drums in, 4 real numbers, 32 x 14 out,
feed-forward networks of the ReLU family. The paper does not state widths and
losses; they are ours. The VAE is that of D. P. Kingma and M. Welling,
"Auto-Encoding Variational Bayes", 2014; ACAI is from D. Berthelot, C. Raffel,
A. Roy and I. Goodfellow, "Understanding and Improving Interpolation in
Autoencoders via an Adversarial Regularizer", ICLR 2019 (arXiv:1807.07543).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from groove_core.errors import UsageError

__all__ = [
    "DRUMS",
    "STEPS",
    "Critic",
    "DrumAutoencoder",
    "acai_critic_loss",
    "acai_regularizer",
    "mix",
    "reconstruction",
    "vae_kl",
]

STEPS, DRUMS = 32, 14
BITS = STEPS * DRUMS
CODES_PER_GENRE = 1024
"""More say no more about where a genre lies, and a checkpoint stays small."""


def mlp(sizes: tuple[int, ...], *, norm: bool) -> nn.Sequential:
    """Stack linear layers with leaky ReLU (slope 0.2) between them."""
    layers: list[nn.Module] = []
    for index, (before, after) in enumerate(itertools.pairwise(sizes)):
        layers.append(nn.Linear(before, after))
        if index < len(sizes) - 2:
            layers += [nn.LayerNorm(after)] if norm else []
            layers.append(nn.LeakyReLU(0.2))
    return nn.Sequential(*layers)


class DrumAutoencoder(nn.Module):
    """Encoder, decoder, and what sampling needs: a prior and thresholds.

    Parameters
    ----------
    kind : ``ae``, ``vae`` or ``acai``
        The VAE's encoder gives a mean and a log-variance, the others a code.
    latent : int
        Dimensions of the space.
    encoder, decoder : sequence of int
        Widths of the hidden layers.
    components : int
        Gaussians in the mixture that is fitted to the codes of the training patterns.
    genres : dict of str to int, optional
        Number of codes that are kept of each genre, see `remember`.
    """

    thresholds: Tensor
    genre_codes: Tensor
    prior_weights: Tensor
    prior_means: Tensor
    prior_factors: Tensor

    def __init__(
        self,
        *,
        kind: str,
        latent: int,
        encoder: tuple[int, ...] = (256, 128),
        decoder: tuple[int, ...] = (256, 512, 512),
        components: int = 2,
        genres: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "kind": kind,
            "latent": latent,
            "encoder": list(encoder),
            "decoder": list(decoder),
            "components": components,
        }
        self.kind, self.latent = kind, latent
        outputs = 2 * latent if kind == "vae" else latent
        self.encoder = mlp((BITS, *encoder, outputs), norm=True)
        self.decoder = mlp((latent, *decoder, BITS), norm=True)
        # Filled after training. Thresholds are on logits, one per drum.
        self.register_buffer("thresholds", torch.zeros(DRUMS))
        self.register_buffer("prior_weights", torch.full((components,), 1 / components))
        self.register_buffer("prior_means", torch.zeros(components, latent))
        self.register_buffer("prior_factors", torch.eye(latent).repeat(components, 1, 1))
        if genres:
            self._keep(genres, torch.zeros(sum(genres.values()), latent))

    def _keep(self, genres: Mapping[str, int], codes: Tensor) -> None:
        self.config["genres"] = dict(genres)
        self.register_buffer("genre_codes", codes)

    @torch.no_grad()
    def remember(self, hits: Tensor, genres: Sequence[str], *, seed: int) -> None:
        """Keep the codes of training patterns by genre: what is drawn near a genre later.

        Of a genre with more patterns than `CODES_PER_GENRE`, so many are drawn.
        """
        names = np.asarray(genres)
        rng = np.random.default_rng(seed)
        kept = {
            genre: rng.permutation(np.flatnonzero(names == genre))[:CODES_PER_GENRE]
            for genre in sorted(set(genres))
        }
        rows = torch.from_numpy(np.concatenate([*kept.values()]))
        counts = {genre: len(chosen) for genre, chosen in kept.items()}
        self._keep(counts, self.encode(hits[rows.to(hits.device)]))

    def codes_by_genre(self) -> dict[str, Tensor]:
        """Return the codes [shape=(n, latent)] of each genre that was learnt, on the CPU.

        Empty for a checkpoint that was trained before genres were kept.
        """
        genres: dict[str, int] = self.config.get("genres", {})
        if not genres:
            return {}
        parts = self.genre_codes.cpu().float().split([*genres.values()])
        return dict(zip(genres, parts, strict=True))

    def encode(self, hits: Tensor) -> Tensor:
        """Give the codes of patterns; for the VAE, the mean.

        Parameters
        ----------
        hits : Tensor [shape=(n, 32, 14), bool or 0 and 1]

        Returns
        -------
        Tensor [shape=(n, latent)]
        """
        codes: Tensor = self.encoder(hits.flatten(1).float())[:, : self.latent]
        return codes

    def logits(self, codes: Tensor) -> Tensor:
        """Decode codes [shape=(n, latent)] to logits of hits [shape=(n, 32, 14)]."""
        logits: Tensor = self.decoder(codes).unflatten(1, (STEPS, DRUMS))
        return logits

    def decode(self, codes: Tensor) -> Tensor:
        """Decode codes to patterns [shape=(n, 32, 14), bool].

        A hit is where the logit exceeds its drum's threshold, set so that each drum
        is as frequent as in training. At 0.5, drums that are rare never play.
        """
        hits: Tensor = self.margins(codes) > 0
        return hits

    def margins(self, codes: Tensor) -> Tensor:
        """Decode codes to how far logits are above the threshold of their drum.

        Computed in double precision, on the CPU where the device has none: a code is
        the same beat on every device, in every batch, and in the page of a map.
        """
        device = "cpu" if codes.device.type == "mps" else codes.device
        weights = {
            name: weight.to(device, torch.float64)
            for name, weight in self.decoder.named_parameters()
        }
        logits = torch.func.functional_call(self.decoder, weights, codes.to(device, torch.float64))
        margins: Tensor = logits.unflatten(1, (STEPS, DRUMS)) - self.thresholds.to(device)
        return margins

    def sample_codes(
        self, count: int, generator: torch.Generator, *, temperature: float = 1.0
    ) -> Tensor:
        """Draw codes from the Gaussian mixture fitted to the training codes.

        ``z = m_k + temperature * L_k e`` with component *k* drawn by its weight,
        ``L_k`` the Cholesky factor of its covariance and ``e ~ N(0, I)``.
        """
        weights = self.prior_weights.cpu()
        component = torch.multinomial(weights, count, replacement=True, generator=generator)
        noise = torch.randn(count, self.latent, generator=generator)
        noise, component = noise.to(self.prior_means), component.to(self.prior_means.device)
        spread: Tensor = torch.einsum("nij,nj->ni", self.prior_factors[component], noise)
        codes: Tensor = self.prior_means[component] + temperature * spread
        return codes

    @torch.no_grad()
    def calibrate(self, hits: Tensor, *, seed: int) -> None:
        """Fit the prior to the codes of training patterns, and match the thresholds.

        The prior is a Gaussian mixture with full covariances (EM, scikit-learn).
        The thresholds are quantiles of the logits of codes *drawn from it*, so that
        samples, not reconstructions, have the density of the training set per drum.
        """
        from sklearn.mixture import GaussianMixture

        codes = self.encode(hits).cpu().double().numpy()
        mixture = GaussianMixture(
            self.config["components"], covariance_type="full", reg_covar=1e-4, random_state=seed
        ).fit(codes)
        factors = torch.linalg.cholesky(torch.from_numpy(mixture.covariances_))
        self.prior_weights.copy_(torch.from_numpy(mixture.weights_))
        self.prior_means.copy_(torch.from_numpy(mixture.means_))
        self.prior_factors.copy_(factors)

        density = hits.float().mean(dim=(0, 1))
        drawn = self.sample_codes(20_000, torch.Generator().manual_seed(seed))
        logits = self.logits(drawn).flatten(0, 1).cpu().double()
        for drum in range(DRUMS):
            ordered = logits[:, drum].sort().values
            rank = round((1 - float(density[drum])) * (len(ordered) - 1))
            self.thresholds[drum] = ordered[rank]


class Critic(nn.Module):
    """ACAI's critic: an encoder-shaped network whose outputs are averaged to one number."""

    def __init__(self, latent: int, encoder: tuple[int, ...]) -> None:
        super().__init__()
        self.layers = mlp((BITS, *encoder, latent), norm=False)

    def forward(self, probabilities: Tensor) -> Tensor:
        """Guess the mixing coefficient of patterns [shape=(n, 448)]; gives shape (n,)."""
        guess: Tensor = self.layers(probabilities).mean(dim=1)
        return guess


def reconstruction(logits: Tensor, bits: Tensor) -> Tensor:
    """Mean binary cross-entropy per bit."""
    return F.binary_cross_entropy_with_logits(logits, bits)


def vae_kl(mean: Tensor, log_variance: Tensor, *, free_bits: float) -> Tensor:
    """KL(N(mean, variance) || N(0, I)) per pattern, with free bits per dimension.

    Free bits (D. P. Kingma et al. 2016): a dimension pays nothing for its first
    `free_bits` nats, so that none collapses.
    """
    per_dimension = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
    return per_dimension.mean(dim=0).clamp(min=free_bits).sum()


def mix(codes: Tensor, alpha: Tensor) -> Tensor:
    """Interpolate each code with its neighbour in the batch: alpha z1 + (1 - alpha) z2.

    Neighbours (0, 1), (2, 3) ... instead of the reversed batch of the original code:
    in a shuffled batch both are random pairs, but these survive cutting the batch
    into shards.
    """
    if len(codes) % 2:
        raise UsageError("ACAI needs an even batch.", hint="--batch-size 256")
    other: Tensor = codes.unflatten(0, (-1, 2)).flip(1).flatten(0, 1)
    return alpha[:, None] * codes + (1 - alpha[:, None]) * other


def acai_regularizer(critic: nn.Module, mixed: Tensor) -> Tensor:
    """||d(x_alpha)||^2: small when the critic takes mixtures for patterns (equation 2).

    Parameters
    ----------
    mixed : Tensor [shape=(n, 448), probabilities]
        Decoded mixtures of codes. Probabilities rather than bits, which have no gradient.
    """
    fooled: Tensor = critic(mixed).square().mean()
    return fooled


def acai_critic_loss(
    critic: nn.Module,
    bits: Tensor,
    reconstructed: Tensor,
    mixed: Tensor,
    alpha: Tensor,
    *,
    gamma: float,
) -> Tensor:
    """||d(x_alpha) - alpha||^2 + ||d(gamma x + (1 - gamma) x_hat)||^2 (equation 1).

    Parameters
    ----------
    bits, reconstructed, mixed : Tensor [shape=(n, 448), probabilities]
        Patterns, their reconstructions, and decoded mixtures of codes.
    alpha : Tensor [shape=(n,), 0 to 0.5]
        How each mixture was mixed.
    gamma : float
        Share of the pattern in what the critic must call unmixed.
    """
    real = gamma * bits + (1 - gamma) * reconstructed
    loss: Tensor = (critic(mixed) - alpha).square().mean() + critic(real).square().mean()
    return loss
