"""From sounds to instruments."""

from __future__ import annotations

import importlib.util
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from gansynth_lite.encoding import find_instruments, to_note
from gansynth_lite.layout import LAYOUTS
from gansynth_lite.model import GANSynth
from gansynth_lite.progressive import ProgressiveGAN
from groove_core.errors import InputError
from groove_core.values import Audio

spec = importlib.util.spec_from_file_location(
    "notes_of_tests", Path(__file__).parents[1] / "conftest.py"
)
made = importlib.util.module_from_spec(spec)
spec.loader.exec_module(made)

SMALL = LAYOUTS["small"]


def test_a_sound_becomes_a_note_at_its_pitch():
    tone = made.tone(57, 40_000)
    late = np.concatenate([np.zeros(3_000), 0.2 * tone])
    samples, pitch, *_ = to_note(Audio(np.stack([late, late]), 16_000), SMALL, None, "tone")
    assert samples.shape == (SMALL.samples,)
    assert samples.abs().max() == pytest.approx(1, abs=1e-3)
    assert pitch == pytest.approx(57, abs=0.05)
    assert abs(samples[:200]).max() > 0.1  # the silence before it is gone
    assert to_note(Audio(late, 16_000), SMALL, 45.0, "tone").pitch == 45.0
    other = Audio(0.2 * tone, 16_000).resampled(44_100)
    assert to_note(other, SMALL, None, "tone")[1] == pytest.approx(57, abs=0.05)


def test_what_is_heard_settles_what_a_name_says():
    sound = Audio(0.2 * made.tone(57, 40_000), 16_000)
    for named, pitch in ((57, 57), (47, 57), (45, 57), (None, 57)):
        assert to_note(sound, SMALL, None, "tone", named=named)[1] == pytest.approx(pitch, abs=0.05)
    noise = Audio(np.random.default_rng(0).normal(size=16_000).clip(-3, 3) / 4, 16_000)
    assert to_note(noise, SMALL, None, "snare", named=50)[1] == 50


def test_silence_and_noise_are_no_notes():
    with pytest.raises(InputError, match="silent"):
        to_note(Audio(np.zeros(9_000), 16_000), SMALL, None, "nothing")
    noise = np.random.default_rng(0).normal(size=16_000).clip(-3, 3) / 4
    with pytest.raises(InputError, match="No pitch"):
        to_note(Audio(noise, 16_000), SMALL, None, "noise")


@pytest.mark.parametrize("network", ["ours", "paper"])
def test_a_search_comes_nearer(network):
    torch.manual_seed(0)
    model = (
        GANSynth(asdict(SMALL), width=4, most=16, code=16)
        if network == "ours"
        else ProgressiveGAN(asdict(SMALL), most=8, code=16)
    ).eval()
    z = torch.randn(2, 16, generator=torch.Generator().manual_seed(1))
    pitch = torch.tensor([55.0, 60.0])
    with torch.no_grad():
        wanted = SMALL.to_samples(model(model.instruments(z, torch.zeros(2, 0)), pitch))
    pictures = SMALL.to_pictures(wanted)

    def away(w):
        with torch.no_grad():
            return (model(w, pitch)[:, 0] - pictures[:, 0]).abs().mean(dim=(1, 2))

    first = find_instruments(model, wanted, pitch, seed=3)
    found = find_instruments(model, wanted, pitch, steps=12, seed=3)
    assert (away(found) <= away(first)).all()
    assert away(found).mean() < away(first).mean()
    assert torch.allclose(found.square().mean(dim=1), torch.ones(2), atol=1e-3)
    assert torch.equal(found, find_instruments(model, wanted, pitch, steps=12, seed=3))
