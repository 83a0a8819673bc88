"""Packages and the rooms of the core show the same names to Python and to type checkers."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = Path(__file__).resolve().parents[1] / "packages"
FACES = [
    path
    for path in sorted(PACKAGES.glob("*/src/**/__init__.py"))
    if "from groove_core.lazy import lazy" in path.read_text()
]


def name_of(path: Path) -> str:
    return ".".join(path.parent.relative_to(PACKAGES).parts[2:])


def seen_by_checkers(path: Path) -> dict[str, str]:
    """Return where each name comes from, as the imports below TYPE_CHECKING say."""
    [block] = [n for n in ast.parse(path.read_text()).body if isinstance(n, ast.If)]
    found = {}
    for node in block.body:
        for alias in node.names:
            if alias.name == "*":
                listed = importlib.import_module(node.module).__all__
                found |= dict.fromkeys(listed, node.module)
            else:
                assert alias.asname == alias.name  # or a type checker keeps it private
                found[alias.name] = node.module
    return found


@pytest.mark.parametrize("path", FACES, ids=name_of)
def test_python_and_type_checkers_see_the_same(path):
    face = importlib.import_module(name_of(path))
    seen = seen_by_checkers(path)
    assert set(seen) == set(dir(face))
    for name, module in seen.items():
        home = importlib.import_module(module)
        value = getattr(home, name, None) or importlib.import_module(f"{module}.{name}")
        assert getattr(face, name) is value
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        face.nothing  # noqa: B018


def test_faces_are_light():
    names = [name_of(path) for path in FACES]
    assert {"groove_core", "groove_core.values", "drum_space"} <= set(names)
    code = f"import sys, {', '.join(names)}; print(*{{'numpy', 'torch'}} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == ""


def test_the_core_reaches_its_rooms():
    code = """
import groove_core
print(groove_core.values.Audio.__name__, groove_core.render.render.__name__)
print(groove_core.dsp.stft.__name__)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["Audio", "render", "stft"]
