"""The shipped audio model, measured again."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from groove_core.drums import KIT_DRUMS
from groove_core.errors import InputError
from groove_core.render import find_soundfont, kits
from groove_core.storage import checkpoints
from groove_core.values import Audio
from groove_vae import evaluate, evaluation, training
from groove_vae.evaluation import Kits, evaluate_model
from groove_vae.model import FeelVAE
from groove_vae.performances import as_learnt, load, long_enough, split_of
from groove_vae.twin import Twin


@pytest.fixture(scope="module")
def report():
    return evaluate(count=5, seed=1)


def test_the_card_is_measured_again(report):
    """On a few performances the figures are within what chance makes of the card's."""
    _, card = checkpoints.load("groove-vae", "audio", FeelVAE)
    stored = card["metrics"]["report"]
    columns = stored["columns"]
    for name, column in (("AUC, 5 ms", "same kit"), ("AUC, 6 dB", "another kit"),
                         ("AUC, ghost notes", "same kit")):  # fmt: skip
        on_card = next(row for row in stored["rows"] if row[0] == name)[columns.index(column)]
        assert report.cell(name, column).value == pytest.approx(on_card["value"], abs=0.08)


def test_what_the_model_adds(report):
    for name in ("AUC, 5 ms", "AUC, 6 dB", "AUC, 12 dB"):
        model, plain = (
            report.cell(name, f"{kit}").value for kit in ("another kit", "bands, another kit")
        )
        assert model > plain + 0.1
    kept = report.cell("AUC, 6 dB", "another, tone left in").value
    assert report.cell("AUC, 6 dB", "another kit").value > kept
    regression = report.data["regression"]["D_KL"]
    assert regression["per_ms"] > 0
    assert regression["per_db"] > 0


def test_a_model_that_learnt_nothing_is_told():
    torch.manual_seed(0)
    model = FeelVAE(inputs=44, outputs=2, hidden=4).eval()
    test = [one for one in load("test", None) if len(one.tick) >= 12]
    report = evaluate_model(model, test, count=2, seed=1)
    assert report.cell("AUC, 5 ms", "another kit").value < 0.85
    assert np.isfinite(report.cell("Spearman with ms", "same kit").value)


def test_no_kit_is_both_learnt_from_and_tested_on():
    assert not set(evaluation.PROGRAMS) & set(training.PROGRAMS)
    assert not set(evaluation.SYNTHETIC) & set(training.SYNTHETIC)


def recorded(folder):
    """Write one kit as files, as if it had been recorded: two strengths of each drum."""
    for drum, shot in zip(KIT_DRUMS, kits.synthetic(3).shots, strict=True):
        name = drum.name.replace(" ", "-")
        for number, gain in ((1, 0.1), (2, 0.9)):
            Audio(gain * shot / np.abs(shot).max(), kits.RATE).save(folder / f"{name}-{number}.wav")
    return folder


def test_recorded_strokes_are_played_and_the_other_kit_is_programmed(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation, "OTHER_PROGRAMS", (0,))  # each takes a second to render
    monkeypatch.setattr(evaluation, "SYNTHETIC", range(100, 102))
    chosen = Kits.of(recorded(tmp_path), find_soundfont())
    played, programmed = chosen.draw(np.random.default_rng(0))
    assert len(played.strengths) == 9
    assert programmed.name.startswith("TimGM6mb-")
    assert "recorded strokes, programmed on TimGM6mb" in chosen.words
    alone = Kits.of(tmp_path, None).draw(np.random.default_rng(0))[1]
    assert alone.name.startswith("synthetic-1")
    font = Kits.of(None, find_soundfont())
    played, programmed = font.draw(np.random.default_rng(0))
    assert played.name.startswith("TimGM6mb-")
    assert programmed.name.startswith("synthetic-1")
    model, _ = checkpoints.load("groove-vae", "audio", FeelVAE)
    by_length = sorted(long_enough(load("test", None)), key=lambda one: float(one.onset_s[-1]))
    report = evaluate_model(model, by_length[:3], seed=1, chosen=Kits.of(tmp_path, None))
    assert "recorded strokes, programmed on synthetic kits" in report.title
    assert report.columns[1:] == evaluation.COLUMNS


def test_kits_of_the_soundfont_share_samples_with_those_learnt_from():
    """What the card says of them; those of another soundfont are there for that."""

    def same(a, b):
        size = kits.RATE // 2
        one, other = (np.fft.rfft(x[:size], 2 * size) for x in (a, b))
        power = np.square(a[:size]).sum() * np.square(b[:size]).sum()
        return np.abs(np.fft.irfft(one * other.conj())).max() > 0.9 * np.sqrt(power)

    learnt = [kits.general_midi(program) for program in training.PROGRAMS]
    shared = {
        program: {
            drum.name
            for drum, shot, *others in zip(
                KIT_DRUMS, kits.general_midi(program).shots, *(k.shots for k in learnt), strict=True
            )
            if any(same(shot, other) for other in others)
        }
        for program in evaluation.PROGRAMS
    }
    assert shared[24] == shared[25] == {"crash"}
    assert shared[48] == {"crash", "snare", "floor tom", "low tom", "high tom"}


def test_a_single_performance_is_no_test_split(tmp_path):
    load("test")[0].to_score().save(tmp_path / "0.mid")
    with pytest.raises(InputError, match="no test split"):
        evaluate(data=tmp_path)


@pytest.mark.parametrize("model", ["audio", "symbolic"])
def test_what_was_learnt_is_refused_by_name_wherever_it_is(tmp_path, model):
    for number, split in enumerate(("train", "train", "validation")):
        long_enough(load(split))[number].to_score().save(tmp_path / f"mine/{number}.mid")
    with pytest.raises(InputError, match=f"{model} was trained on this data: mine/0.mid, mine/1"):
        evaluate(model=model, data=tmp_path)


@pytest.mark.parametrize(("model", "kind", "metre"), [
    ("audio", FeelVAE, None), ("symbolic", Twin, "4-4"),
])  # fmt: skip
def test_the_test_split_of_the_shipped_weights_is_the_published_one(model, kind, metre):
    _, card = checkpoints.load("groove-vae", model, kind)
    performances = load(None, metre)
    again = as_learnt(card, performances)
    assert [one.split for one in again] == [one.split for one in performances]
    remembered = split_of(performances)["learnt"]
    assert remembered["groups"] == card["data"]["learnt"]["groups"]
    assert remembered["fingerprint"] == card["data"]["learnt"]["fingerprint"]
    assert remembered["published"]


def test_files_of_others_are_measured_beside_what_was_learnt(folder):
    """Every file is a test for weights that know none, also where the hash says otherwise."""
    assert len({one.split for one in load(data=folder)}) > 1
    report = evaluate(model="symbolic", data=folder, seed=1)
    assert " 24 held-out performances" in report.title
