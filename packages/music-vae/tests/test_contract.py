"""music-vae keeps the contract of plugins."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

from groove_core.testing import check_plugin

ACTIONS = [
    "adapt", "cross", "dataset", "decode", "encode", "evaluate", "interpolate", "map", "sample",
    "shift", "trace", "train", "vary",
]  # fmt: skip


def test_contract():
    plugin = check_plugin("music_vae.plugin")
    assert sorted(plugin.actions) == ACTIONS
    assert set(plugin.roles.values()) == {"generator", "analyzer", "trainer"}


def test_python_and_plugin_have_the_same_functions():
    import music_vae

    assert sorted(n for n in music_vae.__all__ if n != "__version__") == ACTIONS
    # A submodule called like an action would take its place once it is imported.
    for module in pkgutil.iter_modules(music_vae.__path__):
        importlib.import_module(f"music_vae.{module.name}")
    assert all(callable(getattr(music_vae, name)) for name in ACTIONS)


def test_import_is_light():
    code = "import sys, music_vae, music_vae.plugin; print({'torch', 'numpy'} & {*sys.modules})"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


def test_help_needs_no_torch():
    code = """
import sys
from groove_core.cli.app import run_cli
from groove_core.plugins import loader
for name in loader.load("music-vae").actions:
    assert run_cli(["run", "music-vae", name, "--help"]) == 0, name
print("torch" in sys.modules)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.splitlines()[-1] == "False"
