"""groove-vae keeps the contract of plugins."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

from groove_core.storage import checkpoints
from groove_core.testing import check_plugin


def test_contract():
    plugin = check_plugin("groove_vae.plugin")
    verbs = {"compare", "humanize", "quantize", "transfer", "fingerprint", "train", "evaluate"}
    assert verbs <= set(plugin.actions)
    assert [dataset.name for dataset in plugin.datasets] == ["groove-midi-performances"]


def test_python_and_plugin_have_the_same_functions():
    import groove_vae

    plugin = check_plugin("groove_vae.plugin")
    names = [n for n in groove_vae.__all__ if n != "__version__"]
    assert sorted(plugin.actions) == sorted(names)
    # A submodule called like an action would take its place once it is imported.
    for module in pkgutil.iter_modules(groove_vae.__path__):
        importlib.import_module(f"groove_vae.{module.name}")
    assert all(callable(getattr(groove_vae, name)) for name in names)
    assert set(names) <= set(dir(groove_vae))
    assert not hasattr(groove_vae, "nothing")


def test_import_is_light():
    code = "import sys, groove_vae, groove_vae.plugin; print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


def test_the_shipped_models_are_whole_and_small():
    stored = {s.name: s for s in checkpoints.available("groove-vae")}
    assert stored.keys() == {"audio", "symbolic"}
    for name, one in stored.items():
        card = checkpoints.verify(one.path)
        assert one.origin == "packaged"
        assert card["name"] == name
        assert (one.path / checkpoints.WEIGHTS).stat().st_size < 3e6
        assert card["posterior"]["collapsed"] is False
        column = {"audio": "another kit", "symbolic": "timing MAE, ms"}[name]
        assert column in card["metrics"]["report"]["columns"]
