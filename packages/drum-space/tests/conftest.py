"""Small data made here: a folder of beats, and a model trained on it in seconds."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from groove_core.cli.app import run_cli
from groove_core.drums import DrumPattern


@pytest.fixture(scope="session")
def beats(tmp_path_factory) -> Path:
    """Give a folder of 30 MIDI files of 8 bars each, in two genres."""
    folder = tmp_path_factory.mktemp("beats")
    rng = np.random.default_rng(7)
    for index in range(30):
        hits = np.zeros((128, 14), dtype=bool)
        hits[::8, 0] = hits[4::8, 1] = hits[::2, 2] = True
        hits ^= rng.random(hits.shape) < 0.03
        genre = ("rock", "funk")[index % 2]
        DrumPattern(hits, tempo_bpm=90 + index).save(folder / genre / f"{index:02d}.mid")
    return folder


@pytest.fixture
def groove(tmp_path: Path, monkeypatch, capsys):
    """Run ``groove run drum-space`` in an empty folder; here, since a process takes seconds."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, package: str = "drum-space", **env: str) -> SimpleNamespace:
        for name, value in {"COLUMNS": "100", **env}.items():
            monkeypatch.setenv(name, value)
        capsys.readouterr()
        code = run_cli(["run", package, *map(str, arguments)])
        shown = capsys.readouterr()
        return SimpleNamespace(returncode=code, stdout=shown.out, stderr=shown.err)

    return run


@pytest.fixture(scope="session")
def tiny(tmp_path_factory, beats) -> Path:
    """Give a checkpoint trained for three epochs."""
    from drum_space import train

    folder = tmp_path_factory.mktemp("models") / "tiny"
    train(data=beats, into=folder, epochs=3, batch_size=64, device="cpu")
    return folder
