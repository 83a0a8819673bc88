"""Training: exact when resumed, balanced, and it learns what can be told apart."""

from __future__ import annotations

import contextlib
import json

import numpy as np
import pytest
import torch

from genre_map.gan_training import GANSettings, GANTask, train_gan
from genre_map.model import GenreClassifier
from genre_map.pictures import LAYOUTS
from genre_map.songs import open_songs
from genre_map.splits import folds_of
from genre_map.training import GenreTask, Settings, calibrate, read_pictures, train_classifier


@pytest.fixture(scope="module")
def pictured(folder):
    songs = open_songs(folder)
    return read_pictures(songs, LAYOUTS["ours"], None)


@contextlib.contextmanager
def interrupted(task):
    """Press Ctrl-C when the second epoch of a training begins."""
    original, calls = task.batches, []

    def once(self, generator):
        calls.append(1)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return original(self, generator)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(task, "batches", once)
        yield


QUICK = Settings(epochs=4, windows=4, batch_size=16)


def test_three_made_up_genres_are_learnt(pictured):
    from genre_map.evaluation import measure_classifier

    songs, pictures = pictured
    fold = folds_of(songs, "songs", folds=3, seed=1)[0]
    model, history = train_classifier(songs, pictures, fold, QUICK, seed=1, device="cpu")
    assert history[-1]["cross_entropy"] < history[0]["cross_entropy"]
    report = measure_classifier(
        model, songs.only(fold.test), [pictures[i] for i in fold.test], name="x"
    )
    assert report.cell("x", "song accuracy, mean probability").value > 0.6


def test_a_resumed_training_is_an_unbroken_one(pictured, tmp_path):
    songs, pictures = pictured
    fold = folds_of(songs, "songs", folds=3, seed=1)[0]
    settings = Settings(epochs=2, windows=1, batch_size=8)

    def train(folder, **more):
        return train_classifier(
            songs, pictures, fold, settings, folder=folder, seed=3, device="cpu", **more
        )

    whole, _ = train(tmp_path / "whole")

    with interrupted(GenreTask):
        train(tmp_path / "broken")
    resumed, history = train(tmp_path / "broken", resume=True)
    assert len(history) == 2
    for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_all_genres_are_heard_as_often(pictured):
    songs, pictures = pictured
    labels = torch.tensor(songs.labels)
    few = [i for i, label in enumerate(labels.tolist()) if label or i % 3 == 0]
    task = GenreTask(QUICK, songs.genres, [pictures[i] for i in few], labels[few], 1)
    drawn = torch.cat(list(task.batches(torch.Generator().manual_seed(1))))
    counts = torch.bincount(task.labels[drawn], minlength=3)
    assert counts.max() - counts.min() <= 16  # what the last, incomplete batch would hold


def test_calibration_finds_the_temperature():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4000, 3, generator=generator)
    labels = torch.multinomial(torch.softmax(logits / 2, dim=1), 1, generator=generator)
    model = GenreClassifier(("a", "b", "c"))
    calibrate(model, list(logits[:, None]), labels.flatten().tolist())
    assert float(model.temperature) == pytest.approx(2, rel=0.1)


def test_unreadable_songs_are_told_and_left_out(folder, tmp_path, capsys):
    import shutil

    shutil.copytree(folder, tmp_path / "songs")
    (tmp_path / "songs/Rock/broken.wav").write_bytes(b"RIFF....")
    songs = open_songs(tmp_path / "songs")
    kept, pictures = read_pictures(songs, LAYOUTS["ours"], None)
    assert len(kept) == len(pictures) == len(songs) - 1
    said = capsys.readouterr().err
    assert "broken.wav" in said


@pytest.mark.parametrize("variant", ["ours", "paper"])
def test_a_generator_trains_and_resumes(pictured, tmp_path, variant):
    songs, pictures = pictured
    torch.manual_seed(0)
    classifier = GenreClassifier(songs.genres).eval()
    settings = GANSettings.of(variant, width=4, epochs=2, batches=2, batch_size=4)
    if variant == "paper":
        classifier = GenreClassifier(songs.genres, "paper").eval()
        songs, pictures = read_pictures(songs, LAYOUTS["paper"], None)

    def train(folder, **more):
        return train_gan(
            classifier,
            pictures,
            songs.labels,
            settings,
            folder=folder,
            seed=1,
            device="cpu",
            **more,
        )

    whole, history = train(tmp_path / "whole")
    assert set(history[0]) == {
        "epoch", "distance", "critic", "information", "uneven", "unsure", "gradient",
    }  # fmt: skip
    with interrupted(GANTask):
        train(tmp_path / "broken")
    resumed, _ = train(tmp_path / "broken", resume=True)
    for (name, a), b in zip(whole.state_dict().items(), resumed.state_dict().values(), strict=True):
        assert torch.equal(a, b), name
    # the classifier stays as it was
    for a, b in zip(classifier.parameters(), whole.classifier.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=2e-3, rtol=2e-3)
    lines = (tmp_path / "whole/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]
    assert np.isfinite(list(history[-1].values())).all()
