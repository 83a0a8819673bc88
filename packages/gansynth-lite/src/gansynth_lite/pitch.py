"""Pitch of single notes, measured without training; pitches as numbers, frequencies and names."""

from __future__ import annotations

from typing import overload

import torch
from torch import Tensor

from groove_core.errors import UsageError
from groove_core.values.pitches import note_name, parse_note_name

__all__ = ["aperiodicity", "cents", "detect_f0", "hz", "note_name", "parse_note_name"]

WINDOWS = 8
"""Places of a note that are looked at."""
ATTACK_S = 0.05
"""Left out at the start of a note."""
PERIODS = 3.0
"""Length that is compared with itself, in periods of the lowest pitch."""
MARGIN, FACTOR, MOST = 0.03, 4.0, 0.15
"""The first dip that is nearly as deep as the deepest is the period: by `MARGIN` and `FACTOR`
times the deepest, but by `MOST` at most. Dips at multiples of the period differ by chance, the
more the noisier the note; the dip at half of it, where even harmonics dominate, is shallower
by twice the odd harmonics' part of the power. Chosen on 2,950 notes of a soundfont."""
CONFIDENT = 0.25
"""Aperiodicity up to which a window counts."""
LOW_PASS_HZ = 1_000.0
"""Above, -12 dB an octave: the partials that are out of tune on strings lie there."""
CHUNK = 64
"""Notes measured at a time, which bounds the memory."""


@overload
def hz(pitch: float) -> float: ...
@overload
def hz(pitch: Tensor) -> Tensor: ...
def hz(pitch: float | Tensor) -> float | Tensor:
    """Give the frequency of a MIDI pitch in equal temperament; 69 is 440 Hz."""
    power: float | Tensor = 440.0 * 2.0 ** ((pitch - 69.0) / 12.0)
    return power


def cents(f0: Tensor, pitch: Tensor) -> Tensor:
    """Give how far frequencies are above MIDI pitches.

    Parameters
    ----------
    f0 : Tensor [Hz]
    pitch : Tensor [MIDI]

    Returns
    -------
    Tensor [cents]
        NaN where `f0` is.
    """
    return 1200.0 * torch.log2(f0 / hz(pitch.to(f0.dtype)))


@torch.no_grad()
def detect_f0(
    samples: Tensor, sample_rate: int, *, low_hz: float = 25.0, high_hz: float = 1200.0
) -> Tensor:
    """Measure the fundamental frequency of single notes.

    YIN (de Cheveigné and Kawahara 2002, "YIN, a fundamental frequency estimator for speech
    and music", steps 1 to 5) at `WINDOWS` places of the sounding part, after a gentle low-pass
    filter; the threshold is relative to the deepest dip. Each period is refined at its
    multiples, where an error of interpolation counts less. The median of the windows that
    are periodic, weighted by their power, is the note's.

    Parameters
    ----------
    samples : Tensor [shape=(n, samples)]
        A note each, of any level.
    sample_rate : int [Hz]
    low_hz, high_hz : float > 0 [Hz]

    Returns
    -------
    Tensor [shape=(n,), float32, Hz]
        NaN where nothing is periodic, or its frequency is out of the range.

    Raises
    ------
    UsageError
        If the range is empty, or too high for the sample rate.

    Examples
    --------
    >>> time_s = torch.arange(8_000) / 16_000
    >>> tones = torch.stack([torch.sin(2 * torch.pi * 220 * time_s), torch.zeros(8_000)])
    >>> detect_f0(tones, 16_000).round()
    tensor([220.,  nan])
    """
    if not 0 < low_hz < high_hz <= sample_rate / 4:
        raise UsageError(
            f"No pitch can be found from {low_hz:g} to {high_hz:g} Hz at {sample_rate} Hz.",
            hint="low_hz=25, high_hz=1200",
        )
    if not len(samples):
        return samples.new_zeros(0, dtype=torch.float32)
    return torch.cat([_detect(part, sample_rate, low_hz, high_hz) for part in samples.split(CHUNK)])


