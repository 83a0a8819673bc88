"""Mel-frequency cepstral coefficients and the slopes of features along time."""

from __future__ import annotations

import math

import numpy as np
import torch

from groove_core.dsp.stft import constant
from groove_core.errors import InputError, UsageError

__all__ = ["cepstrum", "cepstrum_matrix", "deltas"]


@constant
def cepstrum_matrix(bands: int, n_mfcc: int, lifter: float = 0.0) -> torch.Tensor:
    """Return the first rows of the orthonormal DCT-II, lifted [shape=(n_mfcc, bands), float64].

    Raises
    ------
    UsageError
        If there are fewer bands than coefficients or `lifter` is negative.
    """
    if not 1 <= n_mfcc <= bands or not lifter >= 0:
        raise UsageError(
            f"{bands} mel bands cannot give {n_mfcc} coefficients with lifter {lifter:g}.",
            hint=f"n_mfcc from 1 to {bands}, lifter at least 0.",
        )
    k, n = torch.arange(n_mfcc, dtype=torch.float64)[:, None], torch.arange(bands) + 0.5
    matrix = torch.cos(math.pi / bands * k * n) * math.sqrt(2 / bands)
    matrix[0] /= math.sqrt(2)
    if lifter:
        matrix *= 1 + lifter / 2 * torch.sin(math.pi * (k + 1) / lifter)
    return matrix


def cepstrum(level_db: torch.Tensor, n_mfcc: int = 20, *, lifter: float = 0.0) -> torch.Tensor:
    """Turn mel levels into cepstral coefficients, as ``librosa.feature.mfcc`` does.

    Parameters
    ----------
    level_db : Tensor [shape=(..., bands, frames), dB]
    n_mfcc : int [coefficients]
    lifter : float
        Above 0, coefficient ``n`` is multiplied by ``1 + lifter / 2 * sin(pi (n + 1) / lifter)``.

    Returns
    -------
    Tensor [shape=(..., n_mfcc, frames)]

    Raises
    ------
    UsageError
        See `cepstrum_matrix`.
    """
    matrix = cepstrum_matrix(level_db.shape[-2], n_mfcc, lifter)
    return matrix.to(level_db) @ level_db


def deltas(features: torch.Tensor, *, width: int = 9, order: int = 1) -> torch.Tensor:
    """Return the slope of features along time (a Savitzky-Golay filter, as in librosa).

    Parameters
    ----------
    features : Tensor [shape=(..., bands, frames)]
    width : odd int [frames]
        Over which the slope is measured.
    order : int
        1 for the slope, 2 for its slope.

    Returns
    -------
    Tensor [shape=(..., bands, frames)]

    Raises
    ------
    UsageError
        If `width` is even or too small for `order`.
    InputError
        If there are fewer frames than `width`.
    """
    if width < 3 or width % 2 == 0 or not 1 <= order < width:
        raise UsageError(f"width cannot be {width} for order {order}.", hint="width=9, order=1")
    if features.shape[-1] < width:
        raise InputError(
            f"{features.shape[-1]} frames are too few for slopes over {width}.",
            hint="Give more sound, or a smaller width.",
        )
    fit = np.linalg.pinv(np.vander(np.arange(width) - width // 2, order + 1, increasing=True))
    weights = torch.from_numpy(fit[order] * math.factorial(order)).to(features)
    inside = features.unfold(-1, width, 1) @ weights
    # A polynomial of degree `order` has one and the same derivative of that order
    # everywhere: the first and last half window take that of the nearest whole fit.
    edge = width // 2
    first, last = inside[..., :1], inside[..., -1:]
    return torch.cat([first.expand(*first.shape[:-1], edge), inside,
                      last.expand(*last.shape[:-1], edge)], dim=-1)  # fmt: skip
