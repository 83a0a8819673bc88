"""The documentation is what the code says, and its examples run."""

from __future__ import annotations

import inspect
import os
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


@pytest.mark.parametrize("readme", READMES, ids=lambda p: p.parent.name)
def test_python_examples_run(readme, tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", readme.read_text(), re.DOTALL)
    assert blocks
    code = "\n".join(block for block in blocks if not block.startswith("# src/groove_tabla/"))
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr


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


def test_commands_of_the_readme_run(tmp_path):
    """Each line of the section on the command, in order, beside a folder of beats."""
    from groove_core.values.drums import DrumPattern

    text = (ROOT / "README.md").read_text()
    block = re.search(r"## The command\n\n```bash\n(.*?)```", text, re.DOTALL)
    for index in range(30):
        masks = [5, index, 4, 0, 6, 0, 4, index] * 8
        DrumPattern.from_masks(masks).save(tmp_path / f"my-midi-folder/{index}.mid")
    commands = [line.partition("#")[0].split() for line in block[1].splitlines()]
    assert len(commands) >= 9
    for command in commands:
        if "train" in command:
            command += ["--epochs", "2", "--batch-size", "4"]
        result = subprocess.run(
            [sys.executable, "-m", "groove_core", *command[1:]],
            cwd=tmp_path, capture_output=True, text=True,
            env={**os.environ, "COLUMNS": "100"},
        )  # fmt: skip
        assert result.returncode == 0, (command, result.stderr)
    assert len(list(tmp_path.rglob("*.wav"))) > 10
