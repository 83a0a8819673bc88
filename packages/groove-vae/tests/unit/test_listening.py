"""Hearing: strokes to a millisecond, tone taken out, long sounds in pieces."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from groove_core.render import kits
from groove_core.render.kits import Hits
from groove_core.storage import checkpoints
from groove_vae import listening
from groove_vae.frames import HOP_S
from groove_vae.listening import (
    Heard,
    alike,
    around,
    divergence_curve,
    frames_of,
    listen,
    stroke_divergence,
    strokes_of,
    tone,
    widened,
)
from groove_vae.model import FeelVAE, Gaussian

GM = kits.general_midi(48)  # not among those that the shipped model learnt from


@pytest.fixture(scope="module")
def model() -> FeelVAE:
    return checkpoints.load("groove-vae", "audio", FeelVAE)[0]


def groove(bars: int = 4) -> Hits:
    """Give eighths on the hi-hat, kick and snare, played loosely at 110 bpm."""
    step_s = 15 / 110
    rows = [(step, 2) for step in range(0, 16 * bars, 2)]
    rows += [(16 * b + s, d) for b in range(bars) for s, d in ((0, 0), (4, 1), (10, 0), (12, 1))]
    rows.sort()
    step, drum = np.array(rows).T
    late = np.random.default_rng(0).normal(0, 0.01, 16 * bars)[step]
    return Hits(0.1 + step * step_s + late, drum, np.where(drum == 2, -8.0, -3.0))


def test_triangles_are_found_between_frames():
    onset_s = np.array([0.3, 0.5011, 0.6523, 1.0])
    time_s = np.arange(300) * HOP_S
    marks = np.clip(1 - np.abs(time_s[:, None] - onset_s) / 0.04, 0, 1).max(axis=1)
    np.testing.assert_allclose(strokes_of(marks), onset_s, atol=0.0015)
    assert not len(strokes_of(0.2 * marks))
    assert not len(strokes_of(np.zeros(50)))


def test_strokes_are_heard(model):
    hits = groove()
    for seed, kit in enumerate((GM, kits.synthetic(110))):
        sound = kits.room(kits.play(hits, kit, 10.0), np.random.default_rng(seed))
        found = listen(model, sound).onset_s
        number = hits.strokes()
        true = np.array([hits.onset_s[number == n].mean() for n in range(number.max() + 1)])
        away = np.abs(found[:, None] - true)
        assert (away.min(axis=0) < 0.02).mean() > 0.9
        assert (away.min(axis=1) < 0.02).mean() > 0.9
        assert np.median(away.min(axis=0)) < 0.004


def test_volume_does_not_matter_and_length_neither(model, monkeypatch):
    sound = kits.play(groove(), GM, 10.0)
    whole = listen(model, sound)
    torch.testing.assert_close(listen(model, 0.01 * sound).latent.mean, whole.latent.mean)
    monkeypatch.setattr(listening, "_BLOCK", 400)
    pieces = listen(model, sound)
    # an LSTM remembers for longer than the margin, but hardly
    torch.testing.assert_close(pieces.latent.mean, whole.latent.mean, atol=1e-2, rtol=0)
    assert (pieces.latent.mean - whole.latent.mean).abs().mean() < 1e-4


def flat(mean: torch.Tensor, bands: torch.Tensor | None = None) -> Heard:
    latent = Gaussian(mean, torch.full_like(mean, 0.5))
    return Heard(latent, torch.zeros(len(mean), 44) if bands is None else bands, np.zeros((1, 2)))


def test_what_all_alike_strokes_share_is_tone():
    frame = torch.arange(20, 420, 20)
    bands = torch.zeros(440, 44)
    kind = torch.arange(len(frame)) % 2
    for offset in range(6):
        bands[frame + offset, kind] = 1.0
    programmed = torch.randn(440, 2, generator=torch.Generator().manual_seed(0))
    by = torch.tensor([[1.0, 0.0], [0.0, -2.0]])
    played = programmed.clone()
    for at, k in zip(frame, kind, strict=True):
        played[at - 8 : at + 9] += by[k]
    # one of them is played in another way, too
    played[frame[6]] += 3.0
    found, scatter = tone(played, programmed, bands, frame)
    torch.testing.assert_close(found, by[kind][:, None].expand(-1, 17, -1))
    assert scatter.max() < 1e-5  # the median is not moved by one of seven
    p, q = flat(played).latent, flat(programmed).latent
    with_tone = stroke_divergence(p, q, bands, frame, same_tone=True)
    without = stroke_divergence(p, q, bands, frame, same_tone=False)
    assert (with_tone > 1).all()
    assert without.argmax() == 6
    assert without[6] > 1
    assert (np.delete(without.numpy(), 6) < 1e-6).all()
    onset_s = frame.numpy() * HOP_S
    curve = divergence_curve(flat(played), flat(programmed, bands), onset_s, same_tone=False)
    assert curve.argmax() == frame[6]
    assert np.sort(curve)[-2] < 1e-6


def test_few_strokes_keep_their_tone():
    frame = torch.tensor([20, 60, 100])
    mean = torch.zeros(140, 2)
    difference, scatter = tone(mean + 1, mean, torch.zeros(140, 44), frame)
    assert not difference.any()
    assert not scatter.any()


def test_where_alike_strokes_scatter_a_difference_counts_for_less():
    frame = torch.arange(20, 620, 20)
    generator = torch.Generator().manual_seed(0)
    programmed = torch.randn(640, 2, generator=generator)
    played = programmed.clone()
    for at in frame:  # no two strokes of the other kit are alike
        played[at - 8 : at + 9] += torch.randn(2, generator=generator)
    played[frame[6] - 8 : frame[6] + 9] += 6.0
    p, q = flat(played).latent, flat(programmed).latent
    bands = torch.zeros(640, 44)
    scattered = stroke_divergence(p, q, bands, frame, same_tone=False)
    assert scattered.argmax() == 6
    _, scatter = tone(played, programmed, bands, frame)
    assert 0.5 < scatter.median() < 1.5
    steady = programmed.clone()
    steady[frame[6] - 8 : frame[6] + 9] += 6.0
    alone = stroke_divergence(flat(steady).latent, q, bands, frame, same_tone=False)
    assert scattered[6] < 0.7 * alone[6]


def test_noise_widens_gaussians_of_either_kind():
    mean = torch.zeros(5, 2)
    scatter = torch.tensor([0.3, 0.4]).expand(5, 2)
    diagonal = widened(Gaussian(mean, torch.full((5, 2), 0.4)), scatter)
    torch.testing.assert_close(diagonal.scale, torch.tensor([0.5, 0.32**0.5]).expand(5, 2))
    whole = widened(Gaussian(mean, torch.tensor([[0.4, 0.0], [0.2, 0.3]]).expand(5, 2, 2)), scatter)
    wanted = torch.tensor([[0.25, 0.08], [0.08, 0.29]]).expand(5, 2, 2)
    torch.testing.assert_close(whole.scale @ whole.scale.mT, wanted)


def test_alike_leaves_itself_out(monkeypatch):
    bands = torch.rand(300, 44, generator=torch.Generator().manual_seed(1))
    frame = torch.arange(0, 290, 10)
    found = alike(bands, frame, 5)
    assert found.shape == (29, 5)
    assert not (found == torch.arange(29)[:, None]).any()
    assert alike(bands, frame[:1]).shape == (1, 0)


def test_frames_around_stay_inside():
    at = around(frames_of(np.array([0.0, 1.0])), 100)
    assert at.shape == (2, 17)
    assert at.min() == 0
    assert at.max() == 99
