"""The code on the pages runs, and prints what the pages say.

READMEs are run by tools/check_readme.py; the pages of docs/pages are run here in the same way,
but each in one process, so that PyTorch is imported once a page. The text after the comment
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
SLOW = {"tour.md"}
OUTPUT = re.compile(r"<!-- output -->\n```text\n(.*?)```", re.DOTALL)
COMMAND = """
import contextlib, glob
from groove_core.cli.app import run_cli
with open(".printed", "a") as printed, open(".errors", "w") as errors:
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(errors):
        code = run_cli({arguments!r})
assert code == 0, open(".errors").read()
"""


def pages():
    """List the pages that have code to run."""
    import check_readme

    for path in sorted(PAGES.rglob("*.md")):
        if any(not step.skipped for step in check_readme.steps(path.read_text())):
            name = path.relative_to(PAGES).as_posix()
            yield pytest.param(path, id=name, marks=[pytest.mark.slow] if name in SLOW else [])


@pytest.mark.parametrize("path", list(pages()))
def test_code_of_the_pages_runs(path, tmp_path):
    import check_readme

    text = path.read_text()
    env = {**os.environ, "GROOVE_HOME": str(tmp_path / ".home"), "COLUMNS": "100",
           "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}  # fmt: skip
    ran = 0
    with check_readme.Blocks(tmp_path, env) as blocks:
        for step in check_readme.steps(text):
            if step.skipped:
                continue
            code = step.text
            if step.language == "bash":
                words = shlex.split(step.text)
                code = (
                    COMMAND.format(arguments=words[1:])
                    if words[0] == "groove"
                    else f"import subprocess; subprocess.run({words!r}, check=True)"
                )
            error = blocks.run(code)
            assert not error, f"{path.name}:{step.line}: {error}"
            ran += 1
    assert ran
    for expected in OUTPUT.findall(text):
        assert expected.strip() in (tmp_path / ".printed").read_text()
