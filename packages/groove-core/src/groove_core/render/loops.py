"""Beats as sound that loops: as long as its bars, with what rings over the end at the beginning."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from groove_core.drums.grid import STEPS_PER_BAR, TICKS_PER_STEP, marked_span
from groove_core.drums.pattern import DrumPattern
from groove_core.render.soundfont import render
from groove_core.values.sound.audio import Audio

__all__ = ["render_loop", "save_loop"]

RING_S = 3.0
"""How long what was played before may ring into the loop."""
SEAM_S = 0.01
"""How long the sound behind the end fades into that of the beginning."""


def render_loop(beat: DrumPattern, *, peak_dbfs: float = -1.0) -> Audio:
    """Play a beat as a drummer who does not stop, and cut one round out.

    What rings over the end is heard at the beginning, a hit before the first beat at the end, and
    the last sample leads to the first.

    Parameters
    ----------
    beat : DrumPattern
    peak_dbfs : float
        Level of the loudest sample.

    Returns
    -------
    Audio
        Stereo, as long as the bars to half a sample.

    Raises
    ------
    InputError
        If there is no soundfont, or the beat lasts too long to be rendered.
    """
    bar_s = 4 * round(6e7 / beat.tempo_bpm) / 1e6
    ahead = math.ceil(RING_S / bar_s)
    rounds = [beat.slice_bars(bar % beat.bars, 1) for bar in range(-ahead, beat.bars + 1)]
    score = DrumPattern.join(rounds).to_score()
    start, _ = marked_span(score)
    sound = render(score)
    rate = sound.sample_rate
    first = round((start / (STEPS_PER_BAR * TICKS_PER_STEP) + ahead) * bar_s * rate)
    length, seam = round(beat.bars * bar_s * rate), round(SEAM_S * rate)
    samples = sound.samples[:, first : first + length].copy()
    behind = sound.samples[:, first + length :][:, : min(seam, length)]
    fade = np.linspace(1, 0, behind.shape[1], dtype=np.float32)
    samples[:, : len(fade)] += fade * (behind - samples[:, : len(fade)])
    return Audio(samples, rate).normalized(peak_dbfs)


def save_loop(beat: DrumPattern, path: Path) -> None:
    """Play a beat with `render_loop`, and write the sound."""
    render_loop(beat).save(path)
