"""The chaos suite, in its short form; all of it runs at night."""

from __future__ import annotations

import subprocess
import sys

import pytest
from monorepo import ROOT

linux = pytest.mark.skipif(sys.platform != "linux", reason="it forks, and asks inotify")


def chaos(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools/chaos"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=1200)


@linux
@pytest.mark.slow
@pytest.mark.parametrize("part", ["kills", "races", "parallel", "mutants", "reruns"])
def test_nothing_is_lost_left_behind_or_touched(part):
    done = chaos("--short", "--only", part)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"{part}: ")
    assert "0 lost, 0 left behind, 0 wrong end" in done.stdout


@linux
def test_chaos_says_what_it_can_do():
    assert "--mutants" in chaos("--help").stdout
