"""Finding and loading packages: targeted, light, isolated, never silent, checked.

Names and versions come from installed metadata, so listing imports nothing.
Each package is loaded into a plugin manager of its own: pluggy's stock loader
and hook calls stop at the first exception, and one broken package must never
take the others down.
"""

from __future__ import annotations

import functools
import importlib
import operator
import os
import re
import sys
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import pluggy

from groove_core.console import note
from groove_core.errors import PluginError, UsageError, did_you_mean
from groove_core.hookspecs import (
    API_VERSION,
    COMMAND_GROUP,
    ENGINE_GROUP,
    GROUP,
    OBSERVER_GROUP,
    Action,
    Dataset,
    GrooveHooks,
    Kind,
    Package,
    Renderer,
)
from groove_core.plugins.guests import guest

__all__ = [
    "Installed",
    "Plugin",
    "commands",
    "damaged",
    "describe",
    "engines",
    "find",
    "installed",
    "load",
    "load_all",
    "load_watcher",
    "observers",
    "resolve",
    "watchers",
]

ACTION_HOOKS = {
    "groove_analyzers": "analyzer",
    "groove_generators": "generator",
    "groove_trainers": "trainer",
}
_ADDRESS = re.compile(r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$")


@dataclass(frozen=True, slots=True)
class Installed:
    """An entry point as installed metadata tells it; nothing is imported."""

    name: str
    group: str
    module: str
    distribution: str
    version: str
    summary: str
    address: str = ""
    """What the entry point names: a module, or a function in it."""

    @property
    def api_major(self) -> int:
        """Major version of the API, from the name of the entry-point group."""
        return int(self.group.rsplit("v", 1)[1])


@dataclass(frozen=True)
class Plugin:
    """A package that was loaded and passed every check."""

    source: Installed
    package: Package
    actions: dict[str, Action]
    roles: dict[str, str] = field(repr=False)
    """By action: analyzer, generator or trainer."""
    datasets: tuple[Dataset, ...]
    renderers: tuple[Renderer, ...]
    kinds: tuple[Kind, ...]
    manager: pluggy.PluginManager = field(repr=False, compare=False)

    def action(self, name: str) -> Action:
        """Look up an action; one that is asked for by a former name says what it is called now.

        Raises
        ------
        UsageError
            If the package has no such action; the hint has the nearest name.
        """
        if name in self.actions:
            return self.actions[name]
        for action in self.actions.values():
            if name in action.aliases:
                options = " ".join(_flag(*option) for option in action.aliases[name].items())
                note(f"{self.package.name} {name} is now {f'{action.name} {options}'.strip()}")
                return action
        raise UsageError(
            f"{self.package.name} has no action {name!r}.",
            hint=did_you_mean(name, list(self.actions))
            or f"groove run {self.package.name} --help lists its actions.",
        )


def _flag(name: str, value: Any) -> str:
    """Return an option as the command line has it."""
    flag = name.replace("_", "-")
    return f"--{flag} {value}" if not isinstance(value, bool) else f"--{'no-' * (not value)}{flag}"


def installed() -> list[Installed]:
    """List the packages of any API version, by name, without importing them.

    Those that ``GROOVE_WITHOUT`` names are left out.
    """
    without = {name.strip() for name in os.environ.get("GROOVE_WITHOUT", "").split(",")}
    found = (entry for entry in _metadata()[0] if re.fullmatch(r"groove\.v\d+", entry.group))
    wanted = (entry for entry in found if entry.name not in without)
    return sorted(wanted, key=lambda entry: (entry.name, entry.distribution))


def damaged() -> list[str]:
    """List the distributions whose installed metadata cannot be read, each with the reason."""
    return list(_metadata()[1])


def _metadata() -> tuple[list[Installed], list[str]]:
    """Read what installed metadata says of Groove, again only after something was installed."""
    return _scan(tuple((place, _distributions(place, _changed_ns(place))) for place in sys.path))


def _changed_ns(place: str) -> int:
    try:
        return Path(place).stat().st_mtime_ns
    except OSError:
        return 0


@functools.lru_cache(maxsize=64)
def _distributions(place: str, _changed_ns: int) -> frozenset[str]:
    """Name the distributions in a folder, which may be the one that a run writes to."""
    try:
        return frozenset(n for n in os.listdir(place or ".") if n.endswith("-info"))  # noqa: PTH208
    except OSError:
        return frozenset()


@functools.lru_cache(maxsize=1)
def _scan(_state: tuple[tuple[str, frozenset[str]], ...]) -> tuple[list[Installed], list[str]]:
    found: list[Installed] = []
    broken: list[str] = []
    seen: set[str] = set()
    for distribution in metadata.distributions():
        try:
            found += _entry_points(distribution, seen)
        except Exception as error:  # of a stranger's package, which must not stop the others
            place = getattr(distribution, "_path", "a distribution")
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            broken.append(f"The metadata of {place} is damaged: {reason}.")
    return found, broken


def _entry_points(distribution: metadata.Distribution, seen: set[str]) -> list[Installed]:
    # Most distributions have nothing for us: a look at the text is enough to pass
    # them over, and their metadata is never parsed.
    if "groove." not in (distribution.read_text("entry_points.txt") or ""):
        return []
    about = distribution.metadata.json
    # An editable install can be met twice; the first on the path is the one that runs.
    key = re.sub(r"[-_.]+", "-", str(about["name"])).lower()
    if key in seen:
        return []
    seen.add(key)
    return [
        Installed(
            name=point.name,
            group=point.group,
            module=point.value.partition(":")[0].strip(),
            distribution=str(about["name"]),
            version=str(about["version"]),
            summary=str(about.get("summary", "")),
            address=point.value.strip(),
        )
        for point in distribution.entry_points
        if point.group.startswith("groove.")
    ]


def find(name: str, everything: list[Installed] | None = None) -> Installed:
    """Find one installed package by name, without importing it.

    Parameters
    ----------
    name : str
    everything : list of Installed, optional
        What `installed` gave, where it is known already.

    Raises
    ------
    PluginError
        If it is not installed, is made for another major API, or if two
        distributions claim its name.
    """
    everything = installed() if everything is None else everything
    found = [entry for entry in everything if entry.name == name]
    if not found:
        names = sorted({entry.name for entry in everything})
        hint = did_you_mean(name, names) or f"pip install {name}, or groove plugins to see all."
        raise PluginError(f"No package named {name!r} is installed.", hint=hint)
    distributions = sorted({entry.distribution for entry in found})
    if len(distributions) > 1:
        raise PluginError(
            f"{name!r} is claimed by {' and '.join(distributions)}.",
            hint=f"pip uninstall {distributions[-1]} (keep the one you want).",
        )
    # One distribution may serve several API majors: take ours where it does.
    for entry in found:
        if entry.group == GROUP:
            return entry
    raise _other_api(found[0], f"{found[0].api_major}.x")


def _other_api(entry: Installed, wanted: str) -> PluginError:
    return PluginError(
        f"{entry.distribution} {entry.version} is made for plugin API {wanted}; "
        f"this groove-core has {API_VERSION[0]}.{API_VERSION[1]}.",
        hint=f"pip install --upgrade groove-core {entry.distribution}",
    )


def load(name: str) -> Plugin:
    """Load one package and no other.

    Raises
    ------
    PluginError
        If it is not installed, fails to import, breaks the contract, or is
        made for another API. The hint says what to do.
    """
    return _load(find(name))


def load_all(
    everything: list[Installed] | None = None,
) -> tuple[list[Plugin], dict[str, PluginError]]:
    """Load every installed package; those that fail come back with their error."""
    plugins, broken = [], {}
    everything = installed() if everything is None else everything
    for name in dict.fromkeys(entry.name for entry in everything):
        try:
            plugins.append(_load(find(name, everything)))
        except PluginError as error:
            broken[name] = error
    return plugins, broken


def _load(entry: Installed) -> Plugin:
    try:
        with guest(entry.distribution):
            return describe(entry)
    except (PluginError, KeyboardInterrupt):
        raise
    except ModuleNotFoundError as error:
        lacking = _lacking(f"{entry.distribution} {entry.version}", error, entry)
        if entry.distribution not in lacking.hint:
            lacking.hint += f", or pip uninstall {entry.distribution}"
        raise lacking from error
    except BaseException as error:  # a plugin that calls sys.exit() is broken, too
        raise _broken(entry, error) from error


def _lacking(what: str, error: ModuleNotFoundError, owner: Installed | None) -> PluginError:
    """Return the error of a missing module, with what to install for it."""
    missing = (error.name or "").partition(".")[0]
    if owner is not None and missing == owner.module.partition(".")[0]:
        return _broken(owner, error)  # a part of its own
    wanted = "groove-core[torch]" if missing in _TORCH_EXTRA else missing
    # The module `yaml` comes with PyYAML: metadata knows, where all else is there.
    absent = [one for one in _requirements(owner) if not _is_there(one)]
    if len(absent) == 1 and wanted == missing:
        wanted = absent[0]
    return PluginError(
        f"{what} needs the module {error.name!r}, which is not installed.",
        hint=f'pip install "{wanted}"',
    )


def _requirements(owner: Installed | None) -> list[str]:
    """List what a distribution asks for in any case, without its extras."""
    try:
        asked = metadata.requires(owner.distribution) if owner is not None else None
    except metadata.PackageNotFoundError:
        asked = None
    return [one.strip() for one in asked or [] if ";" not in one]


def _is_there(requirement: str) -> bool:
    name = re.match(r"[\w.-]+", requirement)
    try:
        return name is not None and bool(metadata.version(name[0]))
    except metadata.PackageNotFoundError:
        return False


def _broken(entry: Installed, error: BaseException) -> PluginError:
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return PluginError(
        f"{entry.distribution} {entry.version} is broken: {reason}",
        hint=f"pip install --upgrade --force-reinstall {entry.distribution}, "
        f"or pip uninstall {entry.distribution}",
    )


def _register(module: str, name: str) -> pluggy.PluginManager:
    manager = pluggy.PluginManager("groove")
    manager.add_hookspecs(GrooveHooks)
    manager.register(importlib.import_module(module), name=name)
    manager.check_pending()  # a misspelt hook is an error, not a hook that never runs
    return manager


def describe(entry: Installed) -> Plugin:
    """Import a plugin module and check what its hooks say.

    Raises
    ------
    Exception
        Whatever the module or the checks raise; `load` names the package.
    """
    manager = _register(entry.module, entry.name)
    packages = manager.hook.groove_package()
    if len(packages) != 1 or not isinstance(packages[0], Package):
        raise TypeError("groove_package must return one Package")
    package = packages[0]
    if package.name != entry.name:
        raise ValueError(f"it is registered as {entry.name!r} but names itself {package.name!r}")
    if package.api[0] != API_VERSION[0] or package.api > API_VERSION:
        raise _other_api(entry, f"{package.api[0]}.{package.api[1]}")

    actions: dict[str, Action] = {}
    roles: dict[str, str] = {}
    for hook, role in ACTION_HOOKS.items():
        for action in _flat(getattr(manager.hook, hook)(), Action, hook):
            taken = {*actions, *(alias for other in actions.values() for alias in other.aliases)}
            for twice in taken & {action.name, *action.aliases}:
                raise ValueError(f"it has two actions named {twice!r}")
            if not _ADDRESS.match(action.run):
                raise ValueError(f"{action.run!r} is not of the form module:function")
            actions[action.name] = action
            roles[action.name] = role
    return Plugin(
        source=entry,
        package=package,
        actions=actions,
        roles=roles,
        datasets=tuple(_flat(manager.hook.groove_datasets(), Dataset, "groove_datasets")),
        renderers=tuple(_flat(manager.hook.groove_renderers(), Renderer, "groove_renderers")),
        kinds=tuple(_flat(manager.hook.groove_kinds(), Kind, "groove_kinds")),
        manager=manager,
    )


def _flat(results: list[Any], kind: type, hook: str) -> list[Any]:
    flat = [item for result in results for item in result]
    for item in flat:
        if not isinstance(item, kind):
            raise TypeError(f"{hook} must return {kind.__name__}s, not {type(item).__name__}")
    return flat


def observers() -> tuple[list[pluggy.PluginManager], list[PluginError]]:
    """Load the modules that asked to watch every run, and the errors of those that failed."""
    managers, broken = [], []
    for entry in watchers():
        try:
            managers.append(load_watcher(entry))
        except PluginError as error:
            broken.append(error)
    return managers, broken


def commands() -> dict[str, Installed]:
    """List the commands that packages add beside ``groove run``, without importing them."""
    return {entry.name: entry for entry in _metadata()[0] if entry.group == COMMAND_GROUP}


def engines() -> dict[str, Installed]:
    """List the engines that packages add for work on many files, without importing them."""
    return {entry.name: entry for entry in _metadata()[0] if entry.group == ENGINE_GROUP}


def watchers() -> list[Installed]:
    """List the modules that asked to watch every run, without importing them."""
    return [entry for entry in _metadata()[0] if entry.group == OBSERVER_GROUP]


def load_watcher(entry: Installed) -> pluggy.PluginManager:
    """Load one of them.

    Raises
    ------
    PluginError
        If it fails.
    """
    try:
        with guest(entry.distribution):
            return _register(entry.module, entry.name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise _broken(entry, error) from error


def resolve(address: str, *, owner: Installed | None = None) -> Any:
    """Import ``module:function`` or ``module:Class.method``.

    Raises
    ------
    PluginError
        If the module cannot be imported or lacks the function.
    """
    module, _, attribute = address.partition(":")
    try:
        with guest(owner.distribution if owner else module, draws=True):
            return operator.attrgetter(attribute)(importlib.import_module(module))
    except ModuleNotFoundError as error:
        raise _lacking(address, error, owner) from error
    except (ImportError, AttributeError) as error:
        if owner is not None:
            raise _broken(owner, error) from error
        raise PluginError(f"{address} cannot be loaded: {error}", hint="groove plugins") from error


_TORCH_EXTRA = {"torch", "safetensors", "lightning_fabric"}
