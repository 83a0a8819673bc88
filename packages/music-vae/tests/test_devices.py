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
    "evaluate": {"about": "reconstruction", "seed": 1},
    "decode": {**WRITING, "codes": Codes(np.linspace(-1, 1, 12).reshape(2, 6))},
}
WITHOUT = {"dataset", "map", "trace"}
"""The second loads its network as the others do; the first and the last have none."""


@pytest.fixture(scope="module")
def data(tunes, tmp_path_factory) -> str:
    return str(tunes.save(tmp_path_factory.mktemp("data") / "tunes.npz"))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("action", CASES)
def test_an_action_gives_the_same_on_every_device(action, device, tiny, data):
    more = {"data": data} if action == "evaluate" else {}
    options = {**CASES[action], **more, "checkpoint": str(tiny["mel-2bar"])}
    check_device("music-vae", action, device, tolerance=1e-4, **options)


def test_no_action_is_forgotten():
    roles = loader.load("music-vae").roles
    assert {*CASES} | WITHOUT == {name for name, role in roles.items() if role != "trainer"}


@pytest.mark.parametrize("about", ["interpolation", "samples", "attributes"])
def test_measuring_computes_where_it_is_told_to(about, tiny, data, monkeypatch):
    monkeypatch.setattr("music_vae.shifting.NEIGHBOURS", 8)
    monkeypatch.setattr("music_vae.shifting.PLACES", 4)
    check_device(
        "music-vae", "evaluate", "cpu:0", about=about, count=2, seed=1, data=data,
        checkpoint=str(tiny["mel-2bar"]),
    )  # fmt: skip


@pytest.mark.gpu
def test_adapting_on_a_gpu_makes_weights_for_a_cpu(tiny, data, tunes, tmp_path, monkeypatch):
    from pathlib import Path

    import torch

    from music_vae import adapt, adapting, sample

    monkeypatch.setattr("music_vae.sets._shipped", lambda name, kind: tunes)
    monkeypatch.setattr(adapting, "SAMPLES", 4)
    torch.cuda.reset_peak_memory_stats()
    adapt(
        Path(data), into=tmp_path / "mine", epochs=2, device="cuda",
        checkpoint=str(tiny["mel-2bar"]),
    )  # fmt: skip
    assert torch.cuda.max_memory_allocated() > 0
    made = sample(count=1, checkpoint=str(tmp_path / "mine"), device="cpu")
    assert len(list(made)) == 1
