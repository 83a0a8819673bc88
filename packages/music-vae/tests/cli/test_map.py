"""The map on the command line, with a network that has learnt nothing."""

from __future__ import annotations

import json

import pytest

from groove_core.values import Melody


@pytest.fixture
def run(groove, tiny, tmp_path):
    """Run the map of six files, of eight bars each."""
    for number in range(6):
        notes = [f"{'CDEFGAB'[(number * k + k) % 7]}4 - " for k in range(64)]
        tune = Melody.from_text("M:4/4 L:1/16 Q:96 " + "".join(notes))
        tune.save(tmp_path / "songs" / f"{number}.mid")

    def run(*arguments: str, kind: str = "mel-2bar"):
        return groove("map", "--checkpoint", str(tiny[kind]), "--data", "songs", *arguments)

    return run


@pytest.mark.parametrize("kind", ["mel-2bar", "mel-16bar"])
def test_a_map_of_ones_own_files(run, tmp_path, kind):
    result = run("--place", "songs/3.mid", "--out", "o", kind=kind)
    assert result.returncode == 0, result.stderr
    names = sorted(path.name for path in (tmp_path / "o").iterdir())
    assert names == ["map.html", "map.json", "map.png", "result.json"]
    written = json.loads((tmp_path / "o/map.json").read_text())
    assert written["phrases"] == 7
    assert written["groups"] == ["phrase"]
    assert written["yours"] == ["3.mid:1"]
    # What lies on the map already is found where it lies.
    for positions in written["layouts"].values():
        assert positions[2 * 3 : 2 * 3 + 2] == pytest.approx(positions[-2:], abs=1e-3)


def test_counts_are_the_document(run):
    result = run("--json", "--format", "json")
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)["result"]
    assert document["kind"] == "phrase-map"
    assert document["roles"] == {"phrase": 6}
    assert document["songs"] == 6


def test_a_network_of_drums_is_refused(run):
    result = run(kind="drums-2bar")
    assert result.returncode == 2
    assert "needs a model of melodies, not of drums" in " ".join(result.stderr.split())


def test_a_waltz_is_left_out_and_named(run, tmp_path):
    Melody.from_text("M:3/4 L:1/16 " + "C4 - E4 - " * 12).save(tmp_path / "songs" / "waltz.mid")
    result = run("--format", "json", "--out", "o")
    assert result.returncode == 4  # as wherever files were left out
    assert json.loads((tmp_path / "o/map.json").read_text())["phrases"] == 6
    assert "waltz.mid has no melody in 4/4 and sixteenths" in " ".join(result.stderr.split())
