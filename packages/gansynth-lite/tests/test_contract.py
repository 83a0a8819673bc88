"""gansynth-lite keeps the contract of plugins."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

from groove_core.testing import check_plugin

VERBS = {
    "sample",
    "render",
    "interpolate",
    "encode",
    "export",
    "evaluate",
    "train",
    "adapt",
    "train-classifier",
}


def test_contract():
    assert set(check_plugin("gansynth_lite.plugin").actions) == VERBS


def test_python_and_plugin_have_the_same_functions():
    import gansynth_lite

    names = [n for n in gansynth_lite.__all__ if n != "__version__"]
    assert sorted(VERBS) == sorted(n.replace("_", "-") for n in names)
    # A submodule called like an action would take its place once it is imported.
    for module in pkgutil.iter_modules(gansynth_lite.__path__):
        importlib.import_module(f"gansynth_lite.{module.name}")
    assert all(callable(getattr(gansynth_lite, name)) for name in names)


def test_importing_it_is_light():
    code = (
        "import gansynth_lite, sys; "
        "print([m for m in ('torch', 'numpy', 'scipy', 'sklearn') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
