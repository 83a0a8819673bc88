"""A run in other words: as a command line, as Python, and as a step of a chain."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from groove_studio.workspace import Record, Workspace, named_items

__all__ = ["chain_of", "command_line", "python_lines"]


def chain_of(record: Record, renewed: Mapping[str, str], *, new_seed: bool) -> dict[str, Any]:
    """Return the options of a step with items that were made anew, and another seed if wanted."""
    found = dict(record.options)
    for name, value in found.items():
        if items := named_items(value):
            found[name] = {"items": [renewed.get(one, one) for one in items]}
    if record.seed is not None:
        found["seed"] = None if new_seed else record.seed
    return found


def _given(record: Record, workspace: Workspace) -> dict[str, Any]:
    """Return the options with files in place of items."""
    found: dict[str, Any] = {}
    for name, value in record.options.items():
        if items := named_items(value):
            there = [workspace.items[one].source for one in items if one in workspace.items]
            found[name] = there if len(there) != 1 else there[0]
        elif isinstance(value, dict):
            found[name] = value.get("text")
        elif value is not None:
            found[name] = value
    if record.seed is not None:
        found["seed"] = record.seed
    return found


def command_line(record: Record, schema: dict[str, Any], workspace: Workspace) -> str:
    """Return what to type for the same result, in the folder of the workspace."""
    words, flags = ["groove", "run", record.package, record.action], []
    for name, value in _given(record, workspace).items():
        if (about := schema["properties"].get(name)) is None:
            continue  # the package has another version now
        flag = about["flag"]
        many = value if isinstance(value, list) else [value]
        if not flag.startswith("--"):
            words += map(str, many)
        elif isinstance(value, bool):
            flags.append(flag if value else f"--no-{flag[2:]}")
        elif value != about.get("default"):
            flags += [text for one in many for text in (flag, str(one))]
    return shlex.join([*words, *flags])


def python_lines(record: Record, schema: dict[str, Any], workspace: Workspace) -> str:
    """Return the same call in Python."""
    given = {
        name: value
        for name, value in _given(record, workspace).items()
        if value != schema["properties"].get(name, {"default": value}).get("default", ...)
    }
    arguments = ", ".join(f"{name}={value!r}" for name, value in given.items())
    function = record.action.replace("-", "_")
    module = record.package.replace("-", "_")
    return f"from {module} import {function}\n\nresult = {function}({arguments})\n"
