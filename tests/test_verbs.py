"""Pages, READMEs and tools show the verbs and options of today."""

from __future__ import annotations

import re
from pathlib import Path

from groove_core.actions import describe
from groove_core.plugins import loader

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = (
    "drum-space", "gansynth-lite", "genre-map", "groove-vae", "melody-rnn", "music-recsys",
    "music-vae",
)  # fmt: skip
CORE = {"--out", "--format", "--json", "--quiet", "--overwrite", "--help", "--debug", "--jobs",
        "--timeout", "--shard", "--engine", "--gpus-per-task", "--files-from"}  # fmt: skip
SHOWN = ("README.md", "packages/*/*.md", "docs/pages/**/*.md", "docs/*.py", "tools/*.py")
COMMAND = re.compile(rf"groove (?:run|map) ({'|'.join(PACKAGES)}) ([a-z-]+)([^\n`\"|#]*)")


def commands():
    """Yield where each command is, its package, its action and its options."""
    for path in sorted({path for pattern in SHOWN for path in ROOT.glob(pattern)}):
        for found in COMMAND.finditer(path.read_text()):
            package, action, rest = found.groups()
            yield f"{path.relative_to(ROOT)}: {found[0]}", package, action, rest


def test_commands_name_what_there_is():
    plugins = {name: loader.load(name) for name in PACKAGES}
    faults, count = [], 0
    for where, package, name, rest in commands():
        action = plugins[package].actions.get(name)
        if name == "smaple":  # what a page on errors mistypes
            continue
        count += 1
        params = describe(loader.resolve(action.run)) if action else []
        known = {form + p.name.replace("_", "-") for p in params for form in ("--", "--no-")}
        if action is None or {*re.findall(r"--[\w-]+", rest)} - known - CORE:
            faults.append(where)
    assert faults == []
    assert count > 50
