"""The map: layouts, the way back from a plane to codes, and how good both are."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from drum_space.atlas import making
from drum_space.atlas.drummap import DrumMap
from drum_space.atlas.making import draw_map, make_map, measure, shipped_map, train_map
from drum_space.atlas.model import ParametricMap
from drum_space.atlas.neighbors import (
    measure_purity,
    nearest_others,
    purity,
)
from drum_space.atlas.training import MapSettings, train_parametric
from drum_space.data import PatternSet, build, open_patterns
from drum_space.model import DrumAutoencoder
from groove_core.errors import InputError, UsageError
from groove_core.learning import trustworthiness, tsne
from groove_core.storage import checkpoints
from groove_core.values import Report

RNG = np.random.default_rng(5)
CENTRES = np.array([[0, 0, 0, 0], [9, 0, 9, 0], [0, 9, 0, 9]])


def needs_open_tsne():
    pytest.importorskip("openTSNE")


@pytest.fixture(scope="module")
def clusters():
    """Three genres far from each other, of ten performances each, of twelve patterns."""
    source = np.repeat(np.arange(30), 12)
    genre = source % 3
    return CENTRES[genre] + RNG.normal(size=(360, 4)), genre, source


@pytest.fixture(scope="module")
def acai():
    return checkpoints.load("drum-space", "acai", DrumAutoencoder)


@pytest.fixture(scope="module")
def drawn(acai):
    """The shipped map, with two beats of the user's own."""
    network, card = acai
    hits = np.zeros((2, 32, 14), dtype=bool)
    hits[:, ::8, 0] = hits[:, 4::8, 1] = hits[0, ::2, 2] = True
    return draw_map(network, card, yours=(hits, ("mine:1", "mine:3")))


@pytest.fixture
def quick(monkeypatch):
    """Train for two epochs instead of many."""
    monkeypatch.setattr(making, "MapSettings", partial(MapSettings, epochs=2))


# Neighbours


def test_purity_by_hand():
    """Points on a line; a performance of two patterns sits between the others."""
    points = np.array([[0.0], [1.0], [1.5], [4.0], [6.0]])
    source = np.array([0, 1, 1, 2, 3])
    genre = np.array([0, 1, 1, 0, 1])
    near = nearest_others(points, source, k=2)
    np.testing.assert_array_equal(near, [[1, 2], [0, 3], [0, 3], [4, 2], [3, 2]])
    np.testing.assert_array_equal(purity(points, genre, source, k=2), [0, 0, 0, 0, 0.5])
    # with neighbours of the same performance
    own = purity(points, genre, np.arange(5), k=1)
    np.testing.assert_array_equal(own, [0, 1, 1, 0, 0])
    with pytest.raises(InputError, match="fewer than 4"):
        purity(points, genre, source, k=4)


