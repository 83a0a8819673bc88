"""Options as the page sends them, checked before a worker sees them: no paths of the client."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from groove_core.errors import UsageError
from groove_studio.workspace import Workspace, named_items

__all__ = ["Inputs", "checked"]

LONGEST, MOST = 10_000, 1000
"""Characters of a text, and parts of a list."""


@dataclass
class Inputs:
    """Turns what options name into what a worker takes."""

    workspace: Workspace
    texts: list[str] = field(default_factory=list)
    """Options that spell a value out, such as a phrase of notes."""
    kept: dict[str, Any] = field(default_factory=dict)
    """The options as the history keeps them: what was checked, and nothing else."""


def checked(schema: dict[str, Any], given: Any, inputs: Inputs) -> dict[str, Any]:
    """Return the options of a run, with the files of the workspace in place of items.

    Numbers, ranges and choices are checked by the action itself, as everywhere.

    Raises
    ------
    UsageError
        If an option is unknown, or names what is no item of this workspace.
    """
    if not isinstance(given, dict):
        raise UsageError("Options must be an object.", hint="Use the page of the studio.")
    found = {}
    for name, value in given.items():
        about = schema["properties"].get(name)
        if about is None:
            raise UsageError(f"There is no option {name[:40]!r}.", hint="Reload the page.")
        if value is None:
            continue
        inputs.kept[name] = value
        if _is_input(about):
            found[name] = _input(name, about, value, inputs)
        elif about.get("role") == "place" and not isinstance(value, bool):
            raise UsageError(f"The studio chooses {name} itself.", hint="Leave it out.")
        else:
            found[name] = _plain(name, value, inputs.workspace)
    return found


def _is_input(about: dict[str, Any]) -> bool:
    inner = [about, about.get("items") or {}, *(about.get("anyOf") or [])]
    inner += [one.get("items") or {} for one in inner]
    return "takes" in about or (
        any(one.get("format") == "path" for one in inner) and about.get("role") != "place"
    )


def _input(name: str, about: dict[str, Any], value: Any, inputs: Inputs) -> Any:
    if isinstance(value, dict) and isinstance(value.get("text"), str) and about.get("typed"):
        text = _text(name, value["text"])
        inputs.texts.append(name)
        inputs.kept[name] = {"text": text}
        return text
    items = [inputs.workspace.item(one) for one in named_items(value)]
    if not items:
        raise UsageError(f"{name} is missing.", hint="Drop a file on it, or pick an item.")
    inputs.kept[name] = {"items": [item.id for item in items]}
    takes = about.get("takes")
    for item in items:
        if takes is not None and item.kind not in takes:
            raise UsageError(
                f"{name} cannot be {item.name}, a {item.kind}.",
                hint=f"It takes {' or '.join(takes)}.",
            )
    paths = [str(inputs.workspace.folder / item.source) for item in items]
    return paths if about.get("many") else paths[0]


def _plain(name: str, value: Any, workspace: Workspace) -> Any:
    if isinstance(value, list) and all(isinstance(one, (str, int, float)) for one in value):
        if len(value) > MOST:
            raise UsageError(f"{name} has more than {MOST:,} parts.", hint="Shorten it.")
        return [_plain(name, one, workspace) for one in value]
    if isinstance(value, str):
        # A text may name a checkpoint or a phrase, but no file outside the workspace.
        for part in {_text(name, value), *re.split(r"[\s,;:=|'\"]+", value)}:
            if _leads_out(part, workspace.folder):
                raise UsageError(f"{name} cannot name files of this machine.",
                                 hint="Bring the file into the studio first.")  # fmt: skip
        return value
    if isinstance(value, (bool, int, float)) and math.isfinite(value):
        return value
    raise UsageError(f"{name} cannot be of this type.", hint="Use the page of the studio.")


def _text(name: str, value: str) -> str:
    if len(value) > LONGEST or not value.isprintable():
        raise UsageError(f"{name} is no text that an option can have.", hint="Shorten it.")
    return value


def _leads_out(text: str, folder: Path) -> bool:
    if not text or text.startswith("~") or "\\" in text:
        return text.startswith("~") or "\\" in text
    if os.path.isabs(text) or ".." in Path(text).parts:  # noqa: PTH117
        return True
    place = folder / text
    return os.path.lexists(place) and not place.resolve().is_relative_to(folder)
