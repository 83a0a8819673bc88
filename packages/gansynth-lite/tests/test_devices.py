"""Every action of gansynth-lite computes where it is told to, and the same everywhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from groove_core.plugins import loader
from groove_core.testing.devices import DEVICES, check_device
from groove_core.values import Audio, Score, Track

TONE = Audio(np.sin(np.arange(16_000) * 0.1) * np.exp(-np.arange(16_000) / 4000), 16_000)
SCORE = Score((Track(np.array([[0, 240, 60, 90], [240, 240, 64, 90]])),))
CASES = {
    "sample": {"count": 2, "seed": 1},
    "render": {"score": SCORE, "seed": 1},
    "interpolate": {"start": TONE, "steps": 2, "seed": 1},
    "encode": {"sounds": [TONE]},
    "export": {"low": "C3", "high": "D3", "seed": 1},
}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("action", CASES)
def test_an_action_gives_the_same_on_every_device(action, device):
    # Phases are sums of frequencies over time, which add up differences of rounding.
    check_device("gansynth-lite", action, device, tolerance=1e-2, **CASES[action])


def test_no_action_is_forgotten():
    roles = loader.load("gansynth-lite").roles
    rest = {"evaluate"}  # of minutes; it loads as the others do
    assert {*CASES} | rest == {name for name, role in roles.items() if role != "trainer"}


@pytest.mark.gpu
def test_a_training_on_a_gpu_makes_weights_for_a_cpu(folder, tmp_path):
    from gansynth_lite import sample, train

    torch.cuda.reset_peak_memory_stats()
    train(folder, into=tmp_path / "mine", epochs=1, batches=2, batch_size=4, width=2, device="cuda")
    assert torch.cuda.max_memory_allocated() > 0
    assert len(list(sample(count=1, checkpoint=str(tmp_path / "mine"), device="cpu"))) == 1
