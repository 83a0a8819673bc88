"""Networks that learn notes, and trainings that can be interrupted."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from gansynth_lite.layout import Layout
from gansynth_lite.training import GANTask, Settings, difference, one_hot, sounds, train
from groove_core.learning.before import Shard, fit, launch

spec = importlib.util.spec_from_file_location(
    "notes_of_tests", Path(__file__).parents[1] / "conftest.py"
)
made = importlib.util.module_from_spec(spec)
spec.loader.exec_module(made)

TINY = Layout(n_fft=256, frames=16)
SETTINGS = {"width": 4, "most": 16, "batches": 4, "batch_size": 8}


@pytest.fixture(scope="module")
def notes():
    return made.made_up(TINY)


def test_pairs_are_of_one_instrument_and_families_alike_often(notes):
    uneven = notes.only(np.r_[0:36, 36:40])  # 22 of one family, 18 of the other
    task = GANTask(Settings(TINY, batches=50, batch_size=16, width=4, most=16), uneven, 1)
    pairs = torch.cat(list(task.batches(torch.Generator().manual_seed(0))))
    assert (uneven.instruments[pairs[:, 0]] == uneven.instruments[pairs[:, 1]]).all()
    assert (pairs[:, 0] != pairs[:, 1]).float().mean() > 0.8


def test_unknown_families_count_for_all():
    rows = one_hot(torch.tensor([1, -1]), 4)
    assert rows.tolist() == [[0, 1, 0, 0], [0.25] * 4]
    assert one_hot(torch.tensor([0, -1]), 0).shape == (2, 0)


def test_difference_of_equal_and_of_turned_frequencies(notes):
    real = TINY.to_pictures(notes.sounds(torch.arange(4)))
    assert all(float(one) == 0 for one in difference(real, real))
    turned = real.clone()
    turned[:, 1] += 2.0 * (real[:, 1] != 0)  # a whole turn
    assert float(difference(turned, real)[1]) == pytest.approx(0, abs=1e-5)
    louder = real.clone()
    louder[:, 0] += 0.1
    assert float(difference(louder, real)[0]) == pytest.approx(0.1, abs=1e-5)


def test_a_step_changes_what_it_should(notes):
    task = GANTask(Settings(TINY, **SETTINGS), notes, 1)
    before = {n: [p.clone() for p in m.parameters()] for n, m in task.modules.items()}
    generator = torch.Generator().manual_seed(1)
    fabric = launch("cpu")
    losses = task.step(fabric, task.batches(generator)[0], Shard(fabric, generator), 0.0)
    assert all(torch.isfinite(v).all() for v in losses.values())
    for name, module in task.modules.items():
        moved = [
            bool((p != q).any()) for p, q in zip(module.parameters(), before[name], strict=True)
        ]
        assert np.mean(moved) > 0.7, name


def test_it_learns_notes(notes):
    """Notes of an instrument are made from another of its notes, ever more like the real ones."""
    settings = Settings(TINY, width=8, most=32, batches=16, batch_size=8, epochs=12)
    _, history = train(notes, settings, seed=1, device="cpu")
    assert history[-1]["magnitude"] < 0.5 * history[0]["magnitude"]
    assert history[-1]["frequency"] < history[0]["frequency"]


def test_the_same_seed_gives_the_same_weights_and_resuming_goes_on(notes, tmp_path):
    settings = Settings(TINY, **SETTINGS, epochs=3)
    whole, history = train(notes, settings, seed=2, device="cpu", folder=tmp_path / "a")

    class Interrupted(GANTask):
        def batches(self, generator):
            if self.seen == 2:
                raise KeyboardInterrupt
            self.seen += 1
            return super().batches(generator)

    task = Interrupted(settings, notes, 2)
    task.seen = 0
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("groove_core.learning.before.STORE_EVERY_S", 0.0)
        fit(launch("cpu"), task, epochs=3, folder=tmp_path / "b", seed=2)
    again, resumed = train(
        notes, settings, seed=2, device="cpu", folder=tmp_path / "b", resume=True
    )
    assert [e["epoch"] for e in resumed] == [1, 2, 3]
    assert resumed[-1] == history[-1]
    for one, other in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
