"""The prior of codes, and what lies near codes and between them.

    u = m + s e,  e ~ N(0, I),  z' as `music_vae.flow` has it of u,  z_b = z'_f(b)

with m = 0 and s = 1 until a space is adapted. A form f, drawn from those of the music that was
learnt, says which bar each bar b repeats, if any: codes of equal bars have equal shares, which no
flow hits by chance. Codes have normal numbers, so that neighbours of a
piece, and the way from one piece to another, are looked for among those: what lies there is music
again, while beside a code, and on the straight line between two, there may be none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from music_vae.decoders import STEPS_PER_BAR
from music_vae.flow import Flow

__all__ = ["Prior", "beside", "fitted", "forms_of", "slerp"]

BESIDE = 0.25
"""How far beside the arc between two codes those near them lie."""
COUNTS_AS = (0.25, 1.0, 4.0, 16.0, 64.0)
"""Times as many codes as there are new ones, that a prior may count as when it is fitted anew."""


@dataclass(frozen=True)
class Prior:
    """A distribution of codes.

    Parameters
    ----------
    flow : Flow
    mean, deviation : Tensor [each shape=(latent,)]
        m and s.
    forms : int tensor [shape=(n, bars)]
        Bars that bars repeat, their own number where they do not; of a code without shares one bar.
    """

    flow: Flow
    mean: Tensor
    deviation: Tensor
    forms: Tensor

    def draw(
        self, count: int, generator: torch.Generator, *, temperature: float = 1.0
    ) -> Tensor:  # fmt: skip
        """Draw codes, with `temperature` times the deviation.

        Parameters
        ----------
        generator : torch.Generator on the CPU

        Returns
        -------
        Tensor [shape=(count, latent)]
        """
        noise = torch.randn(count, len(self.mean), generator=generator).to(self.mean)
        codes = self.flow.codes(self.mean + temperature * self.deviation * noise)
        shares = codes.unflatten(1, (self.forms.shape[1], -1))
        which = torch.randint(len(self.forms), (count,), generator=generator)
        form = self.forms[which.to(self.forms.device)].long()[:, :, None]
        drawn: Tensor = shares.gather(1, form.expand_as(shares)).flatten(1)
        return drawn

    def near(
        self, codes: Tensor, count: int, generator: torch.Generator, *, temperature: float = 1.0
    ) -> Tensor:
        """Draw codes near some: between two of them, chosen at random, and a little beside.

        Parameters
        ----------
        codes : Tensor [shape=(n, latent)]
            A single one is the middle of what is drawn.
        generator : torch.Generator on the CPU

        Returns
        -------
        Tensor [shape=(count, latent)]
        """
        pair = torch.randint(len(codes), (2, count), generator=generator)
        shares = torch.rand(count, generator=generator)
        normal = self.flow.normal(codes)
        between = slerp(normal[pair[0]], normal[pair[1]], shares.to(normal))
        return self.flow.codes(beside(between, temperature * BESIDE, generator))

    def neighbours(
        self, code: Tensor, count: int, amount: float, generator: torch.Generator
    ) -> Tensor:
        """Draw codes at a distance from one.

        Parameters
        ----------
        code : Tensor [shape=(latent,)]
        amount : float
            0 returns the code, 1 is half way to a draw that has nothing to do with it.
        generator : torch.Generator on the CPU

        Returns
        -------
        Tensor [shape=(count, latent)]
        """
        if amount == 0:
            return code.expand(count, -1)
        normal = self.flow.normal(code[None]).expand(count, -1)
        return self.flow.codes(beside(normal, amount, generator))

    def between(self, start: Tensor, end: Tensor, shares: Tensor) -> Tensor:
        """Return codes on the arc between the normal numbers of two; the ends are the codes.

        Parameters
        ----------
        start, end : Tensor [shape=(latent,) or (n, latent)]
            Two codes, or those of each row.
        shares : Tensor [shape=(n,), 0 to 1]

        Returns
        -------
        Tensor [shape=(n, latent)]
        """
        a, b = (code if code.ndim == 2 else code[None] for code in (start, end))
        arc = slerp(self.flow.normal(a), self.flow.normal(b), shares.to(a))
        codes = self.flow.codes(arc)
        share = shares.to(codes)[:, None]
        return torch.where(share == 0, a, torch.where(share == 1, b, codes))


def beside(normal: Tensor, amount: float, generator: torch.Generator) -> Tensor:
    """Return normal numbers beside others: (u + amount e) / sqrt(1 + amount^2).

    They stay as far from 0 as normal numbers are.

    Parameters
    ----------
    normal : Tensor [shape=(n, latent)]
    generator : torch.Generator on the CPU
    """
    noise = torch.randn(normal.shape, generator=generator).to(normal)
    return (normal + amount * noise) / math.sqrt(1 + amount**2)


def forms_of(events: npt.ArrayLike, count: int) -> Tensor:
    """Return which bar each bar of pieces repeats in all voices, its own number if none.

    Parameters
    ----------
    events : int array [shape=(n, voices, steps)]
    count : int
        Pieces that are looked at, evenly spaced, some of them more than once if there are fewer.

    Returns
    -------
    int tensor [shape=(count, bars)]
    """
    every = np.asarray(events)
    some = every[np.arange(count) * len(every) // count]
    bars = some.reshape(*some.shape[:2], -1, STEPS_PER_BAR).transpose(0, 2, 1, 3)
    bars = bars.reshape(*bars.shape[:2], -1)
    same = (bars[:, :, None] == bars[:, None]).all(axis=3)
    return torch.from_numpy(same.argmax(axis=2))


def fitted(prior: Prior, codes: Tensor, held_out: Tensor) -> tuple[Prior, float]:
    """Fit a prior to a few codes, without leaving the old one farther than they can justify.

    The old one counts as N codes, distributed as it is (J.-L. Gauvain and C.-H. Lee, "Maximum a
    posteriori estimation for multivariate Gaussian mixture observations of Markov chains", 1994).
    Of n codes, whose normal numbers have the mean x and the mean square q around a point, with the
    old m and s:

        m' = (n x + N m) / (n + N),  s'^2 = (n q(m') + N (s^2 + (m - m')^2)) / (n + N)

    N is chosen by held-out codes.

    Parameters
    ----------
    codes, held_out : Tensor [shape=(n, latent) and (m, latent)]

    Returns
    -------
    prior : Prior
        The old one, if none knows the held-out codes better.
    counts_as : float
        N; infinite for the old one.
    """
    own, others = prior.flow.normal(codes), prior.flow.normal(held_out)
    best, chosen, highest = prior, math.inf, _density(prior, others)
    for times in COUNTS_AS:
        new, old = 1 / (1 + times), times / (1 + times)
        mean = new * own.mean(dim=0) + old * prior.mean
        square = new * (own - mean).square().mean(dim=0)
        square += old * (prior.deviation.square() + (prior.mean - mean).square())
        now = replace(prior, mean=mean, deviation=square.sqrt())
        if (density := _density(now, others)) > highest:
            best, chosen, highest = now, times * len(own), density
    return best, chosen


def _density(prior: Prior, normal: Tensor) -> float:
    """Return the mean log density of normal numbers, without what is the same for all priors."""
    away = (normal - prior.mean) / prior.deviation
    each = -0.5 * away.square() - prior.deviation.log()
    return float(each.double().sum(dim=1).mean())


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
