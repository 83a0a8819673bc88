"""Parts of networks and losses that several packages use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from groove_core.learning.step import current_step

__all__ = [
    "Dropout", "PixelNorm", "frozen", "gradient_penalty", "minibatch_deviation", "pixel_norm",
    "r1_penalty",
]  # fmt: skip


class Dropout(nn.Module):
    """Dropout whose masks belong to the item of the batch, not to the process.

    In a training of `groove_core.learning` the masks are drawn from the generator of the epoch
    for the whole batch. So a resumed training drops what an unbroken one does, and several
    processes together drop what one would. Anywhere else it is `torch.nn.Dropout`.

    The first dimension is that of the batch, or a multiple of it (two views of each item).
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Drop numbers, and scale those that are kept."""
        step = current_step()
        if not self.training or not self.p or step is None:
            return F.dropout(x, self.p, self.training)
        return x * (step.rand_like(x) >= self.p) / (1 - self.p)

    def extra_repr(self) -> str:
        """Show the share that is dropped."""
        return f"p={self.p}"


def pixel_norm(x: Tensor) -> Tensor:
    """Divide the features of each point [shape=(n, features, ...)] by their root mean square.

    Karras et al., "Progressive Growing of GANs" (1710.10196), section 4.2.
    """
    return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-8)


class PixelNorm(nn.Module):
    """`pixel_norm` as a layer."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each point."""
        return pixel_norm(x)


def minibatch_deviation(x: Tensor, *, group: int | None = None, eps: float = 1e-8) -> Tensor:
    """Return the mean deviation of features within the batch, as one more map.

    A discriminator that sees it notices a generator that repeats itself (1710.10196, section 3).

    Parameters
    ----------
    x : Tensor [shape=(n, features, ...)]
    group : int, optional
        Items that are compared with each other (default, and where it does not divide the batch:
        all).

    Returns
    -------
    Tensor [shape=(n, 1, ...)]
    """
    size = min(group or len(x), len(x))
    size = size if len(x) % size == 0 else len(x)
    grouped = x.float().reshape(size, -1, *x.shape[1:])
    spread = grouped.var(dim=0, correction=0).add(eps).sqrt().flatten(1).mean(dim=1)
    return spread.repeat(size).reshape(-1, *[1] * (x.dim() - 1)).to(x.dtype).expand_as(x[:, :1])


def _slope(critic: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """Return the gradient of scores by their inputs, flat [shape=(n, inputs)]."""
    (slope,) = torch.autograd.grad(critic(at).float().sum(), at, create_graph=True)
    return slope.float().flatten(1)


def gradient_penalty(
    critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, u: Tensor, *, side: int = 1
) -> Tensor:
    """Return E (|grad D(x')| - 1)^2 with x' = u x + (1 - u) G(z).

    Gulrajani et al., "Improved Training of Wasserstein GANs" (1704.00028), equation 3.

    Parameters
    ----------
    critic : callable
        Inputs to scores [shape=(n,)].
    real, fake : Tensor [shape=(n, ...)]
    u : Tensor [shape=(n,), 0 to 1]
    side : int
        Points that one point stands for, along each of two sides, where inputs are shown coarser
        than they are: its slope is shared among them.
    """
    u = u.reshape(-1, *[1] * (real.dim() - 1))
    between = (u * real + (1 - u) * fake).detach().requires_grad_()
    # The small number keeps the root of a slope of 0 differentiable.
    steepness = (_slope(critic, between).square().sum(dim=1) + 1e-12).sqrt() / side
    return (steepness - 1).square().mean()


def r1_penalty(critic: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """Return E |grad D(x)|^2 (Mescheder et al., 1801.04406, equation 9, without gamma / 2)."""
    at = real.detach().clone().requires_grad_()
    return _slope(critic, at).square().sum(dim=1).mean()


@contextmanager
def frozen(*networks: nn.Module) -> Iterator[None]:
    """Compute no gradients for the weights of networks that do not learn now."""
    for network in networks:
        network.requires_grad_(False)
    try:
        yield
    finally:
        for network in networks:
            network.requires_grad_(True)
