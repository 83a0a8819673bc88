"""music-recsys keeps the contract of plugins."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

from groove_core.testing import check_plugin

VERBS = {
    "rate", "learn", "score", "recommend", "index", "explain", "probe", "evaluate", "dataset",
    "train",
}  # fmt: skip


def test_contract():
    assert set(check_plugin("music_recsys.plugin").actions) == VERBS


def test_python_and_plugin_have_the_same_functions():
    import music_recsys

    names = [n for n in music_recsys.__all__ if n != "__version__"]
    assert sorted(VERBS) == sorted(n.replace("_", "-") for n in names)
    # A submodule called like an action would take its place once it is imported.
    for module in pkgutil.iter_modules(music_recsys.__path__):
        importlib.import_module(f"music_recsys.{module.name}")
    assert all(callable(getattr(music_recsys, name)) for name in names)


def test_importing_it_is_light():
    code = "import music_recsys, sys; print([m for m in ('torch', 'numpy') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