def test_neighbours_are_exact_where_a_performance_is_large():
    points = RNG.normal(size=(700, 2))
    points[:500] *= 0.01  # one performance, in the middle of all others
    source = np.append(np.zeros(500, dtype=int), np.arange(1, 201) // 4 + 1)
    found = nearest_others(points, source, k=10)
    distance = np.linalg.norm(points[:, None] - points, axis=2)
    distance[source[:, None] == source] = np.inf
    np.testing.assert_array_equal(found, np.argsort(distance, axis=1)[:, :10])


def test_equal_points_have_neighbours():
    points = np.zeros((40, 2))
    near = nearest_others(points, np.arange(40), k=10)
    assert all(len(set(row)) == 10 and own not in row for own, row in enumerate(near))


def test_genres_that_are_performances_would_not_pass_for_a_good_space():
    """Windows of a performance lie together, performances anywhere: purity is chance."""
    source = np.repeat(np.arange(60), 20)
    genre = (source * 7 % 60) % 3
    points = 10 * RNG.normal(size=(60, 2))[source] + RNG.normal(0, 0.01, (1200, 2))
    found = measure_purity(points, genre, source)
    assert found.own.value > 0.99
    assert abs(found.mean.value - found.shuffled.value) < 0.15
    assert found.shuffled.low < 1 / 3 < found.shuffled.high


def test_macro_purity_counts_genres_once_and_needs_two_performances():
    source = np.repeat(np.arange(24), [50] * 10 + [3] * 13 + [5])
    genre = np.repeat([0, 1, 2], [500, 39, 5])  # the last genre has one performance
    points = CENTRES[genre][:, :2] + RNG.normal(size=(544, 2))
    points[genre == 1] = RNG.normal(size=(39, 2))
    found = measure_purity(points, genre, source)
    shares = purity(points, genre, source)
    expected = (shares[genre == 0].mean() + shares[genre == 1].mean()) / 2
    assert found.macro == pytest.approx(expected)
    assert found.mean.value == pytest.approx(shares.mean())
    assert found.mean.low <= found.mean.value <= found.mean.high


# Layout


def test_the_layout_separates_clusters_and_is_reproducible(clusters, capsys):
    needs_open_tsne()
    codes, genre, source = clusters
    layout = tsne(codes, seed=3, n_jobs=1)
    found = measure_purity(layout, genre, source)
    assert found.mean.value > 0.99
    assert found.shuffled.value < 0.5
    assert np.ptp(layout, axis=0).max() == pytest.approx(2)
    assert np.abs(layout).max() == pytest.approx(1)
    assert trustworthiness(codes, layout) > 0.95
    assert layout.tobytes() == tsne(codes, seed=3, n_jobs=2).tobytes()
    assert not np.array_equal(layout, tsne(codes, seed=4, n_jobs=1))
    assert "perplexity" not in capsys.readouterr().err


# The parametric map


@pytest.fixture(scope="module")
def bent():
    """A bent sheet in four dimensions, and its flat form."""
    flat = RNG.uniform(-1, 1, (1500, 2))
    u, v = flat.T
    return np.stack([3 * u, 2 * v + u**2, np.sin(2 * u), v * u - 1], axis=1), flat


def test_the_way_back_from_a_sheet_leads_to_its_codes(bent):
    codes, flat = bent
    plane = train_parametric(codes, flat, MapSettings(epochs=25), seed=0)
    with torch.no_grad():
        placed = plane.positions(torch.from_numpy(codes).float())
        back = plane.codes(placed).numpy()
    assert placed.abs().max() <= 1
    assert np.sqrt(np.square(placed.numpy() - flat).mean()) < 0.06
    assert np.square(back - codes).sum() / np.square(codes - codes.mean(axis=0)).sum() < 0.02
    np.testing.assert_allclose(plane.layout, flat, atol=1e-4)
    # as it is stored, in 16 bits
    for tensor in plane.parameters():
        assert torch.equal(tensor, tensor.half().float())


def test_the_same_seed_trains_the_same_map(bent):
    codes, flat = bent[0][:200], bent[1][:200]

    def weights(seed):
        plane = train_parametric(codes, flat, MapSettings(epochs=2), seed=seed)
        return torch.cat([p.flatten() for p in plane.state_dict().values()])

    before = torch.get_rng_state()
    first = weights(1)
    assert torch.equal(first, weights(1))
    assert not torch.equal(first, weights(2))
    assert torch.equal(before, torch.get_rng_state())


def test_measures_of_a_plane_that_keeps_everything(clusters):
    codes, genre, source = clusters
    flat = CENTRES[genre][:, :2] + RNG.normal(size=(360, 2))
    codes = flat @ RNG.normal(size=(2, 4))
    plane = train_parametric(codes, flat / np.abs(flat).max(), MapSettings(epochs=25), seed=0)
    report = measure(plane, codes, genre, source)
    assert [row[0] for row in report.rows] == ["4-D codes", "t-SNE", "parametric map"]
    for name in ("4-D codes", "t-SNE", "parametric map"):
        assert report.cell(name, "purity").value > 0.9
        assert report.cell(name, "purity, shuffled").value < 0.5
    assert report.cell("parametric map", "trustworthiness") > 0.97
    assert report.cell("parametric map", "R²") > 0.97
    assert report.cell("t-SNE", "R²") is None


# The value


def test_json_keeps_everything(drawn, tmp_path):
    read = DrumMap.read(drawn.save(tmp_path / "map.json"))
    assert read == drawn
    for name in ("hits", "codes", "tsne", "parametric", "genre", "source", "half_bar"):
        here, there = getattr(drawn, name), getattr(read, name)
        np.testing.assert_array_equal(here, there)
        assert here.dtype == there.dtype
    assert read.measures == drawn.measures
    assert read.save(tmp_path / "again.json").read_bytes() == (tmp_path / "map.json").read_bytes()
    assert replace(drawn, measures=None) != drawn
    assert DrumMap.from_json(replace(drawn, measures=None).to_json()).measures is None


def test_a_map_read_from_json_has_no_networks(drawn, tmp_path):
    read = DrumMap.from_json(drawn.to_json())
    with pytest.raises(UsageError, match="no networks"):
        read.save(tmp_path / "map.html")
    with pytest.raises(UsageError, match="no networks"):
        read.code_at(0, 0)
    np.testing.assert_array_equal(read.code_at(0, 0, "tsne"), drawn.code_at(0, 0, "tsne"))


def test_document_and_text_are_short(drawn):
    document = drawn.to_document()
    assert document["patterns"] == 35277
    assert document["performances"] == 638
    assert document["genres"]["rock"] == 9680
    assert sum(document["genres"].values()) == 35277
    assert document["yours"] == ["mine:1", "mine:3"]
    assert "trustworthiness" in drawn.to_text()
    assert len(drawn.to_text()) < 4000


def test_code_at_a_point_of_the_parametric_layout(drawn):
    """The inverse network, layer by layer, in double precision."""
    weights = {name: p.numpy().astype(np.float64) for name, p in drawn.plane.state_dict().items()}
    x = np.array([0.25, -0.4])
    layers = sorted({int(name.split(".")[1]) for name in weights if name.startswith("inverse")})
    for layer in layers:
        x = weights[f"inverse.{layer}.weight"] @ x + weights[f"inverse.{layer}.bias"]
        if layer != layers[-1]:
            x = np.where(x < 0, 0.2 * x, x)
    expected = (x * weights["scale"] + weights["shift"]).astype(np.float32)
    found = drawn.code_at(0.25, -0.4)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert drawn.plane.inverse[0].weight.dtype == torch.float32  # is left as it was


def test_code_at_a_point_of_the_tsne_layout(drawn):
    x, y = 0.1, 0.3
    by_distance = sorted(
        ((px - x) ** 2 + (py - y) ** 2, i) for i, (px, py) in enumerate(drawn.tsne.tolist())
    )[:8]
    weights = [1 / (squared + 1e-9) for squared, _ in by_distance]
    mixed = np.dot(weights, drawn.codes[[i for _, i in by_distance]].astype(float))
    np.testing.assert_allclose(drawn.code_at(x, y, "tsne"), mixed / sum(weights), rtol=1e-6)
    # at a pattern it is that pattern's code, but for what is next to it
    alone = np.argmax(nearest_distance(drawn.tsne))
    np.testing.assert_allclose(
        drawn.code_at(*drawn.tsne[alone], "tsne"), drawn.codes[alone], atol=1e-2
    )


def nearest_distance(points):
    near = nearest_others(points, np.arange(len(points)), k=1)[:, 0]
    return np.linalg.norm(points - points[near], axis=1)


def test_own_beats_are_the_last_points(drawn, acai):
    assert len(drawn) == 35279
    assert drawn.yours == drawn.sources[-2:] == ("mine:1", "mine:3")
    assert drawn.genre[-2:].tolist() == [len(drawn.genres)] * 2
    assert drawn.source[-2:].tolist() == [638, 639]
    with torch.no_grad():
        codes = acai[0].encode(torch.from_numpy(drawn.hits[-2:])).numpy()
    np.testing.assert_allclose(drawn.codes[-2:], codes, atol=1e-4)
    for own in (-2, -1):
        near = np.argmin(np.linalg.norm(drawn.codes[:-2] - drawn.codes[own], axis=1))
        np.testing.assert_array_equal(drawn.tsne[own], drawn.tsne[near])
        gap = np.linalg.norm(drawn.parametric[own] - drawn.parametric[near])
        assert gap < 0.2


def test_picture(drawn, tmp_path):
    from PIL import Image

    few = DrumMap.from_json(drawn.to_json())
    for number, one in enumerate((drawn, replace(few, yours=()))):
        path = one.save(tmp_path / f"{number}.png")
        with Image.open(path) as image:
            assert image.size[0] > image.size[1] > 500
            assert len(np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0)) > 1000


