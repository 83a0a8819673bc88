"""drum-space on the command line: the main job, bad input, training."""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from drum_space.atlas import making
from drum_space.model import DrumAutoencoder
from groove_core.drums import DrumPattern
from groove_core.learning import content_name, hashed
from groove_core.storage import checkpoints
from groove_core.values import Audio, Score, Track

ROCK = DrumPattern.from_masks([5, 0, 4, 0, 6, 0, 4, 0] * 4)


def test_sample_without_any_option(groove, tmp_path):
    result = groove("sample")
    assert result.returncode == 0, result.stderr
    [folder] = (tmp_path / "groove-out").iterdir()
    assert f"16 files in groove-out/{folder.name}" in result.stdout
    assert result.stdout.count("kick") >= 6
    for index in range(1, 9):
        beat = DrumPattern.read(folder / f"sample-{index:03d}.mid")
        assert beat.bars == 2
        audio = Audio.read(folder / f"sample-{index:03d}.wav")
        assert audio.peak > 0.5
        assert audio.duration_s == 4  # it loops
        assert audio.sample_rate >= 44_100
        # heard in every half bar that has a hit, not only at the start
        level = np.abs(audio.samples).max(axis=0)[: int(4 * audio.sample_rate)]
        struck = beat.hits.reshape(4, 8, -1).any(axis=(1, 2))
        assert struck.any()
        assert (level.reshape(4, -1).max(axis=1)[struck] > 0.02).all()


@pytest.mark.slow
def test_thousands_are_the_same_bytes(groove):
    first = groove("sample", "--count", "3000", "--seed", "1", "--json")
    again = groove("sample", "--count", "3000", "--seed", "1", "--json")
    other = groove("sample", "--count", "100", "--seed", "2", "--json")
    assert first.returncode == again.returncode == 0, first.stderr + again.stderr
    assert first.stdout == again.stdout
    document, different = json.loads(first.stdout), json.loads(other.stdout)
    assert len(document["result"]) == 3000
    assert document["result"][:100] != different["result"]
    assert document["checkpoint"]["name"] == "acai"
    assert len({tuple(p["masks"]) for p in document["result"]}) >= 2850


def test_every_format(groove, tmp_path):
    result = groove("sample", "--count", "1", "--out", "o", "--format", "wav,mid,png,txt,json")
    assert result.returncode == 0, result.stderr
    names = {p.suffix for p in (tmp_path / "o").iterdir()}
    assert names == {".wav", ".mid", ".png", ".txt", ".json"}
    assert (tmp_path / "o/sample-001.png").read_bytes().startswith(b"\x89PNG")


