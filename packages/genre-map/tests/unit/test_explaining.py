"""Explanations of models whose reasons are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from genre_map.explaining import _marked_part, explain_sound, faithfulness, grad_cam
from genre_map.model import GenreClassifier
from genre_map.pictures import LAYOUTS
from genre_map.results import MARKED, Explanation
from groove_core.errors import InputError, UsageError
from groove_core.values import Audio


class Corner(nn.Module):
    """A trunk of one map that is the picture itself, in cells of 4 x 8."""

    def forward(self, x):
        return nn.functional.avg_pool2d(x[:, :1], (4, 8))


@pytest.fixture
def model():
    """Give a model that calls it ``corner`` where the lowest quarter is loud early."""
    model = GenreClassifier(("corner", "other")).eval()
    model.trunk = Corner()
    weights = torch.zeros(1, 1, 16, 16)
    weights[..., :4, :4] = 10 / 16

    class Pool(nn.Module):
        def forward(self, x):
            return torch.cat([(x * weights).sum(dim=(2, 3)), torch.zeros(len(x), 1)], dim=1)

    model.pool = Pool()
    model.head = nn.Sequential(nn.Linear(2, 2, bias=False))
    with torch.no_grad():
        model.head[0].weight.copy_(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]))
    return model


def corners(count: int) -> torch.Tensor:
    torch.manual_seed(0)
    windows = 0.3 * torch.rand(count, 2, 64, 128)
    windows[:, :, :16, :32] += 0.6
    return windows


def test_the_map_is_hot_where_the_reason_is(model):
    windows = corners(3)
    heat = grad_cam(model, windows, torch.zeros(3, dtype=torch.long))
    assert heat.shape == (3, 16, 16)
    inside, outside = heat[:, :4, :4].mean(), heat[:, 4:, 4:].mean()
    assert inside > 2 * outside
    # what speaks against a genre is not marked for it
    assert not grad_cam(model, windows, torch.ones(3, dtype=torch.long)).any()


def test_deleting_the_reason_counts(model):
    report = faithfulness(model, corners(6), range(6), seed=1)
    for row in report.rows:
        assert row[1].value == 1.0, row
    deleted = report.rows[0]
    assert deleted[3] < deleted[4] <= deleted[2] + 0.01


def test_a_model_that_ignores_the_picture_is_not_explained():
    model = GenreClassifier(("a", "b")).eval()
    with torch.no_grad():
        for parameter in model.head.parameters():
            parameter.zero_()
    report = faithfulness(model, corners(6), range(6), seed=1)
    assert all(row[1].value == 0.0 for row in report.rows)


def test_a_sound_is_explained_over_its_whole_length(tmp_path):
    torch.manual_seed(0)
    model = GenreClassifier(("a", "b")).eval()
    noise = np.random.default_rng(0).normal(size=6 * 44_100) / 9
    found = explain_sound(model, Audio(noise, 44_100), name="noise")
    assert found.picture.shape == (2, 64, 256)
    assert found.heat.shape == (16, 32)
    assert found.genre in "ab"
    assert sum(one["share"] for one in found.seconds()) == pytest.approx(1, abs=0.01)
    again = Explanation.read(found.save(tmp_path / "a.json"))
    assert again == found
    found.save(tmp_path / "a.png")
    found.save(tmp_path / "a.wav")
    with pytest.raises(UsageError, match="has no sound"):
        again.save(tmp_path / "b.wav")
    kept = Audio.read(tmp_path / "a.wav")
    assert kept.duration_s == pytest.approx(6, abs=0.01)
    assert 0.5 < kept.peak <= 1
    assert MARKED == 0.2


def test_only_the_marked_part_is_kept():
    """The lowest fifth of the bands is marked: a low tone stays, a high one goes."""
    layout = LAYOUTS["ours"]
    time_s = np.arange(4 * 22_050) / 22_050
    both = 0.4 * sum(np.sin(2 * np.pi * hz * time_s) for hz in (220, 6000))
    heat = torch.zeros(10, 16)
    heat[:2] = 1.0
    kept = _marked_part(Audio(both, 22_050), heat, 128, layout).samples[0, :40_000]
    spectrum = np.abs(np.fft.rfft(kept))
    hz = np.arange(len(spectrum)) * 22_050 / len(kept)
    low, high = (spectrum[np.abs(hz - tone) < 20].max() for tone in (220, 6000))
    assert low > 100 * high


def test_too_long():
    with pytest.raises(InputError, match="11 minutes are too long"):
        explain_sound(GenreClassifier(("a", "b")), Audio(np.ones(11 * 6000), 100), name="x")


def test_too_short():
    with pytest.raises(InputError, match="too short"):
        explain_sound(GenreClassifier(("a", "b")), Audio(np.ones(9000) / 2, 22_050), name="x")
