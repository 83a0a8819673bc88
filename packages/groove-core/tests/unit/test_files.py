"""Files are checked before they are read, and never half-written."""

from __future__ import annotations

import itertools
import os
import pickle
import stat
import sys

import pytest

from groove_core import files
from groove_core.errors import CheckpointError, InputError, UsageError
from groove_core.files import atomic_path, check_file, dump_json, list_files, write_text


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = write_text(tmp_path / "a.txt", "old")
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_ctrl_c_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), atomic_path(tmp_path / "b.txt") as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_at_any_line_leaves_nothing_or_the_whole_file(tmp_path):
    path = tmp_path / "a.txt"
    lines = 0

    def interrupt_after(frame, event, _):  # KeyboardInterrupt comes between any two lines
        nonlocal lines
        if event == "line" and frame.f_code.co_filename == files.__file__:
            lines -= 1
            if lines == 0:
                raise KeyboardInterrupt
        return interrupt_after

    for reached in itertools.count(1):
        lines = reached
        sys.settrace(interrupt_after)
        try:
            write_text(path, "whole")
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(None)
        left = list(tmp_path.iterdir())
        assert left in ([], [path]), (reached, left)
        assert not left or path.read_text() == "whole"
        path.unlink(missing_ok=True)
        if lines > 0:  # none was left to interrupt
            break
    assert reached > 8


def test_files_follow_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        path = write_text(tmp_path / "a.txt", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="Cannot write"):
        write_text(tmp_path / "file" / "a.txt", "x")


def test_check_file(tmp_path):
    big = write_text(tmp_path / "big.mid", "x" * 2_000_000)
    with pytest.raises(InputError, match="larger than 1 MiB"):
        check_file(big, max_bytes=2**20)
    assert list_files(tmp_path, ["MID"]) == [big]
    with pytest.raises(InputError, match="holds no .wav file"):
        list_files(tmp_path, ["wav"])


def test_no_nan_in_json():
    with pytest.raises(ValueError, match="NaN|nan|Out of range"):
        dump_json({"x": float("nan")})


def test_errors_survive_a_process_border():
    error = pickle.loads(pickle.dumps(CheckpointError("gone", hint="look")))
    assert (type(error), error.message, error.hint) == (CheckpointError, "gone", "look")
