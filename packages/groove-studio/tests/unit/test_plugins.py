"""Plugins of strangers: new ones, broken ones."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from groove_core.cli.new import new


def test_a_new_plugin_is_there_with_nothing_added(start, tmp_path, monkeypatch, installed):
    project = new("tabla", into=tmp_path, license="MIT", author=None, email=None, summary=None)
    site = installed(tmp_path / "site", "groove-tabla", "groove_tabla.plugin",
                     project / "src/groove_tabla")  # fmt: skip
    monkeypatch.setenv("PYTHONPATH", str(site))
    studio = start()
    [package] = [one for one in studio.state()["packages"] if one["name"] == "groove-tabla"]
    [sample] = [one for one in package["actions"] if one["name"] == "sample"]
    assert sample["schema"]["properties"]["seed"]["role"] == "seed"
    record = studio.finished(studio.run("groove-tabla", "sample", seed=1))
    assert record["seed"] == 1
    first = record["items"][0]
    assert "wav" in first["endings"]
    takes = [
        one["name"]
        for one in package["actions"]
        if any(
            first["kind"] in about.get("takes", [])
            for about in one["schema"]["properties"].values()
        )
    ]
    assert takes  # what it makes can be sent to its own analyzer
    command = studio.ask("GET", f"/api/lines/{record['id']}").json["command"]
    assert re.match(r"groove run groove-tabla sample.* --seed 1", command)


def test_a_chain_is_kept_and_run_again(start, tmp_path, monkeypatch, beat, installed):
    """With other seeds or another beginning, after a restart, and in a terminal."""
    project = new("tabla", into=tmp_path, license="MIT", author=None, email=None, summary=None)
    site = installed(tmp_path / "site", "groove-tabla", "groove_tabla.plugin",
                     project / "src/groove_tabla")  # fmt: skip
    monkeypatch.setenv("PYTHONPATH", str(site))
    work = tmp_path / "work"
    studio = start(workspace=work)

    def content(record):
        return studio.ask("GET", f"/file/{record['items'][0]['id']}/json").json

    drawn = studio.finished(studio.run("groove-tabla", "sample", count=2, seed=1))
    item = drawn["items"][1]["id"]
    told = studio.finished(studio.run("groove-tabla", "describe", beats={"items": [item]}))
    report = content(told)
    assert content(studio.post("again", {"item": told["items"][0]["id"]})) == report
    before = len(studio.state()["runs"])
    again = studio.post("again", {"item": item, "new_seed": True})
    assert again["seed"] != 1
    assert len(studio.state()["runs"]) == before + 1

    # What was changed by hand is a beginning.
    edited = studio.post("change", {"item": item, "document": content(drawn)})
    of_edit = edited["items"][0]["id"]
    answer = studio.ask("POST", "/api/again", {"item": of_edit})
    assert answer.status == 400
    assert "by hand" in answer.json["message"]
    after = studio.finished(studio.run("groove-tabla", "describe", beats={"items": [of_edit]}))
    [density] = after["items"]
    chain = studio.ask("GET", f"/api/chain/{density['id']}").json
    assert [one["item"] for one in chain["inputs"]] == [of_edit]
    assert len(chain["steps"]) == 1

    assert studio.ask("POST", "/api/keep-chain", {"item": density["id"], "name": " "}).status == 400
    kept = studio.post("keep-chain", {"item": density["id"], "name": "how dense"})["id"]
    whole = studio.post("keep-chain", {"item": told["items"][0]["id"], "name": "曲"})["id"]
    studio.process.terminate()
    assert studio.process.wait(30) == 0
    studio = start(workspace=work)
    assert [one["name"] for one in studio.state()["chains"]] == ["how dense", "曲"]
    other = studio.upload("beat.json", beat)["items"][0]["id"]
    changed = studio.post("again", {"item": kept, "inputs": [other]})
    assert content(changed) != content(after)
    for record in (told, drawn, edited):
        studio.post("forget", {"run": record["id"]})
    assert content(studio.post("again", {"item": whole})) == report
    gone = studio.ask("POST", "/api/again", {"item": kept})
    assert (gone.status, "not there any more" in gone.json["message"]) == (404, True)

    chain = studio.ask("GET", f"/api/chain/{whole}").json
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    for command in (["bash", "-ec", chain["command"]], [sys.executable, "-c", chain["python"]]):
        subprocess.run(command, cwd=work, check=True, capture_output=True)
        document = json.loads((work / "chain/2/result.json").read_text(encoding="utf-8"))
        assert document["result"] == report
        shutil.rmtree(work / "chain")
    studio.post("forget-chain", {"chain": kept})
    assert [one["id"] for one in studio.state()["chains"]] == [whole]
