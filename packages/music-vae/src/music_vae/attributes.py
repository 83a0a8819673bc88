"""What is measured of pieces, and what codes say of it: readings, and steps that change one.

A melody has five attributes: density, syncopation, register, interval size and scale. A beat has
the first two. Those of a trio are those of its melody.

A reading of an attribute is linear in the code: r(z) = W z + b, by least squares over the codes of
the training split. The step of an attribute is how codes of music change with it while the other
attributes stay: its row of the regression of codes on all attributes, scaled to one deviation of
codes in that direction (a Mahalanobis distance of 1).

Steps that leave the other *readings* as they are would go far from any music: what codes hardly say
is read from what they say of the other attributes, and holding such a reading still costs most of
the way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from music_vae.alphabets import LOWEST, NOTE
from music_vae.decoders import STEPS_PER_BAR

__all__ = [
    "ATTRIBUTES", "SCALES", "Attribute", "Readings", "attributes_of", "fit_readings", "measure",
]  # fmt: skip

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

METRE = np.array([0, -4, -3, -4, -2, -4, -3, -4, -1, -4, -3, -4, -2, -4, -3, -4])
"""Weight of each sixteenth of a bar: 0 for the first, -1 for the middle, and so on."""
SCALES = np.array([np.roll(np.isin(np.arange(12), (0, 2, 4, 5, 7, 9, 11)), k) for k in range(12)])
"""Pitch classes of the twelve major scales [shape=(12, 12)]; natural minor has the same notes."""
KICK_OR_SNARE = 3
"""Bits of a class of drums."""
RIDGE = 1e-3
"""Variance that is added where a covariance is inverted, as a share of the mean variance."""
OUTER = 0.01
"""Readings of so large a share of pieces lie below, and as many above, of what counts as known."""


@dataclass(frozen=True)
class Attribute:
    """What is measured of a voice."""

    unit: str
    of: Callable[[Ints], Floats]
    """From rows of events [shape=(n, steps)] to numbers [shape=(n,)]; NaN where there is none."""


def density(rows: Ints) -> Floats:
    """Return the notes that begin in a bar."""
    return _per_bar(_begins(rows).sum(axis=1), rows)


def syncopation(rows: Ints) -> Floats:
    """Return the syncopation of a bar, by H. C. Longuet-Higgins and C. S. Lee (1984).

    A note that begins at a step and lasts, or is followed by a rest, beyond a step of more weight
    is syncopated, by the difference of the weights.
    """
    return _syncopation(_begins(rows), rows)


def drum_density(rows: Ints) -> Floats:
    """Return the hits in a bar."""
    hits = (rows[..., None] >> np.arange(9) & 1).sum(axis=(1, 2))
    return _per_bar(hits, rows)


def drum_syncopation(rows: Ints) -> Floats:
    """Return the syncopation of a bar, of kick and snare together."""
    return _syncopation((rows & KICK_OR_SNARE) > 0, rows)


def register(rows: Ints) -> Floats:
    """Return the mean pitch of the notes."""
    begins = _begins(rows)
    return _divided((begins * (rows - NOTE + LOWEST)).sum(axis=1), begins.sum(axis=1))


def interval_size(rows: Ints) -> Floats:
    """Return the mean size of the intervals from note to note."""
    begins = _begins(rows)
    # The note before each step: the greatest step at or before it at which one begins.
    steps = np.where(begins, np.arange(rows.shape[1]), -1)
    last = np.maximum.accumulate(steps, axis=1)
    before = np.pad(last[:, :-1], ((0, 0), (1, 0)), constant_values=-1)
    follows = begins & (before >= 0)
    jumps = np.abs(rows - np.take_along_axis(rows, before.clip(0), axis=1))
    return _divided((follows * jumps).sum(axis=1), follows.sum(axis=1))


def in_scale(rows: Ints) -> Floats:
    """Return the share of the notes that lie in one major scale, that with the most of them."""
    begins = _begins(rows)
    pitch_class = (rows - NOTE + LOWEST) % 12
    counts = np.stack([(begins & (pitch_class == one)).sum(axis=1) for one in range(12)], axis=1)
    return _divided((counts @ SCALES.T).max(axis=1), begins.sum(axis=1))


def _begins(rows: Ints) -> npt.NDArray[np.bool_]:
    return np.asarray(rows >= NOTE)


def _divided(sums: Ints, counts: Ints) -> Floats:
    with np.errstate(invalid="ignore"):
        return np.asarray(sums / counts, np.float64)


def _per_bar(counts: Ints, rows: Ints) -> Floats:
    return np.asarray(counts * STEPS_PER_BAR / rows.shape[1], np.float64)


def _syncopation(begins: npt.NDArray[np.bool_], rows: Ints) -> Floats:
    steps = rows.shape[1]
    weight = np.tile(METRE, steps // STEPS_PER_BAR)
    # The heaviest step before the next note begins; of a whole bar, the first one is.
    heaviest = np.full(rows.shape, METRE.min())
    open_still = np.ones(rows.shape, bool)
    for ahead in range(1, min(STEPS_PER_BAR, steps - 1) + 1):
        here = open_still[:, : steps - ahead]
        here &= ~begins[:, ahead:]
        there = np.where(here, weight[ahead:], METRE.min())
        np.maximum(heaviest[:, : steps - ahead], there, out=heaviest[:, : steps - ahead])
    moved = np.where(begins, np.maximum(heaviest - weight, 0), 0)
    return _per_bar(moved.sum(axis=1), rows)


_MELODY = {
    "density": Attribute("notes a bar", density),
    "syncopation": Attribute("a bar", syncopation),
    "register": Attribute("MIDI, the mean pitch", register),
    "interval": Attribute("semitones from note to note", interval_size),
    "scale": Attribute("of the notes in one scale", in_scale),
}
_DRUMS = {
    "density": Attribute("hits a bar", drum_density),
    "syncopation": Attribute("a bar, of kick and snare", drum_syncopation),
}
ATTRIBUTES = {"melody": _MELODY, "drums": _DRUMS}
"""Attributes by voice."""


def attributes_of(voices: Sequence[str]) -> dict[str, Attribute]:
    """Return the attributes of pieces with some voices: those of the first voice."""
    return ATTRIBUTES["drums" if voices[0] == "drums" else "melody"]


def measure(events: npt.ArrayLike, voices: Sequence[str]) -> Floats:
    """Measure the attributes of pieces.

    Parameters
    ----------
    events : int array [shape=(n, voices, steps)]
        Whole bars.

    Returns
    -------
    float array [shape=(n, attributes)]
        In the order of `attributes_of`; NaN where a piece has no such number.
    """
    rows = np.asarray(events, np.int64)[:, 0]
    return np.stack([one.of(rows) for one in attributes_of(voices).values()], axis=1)


@dataclass(frozen=True)
class Readings:
    """What codes say of attributes.

    Parameters
    ----------
    weights : Tensor [shape=(attributes, dimensions)]
    biases : Tensor [shape=(attributes,)]
    steps : Tensor [shape=(attributes, dimensions)]
        Each a deviation of codes long. Of an attribute that does not vary, or of which codes say
        nothing, 0.
    ranges : Tensor [shape=(attributes, 2)]
        Lowest and highest reading of music, but for the outer hundredths.
    """

    weights: Tensor
    biases: Tensor
    steps: Tensor
    ranges: Tensor

    def read(self, codes: Tensor) -> Tensor:
        """Return the readings of codes [shape=(n, dimensions)] as (n, attributes)."""
        return codes @ self.weights.T + self.biases

    def beyond(self, codes: Tensor) -> Tensor:
        """Return which readings lie beyond those of music [shape=(n, attributes), bool]."""
        read = self.read(codes)
        return (read < self.ranges[:, 0]) | (read > self.ranges[:, 1])


def fit_readings(codes: Tensor, values: npt.ArrayLike) -> Readings:
    """Fit the readings of attributes to the codes of pieces.

    Parameters
    ----------
    codes : Tensor [shape=(n, dimensions)]
    values : float array [shape=(n, attributes)]
        Pieces with a NaN do not count.

    Returns
    -------
    Readings
        In double precision, on the CPU.
    """
    given = torch.from_numpy(np.asarray(values, np.float64))
    known = given.isfinite().all(dim=1)
    z, a = codes.detach().cpu().double()[known], given[known]
    if len(z) < 2:
        count, dimensions = given.shape[1], codes.shape[1]
        nothing = torch.zeros(count, dimensions, dtype=torch.float64)
        return Readings(nothing, nothing[:, 0], nothing, torch.zeros(count, 2).double())
    centre, level = z.mean(dim=0), a.mean(dim=0)
    z, a = z - centre, a - level
    covariance = z.T @ z / len(z)
    # As much as keeps few codes from being read by heart.
    ridge = RIDGE * covariance.diagonal().mean().clamp(min=1e-12) * torch.eye(z.shape[1])
    both = z.T @ a / len(z)
    weights = torch.linalg.solve(covariance + ridge, both).T
    biases = level - weights @ centre
    read = z @ weights.T
    spread = a.std(dim=0, correction=0)
    told = read.std(dim=0, correction=0) > 1e-6 * spread.clamp(min=1e-6)
    # In deviations of each attribute; one that does not vary has no part in it.
    unit = torch.where(told, spread, 1.0)
    correlation = (a / unit).T @ (a / unit) / len(a) * told * told[:, None]
    moved = torch.linalg.solve(correlation + RIDGE * torch.eye(len(unit)), (both / unit).T)
    length = (moved @ torch.linalg.solve(covariance + ridge, moved.T)).diagonal().sqrt()
    steps = moved / torch.where(told, length, 1.0)[:, None] * told[:, None]
    ranges = torch.quantile(read + level, torch.tensor([OUTER, 1 - OUTER]).double(), dim=0).T
    return Readings(weights, biases, steps, ranges)
