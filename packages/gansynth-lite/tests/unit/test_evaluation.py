"""Reports are whole, and say what is so: real notes are better than noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gansynth_lite.classifier_training import ClassifierSettings, ClassifierTraining
from gansynth_lite.evaluation import COLUMNS, FAMILY_COLUMNS, TREES_COLUMN, measure
from gansynth_lite.instruments import measure_instruments
from gansynth_lite.layout import Layout
from gansynth_lite.lessons import Lesson
from gansynth_lite.model import GANSynth
from gansynth_lite.notes import Notes
from gansynth_lite.pitch import hz
from gansynth_lite.progressive import ProgressiveGAN
from gansynth_lite.representation import round_trip
from groove_core.errors import InputError, UsageError
from groove_core.learning import Run, trained
from groove_core.values import Estimate, Report

LAYOUT = {"n_fft": 512, "frames": 64}
RATE, SAMPLES = 16_000, Layout(**LAYOUT).samples
LOW, HIGH = 57, 68


@pytest.fixture(scope="module")
def notes() -> Notes:
    """Six instruments of a few partials and a decay, at every pitch of an octave."""
    generator = np.random.default_rng(0)
    time_s = np.arange(SAMPLES) / RATE
    samples, pitches, instruments = [], [], []
    for instrument in range(6):
        loud = np.exp(-generator.uniform(0.1, 1.5) * np.arange(6)) * generator.uniform(0.3, 1, 6)
        decay = generator.uniform(0.2, 6)
        for pitch in range(LOW, HIGH + 1):
            phases = generator.uniform(0, 2 * math.pi, 6)
            wave = sum(
                a * np.sin(2 * math.pi * (k + 1) * hz(float(pitch)) * time_s + phase)
                for k, (a, phase) in enumerate(zip(loud, phases, strict=True))
            ) * np.exp(-decay * time_s)
            samples.append(np.round(32_767 * wave / np.abs(wave).max()).astype(np.int16))
            pitches.append(pitch)
            instruments.append(instrument)
    return Notes(
        samples=np.stack(samples),
        pitches=np.array(pitches),
        families=np.array(instruments) % 2,
        instruments=np.array(instruments),
        velocities=np.full(len(pitches), 90),
        family_names=("even", "odd"),
        instrument_names=tuple("abcdef"),
        sample_rate=RATE,
        source="folder",
        name="tones",
        license="CC0-1.0",
    )


@pytest.fixture(scope="module")
def parts(notes):
    place = np.random.default_rng(1).permutation(len(notes))
    return {
        "train": np.sort(place[:48]), "validation": np.sort(place[48:52]),
        "test": np.sort(place[52:]),
    }  # fmt: skip


@pytest.fixture(scope="module")
def classifier(notes, parts):
    settings = ClassifierSettings(epochs=12, batch_size=16, width=8)
    return trained(ClassifierTraining, settings, Lesson(notes, parts), Run(seed=1)).model


@pytest.fixture(scope="module")
def model() -> GANSynth:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return GANSynth(LAYOUT, ("even", "odd"), width=4, most=16, code=8).eval()


def value(report: Report, row: str, column: str = "value") -> float:
    cell = report.cell(row, column)
    assert cell is not None
    return cell.value if isinstance(cell, Estimate) else float(cell)


def test_real_notes_are_better_than_noise(notes, parts, classifier, model, tmp_path):
    options = {"count": 20, "seed": 1, "name": "tiny"}
    found = measure(model, notes, parts, classifier, **options)
    assert [row[0] for row in found.rows] == [
        "tiny", "held-out notes", "training notes copied", "noise",
    ]  # fmt: skip
    assert found.columns == ("", *COLUMNS, FAMILY_COLUMNS[0], TREES_COLUMN)
    real, noise, copies = "held-out notes", "noise", "training notes copied"
    for better in ("pitch accuracy", "within 50 cents", "IS", "diversity"):
        assert value(found, real, better) > value(found, noise, better)
    for better in ("pitch entropy", "NDB/K", "FID", "nearest training note"):
        assert value(found, real, better) < value(found, noise, better)
    assert value(found, real, "within 50 cents") == 1
    assert value(found, real, "median cents") < 5
    assert value(found, real, "diversity") == pytest.approx(1)
    assert value(found, real, "notes") == 20
    assert value(found, copies, "exact copies") == 1
    assert value(found, real, "exact copies") == 0
    assert value(found, copies, "FID") < value(found, real, "FID")
    assert found.cell("tiny", "family accuracy") is not None
    assert value(found, copies, TREES_COLUMN) > 0.9
    assert value(found, real, TREES_COLUMN) > value(found, noise, TREES_COLUMN)
    assert Report.read(found.save(tmp_path / "report.json")) == found
    assert "NDB/K" in found.to_text()
    again = measure(model, notes, parts, classifier, beside={"again": model}, **options)
    assert again.rows[:4] == found.rows
    assert again.rows[4][:2] == ("again", 20)


def test_instruments(notes, parts, model):
    options = {"count": 8, "seed": 1, "name": "tiny"}
    found = measure_instruments(model, notes, parts, **options)
    assert all(row[1] is not None for row in found.rows)
    assert value(found, "the same of real instruments") < 0.6
    assert value(found, "largest / mean step of a morph, median") >= 1
    assert value(found, "the same, worst") <= 32
    near, any_note = "nearest training note of its pitch", "any training note of its pitch"
    assert value(found, near) <= value(found, any_note)
    # What is not trained is further off than any real note.
    assert value(found, "a note, encoded and decoded") > value(found, near)
    assert found.to_text()
    assert measure_instruments(model, notes, parts, **options).rows == found.rows


def test_the_network_of_the_source(notes, parts, classifier):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = ProgressiveGAN(LAYOUT, most=8, code=8, low=LOW, high=HIGH)
    options = {"count": 8, "seed": 1, "name": "source"}
    found = measure(model, notes, parts, classifier, **options)
    assert len(found.rows) == 4
    assert found.cell("source", "family accuracy") is None
    assert found.cell("source", TREES_COLUMN) is None
    assert found.cell("held-out notes", TREES_COLUMN) is not None
    found = measure_instruments(model, notes, parts, **options)
    assert not any("encoded" in row[0] for row in found.rows)
    assert len(found.rows) == 4


def test_there_and_back(notes):
    found = round_trip(notes, Layout(**LAYOUT), count=6, refine=4)
    linear, mel = "linear", "mel"
    assert value(found, linear, "SNR, lowest [dB]") > 20
    convergence = "spectral convergence, median"
    assert value(found, linear, convergence) < 0.05 < value(found, mel, convergence)
    assert value(found, "mel, 4 rounds of Griffin-Lim", convergence) < value(
        found, mel, convergence
    )


def test_what_is_refused(notes, parts, classifier, model):
    options = {"count": 4, "seed": 1, "name": "tiny"}
    other = GANSynth({"n_fft": 512, "frames": 32}, (), width=4, most=8, code=8)
    with pytest.raises(UsageError, match="samples at"):
        measure(other, notes, parts, classifier, **options)
    with pytest.raises(InputError, match="too few to test"):
        measure(model, notes, {**parts, "test": parts["test"][:1]}, classifier, **options)
    classifier.sample_rate = 8_000
    with pytest.raises(UsageError, match="hears"):
        measure(model, notes, parts, classifier, **options)
    classifier.sample_rate = RATE
