"""groove-vae on the command line: the main job, bad input, training."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest

from groove_core.render import kits
from groove_core.values import Audio, Score, Track
from groove_vae import versions
from groove_vae.comparison import Comparison
from groove_vae.performances import load

KIT = kits.general_midi(24)


@pytest.fixture
def beat(tmp_path):
    load("test")[0].to_score().save(tmp_path / "beat.mid")
    return tmp_path


def test_humanize_and_again(groove, beat):
    made = groove("quantize", "beat.mid", "--dynamics", "1", "--out", "grid", "--format", "mid")
    assert made.code == 0, made.stderr
    [grid] = (beat / "grid").glob("*.mid")
    result = groove("humanize", grid, "--seed", "3", "--json")
    assert result.code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["checkpoint"]["name"] == "symbolic"
    assert groove("humanize", grid, "--seed", "3", "--json").stdout == result.stdout
    before, after = Score.read(grid), Score.from_json(document["result"])
    assert len(before.tracks[0].notes) == len(after.tracks[0].notes)
    assert before != after


def test_compare_sound_with_notes(groove, beat):
    played = load("test")[0].to_score()
    sound = Audio(kits.play(versions.of_score(played, "", KIT).hits, KIT, 29.0), kits.RATE)
    sound.save(beat / "played.flac")
    result = groove("compare", "played.flac", "beat.mid", "--out", "o")
    assert result.code == 0, result.stderr
    assert "most different strokes" in result.stdout
    assert {path.name for path in (beat / "o").iterdir()} == {
        *(f"played-beat.compare.{ending}" for ending in ("csv", "json", "png")), "result.json",
    }  # fmt: skip
    found = Comparison.read(beat / "o/played-beat.compare.json")
    assert found.about["tempo_bpm"] == 138
    alone = groove("compare", "beat.mid", "--json")
    assert alone.code == 0, alone.stderr
    document = json.loads(alone.stdout)
    assert document["checkpoint"]["name"] == "audio"
    assert document["options"]["programmed"] is None
    assert groove("compare", "beat.mid", "--json").stdout == alone.stdout


def test_transfer(groove, beat):
    load("test")[1].to_score().save(beat / "other.mid")
    result = groove("transfer", "beat.mid", "other.mid", "--out", "made", "--format", "mid")
    assert result.code == 0, result.stderr
    [made] = (beat / "made").glob("*.mid")
    before = Score.read(beat / "other.mid").tracks[0].notes
    assert len(Score.read(made).tracks[0].notes) == len(before)


def test_fingerprint_of_a_folder(groove, beat):
    load("test")[1].to_score().save(beat / "parts/a.mid")
    load("test")[2].to_score().save(beat / "parts/b.mid")
    result = groove("fingerprint", "parts", "--out", "o", "--format", "png,csv,json,txt")
    assert result.code == 0, result.stderr
    assert "distances" in result.stdout
    pooled = groove("fingerprint", "parts", "--by", "folder", "--json")
    assert json.loads(pooled.stdout)["result"]["names"] == ["parts (2 files)"]
    assert {path.suffix for path in (beat / "o").iterdir()} == {".png", ".csv", ".json", ".txt"}
    bytes_name = os.fsdecode(b"caf\xe9.mid")
    (beat / "parts/b.mid").rename(beat / "parts" / bytes_name)
    (beat / "parts/page.mid").write_bytes(b"<html>404</html>")
    result = groove("fingerprint", "parts", "--out", "p")
    assert result.code == 4, result.stderr
    assert "error: 1 of 3 files were left out." in result.stderr
    assert "left out: parts/page.mid is not a MIDI file" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["humanize", "nowhere.mid"], 4, "does not exist"),
        (["humanize", "empty.mid"], 4, "has no drums"),
        (["humanize", "piano.mid"], 4, "has no drums"),
        (["humanize", "waltz.mid"], 4, "3/4"),
        (["transfer", "beat.mid", "waltz.mid"], 4, "3/4"),
        (["fingerprint", "waltz.mid"], 4, "3/4"),
        (["quantize", "piano.mid"], 4, "has no drums"),
        (["quantize", "beat.mid", "--grid", "7"], 2, "must be one of"),
        (["humanize", "beat.mid", "--timing", "3"], 2, "at most 2"),
        (["humanize", "beat.mid", "--drummer", "drummer11"], 2, "no drummer 'drummer11'"),
        (["humanize", "beat.mid", "--checkpoint", "nowhere"], 5, "no checkpoint 'nowhere'"),
        (["humanize", "beat.mid", "--device", "cuda"], 6, "not there"),
        (["train", "--data", "nowhere"], 4, "does not exist"),
        (["train", "--name", "../evil"], 2, "cannot be called"),
        (["train", "--resume"], 2, "no training to resume"),
        (["evaluate", "--data", "one"], 4, "no test split"),
        (["evaluate", "--about", "symbolic", "--data", "one"], 4, "no test split"),
        (["train", "--latent", "9"], 2, "at most 8 dimensions"),
        (["compare", "nowhere.wav"], 4, "does not exist"),
        (["compare", "text.wav"], 4, "text.wav"),
        (["compare", "empty.wav"], 4, "empty.wav"),
        (["compare", "silent.wav"], 4, "played part is silent"),
        (["compare", "tone.wav"], 4, "No drums can be heard"),
        (["compare", "piano.mid"], 4, "has no drums"),
        (["compare", "beat.mid", "silent.wav"], 4, "programmed part is silent"),
        (["compare", "beat.mid", "--measure", "cosine"], 2, "must be one of"),
        (["compare", "beat.mid", "--kit", "200"], 2, "at most 127"),
        (["compare", "beat.mid", "--raw"], 4, "sample by sample"),
        (["compare", "beat.mid", "--checkpoint", "symbolic"], 5, "is for the model"),
    ],
)
def test_bad_input(groove, beat, arguments, code, message):
    Score(()).save(beat / "empty.mid")
    Score((Track(np.array([[0, 9, 60, 90]])),)).save(beat / "piano.mid")
    waltz = Track(np.array([[0, 9, 36, 90]]), is_drum=True)
    Score((waltz,), time_signatures=np.array([[0, 3, 4]])).save(beat / "waltz.mid")
    Audio(np.zeros(22_050), 22_050).save(beat / "silent.wav")
    Audio(0.5 * np.sin(np.arange(90_000) * 0.1), 22_050).save(beat / "tone.wav")
    (beat / "text.wav").write_text("no sound")
    (beat / "empty.wav").touch()
    (beat / "one").mkdir()
    shutil.copy(beat / "beat.mid", beat / "one")
    before = set(beat.rglob("*"))
    result = groove(*arguments)
    assert result.code == code, result.stderr
    error, hint = result.stderr.splitlines()[-2:]
    assert error.startswith("error: ")
    assert message in error
    assert hint.startswith("hint: ")
    assert "Traceback" not in result.stderr
    assert set(beat.rglob("*")) == before


def test_train_resume_and_use(groove, folder, tmp_path):
    train = ("train", "--model", "symbolic", "--data", str(folder), "--epochs", "2",
             "--batch-size", "8", "--latent", "4", "--device", "cpu")  # fmt: skip
    result = groove(*train, "--json", OMP_NUM_THREADS="1")
    assert result.code == 0, result.stderr
    data = json.loads(result.stdout)["result"]["data"]
    assert len(data["posterior"]["kl_per_dimension"]) == 4
    assert groove(*train, "--batch-size", "4").code == 2
    weights = tmp_path / "groove-models/groove-vae/my-symbolic/model.safetensors"
    first = weights.read_bytes()
    resumed = groove(*train, "--resume", OMP_NUM_THREADS="1")
    assert resumed.code == 0, resumed.stderr
    assert weights.read_bytes() == first
    load("test")[0].to_score().save(tmp_path / "beat.mid")
    used = groove(
        "humanize", "beat.mid", "--checkpoint", "my-symbolic", "--style", "funk", "--json"
    )
    assert used.code == 0, used.stderr
    assert json.loads(used.stdout)["checkpoint"]["name"] == "my-symbolic"
