"""Keys by counting: which major scales hold most of the notes of a piece."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from music_vae.alphabets import LOWEST, NOTE
from music_vae.attributes import SCALES

__all__ = ["in_key_of", "pitch_classes", "scale_of"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def pitch_classes(events: Ints, voices: Sequence[str]) -> Ints:
    """Count the notes of each pitch class in melody and bass.

    Parameters
    ----------
    events : int array [shape=(..., voices, steps)]

    Returns
    -------
    int array [shape=(..., 12)]
    """
    pitched = events[..., [voice != "drums" for voice in voices], :]
    classes = np.where(pitched >= NOTE, (pitched - NOTE + LOWEST) % 12, -1)
    return np.stack([(classes == one).sum(axis=(-2, -1)) for one in range(12)], axis=-1)


def in_key_of(notes: npt.ArrayLike, ends: npt.ArrayLike) -> Floats:
    """Return the share of the notes of pieces that lie in a scale of one of their ends.

    The scales of an end are those major scales that hold most of its notes. Of the scales of both
    ends, that which holds most notes of the piece counts.

    Parameters
    ----------
    notes : int array [shape=(n, 12)]
        Notes of each pitch class.
    ends : int array [shape=(n, ends, 12)]

    Returns
    -------
    float array [shape=(n,)]
        NaN for a piece without notes, or with ends that have none.

    Examples
    --------
    >>> c_major, e_flat = SCALES[0] * 1, np.eye(12, dtype=int)[3]
    >>> in_key_of([3 * c_major + 7 * e_flat], [[c_major, c_major]]).tolist()
    [0.75]
    """
    mine, theirs = np.asarray(notes), np.asarray(ends)
    held = theirs @ SCALES.T
    is_best = (held == held.max(axis=-1, keepdims=True)) & (held > 0)
    inside = np.where(is_best.any(axis=1), mine @ SCALES.T, -1).max(axis=1)
    total = mine.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where((inside >= 0) & (total > 0), inside / total, np.nan)


def scale_of(notes: npt.ArrayLike) -> Ints:
    """Return the major scale with most notes of each piece, 0 for C; of equal ones, the first.

    Parameters
    ----------
    notes : int array [shape=(n, 12)]
        Notes of each pitch class.

    Returns
    -------
    int array [shape=(n,)]
    """
    found: Ints = (np.asarray(notes) @ SCALES.T).argmax(axis=-1)
    return found
