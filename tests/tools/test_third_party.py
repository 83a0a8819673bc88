"""A package of a stranger, against wheels: a kind of value and a trainer in 120 lines."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CHORDS = Path(__file__).parents[1] / "chords"
CHARTS = {"one": "C | Am | F | G | C | Am | F | G", "two": "Dm | G | C | Am | Dm | G | C | C"}
CONTRACT = """
import json, pathlib
from groove_core.testing import check_plugin
checked = check_plugin("groove-chords", run=True, arguments={
    "train": {"charts": "charts", "epochs": 2, "into": "tried"}, "sample": {"checkpoint": "w"},
})
print(json.dumps([sorted(checked.ran), checked.skipped]))
"""
RESUME = """
from pathlib import Path
from groove_chords.chart import Chart
from groove_chords.model import ChordTraining, Settings, pairs
from groove_core.testing.training import check_resume
check_resume(ChordTraining, Settings(epochs=6), pairs([Chart(tuple("CFGC" * 20))]), Path("states"))
"""


@pytest.fixture(scope="module")
def run(build_wheel, core_wheel, tmp_path_factory):
    """Run Python in a folder of charts, with the wheels of the core and of the stranger."""
    site = tmp_path_factory.mktemp("site")
    wheels = [str(core_wheel), str(build_wheel(CHORDS))]
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", str(site), *wheels], check=True)
    folder = tmp_path_factory.mktemp("work")
    (folder / "charts").mkdir()
    for name, chart in CHARTS.items():
        (folder / f"charts/{name}.txt").write_text(chart)

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=folder, capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": str(site), "GROOVE_HOME": str(folder / "home")},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_it_is_small():
    """Fewer than 120 lines of code, without imports and docstrings."""
    count = 0
    for path in CHORDS.rglob("*.py"):
        text = path.read_text()
        code = {number for number, line in enumerate(text.splitlines(), 1) if line.strip()}
        for node in ast.walk(ast.parse(text)):
            is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            if is_text or isinstance(node, ast.Import | ast.ImportFrom):
                code -= set(range(node.lineno, node.end_lineno + 1))
        count += len(code)
    assert 60 < count < 120


@pytest.mark.slow
def test_a_kind_and_a_trainer_of_a_stranger(run):
    groove = ("-m", "groove_core", "run")
    report = json.loads(
        run(*groove, "groove-chords", "train", "charts", "--into", "w", "--device", "cpu", "--json")
    )
    assert report["result"]["data"]["history"][-1]["cross-entropy"] < 1.8  # 2.6 when it guesses
    ran, skipped = json.loads(run("-c", CONTRACT))
    assert ran == ["chord-chart", "sample", "train"]
    assert not skipped
    run("-c", RESUME)
    made = json.loads(
        run(*groove, "groove-chords", "sample", "--checkpoint", "w", "--seed", "1",
            "--format", "txt,json,mid", "--out", "chart", "--json")
    )  # fmt: skip
    assert made["result"]["kind"] == "chord-chart"
    # A package that has never heard of chord charts plays one.
    played = json.loads(
        run(*groove, "gansynth-lite", "render", "chart/sample.json", "--out", "o", "--json")
    )
    assert played["result"]["kind"] == "audio"
