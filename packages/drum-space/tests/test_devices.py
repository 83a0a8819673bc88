"""Every action of drum-space computes where it is told to, and the same everywhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from groove_core.drums import DrumPattern
from groove_core.plugins import loader
from groove_core.testing.devices import DEVICES, check_device
from groove_core.values import Codes

ROCK = DrumPattern.from_masks([5, 0, 4, 0, 6, 0, 4, 0] * 4)
OTHER = DrumPattern.from_masks([1, 0, 4, 1, 2, 0, 4, 0] * 4)
POINTS = Codes(np.linspace(-1, 1, 12).reshape(3, 4), model="acai")
CASES = {
    "sample": {"count": 3, "seed": 1, "genre": "funk"},
    "interpolate": {"start": ROCK, "end": OTHER, "steps": 2},
    "vary": {"beat": ROCK, "count": 3, "seed": 1},
    "encode": {"beats": [ROCK.to_score(), OTHER.to_score()]},
    "decode": {"codes": POINTS},
    # At 0 the likeliest notes are played, which do not hang on how a number is rounded.
    "compose": {"beat": ROCK, "bars": 2, "form": "AB", "takes": 1, "temperature": 0, "seed": 1},
}
LONG = {"map", "evaluate", "dataset"}
"""The first two load as the others do; the last has no network."""


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("action", CASES)
def test_an_action_gives_the_same_on_every_device(action, device):
    check_device("drum-space", action, device, tolerance=1e-4, **CASES[action])


def test_no_action_is_forgotten():
    roles = loader.load("drum-space").roles
    assert {*CASES} | LONG == {name for name, role in roles.items() if role != "trainer"}


@pytest.mark.gpu
def test_a_training_on_a_gpu_makes_weights_for_a_cpu(beats, tmp_path):
    from drum_space import sample, train

    torch.cuda.reset_peak_memory_stats()
    train(data=beats, into=tmp_path / "mine", epochs=1, batch_size=64, device="cuda")
    assert torch.cuda.max_memory_allocated() > 0
    assert len(list(sample(count=2, checkpoint=str(tmp_path / "mine"), device="cpu"))) == 2