def test_page_gets_what_it_draws(drawn, tmp_path):
    page, arrays = drawn._page(), drawn._arrays()
    assert page["groups"][0] == "rock"
    assert page["layouts"] == ["t-SNE", "parametric"]
    assert page["yours_count"] == 2
    assert ["trustworthiness, t-SNE", "0.9996"] in page["measures"]
    assert [d["note"] for d in page["drums"]][:2] == [36, 38]
    assert arrays["bits"].shape == (35279, 56)
    np.testing.assert_array_equal(arrays["tsne"] / 32767, drawn.tsne)
    np.testing.assert_array_equal(arrays["group"], drawn.genre)
    decoder = drawn.decoder.decoder
    assert {k for k in arrays if k.startswith("decoder.1")} == {
        f"decoder.1.{part}" for part in ("weight", "bias", "norm.weight", "norm.bias")
    }
    # halves are exact
    np.testing.assert_array_equal(
        arrays["decoder.0.weight"].astype(np.float32), decoder[0].weight.detach().numpy()
    )
    last = max(k for k in arrays if k.startswith("inverse") and k.endswith("weight"))
    assert arrays[last].shape[0] == 4
    html = drawn.save(tmp_path / "map.html").read_text()
    assert "mine:3" in html
    assert len(html) < 6_000_000


