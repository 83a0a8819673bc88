"""A trained generator is brought nearer to notes, old or new."""

from __future__ import annotations

import copy
import importlib.util
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from gansynth_lite.adapting import AdaptSettings, AdaptTraining
from gansynth_lite.listener import Listener, taught
from gansynth_lite.model import SPREAD, GANSynth, one_hot
from groove_core.errors import UsageError
from groove_core.learning import Run, trained
from groove_core.testing.training import check_resume

spec = importlib.util.spec_from_file_location(
    "notes_of_tests", Path(__file__).parents[1] / "conftest.py"
)
made = importlib.util.module_from_spec(spec)
spec.loader.exec_module(made)

TINY = made.TINY
FAMILIES = ("bass", "reed", "flute")
"""Of the model: others than the notes have, and in another order."""
QUICK = AdaptSettings(epochs=2, batches=3, listening=10)


@pytest.fixture(scope="module")
def notes():
    return made.made_up(TINY)


@pytest.fixture(scope="module")
def start():
    torch.manual_seed(0)
    return GANSynth(asdict(TINY), FAMILIES, 4, 16)


def adapt(start, notes, settings, **more):
    return trained(AdaptTraining, settings, made.lesson(notes, (start, {})), Run(**more))


def test_a_listener_hears_families_of_notes_that_it_does_not_know(notes):
    families = torch.from_numpy(notes.families)
    pitches = torch.from_numpy(notes.pitches).float()
    pictures = TINY.to_pictures(notes.sounds(torch.arange(len(notes))))
    assert torch.equal(TINY.magnitudes(notes.sounds(torch.arange(4))), pictures[:4, 0])
    held = torch.arange(len(notes)) % 3 == 0
    torch.manual_seed(0)
    listener = taught(
        Listener(TINY, 2), lambda at: pictures[at, 0], pitches, families.where(~held, -1),
        steps=100, seed=1, device="cpu",
    )  # fmt: skip
    with torch.inference_mode():
        logits, _ = listener(listener.spectrum(pictures[held, 0]), pitches[held])
    assert (logits.argmax(dim=1) == families[held]).float().mean() > 0.9


def test_it_comes_nearer_and_what_is_drawn_is_of_its_family(notes, start):
    before = copy.deepcopy(start.state_dict())
    settings = AdaptSettings(epochs=6, batches=20, listening=100)
    training = adapt(start, notes, settings, seed=1)
    adapted, history = training.model, training.history
    assert history[-1]["magnitude"] < 0.75 * history[0]["magnitude"]
    assert history[-1]["lost"] < 0.5 * history[0]["lost"]
    for name, tensor in start.state_dict().items():
        assert torch.equal(tensor, before[name])
    # Flutes of these notes have all harmonics, reeds the odd ones.
    z, pitch = torch.randn(8, start.code), torch.full((8,), 60.0)
    levels = []
    for family in ("flute", "reed"):
        asked = one_hot(torch.full((8,), FAMILIES.index(family)), len(FAMILIES))
        with torch.inference_mode():
            power = TINY.power(adapted(adapted.instruments(z, asked), pitch)[:, 0]).sum(dim=2)
        bins = [round(261.6 * k / (TINY.sample_rate / TINY.n_fft)) - 1 for k in (2, 4, 6)]
        levels.append(power[:, bins].sum(dim=1).log().mean())
    assert levels[0] > levels[1] + 1


@pytest.mark.parametrize("which", [[0], [0, 2]])
def test_notes_of_no_family_that_the_model_knows(notes, start, which):
    """Of one instrument there is nothing but itself; of several there are those between."""
    mine = notes.only([i for i in range(len(notes)) if notes.instruments[i] in which])
    mine = replace(mine, family_names=("hurdy-gurdy", "kazoo"))
    assert (mine.labels(FAMILIES) == -1).all()
    training = adapt(start, mine, QUICK, seed=1)
    adapted = training.model
    assert set(training.history[0]) == {"epoch", "magnitude", "frequency", "lost"}
    assert all(torch.isfinite(p).all() for p in adapted.state_dict().values())
    w = adapted.instruments(torch.randn(2, start.code), one_hot(torch.tensor([0, 2]), 3))
    assert torch.allclose(w[0], w[1], atol=1e-3) is (len(which) == 1)


def test_an_unbroken_training_is_the_same_as_a_resumed_one(notes, start, tmp_path):
    check_resume(AdaptTraining, QUICK, made.lesson(notes, (start, {})), tmp_path, seed=2)
    other = copy.deepcopy(start)
    with torch.no_grad():
        other.encoder.start.bias.add_(1)
    with pytest.raises(UsageError, match="has data"):
        adapt(other, notes, QUICK, seed=2, folder=tmp_path / "whole", resume=True)


def test_what_is_drawn_in_training_is_drawn_as_it_will_be(notes, start):
    task = AdaptTraining(QUICK, made.lesson(notes, (start, {})), 1)
    codes = torch.randn(len(task.groups), 3, generator=torch.Generator().manual_seed(1))
    chance = torch.randn(20_000, len(codes), generator=torch.Generator().manual_seed(2))
    drawn = task._shares(torch.zeros(len(chance), dtype=torch.long), chance) @ codes
    mine = codes[task.groups == task.groups[0]]
    assert 1 < len(mine) < len(codes)
    assert torch.allclose(drawn.mean(dim=0), mine.mean(dim=0), atol=0.02)
    assert torch.allclose(drawn.T.cov(), SPREAD**2 * mine.T.cov(correction=0), atol=0.02)
