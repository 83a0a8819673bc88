"""Every action of music-recsys computes where it is told to, and the same everywhere."""

from __future__ import annotations

import pytest
import torch

from groove_core.plugins import loader
from groove_core.testing.devices import DEVICES, check_device
from groove_core.values import Audio

CASES = {
    "rate": {"rating": 4},
    "learn": {},
    "score": {},
    "recommend": {"seed": 1},
    "index": {},
    "explain": {"count": 2},
}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("action", CASES)
def test_an_action_gives_the_same_on_every_device(action, device, folder, home):
    from music_recsys import rate

    first, *others = sorted(folder.glob("*.wav"))
    rate(first, 5)
    options = {
        "rate": {"sound": others[0]},
        "score": {"sounds": [Audio.read(one) for one in others[:2]]},
        "recommend": {"songs": folder},
        "index": {"songs": folder, "into": home / "catalogue", "restart": True, "jobs": 1},
        "explain": {"sounds": [Audio.read(one) for one in others[:2]]},
    }.get(action, {})
    # Passages are kept in 16 bits, which may differ by one.
    check_device("music-recsys", action, device, tolerance=1e-2, **CASES[action], **options)


def test_no_action_is_forgotten():
    roles = loader.load("music-recsys").roles
    rest = {"dataset", "probe", "evaluate"}  # without a network, on a CPU only, and long
    assert {*CASES} | rest == {name for name, role in roles.items() if role != "trainer"}


@pytest.mark.gpu
def test_a_training_on_a_gpu_makes_weights_for_a_cpu(folder, tmp_path):
    from music_recsys import explain, train

    torch.cuda.reset_peak_memory_stats()
    train([folder], into=tmp_path / "mine", epochs=1, batch_size=4, device="cuda")
    assert torch.cuda.max_memory_allocated() > 0
    assert explain(
        sorted(folder.glob("*.wav"))[:2], count=1, checkpoint=str(tmp_path / "mine")
    ).units
