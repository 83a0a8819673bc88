"""Every action of groove-vae computes where it is told to, and the same everywhere."""

from __future__ import annotations

import pytest
import torch

from groove_core.drums import DrumPattern
from groove_core.plugins import loader
from groove_core.testing.devices import DEVICES, check_device

PART = DrumPattern.from_masks([5, 0, 4, 0, 6, 0, 4, 0] * 4).to_score()
CASES = {
    "humanize": {"score": PART, "seed": 1},
    "compare": {"played": PART},
}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("action", CASES)
def test_an_action_gives_the_same_on_every_device(action, device):
    # Notes lie on ticks: one in a hundred may be rounded to the next, of thousands.
    check_device("groove-vae", action, device, tolerance=1e-3, **CASES[action])


def test_no_action_is_forgotten():
    roles = loader.load("groove-vae").roles
    rest = {"quantize", "transfer", "fingerprint", "evaluate"}  # three without a network, one long
    assert {*CASES} | rest == {name for name, role in roles.items() if role != "trainer"}


@pytest.mark.gpu
def test_a_training_on_a_gpu_makes_weights_for_a_cpu(folder, tmp_path):
    from groove_vae import humanize, train

    torch.cuda.reset_peak_memory_stats()
    train(model="symbolic", data=folder, into=tmp_path / "mine", epochs=1, device="cuda")
    assert torch.cuda.max_memory_allocated() > 0
    assert humanize(PART, checkpoint=str(tmp_path / "mine"), device="cpu").tracks
