"""gansynth-lite on the command line: the main jobs, and bad input."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from gansynth_lite.kits import Kit
from gansynth_lite.layout import LAYOUTS
from gansynth_lite.model import GANSynth
from gansynth_lite.pitch import cents, detect_f0
from groove_core import Score, Track, learning
from groove_core.learning import hashed
from groove_core.storage import checkpoints
from groove_core.values import Audio, Codes, Report

spec = importlib.util.spec_from_file_location(
    "notes_of_tests", Path(__file__).parents[1] / "conftest.py"
)
made = importlib.util.module_from_spec(spec)
spec.loader.exec_module(made)

RATE = 16_000


def heard(path: Path) -> float:
    """Give the fundamental of a sound file in Hz."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return float(detect_f0(torch.from_numpy(samples.mean(axis=1))[None], rate))


def score(*tracks: Track) -> Score:
    return Score(tracks, 480, tempos=[[0, 500_000]])


def write_notes_beyond(into: Path, folder: Path) -> Path:
    """Copy a folder of notes and add some that are higher than all of them."""
    shutil.copytree(folder, into / "wide" / folder.name)
    wide = into / "wide" / folder.name
    for pitch in (83, 84):
        path = wide / "reed" / f"reed0_m{pitch:03d}.wav"
        soundfile.write(path, 0.5 * made.tone(pitch, RATE), RATE)
    return wide


def test_notes_are_in_tune_and_come_again(groove, tmp_path):
    arguments = ("sample", "--pitch", "A3", "--family", "reed", "--count", "2", "--seed", "5")
    result = groove(*arguments, "--out", "a")
    assert result.returncode == 0, result.stderr
    for path in sorted((tmp_path / "a").glob("*.wav")):
        assert abs(1200 * np.log2(heard(path) / 220)) < 25
        sound = Audio.read(path)
        assert (sound.duration_s, sound.sample_rate) == (pytest.approx(4.0), 44_100)
    assert groove(*arguments, "--out", "b").returncode == 0
    first, again = (Audio.read(tmp_path / one / "sample-001.wav") for one in "ab")
    assert np.array_equal(first.samples, again.samples)
    other = groove(*arguments[:-1], "6", "--out", "c")
    assert other.returncode == 0
    assert not np.array_equal(first.samples, Audio.read(tmp_path / "c/sample-001.wav").samples)


def test_a_process_of_its_own(tmp_path):
    """As someone types it; and the same bytes again from what it has written."""
    for command in (
        ["run", "gansynth-lite", "sample", "--count", "1", "--seed", "3", "--out", "a"],
        ["rerun", "a/result.json", "--out", "b"],
    ):
        subprocess.run(
            [sys.executable, "-m", "groove_core", *command],
            cwd=tmp_path, check=True, capture_output=True,
        )  # fmt: skip
    first, again = (tmp_path / folder / "sample-001.wav" for folder in "ab")
    assert first.read_bytes() == again.read_bytes()


def test_a_pitch_between_the_keys(groove, tmp_path):
    result = groove("sample", "--pitch", "60.5", "--count", "1", "--seed", "1", "--out", "a")
    assert result.returncode == 0, result.stderr
    f0 = torch.tensor([heard(next((tmp_path / "a").glob("sample*.wav")))])
    assert abs(float(cents(f0, torch.tensor([60.5])))) < 30


def test_a_song_is_played(groove, tmp_path):
    melody = [[i * 480, 440, pitch, 90] for i, pitch in enumerate((60, 64, 67, 72, 100, 12))]
    drums = [[i * 240, 100, 36, 100] for i in range(12)]
    score(Track(melody, program=73), Track(drums, is_drum=True)).save(tmp_path / "song.mid")
    result = groove("render", "song.mid", "--seed", "1", "--out", "o", "--json")
    assert result.returncode == 0, result.stderr
    assert "2 of 6 notes are beyond C1 to C6" in result.stderr
    sound = Audio.read(next((tmp_path / "o").glob("*.wav")))
    assert (len(sound.samples), sound.sample_rate) == (2, 44_100)
    assert sound.duration_s == pytest.approx(5 * 0.5 + 440 / 960 + 1.0, abs=0.01)
    assert sound.peak == pytest.approx(10 ** (-1 / 20), abs=0.01)
    assert groove("render", "song.mid", "--seed", "1", "--motion", "wander", "--every-s", "1",
                  "--out", "w").returncode == 0  # fmt: skip


