"""groove-ray keeps the contract of plugins, and costs nothing before it is asked for."""

from __future__ import annotations

import subprocess
import sys

from groove_core.plugins import loader
from groove_core.testing import check_plugin


def test_contract():
    plugin = check_plugin("groove_ray.plugin")
    assert plugin.package.name == "groove-ray"
    assert loader.engines()["ray"].distribution == "groove-ray"


def test_ray_is_imported_when_it_is_used():
    code = "import sys, groove_ray.engine, groove_ray.node; print('ray' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "False\n"
