"""Borders and crossings where they are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genre_map.gan import DEPENDENT, FREE, GenreGAN, Looked
from genre_map.genremap import borders
from genre_map.genres import GENRES
from genre_map.mapping import _spacing, crossings, find_anchors, path_between, plane_of
from genre_map.model import GenreClassifier


def test_a_border_runs_where_two_genres_are_equal():
    x = np.linspace(-1, 1, 21)
    first = np.broadcast_to((1 - x) / 2, (21, 21))
    found = borders(np.stack([first, 1 - first], axis=2), ("a", "b"))
    for genre in "ab":
        [line] = found[genre]
        assert np.abs(line[:, 0]).max() < 1e-6
        assert np.ptp(line[:, 1]) == pytest.approx(2)
    assert borders(np.full((5, 5, 2), [1.0, 0.0]), ("a", "b")) == {}


def test_spacing_is_the_median_step():
    assert _spacing(np.arange(9.0).reshape(3, 3, 1)) == 2.0  # six steps of 1, six of 3


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
