"""What plugin authors run in their own tests.

>>> from groove_core.testing import check_plugin
>>> check_plugin("my_package.plugin")  # doctest: +SKIP
"""

from __future__ import annotations

import inspect
import subprocess
import sys

from groove_core import plugins
from groove_core.hookspecs import GROUP
from groove_core.params import describe, json_schema

__all__ = ["check_plugin"]

HEAVY = ("torch", "librosa", "scipy", "numba", "matplotlib", "sklearn")


def check_plugin(module: str) -> plugins.Plugin:
    """Check an installed plugin against the contract; raise what is wrong.

    It must be registered in the entry-point group, load, import nothing heavy,
    and have actions that exist, have documented and typed parameters, and do not
    hide an option of the core.

    Parameters
    ----------
    module : str
        The plugin module, for example ``drum_space.plugin``.

    Returns
    -------
    Plugin

    Raises
    ------
    AssertionError
        Naming the first rule that is broken.
    PluginError
        If the plugin cannot be loaded.
    """
    entries = [e for e in plugins.installed() if e.module == module and e.group == GROUP]
    assert entries, f"{module} is not registered in the entry-point group {GROUP!r}"
    plugin = plugins.load(entries[0].name)
    assert plugin.package.summary, "groove_package has no summary"
    code = f"import sys, {module}; print(*[m for m in {HEAVY!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not found.stdout.strip(), f"importing {module} imports {found.stdout.strip()}"
    for action in plugin.actions.values():
        name = f"{plugin.package.name} {action.name}"
        assert action.summary, f"{name} has no summary"
        function = plugins.resolve(action.run, owner=plugin.source)
        assert inspect.getdoc(function), f"{name} has no docstring"
        json_schema(function)
        for param in describe(function):
            assert param.opt.help, f"{name}: {param.name} has no help; annotate it with Opt"
    for dataset in plugin.datasets:
        assert dataset.license, f"the data set {dataset.name} has no licence"
        plugins.resolve(dataset.open, owner=plugin.source)
    for renderer in plugin.renderers:
        plugins.resolve(renderer.run, owner=plugin.source)
    return plugin
