"""Whether genres lie together in a space, or on a plane."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from groove_core.errors import InputError
from groove_core.learning import means
from groove_core.values import Estimate

__all__ = ["Purity", "measure_purity", "nearest_others", "purity"]

PERMUTATIONS = 50
ALIKE = 8
"""Performances, next to each other in size, that swap their genres."""

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]


def nearest_others(points: Floats, source: Ints, *, k: int) -> npt.NDArray[np.int64]:
    """Find the nearest neighbours of each point that are of another performance.

    Parameters
    ----------
    points : float array [shape=(n, dimensions)]
    source : int array [shape=(n,)]
        Performance of each point. With ``np.arange(n)`` only the point itself is left out.

    Returns
    -------
    int array [shape=(n, k)]
        Indices, the nearest first.

    Raises
    ------
    InputError
        If some point has fewer than `k` points of other performances.
    """
    from sklearn.neighbors import NearestNeighbors

    n = len(points)
    if n - np.bincount(source).max() < k:
        raise InputError(
            f"{n} patterns have fewer than {k} neighbours of other performances.",
            hint="Give more files.",
        )
    index = NearestNeighbors().fit(points)
    found = np.empty((n, k), dtype=np.int64)
    # Nearly all points have k others among few neighbours; the rest look further and further.
    waiting, wanted = np.arange(n), 4 * k
    while len(waiting):
        near = index.kneighbors(points[waiting], min(wanted, n), return_distance=False)
        other = source[near] != source[waiting, None]
        enough = other.sum(axis=1) >= k
        first = np.argsort(~other[enough], axis=1, kind="stable")[:, :k]
        found[waiting[enough]] = np.take_along_axis(near[enough], first, axis=1)
        waiting, wanted = waiting[~enough], 4 * wanted
    return found


def purity(points: Floats, genre: Ints, source: Ints, *, k: int = 10) -> npt.NDArray[np.float64]:
    """Give the share of the `k` nearest neighbours that have the genre of the point.

    Neighbours of the same performance do not count: overlapping windows of one
    performance are alike, and of one genre, whatever the space is like.

    Parameters
    ----------
    points : float array [shape=(n, dimensions)]
    genre, source : int arrays [shape=(n,)]
        Genre and performance of each point.

    Returns
    -------
    float array [shape=(n,)]

    Raises
    ------
    InputError
        If some point has fewer than `k` points of other performances.
    """
    return _same(genre, nearest_others(points, source, k=k))


def _same(genre: Ints, neighbors: Ints) -> npt.NDArray[np.float64]:
    share: npt.NDArray[np.float64] = (genre[neighbors] == genre[:, None]).mean(axis=1)
    return share


def _macro(shares: Floats, genre: Ints, source: Ints) -> float:
    """Average over genres that have at least two performances: one alone has no neighbours."""
    means = [
        shares[genre == one].mean()
        for one in np.unique(genre)
        if len(np.unique(source[genre == one])) > 1
    ]
    return float(np.mean(means)) if means else float("nan")


@dataclass(frozen=True)
class Purity:
    """Purity of genres beside what chance gives.

    Parameters
    ----------
    mean, shuffled : Estimate
        Over patterns; with the genres of the performances as they are and permuted.
        Intervals are from a bootstrap over performances.
    macro, macro_shuffled : float
        Over genres of at least two performances, each counted once.
    own : Estimate
        With neighbours of the same performance.
    """

    mean: Estimate
    shuffled: Estimate
    macro: float
    macro_shuffled: float
    own: Estimate


def measure_purity(
    points: Floats, genre: Ints, source: Ints, *, k: int = 10, seed: int = 0
) -> Purity:
    """Measure the purity of genres, and that of genres permuted among performances.

    Whole performances swap their genres, so that what is alike stays alike: permuted
    among patterns, every space would look better than chance. They swap with others of
    about their size, so that every genre keeps about its number of patterns.

    Parameters
    ----------
    points : float array [shape=(n, dimensions)]
    genre, source : int arrays [shape=(n,)]
        Genre and performance of each point; a performance has one genre.

    Raises
    ------
    InputError
        If some point has fewer than `k` points of other performances.
    """
    others = nearest_others(points, source, k=k)
    everyone = nearest_others(points, np.arange(len(points)), k=k)
    permuted = list(_permutations(genre, source, np.random.default_rng(seed)))
    right = _same(genre, others)
    chance = [_same(labels, others) for labels in permuted]
    mean, shuffled, own = means([right, np.mean(chance, axis=0), _same(genre, everyone)], source)
    macros = [_macro(s, labels, source) for s, labels in zip(chance, permuted, strict=True)]
    return Purity(mean, shuffled, _macro(right, genre, source), float(np.mean(macros)), own)


def _permutations(
    genre: Ints, source: Ints, rng: np.random.Generator
) -> Iterator[npt.NDArray[np.integer]]:
    _, first, owner, size = np.unique(
        source, return_index=True, return_inverse=True, return_counts=True
    )
    by_size = np.argsort(size, kind="stable")
    blocks = np.split(by_size, range(ALIKE, len(by_size), ALIKE))
    swapped = np.empty_like(first)
    for _ in range(PERMUTATIONS):
        swapped[by_size] = np.concatenate([rng.permutation(block) for block in blocks])
        yield genre[first[swapped]][owner]
