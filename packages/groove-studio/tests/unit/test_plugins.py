"""Plugins of strangers: new ones, broken ones."""

from __future__ import annotations

import re

from groove_core.cli.new import new


def test_a_new_plugin_is_there_with_nothing_added(start, installed, tmp_path, monkeypatch):
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


def test_a_chain_is_run_again_with_new_seeds(start, installed, tmp_path, monkeypatch):
    project = new("tabla", into=tmp_path, license="MIT", author=None, email=None, summary=None)
    site = installed(tmp_path / "site", "groove-tabla", "groove_tabla.plugin",
                     project / "src/groove_tabla")  # fmt: skip
    monkeypatch.setenv("PYTHONPATH", str(site))
    studio = start()
    drawn = studio.finished(studio.run("groove-tabla", "sample", seed=1))
    item = drawn["items"][0]["id"]
    document = studio.ask("GET", f"/file/{item}/json").json
    again = studio.post("again", {"item": item, "new_seed": True})
    assert again["seed"] != 1
    same = studio.post("again", {"item": item})
    assert studio.ask("GET", f"/file/{same['items'][0]['id']}/json").json == document
