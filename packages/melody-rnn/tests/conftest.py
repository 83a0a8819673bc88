"""Networks that have learnt nothing, and the command line."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from groove_core.cli.app import run_cli
from groove_core.storage import checkpoints
from melody_rnn.loading import NETWORKS, PACKAGE

CARD = {
    "version": "1", "package": PACKAGE, "data": {}, "metrics": {}, "seed": 1, "made_with": {},
    "license": "MIT", "intended_use": "tests", "limits": "", "paper": "",
}  # fmt: skip
TINY = {"transformer": {"size": 32, "heads": 2, "layers": 2, "encoder_layers": 1}}


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> dict[str, Path]:
    """Make a checkpoint of each network, with random weights."""
    folder = tmp_path_factory.mktemp("models")
    made = {}
    for name, kind in NETWORKS.items():
        torch.manual_seed(1)
        model = kind(**TINY.get(name, {"hidden": 16}))
        made[name] = checkpoints.save(folder / name, model, {**CARD, "name": name})
    return made


@pytest.fixture(scope="session")
def network(tiny):
    """Load the tiny Transformer."""
    return checkpoints.load(PACKAGE, tiny["transformer"], NETWORKS["transformer"], device="cpu")[0]


@pytest.fixture
def groove(tmp_path: Path, monkeypatch, capsys):
    """Run ``groove run melody-rnn`` in an empty folder; here, since a process takes seconds."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, package: str = "melody-rnn", **env: str) -> SimpleNamespace:
        for name, value in {"COLUMNS": "100", **env}.items():
            monkeypatch.setenv(name, value)
        capsys.readouterr()
        code = run_cli(["run", package, *map(str, arguments)])
        shown = capsys.readouterr()
        return SimpleNamespace(returncode=code, stdout=shown.out, stderr=shown.err)

    return run
