"""Tastes: pooling, the posterior, and what few ratings can say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groove_core.errors import InputError
from music_recsys.listeners import area, ndcg
from music_recsys.taste import POOLINGS, Taste, learn_taste, liking, pool


@pytest.mark.parametrize("pooling", POOLINGS)
def test_slopes_are_derivatives(pooling):
    rng = np.random.default_rng(0)
    scores, starts = rng.normal(size=12), np.array([0, 1, 5])
    _, slopes = pool(scores, starts, pooling)
    for i in range(len(scores)):
        moved = scores.copy()
        moved[i] += 1e-6
        change = (pool(moved, starts, pooling)[0] - pool(scores, starts, pooling)[0]).sum() / 1e-6
        assert slopes[i] == pytest.approx(change, abs=1e-4)


def test_poolings_mean_what_they_say():
    scores, starts = np.array([0.0] * 9 + [8.0]), np.array([0])
    mean, attention, length = (pool(scores, starts, p)[0][0] for p in POOLINGS)
    assert mean == pytest.approx(0.8)
    assert attention > 7.9  # one beloved passage counts
    assert length == pytest.approx(8 / 17)  # ten passages of eight seconds are 17 s
    # The source's bias: the same music, longer, scores more.
    longer = pool(np.tile(scores, 4), starts, "length")[0][0]
    assert longer > length * 1.3
    assert pool(np.tile(scores, 4), starts, "mean")[0][0] == pytest.approx(mean)


def songs(count: int, dimensions: int = 8, seed: int = 0):
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=dimensions)
    made = [
        rng.normal(size=dimensions) + 0.3 * rng.normal(size=(20, dimensions)) for _ in range(count)
    ]
    return made, np.array([float((song @ direction).mean() > 0) for song in made])


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_taste_is_found_and_doubt_shrinks(pooling):
    made, liked = songs(400)
    unseen, truth = made[200:], liked[200:]
    areas, doubts = [], []
    for count in (6, 40, 200):
        taste = learn_taste(made[:count], liked[:count], pooling)
        scored = [taste.song(song) for song in unseen]
        areas.append(area([s for s, _ in scored], truth))
        doubts.append(np.mean([d / (abs(s) + 1e-9) for s, d in scored]))
    assert areas[-1] > 0.95
    assert areas[-1] > areas[0]
    assert doubts[-1] < doubts[0]


def test_the_optimum_is_one():
    made, liked = songs(30)
    taste = learn_taste(made, liked)
    means = np.array([[*song.mean(axis=0), 1.0] for song in made])
    prior = np.array([taste.precision] * 8 + [0.1])

    def loss(weights):
        scores = means @ weights
        return (np.logaddexp(0, scores) - liked * scores).sum() + 0.5 * prior @ weights**2

    best = loss(taste.weights)
    rng = np.random.default_rng(0)
    assert all(loss(taste.weights + 0.05 * rng.normal(size=9)) > best for _ in range(50))


def test_only_one_passage_is_liked_and_attention_finds_it():
    rng = np.random.default_rng(0)
    beloved = np.zeros(6)
    beloved[0] = 4.0
    made, liked = [], []
    for i in range(60):
        song = rng.normal(size=(30, 6))
        song[:, 0] -= 0.5
        if i % 2 == 0:
            song[int(rng.integers(30))] += beloved
        made.append(song)
        liked.append(float(i % 2 == 0))
    areas = {}
    for pooling in ("mean", "attention"):
        taste = learn_taste(made[:40], liked[:40], pooling)
        areas[pooling] = area([taste.song(song)[0] for song in made[40:]], liked[40:])
    assert areas["attention"] > areas["mean"] + 0.1


def test_all_liked_is_no_error_and_what_is_alike_scores_more():
    rng = np.random.default_rng(0)
    likes = [np.array([3.0, 0, 0]) + rng.normal(size=(5, 3)) for _ in range(5)]
    taste = learn_taste(likes, np.ones(5))
    assert taste.song(likes[0])[0] > taste.song(-likes[0])[0]


@pytest.mark.parametrize("pooling", POOLINGS)
def test_fewer_passages_than_dimensions_change_nothing(pooling):
    """The space that they span is enough: the same as with dimensions of their own."""
    rng = np.random.default_rng(0)
    made, liked = [rng.normal(size=(2, 30)) for _ in range(6)], [1, 0, 1, 0, 1, 0]
    narrow = learn_taste(made, liked, pooling)
    # Passages that count for nothing make them as many as there are dimensions.
    silent = [1e-9 * np.eye(30)]
    wide = learn_taste([*made, *silent], [*liked, 1], pooling, [1] * 6 + [1e-12])
    assert narrow.precision == wide.precision
    assert narrow.evidence == pytest.approx(wide.evidence, abs=1e-6)
    assert np.allclose(narrow.weights, wide.weights, atol=1e-6)
    assert np.allclose(narrow.covariance, wide.covariance, atol=1e-6)


def test_a_weak_rating_counts_as_much_as_its_weight_says():
    made, liked = songs(12)
    twice = learn_taste([*made, *made], [*liked, *liked])
    weighty = learn_taste(made, liked, weights=np.full(12, 2.0))
    assert np.allclose(twice.weights, weighty.weights, atol=1e-2)
    assert np.allclose(twice.covariance, weighty.covariance, atol=1e-2)
    unsure = learn_taste(made, liked, weights=np.full(12, 0.25))
    assert abs(unsure.song(made[0])[0]) < abs(weighty.song(made[0])[0])


def test_no_ratings():
    with pytest.raises(InputError):
        learn_taste([], [])


def test_ratings_are_probabilities():
    assert liking([1, 2, 3, 5]).tolist() == [0, 0.25, 0.5, 1]


def test_doubt_draws_probabilities_to_one_half():
    assert Taste.probability(2.0, 0.0) == pytest.approx(1 / (1 + np.exp(-2)))
    assert 0.5 < Taste.probability(2.0, 5.0) < Taste.probability(2.0, 0.0)


def test_drawn_tastes_vary_as_the_posterior_does():
    made, liked = songs(40)
    taste = learn_taste(made, liked)
    rng = np.random.default_rng(0)
    drawn = np.array([taste.drawn(rng).weights for _ in range(2000)])
    assert np.allclose(
        drawn.mean(axis=0), taste.weights, atol=0.15 * np.sqrt(taste.covariance.max())
    )
    assert np.allclose(np.cov(drawn.T), taste.covariance, atol=0.15 * taste.covariance.max())


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=3, max_size=30), st.data())
def test_area_is_the_share_of_pairs(scores, data):
    liked = data.draw(st.lists(st.booleans(), min_size=len(scores), max_size=len(scores)))
    if all(liked) or not any(liked):
        return
    pairs = [
        1.0 if a > b else 0.5 if a == b else 0.0
        for a, x in zip(scores, liked, strict=True) if x
        for b, y in zip(scores, liked, strict=True) if not y
    ]  # fmt: skip
    assert area(scores, liked) == pytest.approx(np.mean(pairs))


def test_ndcg():
    assert ndcg([3, 2, 1], [True, True, False], 2) == pytest.approx(1)
    assert ndcg([1, 2, 3], [True, False, False], 2) == 0
    assert ndcg([1, 3, 2], [True, False, False], 3) == pytest.approx(1 / 2)
