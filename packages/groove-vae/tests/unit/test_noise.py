"""Noise that stays alike from bar to bar."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from groove_core.drums import KIT_DRUMS
from groove_vae.noise import DRIFT, DRIFT_KEPT, DRUM, FREE, HABIT, HABIT_KEPT, bar_noise


@pytest.fixture(scope="module")
def drawn() -> np.ndarray:
    """[shape=(parts, bars, 16, 9, 2)]"""
    generator = torch.Generator().manual_seed(1)
    return torch.stack([bar_noise(9, generator) for _ in range(800)]).unflatten(1, (9, 16)).numpy()


def test_each_number_alone_is_normal(drawn):
    """Whatever is shared: so no histogram of hits changes."""
    normal = np.sort(np.random.default_rng(0).standard_normal(drawn[:, 0, :, 0, 0].size))
    for bar, drum, side in ((0, 0, 0), (8, 1, 1), (4, 5, 0), (8, 5, 1)):
        found = np.sort(drawn[:, bar, :, drum, side].ravel())
        assert np.abs(np.quantile(found, [0.05, 0.5, 0.95]) - np.quantile(
            normal, [0.05, 0.5, 0.95])).max() < 0.1  # fmt: skip
        assert found.std() == pytest.approx(1, abs=0.08)


@pytest.mark.parametrize("lag", [1, 4])
def test_bars_are_as_alike_as_is_said(drawn, lag):
    first, second = drawn[:, :-lag], drawn[:, lag:]
    same_step = (first * second).mean(axis=(0, 1, 2))
    other_step = (first * np.roll(second, 1, axis=2)).mean(axis=(0, 1, 2))
    for drum, one in enumerate(KIT_DRUMS):
        late, loud = (share * HABIT_KEPT**lag for share in HABIT[one.name])
        drift = (1 - HABIT[one.name][0]) * DRIFT * DRIFT_KEPT**lag
        assert same_step[drum, 0] == pytest.approx(late + drift, abs=0.08)
        # Of two hits, both are bound by the habit as often as this.
        both = (1 - FREE) ** 2
        assert same_step[drum, 1] == pytest.approx(loud * both, abs=0.08)
        assert other_step[drum, 1] == pytest.approx(loud * both * DRUM, abs=0.08)
    # Drums share the drift of the timing, and nothing of the velocity.
    across = (first[..., 2, :] * second[..., 1, :]).mean(axis=(0, 1, 2))
    assert across[0] == pytest.approx(0.8 * DRIFT * DRIFT_KEPT**lag, abs=0.08)
    assert across[1] == pytest.approx(0, abs=0.08)


def test_one_hit_in_ten_is_played_anew(drawn):
    """So most velocities hardly change, and some change as much as those of strangers do."""
    drum = [one.name for one in KIT_DRUMS].index("open hi-hat")
    change = np.abs(np.diff(drawn[..., drum, 1], axis=1)).ravel()
    assert np.median(change) < 0.3
    assert (change > 1.5).mean() == pytest.approx(0.29 * (1 - (1 - FREE) ** 2), abs=0.01)
