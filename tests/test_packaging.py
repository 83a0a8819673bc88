"""What pip installs: wheels with everything in them, that work outside the repository."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import release  # noqa: E402
from monorepo import packages  # noqa: E402

QUICK = ("groove-core", "drum-space")
"""The others are rehearsed with the slow tests, and before each release."""


@pytest.mark.parametrize(
    "package",
    [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow]) for n in packages(ROOT)],
)
def test_the_wheel_is_whole_and_works_alone(package, capsys):
    """Built from its sdist, checked, installed with the core alone, and an action run from it.

    What a wheel carries, its size and the action are in ``tool.groove.wheels`` of the root
    pyproject.toml.
    """
    assert release.main([package, "--rehearse-only"]) == 0
    assert f"{package}: works" in capsys.readouterr().out


def test_versions_are_written_once():
    for package in packages(ROOT).values():
        text = (package.folder / "pyproject.toml").read_text()
        assert 'dynamic = ["version"]' in text
        assert not any(line.startswith("version =") for line in text.splitlines())
