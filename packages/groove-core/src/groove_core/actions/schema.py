"""A signature as others read it: a JSON schema, a table, and options as documents have them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from groove_core.actions.params import describe
from groove_core.values.base import Value

__all__ = ["json_schema", "markdown_table", "plain"]

_JSON_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", Path: "string"}


def json_schema(function: Callable[..., Any]) -> dict[str, Any]:
    """Describe the options of an action as JSON schema (draft 2020-12)."""
    params = describe(function)
    properties = {}
    for param in params:
        kind = _JSON_TYPES.get(param.type, "string")
        one: dict[str, Any] = {"type": kind}
        if param.is_value:
            one["format"] = " or ".join(kind.kind for kind in param.kinds)
        if param.choices:
            one["enum"] = list(param.choices)
        if param.opt.min is not None:
            one["minimum"] = param.opt.min
        if param.opt.max is not None:
            one["maximum"] = param.opt.max
        if param.many:
            one = {"type": "array", "items": one}
        if param.optional:
            one = {"anyOf": [one, {"type": "null"}]}
        one["description"] = param.opt.help
        if not param.required:
            one["default"] = plain(param.default)
        properties[param.name] = one
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "required": [p.name for p in params if p.required],
        "additionalProperties": False,
    }


def plain(value: Any) -> Any:
    """Make an option JSON-able: paths become strings, values their origin or JSON."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, Value):
        return value.to_json()
    return value


def markdown_table(function: Callable[..., Any]) -> str:
    """Describe the options of an action as a Markdown table, for the documentation."""
    rows = ["| option | meaning | range | default |", "| --- | --- | --- | --- |"]
    for param in describe(function):
        allowed = ", ".join(map(str, param.choices)) or param.range
        default = "required" if param.required else plain(param.default)
        default = "-" if default is None else default
        rows.append(f"| `{param.flag}` | {param.opt.help} | {allowed} | {default} |")
    return "\n".join(rows)
