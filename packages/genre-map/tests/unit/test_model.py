"""The classifiers: shapes as in the literature, and what ours does not hear."""

from __future__ import annotations

import pytest
import torch

from genre_map.augmentation import _in_a_room, textured, varied
from genre_map.genres import GENRES
from genre_map.model import GenreClassifier
from genre_map.pictures import LAYOUTS


@pytest.mark.parametrize("name", LAYOUTS)
def test_networks_are_small_and_speak_of_all_genres(name):
    model = GenreClassifier(GENRES, name).eval()
    windows = torch.rand(2, *model.layout.shape)
    assert model(windows).shape == (2, 10)
    assert model.pooled(windows).shape == (2, model.features)
    assert sum(p.numel() for p in model.parameters()) < 1e6
    again = GenreClassifier(**model.config)
    again.load_state_dict(model.state_dict())
    assert torch.equal(again.eval()(windows), model(windows))


def test_maps_are_those_of_the_papers():
    shapes = {
        name: tuple(
            GenreClassifier(GENRES, name)
            .eval()
            .trunk(torch.rand(1, *LAYOUTS[name].shape))
            .shape[1:]
        )
        for name in LAYOUTS
    }
    assert shapes["paper"] == (128, 1, 118)
    assert shapes["dong2018"] == (64, 14, 14)
    # fine enough to read an explanation
    assert shapes["ours"][1] >= 10
    assert shapes["ours"][2] >= 16


def test_tone_and_balance_hardly_matter_to_ours():
    torch.manual_seed(0)
    model = GenreClassifier(GENRES).eval()
    windows = 0.3 + 0.3 * torch.rand(2, *model.layout.shape)
    tone = torch.linspace(-0.2, 0.2, 64)[:, None]
    with torch.no_grad():
        torch.testing.assert_close(model(windows + tone), model(windows), atol=1e-4, rtol=1e-4)
        assert not torch.allclose(model(windows.flip(3)), model(windows), atol=1e-4)


def test_the_second_design_overhears_what_codecs_leave_out():
    torch.manual_seed(0)
    model = GenreClassifier(GENRES, design=2).eval()
    loud = torch.rand(2, *model.layout.shape)
    faint = torch.where(loud < 0.375, torch.rand_like(loud) * 0.375, loud)  # 50 dB down
    with torch.no_grad():
        torch.testing.assert_close(model(faint), model(loud))
        assert not torch.allclose(model(loud.clamp_min(0.5)), model(loud), atol=1e-5, rtol=0)


def test_checkpoints_of_the_first_design_are_built_as_they_were():
    config = GenreClassifier(GENRES).config
    del config["design"]
    first = GenreClassifier(**config)
    assert first.design == 1
    assert not any("Columns" in type(layer).__name__ for layer in first.trunk)
    second = GenreClassifier(**GenreClassifier(GENRES, design=2).config)
    assert second.trunk(torch.zeros(1, *second.layout.shape)).shape == (1, 96, 16, 16)


def test_another_texture():
    flat = torch.full((4, 2, 64, 128), 0.5)
    noise = torch.randn(4, 2, 64, 64, generator=torch.Generator().manual_seed(0))
    draw = torch.ones(4, 6)
    torch.testing.assert_close(textured(flat, draw, noise), flat)
    trembling, floor, smooth = draw.clone(), draw.clone(), draw.clone()
    trembling[:, 1] = floor[:, 2] = smooth[:, 0] = 0.0
    level_db = 80 * (textured(flat, trembling, noise) - flat)
    assert float(level_db.std()) == pytest.approx(6, rel=0.05)
    faint = torch.linspace(0, 1, 128).expand_as(flat)
    assert float(textured(faint, floor, noise).min()) == 0.5  # 40 dB below the loudest point
    stripes = (torch.arange(128) % 2).float().expand_as(flat)
    torch.testing.assert_close(textured(stripes, smooth, noise), flat, atol=1e-6, rtol=0)


def test_the_temperature_makes_probabilities_milder():
    model = GenreClassifier(("a", "b"))
    logits = torch.tensor([[2.0, 0.0]])
    before = model.probabilities(logits)
    model.temperature.fill_(2.0)
    assert model.probabilities(logits)[0, 0] < before[0, 0]
    torch.testing.assert_close(model.probabilities(logits), torch.softmax(logits / 2, dim=1))


def test_varied_windows():
    torch.manual_seed(0)
    songs = torch.rand(3, 2, 64, 161)
    still = torch.full((3, 16), 0.5)
    still[:, [10, 11, 12, 13]] = 0.0  # nothing is blotted out
    dry = torch.full((3, 4), 0.5)  # no room, no other dynamics
    same = varied(songs, 128, still, dry)
    torch.testing.assert_close(same, songs[..., :128], atol=1e-4, rtol=0)
    other = varied(songs, 128, torch.rand(3, 16), torch.rand(3, 4))
    assert other.shape == (3, 2, 64, 128)
    assert ((other >= 0) & (other <= 1)).all()
    assert not torch.allclose(other, same, atol=0.05)


def test_sounds_die_away_in_a_room():
    dry = torch.zeros(1, 1, 1, 100)
    dry[..., 10] = 1.0
    wet = _in_a_room(dry, torch.tensor([1.0]), torch.tensor([0.0]))[0, 0, 0]
    assert (wet[:10] == 0).all()
    assert float(wet[10]) == 1.0
    # 3 dB below, then 60 dB in 2.4 s
    assert float(wet[11]) == pytest.approx(1 - (3 + 25 * 512 / 22_050) / 80, abs=1e-4)
    seconds = 40 * 512 / 22_050
    assert float(wet[11] - wet[51]) == pytest.approx(25 * seconds / 80, abs=1e-4)
