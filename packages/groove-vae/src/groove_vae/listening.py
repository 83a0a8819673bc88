"""Hearing drums in sound: the Gaussians of every moment, and the strokes that they tell of."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from groove_vae.frames import HOP_S, bands
from groove_vae.measures import Measure
from groove_vae.model import FeelVAE, Gaussian, divergence

__all__ = [
    "AROUND",
    "AUDIBLE_DB",
    "Heard",
    "alike",
    "around",
    "divergence_curve",
    "frames_of",
    "listen",
    "sound_of",
    "stroke_divergence",
    "strokes_of",
    "tone",
    "widened",
]

AROUND = 8
"""Frames on either side of a stroke over which its divergence is averaged: 46 ms."""
NEIGHBOURS = 7
AUDIBLE_DB = -24.0
"""Strokes so far below the loudest, at a quarter of its velocity, are often not heard."""
FEWEST_ALIKE = 4
OF_NORMAL = 1.4826
"""Standard deviation of a normal distribution whose median absolute deviation is 1."""
AUDIBLE = 0.3
"""The least height of the first envelope that is a stroke."""
_BLOCK, _MARGIN = 8192, 256
"""Frames that the model reads at once, and what it hears before and after them."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Heard:
    """What the model makes of a sound.

    Parameters
    ----------
    latent : Gaussian [shape=(frames,)]
    bands : Tensor [shape=(frames, 44)]
    envelopes : float array [shape=(frames, 2)]
        When and how hard, as decoded from the means.
    """

    latent: Gaussian
    bands: Tensor
    envelopes: npt.NDArray[np.float32]

    def until(self, frames: int) -> Heard:
        """Cut off what comes later."""
        return Heard(self.latent.at(slice(0, frames)), self.bands[:frames], self.envelopes[:frames])

    @functools.cached_property
    def onset_s(self) -> Floats:
        """When strokes were heard [shape=(n,), seconds]."""
        return strokes_of(self.envelopes[:, 0])


def listen(model: FeelVAE, samples: npt.NDArray[np.float32]) -> Heard:
    """Listen to a sound [shape=(n,), 22,050 Hz] of any length and volume."""
    device = model.log_noise.device
    loudest = max(float(np.abs(samples).max(initial=0.0)), 1e-9)
    with torch.inference_mode():
        heard = bands(torch.tensor(samples) / loudest)
        pieces: list[Gaussian] = []
        for start in range(0, len(heard), _BLOCK):
            first = max(0, start - _MARGIN)
            piece = heard[first : start + _BLOCK + _MARGIN].to(device)
            kept = slice(start - first, start - first + _BLOCK)
            pieces.append(model.encode(piece[None]).at((0, kept)))
        latent = Gaussian(
            torch.cat([one.mean for one in pieces]), torch.cat([one.scale for one in pieces])
        )
        envelopes = model.decode(latent.mean).cpu().numpy()
    return Heard(Gaussian(latent.mean.cpu(), latent.scale.cpu()), heard, envelopes)


def strokes_of(envelope: npt.NDArray[Any], *, apart_s: float = 0.03) -> Floats:
    """Find the tops of triangles [shape=(frames,)], to a fraction of a frame."""
    reach = round(apart_s / HOP_S)
    padded = np.pad(envelope.astype(np.float64), reach, constant_values=-np.inf)
    near = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    top = np.nonzero((envelope >= AUDIBLE) & (near.argmax(axis=1) == reach))[0]
    # The centroid of the upper half of the triangle.
    window = np.arange(-4, 5)
    at = (top[:, None] + window).clip(0, len(envelope) - 1)
    above = np.maximum(envelope[at] - 0.5 * envelope[top][:, None], 0)
    offset = (above * window).sum(axis=1) / np.maximum(above.sum(axis=1), 1e-9)
    found: Floats = (top + offset) * HOP_S
    return found


def around(frame: Tensor, frames: int) -> Tensor:
    """Give the frames around strokes [shape=(n, 17)]; at the ends the nearest there are."""
    reach = torch.arange(-AROUND, AROUND + 1, device=frame.device)
    return (frame[:, None] + reach).clamp(0, frames - 1)


def frames_of(onset_s: Floats) -> Tensor:
    """Give the frame of each onset [shape=(n,), int64]."""
    return torch.from_numpy(np.round(onset_s / HOP_S).astype(np.int64))


def sound_of(bands: Tensor, frame: Tensor) -> Tensor:
    """Give what strokes sound like: their bands over the first 35 ms [shape=(n, 44)]."""
    first = torch.arange(6, device=frame.device)
    return bands[(frame[:, None] + first).clamp(0, len(bands) - 1)].mean(dim=1)


