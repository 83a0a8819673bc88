"""drum-space keeps the contract of plugins."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

from groove_core.storage import checkpoints
from groove_core.testing import check_plugin


def test_contract():
    plugin = check_plugin("drum_space.plugin")
    assert list(plugin.actions) == [
        "map", "encode", "evaluate", "dataset", "sample", "interpolate", "vary", "decode",
        "compose", "train", "train-melody",
    ]  # fmt: skip


def test_python_and_plugin_have_the_same_functions():
    import drum_space

    plugin = check_plugin("drum_space.plugin")
    names = [n for n in drum_space.__all__ if n != "__version__"]
    assert sorted(name.replace("-", "_") for name in plugin.actions) == sorted(names)
    # A submodule called like an action would take its place once it is imported.
    for module in pkgutil.iter_modules(drum_space.__path__):
        importlib.import_module(f"drum_space.{module.name}")
    assert all(callable(getattr(drum_space, name)) for name in names)


def test_import_is_light():
    code = "import sys, drum_space, drum_space.plugin; print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


def test_shipped_checkpoints_are_whole_and_small():
    stored = [s for s in checkpoints.available("drum-space") if s.origin == "packaged"]
    spaces = {"acai", "vae", "ae", "acai16"}
    assert {s.name for s in stored} == {*spaces, "map", "melody"}
    measured = {
        **dict.fromkeys(spaces, ("survival", "distinct", "copies", "distance")),
        "map": ("purity", "purity, shuffled", "trustworthiness"),
        "melody": ("worse than with its own", "agreement above other", "copies, 16 steps"),
    }
    for one in stored:
        card = checkpoints.verify(one.path)
        assert card["name"] == one.name
        assert (one.path / checkpoints.WEIGHTS).stat().st_size < 1.8e6
        assert set(measured[one.name]) <= set(card["metrics"]["report"]["columns"])


def test_models_commands_do_not_import_torch():
    for command in (["list"], ["show", "drum-space/acai"], ["verify"]):
        code = f"""
import sys
from groove_core.cli.app import run_cli
code = run_cli(["models", *{command!r}])
print("torch" in sys.modules, code)
"""
        out = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert out.stdout.splitlines()[-1] == "False 0"
