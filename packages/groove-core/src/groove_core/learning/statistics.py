"""How sure a figure is, and how far apart two sets are.

Intervals are of the bootstrap over performances or songs, whose parts go together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from groove_core.errors import InputError, UsageError
from groove_core.values.results import Estimate

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "about_intervals", "auc", "auc_rounds", "bootstrap", "distances", "frechet_distance",
    "interval", "mean", "means", "nearest", "spearman", "wilson",
]  # fmt: skip

ROUNDS = 1000
AT_ONCE = 256
"""Items whose distances to all others are in memory together."""
EXACT = "donot_use_mm_for_euclid_dist"
"""The faster way of torch finds that equal items are a little apart."""

Floats = npt.NDArray[np.float64]


def bootstrap(n: int, rounds: int = ROUNDS) -> Floats:
    """Say how often each of n things is drawn in each round; first, each once.

    Returns
    -------
    float array [shape=(1 + rounds, n)]

    Raises
    ------
    UsageError
        If there is nothing to draw from, or a negative number of rounds.
    """
    if n < 1 or rounds < 0:
        raise UsageError(
            f"Nothing can be drawn from {n} things in {rounds} rounds.",
            hint="Give at least one thing.",
        )
    drawn = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=rounds)
    return np.concatenate([np.ones((1, n)), drawn])


def interval(rounds: Floats) -> Estimate:
    """Return the first of the rounds, with the range of 95 % of the others; NaN for none."""
    known = rounds[np.isfinite(rounds)]
    if not len(known):
        return Estimate(math.nan, math.nan, math.nan)
    low, high = np.quantile(known[1:] if len(known) > 1 else known, [0.025, 0.975])
    return Estimate(float(rounds[0]), float(low), float(high))


def about_intervals(over: str) -> str:
    """Return the note with which a report explains its intervals.

    >>> about_intervals("songs")
    '±: the wider side of the 95 % bootstrap interval over songs.'
    """
    return f"±: the wider side of the 95 % bootstrap interval over {over}."


def means(
    columns: Sequence[npt.ArrayLike],
    groups: npt.ArrayLike | None = None,
    *,
    rounds: int = ROUNDS,
) -> list[Estimate]:
    """Return the mean of each column, with the interval of a bootstrap over groups.

    Parameters
    ----------
    columns : sequence of arrays [shape=(n,)]
        Measures of the same n items.
    groups : array [shape=(n,)], optional
        Labels; the items of a group are drawn together. Patterns of one performance are
        alike, so their number says little: draw performances. Each item by default.
    rounds : int

    Returns
    -------
    list of Estimate
        NaN where there is no item.
    """
    values = [np.asarray(column, np.float64) for column in columns]
    n = len(values[0])
    if not n:
        return [interval(np.zeros(0))] * len(values)
    owner = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
    size = np.bincount(owner)
    draws = bootstrap(len(size), rounds)
    total = draws @ size
    return [interval(draws @ np.bincount(owner, column) / total) for column in values]


def mean(
    values: npt.ArrayLike, groups: npt.ArrayLike | None = None, *, rounds: int = ROUNDS
) -> Estimate:
    """Return the mean of values [shape=(n,)] with its interval, as `means` does.

    >>> print(mean([1.0, 2, 3, 4] * 10))
    2.500 ±0.350
    """
    return means([values], groups, rounds=rounds)[0]


def auc(positive: Sequence[Floats], negative: Sequence[Floats], draws: Floats) -> Estimate:
    """Return the area under the ROC curve over all performances, see `auc_rounds`."""
    return interval(auc_rounds(positive, negative, draws))


def auc_rounds(positive: Sequence[Floats], negative: Sequence[Floats], draws: Floats) -> Floats:
    """Return the area under the ROC curve in each round of a bootstrap; ties count half.

    It is the share of pairs in which the positive one scores higher. Counted for each two
    performances once, every round is a product. Of two ways to score, the rounds can be compared
    one by one.

    Parameters
    ----------
    positive, negative : sequences of float arrays
        Scores, one array per performance.
    draws : float array [shape=(rounds, performances)]
        Of `bootstrap`.

    Returns
    -------
    float array [shape=(rounds,)]
        NaN where nothing positive or nothing negative was drawn.
    """
    n = len(positive)
    scores = np.concatenate(positive) if n else np.zeros(0)
    owner = np.repeat(np.arange(n), [len(one) for one in positive])
    won = np.zeros((n, n))
    for column, one in enumerate(negative):
        ordered = np.sort(one)
        below = np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right")
        won[:, column] = np.bincount(owner, below / 2, n)
    mine = draws @ np.array([len(one) for one in positive], float)
    theirs = draws @ np.array([len(one) for one in negative], float)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = ((draws @ won) * draws).sum(axis=1) / (mine * theirs)
    return found


def spearman(x: Sequence[Floats], y: Sequence[Floats], draws: Floats) -> Estimate:
    """Return the rank correlation over all performances, with weights for the bootstrap."""
    if sum(map(len, x)) < 3:
        return interval(np.full(1, np.nan))
    owner = np.repeat(np.arange(len(x)), [len(one) for one in x])
    first, second = np.concatenate(x), np.concatenate(y)
    rounds = []
    for weights in draws:
        w = weights[owner]
        if not w.any():
            continue
        a, b = _ranks(first, w), _ranks(second, w)
        a, b = a - np.average(a, weights=w), b - np.average(b, weights=w)
        with np.errstate(invalid="ignore", divide="ignore"):
            rounds.append((w * a * b).sum() / np.sqrt((w * a * a).sum() * (w * b * b).sum()))
    return interval(np.array(rounds))


def _ranks(values: Floats, weights: Floats) -> Floats:
    """Return mean ranks, each value counted as often as its weight says."""
    _, place = np.unique(values, return_inverse=True)
    count = np.bincount(place, weights)
    ranks: Floats = (np.cumsum(count) - (count - 1) / 2)[place]
    return ranks


def wilson(right: int, total: int) -> Estimate:
    """Return a share with its 95 % interval (Wilson's score interval).

    >>> print(wilson(30, 40))
    0.750 ±0.152
    """
    if not 0 <= right <= total or not total:
        raise UsageError(f"{right} of {total} is no share.", hint="Give a total of at least 1.")
    z, share = 1.96, right / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(share * (1 - share) / total + (z / total / 2) ** 2)
    return Estimate(share, middle - half, middle + half)


def frechet_distance(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Return the Fréchet distance of two sets of features, each taken as Gaussian.

    The fewer items a set holds the larger it is, so that only sets of one size compare.

    Source: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule" (1706.08500, eq. 6).

    Parameters
    ----------
    x, y : float arrays [shape=(n, features) and (m, features)]

    Raises
    ------
    InputError
        If one of them holds fewer than two items.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(100, 3))
    >>> round(frechet_distance(x, x + 2), 6)
    12.0
    """
    a, b = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if min(len(a), len(b)) < 2:
        raise InputError("A single item has no spread.", hint="Give two or more of each.")
    gap = float(((a.mean(axis=0) - b.mean(axis=0)) ** 2).sum())
    s, t = np.atleast_2d(np.cov(a.T)), np.atleast_2d(np.cov(b.T))
    # tr (S T)^(1/2) is the sum of the roots of the eigenvalues of S T.
    roots = np.sqrt(np.linalg.eigvals(s @ t).real.clip(0)).sum()
    return gap + float(np.trace(s) + np.trace(t) - 2 * roots)


def distances(some: Tensor, others: Tensor) -> Tensor:
    """Return the Euclidean distance of each of some items to each of the others.

    Parameters
    ----------
    some, others : Tensors [shape=(n, ...) and (m, ...)]

    Returns
    -------
    Tensor [shape=(n, m)]
        Exactly 0 for equal items.
    """
    import torch

    a, b = some.flatten(1), others.flatten(1)
    return torch.cat([torch.cdist(part, b, compute_mode=EXACT) for part in a.split(AT_ONCE)])


def nearest(some: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Return how far each of some items is from the nearest of the others, and which that is.

    Parameters
    ----------
    some, others : Tensors [shape=(n, ...) and (m, ...)]

    Returns
    -------
    distance : Tensor [shape=(n,)]
        Euclidean; exactly 0 for equal items.
    index : int64 Tensor [shape=(n,)]
    """
    import torch

    known = others.flatten(1)
    away, which = [], []
    for part in some.flatten(1).split(AT_ONCE):
        # The fast way finds which, the exact one how far.
        which.append(torch.cdist(part, known).argmin(dim=1))
        away.append((part - known[which[-1]]).square().sum(dim=1).sqrt())
    return torch.cat(away), torch.cat(which)
