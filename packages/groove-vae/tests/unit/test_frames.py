"""What the audio model hears and shall say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from groove_core.render import kits
from groove_core.render.kits import Hits
from groove_vae import frames
from groove_vae.frames import BANDS, HOP_S, bands, envelopes


def beat(n: int = 8, kit: int = 0, **changes) -> np.ndarray:
    onset_s = 0.2 + 0.25 * np.arange(n)
    hits = Hits.of_velocity(onset_s, np.tile([0, 2, 1, 2], n)[:n], np.full(n, 100))
    return kits.play(hits, kits.synthetic(kit), float(onset_s[-1]) + 0.5)


def test_volume_and_colour_do_not_matter():
    sound = torch.from_numpy(beat())
    heard = bands(sound)
    assert heard.shape == (frames.frame_count(len(sound)), BANDS)
    audible = heard > 0  # within 20 dB of what is usual; the rest may be the floor
    assert audible.float().mean() > 0.3
    # where a band touches the floor it moves
    assert (bands(0.5 * sound) - heard)[audible].abs().quantile(0.9) < 1e-4
    # a gentle tilt, as of another microphone: each band moves as a whole
    tilted = sound - 0.4 * torch.cat([torch.zeros(1), sound[:-1]])
    assert (bands(tilted) - heard)[audible].abs().median() < 0.01


def test_batch_and_blocks_are_as_one(monkeypatch):
    sounds = torch.stack([torch.from_numpy(beat(kit=k)) for k in (0, 1)])
    together = bands(sounds)
    for i in (0, 1):
        torch.testing.assert_close(together[i], bands(sounds[i]))
    monkeypatch.setattr(frames, "_BLOCK", 50)
    torch.testing.assert_close(bands(sounds), together)


def test_silence_and_a_single_sample():
    assert torch.isfinite(bands(torch.zeros(1000))).all()
    assert bands(torch.zeros(1)).shape == (1, BANDS)


def test_envelopes_mark_when_and_how_hard():
    hits = Hits(np.array([0.5, 1.0, 1.5]), np.array([0, 0, 0]), np.array([0.0, -12.0, 0.0]))
    drawn = envelopes(hits, round(2 / HOP_S))
    at = np.round(hits.onset_s / HOP_S).astype(int)
    marks = drawn[at, 0]
    assert marks[0] > 0.9
    assert marks[0] > marks[1] > 0.6
    # usual is 1, 12 dB below is 0
    np.testing.assert_allclose(drawn[at, 1], [1, 0, 1], atol=0.05)
    assert not drawn[round(0.75 / HOP_S)].any()
    # the level holds over 30 ms, the mark falls
    later = round(0.525 / HOP_S)
    assert drawn[later, 1] == pytest.approx(1, abs=0.05)
    assert drawn[later, 0] < 0.5


def test_a_shift_shows_below_a_frame():
    def marks(late_s: float) -> np.ndarray:
        return envelopes(Hits(np.array([0.5 + late_s]), np.array([0]), np.zeros(1)), 200)[:, 0]

    assert np.abs(marks(0.001) - marks(0)).max() == pytest.approx(0.001 / 0.04, rel=0.05)


def test_no_hits_no_envelope():
    nothing = Hits(np.zeros(0), np.zeros(0, int), np.zeros(0))
    assert not envelopes(nothing, 10).any()
