"""The code on the pages runs, and prints what the pages say.

The pages of docs/pages and the READMEs are run as tools/check_readme.py does it, but each in
one process, so that PyTorch is imported once. The text after the comment
``<!-- output -->`` must be what the blocks before it have printed.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs/pages"
SLOW = {"tour.md", "genre-map", "groove-ray"}
OUTPUT = re.compile(r"<!-- output -->\n```text\n(.*?)```", re.DOTALL)
COMMAND = """
import contextlib, glob
from groove_core.cli.app import run_cli
with open(".printed", "a") as printed, open(".errors", "w") as errors:
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(errors):
        words = [path for word in {arguments!r} for path in sorted(glob.glob(word)) or [word]]
        code = run_cli(words)
assert code == 0, open(".errors").read()
"""
# Every package tests that it writes sound by default; a README renders it once for each value.
QUIET = """
from groove_core.values.base import Value
kinds = [Value]
for kind in kinds:
    kinds += kind.__subclasses__()
    if kind.default_formats == ("mid", "wav"):
        kind.default_formats = ("mid",)
"""


def pages():
    """List the pages that have code to run."""
    import check_readme

    for path in sorted(PAGES.rglob("*.md")):
        if any(not step.skipped for step in check_readme.steps(path.read_text())):
            name = path.relative_to(PAGES).as_posix()
            yield pytest.param(path, id=name, marks=[pytest.mark.slow] if name in SLOW else [])


def readmes():
    """List the READMEs; the longest are slow."""
    import check_readme

    for path in check_readme.readmes(ROOT):
        name = path.parent.name if path.parent != ROOT else "groove"
        yield pytest.param(path, id=name, marks=[pytest.mark.slow] if name in SLOW else [])


def in_process(step, after: str = "") -> str:
    """Give Python that does what a line of bash does, where it is a plain ``groove ...``."""
    words = shlex.split(step.text)
    if words[0] != "groove" or set(words) & {"&&", "|", ">", ";"}:
        call = f"subprocess.run({['bash', '-c', step.text]!r}, check=True, capture_output=True)"
        return f"import subprocess; {call}"
    return COMMAND.format(arguments=words[1:]) + after


def run_code(text: str, folder: Path, *, after: str = "") -> None:
    """Run the blocks of a page or README in order, in one process."""
    import check_readme

    env = {**os.environ, "GROOVE_HOME": str(folder / ".home"), "COLUMNS": "100",
           "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}  # fmt: skip
    ran = 0
    with check_readme.Blocks(folder, env) as blocks:
        for step in check_readme.steps(text):
            if step.skipped:
                continue
            error = blocks.run(in_process(step, after) if step.language == "bash" else step.text)
            assert not error, f"line {step.line}: {error}"
            ran += 1
    assert ran


@pytest.mark.parametrize("path", list(pages()))
def test_code_of_the_pages_runs(path, tmp_path):
    text = path.read_text()
    run_code(text, tmp_path)
    for expected in OUTPUT.findall(text):
        assert expected.strip() in (tmp_path / ".printed").read_text()


@pytest.mark.parametrize("path", list(readmes()))
def test_code_of_the_readmes_runs(path, tmp_path):
    run_code(path.read_text(), tmp_path, after=QUIET)
