"""Waveforms from magnitudes alone."""

from __future__ import annotations

from typing import Any

import torch

from groove_core.dsp.stft import Window, istft, stft
from groove_core.errors import UsageError

__all__ = ["griffin_lim"]


def griffin_lim(
    magnitude: torch.Tensor,
    *,
    hop_samples: int = 512,
    win_samples: int | None = None,
    window: Window = "hann",
    iterations: int = 32,
    momentum: float = 0.99,
    phase: torch.Tensor | None = None,
    seed: int | None = 0,
    length: int | None = None,
) -> torch.Tensor:
    """Find a waveform with a given magnitude spectrogram, as ``librosa.griffinlim`` does.

    Perraudin, Balazs and Søndergaard, "A fast Griffin-Lim algorithm", WASPAA 2013.

    Parameters
    ----------
    magnitude : Tensor [shape=(..., n_fft // 2 + 1, frames)]
    iterations : int
    momentum : float [0 to below 1]
        0 is the algorithm of Griffin and Lim (1984).
    phase : Tensor, optional [shape of `magnitude`, radians, or complex]
        To begin with, for example of instantaneous frequency: few iterations then suffice. Of
        complex numbers the angles count, and where they are 0 it begins with silence.
    seed : int or None
        Of the random phase to begin with where none is given; None begins with zero phase.
    length : int, optional [samples]

    Returns
    -------
    Tensor [shape=(..., samples)]

    Raises
    ------
    UsageError
        If a sound of `length` has another number of frames, or a setting is out of range.
    """
    frames = magnitude.shape[-1]
    length = (frames - 1) * hop_samples if length is None else length
    if length < 1 or 1 + length // hop_samples != frames:
        raise UsageError(
            f"A sound of {length} samples does not have {frames} frames.",
            hint=f"length from {max(1, (frames - 1) * hop_samples)} to {frames * hop_samples - 1}.",
        )
    if not 0 <= momentum < 1 or iterations < 0:
        raise UsageError(
            f"Griffin-Lim cannot run {iterations} times with momentum {momentum:g}.",
            hint="At least 0 times; momentum 0 to 0.99.",
        )
    if phase is not None and phase.shape != magnitude.shape:
        raise UsageError(
            f"A phase of shape {tuple(phase.shape)} does not fit magnitudes of shape "
            f"{tuple(magnitude.shape)}.",
            hint="One phase for each magnitude.",
        )
    if phase is None:
        if seed is None:
            phase = torch.zeros_like(magnitude)
        else:  # drawn on the CPU, so that every device begins alike
            generator = torch.Generator().manual_seed(seed)
            phase = (2 * torch.pi * torch.rand(magnitude.shape, generator=generator)).to(magnitude)
    shared: Any = {"hop_samples": hop_samples, "win_samples": win_samples, "window": window}
    n_fft = 2 * (magnitude.shape[-2] - 1)
    before = torch.zeros((), dtype=magnitude.dtype.to_complex(), device=magnitude.device)
    tiny = torch.finfo(magnitude.dtype).tiny

    def turned(by: torch.Tensor) -> torch.Tensor:
        """Take the angles of complex numbers; as real ones they are divided in half the time."""
        unit = torch.view_as_real(by) * (1 / (by.abs() + tiny))[..., None]
        return torch.view_as_complex(unit * magnitude[..., None])

    spectrum = turned(phase) if phase.is_complex() else torch.polar(magnitude, phase)
    for _ in range(iterations):
        sound = istft(spectrum, length=length, **shared)
        consistent = stft(sound, n_fft=n_fft, **shared)
        spectrum = turned(torch.sub(consistent, before, alpha=momentum / (1 + momentum)))
        before = consistent
    return istft(spectrum, length=length, **shared)