@pytest.mark.parametrize("name", ["squeak", "C4"])
def test_a_sound_out_of_range_is_no_mistake_of_an_option(groove, tmp_path, name):
    time_s = np.arange(RATE) / RATE
    soundfile.write(tmp_path / f"{name}.wav", 0.3 * np.sin(2 * np.pi * 2093 * time_s), RATE)
    result = groove("encode", f"{name}.wav")
    assert result.returncode == 4, result.stderr
    assert f"{name}.wav sounds at C7 (MIDI 96), which is out of the model's range" in result.stderr
    assert groove("encode", f"{name}.wav", "--pitch", "C9").returncode == 2
    assert groove("encode", f"{name}.wav", "--pitch", "C6").returncode == 0


def test_from_a_sound_to_codes_and_back(groove, tmp_path):
    for name, odd in (("clear", False), ("hollow", True)):
        for pitch in (57, 64):
            tone = made.tone(pitch, 3 * RATE, odd=odd)
            soundfile.write(tmp_path / f"{name}{pitch}.wav", 0.3 * tone, RATE)
    files = [f"{name}{pitch}.wav" for name in ("clear", "hollow") for pitch in (57, 64)]
    result = groove("encode", *files, "--out", "o")
    assert result.returncode == 0, result.stderr
    codes = Codes.read(tmp_path / "o/encode.json")
    assert codes.points.shape == (4, 128)
    assert "clear57.wav: A3, " in result.stdout
    assert "in tune, attack as recorded" in result.stdout
    a, b, c, d = codes.points
    # The same instrument at other pitches is nearer than another instrument.
    assert max(np.linalg.norm(a - b), np.linalg.norm(c - d)) < np.linalg.norm(a - c)
    steps = groove("encode", files[0], "--steps", "3", "--pitch", "A3", "--json")
    assert steps.returncode == 0, steps.stderr
    for start, end in (("clear57.wav", "hollow64.wav"), ("o/encode.json", "hollow57.wav")):
        result = groove("interpolate", start, end, "--steps", "3", "--seed", "1", "--out", "m",
                        "--overwrite")  # fmt: skip
        assert result.returncode == 0, result.stderr
        assert len(list((tmp_path / "m").glob("*.interpolate-*.wav"))) == 3
    score(Track([[0, 900, 60, 90], [960, 900, 62, 90]])).save(tmp_path / "two.mid")
    ends = ("clear57.wav", "hollow57.wav")
    result = groove("interpolate", *ends, "--score", "two.mid", "--out", "s")
    assert result.returncode == 0, result.stderr
    assert Audio.read(next((tmp_path / "s").glob("*.wav"))).peak > 0.5


def test_each_track_has_its_instrument_and_its_stem(groove, tmp_path):
    soundfile.write(tmp_path / "mine.wav", 0.3 * made.tone(57, 2 * RATE, decay=4.0), RATE)
    assert groove("encode", "mine.wav", "--out", "o").returncode == 0
    lead, bass = Track([[0, 400, 60, 90]], name="Lead"), Track([[0, 900, 48, 90]], name="Bass")
    score(lead, bass).save(tmp_path / "song.mid")
    result = groove("render", "song.mid", "--instruments", "1=o/mine.encode.json,bass=strings",
                    "--stems", "--seed", "1", "--out", "r")  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "Notes to draw: 2, for 2 of the score; about" in result.stderr
    stems = [
        soundfile.read(tmp_path / "r/song.render stems" / name, dtype="int16")[0].astype(int)
        for name in ("01 Lead.wav", "02 Bass.wav")
    ]
    mix = soundfile.read(tmp_path / "r/song.render.wav", dtype="int16")[0]
    assert np.array_equal(sum(stems), mix)
    refused = groove("render", "song.mid", "--instruments", "3=reed")
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-2:] == [
        "error: song.mid has no track '3'.", "hint: Tracks: 1 Lead, 2 Bass.",
    ]  # fmt: skip


def test_a_chord_is_no_instrument(groove, tmp_path):
    chord = sum(made.tone(pitch, RATE) for pitch in (48, 52, 55)) / 6
    soundfile.write(tmp_path / "chord.wav", chord, RATE)
    refused = groove("encode", "chord.wav")
    assert refused.returncode == 4
    assert refused.stderr.splitlines()[-2:] == [
        "error: chord.wav is a chord, not one note.",
        "hint: Give the sound of one note, or say which it is with --pitch, such as C4.",
    ]


