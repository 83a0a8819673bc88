"""music-vae keeps the contract of plugins."""

from __future__ import annotations

import subprocess
import sys

from groove_core.testing import check_plugin


def test_contract():
    assert list(check_plugin("music_vae.plugin").actions) == ["sample"]


def test_python_and_plugin_have_the_same_functions():
    import music_vae

    names = [n for n in music_vae.__all__ if n != "__version__"]
    assert sorted(check_plugin("music_vae.plugin").actions) == sorted(names)


def test_import_is_light():
    code = """
import music_vae.plugin, sys
print([m for m in ("torch", "numpy") if m in sys.modules])
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
