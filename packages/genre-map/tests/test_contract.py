"""genre-map keeps the contract of plugins."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

from groove_core.testing import check_plugin

VERBS = {
    "classify", "explain", "sample", "map", "interpolate", "train", "train-generator",
    "train-vocoder", "evaluate", "dataset",
}  # fmt: skip


def test_contract():
    assert set(check_plugin("genre_map.plugin").actions) == VERBS


def test_python_and_plugin_have_the_same_functions():
    import genre_map

    names = [n for n in genre_map.__all__ if n != "__version__"]
    assert sorted(VERBS) == sorted(n.replace("_", "-") for n in names)
    # A submodule called like an action would take its place once it is imported.
    for module in pkgutil.iter_modules(genre_map.__path__):
        importlib.import_module(f"genre_map.{module.name}")
    assert all(callable(getattr(genre_map, name)) for name in names)


def test_importing_it_is_light():
    code = (
        "import genre_map, sys; print([m for m in ('torch', 'numpy', 'scipy') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
