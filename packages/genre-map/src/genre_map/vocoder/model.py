"""A small vocoder: mel spectrograms of two parts to magnitudes of all bins, then to sound.

What is lost in 64 mel bands is the fine structure of a spectrum, not its phase: with true
magnitudes the algorithm of Griffin and Lim finds a sound that is heard as the same genre. So a
network predicts how the magnitudes of bins depart from the smooth spectrum of the bands.
Convolutions run along time only, with all bands as channels, as in Vocos (Siuzdak 2023,
arXiv 2306.00814).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from genre_map.pictures import Layout

__all__ = ["LOWEST", "Vocoder", "envelope", "spread"]

LOWEST, HIGHEST = -6.0, 4.0
"""Departures from the smooth spectrum that are learnt, in nats: 52 dB below it to 35 above."""
ROUNDS = 5


def spread(bands: Tensor, filters: Tensor) -> Tensor:
    """Return for each bin the mean of the mel bands over it, and 0 where no band reaches.

    Parameters
    ----------
    bands : Tensor [shape=(..., n_mels, frames)]
    filters : Tensor [shape=(n_mels, bins)]

    Returns
    -------
    Tensor [shape=(..., bins, frames)]
    """
    cover = filters.sum(dim=0).clamp_min(1e-9)[:, None]
    found: Tensor = filters.mT @ bands / cover
    return found


def envelope(bands: Tensor, filters: Tensor) -> Tensor:
    """Return the smooth spectrum of linear mel bands [shape=(..., bins, frames)]."""
    return spread(bands / filters.sum(dim=1)[:, None], filters)


class _Block(nn.Module):
    """A convolution along time and a dense layer for each frame, added to what comes in.

    Frames run along the second dimension [shape=(n, frames, width)].
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.along = nn.Conv1d(width, width, 7, padding=3, groups=width)
        self.each = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.GELU(), nn.Linear(3 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = x + self.each(self.along(x.mT).mT)
        return found


class Vocoder(nn.Module):
    """Spectrograms [shape=(n, parts, n_mels, frames), 0 to 1 for 80 dB] to sound.

    Parameters
    ----------
    layout : dict
        Settings of a `Layout` in decibels.
    width, depth : int
        Channels and blocks.
    """

    filters: Tensor

    def __init__(self, layout: dict[str, Any], width: int = 128, depth: int = 4) -> None:
        super().__init__()
        self.config = {"layout": layout, "width": width, "depth": depth}
        self.layout = Layout(**layout)
        self.register_buffer("filters", self.layout.feature.filters.float(), persistent=False)
        parts, n_mels, _ = self.layout.shape
        self.first = nn.Conv1d(parts * n_mels, width, 7, padding=3)
        self.blocks = nn.Sequential(*(_Block(width) for _ in range(depth)), nn.LayerNorm(width))
        self.last = nn.Linear(width, self.filters.shape[1])
        nn.init.zeros_(self.last.weight)  # it begins with the smooth spectrum
        nn.init.zeros_(self.last.bias)

    def bands(self, pictures: Tensor) -> Tensor:
        """Return the magnitudes of the mel bands [shape=(n, n_mels, frames)], parts added."""
        return self.layout.linear(pictures).sum(dim=-3)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return how far bins depart from `envelope`, in nats [shape=(n, bins, frames)]."""
        x = self.first(2 * pictures.flatten(-3, -2) - 1).mT
        found: Tensor = self.last(self.blocks(x)).mT
        return found

    @torch.no_grad()
    def magnitudes(self, pictures: Tensor) -> Tensor:
        """Return the magnitudes of all bins [shape=(n, bins, frames)].

        Whatever the network says, the mel bands of the result are those of the spectrogram.
        """
        bands = self.bands(pictures)
        made: Tensor = envelope(bands, self.filters)
        made = made * self(pictures).float().clamp(LOWEST, HIGHEST).exp()
        for _ in range(ROUNDS):
            ratio = bands / (self.filters @ made).clamp_min(1e-9)
            made = made * spread(ratio, self.filters)
        return made
