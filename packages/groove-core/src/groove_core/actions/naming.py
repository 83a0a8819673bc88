"""What can be named: the choices of an option, its genres or styles, and checkpoints."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from groove_core.actions.params import Param, describe
from groove_core.errors import GrooveError
from groove_core.plugins import loader
from groove_core.storage import checkpoints

__all__ = ["choices_of", "named", "spell", "spelt"]


def named(param: Param, package: str, checkpoint: str | None = None) -> list[str]:
    """List what an option can be given by name; empty where it takes anything.

    Parameters
    ----------
    param : Param
    package : str
        Package of the action, whose checkpoints count.
    checkpoint : str, optional
        The one that the user chose: it may know other genres than the packaged one.

    Raises
    ------
    GrooveError
        If the checkpoint is not there, or is of another kind.
    """
    if param.choices:
        return [str(choice) for choice in param.choices]
    if param.opt.names:
        return [str(name) for name in loader.resolve(param.opt.names)(checkpoint)]
    if param.opt.role == "checkpoint" or param.opt.fits:
        return checkpoints.fitting(package, param.opt.fits)
    return []


def spelt(value: Any, names: Sequence[Any]) -> Any:
    """Return a value as it is spelt among names: Funk is funk; unchanged if it is not there.

    >>> spelt("FUNK", ["jazz", "funk"])
    'funk'
    """
    if isinstance(value, str) and value not in names:
        return next((name for name in names if str(name).lower() == value.lower()), value)
    return value


def spell(params: Sequence[Param], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return converted arguments with the names of genres and the like as they are known.

    What is not known stays as it is: the action tells of it, and may know more.
    """
    found = dict(given)
    chosen = next((given.get(p.name) for p in params if p.opt.role == "checkpoint"), None)
    for param in params:
        if param.opt.names and (value := found.get(param.name)) is not None:
            with contextlib.suppress(GrooveError):
                names = loader.resolve(param.opt.names)(chosen)
                if param.many:
                    found[param.name] = [spelt(one, names) for one in value]
                else:  # several may stand with commas between
                    parts = [spelt(one.strip(), names) for one in str(value).split(",")]
                    found[param.name] = ",".join(parts)
    return found


def choices_of(plugin: loader.Plugin) -> dict[str, dict[str, list[str]]]:
    """List what can be named in each action of a package, by action and flag.

    What cannot be told, of a broken checkpoint or of an action that fails to import, is left out.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for name, action in plugin.actions.items():
        found[name] = {}
        params: list[Param] = []
        with contextlib.suppress(GrooveError):
            params = describe(loader.resolve(action.run, owner=plugin.source))
        for param in params:
            with contextlib.suppress(GrooveError):
                if names := named(param, plugin.package.name):
                    found[name][param.flag] = names
    return found
