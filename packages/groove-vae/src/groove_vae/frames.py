"""What the audio model hears and what it shall say: bands of frames, and envelopes of hits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from groove_core import dsp
from groove_core.dsp.mel import apply_filters, mel_filters
from groove_core.dsp.stft import framed, power, spectrum
from groove_core.render.kits import RATE, Hits

__all__ = ["BANDS", "ENVELOPES", "HOP", "HOP_S", "bands", "envelopes", "frame_count"]

HOP = 128
HOP_S = HOP / RATE
"""5.8 ms: shifts well below it still show, as the shape of what two frames share."""
# (window, bands, lowest Hz): short windows for when, long ones for what.
_BANKS = ((256, 12, 60.0), (1024, 32, 30.0))
BANDS = sum(n for _, n, _ in _BANKS)
ENVELOPES = 2
_FLOOR = 1e-9
_BLOCK = 4096
"""Frames transformed at once: what fits in the memory of any machine."""
REACH_S = 0.040
"""Half the width of the triangle that marks an onset."""
HOLD_S = 0.030
FADE_S = 0.060
LOWEST_DB = -54.0
"""A hit so far below the loudest leaves no mark."""

Floats = npt.NDArray[np.float64]


def frame_count(samples: int) -> int:
    """Give the number of frames of a sound: one for each 128 samples, and one more."""
    return 1 + samples // HOP


def bands(samples: Tensor) -> Tensor:
    """Give the levels of 44 bands, whatever the level and the colour of the sound.

    Each band is measured against the level that it exceeds a twentieth of the time, so
    that neither the volume nor an equaliser matters; one that never comes within 45 dB
    of the loudest band is measured against that limit, so that hiss does not become a
    drum.

    Parameters
    ----------
    samples : Tensor [shape=(..., n), 22,050 Hz]

    Returns
    -------
    Tensor [shape=(..., frames, 44)]
        0.5 is that level, and 0.25 lies 10 dB below it.
    """
    frames = frame_count(samples.shape[-1])
    banks = []
    for n_fft, n_mels, low_hz in _BANKS:
        filters = mel_filters(
            sample_rate=RATE, n_fft=n_fft, n_mels=n_mels, fmin_hz=low_hz, norm="none"
        )
        cut = framed(samples, n_fft=n_fft, hop_samples=HOP)[..., :frames, :]
        blocks = [apply_filters(power(spectrum(one)), filters) for one in cut.split(_BLOCK, -2)]
        banks.append(torch.cat(blocks, dim=-2) / n_fft**2)
    level = dsp.power_to_db(torch.cat(banks, dim=-1), floor=_FLOOR)
    usual = _quantile(level, 0.95)
    usual = torch.maximum(usual, usual.amax(dim=-1, keepdim=True) - 45)
    relative: Tensor = (level - usual) / 40 + 0.5
    return relative.clamp(-1.2, 1.5)


def _quantile(level: Tensor, share: float) -> Tensor:
    """Give a quantile over time [shape=(..., 1, bands)]; torch.quantile is limited in size."""
    kth = max(1, round(share * level.shape[-2]))
    return level.kthvalue(kth, dim=-2, keepdim=True).values


def envelopes(hits: Hits, frames: int) -> npt.NDArray[np.float32]:
    """Draw when and how hard hits are, whatever they sound like [shape=(frames, 2)].

    The first is a triangle of 40 ms on either side of every stroke, its height the root
    of how audible it is. The second holds the level around each stroke against how hard
    that drum is usually hit (its 90 % quantile): 1 is usual and 0 lies 12 dB below.
    """
    drawn = np.zeros((frames, ENVELOPES), np.float32)
    if not len(hits):
        return drawn
    loudest = hits.level_db.max()
    usual = np.full(int(hits.drum.max()) + 1, loudest)
    for drum in np.unique(hits.drum):
        usual[drum] = np.quantile(hits.level_db[hits.drum == drum], 0.9)
    relative = hits.level_db - usual[hits.drum]
    audible = np.sqrt(np.clip(1 - (hits.level_db - loudest) / LOWEST_DB, 0, 1))
    time_s = np.arange(frames) * HOP_S
    number = hits.strokes()
    weight = np.zeros(frames)
    level = np.zeros(frames)
    for stroke in range(int(number.max()) + 1):
        one = number == stroke
        power = 10 ** (hits.level_db[one] / 10)
        at = float((power * hits.onset_s[one]).sum() / power.sum())
        first = max(0, int((at - FADE_S) / HOP_S))
        around = slice(first, min(frames, int((at + FADE_S) / HOP_S) + 2))
        away = np.abs(time_s[around] - at)
        mark = audible[one].max() * np.clip(1 - away / REACH_S, 0, 1)
        drawn[around, 0] = np.maximum(drawn[around, 0], mark)
        hold = np.clip((FADE_S - away) / (FADE_S - HOLD_S), 0, 1)
        value = np.clip((relative[one].max() + 12) / 12, -2, 1.5)
        nearer = hold > weight[around]
        level[around] = np.where(nearer, value * hold, level[around])
        weight[around] = np.maximum(weight[around], hold)
    drawn[:, 1] = level
    return drawn
