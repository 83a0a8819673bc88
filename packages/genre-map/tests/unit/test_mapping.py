"""Borders and crossings where they are known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from genre_map import mapping
from genre_map.gan import DEPENDENT, FREE, GenreGAN, Looked
from genre_map.genres import GENRES
from genre_map.mapping import (
    Survey,
    crossings,
    find_anchors,
    path_between,
    place_song,
    plane_of,
    survey,
)
from genre_map.model import GenreClassifier
from genre_map.outlines import borders, enlarged, middles, room_for
from genre_map.pictures import Layout
from groove_core.values import Audio


def test_a_border_runs_where_two_genres_are_equal():
    x = np.linspace(-1, 1, 21)
    first = np.broadcast_to((1 - x) / 2, (21, 21))
    found = borders(np.stack([first, 1 - first], axis=2), ("a", "b"))
    for genre in "ab":
        [line] = found[genre]
        assert np.abs(line[:, 0]).max() < 1e-6
        assert np.ptp(line[:, 1]) == pytest.approx(2)
    assert borders(np.full((5, 5, 2), [1.0, 0.0]), ("a", "b")) == {}


def test_a_name_stands_deep_inside_its_area():
    p = np.zeros((21, 21, 2))
    p[..., 0] = 1.0
    p[5:16, 5:16] = (0.0, 1.0)
    p[10, 0] = (0.0, 1.0)  # an islet has no name
    p[0:2, 0:5] = (0.0, 1.0)  # a second area has one
    (name, x, y), *others = middles(p, ("a", "b"))
    assert name == "a"
    assert p[round(10 * (y + 1)), round(10 * (x + 1)), 0] == 1.0
    assert others[0] == ("b", 0.0, 0.0)
    [(name, x, y)] = others[1:]
    assert (name, x < -0.5, y < -0.8) == ("b", True, True)
    assert [one[0] for one in middles(np.eye(2)[np.zeros((5, 5), int)], ("a", "b"))] == ["a"]


def test_between_cells_a_field_is_bilinear():
    cells = np.array([[0.0, 1.0], [2.0, 5.0]])
    found = enlarged(cells, 2)
    assert found.tolist() == [[0.0, 0.5, 1.0], [1.0, 2.0, 3.0], [2.0, 3.5, 5.0]]
    assert enlarged(np.zeros((3, 3, 10)), 4).shape == (9, 9, 10)


def test_names_find_room_until_the_map_is_full():
    points = [(0.99, 0.99)] * 9
    rooms = room_for(points, [0.5] * 9, 0.06, taken=[(0.8, 0.8, 0.2)])
    placed = [(0.8, 0.8, 0.2), *((*room, 0.5) for room in rooms if room)]
    assert len(placed) == 10
    for i, (x, y, width) in enumerate(placed):
        assert abs(x) + width / 2 <= 1 + 1e-9
        assert abs(y) + 0.03 <= 1 + 1e-9
        for u, v, other in placed[:i]:
            assert abs(x - u) > (width + other) / 2 - 1e-9 or abs(y - v) > 0.06 - 1e-9
    assert room_for([(0, 0)], [2.5], 0.06) == [None]  # wider than the map


def test_spacing_is_the_median_step():
    cells = np.arange(9.0).reshape(3, 3, 1)  # six steps of 1, six of 3
    assert Survey(cells, cells, cells[..., 0]).spacing == 2.0


def test_crossings():
    way = np.linspace(0, 1, 11)
    assert crossings(1 - way, way * 0.5) == pytest.approx([2 / 3])
    assert crossings(np.ones(5), np.zeros(5)) == []
    assert len(crossings(np.sin(9 * way), np.zeros(11))) == 2


@pytest.fixture(scope="module")
def gan():
    torch.manual_seed(0)
    return GenreGAN(GenreClassifier(GENRES).config, "ours", 4).eval()


def test_a_plane_changes_two_values_only(gan):
    base = gan.draw(1, torch.Generator().manual_seed(0))[0]
    looked = plane_of(gan, base, (2, 7), 3)
    assert looked.pictures.shape == (9, 2, 64, 128)
    z = base.clone()
    z[FREE + 2], z[FREE + 7] = 1.0, -1.0
    torch.testing.assert_close(gan.look(z[None]).pictures[0], looked.pictures[2])


def test_a_path_begins_and_ends_where_it_should(gan):
    start, end = gan.draw(2, torch.Generator().manual_seed(0))
    looked = path_between(gan, start, end, 5)
    ends = gan.look(torch.stack([start, end]))
    torch.testing.assert_close(looked.probabilities[[0, -1]], ends.probabilities)


class Tilted:
    """A model whose genre changes once, on a line across the plane; it counts what it looks at."""

    genres = ("a", "b")
    center, scale = torch.zeros(()), torch.ones(())
    classifier = SimpleNamespace(head=nn.Sequential(nn.Identity(), nn.Identity()))

    def __init__(self, steepness: float = 30.0) -> None:
        self.steepness, self.looked = steepness, 0

    def look(self, z):
        self.looked += len(z)
        c = z[:, FREE : FREE + 2]
        p = torch.sigmoid(self.steepness * (c @ torch.tensor([1.0, 0.4]) - 0.2))[:, None]
        return Looked(z, c, torch.cat([p, 1 - p], dim=1), c[:, 0])


def test_a_survey_looks_where_genres_change(monkeypatch):
    monkeypatch.setattr(mapping, "FIRST", 9)
    model = Tilted()
    found = survey(model, torch.zeros(128), (0, 1), 65)
    assert found.probabilities.shape == (65, 65, 2)
    assert model.looked < 65 * 65 / 2
    whole = plane_of(Tilted(), torch.zeros(128), (0, 1), 65)
    exact = whole.probabilities.numpy().reshape(65, 65, 2)
    assert np.abs(found.probabilities - exact).max() < mapping.TOLERANCE
    assert (found.probabilities.argmax(axis=2) == exact.argmax(axis=2)).all()
    np.testing.assert_allclose(found.weighed, whole.features.numpy().reshape(65, 65, 2), atol=1e-5)
    every = survey(every_model := Tilted(), torch.zeros(128), (0, 1), 12)
    assert every_model.looked == every.critic.size == 144  # no number of halves


class Hears:
    """A model whose features of a song are told beforehand, and weighed as they are."""

    genres = ("a", "b")
    center, scale = torch.zeros(()), torch.ones(())
    head = nn.Sequential(nn.Identity(), nn.Identity())
    layout = Layout()

    def __init__(self, at) -> None:
        self.at = torch.tensor(at)
        self.classifier = self

    def windows(self, sound):
        return self.at

    def hear(self, windows):
        return windows, torch.tensor([[0.3, 0.7]]).expand(len(windows), -1)


def test_a_song_lies_between_the_cells():
    ticks = np.linspace(-1, 1, 5, dtype=np.float32)
    features = np.stack(np.meshgrid(ticks, ticks), axis=2)
    found = Survey(features, features, features[..., 0])
    song = Audio(np.linspace(0, 1, 8 * 22_050), 22_050)
    windows = [[0.1, -0.4], [0.12, -0.37], [0.14, -0.4]]
    place, excerpt = place_song(Hears(windows), found, song, "mine")
    assert (place.x, place.y) == pytest.approx((0.12, -0.39), abs=0.001)
    assert (place.genre, place.probability, place.far) == ("b", 0.7, False)
    # the second window is the most typical one
    assert excerpt.duration_s == pytest.approx(128 * 512 / 22_050, abs=1e-3)
    assert excerpt.samples[0, 0] == pytest.approx(64 * 512 / (8 * 22_050), abs=1e-3)
    place, _ = place_song(Hears([[9.0, 9.0]]), found, song, "no such song")
    assert (place.x, place.y, place.far) == (1.0, 1.0, True)


class Cliff:
    """A model whose genre changes at once, where the noise is a half."""

    def look(self, z):
        p = torch.sigmoid(40 * (z[:, :1] - 0.5))
        return Looked(z, z, torch.cat([p, 1 - p], dim=1), z[:, 0])


def test_paths_are_walked_slowly_where_the_genre_changes():
    jumps = {
        even: path_between(Cliff(), torch.zeros(3), torch.ones(3), 101, even=even)
        .probabilities.diff(dim=0)
        .abs()
        .max()
        for even in (True, False)
    }
    assert jumps[False] > 0.09
    assert jumps[True] < 0.03


def test_anchors_are_the_purest_that_were_drawn(gan, monkeypatch):
    for name, value in (("SAMPLES", 48), ("COARSE", 2), ("BASES", 1)):
        monkeypatch.setattr(f"genre_map.mapping.{name}", value)
    find_anchors(gan, seed=1)
    z = gan.draw(48, torch.Generator().manual_seed(1))
    chances = gan.look(z).probabilities
    for genre in range(10):
        best = gan.look(gan.anchors[genre]).probabilities[:, genre]
        torch.testing.assert_close(best.amax(), chances[:, genre].amax())
    assert 0 <= gan.plane[0] < gan.plane[1] < DEPENDENT
