"""Each metric against figures that can be worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gansynth_lite.metrics import (
    apart,
    distances,
    diversity,
    inception_score,
    log_mel,
    ndb,
    nearest,
    pitch_accuracy,
    pitch_entropy,
    signal_to_noise,
    smoothness,
    spectral_convergence,
    timbre,
    timbre_ratio,
)
from gansynth_lite.pitch import hz
from groove_core.errors import InputError

RATE = 16_000


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def tone(pitch: int, partials: list[float], decay: float, seconds: float = 1.0) -> torch.Tensor:
    time_s = torch.arange(int(seconds * RATE)) / RATE
    parts = [
        a * torch.sin(2 * math.pi * (k + 1) * hz(float(pitch)) * time_s)
        for k, a in enumerate(partials)
    ]
    made = torch.stack(parts).sum(dim=0) * torch.exp(-decay * time_s)
    return made / made.abs().max()


def test_judgements_of_pitch():
    sure, unsure = torch.eye(61), torch.full((61, 61), 1 / 61)
    pitches = torch.arange(24, 85)
    assert pitch_accuracy(sure, pitches, 24).value == 1
    found = pitch_accuracy(sure, pitches + (pitches > 54), 24)
    assert found.value == pytest.approx(31 / 61)
    assert found.low < found.value < found.high
    assert pitch_entropy(sure).value == pytest.approx(0, abs=1e-9)
    assert pitch_entropy(unsure).value == pytest.approx(math.log(61))
    assert inception_score(sure).value == pytest.approx(61)
    assert inception_score(unsure).value == pytest.approx(1)
    # All of one class: sure of each, but there is no variety.
    assert inception_score(sure[:1].expand(61, -1)).value == pytest.approx(1)
    assert inception_score(sure).high <= 61


def test_different_bins():
    x = normal(1000, 3)
    assert ndb(x, x) == 0
    # The same distribution: 5 % of 50 bins, by chance.
    assert ndb(x, normal(1000, 3, seed=1)) <= 8
    # Two clusters of which one is missing: all its bins, and those of the other, which has more.
    both = torch.cat([x, x + 20])
    assert ndb(both, normal(1000, 3, seed=1)) >= 40
    assert ndb(x, x[:1].expand(500, -1)) >= 40
    assert ndb(x, x[:1].expand(500, -1), bins=10) == 10
    with pytest.raises(InputError):
        ndb(x[:20], x)


def test_distances():
    a = torch.zeros(2, 3, 4)
    b = torch.stack([torch.full((3, 4), 5.0), torch.zeros(3, 4), torch.full((3, 4), -1.0)])
    torch.testing.assert_close(distances(a, b), torch.tensor([[5.0, 0.0, 1.0]] * 2))
    away, which = nearest(b, a)
    torch.testing.assert_close(away, torch.tensor([5.0, 0.0, 1.0]))
    torch.testing.assert_close(apart(b, a[which]), away)
    torch.testing.assert_close(apart(b[:2], a), torch.tensor([5.0, 0.0]))


def test_log_mel_does_not_depend_on_level():
    notes = torch.stack([tone(60, [1.0, 0.5], 2.0), tone(60, [1.0], 2.0)])
    levels = log_mel(notes, RATE)
    assert levels.shape == (2, 64, 16)
    torch.testing.assert_close(log_mel(0.1 * notes, RATE), levels, atol=1e-3, rtol=0)
    assert -80 <= float(levels.min()) < float(levels.max()) <= 0
    # The second partial, 20 bands up, is there or not.
    assert float(apart(levels[:1], levels[1:])) > 3
    # A decay of 2 per second is 17.4 dB per second.
    loudest = levels.amax(dim=1)
    slope = float((loudest[:, 12] - loudest[:, 4]).mean()) / 0.5
    assert slope == pytest.approx(-40 / math.log(10), abs=0.5)


def test_diversity_at_one_pitch():
    levels = torch.tensor([0.0, 2.0, 4.0, 100.0])[:, None, None].expand(-1, 3, 2)
    pitches = torch.tensor([60, 60, 60, 61])
    assert diversity(levels, pitches).value == pytest.approx((2 + 4 + 2) / 3)
    assert diversity(levels[:1].expand(4, -1, -1), pitches).value == 0
    assert math.isnan(diversity(levels, torch.arange(4)).value)


def test_smoothness_of_paths():
    even = torch.arange(33.0)[:, None, None].expand(-1, 4, 2)
    assert smoothness(even) == pytest.approx(1)
    jump = (even > 16).float()
    assert smoothness(jump) == pytest.approx(32)
    assert smoothness(torch.zeros(33, 4, 2)) == 0


def test_timbre_ratio_of_known_spreads():
    instruments = 3 * normal(40, 1, 200)
    keys = normal(40, 4, 200, seed=1)
    # Across pitches deviations are sqrt 2, across instruments sqrt (2 (1 + 9)).
    assert timbre_ratio(instruments + keys).value == pytest.approx(math.sqrt(0.1), rel=0.05)
    assert timbre_ratio(keys).value == pytest.approx(1, rel=0.02)
    found = timbre_ratio(instruments + keys)
    assert found.low <= found.value <= found.high
    with pytest.raises(InputError):
        timbre_ratio(keys[:, :1])


def test_timbre_stays_when_the_pitch_changes():
    kinds = [([1.0, 0.5, 0.25], 1.0), ([0.2, 1.0, 0.1, 0.6], 1.0), ([1.0, 0.5, 0.25], 8.0)]
    pitches = torch.tensor([40, 52, 64])
    found = torch.stack(
        [
            timbre(torch.stack([tone(int(p), *kind) for p in pitches]), pitches, RATE)
            for kind in kinds
        ]
    )
    assert timbre_ratio(found).value < 0.2
    # Even where only the envelope is another.
    assert timbre_ratio(found[[0, 2]]).value < 0.2


def test_silence_has_numbers():
    silence = torch.zeros(2, 4_000)
    for one in (
        log_mel(silence, RATE),
        timbre(silence, torch.tensor([60, 70]), RATE),
        spectral_convergence(silence, silence),
    ):
        assert one.isfinite().all()


def test_signal_to_noise_and_spectral_convergence():
    x = tone(60, [1.0, 0.5], 1.0)[None]
    np.testing.assert_allclose(signal_to_noise(x, 1.1 * x), [20], atol=1e-3)
    np.testing.assert_allclose(spectral_convergence(x, 1.1 * x), [0.1], atol=1e-5)
    np.testing.assert_allclose(spectral_convergence(x, -x), [0], atol=1e-6)
    assert float(signal_to_noise(x, x)) > 300