def test_rerun_gives_the_same_bytes(groove, tmp_path):
    assert groove("sample", "--count", "2", "--out", "a", "--format", "mid,wav,png").returncode == 0
    result = subprocess.run(
        [sys.executable, "-m", "groove_core", "rerun", "a/result.json", "--out", "b"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    for path in (tmp_path / "a").glob("sample*"):
        assert (tmp_path / "b" / path.name).read_bytes() == path.read_bytes()


def _bad_files(folder: Path) -> None:
    def drums(beats, **kwargs):
        notes = np.array([[round(480 * b), 10, 36, 90] for b in beats])
        return Score((Track(notes, is_drum=True),), **kwargs).to_midi()

    (folder / "empty.mid").touch()
    (folder / "text.mid").write_text("this is not MIDI")
    (folder / "truncated.mid").write_bytes(ROCK.to_score().to_midi()[:60])
    (folder / "piano.mid").write_bytes(Score((Track(np.array([[0, 9, 60, 9]])),)).to_midi())
    (folder / "seven.mid").write_bytes(drums(range(14), time_signatures=np.array([[0, 7, 8]])))
    (folder / "hours.mid").write_bytes(drums([0, 1, 6 * 3600 * 2]))
    ROCK.save(folder / "good.mid")
    DrumPattern(np.zeros((32, 14))).save(folder / "silent.mid")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["vary", "nowhere.mid"], 4, "does not exist"),
        (["vary", "."], 4, "is a folder"),
        (["vary", "empty.mid"], 4, "is empty"),
        (["vary", "text.mid"], 4, "not a MIDI file"),
        (["vary", "truncated.mid"], 4, "damaged or cut short"),
        (["vary", "piano.mid"], 4, "no drums"),
        (["vary", "seven.mid"], 4, "7/8"),
        (["vary", "hours.mid"], 4, "6.0 hours"),
        (["encode", "seven.mid"], 4, "in 7/8"),
        (["encode", "text.mid"], 4, "not a MIDI file"),
        (["interpolate", "good.mid", "piano.mid"], 4, "no drums"),
        (["decode", "good.mid"], 4, "not a table of codes"),
        (["vary", "good.mid", "--amount", "nan"], 2, "nan"),
        (["sample", "--count", "0"], 2, "at least 1"),
        (["sample", "--count", "1" + "0" * 400], 2, "at most 1000000"),
        (["sample", "--seed", "-1"], 2, "at least 0, not -1"),
        (["sample", "--format", "mid,xyz"], 2, "cannot be written as .xyz"),
        (["train", "--name", "../evil"], 2, "cannot be called"),
        (["dataset", "taken", "--stride-bars", "0.7"], 2, "half bars"),
        (["sample", "--device", "cuda"], 6, "not there"),
        (["sample", "--device", "abacus"], 2, "no device 'abacus'"),
        (["sample", "--checkpoint", "nowhere"], 5, "no checkpoint 'nowhere'"),
        (["sample", "--checkpoint", "changed"], 5, "sha256"),
        (["sample", "--checkpoint", "other"], 5, "for the package genre-map"),
        (["sample", "--checkpoint", "misfit"], 5, "does not fit"),
        (["sample", "--out", "good.mid/x"], 2, "Cannot write"),
        (["sample", "--out", "taken"], 2, "exists already"),
        (["sample", "--genre", "polka"], 2, "no genre 'polka'"),
        (["train", "--data", "nowhere"], 4, "does not exist"),
        (["train", "--data", "taken"], 4, "holds no .mid"),
        (["train", "--strategy", "magic"], 2, "no strategy"),
        (["train", "--resume"], 2, "no training to resume"),
        (["compose", "silent.mid"], 4, "is silent"),
        (["compose", "piano.mid"], 4, "no drums"),
        (["compose", "good.mid", "--key", "H"], 2, "no key 'H'"),
        (["compose", "good.mid", "--scale", "mayor"], 2, "must be one of"),
        (["compose", "good.mid", "--low", "61", "--high", "61"], 2, "No note of this scale"),
        (["compose", "good.mid", "--low", "70", "--high", "60"], 2, "No note of this scale"),
        (["compose", "good.mid", "--bars", "3"], 2, "must be even"),
        (["compose", "good.mid", "--form", "A1"], 2, "A form is letters"),
        (["compose", "good.mid", "--checkpoint", "acai"], 5, "DrumAutoencoder"),
        (["compose", "good.mid", "--form", "A" * 65], 2, "65 parts"),
        (["train-melody", "--data", "nowhere"], 4, "does not exist"),
        (["train-melody", "--data", "taken"], 4, "holds no .mid"),
        (["train-melody", "--space", "nowhere"], 5, "no checkpoint 'nowhere'"),
        (["map", "--place", "piano.mid"], 4, "no drums"),
        (["map", "--data", "taken"], 4, "holds no .mid"),
        (["map", "--perplexity", "1"], 2, "at least 5"),
    ],
)
def test_bad_input(groove, tmp_path, arguments, code, message):
    _bad_files(tmp_path)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/result.json").write_text("{}")
    acai = checkpoints.find("drum-space", "acai").path
    for name in ("changed", "other", "misfit"):
        shutil.copytree(acai, tmp_path / name)
    weights = tmp_path / "changed/model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-5] ^= 1
    weights.write_bytes(content)
    for name, key, value in (
        ("other", "package", "genre-map"),
        ("misfit", "config", {"latent": 5}),
    ):
        card = json.loads((tmp_path / name / "card.json").read_text())
        card[key] = {**card[key], **value} if isinstance(value, dict) else value
        (tmp_path / name / "card.json").write_text(json.dumps(card))
    before = set(tmp_path.rglob("*"))
    result = groove(*arguments, CUDA_VISIBLE_DEVICES="")
    assert result.returncode == code, result.stderr
    error, hint = result.stderr.splitlines()[-2:]
    assert error.startswith("error: ")
    assert message in error
    assert hint.startswith("hint: ")
    assert len(hint) > len("hint: ") + 5
    assert "Traceback" not in result.stderr
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.slow
def test_ctrl_c_while_sampling_ten_thousand(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "groove_core", "run", "drum-space", "sample", "--count", "10000",
         "--format", "mid,wav", "--out", "o"],
        cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and len(list(tmp_path.glob("o/*.wav"))) < 5:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in stderr
    assert "Traceback" not in stderr
    left = sorted((tmp_path / "o").iterdir())
    assert 5 <= len(left) < 10_000
    for path in left:  # all whole: no temporary file, no cut-off one
        (DrumPattern if path.suffix == ".mid" else Audio).read(path)


