"""Long phrases: a beat varied as drummers vary it, with fills."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch

from drum_space.metrics import f1_score
from drum_space.model import DrumAutoencoder
from drum_space.space import hits_of, spread_of
from groove_core.drums import STEPS_PER_BAR

__all__ = ["fills_on", "phrases_of"]

AMOUNTS = (0.0, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.13, 0.17, 0.22, 0.3, 0.4)
"""How far the two-bar groups of a phrase may stray from its beat, in the spread of all beats."""
FAR = 0.35
"""How far fills stray where a space has learnt none."""
FILL_BEATS = (1, 2, 2, 4)
"""How many beats a fill may last, at the end of its bar."""
FILL_SHARE, USUAL_EVERY = 0.28, 4
"""By default every fourth bar ends in a fill with this probability, so that fourth bars differ
from the others as much as in performances."""
AT_ONCE = 32
"""Phrases that are in memory together."""

Bits = npt.NDArray[np.bool_]


def phrases_of(
    network: DrumAutoencoder,
    themes: torch.Tensor,
    bars: int,
    alike: Sequence[float],
    generator: torch.Generator,
    *,
    fill_every: int | None,
    fills: Callable[[int], torch.Tensor] | None,
) -> Bits:
    """Make phrases of beats: two-bar groups near the code of each, and fills.

    Each phrase strays so far that neighbouring groups are as much alike as is asked.

    Parameters
    ----------
    network : DrumAutoencoder
    themes : Tensor [shape=(n, latent)]
        The code of each phrase's beat.
    bars : int
        Even, at least 4.
    alike : sequence of float [0 to 1]
        F1 of the hits of two neighbouring groups, on average.
    generator : torch.Generator
    fill_every : int or None
        The last bar of so many ends in a fill. 0: no fills. None: as often as drummers.
    fills : callable of int, or None
        Draws codes of fills; without it, fills are drawn far from the beat.

    Returns
    -------
    bool array [shape=(n, 16 * bars, 14)]
    """
    every = USUAL_EVERY if fill_every is None else fill_every
    share = FILL_SHARE if fill_every is None else 1.0
    spread = spread_of(network)
    amounts = torch.tensor(AMOUNTS)[:, None, None, None]
    made = []
    for first in range(0, len(themes), AT_ONCE):
        theme = themes[first : first + AT_ONCE]
        n = len(theme)
        noise = torch.randn(n, bars // 2, network.latent, generator=generator)
        codes = theme[:, None] + amounts * spread * noise  # [amounts, n, groups, latent]
        hits: Bits = hits_of(network, codes.flatten(0, 2)).numpy()
        hits = hits.reshape(len(AMOUNTS), n, bars, STEPS_PER_BAR, -1)
        for bar in range(every - 1, bars, every) if every else ():
            fill, filled = fills_on(network, theme, fills, generator)
            filled &= (torch.rand(n, 1, 1, generator=generator) < share).numpy()
            hits[:, :, bar] = np.where(filled, fill, hits[:, :, bar])
        groups = hits.reshape(len(AMOUNTS), n, bars // 2, 2 * STEPS_PER_BAR, -1)
        before, after = groups[:, :, :-1], groups[:, :, 1:]
        shape = before.shape[:3]
        overlap = f1_score(
            before.reshape(-1, *groups.shape[3:]), after.reshape(-1, *groups.shape[3:])
        ).reshape(shape)
        far = np.abs(overlap.mean(axis=2) - np.array(alike[first : first + n]))
        made.append(groups[far.argmin(axis=0), np.arange(n)])
    return np.concatenate(made).reshape(len(themes), bars * STEPS_PER_BAR, -1)


def fills_on(
    network: DrumAutoencoder,
    themes: torch.Tensor,
    fills: Callable[[int], torch.Tensor] | None,
    generator: torch.Generator,
) -> tuple[Bits, Bits]:
    """Draw fills for the last beats of a bar of each theme; see `phrases_of`.

    Returns
    -------
    fill : bool array [shape=(n, 16, 14)]
    filled : bool array [shape=(n, 16, 1)]
        The steps that it takes.
    """
    n = len(themes)
    if fills is None:
        away = torch.randn(n, network.latent, generator=generator)
        codes = themes + FAR * spread_of(network) * away
    else:
        codes = fills(n)
    played: Bits = hits_of(network, codes).numpy()[:, STEPS_PER_BAR:]
    length = torch.randint(len(FILL_BEATS), (n,), generator=generator)
    steps = STEPS_PER_BAR - 4 * np.array(FILL_BEATS)[length.numpy()]
    return played, np.arange(STEPS_PER_BAR)[None, :, None] >= steps[:, None, None]
