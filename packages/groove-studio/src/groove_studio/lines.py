"""A run in other words: as a command line and as Python."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from groove_studio.workspace import Record, Workspace, named_items

__all__ = ["call_of", "command_line", "python_lines", "words_of"]


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


def words_of(
    package: str, action: str, given: Mapping[str, Any], schema: Mapping[str, Any]
) -> list[str]:
    """Return the words of a command line."""
    words, flags = ["groove", "run", package, action], []
    for name, about in schema["properties"].items():  # arguments have an order
        if name not in given:
            continue
        value, flag = given[name], about["flag"]
        many = value if isinstance(value, list) else [value]
        if not flag.startswith("--"):
            words += map(str, many)
        elif isinstance(value, bool):
            flags.append(flag if value else f"--no-{flag[2:]}")
        elif value != about.get("default"):
            flags += [text for one in many for text in (flag, str(one))]
    return [*words, *flags]


def call_of(
    function: str, first: Sequence[str], given: Mapping[str, Any], schema: Mapping[str, Any]
) -> str:
    """Return a call in Python."""
    properties = schema["properties"]
    named = [
        f"{name}={value!r}"
        for name, value in given.items()
        if value != properties.get(name, {}).get("default", ...)
    ]
    return f"{function}({', '.join([*map(repr, first), *named])})"


def command_line(record: Record, schema: dict[str, Any], workspace: Workspace) -> str:
    """Return what to type for the same result, in the folder of the workspace."""
    return shlex.join(words_of(record.package, record.action, _given(record, workspace), schema))


def python_lines(record: Record, schema: dict[str, Any], workspace: Workspace) -> str:
    """Return the same call in Python."""
    function = record.action.replace("-", "_")
    module = record.package.replace("-", "_")
    given = {
        name: value
        for name, value in _given(record, workspace).items()
        if name in schema["properties"]  # else the package has another version now
    }
    call = call_of(function, (), given, schema)
    return f"from {module} import {function}\n\nresult = {call}\n"
