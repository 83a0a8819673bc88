"""Made-up instruments whose notes a network can learn in seconds."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from gansynth_lite.layout import Layout
from gansynth_lite.lessons import Lesson
from gansynth_lite.notes import Notes
from groove_core.cli.app import run_cli

RATE = 16_000
TINY = Layout(n_fft=256, frames=16)
"""0.06 s a note: for what does not depend on how a note sounds."""


def tone(pitch: float, samples: int, *, odd: bool = False, decay: float = 0.0) -> np.ndarray:
    """Make a note of ten harmonics, or of the odd ones, that decays at so many nepers a second."""
    time_s = np.arange(samples) / RATE
    f0 = 440 * 2 ** ((pitch - 69) / 12)
    numbers = [k for k in range(1, 11) if k * f0 < RATE / 2 and (k % 2 or not odd)]
    sound = sum(np.sin(2 * np.pi * f0 * k * time_s + k) / k for k in numbers)
    sound = sound * np.exp(-decay * time_s) * np.minimum(1, time_s / 0.005)
    fade = min(samples, samples // 8 + 1)
    sound[-fade:] *= np.linspace(1, 0, fade)
    return sound / np.abs(sound).max()


def made_up(layout: Layout, instruments: int = 4, pitches=range(48, 84, 2)) -> Notes:
    """Give notes of instruments that differ in their harmonics and in how they decay."""
    every = [(one, pitch) for one in range(instruments) for pitch in pitches]
    samples = np.stack([
        (32_767 * tone(p, layout.samples, odd=bool(i % 2), decay=6.0 * (i // 2))).astype(np.int16)
        for i, p in every
    ])  # fmt: skip
    numbers, heights = np.array(every, dtype=np.int64).T
    return Notes(
        samples=samples, pitches=heights, families=numbers % 2, instruments=numbers,
        velocities=np.full(len(every), 100), family_names=("flute", "reed"),
        instrument_names=tuple(f"instrument {i}" for i in range(instruments)),
        sample_rate=RATE, source="folder", name="made up", license="CC0-1.0",
    )  # fmt: skip


def lesson(notes: Notes, start=None) -> Lesson:
    """Learn from all of some notes."""
    none = np.arange(0)
    parts = {"train": np.arange(len(notes)), "validation": none, "test": none}
    return Lesson(notes, parts, start=start)


def write_notes(folder: Path, duration_s: float = 1.1) -> Path:
    """Write a folder of two families of two instruments, with pitches in the names of files."""
    for family, odd in (("flute", False), ("reed", True)):
        for pitch in range(48, 84, 2):
            for decay in (0.0, 5.0):
                path = folder / family / f"{family}{int(decay)}_m{pitch:03d}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                sound = tone(pitch, int(duration_s * RATE), odd=odd, decay=decay)
                soundfile.write(path, 0.5 * sound, RATE)
    return folder


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """Give a folder of notes."""
    return write_notes(tmp_path_factory.mktemp("notes"))


@pytest.fixture
def groove(tmp_path: Path, monkeypatch, capsys):
    """Run ``groove run gansynth-lite`` in an empty folder; here, since a process takes seconds."""
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "COLUMNS": "100", "CUDA_VISIBLE_DEVICES": "", "GROOVE_HOME": str(tmp_path / "home"),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> SimpleNamespace:
        capsys.readouterr()
        code = run_cli(["run", "gansynth-lite", *map(str, arguments)])
        shown = capsys.readouterr()
        return SimpleNamespace(returncode=code, stdout=shown.out, stderr=shown.err)

    return run
