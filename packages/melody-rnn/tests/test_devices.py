"""Every action of melody-rnn computes where it is told to, and the same everywhere."""

from __future__ import annotations

import pytest
import torch

from groove_core.plugins import loader
from groove_core.testing.devices import DEVICES, check_device

PHRASE = "C4 - - - E4 - - - G4 - A4 - G4 - - - | F4 - - - E4 - - - D4 - - - C4 - - -"
# At 0 the likeliest notes are written, which do not hang on how a number is rounded.
WRITING = {"seed": 1, "count": 2, "temperature": 0.0}
CASES = {
    "sample": {**WRITING, "bars": 2, "chords": "C | G"},
    "extend": {**WRITING, "primer": PHRASE, "bars": 2},
    "fill": {**WRITING, "melody": f"{PHRASE} | C4 - - - - - - - - - - - - - - -", "bars": "2"},
    "vary": {**WRITING, "melody": PHRASE, "keep": "rhythm"},
    "evaluate": {"about": "bits", "seed": 1},
}
WITHOUT = {"trace", "dataset"}
"""They have no network."""


@pytest.fixture(scope="module")
def data(tunes_of, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("data") / "tunes.npz"
    tunes_of(["train"] * 2 + ["validation", "test"], bars=4).save(path)
    return str(path)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("action", CASES)
def test_an_action_gives_the_same_on_every_device(action, device, tiny, data):
    more = {"data": data} if action == "evaluate" else {}
    options = {**CASES[action], **more, "checkpoint": str(tiny["transformer"])}
    check_device("melody-rnn", action, device, tolerance=1e-4, **options)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", ["basic", "lookback", "attention"])
def test_the_originals_give_the_same_on_every_device(kind, device, tiny, data):
    options = {"checkpoint": str(tiny[kind])}
    check_device("melody-rnn", "extend", device, **CASES["extend"], **options)
    check_device(
        "melody-rnn", "evaluate", device, tolerance=1e-4, data=data, **CASES["evaluate"], **options
    )


@pytest.mark.parametrize("about", ["fill", "chords", "melodies"])
def test_measuring_computes_where_it_is_told_to(about, tiny, tunes_of, tmp_path, monkeypatch):
    monkeypatch.setattr("melody_rnn.samples.BARS", 8)
    tunes_of(["train", "validation", "test", "test"], bars=8, chords=True).save(tmp_path / "t.npz")
    check_device(
        "melody-rnn", "evaluate", "cpu:0", about=about, count=2, seed=1,
        data=str(tmp_path / "t.npz"), checkpoint=str(tiny["transformer"]),
    )  # fmt: skip


def test_no_action_is_forgotten():
    roles = loader.load("melody-rnn").roles
    assert {*CASES} | WITHOUT == {name for name, role in roles.items() if role != "trainer"}


@pytest.mark.gpu
@pytest.mark.parametrize("model", ["transformer", "attention"])
def test_a_training_on_a_gpu_makes_weights_for_a_cpu(model, tunes_of, tmp_path):
    from melody_rnn import sample, train

    tunes_of(["train"] * 8 + ["validation", "test"], bars=32).save(tmp_path / "t.npz")
    torch.cuda.reset_peak_memory_stats()
    train(
        data=tmp_path / "t.npz", model=model, into=tmp_path / "mine", epochs=1, batch_size=4,
        size=32, layers=2, device="cuda",
    )  # fmt: skip
    assert torch.cuda.max_memory_allocated() > 0
    made = sample(count=1, bars=1, checkpoint=str(tmp_path / "mine"), device="cpu")
    assert len(list(made)) == 1


@pytest.mark.gpu
def test_adapting_on_a_gpu_makes_weights_for_a_cpu(tiny, tunes_of, tmp_path, monkeypatch):
    from melody_rnn import adapt, adapting, sample

    before = tunes_of(["train"] * 4 + ["validation"], corpus="before", seed=8)
    monkeypatch.setattr("melody_rnn.tunes.shipped", lambda: before)
    monkeypatch.setattr(adapting, "SAMPLES", 2)
    tunes_of(["train"] * 12).save(tmp_path / "t.npz")
    torch.cuda.reset_peak_memory_stats()
    adapt(
        tmp_path / "t.npz", into=tmp_path / "mine", epochs=2, device="cuda",
        checkpoint=str(tiny["transformer"]),
    )  # fmt: skip
    assert torch.cuda.max_memory_allocated() > 0
    made = sample(count=1, bars=1, checkpoint=str(tmp_path / "mine"), device="cpu")
    assert len(list(made)) == 1
