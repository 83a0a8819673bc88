"""Pictures of notes hold all of their sound, and harmonics lie where the maps say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gansynth_lite.layout import LAYOUTS, MAPS, Layout
from groove_core.dsp import stft
from groove_core.errors import UsageError

RATE = 16_000


def notes(layout: Layout, pitches=(33, 48, 60, 72, 84), decay=1.0) -> torch.Tensor:
    time_s = np.arange(layout.samples) / RATE
    made = []
    for pitch in pitches:
        f0 = 440 * 2 ** ((pitch - 69) / 12)
        one = sum(np.sin(2 * np.pi * f0 * k * time_s + k) / k for k in range(1, int(7500 / f0) + 1))
        one *= np.exp(-decay * time_s) * np.minimum(1, time_s / 0.01)
        one[-1600:] *= np.linspace(1, 0, 1600)
        made.append(one / abs(one).max())
    return torch.tensor(np.array(made), dtype=torch.float32)


def snr(wanted, got):
    return 10 * torch.log10(wanted.square().sum(1) / (wanted - got).square().sum(1))


def test_sizes_are_those_of_the_paper():
    full = LAYOUTS["full"]
    assert (full.samples, full.bins, full.frames, full.duration_s) == (64_000, 1024, 128, 4.0)
    small = LAYOUTS["small"]
    assert small.to_pictures(notes(small)).shape == (5, 2, 512, 64)


def test_linear_pictures_give_the_sound_back():
    full = LAYOUTS["full"]
    sounds = notes(full)
    pictures = full.to_pictures(sounds)
    assert pictures.abs().max() <= 1.0 + 1e-5
    assert snr(sounds, full.to_samples(pictures)).min() > 39


def test_frequency_is_nothing_where_nothing_is_heard():
    full = LAYOUTS["full"]
    pictures = full.to_pictures(notes(full, decay=8.0))
    quiet = pictures[:, 0] < -0.8
    assert quiet.float().mean() > 0.5
    assert torch.all(pictures[:, 1][quiet] == 0)
    assert torch.equal(full.heard(pictures), pictures)
    assert torch.all(full.to_pictures(torch.zeros(1, full.samples))[:, 1] == 0)


def test_a_partial_is_a_ramp_that_crosses_zero_at_its_frequency():
    full = LAYOUTS["full"]
    time_s = torch.arange(full.samples, dtype=torch.float64) / RATE
    bin_hz = RATE / full.n_fft
    frequency = 100.3 * bin_hz
    pictures = full.to_pictures(torch.sin(2 * torch.pi * frequency * time_s).float()[None])
    ramp = pictures[0, 1, 98:102, 40:80].mean(dim=1)  # bins 99 to 102
    assert torch.allclose(ramp, torch.tensor([0.65, 0.15, -0.35, -0.85]), atol=0.01)


@pytest.mark.parametrize("pitch", [40, 57, 69, 80])
def test_harmonics_lie_where_the_maps_say(pitch):
    full = LAYOUTS["full"]
    picture = full.to_pictures(notes(full, [pitch]))[0]
    maps = full.harmonics(torch.tensor([float(pitch)]))[0, :, :, 0]
    loud = (maps[0] > 0.95) & (torch.arange(full.bins) < 400)
    assert picture[0, loud, 30].min() > 0  # loud where lobes are
    away = (picture[1, loud, 30:60].mean(dim=1) - maps[1, loud]).abs()
    assert away.max() < 0.05  # and of the frequency that the ramp says


def test_pitches_between_keys_and_glides():
    full = LAYOUTS["full"]
    still = full.harmonics(torch.tensor([60.0]))
    assert still.shape == (1, MAPS, 1024, 1)
    glide = full.harmonics(torch.linspace(60, 62, full.frames)[None])
    assert glide.shape == (1, MAPS, 1024, 128)
    assert torch.allclose(glide[..., :1], still)


def test_mel_keeps_the_magnitudes_and_refinement_helps():
    mel = Layout(scale="mel")
    sounds = notes(mel, (48, 72))
    spectrum = stft(sounds).abs()

    def away(made):
        return ((stft(made).abs() - spectrum).norm() / spectrum.norm()).item()

    pictures = mel.to_pictures(sounds)
    assert pictures.shape == (2, 2, 1024, 128)
    rough, refined = (away(mel.to_samples(pictures, refine=rounds)) for rounds in (0, 16))
    assert refined < 0.05 < rough < 0.5
    assert mel.harmonics(torch.tensor([60.0])).shape == (1, MAPS, 1024, 1)


def test_settings_that_make_no_sense():
    with pytest.raises(UsageError):
        Layout(frames=4)
    with pytest.raises(UsageError):
        Layout(n_fft=100)
    with pytest.raises(UsageError):
        Layout(scale="bark")
