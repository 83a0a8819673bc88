"""Files are checked before they are read, and never half-written."""

from __future__ import annotations

import errno
import itertools
import json
import os
import pickle
import stat
import sys
from pathlib import Path

import numpy as np
import pytest

from groove_core.errors import CheckpointError, InputError, UsageError, of_system
from groove_core.storage import files
from groove_core.storage.files import (
    atomic_path,
    beside,
    check_file,
    dump_json,
    kept_reason,
    read_json,
    write_bytes,
    write_text,
)
from groove_core.storage.folders import find_files, list_files
from groove_core.values.sound.audio import Audio


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


def test_a_missing_input_is_no_unwritable_output(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "a.txt"):
        (tmp_path / "missing.txt").read_text()
    told = of_system(FileNotFoundError(errno.ENOENT, "No such file or directory", "missing.txt"))
    assert isinstance(told, InputError)
    assert told.message == "Cannot use missing.txt: No such file or directory."
    with pytest.raises(UsageError, match="a.txt"), atomic_path(tmp_path / "a.txt") as temporary:
        (temporary / "below a file").touch()
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_files():
    """Let no file grow beyond 10 kB, which the system reports as it does a full disk."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_named_whoever_writes(small_files, tmp_path):
    sound = Audio(np.random.default_rng(0).normal(size=(1, 48_000)).astype(np.float32) / 9, 48_000)

    def array(path):
        with atomic_path(path) as temporary, kept_reason(temporary) as file:
            np.save(file, np.zeros(10_000))

    writers = {
        "a.txt": lambda path: write_text(path, "x" * 20_000),
        "a.bin": lambda path: write_bytes(path, b"x" * 20_000),
        "a.npy": array,
        **dict.fromkeys(("a.wav", "a.flac", "a.ogg"), sound.save),
    }
    for name, write in writers.items():
        with pytest.raises(UsageError) as caught:
            write(tmp_path / name)
        assert caught.value.message == f"Cannot write to {tmp_path / name}: File too large."
        assert caught.value.hint.startswith("Make room")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), 2, "No space left on device"),
        (OSError(errno.EMFILE, os.strerror(errno.EMFILE), "a.wav"), 6, "more files"),
        (MemoryError(), 6, "no memory"),
        (OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)), 6, "no memory"),
        (PermissionError(errno.EACCES, os.strerror(errno.EACCES), "a.wav"), 4, "a.wav"),
    ],
)
def test_what_the_system_lacks_has_words_and_a_code(error, code, said):
    told = of_system(error)
    assert told is not None
    assert (told.exit_code, said in told.message, bool(told.hint)) == (code, True, True)


def test_other_errors_are_left_alone():
    assert of_system(ValueError("x")) is None
    assert of_system(OSError("no number")) is None


def test_json_nested_without_end(tmp_path):
    path = write_text(tmp_path / "a.json", "[" * 100_000 + "]" * 100_000)
    with pytest.raises(InputError, match="nested too deeply"):
        read_json(path)


def test_check_file(tmp_path):
    big = write_text(tmp_path / "big.mid", "x" * 2_000_000)
    with pytest.raises(InputError, match="larger than 1 MiB"):
        check_file(big, max_bytes=2**20)
    assert list_files(tmp_path, ["MID"]) == [big]
    with pytest.raises(InputError, match="holds no .wav file"):
        list_files(tmp_path, ["wav"])


def _slowly(folder: Path, inside: tuple[Path, ...] = ()) -> list[str]:
    """List the .wav files of a folder as a person would say it: no real folder above itself."""
    found = []
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if path.is_dir() and path.resolve() not in inside:
            found += _slowly(path, (*inside, path.resolve()))
        elif path.suffix.lower() == ".wav":
            found.append(str(path.resolve()))
    return found


def test_a_folder_is_searched_once_through_links_and_loops(tmp_path, capsys):
    library, elsewhere = tmp_path / "library", tmp_path / "elsewhere"
    for name in ("b/2.wav", "a/1.WAV", "10.wav", ".hidden/x.wav", "a/._1.wav", "a/cover.jpg"):
        write_text(library / name, "x")
    for name in ("album/3.wav", "album/deep/4.wav"):
        write_text(elsewhere / name, "x")
    (library / "z").symlink_to(elsewhere / "album")
    (library / "z2").symlink_to(elsewhere / "album")  # the same folder by another name
    (library / "a" / "loop").symlink_to(library)
    (library / "a" / "b").symlink_to(library / "b")  # found by its own name
    (library / "gone.wav").symlink_to(library / "nowhere")  # named, so that its loss is told
    (library / "self").symlink_to(library / "self")
    found = find_files(library, ["wav"])
    names = [path.relative_to(library).as_posix() for path in found.files]
    assert names == ["10.wav", "a/1.WAV", "b/2.wav", "gone.wav", "z/3.wav", "z/deep/4.wav"]
    assert {str(path.resolve()) for path in found.files} == set(_slowly(library))
    assert capsys.readouterr().err == (
        f"passed over in {library}: 2 hidden, 2 others (.jpg 1, none 1)\n"
    )
    assert find_files(library / ".hidden", ["wav"]).files == [library / ".hidden/x.wav"]
    assert list_files(library / "a/._1.wav", ["wav"]) == [library / "a/._1.wav"]


def test_results_and_foreign_json_are_no_inputs(tmp_path, capsys):
    result, outcomes = '{\n "schema": "groove.result/1"', '{"schema": "groove.outcomes/1"}\n'
    write_text(tmp_path / "songs/song.wav", "x")
    write_text(tmp_path / "songs/package.json", '{"name": "site"}')
    write_text(tmp_path / "songs/tone.json", '{"kind": "audio", "samples": []}')
    write_text(tmp_path / "songs/result.json", '{"kind": "audio"}')
    write_text(tmp_path / "songs/out/made.wav", "x")
    write_text(tmp_path / "songs/out/result.json", result)
    write_text(tmp_path / "songs/all/one/made.wav", "x")
    write_text(tmp_path / "songs/all/one/result.json", result)
    write_text(tmp_path / "songs/all/results.jsonl", outcomes)
    write_text(tmp_path / "songs/theirs/result.json", '{"schema": "other/1"}')
    write_text(tmp_path / "songs/theirs/song.wav", "x")
    os.mkfifo(tmp_path / "songs/pipe.json")  # opening it would wait for ever
    found = list_files(tmp_path / "songs", ["wav", "json"], kinds={"audio"}.__contains__)
    names = [path.relative_to(tmp_path / "songs").as_posix() for path in found]
    assert names == ["song.wav", "theirs/song.wav", "tone.json"]
    assert "2 results of Groove, 4 others (.json 4)" in capsys.readouterr().err
    # What is named itself is searched.
    [one] = list_files(tmp_path / "songs/out", ["wav", "json"], kinds={"audio"}.__contains__)
    assert one.name == "made.wav"
    assert list_files(tmp_path / "songs/all", ["wav"]) == [tmp_path / "songs/all/one/made.wav"]
    (tmp_path / "songs/song.wav").unlink()
    with pytest.raises(InputError, match=r"no \.mid file \(passed over: .* of Groove") as failed:
        list_files(tmp_path / "songs", ["mid"])
    assert failed.value.hint == "Give the folder of one result."


@pytest.mark.parametrize(
    "name",
    ["x" * 251 + ".txt", "\u00e9" * 125 + ".json", "\U0001f941" * 63 + "txt", "a." + "b" * 253],
)
def test_names_of_255_bytes(tmp_path, name):
    assert 254 <= len(os.fsencode(name)) <= 255
    path = write_text(tmp_path / name, "whole")
    assert path.read_text() == "whole"
    hidden = beside(path)
    hidden.touch()
    assert (hidden.name[0], hidden.parent) == (".", tmp_path)
    assert hidden.suffix == (path.suffix if len(path.suffix) < 9 else "")


def test_names_of_other_bytes(tmp_path):
    name = os.fsdecode(b'Bj\xf6rk \xe9"\\.wav')
    document = {"options": {"sound": name}, name: ["Bj\u00f6rk"]}
    path = write_text(tmp_path / os.fsdecode(b"caf\xe9.json"), dump_json(document))
    assert json.loads(path.read_bytes()) == read_json(path) == document
    assert "Bj\u00f6rk" in path.read_text(encoding="utf-8")  # what UTF-8 holds stays readable
    write_text(tmp_path / "list.txt", name)
    assert (tmp_path / "list.txt").read_text(encoding="utf-8") == 'Bj\\udcf6rk \\udce9"\\.wav'


def test_no_nan_in_json():
    with pytest.raises(ValueError, match="NaN|nan|Out of range"):
        dump_json({"x": float("nan")})


def test_errors_survive_a_process_border():
    error = pickle.loads(pickle.dumps(CheckpointError("gone", hint="look")))
    assert (type(error), error.message, error.hint) == (CheckpointError, "gone", "look")


def test_what_killed_processes_left_anywhere_in_a_folder_is_swept(tmp_path):
    from groove_core.storage.files import sweep_below

    (tmp_path / "a").mkdir()
    for name in (".x-0123abcd.npy", ".hidden", "x-0123abcd.npy", "a/.long.name-0123abcd.json"):
        (tmp_path / name).write_text("half")
    sweep_below(tmp_path)
    left = sorted(path.name for path in tmp_path.rglob("*"))
    assert left == [".hidden", "a", "x-0123abcd.npy"]