@torch.no_grad()
def aperiodicity(samples: Tensor, sample_rate: int, f0: Tensor) -> Tensor:
    """Measure how badly notes repeat themselves at the period of a given frequency.

    Parameters
    ----------
    samples : Tensor [shape=(n, samples)]
    sample_rate : int [Hz]
    f0 : Tensor [shape=(n,), Hz]

    Returns
    -------
    Tensor [shape=(n,), float32]
        YIN's normalised difference at the best period within 50 cents, in the median of the
        windows: 0 where the note repeats exactly, about 1 where it does not at all.
    """
    if not len(samples):
        return samples.new_zeros(0, dtype=torch.float32)
    low_hz = float(f0.min()) / 1.1
    found = []
    for part, wanted in zip(samples.split(CHUNK), f0.split(CHUNK), strict=True):
        frames, _ = _frames(part, sample_rate, low_hz)
        difference = _difference(frames, int(sample_rate / low_hz) + 2)
        lags = torch.arange(difference.shape[-1], device=part.device)
        off = 1200 * torch.log2(lags.clamp_min(1) * wanted[:, None] / sample_rate).abs()
        # At high pitches 50 cents may lie between two lags.
        near = (off <= 50) | (off == off.min(dim=1, keepdim=True).values)
        _, depth = _dips(difference)
        best = depth.masked_fill(~near[:, None], torch.inf).amin(dim=2)
        found.append(best.median(dim=1).values)
    return torch.cat(found)


