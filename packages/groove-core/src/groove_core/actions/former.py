"""Former names of actions, for the Python API: they work for one minor version."""

from __future__ import annotations

import functools
from typing import Any

from groove_core.errors import PluginError
from groove_core.plugins import loader

__all__ = ["attribute"]


def attribute(package: str, name: str) -> Any:
    """Return the action that a name of a package's Python API once stood for.

    What was renamed is said by the plugin module: see `groove_core.hookspecs.Action.aliases`.

    Raises
    ------
    AttributeError
        If no action ever had that name.
    """
    missing = AttributeError(f"module {package!r} has no attribute {name!r}")
    try:
        plugin = loader.load(package.replace("_", "-"))
    except PluginError as error:
        raise missing from error
    for action in plugin.actions.values():
        for alias, options in action.aliases.items():
            if alias.replace("-", "_") == name:
                function = loader.resolve(plugin.action(alias).run, owner=plugin.source)
                return functools.partial(function, **options)
    raise missing