def test_sounds_that_cannot_be_encoded_are_left_out(groove, tmp_path):
    (tmp_path / "s").mkdir()
    for name, samples in (("low", made.tone(10, RATE)), ("note", made.tone(57, RATE)),
                          ("silent", np.zeros(RATE))):  # fmt: skip
        soundfile.write(tmp_path / f"s/{name}.wav", 0.3 * samples, RATE)
    (tmp_path / "s/page.wav").write_bytes(b"<html>404</html>")
    result = groove("encode", "s", "--out", "o", "--format", "json")
    assert result.returncode == 4
    assert Codes.read(tmp_path / "o/s.encode.json").labels == ("note.wav",)
    failed = json.loads((tmp_path / "o/result.json").read_text())["failed"]
    assert [one["file"] for one in failed] == ["s/low.wav", "s/page.wav", "s/silent.wav"]


def test_a_kit(groove, tmp_path):
    result = groove("export", "--family", "reed", "--low", "C3", "--high", "C4", "--every", "6",
                    "--seed", "1", "--out", "o")  # fmt: skip
    assert result.returncode == 0, result.stderr
    kit = Kit.read(tmp_path / "o/export.sfz")
    assert [(one.pitch, one.velocity) for one in kit.notes] == [
        (pitch, velocity) for pitch in (48, 54, 60) for velocity in (79, 127)
    ]
    for path, one in zip(sorted((tmp_path / "o/export samples").iterdir()), kit.notes, strict=True):
        off = float(cents(torch.tensor([heard(path)]), torch.tensor([one.pitch])))
        assert abs(off + one.tune) < 10


def test_training_measuring_and_playing_what_was_learnt(groove, folder, tmp_path):
    quick = ("--epochs", "2", "--batches", "2", "--batch-size", "4", "--width", "4")
    result = groove("train", folder, *quick, "--name", "mine")
    assert result.returncode == 0, result.stderr
    assert "--checkpoint mine" in result.stderr
    again = groove("train", folder, *quick, "--name", "mine")
    assert again.returncode == 0  # it is measured again, not lost
    assert "holds this training already" in again.stderr
    other = groove("train", folder, *quick, "--seed", "2", "--name", "mine")
    assert other.returncode == 2
    assert groove("train", folder, *quick, "--name", "mine", "--resume").returncode == 0
    result = groove(
        "sample", "--checkpoint", "mine", "--family", "reed", "--count", "1", "--out", "o"
    )
    assert result.returncode == 0, result.stderr
    assert Audio.read(next((tmp_path / "o").glob("*.wav"))).duration_s == pytest.approx(
        0.976, abs=1e-4
    )
    result = groove("evaluate", folder, "--checkpoint", "mine", "--count", "10", "--json")
    assert result.returncode == 0, result.stderr
    known = json.loads((tmp_path / "groove-models/gansynth-lite/mine/learnt.json").read_text())
    for path in (folder / "reed").iterdir():
        if hashed(f"reed, {int(path.stem[-3:])}") in known["train"]:
            (tmp_path / "reed").mkdir(exist_ok=True)
            shutil.copy(path, tmp_path / "reed")
    again = groove("evaluate", tmp_path / "reed", "--checkpoint", "mine")
    assert again.returncode == 4
    assert "mine was trained on this data: reed, " in again.stderr
    report = Report.from_json(json.loads(result.stdout)["result"])
    assert [row[0] for row in report.rows] == [
        "mine", "held-out notes", "training notes copied", "noise",
    ]  # fmt: skip
    assert report.cell("held-out notes", "within 50 cents").value > 0.9
    assert report.cell("noise", "within 50 cents").value < 0.3
    card = json.loads((tmp_path / "groove-models/gansynth-lite/mine/card.json").read_text())
    assert (card["config"]["low"], card["config"]["high"]) == (48, 82)
    assert card["config"]["known"] == 2
    # Other notes than those of the model's range are not measured.
    wide = write_notes_beyond(tmp_path, folder)
    more = groove("evaluate", wide, "--checkpoint", "mine", "--count", "10", "--json")
    assert json.loads(more.stdout)["result"]["rows"] == json.loads(result.stdout)["result"]["rows"]
    result = groove("evaluate", folder, "--checkpoint", "mine", "--about", "focus",
                    "--count", "6", "--json")  # fmt: skip
    assert result.returncode == 0, result.stderr
    focus = Report.from_json(json.loads(result.stdout)["result"])
    shares = [row[-1].value for row in focus.rows]
    assert shares == sorted(shares)
    result = groove("evaluate", folder, "--checkpoint", "mine", "--about", "representation",
                    "--count", "4", "--json")  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert Report.from_json(json.loads(result.stdout)["result"]).rows[0][2] > 30


