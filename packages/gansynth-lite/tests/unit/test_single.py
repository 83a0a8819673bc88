"""What is one note, and what is not."""

from __future__ import annotations

import numpy as np
import pytest

from gansynth_lite.single import end_of, one_note
from groove_core.errors import InputError

RATE = 16_000


def tone(pitch: float, seconds: float, fall: float = 3.0) -> np.ndarray:
    time_s = np.arange(round(seconds * RATE)) / RATE
    f0 = 440 * 2 ** ((pitch - 69) / 12)
    sound = sum(np.sin(2 * np.pi * k * f0 * time_s + k) / k for k in range(1, 11))
    sound = sound * np.exp(-fall * time_s) * np.minimum(1, time_s / 0.005)
    sound[-1000:] *= np.linspace(1, 0, 1000)
    return (sound / np.abs(sound).max()).astype(np.float32)


@pytest.mark.parametrize("pitch", [33, 48, 60, 81])
@pytest.mark.parametrize("fall", [0.0, 6.0])
def test_one_note_stays_whole(pitch, fall):
    sound = tone(pitch, 2.5, fall)
    whole, cut = one_note(sound, RATE, "note")
    assert len(whole) == len(sound)
    assert not cut


@pytest.mark.parametrize("pitches", [(60, 64, 67), (60, 60, 60), (57, 69, 57)])
def test_a_phrase_is_cut_before_its_second_note(pitches):
    sound = np.concatenate([tone(pitch, 0.6, 1.0) for pitch in pitches])
    first, cut = one_note(sound, RATE, "phrase")
    assert cut
    assert 0.45 < len(first) / RATE < 0.65


@pytest.mark.parametrize("pitches", [(48, 52, 55), (60, 64), (55, 62)])
def test_a_chord_is_refused(pitches):
    with pytest.raises(InputError, match="a chord") as error:
        one_note(sum(tone(pitch, 2.0) for pitch in pitches) / 3, RATE, "chord")
    assert "--pitch" in error.value.hint
    one_note(sum(tone(pitch, 2.0) for pitch in pitches) / 3, RATE, "chord", known=True)


def test_a_pitch_that_moves_is_refused():
    """As that of speech."""
    time_s = np.arange(2 * RATE) / RATE
    f0 = 130 * 2 ** (0.4 * np.sin(2 * np.pi * 0.9 * time_s) + 0.2 * np.sin(14 * time_s))
    phase = 2 * np.pi * np.cumsum(f0) / RATE
    sound = sum(np.sin(k * phase) / k for k in range(1, 12)) / 3
    with pytest.raises(InputError, match="its pitch moves between"):
        one_note(sound.astype(np.float32), RATE, "speech")


def test_too_short_a_first_note_is_refused():
    sound = np.concatenate([tone(60, 0.12, 0.0), tone(60, 0.13, 0.0) * 0, tone(67, 1.0)])
    with pytest.raises(InputError, match="not one note"):
        one_note(np.concatenate([tone(64, 0.2, 0.0), sound]), RATE, "run")


def test_a_vibrato_is_one_note():
    time_s = np.arange(2 * RATE) / RATE
    phase = 2 * np.pi * np.cumsum(330 * 2 ** (0.4 / 12 * np.sin(34 * time_s))) / RATE
    sound = sum(np.sin(k * phase) / k for k in range(1, 8)) / 3
    assert not one_note(sound.astype(np.float32), RATE, "voice")[1]


def test_where_the_key_is_released():
    held = tone(60, 2.0, 0.0)
    assert end_of(held, RATE) == pytest.approx(1.9, abs=0.05)
    released = np.concatenate([held, np.zeros(RATE, np.float32)])
    assert end_of(released, RATE) == pytest.approx(1.75, abs=0.3)
    assert end_of(tone(60, 3.0, 3.0), RATE) == pytest.approx(2.9, abs=0.05)  # it dies away
