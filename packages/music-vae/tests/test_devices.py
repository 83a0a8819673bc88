"""Every action of music-vae computes where it is told to, and the same everywhere."""

from __future__ import annotations

import numpy as np
import pytest

from groove_core.plugins import loader
from groove_core.testing.devices import DEVICES, check_device
from groove_core.values import Codes, Melody

TUNE = Melody.from_text("M:4/4 L:1/16 " + "C4 - E4 - G4 - . . " * 4).to_score()
OTHER = Melody.from_text("M:4/4 L:1/16 " + "A4 - . . F4 - D4 - " * 4).to_score()
# At 0 the likeliest notes are written, which do not hang on how a number is rounded.
WRITING = {"seed": 1, "temperature": 0.0}
CASES = {
    "sample": {**WRITING, "count": 2},
    "interpolate": {**WRITING, "start": TUNE, "end": OTHER, "steps": 2},
    "cross": {**WRITING, "first": TUNE, "second": OTHER},
    "vary": {**WRITING, "piece": TUNE, "count": 2},
    "shift": {**WRITING, "piece": TUNE, "attribute": "register", "steps": 2},
    "encode": {"pieces": [TUNE, OTHER]},
    "decode": {**WRITING, "codes": Codes(np.linspace(-1, 1, 12).reshape(2, 6))},
}
WITHOUT = {"dataset", "evaluate", "map", "trace"}
"""The second and the third load as the others do; the first and the last have no network."""


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("action", CASES)
def test_an_action_gives_the_same_on_every_device(action, device, tiny):
    options = {**CASES[action], "checkpoint": str(tiny["mel-2bar"])}
    check_device("music-vae", action, device, tolerance=1e-4, **options)


def test_no_action_is_forgotten():
    roles = loader.load("music-vae").roles
    assert {*CASES} | WITHOUT == {name for name, role in roles.items() if role != "trainer"}
