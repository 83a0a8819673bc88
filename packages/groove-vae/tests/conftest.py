"""Small parts made here, and a model trained in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from groove_core.testing import fixtures
from groove_core.values import Score, Track

BEAT = [(0, 36), (0, 42), (2, 42), (4, 38), (4, 42), (6, 42), (8, 36), (8, 42), (10, 36), (10, 42),
        (12, 38), (12, 42), (14, 46)]  # fmt: skip


def programmed(bars: int = 2, *, tempo_bpm: float = 100.0, jitter: int = 0, seed: int = 0) -> Score:
    """Give a rock beat on the grid, or up to `jitter` ticks beside it."""
    rng = np.random.default_rng(seed)
    notes = []
    for bar in range(bars):
        for step, pitch in BEAT:
            tick = (16 * bar + step) * 120 + int(rng.integers(-jitter, jitter + 1))
            velocity = 90 + int(rng.integers(-20, 21)) * bool(jitter)
            notes.append([max(0, tick), 50, pitch, velocity])
    return Score(
        (Track(np.array(notes), name="drums", is_drum=True),),
        tempos=np.array([[0, round(6e7 / tempo_bpm)]]),
        time_signatures=np.array([[0, 4, 4]]),
    )


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """Give a folder of 24 MIDI files of 4 bars each, in two styles."""
    root = tmp_path_factory.mktemp("parts")
    for index in range(24):
        style = ("rock", "funk")[index % 2]
        score = programmed(4, tempo_bpm=90 + index, jitter=25, seed=index)
        score.save(root / style / f"{index:02d}.mid")
    return root


groove_home, command = fixtures.groove_home, fixtures.groove


@pytest.fixture
def groove(command):
    """Run ``groove run groove-vae`` in an empty folder."""

    def run(*arguments: object, **env: str) -> fixtures.Ran:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {"CUDA_VISIBLE_DEVICES": "", **env}.items():
                patch.setenv(name, value)
            return command("run", "groove-vae", *arguments)

    return run
