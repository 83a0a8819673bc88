"""melody-rnn keeps the contract of plugins."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

from groove_core.testing import check_plugin


def test_contract():
    """Of the kinds and the actions, too: names, help, types, defaults and errors."""
    plugin = check_plugin("melody_rnn.plugin")
    assert plugin.package.name == "melody-rnn"
    assert {"sample", "extend", "fill", "vary", "trace", "dataset", "train"} <= set(plugin.actions)
    assert set(plugin.roles.values()) == {"generator", "analyzer", "trainer"}


def test_python_and_plugin_have_the_same_functions():
    import melody_rnn

    plugin = check_plugin("melody_rnn.plugin")
    names = [n for n in melody_rnn.__all__ if n != "__version__"]
    assert sorted(name.replace("-", "_") for name in plugin.actions) == sorted(names)
    # A submodule called like an action would take its place once it is imported.
    for module in pkgutil.iter_modules(melody_rnn.__path__):
        importlib.import_module(f"melody_rnn.{module.name}")
    assert all(callable(getattr(melody_rnn, name)) for name in names)


def test_import_is_light():
    code = "import sys, melody_rnn, melody_rnn.plugin; print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


def test_help_needs_no_torch():
    """Also that of every action, with all its types and defaults."""
    code = """
import sys
from groove_core.cli.app import run_cli
from groove_core.plugins import loader
for name in loader.load("melody-rnn").actions:
    assert run_cli(["run", "melody-rnn", name, "--help"]) == 0, name
print("torch" in sys.modules)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.splitlines()[-1] == "False"


def test_the_shipped_tunes_are_a_dataset_that_opens():
    [dataset] = check_plugin("melody_rnn.plugin").datasets
    module, _, function = dataset.open.partition(":")
    tunes = getattr(importlib.import_module(module), function)()
    assert len(tunes) > 2000
