"""Made-up music: folders of genres that a network can tell apart in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from groove_core.testing import fixtures

RATE = 22_050


def sound(genre: int, seed: int, duration_s: float = 6.0) -> np.ndarray:
    """Make a tune: its pulse, its register and how much of it is noise say which genre it is."""
    rng = np.random.default_rng((genre, seed))
    time_s = np.arange(int(duration_s * RATE)) / RATE
    pulse = (time_s * (1.5 + genre)) % 1.0
    pitch = 110.0 * 2 ** (genre / 2 + rng.uniform(0, 0.2))
    tone = np.sin(2 * np.pi * pitch * time_s) * (0.5 + 0.5 * np.exp(-4 * pulse))
    noise = rng.normal(size=len(time_s)) * np.exp(-(12 + 10 * (genre % 2)) * pulse)
    return (0.3 * tone + 0.1 * (genre % 3) * noise + 1e-4 * rng.normal(size=len(time_s))).clip(
        -1, 1
    )


def write(path: Path, samples: np.ndarray, rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate)
    return path


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """Give a folder of three genres of ten songs, spelt as people do."""
    root = tmp_path_factory.mktemp("songs")
    for genre, name in enumerate(("Blues", "hip-hop", "Rock")):
        for index in range(10):
            write(root / name / f"{index}.wav", sound(genre, index))
    return root


groove_home, command = fixtures.groove_home, fixtures.groove


@pytest.fixture
def groove(command):
    """Run ``groove run genre-map`` in an empty folder."""

    def run(*arguments: object, **env: str) -> fixtures.Ran:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {"CUDA_VISIBLE_DEVICES": "", **env}.items():
                patch.setenv(name, value)
            return command("run", "genre-map", *arguments)

    return run