def _train(folder: Path, beats: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "groove_core", "run", "drum-space", "train", "--data", str(beats),
         "--batch-size", "64", "--device", "cpu", "--json", *more],
        cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def _finish(process: subprocess.Popen[str]) -> dict[str, object]:
    stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stderr
    document: dict[str, object] = json.loads(stdout)
    return document


@pytest.mark.slow
def test_interrupted_and_resumed_is_as_unbroken(tmp_path, beats):
    epochs = ("--epochs", "40")
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    for folder in (unbroken, broken):
        folder.mkdir()
    _finish(_train(unbroken, beats, *epochs))
    process = _train(broken, beats, *epochs)
    model = Path("groove-models/drum-space/my-acai")
    metrics = broken / model / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (
        metrics.exists() and metrics.read_text().count("\n") > 0
    ):
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)  # as a queue that wants its machine back; Ctrl-C is above
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 143, stderr
    done = metrics.read_text().count("\n")
    assert 0 < done < 40
    again = _train(broken, beats, *epochs)
    _, stderr = again.communicate(timeout=60)
    assert again.returncode == 2
    assert "--resume" in stderr
    _finish(_train(broken, beats, *epochs, "--resume"))
    for name in ("metrics.jsonl", "model.safetensors"):
        assert (broken / model / name).read_bytes() == (unbroken / model / name).read_bytes(), name
    other = _train(broken, beats, "--epochs", "41", "--resume")
    _, stderr = other.communicate(timeout=60)
    assert other.returncode == 2
    assert "epochs 40, not 41" in stderr


@pytest.mark.slow
def test_two_processes_learn_what_one_does(tmp_path, beats):
    losses = []
    for name, more in (("one", ()), ("two", ("--devices", "2", "--strategy", "ddp"))):
        folder = tmp_path / name
        folder.mkdir()
        _finish(_train(folder, beats, "--epochs", "4", "--seed", "3", *more))
        lines = (folder / "groove-models/drum-space/my-acai/metrics.jsonl").read_text().splitlines()
        losses.append([json.loads(line) for line in lines])
    # Sums in another order: 32-bit rounding, grown over four epochs.
    for one, two in zip(*losses, strict=True):
        assert one == pytest.approx(two, rel=2e-3)


@pytest.mark.slow
def test_two_machines_learn_what_one_does(tmp_path, beats):
    with socket.socket() as probe:  # two addresses of the loopback network are two machines
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = (
        "-m", "groove_core", "run", "drum-space", "train", "--data", beats, "--batch-size", "64",
        "--epochs", "3", "--seed", "3", "--device", "cpu",
    )  # fmt: skip
    launch = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--master-addr",
              "127.0.0.1", "--master-port", str(port), "--nproc-per-node", "1"]  # fmt: skip
    commands = {
        "one": [[sys.executable, *options]],
        "two": [[*launch, "--node-rank", n, "--local-addr", f"127.0.0.{int(n) + 1}", *options]
                for n in ("0", "1")],
    }  # fmt: skip
    losses = []
    for name, started in commands.items():
        folder = tmp_path / name
        folder.mkdir()
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        running = [
            subprocess.Popen(
                command, cwd=folder, env=environment, stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE, text=True,
            )
            for command in started
        ]  # fmt: skip
        for process in running:
            _, stderr = process.communicate(timeout=300)
            assert process.returncode == 0, stderr
        lines = (folder / "groove-models/drum-space/my-acai/metrics.jsonl").read_text().splitlines()
        losses.append([json.loads(line) for line in lines])
    for one, two in zip(*losses, strict=True):
        assert one == pytest.approx(two, rel=1e-4)


