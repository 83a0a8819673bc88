"""Every action of genre-map computes where it is told to, and the same everywhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from groove_core.plugins import loader
from groove_core.testing.devices import DEVICES, check_device
from groove_core.values import Audio

SONG = Audio(np.random.default_rng(0).normal(size=5 * 22_050) / 9, 22_050, name="song")
CASES = {
    "classify": {"sounds": [SONG]},
    "explain": {"sound": SONG},
    "sample": {"count": 1, "seed": 1},
    "map": {"cells": 4, "place": [SONG]},
    "interpolate": {"start": "blues", "end": "rock", "steps": 3, "stops": 2, "seed": 1},
}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    "action", [pytest.param(a, marks=[pytest.mark.slow] * (a == "map")) for a in CASES]
)
def test_an_action_gives_the_same_on_every_device(action, device):
    # What is heard passes through Griffin-Lim, which makes more of a difference of rounding.
    check_device("genre-map", action, device, tolerance=1e-2, **CASES[action])


def test_no_action_is_forgotten():
    roles = loader.load("genre-map").roles
    rest = {"dataset", "evaluate"}  # one without a network, one that trains
    assert {*CASES} | rest == {name for name, role in roles.items() if role != "trainer"}


@pytest.mark.gpu
def test_a_training_on_a_gpu_makes_weights_for_a_cpu(folder, tmp_path):
    from genre_map import classify, train

    torch.cuda.reset_peak_memory_stats()
    train(data=folder, into=tmp_path / "mine", epochs=1, device="cuda")
    assert torch.cuda.max_memory_allocated() > 0
    assert list(classify([SONG], checkpoint=str(tmp_path / "mine"), device="cpu"))
