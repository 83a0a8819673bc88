"""Made-up songs: some with a pulse and bright, some without and dark."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from groove_core.testing import fixtures

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


@pytest.fixture
def other(tmp_path, groove_home) -> Path:
    """Store an untrained front end of the first kind: MFCC, rows apart."""
    from groove_core.storage import checkpoints
    from music_recsys.listening import FrontEnd
    from music_recsys.training import front_end

    return checkpoints.save(
        tmp_path / "other", front_end("mfcc", "pool"), {**FrontEnd.open().card, "name": "other"}
    )


@pytest.fixture(autouse=True)
def home(groove_home) -> Path:
    """Keep profiles and cache in a folder of the test."""
    return groove_home


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


groove_home, command = fixtures.groove_home, fixtures.groove


@pytest.fixture
def groove(command):
    """Run ``groove run music-recsys`` in an empty folder."""

    def run(*arguments: object, **env: str) -> fixtures.Ran:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {"CUDA_VISIBLE_DEVICES": "", **env}.items():
                patch.setenv(name, value)
            return command("run", "music-recsys", *arguments)

    return run
