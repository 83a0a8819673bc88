"""What steps along attributes do, against steps of which the effect is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from groove_core.errors import InputError
from music_vae import shifting
from music_vae.attributes import attributes_of
from music_vae.evaluation import shifts
from music_vae.evaluation.shifts import AMOUNTS, rank_correlations, shifted
from music_vae.windows import Song, WindowSet


@pytest.fixture(scope="module")
def windows(songs_of) -> WindowSet:
    songs = [Song(song.group, song.stretches, "test") for song in songs_of(4, bars=4)]
    return WindowSet.of(songs, ["melody"], 2)


def test_rank_correlations_against_pearson_of_ranks():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 4, (50, 5)).astype(float)
    for row, found in zip(values, rank_correlations(values), strict=True):
        ranks = [np.mean([i for i, one in enumerate(sorted(row)) if one == mine]) for mine in row]
        if len(set(ranks)) == 1:
            assert found == 0
        else:
            assert found == pytest.approx(np.corrcoef(ranks, np.arange(5))[0, 1])
    assert np.isnan(rank_correlations([[1, 2, np.nan, 4, 5]])).all()


@pytest.fixture
def hats(networks, monkeypatch):
    """Make a decoder of four kicks a bar, and as many hi-hats as the first number says."""

    def written(model, codes, **_):
        made = np.zeros((len(codes), 1, 32), np.int64)
        made[..., ::4] = 1
        for piece, code in zip(made, codes, strict=True):
            piece[0, : max(int(16 + round(4 * code[0].item())), 0)] |= 4
        return made

    monkeypatch.setattr(shifts, "decoded", written)
    monkeypatch.setattr(shifting, "decoded", written)
    monkeypatch.setattr(shifts, "codes_of", lambda model, events: torch.zeros(len(events), 6))
    return networks["drums-2bar"]


@pytest.fixture
def beats() -> WindowSet:
    return WindowSet(np.zeros((4, 1, 32), np.int16), np.arange(4), tuple("abcd"), ("drums",),
                     {"test": np.arange(4)})  # fmt: skip


def test_what_moves_is_told_from_what_stays(hats, beats):
    report = shifted(hats, beats, "mine", count=4)
    assert report.cell("density up", "density").value == 1
    assert report.cell("density up", "syncopation").value == 0
    # Four steps of .25 sqrt(6) along the first number, four hits in two bars each, and what the
    # best of all places is beyond that.
    moved = 4 * 4 * shifting.STEP * 6**0.5 / 2
    assert moved < report.cell("density up", "moved by").value < 2 * moved
    assert report.cell("syncopation up", "density").value == 0
    assert 0 < report.cell("chosen, without vectors", "density").value <= 1
    assert report.cell("chosen, without vectors", "syncopation").value == 0
    assert abs(report.cell("a random direction", "density").value) < 1


def test_a_vector_is_found_by_what_neighbours_are_like(hats):
    found = shifting.around(hats, torch.zeros(6), torch.Generator().manual_seed(1))
    assert found.vectors[0, 0] > 0.9
    assert found.vectors[0].norm() == pytest.approx(1)
    assert not found.vectors[1].any()
    # Sixteen hi-hats and eight kicks in two bars, and what the flow makes of 0; those of
    # neighbours vary by 4 x .3.
    assert found.here[0] == pytest.approx(12, abs=1)
    assert found.here[1] == 0
    assert found.spread[0] == pytest.approx(4 * shifting.NEAR / 2, rel=0.2)
    assert found.spread[1] == 0


def test_of_the_places_of_a_step_the_best_one_is_kept(hats, monkeypatch):
    known = shifting.Around(torch.zeros(2, 6), np.array([1.0, 1.0]), np.array([2.0, 0.0]))
    seen = []

    def values(model, normal):
        seen.append(normal)
        found = np.ones((len(normal), 2))
        found[:4] = [[1, 1], [5, 1], [7, 4], [-3, 1]]
        found[4] = [np.nan, 1]
        return found

    monkeypatch.setattr(shifting, "values_at", values)
    random = torch.Generator().manual_seed(3)
    more = shifting.stepped(hats, torch.ones(6), known, 0, 1.0, random)
    less = shifting.stepped(hats, torch.ones(6), known, 0, -0.5, random)
    torch.testing.assert_close(more, seen[0][1])  # the third has more, and changes the other
    torch.testing.assert_close(less, seen[1][3])
    torch.testing.assert_close(seen[0][0], torch.ones(6))
    assert (seen[0][1:] - 1).std().item() == pytest.approx(shifting.BESIDE, rel=0.2)
    assert (seen[1][1:] - 1).std().item() == pytest.approx(shifting.BESIDE / 2, rel=0.2)


def test_a_way_has_a_new_vector_at_each_whole_amount(networks, monkeypatch):
    model, looked = networks["mel-2bar"], []

    def around(model, normal, generator):
        looked.append(normal.clone())
        vectors = torch.eye(6)[:5] if len(looked) == 1 else torch.eye(6)[1:]
        return shifting.Around(vectors, np.zeros(5), np.ones(5))

    monkeypatch.setattr(shifting, "around", around)
    monkeypatch.setattr(shifting, "PLACES", 1)
    length = shifting.STEP * 6**0.5
    way = shifting.along(model, torch.zeros(6), 0, [0.0, -0.5, -2.5], torch.Generator())
    assert len(looked) == 3
    torch.testing.assert_close(way[0], torch.zeros(6))
    torch.testing.assert_close(way[1], -0.5 * length * torch.eye(6)[0])
    torch.testing.assert_close(way[2], -length * (0.5 * torch.eye(6)[0] + 2 * torch.eye(6)[1]))
    given = shifting.Around(torch.eye(6)[1:], np.zeros(5), np.ones(5))
    known = shifting.along(model, torch.zeros(6), 0, [1.0], torch.Generator(), given)
    torch.testing.assert_close(known[0], length * torch.eye(6)[1])
    assert len(looked) == 3


def test_a_report_has_a_row_for_each_attribute(networks, windows, monkeypatch):
    monkeypatch.setattr(shifting, "NEIGHBOURS", 8)
    monkeypatch.setattr(shifting, "PLACES", 4)
    report = shifted(networks["mel-2bar"], windows, "mine", count=3)
    names = list(attributes_of(["melody"]))
    assert [row[0] for row in report.rows] == [
        *(f"{name} up" for name in names), "chosen, without vectors", "a random direction"
    ]  # fmt: skip
    assert list(report.columns[1:-1]) == names
    assert len(AMOUNTS) == 5
    empty = WindowSet(windows.events, windows.song, windows.groups, windows.voices,
                      {"test": np.zeros(0, int)})  # fmt: skip
    with pytest.raises(InputError, match="no windows"):
        shifted(networks["mel-2bar"], empty, "mine")
