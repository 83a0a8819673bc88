"""The prior of codes: a Gaussian mixture that is fitted to them, and the way between two codes.

    p(z) = sum_k w_k N(z; m_k, L_k L_k^T)

A decoder has learnt what codes of music look like, and draws of N(0, I) fall where there are none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from groove_core.errors import InputError

__all__ = ["Mixture", "fit_mixture", "near", "sample_codes", "shrunk", "slerp"]

BESIDE = 0.25
"""How far beside the arc between two codes those near them lie, in deviations of all codes."""
RIDGE = 1e-3
"""Variance that is added to every dimension, as a share of the mean variance of all codes."""


@dataclass(frozen=True)
class Mixture:
    """A mixture of Gaussians.

    Parameters
    ----------
    weights : Tensor [shape=(components,)]
        Their sum is 1.
    means : Tensor [shape=(components, dimensions)]
    factors : Tensor [shape=(components, dimensions, dimensions)]
        Cholesky factors of the covariances.
    """

    weights: Tensor
    means: Tensor
    factors: Tensor

    def deviation(self) -> Tensor:
        """Return the standard deviation of each dimension, of all components together."""
        weights = (self.weights / self.weights.sum())[:, None]
        mean = (weights * self.means).sum(dim=0)
        within = self.factors.square().sum(dim=2)  # the diagonals of the covariances
        return (weights * (within + (self.means - mean).square())).sum(dim=0).sqrt()

    def log_densities(self, codes: Tensor) -> Tensor:
        """Return log w_k N(z; m_k, S_k) of codes [shape=(n, dimensions)] as (n, components)."""
        found = []
        for weight, mean, factor in zip(self.weights, self.means, self.factors, strict=True):
            white = torch.linalg.solve_triangular(factor, (codes - mean).T, upper=False)
            half = factor.diagonal().log().sum() + 0.5 * len(mean) * math.log(2 * math.pi)
            found.append(weight.log() - half - 0.5 * white.square().sum(dim=0))
        return torch.stack(found, dim=1)

    def log_density(self, codes: Tensor) -> Tensor:
        """Return the log density of codes [shape=(n, dimensions)] in nats [shape=(n,)]."""
        return self.log_densities(codes).logsumexp(dim=1)


def fit_mixture(
    codes: Tensor, components: int, *, seed: int = 1, rounds: int = 200, tolerance: float = 1e-4
) -> Mixture:
    """Fit a mixture to codes by expectation maximisation.

    It begins with centres far from each other (k-means++: D. Arthur and S. Vassilvitskii, 2007),
    and ends when the mean log density rises by less than `tolerance` nats, or after `rounds`.

    Parameters
    ----------
    codes : Tensor [shape=(n, dimensions)]
    components : int
        Of fewer codes than two for each dimension of each component, fewer are fitted.

    Returns
    -------
    Mixture
        In double precision, on the CPU.

    Raises
    ------
    InputError
        If there are no two different codes.
    """
    z = codes.detach().cpu().double()
    spread = z.var(dim=0, correction=0).mean() if len(z) else torch.zeros(())
    if not spread > 0:
        raise InputError(
            f"No prior can be fitted to {len(z)} equal codes.", hint="Give more pieces."
        )
    generator = torch.Generator().manual_seed(seed)
    components = max(1, min(components, len(z) // (2 * z.shape[1])))
    chances = torch.nn.functional.one_hot(_nearest(z, components, generator), components).double()
    ridge = RIDGE * spread * torch.eye(z.shape[1], dtype=torch.float64)
    before = -math.inf
    for _ in range(rounds):
        mixture = _maximised(z, chances, ridge)
        densities = mixture.log_densities(z)
        total = densities.logsumexp(dim=1, keepdim=True)
        chances, now = (densities - total).exp(), float(total.mean())
        if now - before < tolerance:
            break
        before = now
    return mixture


def _nearest(z: Tensor, components: int, generator: torch.Generator) -> Tensor:
    """Choose centres, and return the number of the nearest of each code."""
    first = int(torch.randint(len(z), (), generator=generator))
    far = (z - z[first]).square().sum(dim=1)
    distances = [far]
    for _ in range(1, components):
        # Where all codes stand on centres already, any will do.
        weights = far if far.sum() > 0 else torch.ones_like(far)
        chosen = int(torch.multinomial(weights, 1, generator=generator))
        distances.append((z - z[chosen]).square().sum(dim=1))
        far = torch.minimum(far, distances[-1])
    return torch.stack(distances).argmin(dim=0)


def _maximised(z: Tensor, chances: Tensor, ridge: Tensor) -> Mixture:
    """Return the mixture that is likeliest where codes belong to components by these chances."""
    sizes = chances.sum(dim=0).clamp(min=1e-9)
    means = chances.T @ z / sizes[:, None]
    factors = []
    for number, mean in enumerate(means):
        away = z - mean
        covariance = (chances[:, number, None] * away).T @ away / sizes[number]
        factors.append(torch.linalg.cholesky(covariance + ridge))
    return Mixture(sizes / sizes.sum(), means, torch.stack(factors))


COUNTS_AS = (0.25, 1.0, 4.0, 16.0, 64.0)
"""Times as many codes as there are new ones, that a prior may count as when it is refitted."""


def shrunk(mixture: Mixture, codes: Tensor, held_out: Tensor) -> tuple[Mixture, float]:
    """Refit a mixture to a few codes, without leaving it farther than they can justify.

    The mixture counts as N codes, distributed as it is, in an expectation maximisation (J.-L.
    Gauvain and C.-H. Lee, "Maximum a posteriori estimation for multivariate Gaussian mixture
    observations of Markov chains", 1994). With n_k codes of component k, whose mean is x_k, and
    the old m_k, w_k and S_k:

        w_k' = (n_k + N w_k) / (n + N),  m_k' = (n_k x_k + N w_k m_k) / (n_k + N w_k)

    and S_k' is averaged so, too, around m_k'. N is chosen by held-out codes.

    Parameters
    ----------
    mixture : Mixture
    codes, held_out : Tensor [shape=(n, dimensions) and (m, dimensions)]

    Returns
    -------
    mixture : Mixture
        In double precision, on the CPU. The old one, if none knows the held-out codes better.
    counts_as : float
        N; infinite for the old one.
    """
    known = mixture.weights > 0
    parts = (mixture.weights[known], mixture.means[known], mixture.factors[known])
    old = Mixture(*(part.detach().cpu().double() for part in parts))
    own, others = (z.detach().cpu().double() for z in (codes, held_out))
    best, chosen = old, math.inf
    highest = float(old.log_density(others).mean())
    for times in COUNTS_AS:
        refitted = _refitted(old, own, times * len(own))
        density = float(refitted.log_density(others).mean())
        if density > highest:
            best, chosen, highest = refitted, times * len(own), density
    return best, chosen


def _refitted(old: Mixture, codes: Tensor, counts_as: float, *, rounds: int = 20) -> Mixture:
    """Return the mixture that is likeliest where the old one counts as so many codes."""
    pseudo = counts_as * old.weights
    covariances = old.factors @ old.factors.mT
    now = old
    for _ in range(rounds):
        densities = now.log_densities(codes)
        chances = (densities - densities.logsumexp(dim=1, keepdim=True)).exp()
        sizes = chances.sum(dim=0) + pseudo
        means = (chances.T @ codes + pseudo[:, None] * old.means) / sizes[:, None]
        factors = []
        for number, mean in enumerate(means):
            away, moved = codes - mean, old.means[number] - mean
            of_codes = (chances[:, number, None] * away).T @ away
            of_old = pseudo[number] * (covariances[number] + torch.outer(moved, moved))
            factors.append(torch.linalg.cholesky((of_codes + of_old) / sizes[number]))
        now = Mixture(sizes / sizes.sum(), means, torch.stack(factors))
    return now


def sample_codes(
    mixture: Mixture, count: int, generator: torch.Generator, *, temperature: float = 1.0
) -> Tensor:
    """Draw codes from a mixture: z = m_k + temperature L_k e with e ~ N(0, I).

    Parameters
    ----------
    generator : torch.Generator on the CPU

    Returns
    -------
    Tensor [shape=(count, dimensions)]
        Where the mixture is.
    """
    weights, dimensions = mixture.weights.cpu(), mixture.means.shape[1]
    component = torch.multinomial(weights, count, replacement=True, generator=generator)
    noise = torch.randn(count, dimensions, generator=generator).to(mixture.means)
    drawn = torch.empty_like(noise)
    # Component by component: a factor for each code would take megabytes a code.
    for number in component.unique().tolist():
        mine = (component == number).to(noise.device)
        drawn[mine] = mixture.means[number] + temperature * noise[mine] @ mixture.factors[number].T
    return drawn


def near(
    codes: Tensor,
    count: int,
    deviation: Tensor,
    generator: torch.Generator,
    *,
    temperature: float = 1.0,
) -> Tensor:
    """Draw codes near some: between two of them, chosen at random, and a little beside the arc.

    Parameters
    ----------
    codes : Tensor [shape=(n, dimensions)], on the CPU
        A single one is the middle of what is drawn.
    deviation : Tensor [shape=(dimensions,)]
        Of all codes of music: how far beside is `BESIDE` of it, times `temperature`.
    generator : torch.Generator on the CPU

    Returns
    -------
    Tensor [shape=(count, dimensions)]
    """
    pair = torch.randint(len(codes), (2, count), generator=generator)
    shares = torch.rand(count, generator=generator)
    noise = torch.randn(count, codes.shape[1], generator=generator)
    between = slerp(codes[pair[0]], codes[pair[1]], shares)
    return between + temperature * BESIDE * deviation * noise


def slerp(start: Tensor, end: Tensor, shares: Tensor) -> Tensor:
    """Return codes on the way between two, or between the two of each row, along an arc.

    sin((1 - t) a) / sin(a) start + sin(t a) / sin(a) end, with the angle a between the two (K.
    Shoemake, "Animating rotation with quaternion curves", 1985). Codes in the same or in opposite
    directions have no such arc: they are joined by a straight line.

    Parameters
    ----------
    start, end : Tensor [shape=(dimensions,) or (n, dimensions)]
    shares : Tensor [shape=(n,), 0 to 1]

    Returns
    -------
    Tensor [shape=(n, dimensions)]

    Examples
    --------
    >>> slerp(torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0]), torch.tensor([0.5]))
    tensor([[1.4142, 1.4142]])
    """
    a, b, t = start.double(), end.double(), shares.double()[:, None]
    lengths = a.norm(dim=-1, keepdim=True) * b.norm(dim=-1, keepdim=True)
    cosine = ((a * b).sum(dim=-1, keepdim=True) / lengths.clamp(min=1e-300)).clamp(-1, 1)
    angle = torch.where(lengths > 0, cosine, 1.0).arccos()
    sine = angle.sin()
    straight = sine < 1e-6
    arc = (((1 - t) * angle).sin() * a + (t * angle).sin() * b) / torch.where(straight, 1.0, sine)
    return torch.where(straight, torch.lerp(a, b, t), arc).to(start.dtype)
