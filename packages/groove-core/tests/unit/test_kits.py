"""Kits: every stroke at its own sample."""

from __future__ import annotations

import numpy as np
import pytest

from groove_core.drums import KIT_DRUMS
from groove_core.errors import InputError
from groove_core.render import kits
from groove_core.render.kits import LEAD_S, RATE, Hits, Kit
from groove_core.values import Audio


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


def strokes_in(folder, *, without=""):
    """Write two strokes of each drum, 20 dB apart, the soft one an octave lower."""
    t = np.arange(8000) / RATE
    for number, drum in enumerate(KIT_DRUMS):
        if drum.name == without:
            continue
        for name, gain, hz in (("2", 0.05, 200.0), ("1", 0.5, 400.0)):
            sound = gain * np.sin(2 * np.pi * (hz + 20 * number) * t) * np.exp(-10 * t)
            silence = np.zeros(300 * number)
            samples = np.concatenate([silence, sound]).astype(np.float32)
            Audio(samples, RATE).save(folder / f"{drum.name.replace(' ', '-')}-{name}.wav")
    return folder


def test_recorded_strokes_are_sorted_by_level_and_cut_at_their_attack(tmp_path):
    kit = kits.recorded(strokes_in(tmp_path))
    assert len(kit.strengths) == 9
    for soft, hard in kit.strengths:
        assert hard.level_db == 0
        assert soft.level_db == pytest.approx(-20, abs=1)
        for one in (soft, hard):
            loud = np.nonzero(np.abs(one.shot) >= 0.1 * np.abs(one.shot).max())[0]
            assert loud[0] == round(LEAD_S * RATE)
    assert max(np.abs(shot).max() for shot in kit.shots) == pytest.approx(1)


def test_a_soft_hit_sounds_as_a_soft_stroke_was_recorded(tmp_path):
    kit = kits.recorded(strokes_in(tmp_path))
    for level_db, which in ((0.0, 1), (-6.0, 1), (-15.0, 0), (-40.0, 0)):
        hit = Hits(np.array([0.1]), np.array([0]), np.array([level_db]))
        sound = kits.play(hit, kit, 0.5)
        shot = kit.strengths[0][which].shot
        played = sound[round(0.1 * RATE) - round(LEAD_S * RATE) :][:4000]
        raised = 10 ** ((level_db - kit.strengths[0][which].level_db) / 20)
        np.testing.assert_allclose(played, raised * shot[:4000], atol=1e-5)


def test_strokes_of_one_strength_take_turns():
    one = kits.synthetic(1).shots
    kit = kits.with_strengths("two", [[shot, -shot] for shot in one])
    same = [kit.stroke(0, 0.0, turn)[0] for turn in range(4)]
    assert same[0] is same[2]
    assert same[1] is same[3]
    assert same[0] is not same[1]
    hits = Hits(np.array([0.1, 0.3]), np.zeros(2, int), np.zeros(2))
    first, second = (kits.play(hits, kit, 1.0, take=take) for take in (0, 1))
    np.testing.assert_allclose(first, -second, atol=1e-6)


def test_a_kit_that_lacks_a_drum_is_refused_by_name(tmp_path):
    with pytest.raises(InputError, match="has no stroke of: low tom") as error:
        kits.recorded(strokes_in(tmp_path, without="low tom"))
    assert "low-tom-1.wav" in error.value.hint


def test_other_recordings_are_left_out_and_said(tmp_path, capsys):
    Audio(np.ones(100, np.float32), RATE).save(strokes_in(tmp_path) / "ride-bell-1.wav")
    assert len(kits.recorded(tmp_path).shots) == 9
    assert "ride bell are not among the nine drums" in capsys.readouterr().err


def test_kits_of_another_soundfont_have_its_name():
    from groove_core.render import find_soundfont

    again = kits.general_midi(8, find_soundfont())
    assert again.name == "TimGM6mb-8"
    np.testing.assert_array_equal(again.shots[0], kits.general_midi(8).shots[0])
