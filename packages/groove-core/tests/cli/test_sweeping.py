"""What killed commands have left is put right by the next one in the same place."""

from __future__ import annotations

import shutil


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
    assert groove("new", "tabla", "--into", "n").returncode == 2  # it is there
    assert [one.name for one in (tmp_path / "n").iterdir()] == ["groove-tabla"]
