"""AUC and rank correlation with intervals, against the plain definitions."""

from __future__ import annotations

import numpy as np
import pytest

from groove_core.errors import InputError, UsageError
from groove_core.learning.statistics import (
    auc,
    bootstrap,
    distances,
    frechet_distance,
    interval,
    mean,
    means,
    nearest,
    spearman,
    wilson,
)


def test_auc_counts_pairs():
    rng = np.random.default_rng(0)
    positive = [rng.normal(1, 1, n).round(1) for n in (3, 0, 7)]
    negative = [rng.normal(0, 1, n).round(1) for n in (4, 5, 2)]
    one, other = np.concatenate(positive), np.concatenate(negative)
    wins = (one[:, None] > other).mean() + 0.5 * (one[:, None] == other).mean()
    found = auc(positive, negative, bootstrap(3))
    assert found.value == pytest.approx(wins)
    assert found.low <= found.value <= found.high
    # a round that draws the first performance twice and the last once
    drawn = np.array([[1.0, 1, 1], [2, 0, 1]])
    one = np.concatenate([positive[0], positive[0], positive[2]])
    other = np.concatenate([negative[0], negative[0], negative[2]])
    wins = (one[:, None] > other).mean() + 0.5 * (one[:, None] == other).mean()
    assert auc(positive, negative, drawn).low == pytest.approx(wins)


def test_auc_of_noise_is_a_half_and_of_order_one():
    rng = np.random.default_rng(1)
    noise = [[rng.normal(size=50) for _ in range(30)] for _ in range(2)]
    found = auc(*noise, bootstrap(30))
    assert found.value == pytest.approx(0.5, abs=0.03)
    assert found.high - found.low < 0.06
    assert auc([np.array([2.0])], [np.array([1.0])], bootstrap(1)).value == 1


def test_nothing_to_compare_is_not_a_number():
    empty = [np.zeros(0), np.zeros(0)]
    assert np.isnan(auc(empty, [np.ones(2), np.ones(1)], bootstrap(2)).value)
    assert np.isnan(spearman(empty, empty, bootstrap(2)).value)
    assert np.isnan(interval(np.full(5, np.nan)).value)


def test_spearman_is_the_correlation_of_ranks():
    x = np.array([3.0, 1, 4, 1, 5, 9, 2, 6])
    y = np.array([2.0, 7, 1, 8, 2, 8, 1, 8])
    found = spearman([x[:3], x[3:]], [y[:3], y[3:]], bootstrap(2))

    def ranks(values):
        return np.array([(values < v).sum() + ((values == v).sum() + 1) / 2 for v in values])

    assert found.value == pytest.approx(np.corrcoef(ranks(x), ranks(y))[0, 1])
    # weights count a value as often
    twice = spearman([x[:3], x[3:]], [y[:3], y[3:]], np.array([[2.0, 1.0]]))
    long_x, long_y = (np.concatenate([v[:3], v[:3], v[3:]]) for v in (x, y))
    assert twice.value == pytest.approx(np.corrcoef(ranks(long_x), ranks(long_y))[0, 1])
    assert spearman([x], [np.exp(x)], bootstrap(1)).value == pytest.approx(1)


def test_nothing_to_draw_from_is_said():
    for call in (
        lambda: bootstrap(0),
        lambda: bootstrap(-1),
        lambda: bootstrap(2, rounds=-1),
        lambda: wilson(0, 0),
        lambda: wilson(3, 2),
    ):
        with pytest.raises(UsageError):
            call()
    assert bootstrap(2, rounds=0).tolist() == [[1, 1]]
    assert np.isnan(spearman([], [], np.ones((1, 0))).value)


def test_frechet_distance_of_gaussians():
    x, other = np.random.default_rng(0).normal(size=(2, 4000, 5))
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(x + 2, x) == pytest.approx(5 * 4, rel=1e-6)
    # With deviations s and t each dimension adds (s - t)^2, beside the difference of means.
    spread, middle = x.var(axis=0, ddof=1).sum(), (x.mean(axis=0) ** 2).sum()
    assert frechet_distance(3 * x, x) == pytest.approx(4 * spread + 4 * middle, rel=1e-6)
    assert 0 < frechet_distance(other, x) < 0.05
    assert frechet_distance(x[:, :1], x[:, :1]) == pytest.approx(0, abs=1e-6)
    with pytest.raises(InputError, match="single item"):
        frechet_distance(x[:1], x)


def test_intervals_of_means_cover_and_respect_groups():
    rng = np.random.default_rng(1)
    found = [mean(rng.normal(5, 1, 50), rounds=200) for _ in range(100)]
    assert 85 <= sum(one.low <= 5 <= one.high for one in found) <= 100
    # 100 values of 4 groups that are all alike say no more than 4 values
    values, groups = np.repeat([0, 0, 1, 1], 25), np.repeat(np.arange(4), 25)
    wide, narrow = mean(values, groups), mean(values)
    assert wide.value == narrow.value == 0.5
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)
    assert np.isnan(mean([]).value)


def test_means_weigh_groups_by_their_size():
    values, groups = np.array([1.0, 2, 3, 10]), np.array(["b", "b", "b", "a"])
    rounds = [
        np.concatenate([np.repeat(values[3], a), np.tile(values[:3], b)]).mean()
        for a, b in bootstrap(2).astype(int)
    ]
    [found, half] = means([values, values / 2], groups)
    assert found == interval(np.array(rounds))
    assert half.low == pytest.approx(found.low / 2)


def test_distances_of_equal_items_are_zero():
    torch = pytest.importorskip("torch")
    known = 1000 + torch.randn(600, 3, 7, generator=torch.Generator().manual_seed(0))
    some = known[torch.tensor([599, 3, 300])]
    between = distances(some, known)
    literal = torch.tensor([[(a - b).square().sum().sqrt() for b in known] for a in some])
    torch.testing.assert_close(between, literal)
    away, which = nearest(torch.cat([some, known[:1] + 1]), known)
    assert which.tolist()[:3] == [599, 3, 300]
    assert away.tolist()[:3] == [0, 0, 0]
    assert away[3] == pytest.approx(float(distances(known[:1] + 1, known).min()), abs=1e-3)
