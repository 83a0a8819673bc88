"""adapt and evaluate on the command line: what they learn, what they remember, what they refuse."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from groove_core.cli.app import run_cli
from melody_rnn import adapting

MINE = "groove-models/melody-rnn/my-melodies"


@pytest.fixture(scope="module")
def quick(tunes_of):
    """Rehearse few tunes, and write little."""
    before = tunes_of(["train"] * 9 + ["validation"] * 2, corpus="before", seed=8, bars=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("melody_rnn.tunes.shipped", lambda: before)
        patch.setattr(adapting, "SAMPLES", 2)
        patch.setattr(adapting, "STEPS", 32)
        yield


def write_songs(tunes, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for number, head in enumerate(tunes.heads):
        tunes.melody(number).save(folder / f"{head.name}.mid")


@pytest.fixture(scope="module")
def adapted(quick, tunes_of, tiny, tmp_path_factory) -> Path:
    """Adapt the tiny Transformer to ten songs on the command line, in this folder."""
    folder = tmp_path_factory.mktemp("adapted")
    write_songs(tunes_of(["train"] * 10, bars=8), folder / "songs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        options = ["adapt", "songs", "--epochs", "2", "--batch-size", "2", "--device", "cpu"]
        code = run_cli([
            "run", "melody-rnn", *options, "--checkpoint", str(tiny["transformer"]), "--out", "o",
            "--format", "json",
        ])  # fmt: skip
    assert code == 0
    return folder


def two_lines(result, code: int) -> str:
    assert result.returncode == code, result.stderr
    error, hint = result.stderr.splitlines()[-2:]
    assert error.startswith("error: ")
    assert hint.startswith("hint: ")
    assert "Traceback" not in result.stderr
    return error + hint


# --- adapt -----------------------------------------------------------------------------------


def test_adapt_tells_before_and_after_and_its_checkpoint_writes(adapted, groove):
    report = json.loads((adapted / "o/result.json").read_text())["result"]
    assert [row[0] for row in report["rows"]] == ["before", "my-melodies", "held-out tunes"]
    assert len(report["data"]["history"]) == 2
    options = ["--checkpoint", adapted / MINE, "--bars", "1", "--count", "1", "--seed", "1"]
    result = groove("sample", *options)
    assert result.returncode == 0, result.stderr


def test_a_second_adapting_changes_nothing(adapted, groove, tiny):
    options = [
        "adapt", adapted / "songs", "--into", adapted / MINE, "--epochs", "2", "--batch-size", "2",
        "--checkpoint", tiny["transformer"], "--device", "cpu",
    ]  # fmt: skip
    other = [*options[:-4], "--batch-size", "3", *options[-4:]]
    assert "already holds a training" in two_lines(groove(*other), 2)
    weights = adapted / MINE / "model.safetensors"
    before = weights.read_bytes()
    again = groove(*options)
    assert again.returncode == 0, again.stderr
    assert "holds this training already; --restart trains it anew" in again.stderr
    assert weights.read_bytes() == before


def test_adapt_refuses_an_original(groove, adapted, tiny):
    result = groove("adapt", adapted / "songs", "--checkpoint", tiny["basic"])
    assert "basic is not a Transformer" in two_lines(result, 2)


@pytest.mark.parametrize(
    ("count", "bars", "message"),
    [
        (2, 8, "Only 2 different tunes are usable; 3 are needed"),
        (4, 8, "of the 8 windows of up to 512 steps"),
    ],
)
def test_adapt_refuses_too_little(groove, quick, tunes_of, tmp_path, tiny, count, bars, message):
    write_songs(tunes_of(["train"] * count, bars=bars), tmp_path / "few")
    result = groove("adapt", "few", "--checkpoint", tiny["transformer"])
    assert message in two_lines(result, 4)
    assert not (tmp_path / "groove-models").exists()


def test_adapt_refuses_what_holds_no_song(groove, tmp_path, tiny):
    (tmp_path / "empty").mkdir()
    two_lines(groove("adapt", "empty", "--checkpoint", tiny["transformer"]), 4)
    two_lines(groove("adapt", "nowhere", "--checkpoint", tiny["transformer"]), 4)


# --- evaluate --------------------------------------------------------------------------------


def test_what_was_learnt_is_not_measured_on(adapted, groove, tunes_of, tmp_path):
    """Not even in another folder under another name; new songs beside it are."""
    moved = tmp_path / "place"
    moved.mkdir()
    for number, path in enumerate(sorted((adapted / "songs").iterdir())):
        shutil.copy(path, moved / f"song {number}.mid")
    options = ["evaluate", "--checkpoint", adapted / MINE, "--data", moved, "--device", "cpu"]
    assert "my-melodies was trained on this data" in two_lines(groove(*options), 4)
    write_songs(tunes_of(["train"] * 3, bars=8, seed=5), moved)
    result = groove(*options, "--json")
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)["result"]
    assert {row[0].split(" (")[0] for row in report["rows"]} == {
        "equal chances", "frequencies", "n-grams", "my-melodies",
    }  # fmt: skip
    assert {tuple(row[1:2] + row[4:]) for row in report["rows"]} == {("place", 3)}


def test_data_that_was_not_learnt_is_divided_by_itself(adapted, groove, tunes_of, tmp_path):
    tunes_of(["train"] * 4 + ["test"] * 2, seed=6).save(tmp_path / "new.npz")
    result = groove("evaluate", "--checkpoint", adapted / MINE, "--data", "new.npz", "--json")
    assert result.returncode == 0, result.stderr
    assert "warning: my-melodies learnt from none of this data" in result.stderr
    report = json.loads(result.stdout)["result"]
    assert {row[4] for row in report["rows"]} == {2}


@pytest.fixture
def own(tunes_of, tmp_path):
    tunes = tunes_of(["train"] * 4 + ["validation"] + ["test"] * 2, chords=True)
    tunes.save(tmp_path / "tunes.npz")
    return "tunes.npz"


@pytest.mark.parametrize(
    ("about", "kind", "first", "columns"),
    [
        ("bits", "lookback", "equal chances", 5),
        ("places", "lookback", "nothing happens", 3),
        ("melodies", "basic", "held-out tunes", 18),
        ("fill", "transformer", "mine", 5),
        ("chords", "transformer", "the tune itself", 3),
    ],
)
def test_evaluate_a_network_on_own_tunes(
    groove, own, tiny, monkeypatch, about, kind, first, columns
):
    monkeypatch.setattr("melody_rnn.samples.BARS", 4)
    options = ["--data", own, "--checkpoint", tiny[kind], "--count", "2", "--json"]
    result = groove("evaluate", "--about", about, *options)
    assert result.returncode == 0, result.stderr
    assert f"warning: {kind} does not say what it learnt from" in result.stderr
    report = json.loads(result.stdout)["result"]
    assert report["rows"][0][0] == first
    assert {len(row) for row in report["rows"]} == {columns}
    again = groove("evaluate", "--about", about, *options)
    assert json.loads(again.stdout)["result"] == report


@pytest.mark.parametrize("about", ["fill", "chords"])
def test_only_the_transformer_fills_and_is_told_chords(groove, own, tiny, about):
    result = groove("evaluate", "--about", about, "--data", own, "--checkpoint", tiny["attention"])
    assert "attention is not a Transformer" in two_lines(result, 2)


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ("bits", "No melody can be learnt by basic"),
        ("places", "No tune of the test split can be read"),
        ("melodies", "No test tune has sixteen bars of 4/4"),
        ("fill", "No test tune has 8 bars"),
        ("chords", "Fewer than two test tunes of sixteen bars have chords"),
    ],
)
def test_tunes_that_are_of_no_use(groove, tunes_of, tiny, tmp_path, about, message):
    tunes_of(["train", "test"], metre=(3, 4)).save(tmp_path / "waltzes.npz")
    options = ["--data", "waltzes.npz", "--checkpoint", tiny["transformer"]]
    assert message in two_lines(groove("evaluate", "--about", about, *options), 4)
