"""How good are drawn beats: survival, novelty, variety, and what chance would give.

The survival filter is that of Tikhonov and Yamshchikov (2020) as it can be read
off their published samples: a pattern survives if the Shannon entropy of its 32
step masks exceeds 0.9 nat and it is not a training pattern. Noise passes the
first rule, so it is never reported alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from drum_space.data import Bits, PatternSet, pack, rotations
from groove_core.values.drums import DRUMS
from groove_core.values.results import Cell, Estimate

__all__ = [
    "COLUMNS",
    "MIN_ENTROPY_NATS",
    "Reference",
    "bootstrap",
    "describe_set",
    "f1_score",
    "nearest_distance",
    "step_entropy",
    "survives",
]

MIN_ENTROPY_NATS = 0.9
COLUMNS = (
    "survival", "survival, new", "distinct", "copies", "copies, rotated",
    "distance", "hits", "bars equal",
)  # fmt: skip


def step_entropy(hits: Bits) -> npt.NDArray[np.float64]:
    """Shannon entropy of the step masks of each pattern, in nats.

    ``H = -sum_m c_m / n ln(c_m / n)`` over the distinct masks *m* of the *n* steps,
    silence included; summed here over steps rather than masks.

    Parameters
    ----------
    hits : bool array [shape=(count, steps, 14)]

    Returns
    -------
    float array [shape=(count,)]
    """
    masks = hits @ (1 << np.arange(hits.shape[2]))
    same = (masks[:, :, None] == masks[:, None, :]).sum(axis=2)
    entropy: npt.NDArray[np.float64] = -np.log(same / masks.shape[1]).mean(axis=1)
    return entropy


def survives(hits: Bits) -> npt.NDArray[np.bool_]:
    """Tell which patterns pass the entropy rule of the published filter."""
    passed = [step_entropy(part) > MIN_ENTROPY_NATS for part in _chunks(hits)]
    return np.concatenate(passed)


def _chunks(hits: Bits, size: int = 4096) -> list[Bits]:
    return [hits[i : i + size] for i in range(0, max(1, len(hits)), size)]


def nearest_distance(hits: Bits, others: Bits) -> npt.NDArray[np.int64]:
    """Hamming distance, in bits, of each pattern to the nearest of the others."""
    b = torch.from_numpy(others.reshape(len(others), -1)).float()
    sizes = b.sum(dim=1)
    nearest = []
    for part in _chunks(hits, 1024):
        a = torch.from_numpy(part.reshape(len(part), -1)).float()
        # |a xor b| = |a| + |b| - 2 a.b
        shared = a @ b.T
        nearest.append((sizes - 2 * shared).min(dim=1).values + a.sum(dim=1))
    distance: npt.NDArray[np.int64] = torch.cat(nearest).numpy().astype(np.int64)
    return distance


def f1_score(hits: Bits, others: Bits) -> npt.NDArray[np.float64]:
    """F1 of hits per pattern: ``2 |a and b| / (|a| + |b|)``; 1 where both are silent."""
    both = (hits & others).sum(axis=(1, 2))
    total = hits.sum(axis=(1, 2)) + others.sum(axis=(1, 2))
    score: npt.NDArray[np.float64] = np.where(total == 0, 1.0, 2 * both / np.maximum(1, total))
    return score


def bootstrap(
    values: npt.ArrayLike,
    groups: npt.NDArray[Any] | None = None,
    *,
    rounds: int = 1000,
    seed: int = 0,
) -> Estimate:
    """Give the mean of values with its 95 % percentile bootstrap interval.

    Parameters
    ----------
    values : array [shape=(n,)]
    groups : array [shape=(n,)], optional
        What is drawn with replacement: all values of a group together. Patterns of
        one performance are alike, so their number says little; draw performances.
    """
    values = np.asarray(values, dtype=np.float64)
    if not len(values):
        return Estimate(math.nan, math.nan, math.nan)
    ids = np.arange(len(values)) if groups is None else np.unique(groups, return_inverse=True)[1]
    sums, sizes = np.bincount(ids, values), np.bincount(ids)
    rng = np.random.default_rng(seed)
    means = np.empty(rounds)
    for i in range(rounds):
        drawn = rng.integers(0, len(sums), len(sums))
        means[i] = sums[drawn].sum() / sizes[drawn].sum()
    low, high = np.quantile(means, [0.025, 0.975])
    return Estimate(float(values.mean()), float(low), float(high))


@dataclass(frozen=True)
class Reference:
    """The training patterns that samples are compared with."""

    hits: Bits
    keys: frozenset[bytes]
    rotated: frozenset[bytes]

    @classmethod
    def of(cls, patterns: PatternSet) -> Reference:
        """Take the training split of a set."""
        hits = patterns.hits[patterns.part("train")]
        rotated = frozenset(key for turned in rotations(hits) for key in pack(turned))
        return cls(hits, frozenset(pack(hits)), rotated)

    @property
    def density(self) -> npt.NDArray[np.float64]:
        """Hits per pattern of each drum [shape=(14,)]."""
        density: npt.NDArray[np.float64] = self.hits.sum(axis=1).mean(axis=0)
        return density


def describe_set(
    hits: Bits, reference: Reference, groups: npt.NDArray[Any] | None = None
) -> tuple[list[Cell], dict[str, Any]]:
    """Measure a set of patterns: one cell per entry of `COLUMNS`, and the drums' densities."""
    keys = pack(hits)
    alive = survives(hits)
    copied = np.array([key in reference.keys for key in keys])
    copied_rotated = np.array([key in reference.rotated for key in keys])
    seen: set[bytes] = set()
    first = np.array([not (key in seen or seen.add(key)) for key in keys])  # type: ignore[func-returns-value]
    half = hits.shape[1] // 2
    columns = [
        alive,
        alive & ~copied,
        first,
        copied,
        copied_rotated,
        nearest_distance(hits, reference.hits),
        hits.sum(axis=(1, 2)),
        (hits[:, :half] == hits[:, half:]).all(axis=(1, 2)),
    ]
    density = hits.sum(axis=1).mean(axis=0)
    per_drum = {drum.name: round(float(d), 4) for drum, d in zip(DRUMS, density, strict=True)}
    return [bootstrap(values, groups) for values in columns], per_drum