def test_page_of_too_many_performances(drawn):
    many = replace(drawn, sources=tuple(map(str, range(70_000))))
    with pytest.raises(UsageError, match="70000 performances"):
        many._arrays()


# Making


def test_the_packaged_map_is_of_the_packaged_patterns_and_as_good_as_its_card_says(acai, drawn):
    patterns = open_patterns()
    plane, report = shipped_map(acai[1], patterns, perplexity=30, seed=1)
    assert len(plane.layout) == len(patterns)
    told = checkpoints.read_card(checkpoints.find("drum-space", "map").path)
    assert "nothing is tested" in told["data"]["split"]
    assert told["metrics"]["split"] == "all"
    codes = drawn.codes[:-2].astype(np.float64)
    rows = np.random.default_rng(0).choice(len(codes), 300, replace=False)
    for name, layout in (("t-SNE", drawn.tsne), ("parametric map", drawn.parametric)):
        layout = layout[:-2]
        now = trustworthiness_of(rows, codes, layout)
        assert now == pytest.approx(report.cell(name, "trustworthiness"), abs=4e-3)
        back = trustworthiness_of(rows, layout, codes)
        assert back == pytest.approx(report.cell(name, "continuity"), abs=4e-3)
        mean = purity(layout, drawn.genre[:-2], patterns.source).mean()
        assert mean == pytest.approx(report.cell(name, "purity").value, abs=5e-3)
        assert report.cell(name, "purity").low > 2 * report.cell(name, "purity, shuffled").high
    assert report.cell("t-SNE", "trustworthiness") > 0.99
    assert report.cell("parametric map", "R²") > 0.9


