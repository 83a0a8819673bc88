"""The files that the trials begin with, all made here."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np

from groove_core import Audio, DrumPattern

__all__ = ["beats", "songs", "weights"]


def beats(folder: Path, count: int, seed: int) -> None:
    """Write drum patterns of two bars as MIDI."""
    generator = np.random.default_rng(seed)
    for number in range(count):
        masks = generator.integers(0, 64, 32) * (generator.random(32) < 0.5)
        masks[0] |= 1
        DrumPattern.from_masks([int(mask) for mask in masks]).save(folder / f"{number:03}.mid")


def songs(folder: Path, count: int, length_s: float, seed: int, *names: str) -> None:
    """Write sounds whose loudness comes and goes."""
    generator = np.random.default_rng(seed)
    times_s = np.arange(int(16000 * length_s)) / 16000
    for number in range(count):
        tone = np.sin(2 * np.pi * generator.uniform(100, 900) * times_s)
        swell = 0.5 + 0.4 * np.sin(generator.uniform(3, 9) * times_s)
        sound = Audio((tone * swell)[None].astype(np.float32), 16000)
        for name in names or (f"{number:03}.wav",):
            sound.save(folder / name)


def weights(package: str, name: str) -> Path:
    """Return the folder of a packaged checkpoint."""
    return Path(str(resources.files(package) / "weights" / name))
