"""What lies between two beats, on sets and spaces made here."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from drum_space import interpolation
from drum_space.data import PatternSet
from drum_space.interpolation import Couples, Judging, Measuring, evaluate_interpolation
from drum_space.model import DrumAutoencoder
from groove_core.errors import InputError


@pytest.fixture(scope="module")
def patterns() -> PatternSet:
    """Make a set of beats; those of one performance are alike."""
    rng = np.random.default_rng(3)
    hits, source, split = [], [], []
    for part, performances in enumerate((6, 4, 5)):
        for _ in range(performances):
            beat = rng.random((32, 14)) < 0.15
            number = len(set(source))
            for _ in range(12):
                hits.append(beat ^ (rng.random(beat.shape) < 0.02))
                source.append(number)
                split.append(part)
    names = tuple(map(str, range(15)))
    arrays = (np.array(column) for column in (source, np.zeros(len(hits), int), split))
    return PatternSet(np.array(hits), *arrays, names, ("rock",) * 15)


@pytest.fixture
def model() -> DrumAutoencoder:
    torch.manual_seed(1)
    return DrumAutoencoder(kind="ae", latent=4).eval()


@pytest.fixture(autouse=True)
def quick_judges(monkeypatch):
    """Let one judge learn from the few beats that there are here."""
    monkeypatch.setattr(interpolation, "JUDGES", 1)
    monkeypatch.setattr(interpolation, "Judging", partial(Judging, batch_size=16))


def test_no_performance_is_in_two_couples(patterns):
    couples = Couples.of(patterns, "test", np.random.default_rng(0))
    assert len(couples.hits) == 48  # of five performances, one is left out
    assert couples.couple.max() == 1
    np.testing.assert_array_equal(couples.couple, couples.couple[couples.partner])
    assert (couples.first != couples.first[couples.partner]).all()
    rows = [pack.tobytes() for pack in patterns.hits[patterns.part("test")]]
    owner = dict(zip(rows, patterns.source[patterns.part("test")].tolist(), strict=True))
    performance = np.array([owner[hits.tobytes()] for hits in couples.hits])
    for number in (0, 1):
        of_this, others = (set(performance[couples.couple == n]) for n in (number, 1 - number))
        assert len(of_this) == 2
        assert not of_this & others


def test_judges_tell_noise_and_not_the_real_ones(patterns):
    found = Measuring(patterns, seed=1)
    rng = np.random.default_rng(0)
    sparse = [rng.random(one.hits.shape) < 0.02 for one in (found.learnt, found.test)]
    assert found.told(*sparse)[0] > 0.95
    again = found.told(found.learnt.hits, found.test.hits)[0]
    assert abs(again - 0.5) < 1e-9  # what is real ties with itself


def test_the_table(patterns, model, monkeypatch):
    monkeypatch.setattr(interpolation, "Judging", partial(Judging, epochs=2, batch_size=32))
    monkeypatch.setattr(interpolation, "WAYS", 4)
    report = evaluate_interpolation({"one": model, "two": model}, patterns, seed=1)
    assert [row[0] for row in report.rows] == [
        "one", "two", "held-out real", "training copied", "random bits",
    ]  # fmt: skip
    assert report.cell("one", "one less this: middle survives") is None
    same = report.cell("two", "one less this: middle, distance")
    assert same.value == same.low == same.high == 0  # paired, so nothing is left of the spread
    assert 0 <= report.cell("random bits", "ends told from real").value <= 1
    largest = report.cell("one", "largest step, bits")
    mean = report.cell("one", "mean step, bits")
    assert mean <= largest <= 2 * mean


def test_a_single_performance_cannot_be_paired(patterns):
    few = patterns.split.copy()
    few[patterns.part("test")[12:]] = 0
    with pytest.raises(InputError, match="test split has 1 performances"):
        Couples.of(
            PatternSet(patterns.hits, patterns.source, patterns.half_bar, few, patterns.sources,
                       patterns.genres), "test", np.random.default_rng(0))  # fmt: skip
