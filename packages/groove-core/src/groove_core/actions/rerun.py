"""Making a result again from its document, which may be a stranger's."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from groove_core.actions.binding import files_of, renamed
from groove_core.actions.params import Param, describe, plain
from groove_core.console import note
from groove_core.errors import InputError, UsageError, did_you_mean
from groove_core.hookspecs import RESULT_SCHEMA
from groove_core.plugins import loader
from groove_core.storage.files import file_sha256, read_json

__all__ = ["current", "options", "read", "versions"]

SHAPE: dict[str, type] = {
    "package": str, "version": str, "action": str, "options": dict, "files": list,
}  # fmt: skip


def read(path: Path) -> dict[str, Any]:
    """Read a result document and check the types of all that a rerun uses.

    Raises
    ------
    InputError
        If it is not the document of a run.
    """
    document = read_json(path)
    if (
        not isinstance(document, dict)
        or document.get("schema") != RESULT_SCHEMA
        or not all(isinstance(document.get(key), kind) for key, kind in SHAPE.items())
        or not all(isinstance(file, str) for file in document["files"])
        or not isinstance(document.get("versions", {}), dict)
        or not _are_inputs(document.get("inputs", []))
    ):
        raise InputError(
            f"{path} is not a result of a run.", hint="Give a result.json that groove run saved."
        )
    return document


def current(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document in the words of today, where an action or its options were renamed."""
    plugin = loader.load(document["package"])
    action = plugin.action(document["action"])
    params = describe(loader.resolve(action.run, owner=plugin.source))
    preset = action.aliases.get(document["action"], {})
    given = {name: value for name, value in document["options"].items() if value is not None}
    now = {alias.lower(): param.name for param in params for alias in param.opt.aliases}
    inputs = [
        one | {"option": now.get(one["option"], one["option"])}
        for one in document.get("inputs", [])
    ]
    options = renamed(params, {**preset, **given})
    return document | {"action": action.name, "options": options, "inputs": inputs}


def _are_inputs(inputs: Any) -> bool:
    return isinstance(inputs, list) and all(
        isinstance(one, dict)
        and all(isinstance(one.get(key), str) for key in ("option", "file", "sha256"))
        for one in inputs
    )


def versions(before: dict[str, Any]) -> dict[str, str]:
    """Return the installed versions of what a document names."""
    found: dict[str, str] = {}
    for name in ("groove-core", "numpy", "torch"):  # not whatever a stranger's document asks for
        if name in before:
            with contextlib.suppress(metadata.PackageNotFoundError):
                found[name] = metadata.version(name)
    return found


def options(document: dict[str, Any], path: Path, given: Sequence[str]) -> dict[str, Any]:
    """Return the options of a run, with its inputs found and its places asked for.

    Parameters
    ----------
    document : dict
        Of `read`.
    path : Path
        Where it is: its inputs may lie beside it.
    given : sequence of str
        ``NAME=VALUE`` for places where the action writes besides its result.

    Raises
    ------
    InputError
        If an input is missing or is another file than then.
    UsageError
        If a place is not given again, or something else is given.
    """
    plugin = loader.load(document["package"])
    action = plugin.action(document["action"])
    params = describe(loader.resolve(action.run, owner=plugin.source))
    found = {name: value for name, value in document["options"].items() if value is not None}
    _set_places([p for p in params if p.opt.role == "place"], found, given, path)
    then: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for one in document.get("inputs", []):
        then[one["option"]].append((one["file"], one["sha256"]))
    for param in params:
        if param.name in then:
            found[param.name] = _inputs(param, found.get(param.name), then[param.name], path)
        elif files_of(param, value := found.get(param.name)) or _is_folder(param, value):
            note(f"warning: {path} has no hash of {param.name}, which may have changed since")
    return found


def _is_folder(param: Param, value: Any) -> bool:
    """Return whether an option names a folder, such as data to train on: those are not hashed."""
    return param.type is Path and isinstance(value, str) and Path(value).is_dir()


def _set_places(
    params: list[Param], found: dict[str, Any], given: Sequence[str], path: Path
) -> None:
    wanted = dict(one.partition("=")[::2] for one in given)
    for name in wanted:
        if name not in {param.name for param in params}:
            raise UsageError(
                f"--option cannot set {name}: it is for places where the action writes.",
                hint=did_you_mean(name, [param.name for param in params])
                or "Leave it out: all other options come from the document.",
            )
    for param in params:
        before = found.pop(param.name, None)
        if param.name in wanted:
            text = wanted[param.name]
            found[param.name] = text == "true" if param.type is bool else text
        elif before is not None and before != plain(param.default):
            shown = str(before).lower() if isinstance(before, bool) else before
            raise UsageError(
                f"{path} names a place to write to: {param.name} {shown}.",
                hint=f"If that is what you want: --option {param.name}={shown}",
            )


def _inputs(param: Param, value: Any, then: list[tuple[str, str]], path: Path) -> Any:
    """Find the files of one option; as the document names them where they are still there."""
    files = [_find(Path(file), sha256, path) for file, sha256 in then]
    as_then = [Path(file) for file, _ in then]
    if files != as_then:
        return files if param.many else files[0]
    if files_of(param, value) != as_then:
        raise InputError(
            f"{value} holds other files than when {path} was made.",
            hint="Put them back, or groove run again for a new result.",
        )
    return value


def _find(file: Path, sha256: str, path: Path) -> Path:
    """Find an input where it was, seen from the current folder, or beside the document."""
    places = [file, path.parent / file, path.parent / file.name]
    there = [place for place in dict.fromkeys(places) if place.is_file()]
    for place in there:
        if file_sha256(place) == sha256:
            return place
    if there:
        raise InputError(
            f"{there[0]} is not the file that {path} was made from: its content differs.",
            hint="Put that file back, or groove run again for a new result.",
        )
    raise InputError(
        f"{file}, which {path} was made from, is not there.",
        hint=f"Run this in the folder that it is relative to, or put it into {path.parent}.",
    )