def test_adapting_what_was_learnt_to_other_notes(groove, folder, tmp_path):
    quick = ("--epochs", "1", "--batches", "2", "--batch-size", "4")
    assert groove("train", folder, *quick, "--width", "4", "--name", "first").returncode == 0
    result = groove("adapt", folder / "reed", *quick, "--checkpoint", "first", "--name", "mine")
    assert result.returncode == 0, result.stderr
    assert "--checkpoint mine" in result.stderr
    card = json.loads((tmp_path / "groove-models/gansynth-lite/mine/card.json").read_text())
    assert card["start"]["name"] == "first"
    assert card["start"]["data"]["notes"] == 2 * card["data"]["notes"] == 72
    result = groove("sample", "--checkpoint", "mine", "--family", "reed", "--count", "1")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("given", "batch_size", "rate"),
    [
        (("--network", "paper"), 8, 8e-4),  # Engel et al. 2019
        (("--network", "ours"), 16, 2e-3),
        (("--network", "paper", "--batch-size", "4", "--learning-rate", "0.001"), 4, 1e-3),
    ],
)
def test_each_network_has_its_own_rate_and_batch(
    groove, folder, monkeypatch, given, batch_size, rate
):
    asked = []

    def train(kind, settings, lesson, run):
        asked.append(settings)
        return Report("nothing", ("",), ())

    monkeypatch.setattr(learning, "train", train)
    result = groove("train", folder, *given, "--name", "mine")
    assert result.returncode == 0, result.stderr
    assert (asked[0].batch_size, asked[0].learning_rate) == (batch_size, rate)


def test_a_model_plays_its_own_range(groove, tmp_path):
    torch.manual_seed(0)
    model = GANSynth(asdict(LAYOUTS["small"]), ("reed",), 4, 16, low=72, high=96)
    card = {
        key: {} if key in ("data", "metrics", "made_with") else "high"
        for key in checkpoints.REQUIRED if key != "schema"
    } | {"package": "gansynth-lite"}  # fmt: skip
    checkpoints.save(tmp_path / "high", model, card)
    soundfile.write(tmp_path / "c4.wav", 0.3 * made.tone(60, RATE), RATE)
    high = ("--checkpoint", "high")
    for pitch in ((), ("--pitch", "C7"), ("--pitch", "72")):
        result = groove("sample", *pitch, "--count", "1", *high)
        assert result.returncode == 0, result.stderr
    for command in (
        ("sample", "--pitch"), ("encode", "c4.wav", "--pitch"), ("interpolate", "--pitch"),
        ("export", "--low"),
    ):  # fmt: skip
        refused = groove(*command, "C4", *high)
        assert refused.returncode == 2, refused.stderr
        assert "C5 to C7 (MIDI 72 to 96)" in refused.stderr
    measured = groove("encode", "c4.wav", *high)
    assert measured.returncode == 4
    assert "C5 to C7" in measured.stderr
    assert groove("export", "--every", "12", *high, "--out", "kit").returncode == 0
    kit = Kit.read(next((tmp_path / "kit").glob("*.sfz")))
    assert [one.pitch for one in kit.notes] == [72, 72, 84, 84]
    score(Track([[0, 400, 60, 90], [400, 400, 80, 90]])).save(tmp_path / "s.mid")
    song = groove("render", "s.mid", *high)
    assert song.returncode == 0, song.stderr
    assert "1 of 2 notes are beyond C5 to C7" in song.stderr


def test_the_network_of_the_paper(groove, folder, tmp_path):
    result = groove("train", folder, "--network", "paper", "--epochs", "1", "--batches", "2",
                    "--batch-size", "4", "--width", "2", "--name", "old")  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert groove("sample", "--checkpoint", "old", "--count", "1").returncode == 0
    for refused in (
        groove("sample", "--checkpoint", "old", "--family", "reed"),
        groove("adapt", folder, "--checkpoint", "old"),
    ):
        assert refused.returncode == 2
        assert "hint:" in refused.stderr


