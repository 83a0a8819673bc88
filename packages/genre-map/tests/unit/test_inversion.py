"""What is made audible looks like what was seen."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genre_map.inversion import corrected, invert
from genre_map.pictures import LAYOUTS, to_windows
from genre_map.vocoder.model import spread
from groove_core.dsp import griffin_lim, stft
from groove_core.values import Audio

LAYOUT = LAYOUTS["ours"]


def sound(beats_s: float, seed: int) -> np.ndarray:
    """Make four seconds of a chord that swells, and of noisy beats."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(4 * 22_050) / 22_050
    chord = sum(np.sin(2 * np.pi * pitch * time_s) for pitch in rng.uniform(100, 2000, 4))
    beats = rng.normal(size=len(time_s)) * np.exp(-30 * (time_s % beats_s))
    return 0.1 * chord * (1 + np.sin(time_s)) + 0.2 * beats


def away(layout, sounds, windows):
    """Measure how far sounds are from spectrograms, in decibels, whatever their level."""
    seen = torch.stack([layout.of(torch.nn.functional.pad(one, (0, 1))) for one in sounds])
    gap = 80 * (seen[..., : windows.shape[-1]] - windows)
    return float((gap - gap.mean(dim=(1, 2, 3), keepdim=True)).square().mean().sqrt())


@pytest.fixture(scope="module")
def windows():
    return torch.stack([
        to_windows(LAYOUT.of(Audio(sound(0.3 + 0.1 * number, number), 22_050)), LAYOUT)[0]
        for number in range(3)
    ])  # fmt: skip


def test_corrections_bring_sounds_nearer(windows):
    plain, better = (invert(windows, LAYOUT, iterations=8, corrections=n) for n in (0, 4))
    assert away(LAYOUT, better, windows) < 0.9 * away(LAYOUT, plain, windows)


def test_right_sounds_stay_as_they_are(windows):
    samples = torch.tensor(sound(0.5, 1)[: 128 * 512 - 1], dtype=torch.float32)[None]
    wanted = LAYOUT.feature(samples).unflatten(-2, (2, 64))
    found = corrected(samples, wanted, LAYOUT)
    before, after = (stft(one)[..., 2:-2].abs() for one in (samples, found))
    assert float((after - before).norm() / before.norm()) < 0.02


def test_silence_and_any_leading_dimensions():
    nothing = torch.zeros(2, 64, 128)
    assert invert(nothing, LAYOUT, iterations=1, corrections=2).shape == (128 * 512 - 1,)
    assert float(invert(nothing[None, None], LAYOUT, iterations=1).abs().max()) == 0


def test_another_seed_is_another_sound_of_the_same_spectrogram(windows):
    one, other = (invert(windows[:1], LAYOUT, iterations=4, seed=seed) for seed in (0, 1))
    assert float((one - other).abs().max()) > 0.01
    assert one.isfinite().all()


def test_spreading_keeps_what_is_even():
    filters = LAYOUT.feature.filters.float()
    found = spread(torch.full((64, 2), 3.0), filters)
    inside = filters.sum(dim=0) > 0
    torch.testing.assert_close(found[inside], torch.full_like(found[inside], 3.0))
    assert float(found[~inside].abs().max()) == 0
    assert griffin_lim(found, iterations=0).isfinite().all()
