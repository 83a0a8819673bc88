"""The folder of a run: held by one process, and changed as a whole or not at all."""

from __future__ import annotations

import json
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from groove_core.actions import places
from groove_core.actions.places import claimed
from groove_core.endings import uninterrupted
from groove_core.errors import UsageError
from groove_core.storage import locks
from groove_core.storage.locks import locked
from groove_core.values.results import Report


def value(text: str) -> Report:
    return Report(text, ("",), ())


def result(*files: str) -> str:
    return json.dumps({"files": [f"somewhere/{file}" for file in files]})


def content(folder) -> dict[str, str]:
    files = [path for path in folder.glob("*") if path.is_file()]
    return {path.name: path.read_text() for path in files}


@pytest.fixture
def earlier(tmp_path):
    """A result of two files, and files that no run has written, one of them named in it."""
    folder = tmp_path / "o"
    with claimed(folder, "beat", overwrite=False) as place:
        for number in (1, 2):
            place.save(value(f"old {number}"), f"beat-00{number}.txt")
        place.finish(result("beat-001.txt", "beat-002.txt", "thesis.txt"))
    (folder / "thesis.txt").write_text("mine")
    (folder / "beat-003.txt").write_text("mine, and of such a name")
    return folder


def test_files_are_there_as_they_are_finished(tmp_path):
    folder = tmp_path / "a/b"
    with claimed(folder, "beat", overwrite=False) as place:
        assert place.save(value("x"), "beat-001.txt") == folder / "beat-001.txt"
        assert sorted(content(folder)) == [".groove.lock", "beat-001.txt"]
        place.finish(result())
    assert sorted(content(folder)) == ["beat-001.txt", "result.json"]


def test_an_earlier_result_is_replaced_as_a_whole(earlier):
    before = content(earlier)
    with claimed(earlier, "beat", overwrite=True) as place:
        place.save(value("new"), "beat-001.txt")
        now = content(earlier)
        assert {name: now[name] for name in before} == before
        place.finish(result("beat-001.txt"))
    after = content(earlier)
    assert sorted(after) == ["beat-001.txt", "beat-003.txt", "result.json", "thesis.txt"]
    assert after["beat-001.txt"].startswith("new")
    assert after["thesis.txt"] == "mine"


def test_without_overwrite_nothing_is_touched(earlier):
    before = content(earlier)
    with (
        pytest.raises(UsageError, match="beat-001.txt exists already"),
        claimed(earlier, "beat", overwrite=False),
    ):
        pass
    assert content(earlier) == before


@pytest.mark.parametrize("kind", [OSError, KeyboardInterrupt])
def test_a_failure_at_any_move_leaves_the_earlier_result(earlier, monkeypatch, kind):
    before = content(earlier)
    move, left = places._move, 0

    def failing(path, target, **how):
        nonlocal left
        left -= 1
        if left == 0:
            raise kind
        move(path, target, **how)

    monkeypatch.setattr(places, "_move", failing)
    for reached in range(1, 20):
        left = reached
        try:
            with claimed(earlier, "beat", overwrite=True) as place:
                place.save(value("new"), "beat-001.txt")
                place.save(value("new"), "beat-004.txt")
                place.finish(result("beat-001.txt", "beat-004.txt"))
        except kind:
            assert content(earlier) == before
        else:
            break
    assert reached == 7  # result, first, its forerunner, fourth, result, the second's: all failed
    assert "beat-004.txt" in content(earlier)


def test_an_interruption_keeps_what_is_finished_and_a_failure_nothing(tmp_path):
    for kind, kept in ((KeyboardInterrupt, ["beat-001.txt"]), (RuntimeError, [])):
        folder = tmp_path / kind.__name__
        with pytest.raises(kind), claimed(folder, "beat", overwrite=False) as place:
            place.save(value("x"), "beat-001.txt")
            raise kind
        assert sorted(content(folder)) == kept
        assert folder.exists() == bool(kept)


def test_what_killed_runs_left_is_swept_and_put_back(earlier):
    before = content(earlier)
    begun, ended = earlier / ".groove-0123abcd", earlier / ".groove-4567abcd"
    for name in ("fresh/beat-001.txt", "former/result.json", "former/beat-002.txt"):
        (begun / name).parent.mkdir(parents=True, exist_ok=True)
    (begun / "fresh/beat-001.txt").write_text("half")
    for name in ("result.json", "beat-002.txt"):  # killed while it replaced them
        (earlier / name).rename(begun / "former" / name)
    (earlier / "beat-002.txt").write_text("new")
    (ended / "former").mkdir(parents=True)  # killed when all was done
    (ended / "former/beat-001.txt").write_text("older")
    (earlier / ".groove.lock").write_text("process 1 on a machine that is off")
    with pytest.raises(UsageError, match="exists"), claimed(earlier, "beat", overwrite=False):
        pass
    assert content(earlier) == before
    assert not [path for path in earlier.iterdir() if path.name.startswith(".")]


