"""Every action of groove-vae computes where it is told to, and the same everywhere."""

from __future__ import annotations

import pytest

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
