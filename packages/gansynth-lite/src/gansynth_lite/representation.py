"""What spectrograms keep of notes: the best that any generator of them can do."""

from __future__ import annotations

from dataclasses import replace

import torch

from gansynth_lite.evaluation import batches, check, median
from gansynth_lite.layout import Layout
from gansynth_lite.metrics import signal_to_noise, spectral_convergence
from gansynth_lite.notes import Notes
from groove_core.console import track
from groove_core.learning import about_intervals
from groove_core.values import Cell, Report

__all__ = ["round_trip"]


@torch.no_grad()
def round_trip(
    notes: Notes, layout: Layout, *, count: int = 64, refine: int = 16, seed: int = 0
) -> Report:
    """Measure what spectrograms keep of notes, at either scale.

    Parameters
    ----------
    notes : Notes
    layout : Layout
        Both of its scales are measured.
    count : int
        Notes, drawn at random.
    refine : int
        Rounds of Griffin-Lim for the rows that have some.
    seed : int

    Raises
    ------
    UsageError
        If the notes have another length or sample rate.
    """
    check(layout, notes, {})
    generator = torch.Generator().manual_seed(seed)
    some = torch.randperm(len(notes), generator=generator)[:count]
    rows: list[tuple[Cell, ...]] = []
    for scale in ("linear", "mel"):
        of = replace(layout, scale=scale)
        for rounds in (0, refine):
            noise, convergence = [], []
            for at in track(batches(some), f"there and back: {scale}"):
                samples = notes.sounds(at)
                made = of.to_samples(of.to_pictures(samples), refine=rounds)
                noise.append(signal_to_noise(samples, made))
                convergence.append(spectral_convergence(samples, made))
            level, away = (torch.cat(one).double().numpy() for one in (noise, convergence))
            row = f"{scale}, {rounds} rounds of Griffin-Lim" if rounds else scale
            rows.append((row, median(level), level.min(), median(away), away.max()))
    return Report(
        f"{len(some)} notes as pictures and back",
        ("", "SNR, median [dB]", "SNR, lowest [dB]", "spectral convergence, median", "highest"),
        tuple(rows),
        notes=(
            "spectral convergence: difference of magnitude spectrograms over the whole; 0: equal.",
            about_intervals("notes"),
        ),
    )
