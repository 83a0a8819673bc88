"""How far each drum changes from bar to bar."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from groove_core.errors import InputError
from groove_vae import evaluate
from groove_vae.performances import load
from groove_vae.steadiness import COLUMNS, LAGS, changes, evaluate_steadiness, shuffled
from groove_vae.symbolic import Grid


def parts() -> tuple[list[Grid], list[float]]:
    rng = np.random.default_rng(1)
    grids = []
    for bars in (7, 1, 5):
        hit = rng.random((16 * bars, 9)) < 0.4
        grids.append(Grid(hit, rng.random(hit.shape) * hit, (rng.random(hit.shape) - 0.5) * hit))
    return grids, [90.0, 120.0, 150.0]


def test_changes_are_those_of_a_plain_loop():
    grids, tempos = parts()
    found = changes(grids, tempos).sums
    expected = np.zeros_like(found)
    for part, (grid, bpm) in enumerate(zip(grids, tempos, strict=True)):
        for drum in range(9):
            for side, values in enumerate((grid.velocity * 127, grid.offset * 7500 / bpm)):
                x, hit = values[:, drum], grid.hit[:, drum]
                mean = x[hit].mean() if hit.any() else 0.0
                for at, lag in enumerate(LAGS):
                    for step in range(len(x) - 16 * lag):
                        a, b = step, step + 16 * lag
                        if hit[a] and hit[b]:
                            p, q = x[a] - mean, x[b] - mean
                            expected[part, at, drum, side] += (
                                1, abs(x[a] - x[b]), p * q, (p * p + q * q) / 2
                            )  # fmt: skip
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_a_part_that_repeats_does_not_change():
    [first, *_], _ = parts()
    bar = [np.tile(values[:16], (6, 1)) for values in (first.hit, first.velocity, first.offset)]
    change, r = changes([Grid(*bar)], [100.0]).rounds(np.ones((1, 1)))
    np.testing.assert_allclose(change[0, :, -1], 0, atol=1e-9)
    np.testing.assert_allclose(r[0, :, -1], 1)


@pytest.fixture(scope="module")
def report():
    return evaluate(about="steadiness", count=32, seed=1)


def test_humanize_is_as_steady_as_drummers(report):
    for drum in ("kick", "snare", "closed hi-hat", "every drum"):
        for column in COLUMNS if drum == "every drum" else COLUMNS[:2]:
            played, mine = (report.cell(f"{drum}: {way}", column) for way in ("played", "humanize"))
            assert mine.low <= played.high, (drum, column)
            assert played.low <= mine.high, (drum, column)
        # Twice as much is what independent hits would change by.
        played, mine = (
            report.cell(f"{drum}: {way}", "velocity change, 1 bar").value
            for way in ("played", "humanize")
        )
        assert 0.67 < mine / played < 1.5


def test_a_machine_is_told_from_a_drummer(report):
    change, r, *_ = COLUMNS
    assert report.cell("every drum: template", change).value == pytest.approx(0, abs=1e-9)
    assert report.cell("every drum: template", r).value == pytest.approx(1)
    assert "inside the interval of what was played" in report.notes[3]


def test_bars_in_another_order_forget_the_bar_before():
    rng = np.random.default_rng(0)
    hit = np.ones((16 * 64, 9), dtype=bool)
    slow = np.cumsum(rng.standard_normal((64, 1, 9)), axis=0)
    values = np.repeat(slow, 16, axis=1).reshape(hit.shape)
    grid = Grid(hit, values, values)
    mixed = shuffled(grid, rng)
    assert not np.array_equal(mixed.velocity, grid.velocity)
    np.testing.assert_array_equal(np.sort(mixed.velocity, axis=0), np.sort(values, axis=0))
    drummer, dice = (
        changes([one], [120.0]).rounds(np.ones((1, 1)))[1][0, 0, -1] for one in (grid, mixed)
    )
    assert (drummer > 0.9).all()
    assert (np.abs(dice) < 0.3).all()


def test_single_bars_have_nothing_to_be_compared_with():
    some = [replace(one, split="train") for one in load("train")[:3]]
    short = []
    for one in load("test")[:3]:
        first = one.tick < 1000
        bar = {name: getattr(one, name)[first] for name in ("tick", "pitch", "velocity")}
        short.append(replace(one, **bar))
    with pytest.raises(InputError, match="twice on the same step"):
        evaluate_steadiness(None, [*some, *short], seed=1)
    with pytest.raises(InputError, match="no training split"):
        evaluate_steadiness(None, load("test"), seed=1)
