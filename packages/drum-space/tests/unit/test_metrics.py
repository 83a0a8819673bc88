"""The filter, the distances and the intervals."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from drum_space.metrics import (
    COLUMNS,
    Reference,
    describe_set,
    f1_score,
    nearest_distance,
    step_entropy,
    survives,
)
from groove_core.drums import DrumPattern

GOLDEN = Path(__file__).parents[1] / "golden/published.npz"


def hits(masks):
    return np.stack([DrumPattern.from_masks(row).hits for row in masks])


def test_entropy_of_known_patterns():
    patterns = hits([[0] * 32, [1, 0] * 16, list(range(32)), [1] * 8 + [2] * 24])
    expected = [0, math.log(2), math.log(32), -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))]
    np.testing.assert_allclose(step_entropy(patterns), expected, atol=1e-12)
    assert survives(patterns).tolist() == [False, False, True, False]


@pytest.mark.parametrize(("model", "agreement"), [("ae", 0.94), ("vae", 0.95)])
def test_the_published_decisions(model, agreement):
    """Every published survivor passes; what else passes is left to the novelty rule."""
    with np.load(GOLDEN) as golden:
        masks, rows, kept = (golden[f"{model}_{k}"] for k in ("masks", "rows", "kept"))
    assert rows.sum() == 10_000
    passed = survives(hits(masks))
    assert passed[kept].all()
    share = rows[passed == kept].sum() / 10_000
    assert share == pytest.approx(agreement, abs=0.01)


def test_nearest_distance_is_the_hamming_distance():
    rng = np.random.default_rng(0)
    a, b = rng.random((50, 32, 14)) < 0.1, rng.random((70, 32, 14)) < 0.1
    brute = (a[:, None] != b[None]).sum(axis=(2, 3)).min(axis=1)
    np.testing.assert_array_equal(nearest_distance(a, b), brute)
    assert (nearest_distance(b, b) == 0).all()


def test_f1():
    a, b = (
        hits([[1, 1] + [0] * 30, [0] * 32, [1] * 32]),
        hits([[1, 0] + [0] * 30, [0] * 32, [2] * 32]),
    )
    np.testing.assert_allclose(f1_score(a, b), [2 / 3, 1, 0])


def test_controls_of_the_table():
    train = hits([[i, 0, 4, 0] * 8 for i in range(1, 9)])
    reference = Reference(
        train,
        frozenset(r.tobytes() for r in np.packbits(train.reshape(8, -1), axis=1)),
        frozenset(),
    )
    named = dict(zip(COLUMNS, describe_set(train, reference), strict=True))
    assert named["copies"].value == named["distinct"].value == 1
    assert named["survival, new"].value == named["distance"].value == 0
    assert named["hits, closed hi-hat"].value == pytest.approx(train[:, :, 2].sum() / 8)
    twice = dict(zip(COLUMNS, describe_set(np.concatenate([train] * 2), reference), strict=True))
    assert twice["distinct"].value == 0.5