def alike(bands: Tensor, frame: Tensor, count: int = NEIGHBOURS) -> Tensor:
    """Find the strokes that sound most like each one, itself left out.

    Parameters
    ----------
    bands : Tensor [shape=(frames, 44)]
    frame : int Tensor [shape=(n,)]

    Returns
    -------
    int Tensor [shape=(n, count, or fewer where there are not so many)]
    """
    sound = sound_of(bands, frame)
    count = max(0, min(count, len(frame) - 1))
    found = []
    for rows in torch.arange(len(sound), device=frame.device).split(1024):
        distance = torch.cdist(sound[rows], sound)
        distance[torch.arange(len(rows)), rows] = torch.inf
        found.append(distance.topk(count, largest=False).indices)
    return torch.cat(found) if found else frame.new_zeros(0, 0)


def tone(played: Tensor, programmed: Tensor, bands: Tensor, frame: Tensor) -> tuple[Tensor, Tensor]:
    """Estimate what a change of kit does to the means around strokes, and how surely.

    How a stroke is played differs from one to the next; how another kit sounds hardly does.
    So it is the median difference of the strokes that sound alike in the programmed part,
    the stroke itself left out. What a player does to all such strokes alike is taken for
    tone, too. No two strokes of a recorded kit are quite alike: how much the differences
    scatter is how unsure their median is of one more stroke.

    Parameters
    ----------
    played, programmed : Tensors [shape=(frames, d)]
        Means.
    bands : Tensor [shape=(frames, 44)]
        Of the programmed part.
    frame : int Tensor [shape=(n,)]
        Strokes of the programmed part.

    Returns
    -------
    difference, scatter : Tensors [shape=(n, 17, d)]
        The scatter is a standard deviation, of the median absolute deviation. Both are 0 where
        too few strokes sound alike.
    """
    at = around(frame, len(programmed))
    gap = played[at] - programmed[at]
    neighbours = alike(bands, frame)
    if neighbours.shape[1] < FEWEST_ALIKE:
        return torch.zeros_like(gap), torch.zeros_like(gap)
    others = gap[neighbours]
    difference = others.median(dim=1).values
    away = (others - difference[:, None]).abs().median(dim=1).values
    return difference, OF_NORMAL * away


def widened(latent: Gaussian, scatter: Tensor) -> Gaussian:
    """Add independent noise of a standard deviation [shape=(..., d)] to Gaussians."""
    if latent.is_diagonal:
        return Gaussian(latent.mean, (latent.scale.square() + scatter.square()).sqrt())
    covariance = latent.scale @ latent.scale.mT + torch.diag_embed(scatter.square())
    return Gaussian(latent.mean, torch.linalg.cholesky(covariance))


def stroke_divergence(
    played: Gaussian,
    programmed: Gaussian,
    bands: Tensor,
    frame: Tensor,
    *,
    measure: Measure = "kl",
    same_tone: bool,
) -> Tensor:
    """Give the mean divergence around each stroke [shape=(n,)]; see `tone` for the rest."""
    at = around(frame, len(programmed.mean))
    first, second = played.at(at), programmed.at(at)
    if not same_tone:
        difference, scatter = tone(played.mean, programmed.mean, bands, frame)
        first = widened(first, scatter)
        second = widened(Gaussian(second.mean + difference, second.scale), scatter)
    return divergence(first, second, measure).mean(dim=-1)


def divergence_curve(
    played: Heard,
    programmed: Heard,
    onset_s: Floats,
    *,
    measure: Measure = "kl",
    same_tone: bool,
) -> Floats:
    """Give D_KL(t) for each frame, in nats.

    Parameters
    ----------
    onset_s : float array [shape=(n,)]
        Strokes of the programmed part, where tone is taken out unless it is the same.
    """
    first, second = played.latent, programmed.latent
    frame = frames_of(onset_s)
    if not same_tone and len(frame):
        mean = second.mean.clone()
        scatter = torch.zeros_like(mean)
        moved, unsure = tone(first.mean, mean, programmed.bands, frame)
        # Where strokes are near each other, each moment belongs to the nearer one.
        every = torch.arange(len(mean))
        right = torch.searchsorted(frame, every).clamp(max=len(frame) - 1)
        left = (right - 1).clamp_min(0)
        nearest = torch.where((every - frame[left]) < (frame[right] - every), left, right)
        offset = every - frame[nearest]
        near = offset.abs() <= AROUND
        mean[near] += moved[nearest[near], offset[near] + AROUND]
        scatter[near] = unsure[nearest[near], offset[near] + AROUND]
        first, second = widened(first, scatter), widened(Gaussian(mean, second.scale), scatter)
    return divergence(first, second, measure).numpy().astype(np.float64)
