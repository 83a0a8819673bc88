"""Jobs that run, wait, are cancelled, die, and leave nothing behind."""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from groove_core.plugins import loader
from groove_studio import worker

# The studio depends on no other package, so it is tested alone, too: where it is all there is.
DRUMS = pytest.mark.skipif(
    "drum-space" not in {one.name for one in loader.installed()}, reason="drum-space is not there"
)


def workers_of(studio) -> list[int]:
    """List the processes that a studio has started, and theirs."""
    found = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True)
    pairs = [tuple(map(int, line.split())) for line in found.stdout.splitlines()[1:]]
    family, grown = {studio.process.pid}, True
    while grown:
        more = {pid for pid, parent in pairs if parent in family} - family
        grown, family = bool(more), family | more
    return sorted(family - {studio.process.pid})


def test_a_beat_becomes_an_item_and_an_edit_another(studio, beat):
    [item] = studio.upload("beat.json", beat)["items"]
    assert item["kind"] == "drum-pattern"
    assert {"json", "mid", "wav"} <= {*item["endings"]}
    document = studio.ask("GET", f"/file/{item['id']}/json").json
    document["masks"][1] = 2
    record = studio.post("change", {"item": item["id"], "document": document})
    [edited] = record["items"]
    assert studio.ask("GET", f"/file/{edited['id']}/json").json["masks"][:3] == [1, 2, 4]
    from groove_core import Score

    midi = studio.workspace / "heard.mid"
    midi.write_bytes(studio.ask("GET", f"/file/{edited['id']}/mid").body)
    notes = Score.read(midi).tracks[0].notes
    assert len(notes) == 17
    assert [int((notes[:, 2] == 38).sum()), int(notes[notes[:, 2] == 38][0, 0])] == [1, 120]


def test_a_wrong_edit_or_file_says_what_is_wrong(studio, beat):
    [item] = studio.upload("beat.json", beat)["items"]
    wrong = {"kind": "drum-pattern", "masks": "none", "tempo_bpm": 100}
    record = studio.post("change", {"item": item["id"], "document": wrong})
    assert record["status"] == "failed"
    assert record["hint"]
    broken = studio.upload("song.mid", b"MThd and no more")
    assert (broken["status"], broken["items"]) == ("failed", [])
    assert "song.mid" in broken["message"]
    assert studio.record(broken["id"]) == {}
    other = studio.upload("notes.xyz", b"whatever")
    assert other["items"][0]["kind"] == "file"


@DRUMS
def test_options_of_the_wrong_kind_are_told(studio, beat):
    [item] = studio.upload("notes.xyz", b"whatever")["items"]
    body = {"package": "drum-space", "action": "vary", "options": {"beat": {"items": [item["id"]]}}}
    answer = studio.ask("POST", "/api/run", body)
    assert answer.status == 400
    assert "drum-pattern" in answer.json["hint"]


def test_exports_and_the_archive(studio, beat):
    import io
    import zipfile

    [item] = studio.upload("beat.json", beat)["items"]
    assert studio.post("write", {"item": item["id"], "ending": "txt"})["endings"] == ["txt"]
    assert b"kick" in studio.ask("GET", f"/file/{item['id']}/txt").body
    [stem] = studio.post("write", {"item": item["id"], "ending": "stems"})["endings"]
    assert studio.ask("GET", f"/file/{item['id']}/{stem}").body[:4] == b"RIFF"
    document = studio.ask("GET", f"/file/{item['id']}/json").json
    studio.post("change", {"item": item["id"], "document": document})
    heard = studio.ask("POST", "/api/hear", {"document": document}).body
    assert heard == studio.ask("GET", f"/file/{item['id']}/wav").body
    document["masks"][1] = 2
    assert studio.ask("POST", "/api/hear", {"document": document}).body != heard
    assert studio.ask("POST", "/api/hear", {"document": {"kind": "score"}}).status == 400
    assert not [*studio.workspace.glob(".heard*")]
    packed = zipfile.ZipFile(io.BytesIO(studio.ask("GET", "/api/session.zip").body))
    kinds = {re.sub(r"-\d+$", "", name.partition("/")[0]) for name in packed.namelist()}
    assert {"groove-studio-upload", "groove-studio-edit"} <= kinds
    assert not [*studio.workspace.glob(".session*")]


def test_notes_are_set_or_it_is_said_what_to_install(studio):
    tune = {"kind": "melody", "steps_per_quarter": 4, "metre": [3, 4], "length": 12, "pickup": 0,
            "tempo_bpm": 90.0, "key": "G", "notes": [[0, 4, 67, 90], [4, 8, 71, 90]]}  # fmt: skip
    [item] = studio.upload("tune.json", json.dumps(tune).encode())["items"]
    assert "musicxml" in item["formats"]
    answer = studio.ask("POST", "/api/write", {"item": item["id"], "ending": "musicxml"})
    if importlib.util.find_spec("music21") is None:
        assert (answer.status, "groove-core[musicxml]" in answer.json["hint"]) == (400, True)
    else:
        written = studio.ask("GET", f"/file/{item['id']}/musicxml").body
        assert [*re.findall(rb"<step>(.)</step>", written)] == [b"G", b"B"]