def trustworthiness_of(rows, high, low, k=12):
    """Estimate it from some of the points, among all."""
    intruders = 0
    for row in rows:
        near = np.argsort(np.square(low - low[row]).sum(axis=1))
        near = near[near != row][:k]
        distance = np.square(high - high[row]).sum(axis=1)
        ranks = (distance < distance[near, None]).sum(axis=1)
        intruders += np.maximum(0, ranks - k).sum()
    n = len(high)
    return 1 - 2 * intruders / (len(rows) * k * (2 * n - 3 * k - 1))


def test_the_shipped_map_is_for_its_model_patterns_perplexity_and_seed(acai, monkeypatch):
    monkeypatch.setitem(sys.modules, "openTSNE", None)
    network, card = acai
    patterns = open_patterns()
    assert shipped_map(card, patterns, perplexity=31, seed=1) is None
    assert shipped_map(card, patterns, perplexity=30, seed=2) is None
    assert shipped_map({**card, "sha256": "0"}, patterns, perplexity=30, seed=1) is None
    fewer = replace(patterns, hits=patterns.hits[1:])
    assert shipped_map(card, fewer, perplexity=30, seed=1) is None
    with pytest.raises(UsageError, match="openTSNE"):
        draw_map(network, card, perplexity=31)


def test_a_map_of_your_own_patterns(acai, beats, tmp_path, quick):
    needs_open_tsne()
    network, card = acai
    folder = tmp_path / "patterns.npz"
    patterns = build([beats])
    patterns.save(folder)
    one = draw_map(network, card, folder, seed=7, yours=(patterns.hits[:1], ("first:1",)))
    assert len(one) == len(patterns) + 1
    assert set(one.genres) == {"rock", "funk"}
    assert one.genre[: len(patterns)].tolist() == [one.genres.index(g) for g in patterns.genre_of()]
    np.testing.assert_array_equal(one.tsne[0], one.tsne[-1])
    assert one.measures.cell("t-SNE", "trustworthiness") > 0.8
    again = draw_map(network, card, folder, seed=7, yours=(patterns.hits[:1], ("first:1",)))
    assert again == one


def test_a_map_that_is_too_small_to_measure(quick, capsys):
    needs_open_tsne()
    codes = RNG.normal(size=(20, 4))
    _, report = make_map(codes, np.zeros(20, int), np.zeros(20, int), perplexity=30, seed=0)
    assert report is None
    assert "not measured" in capsys.readouterr().err


def test_a_map_is_stored_with_its_card(acai, beats, tmp_path, quick):
    needs_open_tsne()
    network, card = acai
    patterns = build([beats])
    report = train_map(network, card, patterns, tmp_path / "map", data="beats", license="CC0")
    plane, stored = checkpoints.load("drum-space", tmp_path / "map", ParametricMap)
    assert len(plane.layout) == len(patterns)
    assert stored["data"]["name"] == "beats"
    assert stored["data"]["origin"]["model"] == card["sha256"]
    assert Report.from_json(stored["metrics"]["report"]) == report
    few = PatternSet(patterns.hits[:30], *(np.zeros(30, int),) * 3, ("one.mid",), ("rock",))
    with pytest.raises(InputError, match="too few patterns"):
        train_map(network, card, few, tmp_path / "few")
    assert not (tmp_path / "few").exists()


def test_genres_beyond_a_byte_share_the_last_number():
    sources = 300
    names = tuple(f"genre {index:03}" for index in range(sources))
    source = np.append(np.arange(sources), [299, 299, 7])
    zeros = np.zeros(len(source), dtype=int)
    hits = np.zeros((len(source), 32, 14), dtype=bool)
    patterns = PatternSet(hits, source, zeros, zeros, names, names)
    genre, genres = making._genres(patterns)
    assert genres[:3] == ("genre 299", "genre 007", "genre 000")
    assert len(genres) == 255
    assert genres[-1] == "other"
    assert genre[299] == genre[300] == 0
    assert (genre == 254).sum() == 300 - 254
