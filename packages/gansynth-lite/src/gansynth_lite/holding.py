"""Notes held for longer than a model draws them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from gansynth_lite.layout import Layout, wrapped

__all__ = ["frames_of", "held", "locked"]

STEADY = 0.4, 0.93
"""Where notes are steady, as fractions of the time their key is held."""


def frames_of(samples: int, layout: Layout) -> int:
    """Give how many frames the first samples of a note need, and one for the window's end."""
    return -(-(samples + layout.bins) // layout.hop_samples) + 2


def held(pictures: Tensor, frames: int, layout: Layout) -> Tensor:
    """Go on with notes beyond their steady part, by walking back and forth in it.

    Frequencies are those of the frames walked through, so that phase goes on without a break. All
    bins of a lobe follow the bin at its peak, lest they drift apart: Laroche and Dolson, "Improved
    phase vocoder time-scale modification of audio", 1999 (phase locking). Log magnitudes go on
    falling as steadily as each peak does there; what does not fall does not rise either.

    Parameters
    ----------
    pictures : Tensor [shape=(n, 2, bins, at least those up to the steady part's end)]
    frames : int
        As many as are wanted.
    layout : Layout

    Returns
    -------
    Tensor [shape=(n, 2, bins, frames)]
    """
    start, stop = (
        round((part * layout.held_s * layout.sample_rate + layout.bins) / layout.hop_samples)
        for part in STEADY
    )
    if frames <= stop:
        return pictures[..., :frames]
    start = min(start, stop - 2)
    device = pictures.device
    beyond = torch.arange(1, frames - stop + 1, device=device)
    turn = stop - 1 - start
    walked = stop - 1 - (turn - (beyond % (2 * turn) - turn).abs())
    magnitude, frequency = pictures[..., start:stop].unbind(dim=1)
    peak = _peaks(magnitude.mean(dim=-1))
    slope = _slope(magnitude).gather(1, peak)[..., None]
    back = walked - (stop - 1)  # in frames, 0 or less
    magnitude = magnitude[..., walked - start] - slope * back + slope.clamp_max(0) * beyond
    frequency = _locked(frequency, peak, layout)[..., walked - start]
    more = torch.stack([magnitude.clamp(-1, 1), frequency], dim=1)
    return torch.cat([pictures[..., :stop], layout.heard(more)], dim=-1)


def locked(pictures: Tensor, layout: Layout) -> Tensor:
    """Let all bins of a lobe follow the frequency at its peak.

    A network draws each bin's frequency with an error of its own; a partial whose bins drift apart
    beats. At the peak, the frequency is the mean of its three bins by their power.

    Parameters
    ----------
    pictures : Tensor [shape=(n, 2, bins, frames)]
    """
    magnitude, frequency = pictures.unbind(dim=1)
    if layout.scale == "linear":
        power = torch.exp(2 * layout.span * magnitude)
        beside = [
            (torch.roll(power, -k, 1), wrapped(torch.roll(frequency, -k, 1) + k / 2 - frequency))
            for k in (-1, 1)
        ]
        total = power + sum(weight for weight, _ in beside)
        frequency = frequency + sum(weight * away for weight, away in beside) / total
    peak = _peaks(magnitude.mean(dim=-1))
    followed = _locked(frequency, peak, layout)
    # The first two frames hold the phase with which a note begins, the same all over a lobe.
    start = frequency[..., :2].gather(1, peak[..., None].expand(-1, -1, 2))
    return torch.stack([magnitude, torch.cat([start, followed[..., 2:]], dim=-1)], dim=1)


def _locked(frequency: Tensor, peak: Tensor, layout: Layout) -> Tensor:
    """Give each bin the frequency of its peak [shape=(n, bins)], relative to its own middle."""
    found = frequency.gather(1, peak[..., None].expand_as(frequency))
    if layout.scale == "linear":  # relative to the middle of each bin, each turning by half a turn
        bins = torch.arange(layout.bins, device=frequency.device)
        found = wrapped(found + 0.5 * (peak - bins)[..., None])
    return found


def _slope(magnitude: Tensor) -> Tensor:
    """Fit lines along frames [shape=(n, bins, frames)] and give their slopes [shape=(n, bins)]."""
    t = torch.arange(magnitude.shape[-1], device=magnitude.device, dtype=magnitude.dtype)
    t = t - t.mean()
    return (magnitude @ t) / t.square().sum()


def _peaks(level: Tensor) -> Tensor:
    """Give for each bin the nearest one [shape=(n, bins)] that is louder than those beside it."""
    size = level.shape[-1]
    bins = torch.arange(size, device=level.device).expand_as(level)
    is_peak = level >= F.max_pool1d(level[:, None], 3, 1, 1)[:, 0]
    before = torch.where(is_peak, bins, -size).cummax(dim=-1).values
    after = torch.where(is_peak, bins, 3 * size).flip(-1).cummin(dim=-1).values.flip(-1)
    return torch.where(bins - before <= after - bins, before, after)
