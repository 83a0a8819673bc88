"""An LSTM-VAE with one Gaussian for every moment of a drum part, and how two parts differ.

The encoder gives N(mean_t, covariance_t) for each frame t of a sound, the decoder turns a
sample of it into envelopes: when something is hit, and how hard. Two versions of a part
are compared moment by moment by the Kullback-Leibler divergence of their Gaussians,

    D_KL(t) = 1/2 [ log(|S2| / |S1|) + tr(S2^-1 S1) + (m2 - m1)' S2^-1 (m2 - m1) - d ],

1 being the played and 2 the programmed part, so that it says what the played part has
that the programmed one lacks.

The VAE is that of D. P. Kingma and M. Welling, "Auto-Encoding Variational Bayes", 2014.
Three things are not the textbook's:

- The decoder does not give back the sound it heard but what any kit would make of the same
  hits. What is left for the latent space to hold is when and how hard.
- It is a function of one moment alone: what it needs to know must be in that Gaussian.
- A ranking term (C. Burges and others, "Learning to Rank using Gradient Descent", ICML 2005)
  asks that hits which were moved or changed diverge more than those which were not, also
  where the two parts are played on different kits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from groove_vae.measures import Measure

__all__ = [
    "Covariance",
    "FeelVAE",
    "Gaussian",
    "divergence",
    "elbo",
    "prior_kl",
    "rank_loss",
]

Covariance = Literal["diagonal", "full"]


@dataclass(frozen=True)
class Gaussian:
    """Gaussians with covariance L L'.

    Parameters
    ----------
    mean : Tensor [shape=(..., d)]
    scale : Tensor
        L: its diagonal [shape=(..., d)], or whole and lower triangular [shape=(..., d, d)].
    """

    mean: Tensor
    scale: Tensor

    @property
    def is_diagonal(self) -> bool:
        """Whether the dimensions are independent."""
        return self.scale.ndim == self.mean.ndim

    @property
    def factor(self) -> Tensor:
        """L as a matrix [shape=(..., d, d)]."""
        return torch.diag_embed(self.scale) if self.is_diagonal else self.scale

    @property
    def log_det(self) -> Tensor:
        """Log |L|, half the log determinant of the covariance [shape=(...)]."""
        diagonal = self.scale if self.is_diagonal else self.scale.diagonal(dim1=-2, dim2=-1)
        total: Tensor = diagonal.log().sum(dim=-1)
        return total

    def sample(self, noise: Tensor) -> Tensor:
        """Turn standard normal noise [shape=(..., d)] into samples."""
        if self.is_diagonal:
            return self.mean + self.scale * noise
        moved: Tensor = self.mean + (self.scale @ noise[..., None])[..., 0]
        return moved

    def at(self, index: Any) -> Gaussian:
        """Take some of them."""
        return Gaussian(self.mean[index], self.scale[index])


def kl(p: Gaussian, q: Gaussian) -> Tensor:
    """KL(p || q) in nats [shape=(...)]."""
    gap = p.mean - q.mean
    if p.is_diagonal and q.is_diagonal:
        spread = (p.scale / q.scale).square().sum(dim=-1)
        away = (gap / q.scale).square().sum(dim=-1)
    else:
        spread = torch.linalg.solve_triangular(q.factor, p.factor, upper=False).square()
        spread = spread.sum(dim=(-2, -1))
        away = torch.linalg.solve_triangular(q.factor, gap[..., None], upper=False)
        away = away.square().sum(dim=(-2, -1))
    return q.log_det - p.log_det + 0.5 * (spread + away - gap.shape[-1])


def bhattacharyya(p: Gaussian, q: Gaussian) -> Tensor:
    """-log of the integral of sqrt(p q) [shape=(...)]."""
    middle = (p.factor @ p.factor.mT + q.factor @ q.factor.mT) / 2
    between = Gaussian(p.mean, torch.linalg.cholesky(middle))
    gap = (p.mean - q.mean)[..., None]
    away: Tensor = torch.linalg.solve_triangular(between.scale, gap, upper=False)
    return away.square().sum(dim=(-2, -1)) / 8 + between.log_det - 0.5 * (p.log_det + q.log_det)


def wasserstein(p: Gaussian, q: Gaussian) -> Tensor:
    """2-Wasserstein distance, in units of the latent space [shape=(...)]."""
    # tr (Sq^1/2 Sp Sq^1/2)^1/2 is the sum of the singular values of Lq' Lp.
    shared: Tensor = torch.linalg.svdvals(q.factor.mT @ p.factor).sum(dim=-1)
    spread = p.factor.square().sum(dim=(-2, -1)) + q.factor.square().sum(dim=(-2, -1))
    square = (p.mean - q.mean).square().sum(dim=-1) + spread - 2 * shared
    return square.clamp_min(0).sqrt()


def divergence(played: Gaussian, programmed: Gaussian, measure: Measure = "kl") -> Tensor:
    """How far two Gaussians are apart [shape=(...), never negative].

    Parameters
    ----------
    measure : {"kl", "reverse", "jeffreys", "bhattacharyya", "wasserstein"}
        KL(played || programmed); the other way round; their sum; and two that are
        symmetric and do not explode where the programmed part is sure of itself.
    """
    if measure == "wasserstein":
        return wasserstein(played, programmed)
    if measure == "bhattacharyya":
        value = bhattacharyya(played, programmed)
    elif measure == "jeffreys":
        value = kl(played, programmed) + kl(programmed, played)
    elif measure == "reverse":
        value = kl(programmed, played)
    else:
        value = kl(played, programmed)
    return value.clamp_min(0)  # rounding


class FeelVAE(nn.Module):
    """Encoder and decoder.

    Parameters
    ----------
    inputs : int
        Bands of a frame; 1 for bare samples.
    outputs : int
        Envelopes of a frame; 1 for bare samples.
    latent : int
        Dimensions d of the Gaussians.
    hidden : int
        Units of the LSTM, in each direction.
    context : int
        Taps of the two convolutions before the LSTM; 0 for none.
    bidirectional : bool
    covariance : {"diagonal", "full"}
    min_sigma : float
        Least standard deviation. Below it divergences would explode; means are of the order
        of 1.
    """

    def __init__(
        self,
        *,
        inputs: int,
        outputs: int,
        latent: int = 2,
        hidden: int = 64,
        context: int = 5,
        bidirectional: bool = True,
        covariance: Covariance = "diagonal",
        min_sigma: float = 0.2,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "inputs": inputs,
            "outputs": outputs,
            "latent": latent,
            "hidden": hidden,
            "context": context,
            "bidirectional": bidirectional,
            "covariance": covariance,
            "min_sigma": min_sigma,
        }
        self.latent, self.covariance, self.min_sigma = latent, covariance, min_sigma
        layers: list[nn.Module] = []
        for size in (inputs, hidden) if context else ():
            layers += [nn.Conv1d(size, hidden, context, padding=context // 2), nn.GELU()]
        self.ear = nn.Sequential(*layers)
        self.lstm = nn.LSTM(
            hidden if context else inputs, hidden, bidirectional=bidirectional, batch_first=True
        )
        below = latent * (latent - 1) // 2 if covariance == "full" else 0
        self.head = nn.Linear(hidden * (1 + bidirectional), 2 * latent + below)
        # h(z_t) = sum_k v_k f(w_k z_t): a dense layer a moment, without memory.
        self.decoder = nn.Sequential(nn.Linear(latent, 32), nn.Tanh(), nn.Linear(32, outputs))
        self.log_noise = nn.Parameter(torch.full((outputs,), -1.0))

    def encode(self, frames: Tensor) -> Gaussian:
        """Give the Gaussians of frames [shape=(n, frames, inputs)]."""
        heard = self.ear(frames.mT).mT if len(self.ear) else frames
        states, _ = self.lstm(heard)
        out = self.head(states)
        mean, diagonal, below = out.split(
            [self.latent, self.latent, out.shape[-1] - 2 * self.latent], dim=-1
        )
        scale = F.softplus(diagonal) + self.min_sigma
        if self.covariance == "full":
            rows, columns = torch.tril_indices(self.latent, self.latent, offset=-1)
            whole = torch.diag_embed(scale)
            whole[..., rows, columns] = below
            scale = whole
        return Gaussian(mean, scale)

    def decode(self, z: Tensor) -> Tensor:
        """Give the envelopes of codes [shape=(..., d)]."""
        out: Tensor = self.decoder(z)
        return out

    def forward(self, frames: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Give mean and scale of the Gaussians, what the decoder makes of a sample, log noise.

        Plain tensors, so that it can be wrapped to run on several devices.
        """
        latent = self.encode(frames)
        made = self.decode(latent.sample(noise))
        return latent.mean, latent.scale, made, self.log_noise.clone()


