"""Noise that stays alike from bar to bar, as drummers do.

`groove_vae.twin.Feel.sample` turns standard normal numbers into hits: each number says how far
up the distribution of its hit a hit lies. Numbers that are alike make hits that are alike, and
each hit is still distributed as the model says (a Gaussian copula; R. B. Nelsen, "An
Introduction to Copulas", 2006).

The numbers of a drum are correlated between bars in three ways:

- A *habit*, which drifts slowly: part of it belongs to the drum, the rest to the drum and step.
- Of the velocities, one hit in ten is *free*: played anew, such as an accent in a fill. This
  makes most differences between bars small and a few large.
- Of the timing, a *drift* that all drums share, over a bar or two.

The shares were chosen so that velocity and timing differ from bar to bar, over 1, 2 and 4 bars,
as in the training and validation performances: `groove run groove-vae evaluate --about
steadiness` measures the same on the test performances.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor

from groove_core.drums import KIT_DRUMS
from groove_vae.symbolic import STEPS_PER_BAR

__all__ = ["bar_noise"]

HABIT = {
    "kick": (0.3, 0.92), "snare": (0.2, 0.96), "closed hi-hat": (0.2, 0.9),
    "floor tom": (0.2, 0.94), "low tom": (0.2, 0.8), "open hi-hat": (0.2, 0.98),
    "high tom": (0.2, 0.9), "crash": (0.2, 0.8), "ride": (0.2, 0.8),
}  # fmt: skip
"""Shares of the variance that are habit: of the timing, and of the velocities."""
FREE = 0.1
"""Share of the hits whose velocity is played anew."""
DRIFT = 0.3
"""Share of the variance of the timing that is drift, of what is not habit."""
DRUM = 0.35
"""Share of the habit that belongs to the drum on all steps."""
HABIT_KEPT, DRIFT_KEPT = 0.98, 0.4
"""Correlation with the bar before."""


def bar_noise(bars: int, generator: torch.Generator) -> Tensor:
    """Draw standard normal noise for the timing and the velocity of each step and drum.

    Parameters
    ----------
    bars : int
    generator : torch.Generator

    Returns
    -------
    float64 Tensor [shape=(16 * bars, 9, 2)]
        Of offset and velocity. Each number on its own is normal, with mean 0 and variance 1.
    """
    cells = bars, STEPS_PER_BAR, len(KIT_DRUMS)

    def part(*shape: int, kept: float) -> Tensor:
        return _autoregressive((bars, *shape), kept, generator)

    def fresh() -> Tensor:
        return torch.randn(cells, generator=generator, dtype=torch.float64)

    def mixed(first: Tensor, second: Tensor, share: Tensor | float) -> Tensor:
        share = torch.as_tensor(share, dtype=torch.float64)
        return share.sqrt() * first + (1 - share).sqrt() * second

    def habit() -> Tensor:
        of_drum = part(1, cells[2], kept=HABIT_KEPT)
        return mixed(of_drum, part(*cells[1:], kept=HABIT_KEPT), DRUM)

    shares = torch.tensor([HABIT[drum.name] for drum in KIT_DRUMS], dtype=torch.float64)
    drifting = mixed(part(1, 1, kept=DRIFT_KEPT), fresh(), DRIFT)
    offset = mixed(habit(), drifting, shares[:, 0])
    bound = torch.rand(cells, generator=generator, dtype=torch.float64) >= FREE
    velocity = mixed(habit(), fresh(), shares[:, 1] * bound)
    return torch.stack([offset, velocity], dim=-1).flatten(0, 1)


def _autoregressive(shape: tuple[int, ...], kept: float, generator: torch.Generator) -> Tensor:
    """Draw normal series of variance 1 along the first axis, each step like the one before."""
    series = torch.randn(shape, generator=generator, dtype=torch.float64)
    series[1:] *= math.sqrt(1 - kept**2)
    for before, here in itertools.pairwise(series):
        here += kept * before
    return series
