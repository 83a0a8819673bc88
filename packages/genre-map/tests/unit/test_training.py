"""Training: exact when resumed, balanced, and it learns what can be told apart."""

from __future__ import annotations

import contextlib
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from genre_map.evaluation import measure_classifier
from genre_map.gan_training import GANSettings, GANTraining, Guided
from genre_map.model import GenreClassifier
from genre_map.pictures import LAYOUTS, read_pictures
from genre_map.songs import open_songs
from genre_map.splits import Divided, Fold, folds_of
from genre_map.training import GenreTraining, Settings, calibrate
from groove_core.errors import InputError, UsageError
from groove_core.learning import Run, trained


@pytest.fixture(scope="module")
def divided(folder):
    songs, pictures = read_pictures(open_songs(folder), LAYOUTS["ours"], None)
    return Divided(songs, pictures, folds_of(songs, "songs", folds=3, seed=1)[0])


@contextlib.contextmanager
def interrupted(kind):
    """Press Ctrl-C when the second epoch of a training begins."""
    original, calls = kind.batches, []

    def once(self, generator):
        calls.append(1)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return original(self, generator)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(kind, "batches", once)
        yield


def resumed(kind, settings, data, folder):
    """Train twice, in one go and with a Ctrl-C between, and compare the weights."""
    whole = trained(kind, settings, data, Run(3, folder=folder / "whole"))
    with interrupted(kind):
        trained(kind, settings, data, Run(3, folder=folder / "broken"))
    again = trained(kind, settings, data, Run(3, folder=folder / "broken", resume=True))
    assert len(again.history) == settings.epochs
    new = again.model.state_dict()
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, new[name]), name
    return whole


QUICK = Settings(epochs=8, windows=4, batch_size=16)


def test_three_made_up_genres_are_learnt(divided):
    training = trained(GenreTraining, QUICK, divided, Run(1))
    assert training.history[-1]["cross_entropy"] < training.history[0]["cross_entropy"]
    report = measure_classifier(training.model, *divided.part("test"), name="x")
    assert report.cell("x", "song accuracy, mean probability").value > 0.6


def test_a_resumed_training_is_an_unbroken_one(divided, tmp_path):
    resumed(GenreTraining, Settings(epochs=2, windows=1, batch_size=8), divided, tmp_path)


def test_all_genres_are_heard_as_often(divided):
    few = [i for i, label in enumerate(divided.songs.labels) if label or i % 3 == 0]
    training = GenreTraining(QUICK, replace(divided, fold=Fold(tuple(few), (), ())), 1)
    drawn = torch.cat(list(training.batches(torch.Generator().manual_seed(1))))
    counts = torch.bincount(training.labels[drawn], minlength=3)
    assert counts.max() - counts.min() <= 16  # what the last, incomplete batch would hold


def test_calibration_finds_the_temperature():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4000, 3, generator=generator)
    labels = torch.multinomial(torch.softmax(logits / 2, dim=1), 1, generator=generator)
    model = GenreClassifier(("a", "b", "c"))
    calibrate(model, list(logits[:, None]), labels.flatten().tolist())
    assert float(model.temperature) == pytest.approx(2, rel=0.1)


def test_unreadable_songs_are_told_and_left_out(folder, tmp_path, capsys):
    shutil.copytree(folder, tmp_path / "songs")
    (tmp_path / "songs/Rock/broken.wav").write_bytes(b"RIFF....")
    songs = open_songs(tmp_path / "songs")
    kept, pictures = read_pictures(songs, LAYOUTS["ours"], None)
    assert len(kept) == len(pictures) == len(songs) - 1
    said = capsys.readouterr().err
    assert "broken.wav" in said


@pytest.fixture
def guided(divided, monkeypatch):
    """Make what a generator learns from, with few looks at what it learnt."""
    monkeypatch.setattr("genre_map.mapping.SAMPLES", 64)
    monkeypatch.setattr("genre_map.mapping.COARSE", 2)
    monkeypatch.setattr("genre_map.mapping.BASES", 1)

    def make(variant="ours"):
        torch.manual_seed(0)
        classifier = GenreClassifier(divided.songs.genres, variant).eval()
        songs, pictures = divided.songs, divided.pictures
        if variant != "ours":
            songs, pictures = read_pictures(songs, LAYOUTS[variant], None)
        about = {"name": "x", "version": "1", "sha256": "0" * 64}
        return Guided(songs, pictures, divided.fold, classifier, about)

    return make


QUICK_GAN = {"width": 4, "epochs": 2, "batches": 2, "batch_size": 4}


@pytest.mark.parametrize("variant", ["ours", "paper"])
def test_a_generator_trains_and_resumes(guided, tmp_path, variant):
    data = guided(variant)
    whole = resumed(GANTraining, GANSettings.of(variant, **QUICK_GAN), data, tmp_path)
    assert set(whole.history[0]) == {
        "epoch", "distance", "critic", "information", "uneven", "unsure", "gradient",
    }  # fmt: skip
    # the classifier stays as it was
    kept = whole.model.classifier.parameters()
    for a, b in zip(data.classifier.parameters(), kept, strict=True):
        torch.testing.assert_close(a, b, atol=2e-3, rtol=2e-3)
    lines = (tmp_path / "whole/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]
    assert np.isfinite(list(whole.history[-1].values())).all()


def test_a_generator_goes_on_only_with_the_classifier_it_began_with(guided, tmp_path):
    data, settings = guided(), GANSettings.of("ours", **QUICK_GAN)
    with interrupted(GANTraining):
        trained(GANTraining, settings, data, Run(3, folder=tmp_path))
    other = replace(data, about={**data.about, "sha256": "1" * 64})
    with pytest.raises(UsageError, match="data"):
        trained(GANTraining, settings, other, Run(3, folder=tmp_path, resume=True))


def test_a_generator_learns_from_songs_that_lack_a_genre(guided):
    data = guided()
    labels = data.songs.labels
    fold = Fold(tuple(i for i, label in enumerate(labels) if label != 1), (), ())
    training = GANTraining(GANSettings.of("ours", **QUICK_GAN), replace(data, fold=fold))
    drawn = torch.cat(list(training.batches(torch.Generator().manual_seed(1))))
    assert set(training.labels[drawn].tolist()) == {0, 2}


def test_a_generator_wants_the_genres_of_its_classifier(divided):
    classifier = GenreClassifier(("polka", "ska"))
    with pytest.raises(InputError, match="the classifier knows polka, ska"):
        Guided.of(divided.songs, classifier, {})
