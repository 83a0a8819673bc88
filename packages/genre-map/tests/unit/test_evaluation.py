"""Figures that can be checked by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genre_map.evaluation import Evaluation, calibration_error, majority
from genre_map.gan import GenreGAN
from genre_map.gan_evaluation import measure_pictures, spread_of
from genre_map.model import GenreClassifier
from genre_map.pictures import LAYOUTS, read_pictures
from genre_map.songs import open_songs
from genre_map.training import Settings
from genre_map.validation import cross_validate


def test_majority_and_its_tie():
    assert majority(np.array([[0.6, 0.4], [0.6, 0.4], [0.0, 1.0]])) == 0
    assert majority(np.array([[0.6, 0.4], [0.1, 0.9]])) == 1


def test_calibration_error():
    sure = np.array([[0.95, 0.05]] * 4)
    assert calibration_error(sure, np.array([0, 0, 0, 0])) == pytest.approx(0.05)
    assert calibration_error(sure, np.array([0, 0, 1, 1])) == pytest.approx(0.45)


def test_ways_to_measure_a_generator():
    even, one = torch.eye(10).repeat(20, 1), torch.eye(10)[:1].repeat(200, 1)
    effective, variation, rarest = (cell.value for cell in spread_of(even))
    assert (effective, variation, rarest) == pytest.approx((10, 0, 0.1))
    effective, variation, rarest = (cell.value for cell in spread_of(one))
    assert (effective, variation, rarest) == pytest.approx((1, 0.9, 0))


@pytest.mark.parametrize("protocol", ["songs", "windows"])
def test_cross_validation_of_a_folder(folder, tmp_path, protocol):
    quick = Settings(epochs=1, windows=1, batch_size=8)
    found = cross_validate(
        open_songs(folder), ["ours", "dong2018"], protocol, folds=3, only=2, settings=quick, seed=1,
        device="cpu", cache=None,
    )  # fmt: skip
    assert [row[0] for row in found.rows] == [
        "ours", "dong2018", "MFCC + logistic regression", "always the most frequent",
    ]  # fmt: skip
    assert found.cell("MFCC + logistic regression", "song accuracy, mean probability").value > 0.8
    counts = np.array(found.data["confusion"]["ours"])
    assert counts.shape == (2, 3, 3)
    assert counts.sum() == int(found.title.split(": ")[-1].split()[0])
    np.testing.assert_allclose(found.confusion("dong2018").sum(axis=1), 1)
    assert ("WARNING" in found.title) == (protocol == "windows")
    assert Evaluation.read(found.save(tmp_path / "a.json")) == found
    found.save(tmp_path / "a.png")
    text = found.save(tmp_path / "a.md").read_text()
    assert text.count("### ours") == 3  # the mean and both folds
    assert [row[0] for row in found.table("ours").rows] == ["blues", "hiphop", "rock"]


def test_a_generator_beside_real_pictures_copies_and_noise(folder):
    songs, pictures = read_pictures(open_songs(folder), LAYOUTS["ours"], None)
    torch.manual_seed(0)
    model = GenreGAN(GenreClassifier(songs.genres).config, "ours", 4).eval()
    found = measure_pictures(model, pictures[:20], pictures[20:], count=64, seed=1, name="new")
    assert [row[0] for row in found.rows] == [
        "new", "held-out windows", "training windows copied", "noise",
    ]  # fmt: skip
    assert found.cell("training windows copied", "copies") == 1.0
    assert found.cell("training windows copied", "nearest excerpt, dB").value == 0.0
    assert found.cell("new", "copies") == 0.0
    assert sum(found.data["shares"].values()) == pytest.approx(1)
    assert len(found.data["jumps"]) == 6  # two for each of three pairs
    held, noise = (found.cell(row, "Frechet distance") for row in ("held-out windows", "noise"))
    assert held < noise
