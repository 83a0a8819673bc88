"""The ladder and the experiments: what clips hold, and that networks learn from them."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from groove_core.values import Audio
from music_recsys import ladder, probing
from music_recsys.features import SAMPLE_RATE, WINDOW, Columns
from music_recsys.inspection import find_filters, following
from music_recsys.results import Filters
from music_recsys.training import front_end


def onsets(clip: np.ndarray) -> np.ndarray:
    """Give the seconds at which something begins in near silence."""
    level = np.sqrt(np.square(clip.reshape(-1, SAMPLE_RATE // 50)).mean(axis=1))
    loud = level > 0.02
    starts = np.flatnonzero(loud & ~np.concatenate([[False], loud[:-1]]))
    kept = [s for i, s in enumerate(starts) if i == 0 or s - starts[i - 1] > 5]
    return np.array(kept) / 50


@pytest.mark.parametrize(("frames", "between"), [(0, 1.5), (10, 1.3), (50, 0.5)])
def test_gaps_are_as_long_as_they_say(frames, between):
    rng = np.random.default_rng(0)
    clip = ladder.order("A B", rng, gap_s=ladder.shifted_s(frames))
    first, second = onsets(clip)
    assert first == pytest.approx(2.0, abs=0.05)
    assert second - first == pytest.approx(between, abs=0.06)


def test_instruments_are_in_tune_and_test_pitches_are_others():
    import librosa

    for program in (ladder.FLUTE, ladder.GUITAR):
        sound = ladder.notes(program)[69]
        f0 = librosa.yin(sound[2000:14_000], fmin=200, fmax=900, sr=SAMPLE_RATE)
        assert 1200 * abs(np.log2(np.median(f0) / 440)) < 30
    assert not set(ladder._pitches(True)) & set(ladder._pitches(False))


@pytest.mark.parametrize("step", ladder.LADDER, ids=lambda step: step.name)
def test_every_step_makes_clips_of_eight_seconds(step):
    for liked in (True, False):
        clip = step.clip(False, liked, np.random.default_rng(1))
        assert clip.shape == (8 * SAMPLE_RATE,)
        assert np.isfinite(clip).all()
        assert 0.05 < np.abs(clip).max() < 4
    windows, labels = ladder.make(partial(step.clip, False), 4, Columns(), seed=(1, 2))
    assert windows.shape == (4, 20, WINDOW)
    assert labels.tolist() == [1, 0, 1, 0]
    again, _ = ladder.make(partial(step.clip, False), 4, Columns(), seed=(1, 2))
    assert torch.equal(windows, again)


def test_a_small_network_learns_flute_from_guitar():
    clip = ladder.LADDER[2].clip
    sets = [
        ladder.make(partial(clip, test), n, Columns(), seed=(n,))
        for n, test in ((64, False), (40, True))
    ]
    (windows, liked), (unseen, truth) = sets
    net = probing.learn(windows, liked, "mfcc", "lstm", seed=1, epochs=12)
    right = ((probing.outputs(net, unseen) > 0.5) == (truth > 0.5)).float().mean()
    assert right >= 0.9


def test_filters_of_songs(tmp_path):
    torch.manual_seed(0)
    net = front_end("mfcc", "lstm").eval()
    rng = np.random.default_rng(0)
    quiet = 1e-3 * rng.normal(size=9 * SAMPLE_RATE)
    loud = quiet.copy()
    loud[5 * SAMPLE_RATE : 6 * SAMPLE_RATE] += 0.5 * rng.normal(size=SAMPLE_RATE)
    sounds = [Audio(quiet, SAMPLE_RATE, "quiet"), Audio(loud, SAMPLE_RATE, "loud")]
    found = find_filters(net, sounds, count=5, name="front-end")
    assert len(found.units) == 5
    # Some filter is moved most where something happens.
    assert any(u.song == "loud" and 4.5 < u.second < 6.5 for u in found.units)
    assert found.sound is not None
    assert found.sound.duration_s == pytest.approx(5 * 1.2 + 4 * 0.3, abs=0.1)
    found.save(tmp_path / "f.json")
    assert Filters.read(tmp_path / "f.json").to_json() == found.to_json()
    found.save(tmp_path / "f.png")
    assert (tmp_path / "f.png").stat().st_size > 5000


def test_following_an_envelope():
    net = front_end("mfcc", "lstm").eval()
    time_s = np.arange(10 * SAMPLE_RATE) / SAMPLE_RATE
    swelling = np.sin(2 * np.pi * 440 * time_s) * (0.5 - 0.5 * np.cos(2 * np.pi * time_s / 2))
    found = following(net, Audio(swelling, SAMPLE_RATE), 3)
    assert found.shape == (32,)
    assert 0.3 < found.max() <= 1


@pytest.mark.slow
def test_the_experiments_report(monkeypatch):
    for name, value in {"CLIPS": 64, "TESTS": 8, "CLIMBING": 2, "NOTES": 1}.items():
        monkeypatch.setattr(probing, name, value)
    monkeypatch.setattr(probing._Spacing, "settings", property(lambda self: {"epochs": 2}))
    order = probing.order_experiment(seeds=1)
    assert [row[0] for row in order.rows] == [
        *probing.READERS, "CNN+LSTM, any gap", "CNN, pooled, any gap", *probing.SOURCE,
    ]  # fmt: skip
    assert all(0 <= x <= 1 for row in order.rows for x in row[1:] if x is not None)
    monkeypatch.setattr(ladder, "LADDER", ladder.LADDER[:3])
    climbed = probing.climb(seeds=1)
    assert len(climbed.rows) == 3
    filters = probing.filter_experiment(seeds=2)
    assert len(filters.rows) == 3
    assert all(0 <= row[1].value <= 1 for row in filters.rows)
