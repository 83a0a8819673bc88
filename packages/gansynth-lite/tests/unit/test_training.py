"""Networks that learn notes, and trainings that can be interrupted."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from gansynth_lite.layout import Layout
from gansynth_lite.model import one_hot
from gansynth_lite.training import R1_EVERY, GANTraining, Settings, difference
from groove_core.learning import Run, Step, launch, trained
from groove_core.testing.training import check_resume

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
    settings = Settings(TINY, batches=50, batch_size=16, width=4, most=16)
    task = GANTraining(settings, made.lesson(uneven), 1)
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
    task = GANTraining(Settings(TINY, **SETTINGS), made.lesson(notes), 1)
    before = {n: [p.clone() for p in m.parameters()] for n, m in task.modules.items()}
    generator = torch.Generator().manual_seed(1)
    batch = task.batches(generator)[0]
    losses = task.learn(batch, Step(launch("cpu"), generator, size=len(batch)))
    assert all(torch.isfinite(v).all() for v in losses.values())
    for name, module in task.modules.items():
        moved = [
            bool((p != q).any()) for p, q in zip(module.parameters(), before[name], strict=True)
        ]
        assert np.mean(moved) > 0.7, name


@pytest.mark.slow
def test_it_learns_notes(notes):
    """Notes of an instrument are made from another of its notes, ever more like the real ones."""
    settings = Settings(TINY, width=8, most=32, batches=16, batch_size=8, epochs=12)
    history = trained(GANTraining, settings, made.lesson(notes), Run(seed=1)).history
    assert history[-1]["magnitude"] < 0.5 * history[0]["magnitude"]
    assert history[-1]["frequency"] < history[0]["frequency"]


def test_an_interrupted_training_ends_as_an_unbroken_one(notes, tmp_path):
    check_resume(GANTraining, Settings(TINY, **SETTINGS, epochs=3), made.lesson(notes), tmp_path)


def test_r1_comes_every_sixteenth_step_however_long_an_epoch_is(notes):
    task = GANTraining(Settings(TINY, **SETTINGS), made.lesson(notes), 1)
    generator = torch.Generator().manual_seed(1)
    batch = task.batches(generator)[0]
    found = []
    for steps in (0, 4, R1_EVERY):
        task.clock.steps = steps
        task.minimise = lambda loss, step, *names: found.append((names, loss.item()))
        task.learn(batch, Step(launch("cpu"), torch.Generator().manual_seed(2), size=len(batch)))
    losses = [loss for names, loss in found if names == ("discriminator",)]
    assert losses[0] == losses[2] > losses[1]
