"""Plugins of strangers: new ones, broken ones."""

from __future__ import annotations

import re
from pathlib import Path

from groove_core.cli.new import new


def installed(folder: Path, name: str, module: str, path: Path) -> Path:
    """Install a module without pip, and return the folder to look for it in."""
    about = folder / f"{name.replace('-', '_')}-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (about / "entry_points.txt").write_text(f"[groove.v1]\n{name} = {module}\n")
    (folder / module.partition(".")[0]).symlink_to(path, target_is_directory=True)
    return folder


def test_a_new_plugin_is_there_with_nothing_added(start, tmp_path, monkeypatch):
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


def test_a_broken_plugin_says_how_to_repair_it(start, tmp_path, monkeypatch, beat):
    broken = tmp_path / "groove_broken"
    broken.mkdir()
    (broken / "__init__.py").write_text("")
    (broken / "plugin.py").write_text("import nothing_of_this_name\n")
    site = installed(tmp_path / "site", "groove-broken", "groove_broken.plugin", broken)
    monkeypatch.setenv("PYTHONPATH", str(site))
    studio = start()
    [package] = [one for one in studio.state()["packages"] if one["name"] == "groove-broken"]
    assert "nothing_of_this_name" in package["error"]
    assert "pip install" in package["hint"]
    assert studio.upload("beat.json", beat)["status"] == "done"


def test_a_chain_is_run_again_with_new_seeds(start, tmp_path, monkeypatch):
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
