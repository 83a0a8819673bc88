"""The rules that can be checked without running an action."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from groove_core.actions.params import RESERVED, Param, describe, json_schema
from groove_core.checks.rules import Problem
from groove_core.errors import PluginError
from groove_core.hookspecs import Action, Kind, Renderer
from groove_core.plugins import kinds, loader
from groove_core.plugins.names import KEBAB, OURS, PREFIX
from groove_core.values.base import Value

__all__ = ["check_contents", "check_imports", "check_names", "fits_unit"]

BUDGET_S = 0.05
"""Processor time that importing a plugin module may take, beside groove_core.hookspecs."""

UNITS = {
    # ending of a name: how its unit may be written
    "_s": {"s", "seconds"},
    "_ms": {"ms", "milliseconds"},
    "_bpm": {"bpm"},
    "_hz": {"Hz"},
    "_db": {"dB", "dBFS"},
    "_lufs": {"LUFS"},
    "_cents": {"cents"},
    "_semitones": {"semitones"},
    "_samples": {"samples"},
    "_ticks": {"ticks"},
    "sample_rate": {"Hz"},
    "bars": {"bars"},
}
_DEMANDING = ("_s", "_ms", "_bpm", "_hz", "sample_rate")
"""Where the unit demands the ending, too: what is mixed up most easily."""

# Run apart, since here everything may be imported already.
_PROBE = """
import importlib, json, sys, time
sys.path[:] = json.loads(sys.argv[2])
import groove_core.hookspecs
before = set(sys.modules)
start = time.process_time()
importlib.import_module(sys.argv[1])
spent = time.process_time() - start
print()
print(json.dumps([spent, sorted(set(sys.modules) - before)]))
"""


def check_names(entry: loader.Installed) -> Iterator[Problem]:
    """Check what the metadata says; nothing is imported."""
    name = entry.name
    if not KEBAB.fullmatch(name):
        yield Problem("name", f"the entry point {name!r} is not in kebab-case")
    if re.sub(r"[-_.]+", "-", entry.distribution).lower() != name:
        yield Problem(
            "name", f"the entry point is called {name!r}, its distribution {entry.distribution!r}"
        )
    if not name.startswith(PREFIX) and name not in OURS:
        yield Problem("name", f"{name!r} does not begin with {PREFIX!r}")
    if not entry.summary:
        yield Problem(
            "summary",
            f"the distribution {entry.distribution} has no description",
            "Add description to [project] in pyproject.toml; groove run --help shows it.",
        )


def check_imports(entry: loader.Installed, actions: list[Action]) -> Iterator[Problem]:
    """Import the plugin module in a process of its own, and look at what that brought."""
    module = entry.module
    try:
        spent_s, brought = _probe(module)
        known = {*sys.stdlib_module_names, "groove_core", "pluggy", module.partition(".")[0]}
        heavy = sorted({name.partition(".")[0] for name in brought} - known)
        for _ in range(2):  # the first time, Python compiles it; and others use the processor
            if spent_s > BUDGET_S and not heavy:
                spent_s = min(spent_s, _probe(module)[0])
    except subprocess.CalledProcessError as error:
        last = error.stderr.strip().splitlines()[-1:] or ["no message"]
        yield Problem("loads", f"importing {module} in a new process fails: {last[0]}")
        return
    if heavy:
        yield Problem("light-import", f"importing {module} imports {', '.join(heavy)}")
    elif spent_s > BUDGET_S:
        yield Problem(
            "fast-import",
            f"importing {module} takes {spent_s * 1000:.0f} ms, {BUDGET_S * 1000:.0f} at most",
        )
    eager = sorted({action.run.partition(":")[0] for action in actions} & set(brought))
    for name in eager:
        yield Problem("lazy-import", f"importing {module} imports {name}")


def _probe(module: str) -> tuple[float, list[str]]:
    found = subprocess.run(
        [sys.executable, "-c", _PROBE, module, json.dumps(sys.path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    spent_s, brought = json.loads(found.stdout.splitlines()[-1])
    return spent_s, brought


def check_contents(plugin: loader.Plugin) -> Iterator[Problem]:
    """Check what the hooks returned: actions, data sets and renderers."""
    package = plugin.package
    if not _is_line(package.summary):
        yield Problem("summary", "groove_package has no summary of one line")
    for action in plugin.actions.values():
        yield from _check_action(plugin, action)
    for dataset in plugin.datasets:
        if not KEBAB.fullmatch(dataset.name):
            yield Problem("dataset", f"the name {dataset.name!r} is not in kebab-case")
        if not dataset.license:
            yield Problem("dataset", f"the data set {dataset.name} has no licence")
        yield from _resolve(plugin, f"the data set {dataset.name}", dataset.open)[1]
    for kind in plugin.kinds:
        yield from _check_kind(plugin, kind)
    for renderer in plugin.renderers:
        yield from _check_renderer(renderer)
        yield from _resolve(plugin, f"the renderer of .{renderer.suffix}", renderer.run)[1]


def _is_line(text: str) -> bool:
    return bool(text.strip()) and "\n" not in text


def _resolve(plugin: loader.Plugin, what: str, address: str) -> tuple[Any, list[Problem]]:
    try:
        function = loader.resolve(address, owner=plugin.source)
    except PluginError as error:
        # The hint of that error is for users, who can only install the package again.
        return None, [Problem("address", f"{what}: {error.message}")]
    except Exception as error:
        message = f"{what}: importing {address} raises {type(error).__name__}: {error}"
        return None, [Problem("address", message)]
    if not callable(function):
        return None, [Problem("address", f"{what}: {address} is not a function")]
    return function, []


def _check_action(plugin: loader.Plugin, action: Action) -> Iterator[Problem]:
    name = action.name
    if not KEBAB.fullmatch(name):
        yield Problem("action-name", f"{name!r} is not in kebab-case")
    if name in RESERVED:
        yield Problem("action-name", f"{name!r} is the name of an option of the core")
    if not _is_line(action.summary):
        yield Problem("summary", f"{name} has no summary of one line")
    function, problems = _resolve(plugin, name, action.run)
    yield from problems
    if function is None:
        return
    if not inspect.getdoc(function):
        yield Problem("docstring", f"{name} has no docstring")
    if inspect.unwrap(function) is function:
        yield Problem("checked-calls", f"{name} is not decorated with @action")
    try:
        params = describe(function)
        json.dumps(json_schema(function), allow_nan=False)
    except (TypeError, ValueError, NameError) as error:
        yield Problem("signature", f"{name}: {error}")
        return
    if {"checkpoint", "device"} & {p.opt.role for p in params} == {"checkpoint"}:
        yield Problem("device", f"{name} takes a checkpoint, and computes on the CPU only")
    for param in params:
        yield from _check_param(f"{name} {param.flag}", param)


def _check_param(where: str, param: Param) -> Iterator[Problem]:
    low, high, default = param.opt.min, param.opt.max, param.default
    if not param.opt.help.strip():
        yield Problem("help", f"{where} has no help")
    if param.type in (int, float) and not fits_unit(param.name, param.opt.unit):
        shown = f"the unit {param.opt.unit!r}" if param.opt.unit else "no unit"
        yield Problem("unit", f"{where} has {shown}")
    if low is not None and high is not None and low > high:
        yield Problem("range", f"{where} has no value from {low} to {high}")
    if param.required or default is None or param.many or param.is_value:
        return
    if param.choices:
        if default not in param.choices:
            yield Problem(
                "range", f"{where}: {default!r} is not one of {', '.join(map(str, param.choices))}"
            )
    elif param.type in (int, float):
        if isinstance(default, bool) or not isinstance(default, (int, param.type)):
            yield Problem("signature", f"{where}: its default {default!r} is no number")
        elif (low is not None and default < low) or (high is not None and default > high):
            yield Problem("range", f"{where}: its default {default} is not {param.range}")


def fits_unit(name: str, unit: str) -> bool:
    """Return whether the name of a number and its unit say the same.

    >>> fits_unit("length_s", "s"), fits_unit("length_s", ""), fits_unit("length", "s")
    (True, False, False)
    """
    if "_per_" in name:  # a ratio has a unit of its own
        return True
    for ending, units in UNITS.items():
        if name.endswith(ending):
            return unit in units
    return not any(unit in UNITS[ending] for ending in _DEMANDING)


def _check_kind(plugin: loader.Plugin, kind: Kind) -> Iterator[Problem]:
    others = {one.name: owner for one, owner in kinds.every()}
    if not KEBAB.fullmatch(kind.name):
        yield Problem("kind", f"{kind.name!r} is not in kebab-case")
    if (owner := others.get(kind.name)) and owner.source.name != plugin.source.name:
        yield Problem("kind", f"{kind.name} is a kind of {owner.source.name} already")
    if not _is_line(kind.summary):
        yield Problem("summary", f"the kind {kind.name} has no summary of one line")
    found, problems = _resolve(plugin, f"the kind {kind.name}", kind.value)
    yield from problems
    if found is not None and not (isinstance(found, type) and issubclass(found, Value)):
        yield Problem("kind", f"{kind.value} is no subclass of groove_core.values.Value")
    elif found is not None and found.kind != kind.name:
        yield Problem("kind", f"{kind.value} calls itself {found.kind!r}, not {kind.name!r}")
    for other, address in kind.becomes.items():
        if other not in others:
            yield Problem("kind", f"{kind.name} becomes {other!r}, which no package brings")
        yield from _resolve(plugin, f"{kind.name} as {other}", address)[1]
    if not kind.example:
        yield Problem("kind", f"{kind.name} has no example")
    else:
        yield from _resolve(plugin, f"the example of {kind.name}", kind.example)[1]


def _check_renderer(renderer: Renderer) -> Iterator[Problem]:
    what = f"{renderer.kind} as .{renderer.suffix}"
    if not re.fullmatch(r"[a-z0-9]+", renderer.suffix):
        yield Problem("renderer", f"{what}: the ending has more than small letters and digits")
    elif (
        renderer.kind in kinds.core_kinds()
        and renderer.suffix in kinds.class_of(renderer.kind).formats()
    ):
        yield Problem("renderer", f"{what}: the core writes that, and never asks for yours")
