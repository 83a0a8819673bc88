"""A judge that learns pitch and family of sounds."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gansynth_lite.classifier import NoteClassifier, hear
from gansynth_lite.classifier_training import ClassifierSettings, ClassifierTraining
from gansynth_lite.lessons import Lesson
from gansynth_lite.notes import Notes
from gansynth_lite.pitch import hz
from groove_core.errors import InputError, UsageError
from groove_core.learning import Run, rounded, trained

RATE, SAMPLES = 16_000, 8_000
QUICK = ClassifierSettings(epochs=16, batch_size=8, width=8)


def tones(low: int = 48, high: int = 59, families: tuple[str, ...] = ("dull", "bright")) -> Notes:
    """Make sawtooth-like notes of two brightnesses, four of each pitch."""
    generator = np.random.default_rng(0)
    time_s = np.arange(SAMPLES) / RATE
    samples, pitches, kinds = [], [], []
    for pitch in range(low, high + 1):
        for index in range(4):
            k = np.arange(1, 9)[:, None]
            phase = generator.uniform(0, 2 * math.pi, (8, 1))
            loud = np.exp(-k * (1.0, 0.2)[index % 2]) * generator.uniform(0.5, 1, (8, 1))
            wave = (loud * np.sin(2 * math.pi * k * hz(float(pitch)) * time_s + phase)).sum(0)
            samples.append(np.round(32_767 * wave / np.abs(wave).max()).astype(np.int16))
            pitches.append(pitch)
            kinds.append(index % 2 if families else -1)
    n = len(pitches)
    return Notes(
        samples=np.stack(samples),
        pitches=np.array(pitches),
        families=np.array(kinds),
        instruments=np.array([i % 4 for i in range(n)]),
        velocities=np.zeros(n, np.int64),
        family_names=families,
        instrument_names=("a", "b", "c", "d"),
        sample_rate=RATE,
        source="folder",
        name="tones",
        license="CC0-1.0",
    )


def train(notes, parts, settings, **run):
    none = {"validation": np.arange(0), "test": np.arange(0)}
    return trained(ClassifierTraining, settings, Lesson(notes, {**none, **parts}), Run(**run))


@pytest.fixture(scope="module")
def learnt():
    notes = tones()
    held = np.arange(len(notes))[4::5]
    # A few families are unknown.
    notes.families[:4] = -1
    rest = np.setdiff1d(np.arange(len(notes)), held)
    parts = {"train": rest, "validation": held, "test": held}
    training = train(notes, parts, QUICK, seed=1)
    return notes, parts, training.model, training.history


def test_it_learns_tones(learnt):
    notes, parts, model, history = learnt
    assert history[-1]["pitch"] < 0.3 < history[0]["pitch"]
    heard = hear(model, [notes.sounds(torch.from_numpy(parts["test"]))])
    pitches = torch.from_numpy(notes.pitches[parts["test"]])
    families = torch.from_numpy(notes.families[parts["test"]])
    assert (heard.pitch == pitches).float().mean() >= 0.9
    known = families >= 0
    assert (heard.families.argmax(dim=1) == families)[known].float().mean() >= 0.9
    assert heard.pitches.shape == (9, 12)
    assert heard.features.shape == (9, 96)
    torch.testing.assert_close(heard.pitches.sum(dim=1), torch.ones(9))


def test_level_and_length_do_not_matter(learnt):
    notes, _, model, _ = learnt
    x = notes.sounds(torch.arange(8))
    with torch.no_grad():
        whole, quiet, half = model(x)[0], model(0.01 * x)[0], model(x[:, : SAMPLES // 2])[0]
        torch.testing.assert_close(quiet, whole, atol=1e-3, rtol=0)
        assert (half.argmax(dim=1) == whole.argmax(dim=1)).all()
        torch.testing.assert_close(model.features(x), model.judged(x)[2])
        assert model(torch.zeros(1, SAMPLES))[0].isfinite().all()


def test_it_is_made_again_from_its_config(learnt):
    notes, _, model, _ = learnt
    again = NoteClassifier(**model.config)
    again.load_state_dict(model.state_dict())
    x = notes.sounds(torch.arange(4))
    with torch.no_grad():
        for one, other in zip(rounded(again)(x), model(x), strict=True):
            torch.testing.assert_close(one, other, atol=0, rtol=0)


def test_size():
    model = NoteClassifier(RATE, 64_000, ["a"] * 11)
    assert sum(p.numel() for p in model.parameters()) < 600_000
    # Neighbours at the low end are seen as different, though they share bins.
    time_s = torch.arange(64_000) / RATE
    saw = torch.stack(
        [
            sum(torch.sin(2 * math.pi * k * hz(float(p)) * time_s) / k for k in range(1, 40))
            for p in (24, 25)
        ]
    )
    assert (model.pictures(saw).diff(dim=0).abs() > 0.1).float().mean() > 0.2


def test_without_families():
    notes = tones(60, 63, ())
    quick = ClassifierSettings(epochs=1, batch_size=8, width=8, low=58, high=70, precision="bf16")
    training = train(notes, {"train": np.arange(16)}, quick, seed=1)
    assert set(training.history[0]) == {"epoch", "pitch", "accuracy"}
    pitches, families = training.model(notes.sounds(torch.arange(2)))
    assert (pitches.shape, families.shape) == ((2, 13), (2, 0))


def test_families_that_are_all_unknown_cost_nothing():
    notes = tones(60, 61)
    notes.families[:] = -1
    quick = ClassifierSettings(epochs=1, batch_size=8, width=8)
    assert train(notes, {"train": np.arange(8)}, quick, seed=1).history[0]["family"] == 0


def test_the_same_seed_gives_the_same_weights():
    notes, parts = tones(60, 61), {"train": np.arange(8)}
    quick = ClassifierSettings(epochs=2, batch_size=4, width=8)
    one, two = (train(notes, parts, quick, seed=3).model.state_dict() for _ in range(2))
    for name, value in one.items():
        torch.testing.assert_close(value, two[name], atol=0, rtol=0)


def test_what_it_refuses():
    with pytest.raises(UsageError):
        NoteClassifier(8_000, 8_000, low=24, high=120)
    with pytest.raises(InputError):
        hear(NoteClassifier(RATE, SAMPLES, width=8).eval(), [])
