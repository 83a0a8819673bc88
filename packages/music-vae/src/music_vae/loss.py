"""What is minimised, and its schedules.

    loss = -log p(x | z) + beta max(KL(q(z | x) || N(0, I)) - free, 0)

of each piece, in nats, where all dimensions of z together have the free bits: a piece pays for the
bits of its code only beyond them. A. Roberts et al., 1803.05428, sections 2.1 and 4; free bits: D.
P. Kingma et al., "Improved Variational Inference with Inverse Autoregressive Flow" (1606.04934);
scheduled sampling: S. Bengio et al. (1506.03099).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = [
    "ACTIVE_VARIANCE", "active_units", "beta_at", "charged", "kl_divergence", "own_share",
    "reconstruction",
]  # fmt: skip

ACTIVE_VARIANCE = 0.01
"""A dimension is active if the posterior means of pieces vary by more than this."""


def reconstruction(logits: Sequence[Tensor], events: Tensor) -> Tensor:
    """Return -log p(x | z) of each piece in nats, all voices and steps added up.

    Parameters
    ----------
    logits : tensors [each shape=(n, steps, classes)]
        Of each voice.
    events : int tensor [shape=(n, voices, steps)]

    Returns
    -------
    Tensor [shape=(n,)]
    """
    each = [
        # One row a step: on a CPU, half as long as along the second dimension.
        F.cross_entropy(
            scores.float().flatten(0, 1), events[:, voice].flatten(), reduction="none"
        ).view(len(events), -1)
        for voice, scores in enumerate(logits)
    ]
    return torch.stack(each).sum(dim=(0, 2))


def kl_divergence(mean: Tensor, deviation: Tensor) -> Tensor:
    """Return KL(N(mean, deviation^2) || N(0, I)) in nats, all dimensions added up.

    Parameters
    ----------
    mean, deviation : Tensor [each shape=(n, latent)]

    Returns
    -------
    Tensor [shape=(n,)]
    """
    each = 0.5 * (mean.square() + deviation.square() - 1) - deviation.log()
    return each.sum(dim=1)


def charged(kl: Tensor, free_bits: float) -> Tensor:
    """Return the part of each divergence, in nats, that lies beyond the free bits.

    >>> charged(torch.tensor([1.0, 4.0]), free_bits=2 / math.log(2)).tolist()
    [0.0, 2.0]
    """
    return (kl - free_bits * math.log(2)).clamp(min=0)


def beta_at(step: int, *, top: float = 0.2, keep: float = 0.99999) -> float:
    """Return the weight of the divergence: top (1 - keep^step).

    >>> beta_at(0), round(beta_at(100_000), 4)
    (0.0, 0.1264)
    """
    return top * (1 - keep**step)


def own_share(step: int, *, patience: float = 1000.0) -> float:
    """Return how often the decoder hears its own events: 1 - k / (k + e^(step / k)).

    >>> round(own_share(0), 4), round(own_share(6908), 2)
    (0.001, 0.5)
    """
    # The same as 1 / (1 + k e^(-step / k)), which does not overflow.
    return 1 / (1 + patience * math.exp(-step / patience))


def active_units(means: Tensor) -> int:
    """Count the dimensions in which the posterior means of pieces [shape=(n, latent)] vary."""
    return int((means.var(dim=0, correction=0) > ACTIVE_VARIANCE).sum())
