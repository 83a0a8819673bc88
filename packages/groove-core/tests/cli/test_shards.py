"""``groove map`` in shards, from lists, into lines, and joined."""

from __future__ import annotations

import json

import pytest

from groove_core.drums.pattern import DrumPattern


@pytest.fixture
def run(groove, site, tmp_path):
    (tmp_path / "beats").mkdir()
    for number in range(6):
        DrumPattern.from_masks([number + 1, 0, 4, 0] * 8).save(tmp_path / f"beats/{number}.mid")
    (tmp_path / "beats/3.mid").write_text("not MIDI")
    path = site("groove-good")
    return lambda *arguments: groove("map", *arguments, path=path)


def test_shards_write_into_one_folder_and_are_joined_to_one_run(run, tmp_path):
    whole = run("good", "bars", "beats", "--out", "whole.jsonl")
    assert whole.returncode == 4
    assert whole.stdout.splitlines()[0] == "5 of 6 files done; results in whole.jsonl"
    assert not (tmp_path / "whole").exists()  # lines, and no files
    counts = 0
    for number in (1, 2):
        done = run("good", "bars", "beats", "--shard", f"{number}/2", "--out", "out", "--json")
        counts += json.loads(done.stdout)["files"]
    assert counts == 6
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"0", "1", "2", "4", "5", "results.1-of-2.jsonl", "results.2-of-2.jsonl"}
    parts = [f"out/results.{number}-of-2.jsonl" for number in (1, 2)]
    lost = run("--merge", parts[0], "--out", "out/results.jsonl")
    assert (lost.returncode, lost.stderr.splitlines()[0]) == (2, "error: Missing: shard 2/2.")
    joined = run("--merge", *parts, "--out", "out/results.jsonl")
    assert joined.stdout == "6 files of 2 shards in out/results.jsonl\n"
    once_more = run("--merge", *parts, "--out", "out/results.jsonl")
    assert once_more.returncode == 2
    assert "--overwrite" in once_more.stderr
    # The joined lines are those of one run: nothing but the bad file is tried again.
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.json")}
    before = (tmp_path / "out/results.jsonl").read_bytes()
    assert run("good", "bars", "beats", "--out", "out").returncode == 4
    assert (tmp_path / "out/results.jsonl").read_bytes() == before
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())


def test_a_list_names_the_files_and_mistakes_are_told(run, tmp_path):
    (tmp_path / "list.txt").write_text("beats/5.mid\n\nbeats/0.mid\r\nbeats/5.mid\n")
    done = run("good", "bars", "--files-from", "list.txt", "--out", "out", "--json")
    assert json.loads(done.stdout)["files"] == 2, done.stderr
    lines = (tmp_path / "out/results.jsonl").read_text().splitlines()[1:]
    assert [json.loads(line)["file"] for line in lines] == ["beats/0.mid", "beats/5.mid"]
    for arguments, code, words in (
        (("good", "bars"), 2, "no files"),
        (("good", "bars", "--files-from", "gone.txt"), 4, "gone.txt: No such file"),
        (("good", "bars", "beats", "--shard", "0/10"), 2, "no shard 0/10"),
        (("good", "bars", "beats", "--out", "a.jsonl", "--format", "txt"), 2, "lines and no files"),
        (("good", "bars", "beats", "--engine", "rye"), 3, "No engine named 'rye'"),
        (("good", "bars", "beats", "--gpus-per-task", "0.5"), 2, "does not share out GPUs"),
        (("--merge", "list.txt", "--out", "x.jsonl"), 4, "not the journal of a shard"),
    ):
        result = run(*arguments)
        assert result.returncode == code, (arguments, result.stderr)
        assert words in result.stderr, (arguments, result.stderr)
        assert result.stderr.splitlines()[-1].startswith("hint: ")


def test_addresses_are_fetched_and_keep_their_names(run, tmp_path):
    """``local://`` is a place of fsspec as any other: its files are fetched, too."""
    pytest.importorskip("fsspec")
    names = [f"local://beats/{number}.mid" for number in (0, 3, 7)]
    done = run("good", "bars", *names, "--out", "out", "--json")
    assert done.returncode == 4, done.stderr
    lines = (tmp_path / "out/results.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["settings"]["root"] == "local://beats"
    good, bad, gone = map(json.loads, lines[1:])
    assert [good["file"], bad["file"], gone["file"]] == names
    assert good["size"] == (tmp_path / "beats/0.mid").stat().st_size
    assert good["mtime_ns"] is not None
    assert [one["file"] for one in good["result"]["inputs"]] == names[:1]
    assert good["result"] == json.loads((tmp_path / "out/0/result.json").read_text())
    assert "not a MIDI file" in bad["error"]["message"]
    assert gone["error"]["message"] == "local://beats/7.mid does not exist."
    stamp = (tmp_path / "out/0/result.json").stat().st_mtime_ns
    again = run("good", "bars", *names, "--out", "out", "--json")
    assert again.returncode == 4
    assert (tmp_path / "out/0/result.json").stat().st_mtime_ns == stamp
    mixed = run("good", "bars", names[0], "beats/1.mid", "--out", "mixed")
    assert "some are not" in mixed.stderr
    assert run("good", "bars", "nosuch://bucket/a.mid", "--out", "none.jsonl").returncode == 4
    reason = json.loads((tmp_path / "none.jsonl").read_text().splitlines()[1])["error"]["message"]
    assert reason.startswith("nosuch://bucket/a.mid cannot be reached")
