"""What killed commands have left is put right by the next one in the same place."""

from __future__ import annotations

import shutil

from groove_core.drums.pattern import DrumPattern


def test_rerun_finds_the_result_that_a_killed_run_was_about_to_replace(site, groove, tmp_path):
    path = site("groove-good")
    groove("run", "good", "beat", "--seed", "1", "--format", "txt", "--out", "o", path=path)
    former = tmp_path / "o/.groove-0123abcd/former"
    former.mkdir(parents=True)
    shutil.move(tmp_path / "o/result.json", former)
    result = groove("rerun", "o/result.json", "--overwrite", "-q", path=path)
    assert (result.returncode, result.stderr) == (0, "")
    assert not [one for one in (tmp_path / "o").iterdir() if one.name.startswith(".")]


def test_new_removes_what_a_killed_one_has_left(groove, tmp_path):
    (tmp_path / "n/.groove-tabla-0123abcd/src").mkdir(parents=True)
    assert groove("new", "tabla", "--into", "n").returncode == 0
    assert [one.name for one in (tmp_path / "n").iterdir()] == ["groove-tabla"]
    (tmp_path / "n/.groove-tabla.lock").write_text("process 1")
    assert groove("new", "tabla", "--into", "n").returncode == 0  # it is there
    assert [one.name for one in (tmp_path / "n").iterdir()] == ["groove-tabla"]


def test_map_goes_on_after_one_that_was_killed_before_its_journal(site, groove, tmp_path):
    DrumPattern.from_masks([1] * 16).save(tmp_path / "in/a.mid")
    (tmp_path / "m").mkdir()
    for name in (".results-0123abcd.jsonl", ".results.jsonl.lock"):
        (tmp_path / "m" / name).write_text("half")
    result = groove("map", "good", "bars", "in", "--out", "m", path=site("groove-good"))
    assert result.returncode == 0, result.stderr
    assert not [one for one in (tmp_path / "m").iterdir() if one.name.startswith(".")]