@pytest.mark.parametrize("network", ["harmonic", "mel"])
def test_a_classifier_of_your_own(groove, folder, network):
    result = groove("train-classifier", folder, "--size", "small", "--epochs", "1", "--network",
                    network, "--json")  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["result"]["rows"][0][0].startswith("my-classifier")


@pytest.fixture
def bad(tmp_path):
    (tmp_path / "empty.mid").touch()
    (tmp_path / "text.mid").write_text("no music")
    score(Track([], name="nothing")).save(tmp_path / "silence.mid")
    score(Track([[0, 400, 60, 90]])).save(tmp_path / "one.mid")
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "noise.wav", 0.2 * rng.normal(size=RATE).clip(-3, 3), RATE)
    Codes(np.ones((1, 7))).save(tmp_path / "seven.json")
    unpitched = tmp_path / "unpitched"
    unpitched.mkdir()
    for name in "abc":
        shutil.copy(tmp_path / "noise.wav", unpitched / f"{name}.wav")
    (tmp_path / "nothing").mkdir()
    few = tmp_path / "few"
    few.mkdir()
    soundfile.write(few / "C4.wav", 0.3 * made.tone(60, RATE), RATE)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["sample", "--pitch", "H9"], 2, "There is no pitch 'H9'"),
        (["sample", "--pitch", "C8"], 2, "out of the model's range"),
        (["sample", "--pitch", "nan"], 2, "There is no pitch"),
        (["sample", "--family", "flut"], 2, "flute"),
        (["sample", "--instrument", "seven.json"], 2, "7 numbers"),
        (["sample", "--instrument", "missing.json"], 4, "does not exist"),
        (["sample", "--instrument", "silent.wav"], 4, "silent"),
        (["sample", "--instrument", "noise.wav"], 4, "No pitch is heard"),
        (["sample", "--checkpoint", "classifier"], 5, "NoteClassifier"),
        (["sample", "--checkpoint", "nonsense"], 5, "no checkpoint"),
        (["sample", "--count", "0"], 2, "at least 1"),
        (["sample", "--device", "abacus"], 2, "abacus"),
        (["render", "missing.mid"], 4, "does not exist"),
        (["render", "empty.mid"], 4, "empty"),
        (["render", "text.mid"], 4, "not a MIDI file"),
        (["render", "silence.mid"], 4, "no notes"),
        (["render", "one.mid", "--families", "bagpipe"], 2, "bagpipe"),
        (["encode", "silent.wav"], 4, "silent"),
        (["encode", "noise.wav", "silent.wav"], 4, "None of the 2 files"),
        (["encode", "nothing"], 4, "holds no"),
        (["export", "--low", "C5", "--high", "C4"], 2, "no note from"),
        (["train", "missing"], 4, "missing"),
        (["train", "nothing"], 4, "hint:"),
        (["train", "unpitched"], 4, "pitch"),
        (["train", "few"], 4, "hint:"),
        (["train", "few", "--name", "../x"], 2, "cannot be called"),
        (["adapt", "few"], 4, "hint:"),
        (["evaluate", "few"], 4, "hint:"),
    ],
)  # fmt: skip
def test_bad_input(groove, bad, arguments, code, said):
    result = groove(*arguments)
    assert result.returncode == code, (result.stdout, result.stderr)
    assert said in result.stderr
    assert "hint:" in result.stderr
    assert "Traceback" not in result.stderr
    assert not list(bad.glob("groove-out/**/*.wav"))


def test_only_drums_and_many_voices(groove, tmp_path):
    score(Track([[i * 240, 100, 36, 100] for i in range(8)], is_drum=True)).save(tmp_path / "d.mid")
    result = groove("render", "d.mid", "--out", "d")
    assert result.returncode == 0, result.stderr
    assert "only drums" in result.stderr
    voices = [[0, 900, 24 + i % 61, 1 + i % 127] for i in range(128)]
    score(Track(voices[:64]), Track(voices[64:], program=40)).save(tmp_path / "v.mid")
    result = groove("render", "v.mid", "--seed", "1", "--out", "v")
    assert result.returncode == 0, result.stderr
    for one in "dv":
        sound = Audio.read(next((tmp_path / one).glob("*.wav")))
        assert 0.5 < sound.peak <= 1