def _detect(samples: Tensor, sample_rate: int, low_hz: float, high_hz: float) -> Tensor:
    longest = int(sample_rate / low_hz) + 2
    frames, power = _frames(samples, sample_rate, low_hz)
    difference = _difference(frames, longest)
    period, depth = _first_dip(difference)
    period = _refined(difference, period)
    f0 = sample_rate / period
    # A little beyond, so that a pitch at the edge is measured, too.
    fits = (f0 >= low_hz) & (f0 <= high_hz * 1.03) & (depth <= CONFIDENT) & (power > 0)
    weight = torch.where(fits, power, 0.0)
    median = _weighted_median(f0, weight)
    near = weight * ((f0 / median[:, None]).log2().abs() <= 50 / 1200)
    mean = ((f0.log2() * near).sum(1) / near.sum(1)).exp2()
    # A chance likeness in one window of noise is no pitch.
    return torch.where(fits.sum(1) >= WINDOWS // 4, mean, torch.nan)


def _frames(samples: Tensor, sample_rate: int, low_hz: float) -> tuple[Tensor, Tensor]:
    """Give windows of the filtered notes [shape=(n, WINDOWS, samples)] and their power."""
    longest = int(sample_rate / low_hz) + 2
    size = int(PERIODS * longest) + longest
    samples = samples.float()
    samples = torch.nn.functional.pad(samples, (0, max(0, size - samples.shape[1])))
    total = samples.shape[1]
    first, last = _sounding(samples, sample_rate)
    first = first + int(ATTACK_S * sample_rate)
    last = torch.clamp(last - size, min=0)
    first = torch.minimum(first, torch.clamp(last, min=0)).clamp(max=total - size)
    last = torch.maximum(first, last).clamp(max=total - size)
    places = torch.linspace(0, 1, WINDOWS, device=samples.device)
    starts = (first[:, None] + (last - first)[:, None] * places).long()
    spectrum = torch.fft.rfft(samples)
    frequency = torch.fft.rfftfreq(total, 1 / sample_rate, device=samples.device)
    gain = 1 / (1 + (frequency / LOW_PASS_HZ) ** 2) * (frequency > 0.7 * low_hz)
    filtered = torch.fft.irfft(spectrum * gain, total)
    frames = filtered.unfold(1, size, 1)[
        torch.arange(len(samples), device=samples.device)[:, None], starts
    ]
    power = frames.square().mean(2)
    # What the filter leaves of silence is rounding.
    loudest = samples.square().mean(1, keepdim=True)
    return frames, torch.where(power > 1e-7 * loudest, power, 0.0)


def _sounding(samples: Tensor, sample_rate: int) -> tuple[Tensor, Tensor]:
    """Give the samples between which a note sounds: above a tenth, then 3 % of its peak level."""
    block = max(1, sample_rate // 100)
    count = samples.shape[1] // block
    level = samples[:, : count * block].unflatten(1, (count, block)).square().mean(2).sqrt()
    peak = level.amax(dim=1, keepdim=True)
    first = (level >= 0.1 * peak).int().argmax(dim=1)
    last = count - (level >= 0.03 * peak).flip(1).int().argmax(dim=1)
    return first * block, last * block


def _difference(frames: Tensor, longest: int) -> Tensor:
    """Give YIN's cumulative mean normalised difference, eqs. 6 to 8, for lags up to `longest`."""
    size = frames.shape[-1]
    width = size - longest
    scale = frames.abs().amax(dim=-1, keepdim=True)
    frames = frames / torch.where(scale > 0, scale, 1.0)
    spectrum = torch.fft.rfft(frames, size)
    # size covers every lag, so that nothing wraps around.
    head = torch.fft.rfft(frames[..., :width], size)
    correlation = torch.fft.irfft(spectrum * head.conj(), size)[..., : longest + 1]
    power = frames.square()
    mean = power.mean(-1, keepdim=True)  # without it, the sums stay small and so exact
    total = torch.nn.functional.pad((power - mean).cumsum(-1), (1, 0))
    energy = width * mean + total[..., width : width + longest + 1] - total[..., : longest + 1]
    difference = (energy[..., :1] + energy - 2 * correlation).clamp_min(0.0)
    lags = torch.arange(1, longest + 1, device=frames.device)
    total = difference[..., 1:].cumsum(-1)
    normal = difference[..., 1:] * lags / torch.where(total > 0, total, 1.0)
    normal = torch.where(total > 0, normal, 1.0)
    return torch.nn.functional.pad(normal, (1, 0), value=1.0)


def _dips(difference: Tensor) -> tuple[Tensor, Tensor]:
    """Fit a parabola at every lag: by how much its lowest point is off, and how deep it is."""
    left, middle, right = difference[..., :-2], difference[..., 1:-1], difference[..., 2:]
    bend = left - 2 * middle + right
    valley = (middle <= left) & (middle <= right) & (bend > 0)
    shift = torch.where(valley, (left - right) / (2 * torch.where(valley, bend, 1.0)), 0.0)
    depth = middle - torch.where(valley, (left - right) * shift / 4, 0.0)
    pad = torch.nn.functional.pad
    return pad(shift, (1, 1)), pad(depth.clamp_min(0.0), (1, 1), value=torch.inf)


def _first_dip(difference: Tensor) -> tuple[Tensor, Tensor]:
    """Give the period [samples] and its depth: the first dip among the deepest."""
    shift, depth = _dips(difference)
    left, right = difference.roll(1, -1), difference.roll(-1, -1)
    valley = (difference <= left) & (difference <= right)
    valley[..., :2] = False
    depth = depth.masked_fill(~valley, torch.inf)
    deepest = depth.amin(dim=-1, keepdim=True)
    limit = deepest + (MARGIN + FACTOR * deepest).clamp_max(MOST)
    lag = (depth <= limit).int().argmax(dim=-1, keepdim=True)
    period = (lag + shift.gather(-1, lag)).squeeze(-1)
    return period.clamp_min(1.0), depth.gather(-1, lag).squeeze(-1)


def _refined(difference: Tensor, period: Tensor) -> Tensor:
    """Measure the period again at twice, four times ... itself, as far as lags go."""
    shift, depth = _dips(difference)
    longest = difference.shape[-1] - 3
    around = torch.arange(-2, 3, device=period.device)
    factor = torch.ones_like(period)
    for _ in range(6):
        aim = 2 * factor * period
        lags = (aim.round().long()[..., None] + around).clamp(2, longest)
        deep, best = depth.gather(-1, lags).min(dim=-1)
        lag = lags.gather(-1, best[..., None])
        found = (lag + shift.gather(-1, lag)).squeeze(-1)
        # Another tone, vibrato or the end of the note may have spoilt it there.
        good = (aim < longest - 2) & (deep <= CONFIDENT) & ((found - aim).abs() <= 2)
        period = torch.where(good, found / (2 * factor), period)
        factor = torch.where(good, 2 * factor, factor)
    return period


def _weighted_median(values: Tensor, weight: Tensor) -> Tensor:
    ordered, order = values.sort(dim=1)
    total = weight.gather(1, order).cumsum(1)
    middle = (total >= total[:, -1:] / 2).int().argmax(dim=1, keepdim=True)
    return ordered.gather(1, middle).squeeze(1)
