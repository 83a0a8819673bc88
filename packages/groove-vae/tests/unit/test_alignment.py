"""Tempo, start and beats of strokes."""

from __future__ import annotations

import numpy as np
import pytest

from groove_core.errors import InputError
from groove_core.render.kits import RATE
from groove_core.values import Score, Track
from groove_vae.alignment import (
    Beats,
    Onsets,
    align,
    beats_of_score,
    find_beats,
    match,
    retimed,
)
from groove_vae.performances import load

REAL = [p for p in load("test") if p.onset_s[-1] > 20][0]  # noqa: RUF015


def like(*onsets_s: np.ndarray) -> list[Onsets]:
    """Give strokes that all sound the same."""
    return [Onsets(one, np.ones((len(one), 3))) for one in onsets_s]


def strokes(seed: int = 0, n: int = 120) -> np.ndarray:
    """Give onsets on sixteenths at 100 bpm, a third of them left out."""
    rng = np.random.default_rng(seed)
    steps = np.nonzero(rng.random(3 * n // 2) < 2 / 3)[0]
    return steps * 0.15 + rng.normal(0, 0.005, len(steps)) + 0.05


@pytest.mark.parametrize("speed", [1.0, 0.8, 1.07, 1.5])
@pytest.mark.parametrize("offset_s", [0.0, 1.234, -2.5])
def test_tempo_and_start_are_found(speed, offset_s):
    programmed = np.round(strokes() / 0.15) * 0.15 + 3
    played = strokes() / speed + 3 / speed + offset_s
    found = align(*like(played, programmed))
    assert found.stretch == pytest.approx(speed, rel=1e-3)
    on = found.to_played(programmed)
    assert np.abs(on - played).max() < (0.03 if found.moved else 0.08)
    assert found.matched > 0.94


@pytest.mark.parametrize("minutes", [3, 20])
def test_long_parts_do_not_drift(minutes):
    rng = np.random.default_rng(minutes)
    programmed = np.nonzero(rng.random(minutes * 400) < 0.6)[0] * 0.15
    played = programmed / 0.8547 + 2.3 + rng.normal(0, 0.004, len(programmed))
    found = align(*like(played, programmed))
    assert found.stretch == pytest.approx(0.8547, abs=1e-5)
    assert np.abs(found.to_played(programmed) - played).max() < 0.03


def test_one_tempo_of_a_short_excerpt_is_one_tempo():
    """A drummer who speeds up by a millisecond a second is not another tempo."""
    programmed = np.round(strokes(n=60) / 0.15) * 0.15
    rng = np.random.default_rng(5)
    for offset_s in (0.5, 1.7):
        played = programmed + offset_s + rng.normal(0, 0.012, len(programmed))
        assert align(*like(played, programmed)).stretch == 1.0


def test_a_bar_of_silence_before_is_found():
    part = strokes(7)
    found = align(*like(part + 2.4, part))
    assert found.offset_s == pytest.approx(2.4, abs=0.01)


def test_what_is_aligned_stays():
    """A drummer who drags by 20 ms throughout still does."""
    programmed = np.round(strokes() / 0.15) * 0.15
    found = align(*like(programmed + 0.02, programmed))
    assert (found.stretch, found.offset_s, found.moved) == (1.0, 0.0, False)


def test_an_excerpt_is_found_in_the_whole():
    whole = np.sort(np.random.default_rng(3).uniform(0, 60, 200))
    part = whole[(whole > 20) & (whole < 40)] - 20
    assert align(*like(part, whole)).offset_s == pytest.approx(-20, abs=0.02)
    assert align(*like(whole, part)).offset_s == pytest.approx(20, abs=0.02)


def test_unrelated_parts_are_refused():
    rng = np.random.default_rng(0)
    first, second = (np.sort(rng.uniform(0, 40, 120)) for _ in range(2))
    with pytest.raises(InputError, match="do not agree") as caught:
        align(*like(first, second))
    assert "--no-align" in caught.value.hint


def test_sounds_tell_where_time_does_not():
    """Eighths fall together at every eighth; kick and snare do not."""
    onset_s = np.arange(64) * 0.25
    sound = np.eye(3)[np.tile([0, 2, 1, 2, 0, 0, 1, 2], 8)]
    part = slice(13, 45)
    found = align(Onsets(onset_s, sound), Onsets(onset_s[part] - 2, sound[part]))
    assert found.to_played(onset_s[part] - 2)[0] % 2 == pytest.approx(3.25 % 2, abs=0.01)
    other = np.eye(3)[np.random.default_rng(0).integers(0, 3, 64)]
    with pytest.raises(InputError, match="does not sound alike"):
        align(Onsets(onset_s, sound), Onsets(onset_s, other))


def test_matches_are_mutual():
    left, right = match(np.array([1.0, 1.04, 3.0]), np.array([1.01, 2.0, 3.05]))
    assert left.tolist() == [0, 2]
    assert right.tolist() == [0, 2]
    assert len(match(np.zeros(0), np.ones(3))[0]) == 0
    assert match(np.array([1.0]), np.array([1.0]))[0].tolist() == [0]


@pytest.mark.parametrize(
    ("tempo", "per_beat", "told"),
    # Thirds at 72 bpm may as well be halves at 108, which only the player knows.
    [(96.0, 4, None), (123.4, 4, None), (72.0, 4, 71), (123.4, 3, None), (72.0, 3, 72.5)],
)
def test_beats_are_found(tempo, per_beat, told):
    beat_s = 60 / tempo
    on_beat = np.arange(32) * beat_s
    between = on_beat + beat_s * (2 / per_beat)
    third = on_beat[::2] + beat_s / per_beat
    onset_s = np.concatenate([on_beat, between, third]) + 0.7
    loud = np.concatenate([np.ones(32), np.full(32, 0.6), np.full(16, 0.4)])
    order = np.argsort(onset_s)
    found = find_beats(onset_s[order], loud[order], 20.0, tempo_bpm=told)
    assert found.tempo_bpm == pytest.approx(tempo, rel=1e-3)
    away = (found.onset_s[0] - 0.7) / beat_s
    assert away == pytest.approx(round(away), abs=0.02)
    assert found.bar[:5].tolist() == [1, 1, 1, 1, 2]


def test_real_playing_has_its_tempo():
    loud = (REAL.velocity / 127.0).astype(float)
    found = find_beats(REAL.onset_s, loud, 20.0)
    assert found.tempo_bpm == pytest.approx(REAL.bpm, rel=0.01)


def test_no_beat_is_said():
    rng = np.random.default_rng(0)
    onset_s = np.sort(rng.uniform(0, 60, 300))
    with pytest.raises(InputError, match="No beat") as caught:
        find_beats(onset_s, np.ones(300), 60.0)
    assert "--tempo-bpm" in caught.value.hint
    with pytest.raises(InputError, match="do not keep to 100 bpm"):
        find_beats(onset_s, np.ones(300), 60.0, tempo_bpm=100)
    with pytest.raises(InputError, match="No beat"):
        find_beats(np.zeros(0), np.zeros(0), 1.0)


def test_a_tempo_that_is_given_is_taken():
    onset_s = np.arange(64) * 0.25
    assert find_beats(onset_s, np.ones(64), 16.0, tempo_bpm=60).tempo_bpm == pytest.approx(60)
    assert find_beats(onset_s, np.ones(64), 16.0, tempo_bpm=120).tempo_bpm == pytest.approx(120)


def test_beats_of_scores_in_any_metre():
    notes = Track(np.array([[0, 60, 36, 90], [6000, 60, 36, 90]]), is_drum=True)
    score = Score((notes,), time_signatures=np.array([[0, 3, 4], [2880, 7, 8]]))
    found = beats_of_score(score, 6000)
    assert found.bar[:7].tolist() == [1, 1, 1, 2, 2, 2, 3]
    assert found.number[6:14].tolist() == [1, 2, 3, 4, 5, 6, 7, 1]
    np.testing.assert_allclose(np.diff(found.onset_s)[:6], 0.5)
    np.testing.assert_allclose(np.diff(found.onset_s)[6:], 0.25)
    assert len(beats_of_score(score, 0).onset_s) >= 2


def test_places_in_the_bar():
    beats = Beats(np.arange(8) * 0.5, np.repeat([1, 2], 4), np.tile([1, 2, 3, 4], 2))
    bar, place = beats.at(np.array([0.0, 0.75, 1.98, 2.0, 9.0]))
    assert bar.tolist() == [1, 1, 2, 2, 2]
    np.testing.assert_allclose(place[:4], [1, 2.5, 0.96, 1])


def test_slices_are_moved_whole():
    sound = np.zeros(RATE, np.float32)
    at = np.array([0.1, 0.4, 0.7])
    for onset in at:
        start = round(onset * RATE)
        sound[start : start + 500] = np.linspace(1, 0, 500)
    target = np.array([0.12, 0.38, 0.75])
    made = retimed(sound, at, target, 1.0)
    assert len(made) == RATE
    for onset in target:
        start = round(onset * RATE)
        np.testing.assert_allclose(made[start : start + 500], np.linspace(1, 0, 500), atol=1e-6)
    assert np.square(made).sum() == pytest.approx(np.square(sound).sum(), rel=1e-3)
    np.testing.assert_allclose(retimed(sound, at, at, 1.0), sound, atol=1e-6)