def test_one_process_at_a_time_and_it_is_named(tmp_path):
    with claimed(tmp_path, "beat", overwrite=False), pytest.raises(UsageError) as caught:
        claimed(tmp_path, "bars", overwrite=True).__enter__()
    assert f"is in use by process {os.getpid()} on " in caught.value.message
    assert list(tmp_path.iterdir()) == []
    with claimed(tmp_path, "bars", overwrite=False):
        pass


def test_many_new_folders_at_once_are_all_different(tmp_path):
    barrier = threading.Barrier(16)

    def make(_):
        barrier.wait()
        with claimed(tmp_path / "a/beat", "beat", overwrite=False, new=True) as place:
            place.finish(result())
            return place.folder

    with ThreadPoolExecutor(16) as pool:
        made = set(pool.map(make, range(16)))
    names = {"beat", *(f"beat-{number}" for number in range(2, 17))}
    assert {path.name for path in made} == names == {p.name for p in (tmp_path / "a").iterdir()}


def test_failures_beside_it_are_in_no_runs_way(tmp_path):
    barrier = threading.Barrier(8)

    def run(number):
        barrier.wait()
        for _ in range(20):
            try:
                with claimed(tmp_path / "a/b/beat", "beat", overwrite=False, new=True) as place:
                    if number % 2:
                        raise RuntimeError
                    place.finish(result())
            except RuntimeError:
                pass

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, range(8)))
    assert len(list((tmp_path / "a/b").glob("*/result.json"))) == 80
    assert len(list((tmp_path / "a/b").iterdir())) == 80


def test_of_many_at_one_lock_only_one_is_inside(tmp_path):
    inside, entered = [], 0

    def enter(_):
        nonlocal entered
        for _ in range(50):
            try:
                with locked(tmp_path, tmp_path / "x/.lock"):
                    inside.append(1)
                    assert len(inside) == 1
                    entered += 1
                    inside.pop()
            except UsageError:
                pass

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(enter, range(8)))
    assert entered > 0
    assert not (tmp_path / "x/.lock").exists()


def test_a_folder_in_the_way_of_a_file_is_kept(tmp_path):
    (tmp_path / "beat.txt").mkdir()
    with (
        pytest.raises(UsageError, match="beat.txt exists"),
        claimed(tmp_path, "beat", overwrite=True) as place,
    ):
        place.save(value("x"), "beat.txt")
    assert (tmp_path / "beat.txt").is_dir()


def test_what_a_killed_run_put_into_its_place_goes_when_the_older_result_comes_back(
    earlier, monkeypatch
):
    before, move = content(earlier), places._move

    class Killed(BaseException):
        pass

    def killed(path, target, **how):
        if target.name == "beat-001.txt":  # after the document and beat-001.csv
            raise Killed
        move(path, target, **how)

    with monkeypatch.context() as patched:
        patched.setattr(places, "_move", killed)
        patched.setattr(places.Place, "withdraw", lambda place: None)
        patched.setattr(places.shutil, "rmtree", lambda *about, **more: None)
        with pytest.raises(Killed), claimed(earlier, "beat", overwrite=True) as place:
            place.save(value("new"), "beat-001.txt")
            place.save(value("new"), "beat-001.csv")
            place.finish(result("beat-001.txt", "beat-001.csv"))
    assert "beat-001.csv" in content(earlier)
    assert "result.json" not in content(earlier)
    places.restore(earlier)
    assert content(earlier) == before
    assert not [path for path in earlier.iterdir() if path.name.startswith(".")]


def test_what_killed_runs_left_in_folders_of_their_own_is_removed(tmp_path):
    folder = tmp_path / "out/beat"
    (folder / ".groove-0123abcd/fresh").mkdir(parents=True)
    (folder / ".groove.lock").write_text("process 1")
    with claimed(folder, "beat", overwrite=False, new=True) as place:
        assert place.folder == tmp_path / "out/beat-2"
        place.finish(result())
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["beat-2"]


def test_an_interruption_waits_until_the_files_are_in_order():
    done = []
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        signal.raise_signal(signal.SIGINT)
        done.append("in order")
    assert done
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interruption_while_a_lock_is_taken_leaves_none(tmp_path, monkeypatch):
    import groove_core.storage.locks as module

    def taken(lock):
        found = module_taken(lock)
        signal.raise_signal(signal.SIGINT)
        return found

    module_taken = module._taken
    monkeypatch.setattr(module, "_taken", taken)
    with pytest.raises(KeyboardInterrupt), locked(tmp_path, tmp_path / "lock"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_lock_that_has_been_replaced_is_another_runs(tmp_path, monkeypatch):
    lock, try_lock = tmp_path / "lock", locks._try_lock
    lock.touch()

    def replaced(file):
        lock.unlink()
        lock.write_text("another run")
        return try_lock(file)

    monkeypatch.setattr(locks, "_try_lock", replaced)
    with locks.taken_over(lock) as ours:
        assert not ours
    assert lock.read_text() == "another run"
