"""Checking an installed plugin against every rule of the contract."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import pluggy

from groove_core.checks.rules import Problem
from groove_core.checks.static import check_contents, check_imports, check_names
from groove_core.errors import PluginError
from groove_core.hookspecs import GROUP
from groove_core.plugins import loader

__all__ = ["Checked", "Examined", "check_plugin", "examine"]


@dataclass(frozen=True)
class Checked(loader.Plugin):
    """A plugin that keeps the contract, and what of it was tried."""

    ran: tuple[str, ...]
    """Actions and renderers that were run."""
    skipped: dict[str, str]
    """Actions and renderers that were not, and why."""


@dataclass
class Examined:
    """What an examination has found."""

    name: str
    version: str | None = None
    plugin: loader.Plugin | None = None
    """None if it cannot be loaded."""
    problems: list[Problem] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)


def check_plugin(
    plugin: str,
    *,
    run: bool = False,
    arguments: Mapping[str, Mapping[str, Any]] | None = None,
    skip: Collection[str] = (),
) -> Checked:
    """Check an installed plugin against the contract; raise everything that is wrong.

    Parameters
    ----------
    plugin : str
        The name of the package or its plugin module, for example ``drum-space`` or
        ``drum_space.plugin``.
    run : bool
        Run what can be run, too: every analyzer and generator on small values, mistakes,
        renderers and observers, in a temporary folder. It looks after the files there, in
        GROOVE_HOME and in the package; elsewhere it cannot see what is written.
    arguments : mapping of mappings, optional
        By action: options it needs to be run, for example
        ``{"train": {"data": "tests/notes", "epochs": 1}}``.
    skip : collection of str
        Actions that are not to be run, because they take too long.

    Returns
    -------
    Checked
        The plugin; `Checked.skipped` says what was not run, and why.

    Raises
    ------
    AssertionError
        Naming every rule that is broken, with a hint.
    UsageError
        If `arguments` or `skip` names an action that is not there.
    """
    __tracebackhide__ = True  # pytest shows the rules, not this function
    found = examine(plugin, run=run, arguments=arguments, skip=skip)
    rules = len({problem.rule for problem in found.problems})
    broken = "\n".join(f"- {problem}" for problem in found.problems)
    assert not found.problems, (
        f"{found.name} breaks {rules} {'rule' if rules == 1 else 'rules'} of plugins:\n{broken}"
    )
    assert found.plugin is not None
    about = {f.name: getattr(found.plugin, f.name) for f in fields(loader.Plugin)}
    return Checked(**about, ran=tuple(found.ran), skipped=found.skipped)


def examine(
    plugin: str,
    *,
    run: bool = False,
    arguments: Mapping[str, Mapping[str, Any]] | None = None,
    skip: Collection[str] = (),
) -> Examined:
    """Do what `check_plugin` does, and give what it has found instead of raising it."""
    found = Examined(plugin)
    entries = [e for e in loader.installed() if plugin in (e.module, e.name) and e.group == GROUP]
    if not entries:
        message = f"{plugin} is not registered in the entry-point group {GROUP!r}"
        found.problems.append(Problem("registered", message))
        return found
    entry = entries[0]
    found.name, found.version = entry.name, entry.version
    try:
        found.plugin = loader.load(entry.name)
    except PluginError as error:
        found.problems.append(_why(error))
    actions = list(found.plugin.actions.values()) if found.plugin else []
    found.problems += check_names(entry)
    imports = list(check_imports(entry, actions))
    if found.plugin is None:
        # Why it cannot be loaded is said already.
        found.problems += [problem for problem in imports if problem.rule != "loads"]
        return found
    found.problems += imports
    found.problems += check_contents(found.plugin)
    if run:
        from groove_core.checks.trial import try_plugin

        trial = try_plugin(found.plugin, arguments or {}, skip)
        found.problems += trial.problems
        found.ran, found.skipped = trial.ran, trial.skipped
    else:
        found.skipped = dict.fromkeys(found.plugin.actions, "nothing was to be run")
    return found


def _why(error: PluginError) -> Problem:
    """Tell which rule a plugin breaks that cannot be loaded."""
    cause = error.__cause__
    if isinstance(cause, pluggy.PluginValidationError):
        return Problem("hooks", error.message)
    if cause is not None:
        return Problem("loads", error.message)
    # Nothing was raised: it was found to be of another API, or there are two of it.
    return Problem("api" if "plugin API" in error.message else "registered", error.message)
