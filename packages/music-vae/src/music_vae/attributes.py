"""What is measured of pieces, and the attribute vectors of a piece.

A melody has five attributes: density, syncopation, register, interval size and scale. A beat has
the first two. Those of a trio are those of its melody.

The vector of an attribute at a piece is how what is written changes with the code there. Of many
neighbours e ~ N(0, I) of the piece, with attributes a of what is written from each, it is

    the row of C^-1 E[a e] of the attribute, one long,  C = E[a a]

with a in deviations from their means: how neighbours differ that have more of the attribute, and
as much of the others. A single vector for all pieces moves density and register, but what leaps
are, or which notes belong to a scale, differs from piece to piece.
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
    "ATTRIBUTES", "SCALES", "Attribute", "attributes_of", "measure", "ranges_of", "vectors_of",
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
"""What is added to the diagonal of C."""
OUTER = 0.01
"""Attributes of so large a share of pieces lie below, and as many above, what counts as known."""


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


def ranges_of(values: npt.ArrayLike) -> Floats:
    """Return the lowest and the highest number of each attribute, but for the outer hundredths.

    Parameters
    ----------
    values : float array [shape=(n, attributes)]

    Returns
    -------
    float array [shape=(attributes, 2)]
        NaN of an attribute that no piece has.
    """
    given = np.asarray(values, np.float64)
    known = [column[np.isfinite(column)] for column in given.T]
    return np.array([
        np.quantile(one, [OUTER, 1 - OUTER]) if len(one) else [np.nan, np.nan] for one in known
    ])  # fmt: skip


def vectors_of(neighbours: Tensor, values: npt.ArrayLike) -> Tensor:
    """Return the vectors of attributes at a piece [shape=(attributes, dimensions)].

    Parameters
    ----------
    neighbours : Tensor [shape=(n, dimensions)]
        Normal numbers by which they differ from the piece.
    values : float array [shape=(n, attributes)]
        Of what is written from them; those with a NaN do not count.

    Returns
    -------
    Tensor
        Each one long; 0 of an attribute that is the same for all.
    """
    given = torch.from_numpy(np.asarray(values, np.float64))
    known = given.isfinite().all(dim=1)
    e, a = neighbours.detach().cpu().double()[known], given[known]
    if len(a) < 2:
        return torch.zeros(given.shape[1], e.shape[1])
    spread = a.std(dim=0, correction=0)
    varies = spread > 0
    unit = (a - a.mean(dim=0)) / torch.where(varies, spread, 1.0)
    together = unit.T @ unit / len(a)
    moved = torch.linalg.solve(together + RIDGE * torch.eye(len(spread)), unit.T @ e / len(a))
    length = moved.norm(dim=1, keepdim=True)
    found: Tensor = torch.where(varies[:, None], moved / length.clamp(min=1e-12), 0.0).float()
    return found
