"""Loudness after ITU-R BS.1770-4, measured by pyloudnorm; the extra ``groove-core[loudness]``."""

from __future__ import annotations

import math
import warnings

import numpy as np
import numpy.typing as npt

from groove_core.errors import UsageError

__all__ = ["LOWEST_RATE", "integrated_lufs"]

LOWEST_RATE = 16_000
"""Hz; below it the filters of the meter do not work."""
GATE_S = 0.4
"""Gating block of the standard."""


def integrated_lufs(samples: npt.NDArray[np.float32], sample_rate: int) -> float:
    """Measure the loudness of up to 5 channels [shape=(channels, frames)]; -inf for silence.

    What is shorter than a gating block is repeated until it fills one.

    Raises
    ------
    UsageError
        If pyloudnorm is not installed.
    """
    try:
        from pyloudnorm import Meter
    except ModuleNotFoundError as error:
        raise UsageError(
            "Loudness needs pyloudnorm, which is not installed.",
            hint='pip install "groove-core[loudness]"',
        ) from error
    if not samples.any():
        return -math.inf
    block = math.ceil(GATE_S * sample_rate)
    rows = samples.T
    if len(rows) < block:
        rows = np.resize(rows, (block, rows.shape[1]))
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of logarithms of silence
        return float(Meter(sample_rate).integrated_loudness(rows))