def test_a_trained_model_can_be_named(groove, tmp_path, tiny):
    shutil.copytree(tiny, tmp_path / "groove-models/drum-space/mine")
    result = groove("sample", "--checkpoint", "mine", "--count", "2", "--json", "--seed", "1")
    assert result.returncode == 0, result.stderr
    direct = groove("sample", "--checkpoint", str(tiny), "--count", "2", "--json", "--seed", "1")
    assert json.loads(result.stdout)["result"] == json.loads(direct.stdout)["result"]
    shown = subprocess.run(
        [sys.executable, "-m", "groove_core", "models", "show", "drum-space/mine", "--json"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    card = json.loads(shown.stdout)["card"]
    assert card["training"]["epochs"] == 3
    assert card["data"]["license"].startswith("unknown")


def test_genres_are_those_that_the_checkpoint_has_learnt(groove, tmp_path, monkeypatch):
    ska, waltz = np.zeros((2, 64, 14), dtype=bool)
    ska[2::4, 2] = ska[::8, 0] = True  # hats between the beats
    waltz[::3, 8] = waltz[::12, 1] = True  # a ride
    rng = np.random.default_rng(1)
    for genre, beat in (("ska", ska), ("waltz", waltz)):
        for number in range(4):
            hits = beat ^ (rng.random(beat.shape) < 0.01)
            DrumPattern(hits).save(tmp_path / "mine" / genre / f"{number}.mid")
    rows = [f"{path.parent.name}/{path.name},{path.parent.name},train"
            for path in sorted((tmp_path / "mine").rglob("*.mid"))]  # fmt: skip
    table = ["midi_filename,style,split", *rows]
    (tmp_path / "mine/info.csv").write_text("\n".join(table))
    settings = ("--epochs", "60", "--batch-size", "16", "--device", "cpu")
    assert groove("train", "--data", "mine", "--name", "own", *settings).returncode == 0

    def drums(genre):
        result = groove("sample", "--checkpoint", "own", "--genre", genre, "--count", "40",
                        "--seed", "1", "--out", genre, "--format", "json")  # fmt: skip
        assert result.returncode == 0, result.stderr
        paths = sorted((tmp_path / genre).glob("sample-*.json"))
        return np.mean([DrumPattern.read(path).hits.sum(axis=0) for path in paths], axis=0)

    off_beats, ride = drums("ska"), drums("waltz")
    assert off_beats[2] > 2 * ride[2]
    assert ride[8] > 2 * off_beats[8]
    unknown = groove("sample", "--checkpoint", "own", "--genre", "funk")
    assert unknown.returncode == 2
    assert "own has learnt no genre 'funk'" in unknown.stderr
    assert "Genres: ska, waltz." in unknown.stderr


def test_a_checkpoint_that_kept_no_genres_says_so(groove, tmp_path, tiny):
    folder = tmp_path / "groove-models/drum-space/older"
    weights = checkpoints.load("drum-space", tiny, DrumAutoencoder)[0]
    del weights.config["genres"], weights.genre_codes
    card = checkpoints.read_card(tiny)
    checkpoints.save(folder, weights, {**card, "name": "older"}, half=True)
    assert groove("sample", "--checkpoint", "older", "--seed", "1").returncode == 0
    result = groove("sample", "--checkpoint", "older", "--genre", "rock")
    assert result.returncode == 2
    assert "older does not say which genres it has learnt" in result.stderr


def test_a_small_folder_can_be_learnt_without_a_test_split(groove, tmp_path, beats):
    rows = ["midi_filename,style,split"]
    for source in sorted(beats.rglob("*.mid"))[:5]:
        (tmp_path / "few").mkdir(exist_ok=True)
        shutil.copy(source, tmp_path / "few")
        rows.append(f"{source.name},rock,train")
    (tmp_path / "few/info.csv").write_text("\n".join(rows))
    result = groove(
        "train", "--data", "few", "--epochs", "2", "--batch-size", "4", "--device", "cpu"
    )
    assert result.returncode == 0, result.stderr
    assert "nothing is measured on held-out data" in result.stderr
    assert groove("sample", "--checkpoint", "my-acai", "--json").returncode == 0


def test_what_a_space_learnt_from_is_refused_by_name_wherever_it_is(groove, tmp_path, tiny, beats):
    known = {*json.loads((tiny / "learnt.json").read_text())["train"]}
    files = [path for path in sorted(beats.rglob("*.mid")) if hashed(content_name(path)) in known]
    assert 15 < len(files) < 30
    (tmp_path / "mine").mkdir()
    for number, path in enumerate(files):
        shutil.copyfile(path, tmp_path / f"mine/{number:02}.mid")
    options = ("evaluate", "--checkpoints", str(tiny), "--count", "100", "--device", "cpu")
    result = groove(*options, "--data", "mine")
    assert result.returncode == 4
    assert "tiny was trained on this data: mine/" in result.stderr
    assert groove(*options, "--data", str(beats)).returncode == 0


def test_a_folder_called_like_a_model_changes_nothing(groove, tmp_path, tiny):
    expected = groove("sample", "--json", "--seed", "1").stdout
    shutil.copytree(tiny, tmp_path / "acai")
    assert groove("sample", "--json", "--seed", "1").stdout == expected
    by_path = groove("sample", "--json", "--seed", "1", "--checkpoint", "./acai")
    assert json.loads(by_path.stdout)["checkpoint"]["name"] == "tiny"


def test_rerun_refuses_another_checkpoint(groove, tmp_path, tiny):
    assert groove("sample", "--seed", "1", "--out", "first", "--format", "txt").returncode == 0
    shutil.copytree(tiny, tmp_path / "groove-models/drum-space/acai")
    result = subprocess.run(
        [sys.executable, "-m", "groove_core", "rerun", "first/result.json"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 5
    assert "was made with acai" in result.stderr
    assert not (tmp_path / "first-again").exists()


def test_beats_chain_by_json(groove, tmp_path):
    assert groove("sample", "--count", "3", "--out", "o", "--format", "json").returncode == 0
    result = groove("encode", "o", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["result"]["labels"] == [f"sample-{i:03d}:1" for i in (1, 2, 3)]


def test_home_holds_models_too(groove, tmp_path, tiny):
    shutil.copytree(tiny, tmp_path / "home/models/drum-space/mine")
    result = groove("sample", "--checkpoint", "mine", "--json", GROOVE_HOME=str(tmp_path / "home"))
    assert result.returncode == 0, result.stderr


def test_melody_is_written_on_the_beat(groove, tmp_path):
    beat = DrumPattern(ROCK.hits, tempo_bpm=96)
    beat.save(tmp_path / "beat.mid")
    melody = ("--no-bass", "--no-chords", "--form", "A", "--key", "F#")
    options = (*melody, "--scale", "blues", "--low", "60", "--high", "80", "--seed", "4")
    result = groove("compose", "beat.mid", *options, "--out", "o")
    assert result.returncode == 0, result.stderr
    score = Score.read(tmp_path / "o/beat.compose.mid")
    lead, drums = score.tracks
    assert (lead.name, lead.program, drums.is_drum) == ("lead", 80, True)
    assert len(lead.notes) >= 8
    assert set(((lead.notes[:, 2] - 6) % 12).tolist()) <= {0, 3, 5, 6, 7, 10}
    assert lead.notes[:, 2].min() >= 60
    assert lead.notes[:, 2].max() <= 80
    assert score.duration_s == pytest.approx(8 * 4 * 60 / 96, abs=0.05)
    # six bars of the beat, and a fill in the last of eight
    played = DrumPattern.from_score(score)
    assert (played.hits[: 7 * 16] == np.tile(ROCK.hits, (4, 1))[: 7 * 16]).all()
    sound = Audio.read(tmp_path / "o/beat.compose.wav")
    assert sound.peak > 0.5
    again = groove("compose", "beat.mid", *options, "--json")
    other = groove("compose", "beat.mid", *options[:-1], "5", "--json")
    first = json.loads(again.stdout)["result"]
    assert first["tracks"][0]["notes"] == lead.notes.tolist()
    assert first["tracks"] != json.loads(other.stdout)["result"]["tracks"]


def test_song_lasts_a_minute_and_is_heard(groove, tmp_path):
    ROCK.save(tmp_path / "beat.mid")
    result = groove("compose", "beat.mid", "--seed", "1", "--out", "o")
    assert result.returncode == 0, result.stderr
    score = Score.read(tmp_path / "o/beat.compose.mid")
    assert [t.name for t in score.tracks] == ["lead", "chords", "bass", "drums"]
    assert score.duration_s == pytest.approx(64, abs=0.1)
    sound = Audio.read(tmp_path / "o/beat.compose.wav")
    assert 64 <= sound.duration_s <= 65.1
    seconds = np.abs(sound.samples).max(axis=0)[: 64 * sound.sample_rate].reshape(64, -1)
    assert (seconds.max(axis=1) > 0.02).all()


def test_former_names_of_actions_and_options(groove, tmp_path):
    """What the last version wrote and understood: on the command line, in documents, in Python."""
    ROCK.save(tmp_path / "beat.mid")
    written = ("beat.mid", "--bars", "2", "--seed", "4", "--format", "json")
    new = groove("compose", *written, "--no-bass", "--no-chords", "--form", "A", "--out", "new")
    old = groove("melody", *written, "--out", "old")
    assert old.returncode == 0, old.stderr
    assert "drum-space melody is now compose --no-bass --no-chords --form A" in old.stderr
    assert "now" not in new.stderr
    result = (tmp_path / "new/beat.compose.json").read_bytes()
    assert (tmp_path / "old/beat.compose.json").read_bytes() == result
    assert "  melody" not in groove("--help").stdout
    assert "lead" in groove("melody", "--help").stdout

    document = json.loads((tmp_path / "new/result.json").read_text())
    document["action"] = "melody"
    del document["options"]["bass"], document["options"]["chords"]
    (tmp_path / "new/result.json").write_text(json.dumps(document))
    again = subprocess.run(
        [sys.executable, "-m", "groove_core", "rerun", "new/result.json", "--out", "again"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "again/beat.compose.json").read_bytes() == result

    import drum_space

    assert "melody" not in dir(drum_space)
    made = drum_space.melody(tmp_path / "beat.mid", bars=2, seed=4)
    assert [track.name for track in made.tracks] == ["lead", "drums"]
    with pytest.raises(AttributeError, match="no attribute 'harmony'"):
        drum_space.harmony  # noqa: B018

    usual = groove("map", "--place", "beat.mid", "--out", "m", "--format", "json")
    assert usual.returncode == 0, usual.stderr
    former = groove("map", "beat.mid", "--out", "f", "--format", "json")
    assert former.returncode == 0, former.stderr
    assert "BEATS is now --place" in former.stderr
    assert (tmp_path / "f/map.json").read_bytes() == (tmp_path / "m/map.json").read_bytes()
    assert "BEATS" not in groove("map", "--help").stdout
    assert json.loads((tmp_path / "f/result.json").read_text())["options"]["place"] == ["beat.mid"]


def test_a_beat_outside_the_space_is_said(groove, tmp_path):
    rng = np.random.default_rng(0)
    DrumPattern(rng.random((32, 14)) < 0.5).save(tmp_path / "noise.mid")
    for action in ("compose", "vary"):
        result = groove(action, "noise.mid", "--out", action, "--format", "mid")
        assert result.returncode == 0, result.stderr
        assert "unlike what the model has learnt" in result.stderr
    ROCK.save(tmp_path / "rock.mid")
    result = groove("compose", "rock.mid", "--bars", "2", "--out", "p", "--format", "mid")
    assert "unlike" not in result.stderr


def test_a_melody_network_of_your_own(groove, tmp_path):
    """From files to a network that is named, with the space it knows."""
    rng = np.random.default_rng(0)
    for number in range(16, 28):
        drums = DrumPattern.join([ROCK] * 6).to_score()
        steps = np.nonzero(rng.random(192) < 0.4)[0]
        notes = [(step * 120, 120, int(rng.integers(57, 69)), 90) for step in steps]
        score = Score((Track(np.array(notes), program=80), *drums.tracks), 480)
        score.save(tmp_path / "songs" / f"{number}.mid")
    result = groove("train-melody", "--data", "songs", "--epochs", "1", "--batch-size", "8",
                    "--folds", "2", "--into", "mine", "--device", "cpu")  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "12 pieces, 144 bars, 12 lines" in result.stderr
    assert "agreement above other" in result.stdout
    assert checkpoints.read_card(tmp_path / "mine")["space"]["name"] == "acai"
    ROCK.save(tmp_path / "beat.mid")
    result = groove("compose", "beat.mid", "--checkpoint", "./mine", "--bars", "2", "--json")
    assert result.returncode == 0, result.stderr
    result = groove("evaluate", "--about", "melodies", "--checkpoints", "./mine", "--data", "songs")
    assert result.returncode == 0, result.stderr
    # another space of the same name is noticed
    vae = checkpoints.find("drum-space", "vae").path
    shutil.copytree(vae, tmp_path / "groove-models/drum-space/acai")
    result = groove("compose", "beat.mid", "--checkpoint", "./mine")
    assert result.returncode == 5
    assert "another space" in result.stderr


def test_files_without_a_beat_are_left_out(groove, tmp_path):
    for name in ("a", os.fsdecode(b"caf\xe9")):
        ROCK.save(tmp_path / f"in/{name}.mid")
    (tmp_path / "in/page.mid").write_bytes(b"<html>404</html>")
    Score([Track([[0, 240, 60, 90]])], 480).save(tmp_path / "in/piano.mid")
    result = groove("encode", "in", "--out", "o", "--format", "csv,png,txt")
    assert result.returncode == 4
    document = json.loads((tmp_path / "o/result.json").read_text())
    assert document["result"]["labels"] == ["a:1", "caf\\udce9:1"]
    assert [one["file"] for one in document["failed"]] == ["in/page.mid", "in/piano.mid"]
    assert (tmp_path / "o/in.encode.csv").read_text(encoding="utf-8").count("\n") == 3


def test_map_of_the_shipped_beats_with_your_own(groove, tmp_path):
    ROCK.save(tmp_path / "mine.mid")
    result = groove("map", "--place", "mine.mid", "--out", "o")
    assert result.returncode == 0, result.stderr
    page = tmp_path / "o/map.html"
    assert 1e6 < page.stat().st_size < 5e6
    assert "mine:1" in page.read_text(encoding="utf-8")
    document = json.loads((tmp_path / "o/map.json").read_text())
    assert len(document["tsne"]) == 2 * 35_278
    assert (tmp_path / "o/map.png").stat().st_size > 50_000
    # the points are in the files, not in what is said of them
    assert (tmp_path / "o/result.json").stat().st_size < 50_000


def test_map_of_a_folder_is_computed(groove, tmp_path, beats, tiny, monkeypatch):
    # How good a way back is learnt is tested elsewhere.
    settings = functools.partial(making.MapSettings, epochs=2)
    monkeypatch.setattr(making, "MapSettings", settings)
    result = groove("map", "--data", beats, "--checkpoint", tiny, "--out", "o", "--format", "json")
    assert result.returncode == 0, result.stderr
    document = json.loads((tmp_path / "o/map.json").read_text())
    assert sorted(document["genres"]) == ["funk", "rock"]
    assert document["model"] == "tiny"
