"""The accents of a beat, and how well a line meets them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from torch import Tensor

from groove_core.drums import DRUMS

__all__ = ["ACCENTS", "agreement"]

ACCENTS = [i for i, drum in enumerate(DRUMS) if drum.name in ("kick", "snare", "crash")]


def agreement(line: Tensor, drums: Tensor) -> npt.NDArray[np.float64]:
    """Correlate where notes start with where kick, snare or crash are struck.

    Parameters
    ----------
    line : int tensor [shape=(n, steps)]
    drums : bool tensor [shape=(n, steps, 14)]

    Returns
    -------
    float array [shape=(n,), -1 to 1]
        Phi coefficient over steps; NaN where one of the two is always or never struck.
    """
    notes = (line >= 0).double()
    accents = drums[..., ACCENTS].any(dim=-1).double()
    a, b = notes - notes.mean(1, keepdim=True), accents - accents.mean(1, keepdim=True)
    phi = (a * b).sum(1) / (a.square().sum(1) * b.square().sum(1)).sqrt()
    found: npt.NDArray[np.float64] = phi.numpy()
    return found
