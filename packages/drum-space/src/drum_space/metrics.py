"""How good are drawn beats: survival, novelty, variety, and what chance would give.

The survival filter is that of Tikhonov and Yamshchikov (2020) as it can be read
off their published samples: a pattern survives if the Shannon entropy of its 32
step masks exceeds 0.9 nat and it is not a training pattern. Noise passes the
first rule, so it is never reported alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from drum_space.data import Bits, PatternSet, pack, rotations
from groove_core.drums import DRUMS
from groove_core.learning import means, nearest
from groove_core.values import Cell

__all__ = [
    "COLUMNS",
    "MIN_ENTROPY_NATS",
    "Reference",
    "describe_set",
    "f1_score",
    "nearest_distance",
    "step_entropy",
    "survives",
]

MIN_ENTROPY_NATS = 0.9
COLUMNS = (
    "survival", "survival, new", "distinct", "copies", "copies, rotated",
    "distance", "bars equal", "hits", *(f"hits, {drum.name}" for drum in DRUMS),
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
    away, _ = nearest(torch.from_numpy(hits).float(), torch.from_numpy(others).float())
    distance: npt.NDArray[np.int64] = away.square().round().long().numpy()
    return distance


def f1_score(hits: Bits, others: Bits) -> npt.NDArray[np.float64]:
    """F1 of hits per pattern: ``2 |a and b| / (|a| + |b|)``; 1 where both are silent."""
    both = (hits & others).sum(axis=(1, 2))
    total = hits.sum(axis=(1, 2)) + others.sum(axis=(1, 2))
    score: npt.NDArray[np.float64] = np.where(total == 0, 1.0, 2 * both / np.maximum(1, total))
    return score


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


def describe_set(
    hits: Bits, reference: Reference, groups: npt.NDArray[Any] | None = None
) -> list[Cell]:
    """Measure a set of patterns: one cell per entry of `COLUMNS`."""
    keys = pack(hits)
    alive = survives(hits)
    copied = np.array([key in reference.keys for key in keys])
    copied_rotated = np.array([key in reference.rotated for key in keys])
    first = np.zeros(len(keys), dtype=bool)
    first[list({key: index for index, key in reversed(list(enumerate(keys)))}.values())] = True
    half = hits.shape[1] // 2
    columns = [
        alive,
        alive & ~copied,
        first,
        copied,
        copied_rotated,
        nearest_distance(hits, reference.hits),
        (hits[:, :half] == hits[:, half:]).all(axis=(1, 2)),
        hits.sum(axis=(1, 2)),
        *hits.sum(axis=1).T,
    ]
    return list(means(columns, groups))
