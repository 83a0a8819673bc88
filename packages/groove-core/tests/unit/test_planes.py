"""Codes on a plane, and how much of their space is left there."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from groove_core.errors import InputError, UsageError
from groove_core.learning import place_near, trustworthiness, tsne

RNG = np.random.default_rng(5)
CENTRES = np.array([[0, 0, 0, 0], [9, 0, 9, 0], [0, 9, 0, 9]])


@pytest.mark.parametrize("k", [1, 5, 12])
def test_trustworthiness_is_that_of_scikit_learn(k):
    manifold = pytest.importorskip("sklearn.manifold")
    high = RNG.normal(size=(500, 4))
    low = high[:, :2] + RNG.normal(0, 0.5, (500, 2))
    for one, other in ((high, low), (low, high)):
        expected = manifold.trustworthiness(one, other, n_neighbors=k)
        assert trustworthiness(one, other, k=k) == pytest.approx(expected, abs=1e-9)
    assert trustworthiness(high, 3 * high, k=k) == 1
    with pytest.raises(InputError, match="too few"):
        trustworthiness(high[:24], low[:24], k=12)


def test_few_codes_lower_the_perplexity(capsys):
    pytest.importorskip("openTSNE")
    layout = tsne(RNG.normal(size=(20, 4)), perplexity=30, n_jobs=1)
    assert layout.shape == (20, 2)
    assert np.isfinite(layout).all()
    assert "perplexity is 5 instead of 30" in capsys.readouterr().err
    with pytest.raises(InputError, match="4 different codes are too few"):
        tsne(RNG.normal(size=(4, 4)))
    with pytest.raises(InputError, match="1 different codes are too few"):
        tsne(np.ones((500, 4)))


@pytest.mark.parametrize("latent", [1, 2, 16])
def test_equal_codes_and_any_number_of_dimensions(latent):
    pytest.importorskip("openTSNE")
    codes = np.repeat(RNG.normal(size=(8, latent)), 40, axis=0)
    layout = tsne(codes, n_jobs=1)
    assert np.isfinite(layout).all()
    # what is equal is together
    spread = layout.reshape(8, 40, 2).std(axis=1).max()
    assert spread < 0.1


def test_without_open_tsne(monkeypatch):
    monkeypatch.setitem(sys.modules, "openTSNE", None)
    with pytest.raises(UsageError, match="not installed") as error:
        tsne(RNG.normal(size=(100, 4)), extra="drum-space[map]")
    assert error.value.hint == 'pip install "drum-space[map]"'


def test_new_codes_are_where_their_nearest_code_is():
    pytest.importorskip("torch")
    kind = np.arange(360) % 3
    codes = CENTRES[kind] + RNG.normal(size=(360, 4))
    layout = CENTRES[kind][:, :2] / 9 + RNG.normal(0, 0.01, (360, 2))
    new = CENTRES + 0.1
    placed = place_near(codes, layout, new)
    np.testing.assert_allclose(placed, CENTRES[:, :2] / 9, atol=0.05)
    assert place_near(codes, layout, new[:0]).shape == (0, 2)
