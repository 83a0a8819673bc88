"""Kinds of values, how one becomes another, and what writes them to files.

The core's own are looked at first: the other packages are loaded only for what the core
does not know.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

from groove_core.errors import InputError, did_you_mean
from groove_core.hookspecs import GROUP, Kind
from groove_core.plugins import loader

__all__ = [
    "class_of", "converter", "core_endings", "core_kinds", "every", "find", "renderer", "sources",
]  # fmt: skip


@functools.lru_cache(maxsize=1)
def _core() -> loader.Plugin:
    """Return the core as a plugin; it needs no metadata."""
    return loader.describe(
        loader.Installed("groove-core", GROUP, "groove_core.plugins.core", "groove-core", "", "")
    )


def _plugins() -> Iterator[loader.Plugin]:
    """Yield the core, and only then load the installed packages."""
    yield _core()
    yield from _others(tuple(loader.installed()))


@functools.lru_cache(maxsize=1)
def _others(installed: tuple[loader.Installed, ...]) -> list[loader.Plugin]:
    return loader.load_all(list(installed))[0]


def every() -> list[tuple[Kind, loader.Plugin]]:
    """List the kinds of the core and of all installed packages, each with who brings it."""
    return [(kind, plugin) for plugin in _plugins() for kind in plugin.kinds]


def find(name: str) -> tuple[Kind, loader.Plugin]:
    """Find a kind by its name; the first package that brings it counts.

    Raises
    ------
    InputError
        If no installed package knows it.
    """
    for plugin in _plugins():
        for kind in plugin.kinds:
            if kind.name == name:
                return kind, plugin
    known = [kind.name for kind, _ in every()]
    raise InputError(
        f"No installed package knows values of kind {name!r}.",
        hint=did_you_mean(name, known) or f"Known kinds: {', '.join(known)}.",
    )


def class_of(name: str) -> Any:
    """Return the class of a kind of value; see `find`."""
    kind, plugin = find(name)
    return loader.resolve(kind.value, owner=plugin.source)


def converter(source: str, target: str) -> Callable[[Any], Any] | None:
    """Return what turns values of one kind into another; None where nothing does."""
    for plugin in _plugins():
        for kind in plugin.kinds:
            if kind.name == source and target in kind.becomes:
                run: Callable[[Any], Any] = loader.resolve(
                    kind.becomes[target], owner=plugin.source
                )
                return run
    return None


def sources(target: str) -> list[str]:
    """List the kinds that become another one."""
    return [kind.name for kind, _ in every() if target in kind.becomes]


def renderer(kind: str, suffix: str) -> Callable[[Any, Any], None] | None:
    """Return what writes a kind of value to files with an ending; None where nothing does."""
    for plugin in _plugins():
        for one in plugin.renderers:
            if (one.kind, one.suffix) == (kind, suffix):
                run: Callable[[Any, Any], None] = loader.resolve(one.run, owner=plugin.source)
                return run
    return None


def core_endings(kind: str) -> list[str]:
    """List the endings that the core's own renderers write a kind of value to."""
    return [one.suffix for one in _core().renderers if one.kind == kind]


def core_kinds() -> list[str]:
    """List the kinds of the core."""
    return [kind.name for kind in _core().kinds]
