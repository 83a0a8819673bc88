"""Levels: power and amplitude to decibels and back, as librosa counts them."""

from __future__ import annotations

import math

import torch

__all__ = ["below_maximum", "db_to_power", "power_to_db"]


def power_to_db(power: torch.Tensor, *, ref: float = 1.0, floor: float = 1e-10) -> torch.Tensor:
    """Return ``10 log10(power / ref)``, where no power is taken to be below `floor`.

    Examples
    --------
    >>> power_to_db(torch.tensor([1.0, 0.1, 0.0]))
    tensor([   0.,  -10., -100.])
    """
    level = 10 * torch.log10(power.clamp_min(floor))
    return level - 10 * math.log10(max(ref, floor))


def db_to_power(level_db: torch.Tensor, *, ref: float = 1.0) -> torch.Tensor:
    """Return the power of a level in decibels."""
    return ref * 10 ** (level_db / 10)


def below_maximum(level_db: torch.Tensor, top_db: float | None) -> torch.Tensor:
    """Lift what is more than `top_db` below the loudest point of each spectrogram.

    librosa takes the maximum over a whole batch; here each item [last two
    dimensions] has its own, so that a batch gives what its items give alone.
    """
    if top_db is None:
        return level_db
    return torch.maximum(level_db, level_db.amax(dim=(-2, -1), keepdim=True) - top_db)
