"""`map_files`: order, errors, dead workers, journals that continue, interruptions."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from groove_core.batch.jobs import map_files, map_items
from groove_core.batch.journal import Outcome, read_settings
from groove_core.errors import GrooveError, InputError, UsageError

# What workers do lies in a module of its own, as it does for anyone.
WORK = '''
import os, signal, sys, time
from pathlib import Path
from groove_core.errors import InputError

def work(path, log=None, wait_s=0.0):
    """Do what the name of the file says."""
    if log:
        with open(log, "a") as stream:
            stream.write(path.name + "\\n")
    time.sleep(wait_s)
    word = path.stem.partition("-")[2]
    if word == "slow":  # until the other worker has taken what it may
        for _ in range(200):
            time.sleep(0.1)
            if log is None or len(Path(log).read_text().splitlines()) >= 16:
                break
    if word == "input":
        raise InputError(f"{path} is broken.", hint="Mend it.")
    if word == "system":
        raise PermissionError(13, "Permission denied", str(path))
    if word == "bug":
        raise KeyError("cheese")
    if word == "nan":
        return {"x": float("nan")}
    if word == "exit":
        sys.exit(0)
    if word == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if word == "hang":  # in Python: its `finally` blocks run
        forever(path)
    if word == "deep":  # in C, where no signal is handled
        sum(range(10**13))
    return {"text": path.read_text(), "pid": os.getpid(), "threads": os.environ["OMP_NUM_THREADS"]}

def forever(path):
    path.with_suffix(".started").touch()
    try:
        time.sleep(60)
    finally:
        path.with_suffix(".cleaned").touch()
'''
FAILURES = {
    "input": ("InputError", 4),
    "system": ("OSError", 4),
    "bug": ("Bug", 1),
    "nan": ("Bug", 1),
    "exit": ("Bug", 1),
    "crash": ("WorkerDied", 1),
}


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    folder = tmp_path_factory.mktemp("module")
    (folder / "groove_jobs_work.py").write_text(WORK)
    sys.path.insert(0, str(folder))  # spawned workers get it, too
    import groove_jobs_work

    yield groove_jobs_work
    sys.path.remove(str(folder))


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def _files(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / name).write_text(f"text of {name}")
    return [folder / name for name in names]


def _words(outcomes: list[Outcome]) -> list[str]:
    return [
        o.error["kind"] if o.error else "ok" if o.result and o.result["text"] else "?"
        for o in outcomes
    ]


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_kind_of_failure_costs_one_file_and_the_order_stays(module, tmp_path, jobs):
    words = [w for w in FAILURES if jobs > 1 or w != "crash"]  # a crash here would be ours
    names = ["00-slow", *(f"{i:02d}-{w}" for i, w in enumerate(words, 1)), "90-ok", "91-ok"]
    files = [*_files(tmp_path, *names), tmp_path / "missing"]
    outcomes = list(map_files(module.work, files, jobs=jobs))
    assert [o.file for o in outcomes] == [str(f) for f in files]
    assert _words(outcomes) == ["ok", *(FAILURES[w][0] for w in words), "ok", "ok", "OSError"]
    for word, outcome in zip(words, outcomes[1:], strict=False):
        assert outcome.error["exit_code"] == FAILURES[word][1]
        assert outcome.error["message"]
        assert outcome.error["hint"]
    assert outcomes[-1].size is None
    assert outcomes[0].size == files[0].stat().st_size
    if jobs > 1:
        assert "SIGSEGV" in outcomes[words.index("crash") + 1].error["message"]


def test_a_file_that_hangs_costs_only_itself(module, tmp_path):
    files = _files(tmp_path, "0-ok", "1-hang", "2-ok", "3-deep", "4-ok")
    outcomes = list(map_files(module.work, files, jobs=2, timeout_s=0.3))
    assert [o.file for o in outcomes] == [str(f) for f in files]
    assert _words(outcomes) == ["ok", "Timeout", "ok", "Timeout", "ok"]
    assert outcomes[1].error["message"] == "The file took more than 0.3 s."
    assert "--timeout" in outcomes[1].error["hint"]
    assert (tmp_path / "1-hang.cleaned").exists()


def test_a_file_that_hangs_is_tried_again(module, tmp_path):
    files = _files(tmp_path, "0-hang", "1-ok")
    log = tmp_path / "log"
    work = functools.partial(module.work, log=log)
    for _ in range(2):  # one job, in a process that can be stopped
        outcomes = list(map_files(work, files, timeout_s=0.2, out=tmp_path / "out.jsonl"))
        assert _words(outcomes) == ["Timeout", "ok"]
        assert outcomes[1].result["pid"] != os.getpid()
    assert log.read_text().split() == ["0-hang", "1-ok", "0-hang"]


def test_a_limit_that_no_file_reaches_changes_nothing(module, tmp_path):
    files = _files(tmp_path, *(f"{i}-{w}" for i, w in enumerate(["ok", "bug", "crash", "ok"])))
    outcomes = list(map_files(module.work, files, timeout_s=60))
    assert _words(outcomes) == ["ok", "Bug", "WorkerDied", "ok"]


def test_workers_are_processes_with_one_thread(module, tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS")
    files = _files(tmp_path, *(f"{i}-slow" for i in range(4)))
    results = [o.result for o in map_files(module.work, files, jobs=2)]
    pids = {r["pid"] for r in results}
    assert len(pids) == 2
    assert os.getpid() not in pids
    assert {r["threads"] for r in results} == {"1"}
    assert "OMP_NUM_THREADS" not in os.environ


def test_few_files_are_given_out_ahead_of_a_slow_one(module, tmp_path):
    log = tmp_path / "log"
    files = _files(tmp_path, "000-slow", *(f"{i:03d}-ok" for i in range(1, 200)))
    outcomes = map_files(functools.partial(module.work, log=log), files, jobs=2)
    next(outcomes)
    assert 16 <= len(log.read_text().splitlines()) <= 2 * 8 + 2
    outcomes.close()


def test_what_cannot_go_to_workers_is_said_before_the_work(module, tmp_path):
    files = _files(tmp_path, "a", "b")
    with pytest.raises(UsageError, match="cannot go to other processes"):
        map_files(lambda path: {}, files, jobs=2)
    with pytest.raises(UsageError, match="at least 1"):
        map_files(module.work, files, jobs=0)
    for wrong in (0, -1, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="timeout cannot be"):
            map_files(module.work, files, timeout_s=wrong)
    script = tmp_path / "script.py"  # without the guard that spawned processes need
    script.write_text(
        "from groove_core.batch.jobs import map_files\n"
        "def work(path): return {}\n"
        f"print(list(map_files(work, {[str(f) for f in files]}, jobs=2)))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60)
    assert "UsageError: The worker processes could not start" in done.stderr


def test_names_that_are_not_utf8(module, tmp_path):
    file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xff-input"))
    file.write_text("x")
    out = tmp_path / "out.jsonl"
    for _ in range(2):
        (outcome,) = map_files(module.work, [file], out=out)
        assert outcome.file == str(file)  # also as read from the journal
        outcome.error["message"].encode()
    json.loads(out.read_bytes().splitlines()[1])


# Journals


def _run(module, files, folder, **options) -> tuple[list[Outcome], list[str]]:
    """Map with a journal; also give the names of the files that were computed."""
    log = folder / "log"
    log.write_text("")
    work = functools.partial(module.work, log=log)
    outcomes = list(map_files(work, files, out=folder / "out.jsonl", **options))
    lines = [json.loads(line) for line in (folder / "out.jsonl").read_bytes().splitlines()]
    assert [Outcome(**line) for line in lines[1:]] == outcomes  # one line per file, in order
    return outcomes, log.read_text().split()


def test_a_journal_takes_over_what_is_unchanged(module, tmp_path):
    names = ["a", "b-input", "c-bug", "d-system", "e"]
    files = _files(tmp_path, *names)
    first, computed = _run(module, files, tmp_path)
    assert computed == names
    again, computed = _run(module, files, tmp_path)
    assert computed == ["c-bug", "d-system"]  # may be mended by an update, or by chmod
    assert again == first
    files[0].write_text("longer than before")
    os.utime(files[4], ns=(1, 1))
    changed, computed = _run(module, files, tmp_path)
    assert computed == ["a", "c-bug", "d-system", "e"]
    assert changed[0].result["text"] == "longer than before"
    new = _files(tmp_path, "0-new")
    _, computed = _run(module, [*new, *reversed(files[:2])], tmp_path)
    assert computed == ["0-new"]  # another order, and files that are gone
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("cut", [1, 30, 5000])
def test_a_half_line_is_dropped(module, tmp_path, cut):
    files = _files(tmp_path, *"abcdef")
    whole, _ = _run(module, files, tmp_path)
    out = tmp_path / "out.jsonl"
    complete = out.read_bytes()
    out.write_bytes(complete[:-cut])  # 5000: not even a header is left
    assert _run(module, files, tmp_path) == (whole, list("abcdef") if cut == 5000 else ["f"])
    assert out.read_bytes() == complete


def test_a_spoilt_line_is_made_again(module, tmp_path):
    files = _files(tmp_path, *"abc")
    whole, _ = _run(module, files, tmp_path)
    out = tmp_path / "out.jsonl"
    lines = out.read_bytes().splitlines(keepends=True)
    out.write_bytes(b"".join([*lines[:2], b"\0" * 40 + b"\n", b'{"x": 1}\n', lines[3]]))
    assert _run(module, files, tmp_path) == (whole, ["b"])


def test_other_settings_and_other_files_are_not_mixed(module, tmp_path):
    files = _files(tmp_path, *"ab")
    _run(module, files, tmp_path, settings={"rate": 1, "way": (1, 2)})
    out = tmp_path / "out.jsonl"
    assert read_settings(out) == {"rate": 1, "way": [1, 2]}
    _, computed = _run(module, files, tmp_path, settings={"way": (1, 2), "rate": 1})
    assert computed == []
    before = out.read_bytes()
    with pytest.raises(UsageError, match="other settings") as caught:
        _run(module, files, tmp_path, settings={"rate": 2})
    assert "--overwrite" in caught.value.hint
    assert out.read_bytes() == before
    _, computed = _run(module, files, tmp_path, settings={"rate": 2}, overwrite=True)
    assert computed == ["a", "b"]
    out.write_text("my diary\n" * 9)
    with pytest.raises(UsageError, match="another kind of file"):
        _run(module, files, tmp_path)
    assert out.read_text() == "my diary\n" * 9
    assert read_settings(out) is None
    with pytest.raises(UsageError):
        list(map_files(module.work, files, out=tmp_path))
    assert not list(tmp_path.parent.glob(".*.lock"))


def test_two_at_once_are_refused_and_a_dead_one_is_not_waited_for(module, tmp_path):
    files = _files(tmp_path, *"abc")
    out = tmp_path / "out.jsonl"
    first = map_files(module.work, files, out=out)
    next(first)
    with pytest.raises(UsageError, match="in use"):
        next(map_files(module.work, files, out=out))
    first.close()
    assert len(list(map_files(module.work, files, out=out))) == 3
    dead = subprocess.run(
        [
            sys.executable, "-c",
            "import os\n"
            "from groove_core.batch.jobs import map_files\n"
            f"next(map_files(lambda path: os.kill(os.getpid(), 9), ['x'], out={str(out)!r}))",
        ],
        check=False,
    )  # fmt: skip
    assert dead.returncode == -signal.SIGKILL
    assert (tmp_path / ".out.jsonl.lock").exists()
    assert len(list(map_files(module.work, files, out=out))) == 3


def test_an_iterator_that_is_left_stops_its_workers_and_keeps_whole_lines(module, tmp_path):
    files = _files(tmp_path, "a", "b")
    out = tmp_path / "out.jsonl"
    outcomes = map_files(module.forever, files, jobs=2, out=out)
    marker = [f.with_suffix(".cleaned") for f in files]

    def interrupt(number, frame):
        if all(f.with_suffix(".started").exists() for f in files):
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.2, 0.2)
    try:
        with pytest.raises(KeyboardInterrupt):
            next(outcomes)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert [m.exists() for m in marker] == [True, True]  # `finally` blocks ran
    assert len(out.read_bytes().splitlines()) == 1


@pytest.mark.parametrize("jobs", [1, 2])
def test_items_need_no_files(module, tmp_path, jobs):
    items = _files(tmp_path, "a-ok", "b-input", "c-bug")
    found = list(map_items(module.work, items, jobs=jobs))
    assert [item for item, _ in found] == items
    good, bad, bug = (outcome for _, outcome in found)
    assert good.check()["text"] == "text of a-ok"
    with pytest.raises(InputError, match="b-input is broken") as caught:
        bad.check()
    assert caught.value.hint == "Mend it."
    with pytest.raises(GrooveError, match="This is a bug: KeyError"):
        bug.check()


def test_an_input_error_keeps_its_words(module, tmp_path):
    (outcome,) = map_files(module.work, _files(tmp_path, "a-input"), jobs=2)
    assert outcome.error == {
        "kind": InputError.__name__,
        "message": f"{tmp_path}/a-input is broken.",
        "hint": "Mend it.",
        "exit_code": 4,
    }


def test_a_result_that_no_longer_holds_is_made_again(module, tmp_path):
    files = _files(tmp_path, "a-ok", "b-ok")
    options = {"out": tmp_path / "out.jsonl", "jobs": 1}
    log = tmp_path / "log"
    work = functools.partial(module.work, log=log)
    list(map_files(work, files, **options))
    list(map_files(work, files, current=lambda outcome: "a-ok" not in outcome.file, **options))
    assert log.read_text().split() == ["a-ok", "b-ok", "a-ok"]