def prior_kl(latent: Gaussian) -> Tensor:
    """KL(N(mean, S) || N(0, I)) for each moment and dimension [shape=(..., d)], in nats.

    The sum over dimensions is the divergence, with a full covariance, too.
    """
    if latent.is_diagonal:
        variance, log_scale = latent.scale.square(), latent.scale.log()
    else:
        variance = latent.scale.square().sum(dim=-1)
        log_scale = latent.scale.diagonal(dim1=-2, dim2=-1).log()
    return 0.5 * (latent.mean.square() + variance - 1) - log_scale


def elbo(
    latent: Gaussian,
    made: Tensor,
    target: Tensor,
    log_noise: Tensor,
    *,
    beta: float,
    free_bits: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Give the loss of a VAE for each frame, and its parts: reconstruction and KL, in nats.

    Parameters
    ----------
    made, target : Tensors [shape=(n, frames, outputs)]
    log_noise : Tensor [shape=(outputs,)]
        Log of the standard deviation that the envelopes are given with, learnt.
    beta : float
        Weight of the KL.
    free_bits : float
        Nats per frame and dimension that cost nothing.
    """
    error = ((made - target) * (-log_noise).exp()).square()
    surprise = (0.5 * error + log_noise + 0.5 * math.log(2 * math.pi)).sum(dim=-1).mean()
    each = prior_kl(latent).mean(dim=(0, 1))
    return surprise + beta * each.clamp(min=free_bits).sum(), surprise, each


def rank_loss(divergences: Tensor, change: Tensor, kind: Tensor) -> Tensor:
    """Ask that what was changed more diverges more: RankNet over pairs of strokes.

    Half of it asks that what was changed is told from what was not, half that amounts are
    in order; of the former there are far more pairs.

    Parameters
    ----------
    divergences : Tensor [shape=(n,)]
    change : Tensor [shape=(n,)]
        By how much; 0 for not at all.
    kind : int Tensor [shape=(n,)]
        What was changed: amounts are compared within a kind, and with 0 in any.
    """
    score = divergences.clamp_min(1e-6).log()
    lost = F.softplus(score - score[:, None])
    found = (change[:, None] > 0) & (change == 0)
    ordered = (kind[:, None] == kind) & (change > 0) & (change[:, None] > 1.2 * change)
    parts = [lost[pairs].mean() for pairs in (found, ordered) if pairs.any()]
    return torch.stack(parts).mean() if parts else 0 * score.sum()
