"""What is asked of a GPU, without one."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace

import gpu
import pytest
from monorepo import Stop, tell


@pytest.fixture
def asked(monkeypatch) -> list[list[str]]:
    """Record commands instead of running them; the second one fails."""
    commands: list[list[str]] = []

    def run(command, *, timeout, **_):
        commands.append(command)
        if timeout < 2:
            raise subprocess.TimeoutExpired(command, timeout)
        return SimpleNamespace(returncode=len(commands) - 1)

    monkeypatch.setattr(gpu, "name_of_gpu", lambda: "A100")
    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_without_a_gpu_it_says_so(monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert tell(lambda: gpu.main([])) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines() == [
        "error: There is no GPU that torch can use.",
        "hint: Run this on a machine with one; hatch run test needs none.",
    ]


def test_tests_come_first_and_one_failure_ends_it(asked, capsys):
    with pytest.raises(Stop, match="The notes failed with 1"):
        gpu.main([])
    assert asked == list(gpu.PARTS.values())
    assert capsys.readouterr().out == "tests on A100\nnotes on A100\n"
    assert {"-m", "gpu"} <= {*asked[0]}


def test_one_part_alone(asked):
    assert gpu.main(["--only", "notes"]) == 0
    assert asked == [gpu.PARTS["notes"]]


def test_ten_minutes_are_enough(asked, monkeypatch):
    monkeypatch.setattr(gpu, "LIMIT_S", 0.0)
    with pytest.raises(Stop, match="ten minutes"):
        gpu.main([])
    assert len(asked) == 1
