"""Mel filters, per-channel energy normalisation and the way back from mel to spectrum."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from groove_core.dsp.stft import constant
from groove_core.errors import UsageError

__all__ = [
    "Norm",
    "Scale",
    "apply_filters",
    "hz_to_mel",
    "mel_filters",
    "mel_to_hz",
    "mel_to_power",
    "pcen",
]

Scale = Literal["slaney", "htk"]
Norm = Literal["slaney", "none"]

# Slaney's Auditory Toolbox (1998): linear below 1 kHz, 27 logarithmic steps per factor 6.4 above.
_HZ_PER_MEL = 200 / 3
_BREAK_HZ = 1000.0
_BREAK_MEL = _BREAK_HZ / _HZ_PER_MEL
_LOG_STEP = math.log(6.4) / 27

Floats = npt.NDArray[np.float64]


def _is_htk(scale: str) -> bool:
    if scale not in ("slaney", "htk"):
        raise UsageError(f"There is no mel scale {scale!r}.", hint="slaney or htk")
    return scale == "htk"


def hz_to_mel(hz: npt.ArrayLike, scale: Scale = "slaney") -> Floats:
    """Convert frequencies in Hz to mel."""
    f = np.asarray(hz, dtype=np.float64)
    if _is_htk(scale):
        return np.asarray(2595 * np.log10(1 + f / 700))
    above = _BREAK_MEL + np.log(np.maximum(f, _BREAK_HZ) / _BREAK_HZ) / _LOG_STEP
    return np.where(f < _BREAK_HZ, f / _HZ_PER_MEL, above)


def mel_to_hz(mel: npt.ArrayLike, scale: Scale = "slaney") -> Floats:
    """Convert mel to frequencies in Hz."""
    m = np.asarray(mel, dtype=np.float64)
    if _is_htk(scale):
        return np.asarray(700 * (10 ** (m / 2595) - 1))
    above = _BREAK_HZ * np.exp(_LOG_STEP * (np.maximum(m, _BREAK_MEL) - _BREAK_MEL))
    return np.where(m < _BREAK_MEL, m * _HZ_PER_MEL, above)


@constant
def mel_filters(
    *,
    sample_rate: int = 22050,
    n_fft: int = 2048,
    n_mels: int = 128,
    fmin_hz: float = 0.0,
    fmax_hz: float | None = None,
    scale: Scale = "slaney",
    norm: Norm = "slaney",
) -> torch.Tensor:
    """Return triangular filters spaced evenly in mel, equal to ``librosa.filters.mel``.

    Parameters
    ----------
    sample_rate : int [Hz]
    n_fft : int [samples]
    n_mels : int [bands]
    fmin_hz, fmax_hz : float [Hz]
        By default, `fmax_hz` is half the sample rate.
    scale : {"slaney", "htk"}
    norm : {"slaney", "none"}
        ``"slaney"`` gives every band the same area, ``"none"`` the same height.

    Returns
    -------
    Tensor [shape=(n_mels, n_fft // 2 + 1), float64]
        The same tensor at every call: not to be changed.

    Raises
    ------
    UsageError
        If the frequencies are no range below half the sample rate, or a word is unknown.
    """
    top_hz = sample_rate / 2 if fmax_hz is None else fmax_hz
    if n_mels < 1 or not 0 <= fmin_hz < top_hz <= sample_rate / 2:
        raise UsageError(
            f"{n_mels} mel bands cannot lie between {fmin_hz:g} and {top_hz:g} Hz.",
            hint=f"At least 1 band, within 0 to {sample_rate / 2:g} Hz.",
        )
    low, high = hz_to_mel([fmin_hz, top_hz], scale)
    edges_hz = mel_to_hz(np.linspace(low, high, n_mels + 2), scale)
    bins_hz = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    slopes = edges_hz[:, None] - bins_hz
    widths = np.diff(edges_hz)[:, None]
    rising, falling = -slopes[:-2] / widths[:-1], slopes[2:] / widths[1:]
    filters = np.maximum(0, np.minimum(rising, falling))
    if norm not in ("slaney", "none"):
        raise UsageError(f"There is no norm {norm!r}.", hint="slaney or none")
    if norm == "slaney":
        filters *= (2 / (edges_hz[2:] - edges_hz[:-2]))[:, None]
    return torch.from_numpy(filters)


_BANDS_PER_BLOCK = 32


@constant
def _blocks(
    filters: torch.Tensor, dtype: torch.dtype, device: torch.device
) -> list[tuple[slice, torch.Tensor]]:
    """Cut filters into blocks of bands, each with the range of bins that it hears."""
    blocks = []
    for block in filters.split(_BANDS_PER_BLOCK):
        heard = block.any(dim=0).nonzero().flatten()
        first, last = (int(heard[0]), int(heard[-1])) if len(heard) else (0, 0)
        bins = slice(first, last + 1)
        blocks.append((bins, block[:, bins].mT.to(dtype).contiguous().to(device)))
    return blocks


def apply_filters(power: torch.Tensor, filters: torch.Tensor) -> torch.Tensor:
    """Sum a spectrum [shape=(..., bins)] into bands [shape=(..., bands)].

    A band of a filter bank hears few bins, so that a quarter of the
    multiplications of the whole matrix product is enough.
    """
    blocks = _blocks(filters, power.dtype, power.device)
    return torch.cat([power[..., bins] @ weights for bins, weights in blocks], dim=-1)


def mel_to_power(
    mel: torch.Tensor, filters: torch.Tensor, *, iterations: int = 100
) -> torch.Tensor:
    """Find the non-negative spectrogram whose mel bands come nearest to given ones.

    Accelerated projected gradient (Beck and Teboulle, SIAM J. Imaging Sciences
    2009, FISTA) on ``||filters @ S - mel||^2``, for all frames at once.

    Parameters
    ----------
    mel : Tensor [shape=(..., bands, frames)]
    filters : Tensor [shape=(bands, bins)]
        Of `mel_filters`.

    Returns
    -------
    Tensor [shape=(..., bins, frames)]
    """
    # Unit rows make the problem well conditioned; they do not move its solution set.
    weights = filters.to(mel).clone()
    scale = weights.norm(dim=1, keepdim=True).clamp_min(torch.finfo(mel.dtype).tiny)
    weights, target = weights / scale, mel / scale
    gram = weights.mT @ weights
    step = 1 / float(torch.linalg.matrix_norm(weights @ weights.mT, 2))
    pull = weights.mT @ target
    # The transposed filters spread each band over its bins: a smooth, positive start.
    now: torch.Tensor = pull / (gram.sum(dim=1, keepdim=True)).clamp_min(torch.finfo(mel.dtype).eps)
    ahead, momentum = now, 1.0
    for _ in range(iterations):
        before = now
        now = (ahead - step * (gram @ ahead - pull)).clamp_min(0)
        following = (1 + math.sqrt(1 + 4 * momentum**2)) / 2
        ahead = now + (momentum - 1) / following * (now - before)
        momentum = following
    return now


def pcen(
    mel: torch.Tensor,
    *,
    sample_rate: int = 22050,
    hop_samples: int = 512,
    gain: float = 0.98,
    bias: float = 2.0,
    power: float = 0.5,
    time_constant_s: float = 0.4,
    eps: float = 1e-6,
) -> torch.Tensor:
    """Normalise each band by its own recent level, as ``librosa.pcen`` does.

    Wang et al., "Trainable frontend for robust and far-field keyword spotting",
    ICASSP 2017, eq. 1-2: ``(E / (eps + M)^gain + bias)^power - bias^power``, where
    ``M`` follows ``E`` with a time constant and begins at 1.

    Parameters
    ----------
    mel : Tensor [shape=(..., bands, frames)]
        Magnitudes; those of samples in -1 to 1 are to be multiplied by 2^31
        (Lostanlen et al., IEEE SPL 2019).
    time_constant_s : float [seconds]

    Returns
    -------
    Tensor [shape=(..., bands, frames)]

    Raises
    ------
    UsageError
        If a setting is out of range.
    """
    check_pcen(gain, bias, power, time_constant_s, eps)
    frames = time_constant_s * sample_rate / hop_samples
    b = (math.sqrt(1 + 4 * frames**2) - 1) / (2 * frames**2)
    level = _smooth(mel, b)
    gained = (math.log(eps) + torch.log1p(level / eps)).mul(-gain).exp()
    # bias^power * expm1(...) keeps the digits that the difference of two powers would lose.
    return math.pow(bias, power) * torch.expm1(power * torch.log1p(mel * gained / bias))


def check_pcen(gain: float, bias: float, power: float, time_constant_s: float, eps: float) -> None:
    """Check the settings of `pcen`.

    Raises
    ------
    UsageError
        If one is out of range.
    """
    if not (min(bias, power, time_constant_s, eps) > 0 and gain >= 0):
        raise UsageError(
            "PCEN needs bias, power, time_constant_s and eps above 0 and a gain of at least 0.",
            hint="gain=0.98, bias=2.0, power=0.5, time_constant_s=0.4, eps=1e-6",
        )


def _smooth(x: torch.Tensor, b: float, *, block: int = 128) -> torch.Tensor:
    """Follow ``m[t] = (1 - b) m[t - 1] + b x[t]`` along the last axis, from ``m[-1] = 1``.

    Within a block of frames the recursion is a product with a triangular matrix:
    a loop over blocks instead of one over frames.
    """
    lag = torch.arange(block, dtype=torch.float64)
    kernel = b * (1 - b) ** (lag - lag[:, None]).clamp_min(0) * (lag >= lag[:, None])
    kernel = kernel.to(x)
    fading = ((1 - b) ** (lag + 1)).to(x)
    before = torch.ones_like(x[..., :1])
    pieces = []
    for piece in x.split(block, dim=-1):
        n = piece.shape[-1]
        pieces.append(piece @ kernel[:n, :n] + before * fading[:n])
        before = pieces[-1][..., -1:]
    return torch.cat(pieces, dim=-1)
