"""Arrays of samples: scaled to full scale, never to be written to, cut or padded to a length."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from groove_core.errors import UsageError

__all__ = ["as_float32", "fitted", "frozen", "is_frozen"]


def as_float32(samples: Any) -> npt.NDArray[np.float32]:
    """Copy samples; whole numbers are scaled as those of sound files."""
    given = np.asarray(samples)
    if given.dtype.kind == "i" and given.dtype.itemsize in (2, 4):
        return given.astype(np.float32) / np.float32(1 + np.iinfo(given.dtype).max)
    if given.dtype == np.uint8:
        return given.astype(np.float32) / np.float32(128) - np.float32(1)
    if given.dtype.kind != "f":
        raise UsageError(
            f"Audio samples cannot be of type {given.dtype}, which has no full scale.",
            hint="Give floats from -1 to 1, or the int16 of a sound file.",
        )
    with np.errstate(over="ignore"):  # beyond float32: not finite, so refused later
        return np.array(given, dtype=np.float32)


def frozen(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return samples after making sure that nobody writes to them."""
    samples.flags.writeable = False
    return samples


def is_frozen(samples: Any) -> bool:
    """Return whether samples are as they should be, in memory that nobody can write to."""
    if not isinstance(samples, np.ndarray) or samples.dtype != np.float32:
        return False
    while isinstance(samples, np.ndarray):
        if samples.flags.writeable:
            return False
        samples = samples.base
    return samples is None or isinstance(samples, bytes)


def fitted(samples: npt.NDArray[Any], frames: int) -> npt.NDArray[Any]:
    """Cut samples [shape=(..., n)] to a length, or pad them with zeros behind.

    Examples
    --------
    >>> fitted(np.array([1, 2, 3]), 2), fitted(np.array([1, 2, 3]), 5)
    (array([1, 2]), array([1, 2, 3, 0, 0]))
    """
    made = np.zeros((*samples.shape[:-1], frames), samples.dtype)
    heard = samples[..., :frames]
    made[..., : heard.shape[-1]] = heard
    return made
