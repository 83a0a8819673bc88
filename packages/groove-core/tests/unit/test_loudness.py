"""Loudness after ITU-R BS.1770, and sound scaled to it."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

from groove_core.errors import UsageError
from groove_core.values.sound.audio import Audio

RATE = 44_100
TONE = np.sin(2 * np.pi * 440 * np.arange(3 * RATE) / RATE)


def test_silence_and_nothing_stay_what_they_are(tmp_path):
    pytest.importorskip("pyloudnorm")
    for silent in (Audio(np.zeros(RATE), RATE), Audio(np.zeros((1, 0)), RATE)):
        assert silent.loudness_lufs == -math.inf
        assert silent.loudness_normalized() is silent
        assert silent.normalized() is silent
        assert Audio.read(silent.save(tmp_path / "a.json")) == silent
        assert silent.to_mono().peak == 0


def test_loudness_of_the_reference_sine():
    """BS.1770: a sine of 997 Hz at full scale in one channel is -3.01 LKFS."""
    pytest.importorskip("pyloudnorm")
    tone = np.sin(2 * np.pi * 997 * np.arange(5 * 48_000) / 48_000)
    assert Audio(tone, 48_000).loudness_lufs == pytest.approx(-3.01, abs=0.1)
    assert Audio([tone, tone], 48_000).loudness_lufs == pytest.approx(0.0, abs=0.1)
    assert Audio(tone / 10, 48_000).loudness_lufs == pytest.approx(-23.01, abs=0.1)
    # Below the meter's own rates, shorter than its block, and of many channels.
    assert Audio(tone, 48_000).resampled(8_000).loudness_lufs == pytest.approx(-3.01, abs=0.1)
    assert Audio(tone[:4800], 48_000).loudness_lufs == pytest.approx(-3.01, abs=0.2)
    assert Audio([tone] * 6, 48_000).loudness_lufs == pytest.approx(-3.01, abs=0.1)


@pytest.mark.parametrize(
    "samples",
    [np.full(RATE, 0.5), np.array([0.5]), np.full(RATE, 1e-30), np.full((24, 99), -1.0),
     np.eye(1, RATE)[0]],
    ids=["dc", "one-sample", "tiny", "24-channels", "click"],
)  # fmt: skip
def test_loudness_is_never_nan(samples):
    pytest.importorskip("pyloudnorm")
    for rate in (1000, RATE, 192_000):
        audio = Audio(samples, rate)
        assert audio.loudness_lufs < 0
        assert 0 < audio.loudness_normalized().peak <= 1


def test_loudness_normalized_never_clips():
    pytest.importorskip("pyloudnorm")
    audio = Audio(0.1 * TONE, RATE)
    assert audio.loudness_normalized(-23).loudness_lufs == pytest.approx(-23, abs=0.01)
    assert audio.loudness_normalized(-60).loudness_lufs == pytest.approx(-60, abs=0.01)
    clicks = np.zeros(3 * RATE)
    clicks[::RATE] = 0.9
    for lufs in (-14.0, 0.0, 1e6):
        limited = Audio(clicks, RATE).loudness_normalized(lufs, peak_dbfs=-3.0)
        assert limited.peak == pytest.approx(10 ** (-3 / 20))
        assert limited.peak <= np.float32(10 ** (-3 / 20))


def test_loudness_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyloudnorm", None)
    with pytest.raises(UsageError) as caught:
        Audio(TONE, RATE).loudness_normalized()
    assert "groove-core[loudness]" in caught.value.hint
