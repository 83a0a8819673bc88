"""The notebooks run, show pictures and players, and are stored without output."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "docs/notebooks").glob("*.ipynb"))
QUICK = {"drum-space"}
EXPERIMENTS = {"cut-and-paste"}
"""Notebooks beside those of the packages."""


def test_every_package_has_one():
    packages = {p.parent.name for p in ROOT.glob("packages/*/pyproject.toml")}
    packages -= {"groove-ray", "groove-studio"}  # an engine and a page rather than functions
    assert [path.stem for path in NOTEBOOKS] == sorted([*packages, *EXPERIMENTS])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_they_are_stored_without_output(path):
    document = json.loads(path.read_text())
    assert document["nbformat"] == 4
    assert document["metadata"]["kernelspec"]["name"] == "python3"
    first = document["cells"][0]
    assert first["cell_type"] == "markdown"
    assert first["source"][0].startswith("# ")
    for cell in document["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(p, id=p.stem, marks=[] if p.stem in QUICK else [pytest.mark.slow])
        for p in NOTEBOOKS
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning:zmq.*")
def test_they_run(path, tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    monkeypatch.setenv("GROOVE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    monkeypatch.setitem(os.environ, "JUPYTER_PLATFORM_DIRS", "1")
    book = nbformat.read(path, as_version=4)
    done = nbclient.NotebookClient(
        book, timeout=120, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    shown = {
        kind
        for cell in done.cells
        for output in cell.get("outputs", [])
        for kind in output.get("data", {})
    }
    assert "image/png" in shown
    players = json.dumps([cell.get("outputs", []) for cell in done.cells])
    assert "<audio" in players
    assert not list((ROOT / "docs/notebooks").glob("*.wav"))
