"""adapt and evaluate on the command line: what they measure, remember and refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from groove_core.learning import Split
from groove_core.storage import checkpoints
from groove_core.values import Report
from music_vae import adapting
from music_vae.evaluation import reports
from music_vae.evaluation.reports import ABOUT
from music_vae.loading import load


@pytest.fixture
def own(groove, tunes, tmp_path) -> Path:
    """Store the melodies as a set and as a folder, in the folder of the command line."""
    tunes.save(tmp_path / "own.npz")
    (tmp_path / "songs").mkdir()
    for number in range(len(tunes)):
        tunes.melody(number).save(tmp_path / f"songs/{number}.mid")
    return tmp_path


def report_of(result) -> Report:
    assert result.returncode == 0, result.stderr
    return Report.from_json(json.loads(result.stdout)["result"])


@pytest.mark.parametrize("about", [one for one in ABOUT if one != "choruses"])
def test_all_is_measured_of_own_songs(groove, own, tiny, about, monkeypatch):
    monkeypatch.setattr("music_vae.shifting.NEIGHBOURS", 8)
    monkeypatch.setattr("music_vae.shifting.PLACES", 4)
    count = {"reconstruction": [], "attributes": ["--count", "2"]}.get(about, ["--count", "4"])
    report = report_of(groove("evaluate", "--about", about, "--data", "own.npz", *count, "--json",
                              "--checkpoint", tiny["mel-2bar"]))  # fmt: skip
    assert report.title.startswith("mel-2bar: ")
    first = {
        "reconstruction": "melody, told what was played", "interpolation": "arc in the space",
        "samples": "melody, held-out songs", "attributes": "density up",
    }[about]  # fmt: skip
    assert report.rows[0][0] == first


def test_what_was_learnt_is_not_measured_on(groove, own, tiny, tunes, tmp_path):
    """Of a checkpoint that knows nine songs, three are left; of one that knows all, none."""
    network, card = load("mel-2bar", str(tiny["mel-2bar"]), "cpu")
    groups = tunes.groups
    for name, known in (("some", range(9)), ("all", range(12))):
        data = Split("song").card(groups, {"train": list(known)})
        checkpoints.save(tmp_path / name, network, {**card, "name": name, "data": data})
    report = report_of(groove("evaluate", "--data", "own.npz", "--checkpoint", "some", "--json"))
    assert "of 3 songs that were not learnt" in report.title
    refused = groove("evaluate", "--data", "own.npz", "--checkpoint", "all")
    assert refused.returncode == 4
    assert "all was trained on this data" in " ".join(refused.stderr.split())


def test_choruses_are_those_of_melodies(groove, tiny, monkeypatch):
    seen = []
    report = Report("choruses", ("", "a"), [("x", 1)])
    monkeypatch.setattr(
        reports, "heard", lambda model, data, name, **told: seen.append((data, told)) or report
    )
    result = groove("evaluate", "--about", "choruses", "--count", "7", "--seed", "3",
                    "--checkpoint", tiny["mel-2bar"])  # fmt: skip
    assert result.returncode == 0, result.stderr
    [(data, told)] = seen
    assert len(data) == 781
    assert told == {"count": 7, "seed": 3}
    refused = groove("evaluate", "--about", "choruses", "--checkpoint", tiny["drums-2bar"])
    assert refused.returncode == 2
    assert "only melodies are labelled" in " ".join(refused.stderr.split())


# --- adapt -----------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch, tunes):
    """Few general songs, and few samples."""
    monkeypatch.setattr("music_vae.sets._shipped", lambda name, kind: tunes)
    monkeypatch.setattr(adapting, "SAMPLES", 8)


def test_a_space_is_adapted_and_used(groove, own, tiny, quick):
    done = groove("adapt", "songs", "--epochs", "2", "--rank", "2", "--json", "--into", "mine",
                  "--name", "mine", "--checkpoint", tiny["mel-2bar"])  # fmt: skip
    report = report_of(done)
    assert [row[0] for row in report.rows] == ["before", "mine", "held-out songs"]
    card = checkpoints.verify(own / "mine")
    assert card["start"]["name"] == "mel-2bar"
    assert card["training"]["rank"] == 2
    assert {"train", "validation"} <= card["data"].keys()
    drawn = groove("sample", "--checkpoint", "mine", "--count", "2", "--format", "mid")
    assert drawn.returncode == 0, drawn.stderr
    # What it has learnt from is known, however the songs are read again.
    again = groove("evaluate", "--data", "songs", "--checkpoint", "mine")
    assert again.returncode == 4
    assert "was trained on this data" in " ".join(again.stderr.split())


def test_too_little_is_refused(groove, own, tiny, quick):
    for number in range(2, 12):
        (own / f"songs/{number}.mid").unlink()
    refused = groove("adapt", "songs", "--checkpoint", tiny["mel-2bar"])
    assert refused.returncode == 4
    message = " ".join(refused.stderr.split())
    assert "Only 2 different songs are usable" in message
    assert "Give more songs" in message


def test_a_folder_in_which_no_file_has_16_bars(groove, own, tiny, quick):
    refused = groove("adapt", "songs", "--checkpoint", tiny["mel-16bar"])
    assert refused.returncode == 4
    assert "16 bars" in " ".join(refused.stderr.split())
