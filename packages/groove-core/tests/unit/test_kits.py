"""Kits: every stroke at its own sample."""

from __future__ import annotations

import numpy as np
import pytest

from groove_core.render import kits
from groove_core.render.kits import LEAD_S, RATE, Hits, Kit


def click_kit() -> Kit:
    shot = np.zeros(100, np.float32)
    shot[round(LEAD_S * RATE)] = 1.0
    return Kit("click", (shot,) * 9)


def test_a_hit_sounds_at_its_sample():
    onset_s = np.array([0.0, 0.1, 0.123456, 0.5])
    hits = Hits.of_velocity(onset_s, np.zeros(4, int), [127, 64, 32, 1])
    sound = kits.play(hits, click_kit(), 1.0)
    at = np.nonzero(sound)[0]
    np.testing.assert_array_equal(at, np.round(onset_s * RATE))
    # amplitude is the square of the velocity
    np.testing.assert_allclose(sound[at], (np.array([127, 64, 32, 1]) / 127) ** 2, rtol=1e-5)


def test_what_is_outside_is_cut_off():
    hits = Hits.of_velocity(np.array([-0.001, 0.9999, 2.0]), np.zeros(3, int), [127] * 3)
    sound = kits.play(hits, kits.synthetic(0), 1.0)
    assert sound.shape == (RATE,)
    assert np.isfinite(sound).all()
    assert not kits.play(hits[np.array([2])], kits.synthetic(0), 1.0).any()


def test_strokes_and_excerpts():
    hits = Hits.of_velocity(np.array([0.5, 0.51, 0.2, 0.53, 0.6]), np.arange(5), [90] * 5)
    assert hits.strokes().tolist() == [1, 1, 0, 1, 2]
    cut = hits.between(0.5, 0.6)
    assert cut.drum.tolist() == [0, 1, 3]
    np.testing.assert_allclose(cut.onset_s, [0, 0.01, 0.03])
    assert len(hits.between(5, 6).strokes()) == 0


@pytest.mark.parametrize("kit", [kits.general_midi(0), kits.general_midi(25), kits.synthetic(3)])
def test_every_drum_begins_at_its_attack(kit):
    assert len(kit.shots) == 9
    for shot in kit.shots:
        loud = np.nonzero(np.abs(shot) >= 0.1 * np.abs(shot).max())[0]
        assert loud[0] == round(LEAD_S * RATE)
        assert np.abs(shot[-1]) < 1e-3  # no click at its end


def test_kits_differ_and_are_made_again():
    assert not np.array_equal(kits.general_midi(0).shots[0], kits.general_midi(25).shots[0])
    for first, second in zip(kits.synthetic(5).shots, kits.synthetic(5).shots, strict=True):
        np.testing.assert_array_equal(first, second)
    pool = [kits.synthetic(i) for i in range(3)]
    mixed = kits.mixed(pool, np.random.default_rng(0))
    for drum, shot in enumerate(mixed.shots):
        assert any(shot is kit.shots[drum] for kit in pool)


def test_a_room_rings_but_moves_nothing():
    dry = np.zeros(RATE, np.float32)
    dry[1000] = 1.0
    for seed in range(5):
        wet = kits.room(dry, np.random.default_rng(seed))
        assert np.abs(wet).argmax() == 1000
        assert not wet[:1000].round(6).any()
        assert 0 < np.square(wet[1030:]).sum() < 0.6 * np.square(wet).sum()
        assert np.abs(wet).max() <= 10 ** (-1 / 20) + 1e-6


def test_variation_keeps_the_attack():
    varied = kits.varied(kits.synthetic(1), np.random.default_rng(0))
    for shot in varied.shots:
        assert np.nonzero(np.abs(shot) >= 0.1 * np.abs(shot).max())[0][0] == round(LEAD_S * RATE)
