"""The documentation is what the code says, and its examples run."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from groove_core.hookspecs import GrooveHooks

ROOT = Path(__file__).resolve().parents[1]
READMES = sorted([ROOT / "README.md", *ROOT.glob("packages/*/README.md")])


def test_generated_parts_are_up_to_date():
    result = subprocess.run(
        [sys.executable, ROOT / "docs/generate.py", "--check"], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr


def test_every_hook_is_documented():
    text = (ROOT / "packages/groove-core/README.md").read_text()
    for name, _ in inspect.getmembers(GrooveHooks, inspect.isfunction):
        assert f"`{name}(" in text


def test_the_package_of_the_readme_is_what_groove_new_writes(tmp_path):
    from groove_core.cli.app import run_cli

    assert run_cli(["new", "tabla", "--into", str(tmp_path)]) == 0
    text = (ROOT / "README.md").read_text()
    excerpts = re.findall(r"```python\n# (src/groove_tabla/\S+)\n(.*?)```", text, re.DOTALL)
    assert len(excerpts) == 2
    for file, excerpt in excerpts:
        assert excerpt in (tmp_path / "groove-tabla" / file).read_text()


@pytest.mark.parametrize("readme", READMES, ids=lambda p: p.parent.name)
def test_links_and_pictures_exist(readme):
    for link in re.findall(
        r"\]\((?!https?:)([^)#]+)\)|src=\"(?!https?:)([^\"]+)\"", readme.read_text()
    ):
        assert (readme.parent / (link[0] or link[1])).exists(), link
