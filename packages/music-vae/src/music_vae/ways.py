"""The way from one piece to another: which of the pieces between them are written.

A decoder changes nothing for a while, and then much at once. So more pieces are written than are
asked for, at even distances in the space, and those are kept that lie at even distances in music:

    minimise sum_k d(x_k, x_{k+1})^2,  x_0 and x_n being the ends

where d is the share of the steps that differ. A piece that is nearer to the first end, or farther
from the last, than the one before it costs as much as the largest distance there is.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

__all__ = ["CANDIDATES", "evenly_apart", "shares_for"]

CANDIDATES = 4
"""Pieces that are written for each that is kept."""

Ints = npt.NDArray[np.int64]


def shares_for(count: int) -> Tensor:
    """Return the shares of a way [shape=(n,), from 0 to 1] at which pieces are written.

    Parameters
    ----------
    count : int
        Pieces that are kept, with both ends.
    """
    return torch.linspace(0, 1, CANDIDATES * (count - 1) + 1)


def evenly_apart(made: Ints, count: int) -> Ints:
    """Choose pieces of a way that lie at even distances, by dynamic programming.

    Parameters
    ----------
    made : int array [shape=(n, voices, steps)]
        From one end to the other.
    count : int
        Pieces that are kept, with both ends; at most n.

    Returns
    -------
    int array [shape=(count,)]
        Their numbers, which rise from 0 to n - 1.
    """
    differs = np.stack([(made != one).mean(axis=(1, 2)) for one in made])
    goes_back = differs[0] < differs[0][:, None]
    goes_back |= differs[-1] > differs[-1][:, None]
    costs = differs**2 + goes_back * differs.max() ** 2
    costs[np.tril_indices(len(made))] = np.inf  # only onwards
    least = np.full(len(made), np.inf)
    least[0] = 0.0
    came = []
    for _ in range(count - 1):
        through = least[:, None] + costs
        came.append(through.argmin(axis=0))
        least = through.min(axis=0)
    chosen = [len(made) - 1]
    for before in reversed(came):
        chosen.append(int(before[chosen[-1]]))
    return np.array(chosen[::-1])
