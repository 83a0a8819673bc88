"""The shipped model does what its card says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gansynth_lite import encode, sample
from gansynth_lite.classifier import NoteClassifier, hear
from gansynth_lite.holding import locked
from gansynth_lite.metrics import spectral_convergence
from gansynth_lite.pitch import cents, detect_f0
from gansynth_lite.sound import Voice
from groove_core.storage import checkpoints


@pytest.fixture(scope="module")
def played():
    """Play two instruments of each family, at pitches over the range."""
    voice = Voice.load(None, "cpu", 11, 0)
    families = [family for family in voice.model.families for _ in range(2)]
    pitches = [float(p) for p in np.linspace(30, 82, len(families)).round()]
    w = voice.drawn(len(families), families)
    sounds = np.stack([one.samples[0] for one in voice.notes(w, pitches)])
    return torch.from_numpy(sounds), torch.tensor(pitches)


def test_notes_have_the_pitch_that_was_asked_for(played):
    sounds, pitches = played
    judge, _ = checkpoints.load("gansynth-lite", "classifier", NoteClassifier)
    assert (hear(judge, sounds.split(8)).pitch == pitches).float().mean() >= 0.9
    away = cents(detect_f0(sounds, 16_000), pitches).abs()
    assert (away < 50).float().mean() >= 0.85
    assert away.nanmedian() < 10


def test_files_are_at_44_khz_and_below_7_khz_as_the_model_draws_them():
    voice, at = Voice.load(None, "cpu", 1, 0), [57.0, 72.0]
    w = voice.drawn(2, ["string", "brass"])
    for drawn, heard in zip(voice.notes(w, at), voice.heard(w, at), strict=True):
        assert (heard.sample_rate, heard.duration_s) == (44_100, drawn.duration_s)
        before, after = (np.abs(np.fft.rfft(one.samples[0])) for one in (drawn, heard))
        low, high = 7000 * 4, 8000 * 4  # bins of a fourth of a hertz
        gain = np.linalg.norm(after[:low]) / np.linalg.norm(before[:low])
        away = np.linalg.norm(after[:low] / gain - before[:low])
        assert away < 0.005 * np.linalg.norm(before[:low])
        level = 20 * np.log10(np.linalg.norm(after[high:]) / np.linalg.norm(after))
        assert -70 < level < -20  # dB


def test_the_card_names_what_was_measured():
    [stored] = [s for s in checkpoints.available("gansynth-lite") if s.name == "notes"]
    card = checkpoints.read_card(stored.path)
    columns = card["metrics"]["report"]["columns"]
    mine = dict(zip(columns, card["metrics"]["report"]["rows"][0], strict=True))
    assert mine["pitch accuracy"]["value"] >= 0.95
    assert mine["median cents"]["value"] < 25
    assert mine["diversity"]["value"] >= 0.6
    assert card["data"]["train"] + card["data"]["validation"] + card["data"]["test"] == 17_897


def test_instruments_keep_their_code_over_the_keyboard():
    first, other = (
        [next(iter(sample(pitch=p, family=f, count=1, seed=s))) for p in ("C3", "A3", "E4")]
        for f, s in (("brass", 1), ("keyboard", 2))
    )
    codes = encode([*first, *other], pitch=None).points
    codes = codes / np.linalg.norm(codes, axis=1, keepdims=True)
    alike = codes @ codes.T
    assert min(alike[0, 1], alike[0, 2], alike[3, 4], alike[3, 5]) > alike[:3, 3:].max()


def test_locking_keeps_levels_and_what_is_locked_already():
    voice = Voice.load(None, "cpu", 1, 0)
    layout = voice.model.layout
    time_s = torch.arange(layout.samples) / 16_000
    tone = 0.9 * torch.sin(2 * torch.pi * 333.0 * time_s) * (1 - time_s / 4)
    pictures = layout.to_pictures(tone[None])
    again = layout.to_samples(locked(pictures, layout))
    assert spectral_convergence(tone[None], again) < 0.1  # its phase may be another
    drifting = pictures.clone()
    drifting[:, 1] += 0.02 * torch.randn(1, layout.bins, 1) * (pictures[:, 1] != 0)
    apart = spectral_convergence(tone[None], layout.to_samples(drifting))
    assert spectral_convergence(tone[None], layout.to_samples(locked(drifting, layout))) < apart
    assert torch.equal(locked(pictures, layout)[:, 0], pictures[:, 0])
