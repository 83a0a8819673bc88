"""From spectrograms back to sound, so that what is heard looks like what was seen.

A vocoder, or the spectra with the least energy, give magnitudes, and `griffin_lim` a sound
(Perraudin, Balazs and Søndergaard, WASPAA 2013). That sound is analysed again: wherever a band
of its harmonic or percussive part is too loud or too soft, the bins of that part are corrected,
and phases are found anew, from those that the sound has.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genre_map.pictures import Layout
from genre_map.vocoder import packaged_for
from genre_map.vocoder.model import spread
from groove_core.dsp import griffin_lim, hpss, mel_to_power, stft
from groove_core.dsp.stft import magnitude as magnitude_of

__all__ = ["CORRECTIONS", "corrected", "invert"]

CORRECTIONS = 6
LIMIT = 4.0
"""By how much a band is corrected at once: 12 dB."""
FAINT = 1e-4
"""80 dB below the loudest point: what is fainter need not be corrected."""
FIRST, ALONE = 8, 32
"""Rounds of the Griffin-Lim algorithm before corrections, and without any. Thirty-two
rounds, and eight after each correction, come hardly nearer to spectrograms (4.4 dB for 4.6), in
nearly three times the time."""
PHASES = 2
"""Rounds after a correction."""


def invert(
    pictures: Tensor,
    layout: Layout,
    *,
    iterations: int | None = None,
    corrections: int = CORRECTIONS,
    seed: int = 0,
) -> Tensor:
    """Make a sound of each spectrogram in decibels, with both parts.

    The packaged vocoder restores the fine structure of the spectra. Layouts that it has not
    learnt get the spectra with the least energy.

    Parameters
    ----------
    pictures : Tensor [shape=(..., parts, n_mels, frames)]
    layout : Layout
    iterations : int, optional
        Of the Griffin-Lim algorithm, before the sound is corrected (default: 8, or 32 where it is
        not).
    corrections : int
    seed : int
        Of the random phases that it begins with.

    Returns
    -------
    Tensor [shape=(..., samples)]
    """
    corrections = corrections if layout.separated else 0
    if iterations is None:
        iterations = FIRST if corrections else ALONE
    leading, windows = pictures.shape[:-3], pictures.reshape(-1, *pictures.shape[-3:])
    wanted = layout.linear(windows)
    vocoder = packaged_for(layout, str(pictures.device))
    if vocoder is not None:
        magnitudes = vocoder.magnitudes(windows)
    else:
        # Few steps: what a network drew has no exact spectrogram to be found.
        magnitudes = mel_to_power(wanted.sum(dim=1), layout.feature.filters, iterations=12)
    # One sample less than the next frame would need: as much sound as the frames have.
    length = windows.shape[-1] * layout.hop_samples - 1
    sound = griffin_lim(
        magnitudes, hop_samples=layout.hop_samples, iterations=iterations, seed=seed, length=length
    )
    for _ in range(corrections):
        sound = corrected(sound, wanted, layout)
    return sound.reshape(*leading, -1)


def corrected(sound: Tensor, wanted: Tensor, layout: Layout) -> Tensor:
    """Bring the mel bands of the parts of sounds nearer to those that are wanted.

    Parameters
    ----------
    sound : Tensor [shape=(n, samples)]
    wanted : Tensor [shape=(n, 2, n_mels, frames), linear]

    Returns
    -------
    Tensor [shape=(n, samples)]
    """
    filters = layout.feature.filters.to(wanted)
    spectrum = stft(sound, n_fft=layout.n_fft, hop_samples=layout.hop_samples)
    magnitude = magnitude_of(spectrum)
    masks = torch.stack(hpss(magnitude, mask=True), dim=1)
    found = filters @ (masks * magnitude[:, None])
    level = wanted.sum(dim=(1, 2, 3), keepdim=True) / found.sum(dim=(1, 2, 3), keepdim=True)
    level = level.nan_to_num(1.0, posinf=1.0)  # of silence there is nothing to correct
    ratio = ((wanted + FAINT) / (level * found + FAINT)).clamp(1 / LIMIT, LIMIT)
    gain = (masks * spread(ratio, filters)).sum(dim=1)
    return griffin_lim(
        level[:, 0] * gain * magnitude, hop_samples=layout.hop_samples, iterations=PHASES,
        phase=spectrum, length=sound.shape[-1],
    )  # fmt: skip
