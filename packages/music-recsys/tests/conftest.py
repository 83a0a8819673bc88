"""Made-up songs: some with a pulse and bright, some without and dark."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

from groove_core.cli.app import run_cli

RATE = 22_050


def make_sound(kind: int, seed: int, duration_s: float = 12.0) -> np.ndarray:
    """Make a song: kind 1 pulses and is bright, kind 0 does neither."""
    rng = np.random.default_rng((kind, seed))
    time_s = np.arange(int(duration_s * RATE)) / RATE
    pitch = rng.uniform(200, 300) * (1 + kind)
    tone = np.sin(2 * np.pi * pitch * time_s)
    pulse = np.exp(-10 * ((time_s * 2) % 1)) if kind else 0.5
    noise = rng.normal(size=len(time_s)) * (0.2 if kind else 0.01)
    return (0.5 * tone * pulse + 0.2 * noise).clip(-1, 1).astype(np.float32)


def write_sound(path: Path, samples: np.ndarray, rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate)
    return path


@pytest.fixture(scope="session")
def sound():
    return make_sound


@pytest.fixture(scope="session")
def write():
    return write_sound


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """Give twelve songs, six of each kind."""
    root = tmp_path_factory.mktemp("songs")
    for kind in (0, 1):
        for seed in range(6):
            name = f"{'bright' if kind else 'dark'}{seed}.wav"
            write_sound(root / name, make_sound(kind, seed))
    return root


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    """Keep profiles and cache in a folder of the test."""
    monkeypatch.setenv("GROOVE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def groove(tmp_path: Path, monkeypatch, capsys):
    """Run ``groove run music-recsys`` in an empty folder; here, since a process takes seconds."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object, **env: str) -> SimpleNamespace:
        capsys.readouterr()
        home = str(tmp_path / "home")
        settings = {"COLUMNS": "100", "CUDA_VISIBLE_DEVICES": "", "GROOVE_HOME": home, **env}
        with pytest.MonkeyPatch.context() as patch:
            for name, value in settings.items():
                patch.setenv(name, value)
            code = run_cli(["run", "music-recsys", *map(str, arguments)])
        shown = capsys.readouterr()
        return SimpleNamespace(returncode=code, stdout=shown.out, stderr=shown.err)

    return run
