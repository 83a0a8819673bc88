"""A trained generator is brought nearer to notes, old or new."""

from __future__ import annotations

import copy
import importlib.util
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from gansynth_lite.adapting import AdaptSettings, AdaptTraining
from gansynth_lite.auditions import Auditor, auditioned
from gansynth_lite.listener import Listener, spectra_of, taught
from gansynth_lite.model import GANSynth, one_hot
from groove_core.errors import UsageError
from groove_core.learning import Run, pixel_norm, trained
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
    untaught = Listener(TINY, 2)
    spectra = spectra_of(untaught, lambda at: pictures[at, 0], len(notes), "cpu")
    listener = taught(
        untaught, spectra, pitches, families.where(~held, -1), steps=100, seed=1, device="cpu"
    )
    with torch.inference_mode():
        logits, _ = listener(listener.spectrum(pictures[held, 0]), pitches[held])
    assert (logits.argmax(dim=1) == families[held]).float().mean() > 0.9


def test_an_auditor_hears_families_without_training_and_keeps_the_best(notes, start):
    pitches = torch.from_numpy(notes.pitches).float()
    families = torch.from_numpy(notes.families)
    listener = Listener(TINY, 2)
    at = torch.arange(len(notes))
    spectra = spectra_of(listener, lambda at: TINY.magnitudes(notes.sounds(at)), len(notes), "cpu")
    held = at % 3 == 0
    auditor = Auditor(spectra, pitches, families.where(~held, -1), 2)
    scores = auditor.scores(spectra[held], pitches[held])
    assert (scores.argmax(dim=1) == families[held]).float().mean() > 0.9
    margins = auditor.margins(spectra[held], pitches[held], families[held])
    assert ((margins > 0) == (scores.argmax(dim=1) == families[held])).all()

    class Known:
        """Finds what is quieter in the first half of the codes less like its family."""

        def margins(self, spectra, pitches, families):
            nonlocal heard
            heard += len(spectra)
            return spectra.mean(dim=(1, 2))

    heard = 0
    codes = pixel_norm(torch.randn(8, start.code, generator=torch.Generator().manual_seed(1)))
    groups = torch.tensor([0, 1, 2, -1] * 2)
    kept, of = auditioned(
        start, codes, groups, Known(), Listener(TINY, 3), pitches, torch.arange(len(notes)) % 3,
        kept=2, seed=1,
    )  # fmt: skip
    assert torch.equal(kept[:2], codes[groups == -1])
    assert of.tolist() == [-1, -1, 0, 0, 1, 1, 2, 2]
    assert torch.allclose(kept.square().mean(dim=1), torch.ones(8), atol=1e-3)
    assert heard == 2 * 3 * 240  # known ones and mixtures, twice each


@pytest.mark.slow
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


def test_notes_without_the_last_family_of_the_model(notes):
    torch.manual_seed(0)
    start = GANSynth(asdict(TINY), ("flute", "reed", "vocal"), 4, 16)
    adapted = adapt(start, notes, QUICK, seed=1).model
    assert set(adapted.groups.tolist()) == {0, 1}


def test_an_unbroken_training_is_the_same_as_a_resumed_one(notes, start, tmp_path):
    check_resume(AdaptTraining, QUICK, made.lesson(notes, (start, {})), tmp_path, seed=2)
    other = copy.deepcopy(start)
    with torch.no_grad():
        other.encoder.start.bias.add_(1)
    with pytest.raises(UsageError, match="has data"):
        adapt(other, notes, QUICK, seed=2, folder=tmp_path / "whole", resume=True)


def test_what_is_drawn_in_training_is_drawn_as_it_will_be(notes, start):
    task = AdaptTraining(QUICK, made.lesson(notes, (start, {})), 1)
    codes = pixel_norm(task.adapted.codes.detach())
    task.model.settle(codes, task.groups)
    z = torch.randn(100, start.code, generator=torch.Generator().manual_seed(1))
    families = torch.tensor([FAMILIES.index("reed"), FAMILIES.index("flute")]).repeat(50)
    drawn = pixel_norm(task._shares(families, z) @ codes)
    assert torch.allclose(task.model.instruments(z, one_hot(families, 3)), drawn, atol=1e-5)
    shares = task._shares(families, z)
    assert (shares[:, task.groups == families[0]][1::2] == 0).all()
    assert torch.allclose(shares.sum(dim=1), torch.ones(100))


def test_families_that_are_misheard_are_drawn_more_often(notes, start, monkeypatch):
    class Deaf(Listener):
        """Hears flutes everywhere."""

        def forward(self, spectrum, pitch):
            logits, noticed = super().forward(spectrum, pitch)
            flutes = torch.nn.functional.one_hot(torch.tensor(FAMILIES.index("flute")), 3)
            return 0 * logits + flutes, noticed

    monkeypatch.setattr("gansynth_lite.adapting.Listener", Deaf)
    lesson = made.lesson(notes, (start, {}))
    task = AdaptTraining(replace(QUICK, harder=4.0), lesson, 1)
    reeds = task.families == FAMILIES.index("reed")
    assert torch.allclose(task.weights[reeds], 5 * task.weights[~reeds][0])
    drawn = torch.cat(list(task.batches(torch.Generator().manual_seed(1))))
    assert reeds[drawn].float().mean() > 0.6
    assert AdaptTraining(QUICK, lesson, 1).weights.unique().numel() == 1


def test_without_epochs_there_are_auditions_only(notes, start):
    training = adapt(start, notes, AdaptSettings(epochs=0), seed=1)
    assert training.history == []
    for name, tensor in start.named_parameters():
        assert torch.allclose(tensor, training.model.get_parameter(name), atol=1e-2)
    groups = training.model.groups
    assert set(groups.tolist()) == {0, 1, 2}
    assert len(groups) == training.model.config["known"] == 3 * 32


def test_the_range_grows_with_the_notes(notes):
    torch.manual_seed(0)
    narrow = GANSynth(asdict(TINY), FAMILIES, 4, 16, low=60, high=90)
    adapted = adapt(narrow, notes, QUICK, seed=1).model
    assert (adapted.low, adapted.high) == (48, 90)
    assert (adapted.config["low"], adapted.config["high"]) == (48, 90)
    assert (narrow.low, narrow.high) == (60, 90)
