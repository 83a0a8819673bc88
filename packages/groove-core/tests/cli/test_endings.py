"""How commands end: by a signal, a reader that leaves, a full disk; and what they print in."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from groove_core.drums.pattern import DrumPattern

GROOVE = f"{sys.executable} -m groove_core"
BEAT = DrumPattern.from_masks([1] * 16)
full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a disk that is full")


@pytest.fixture
def shell(site, tmp_path):
    """Run a line of bash in an empty folder; gives exit code, stdout and stderr."""

    def run(line: str):
        return subprocess.run(
            ["bash", "-o", "pipefail", "-c", line],
            cwd=tmp_path, capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": site("groove-good")},
        )  # fmt: skip

    return run


@pytest.fixture
def started(site, tmp_path):
    """Start a command in an empty folder."""

    def start(*arguments: str):
        return subprocess.Popen(
            [sys.executable, "-m", "groove_core", *arguments],
            cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
            env={**os.environ, "PYTHONPATH": site("groove-good")},
            # The tests themselves may run where SIGHUP is ignored, as under nohup.
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
        )  # fmt: skip

    return start


def until(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (signal.SIGINT, 130, "interrupted; finished files stay."),
        (signal.SIGTERM, 143, "ended by SIGTERM; finished files stay."),
        (signal.SIGHUP, 129, "ended by SIGHUP; finished files stay."),
    ],
)
def test_a_signal_keeps_finished_files_and_no_partial_one(started, tmp_path, number, code, said):
    process = started("run", "good", "beat", "--slow", "--format", "mid", "--out", "o", "-q")
    finished = tmp_path / "o/beat-001.mid"
    until(finished.exists)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == code
    assert stderr.split("\n") == ["", said, ""]
    assert [p.name for p in (tmp_path / "o").iterdir()] == ["beat-001.mid"]
    DrumPattern.read(finished)


def test_what_nohup_ignores_stays_ignored(shell):
    result = shell(f"trap '' HUP; {GROOVE} --version; kill -HUP $$; echo goes on")
    assert "goes on" in result.stdout


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="lists children on Linux")
def test_a_signal_ends_the_workers_too(started, tmp_path):
    for name in "abc":
        BEAT.save(tmp_path / f"in/{name}.mid")
    process = started("map", "good", "bars", "in", "--slow", "--jobs", "2")
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    until(lambda: len(listed.read_text().split()) >= 3)  # one of them looks after the others
    children = listed.read_text().split()
    assert len(children) >= 3
    process.terminate()
    begun = time.monotonic()
    process.communicate(timeout=60)
    until(lambda: not any(Path("/proc", child).exists() for child in children))
    assert time.monotonic() - begun < 4  # two seconds, on a machine that does nothing else
    assert process.returncode == 143


def test_a_reader_that_leaves_stops_the_printing_only(shell, tmp_path):
    result = shell(f"{GROOVE} run good beat --count 30 --seed 1 --format mid --out o -q | head -1")
    assert (result.returncode, result.stdout, result.stderr) == (0, "beat-001\n", "")
    assert len(list((tmp_path / "o").iterdir())) == 31
    result = shell(f"{GROOVE} run good beat --count 9999 --json -q | head -c 10")
    assert (result.returncode, result.stdout, result.stderr) == (0, '{"schema":', "")


def test_without_any_stdout_the_files_are_written(shell, tmp_path):
    assert shell(f"{GROOVE} run good beat --format txt --out o >&- 2>&-").returncode == 0
    assert (tmp_path / "o/result.json").is_file()


@full
def test_a_full_disk_behind_stdout_is_said(shell, tmp_path):
    for line in ("run good beat --json -q", "run good beat --format txt --out o -q", "info"):
        result = shell(f"{GROOVE} {line} > /dev/full")
        assert result.returncode == 2
        assert result.stderr.startswith("error: Cannot write to stdout: No space left on device.\n")
        assert len(result.stderr.splitlines()) == 2


def test_a_journal_that_may_not_grow_is_named(shell, tmp_path):
    for number in range(30):
        BEAT.save(tmp_path / f"in/{number:03}.mid")
    result = shell(f"ulimit -f 4; {GROOVE} map good bars in --out o --format txt -q > /dev/null")
    assert result.returncode == 2
    assert result.stderr.startswith("error: Cannot write to o/results.jsonl: File too large.\n")


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_output_is_utf8_whatever_the_console_says(site, groove, tmp_path, encoding):
    names = ["ドラム.mid", os.fsdecode(b"b\xff.mid")]
    for name in names:
        (tmp_path / name).write_bytes(BEAT.to_score().to_midi())
    result = groove(
        "run", "good", "bars", *names, "--json", path=site("groove-good"), PYTHONIOENCODING=encoding
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["options"]["beats"] == names
    assert '"ドラム.mid"' in result.stdout


def test_a_name_that_the_font_lacks_is_drawn_without_a_word(tmp_path):
    pytest.importorskip("matplotlib")
    from groove_core.values.plots import new_axes, save_png

    def plot():
        axes = new_axes(2, 2)
        axes.set_title("ドラム")
        return axes

    save_png(plot, tmp_path / "a.png")  # warnings are errors here
    assert (tmp_path / "a.png").stat().st_size > 100


def test_runs_side_by_side_have_a_folder_each(started, tmp_path):
    runs = [
        started("run", "good", "beat", "--count", "1", "--seed", "1", "--format", "txt")
        for _ in range(5)
    ]
    assert [(run.communicate(timeout=60)[1], run.returncode) for run in runs] == [
        ("seed 1\n", 0)
    ] * 5
    folders = list((tmp_path / "groove-out").iterdir())
    assert len(folders) == 5
    assert all((folder / "result.json").is_file() for folder in folders)