def test_the_losses_of_a_training_are_followed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    old = tmp_path / "groove-models/drums/old/metrics.jsonl"
    old.parent.mkdir(parents=True)
    old.write_text('{"epoch": 1, "loss": 9}\n')
    told = []
    listen = worker._listener(lambda event, **about: told.append(about), worker.Losses("drums"))
    listen("training", 0, 3)
    path = tmp_path / "groove-models/drums/new/metrics.jsonl"
    path.parent.mkdir()
    rows = [{"epoch": epoch, "loss": 1 / epoch} for epoch in range(1, 1001)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    os.utime(path, (time.time() + 10,) * 2)
    listen("training", 3, 3)
    listen("training", 3, 3)
    assert ["losses" in one for one in told] == [False, True, False]
    losses = told[1]["losses"]
    assert 200 < len(losses["epoch"]) == len(losses["loss"]) <= worker.POINTS + 1
    assert (losses["epoch"][0], losses["epoch"][-1]) == (1, 1000)
    assert losses["loss"] == [1 / epoch for epoch in losses["epoch"]]


def test_a_worker_that_dies_is_replaced(studio, beat):
    studio.upload("beat.json", beat)
    for pid in workers_of(studio):
        eager = Path(f"/proc/{pid}/oom_score_adj")  # to end where memory does
        assert not eager.is_file() or eager.read_text() == "1000\n"
        os.kill(pid, 9)
    record = studio.upload("beat.json", beat)
    if record["status"] == "failed":  # it died while it was asked
        assert "SIGKILL" in record["message"]
        record = studio.upload("beat.json", beat)
    assert record["status"] == "done"


def test_what_was_made_is_there_after_a_restart(start, beat, tmp_path, capfd):
    first = start(workspace=tmp_path / "work")
    record = first.upload("beat.json", beat)
    first.post("tray", {"items": [record["items"][0]["id"]]})
    (tmp_path / "work/runs/0123456789abcdef/out").mkdir(parents=True)
    connection = http.client.HTTPConnection(first.host)  # a page that listens
    connection.request("GET", "/api/events", headers={"Cookie": first.cookie})
    assert connection.getresponse().status == 200
    first.process.terminate()
    assert first.process.wait(30) == 0
    connection.close()
    assert "Traceback" not in capfd.readouterr().err
    second = start(workspace=tmp_path / "work")
    state = second.state()
    assert [one["id"] for one in state["runs"]] == [record["id"]]
    assert state["tray"] == [record["items"][0]["id"]]
    assert not (tmp_path / "work/runs/0123456789abcdef").exists()
    again = subprocess.run(
        [sys.executable, "-m", "groove_core", "studio", "--no-browser", "--workspace",
         str(tmp_path / "work")], capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert again.returncode == 2
    assert "--workspace FOLDER" in again.stderr


@DRUMS
@pytest.mark.parametrize("count", [2, pytest.param(100, marks=pytest.mark.slow)])
def test_cancelled_at_any_moment_nothing_is_left(start, count):
    studio = start()
    studio.finished(studio.run("drum-space", "sample", count=1, seed=1))  # warm
    kept = {*(studio.workspace / "runs").iterdir()}
    rng = random.Random(1)
    for _ in range(count):
        record = studio.run("drum-space", "sample", count=100, seed=2)
        time.sleep(rng.random() * 1.5)
        begin = time.monotonic()
        studio.post("cancel", {"run": record["id"]})
        assert time.monotonic() - begin < 1.0
        done = studio.record(record["id"])
        assert done == {} or done["status"] == "done"
        if done:
            kept.add(studio.workspace / "runs" / record["id"])
        assert {*(studio.workspace / "runs").iterdir()} == kept
    studio.until(lambda: len(workers_of(studio)) <= 3)
    after = studio.finished(studio.run("drum-space", "sample", count=1, seed=1))
    assert after["status"] == "done"


@DRUMS
def test_too_many_jobs_are_refused_and_the_others_run(start):
    studio = start()
    body = {"package": "drum-space", "action": "sample", "options": {"count": 1, "seed": 1}}
    answers = [studio.ask("POST", "/api/run", body) for _ in range(50)]
    statuses = [answer.status for answer in answers]
    assert set(statuses) == {200, 429}
    assert statuses.count(200) >= 20
    assert all(answer.json["hint"] for answer in answers if answer.status == 429)
    first = next(answer.json for answer in answers if answer.status == 200)
    assert studio.finished(first)["status"] == "done"
