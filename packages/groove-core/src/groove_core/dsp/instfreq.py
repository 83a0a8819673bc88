"""Log magnitude and instantaneous frequency: spectrograms that a network can draw, and back.

Engel et al., "GANSynth: Adversarial Neural Audio Synthesis", ICLR 2019, section 2. Phase turns
at the frequency of the partial that a bin hears, so that its difference from frame to frame is
constant over a steady tone. Frames begin with silence (pad the front), since the first frame
holds the phase itself.
"""

from __future__ import annotations

import math

import torch

from groove_core.devices import widest
from groove_core.errors import UsageError

__all__ = [
    "from_instantaneous_frequency",
    "from_mel_instantaneous_frequency",
    "to_instantaneous_frequency",
    "to_mel_instantaneous_frequency",
]

SMALLEST = 1e-6
"""Added to magnitudes before their logarithm, as in the source."""


def to_instantaneous_frequency(
    spectrogram: torch.Tensor,
    *,
    floor_db: float | None = None,
    n_fft: int = 2048,
    hop_samples: int = 512,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Turn a complex spectrogram into log magnitude and instantaneous frequency.

    Parameters
    ----------
    spectrogram : Tensor [shape=(..., bins, frames), complex]
        All ``n_fft // 2 + 1`` bins, or the upper ``n_fft // 2`` (without 0 Hz, as GANSynth has it).
    floor_db : float, optional [dB]
        Where the magnitude lies this far below the loudest point of its spectrogram
        (for example -60), phase is noise: the frequency of the bin's own centre is given
        instead. That part can then no longer be inverted exactly.
    n_fft, hop_samples : int [samples]
        Of the spectrogram; only `floor_db` asks for them.

    Returns
    -------
    log_magnitude : Tensor [shape=(..., bins, frames), ln]
        ``ln(|S| + 1e-6)``.
    frequency : Tensor [shape=(..., bins, frames), half turns per hop, -1 to 1]
        The phase difference to the frame before, divided by pi; the first frame has
        its phase itself.

    Raises
    ------
    UsageError
        If `floor_db` is given and `n_fft` does not fit.
    """
    magnitude, phase = spectrogram.abs(), spectrogram.angle()
    frequency = _wrapped_difference(phase) / math.pi
    if floor_db is not None:
        loudest = magnitude.amax(dim=(-2, -1), keepdim=True)
        own = _centre_frequencies(magnitude, n_fft, hop_samples)
        frequency = torch.where(magnitude < loudest * 10 ** (floor_db / 20), own, frequency)
    return (magnitude + SMALLEST).log(), frequency


def from_instantaneous_frequency(
    log_magnitude: torch.Tensor, frequency: torch.Tensor
) -> torch.Tensor:
    """Invert `to_instantaneous_frequency`.

    Parameters
    ----------
    log_magnitude, frequency : Tensor [shape=(..., bins, frames)]

    Returns
    -------
    Tensor [shape=(..., bins, frames), complex]
    """
    return torch.polar(_magnitude(log_magnitude), _summed_phase(frequency).to(log_magnitude))


def to_mel_instantaneous_frequency(
    spectrogram: torch.Tensor, filters: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Turn a complex spectrogram into log power and instantaneous frequency of mel bands.

    As in the source power is summed over each band. The frequency of a band is the mean of
    the frequencies of its bins, weighted by the filter, so that it stays in -1 to 1; the
    source sums unwrapped phase, which leaves that range.

    Parameters
    ----------
    spectrogram : Tensor [shape=(..., bins, frames), complex]
    filters : Tensor [shape=(bands, bins)]
        Of `groove_core.dsp.mel_filters`, for as many bins.

    Returns
    -------
    log_power, frequency : Tensor [shape=(..., bands, frames)]
    """
    power = spectrogram.abs().square()
    weights = filters.to(power)
    means = weights / weights.sum(dim=1, keepdim=True).clamp_min(torch.finfo(power.dtype).tiny)
    # Differences before the mean: unwrapped phase would grow and lose its digits.
    frequency = _wrapped_difference(spectrogram.angle()) / math.pi
    return (weights @ power + SMALLEST).log(), means @ frequency


def from_mel_instantaneous_frequency(
    log_power: torch.Tensor, frequency: torch.Tensor, filters: torch.Tensor
) -> torch.Tensor:
    """Find a complex spectrogram with given log power and frequency of mel bands.

    There are fewer bands than bins where it matters, so that this is no exact inverse.

    Parameters
    ----------
    log_power, frequency : Tensor [shape=(..., bands, frames)]
    filters : Tensor [shape=(bands, bins)]

    Returns
    -------
    Tensor [shape=(..., bins, frames), complex]
    """
    from groove_core.dsp.mel import mel_to_power

    power = (log_power.exp() - SMALLEST).clamp_min(0)
    magnitude = mel_to_power(power, filters).sqrt()
    weights = filters.to(frequency)
    spread = weights.mT / weights.sum(dim=0)[:, None].clamp_min(torch.finfo(weights.dtype).tiny)
    return torch.polar(magnitude, _summed_phase(spread @ frequency).to(magnitude))


def _magnitude(log_magnitude: torch.Tensor) -> torch.Tensor:
    return (log_magnitude.exp() - SMALLEST).clamp_min(0)


def _wrapped_difference(phase: torch.Tensor) -> torch.Tensor:
    """Return the difference along time, in -pi to pi; the first frame keeps its phase.

    The same as unwrapping first and then taking differences, without the large
    numbers between.
    """
    difference = torch.diff(phase, dim=-1)
    difference = difference - 2 * math.pi * torch.round(difference / (2 * math.pi))
    return torch.cat([phase[..., :1], difference], dim=-1)


def _summed_phase(frequency: torch.Tensor) -> torch.Tensor:
    """Sum half turns along time to phase; whole turns are dropped, so that no digits are lost."""
    half_turns = frequency.to(widest(frequency.device)).cumsum(dim=-1)
    return math.pi * (half_turns - 2 * torch.round(half_turns / 2))


def _centre_frequencies(magnitude: torch.Tensor, n_fft: int, hop_samples: int) -> torch.Tensor:
    """Return the half turns per hop of each bin's own frequency [shape=(bins, 1)]."""
    bins = magnitude.shape[-2]
    first = n_fft // 2 + 1 - bins
    if first not in (0, 1):
        raise UsageError(f"{bins} bins are not of n_fft {n_fft}.", hint=f"n_fft={2 * bins}")
    k = torch.arange(first, first + bins, dtype=torch.float64)[:, None]
    half_turns = 2 * hop_samples * k / n_fft
    return (half_turns - 2 * torch.round(half_turns / 2)).to(magnitude)
