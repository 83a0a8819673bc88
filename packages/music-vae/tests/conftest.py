"""Networks that have learnt nothing, songs made in code, and the command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from groove_core.cli.app import run_cli
from groove_core.drums import DrumPattern
from groove_core.learning import Run, trained
from groove_core.storage import checkpoints
from groove_core.tunes import Tune, TuneSet
from groove_core.values import LeadSheet, Melody, Score
from music_vae.alphabets import ALPHABETS
from music_vae.loading import PACKAGE
from music_vae.model import MusicVAE
from music_vae.pieces import score_of
from music_vae.training import Settings, VAETraining
from music_vae.windows import Song, WindowSet, of_melodies

CARD = {
    "version": "1", "package": PACKAGE, "data": {}, "metrics": {}, "seed": 1, "made_with": {},
    "license": "MIT", "intended_use": "tests", "limits": "", "paper": "",
}  # fmt: skip
SMALL = {"latent": 6, "encoder": 8, "decoder": 8, "flow": 4}
TRIO = ("melody", "bass", "drums")
TINY = {
    "mel-2bar": {**SMALL},
    "drums-2bar": {**SMALL, "voices": ("drums",)},
    "mel-16bar": {**SMALL, "bars": 16, "by_bar": True, "conductor": 8},
    "trio-16bar": {
        **SMALL, "voices": TRIO, "bars": 16, "by_bar": True, "conductor": 8, "listens": 4
    },
    "shared": {
        **SMALL, "voices": TRIO, "bars": 16, "latent": 32, "conductor": 8, "listens": 4, "plan": 3
    },
}  # fmt: skip


def random_events(voices: Sequence[str], n: int, steps: int, seed: int = 0) -> torch.Tensor:
    """Draw events [shape=(n, voices, steps)], half of them nothing."""
    rng = np.random.default_rng(seed)
    drawn = [rng.integers(0, ALPHABETS[voice].classes, (n, steps)) for voice in voices]
    return torch.from_numpy(np.where(rng.random((n, len(voices), steps)) < 0.5, 0,
                                     np.stack(drawn, axis=1)))  # fmt: skip


@pytest.fixture(scope="session")
def events_of() -> Callable[..., torch.Tensor]:
    """Draw events at random."""
    return random_events


@pytest.fixture(scope="session")
def networks() -> dict[str, MusicVAE]:
    """Make a tiny network of each kind."""
    made = {}
    for name, config in TINY.items():
        torch.manual_seed(1)
        made[name] = MusicVAE(**config).eval()
        made[name].attribute_ranges[:] = torch.tensor([-2.0, 2.0])
    return made


@pytest.fixture(scope="session")
def tiny(networks, tmp_path_factory) -> dict[str, Path]:
    """Store a tiny network of each kind."""
    folder = tmp_path_factory.mktemp("models")
    return {
        name: checkpoints.save(folder / name, model, {**CARD, "name": name})
        for name, model in networks.items()
    }


def walk(bars: int, seed: int) -> Melody:
    """Make a melody of eighth notes, a random walk in C."""
    rng = np.random.default_rng(seed)
    scale = np.array([60, 62, 64, 65, 67, 69, 71, 72])
    starts = np.arange(0, 16 * bars, 2)
    steps = np.abs(np.cumsum(rng.integers(-2, 3, len(starts)))) % len(scale)
    rows = [(at, 2, pitch, 100) for at, pitch in zip(starts, scale[steps], strict=True)]
    return Melody(np.array(rows), length=16 * bars)


def beat(bars: int, seed: int) -> DrumPattern:
    """Make a beat of eighth notes that changes from bar to bar."""
    rng = np.random.default_rng(seed)
    masks = np.where(np.arange(16 * bars) % 2 == 0, rng.choice([1, 4, 5, 6], 16 * bars), 0)
    return DrumPattern.from_masks(masks)


@pytest.fixture(scope="session")
def songs_of() -> Callable[..., list[Song]]:
    """Make songs of a melody each."""

    def make(count: int, bars: int = 6) -> list[Song]:
        return [of_melodies(f"song {i}", [walk(bars, i)]) for i in range(count)]

    return make


@pytest.fixture(scope="session")
def tunes() -> TuneSet:
    """Make a set of twelve melodies of four bars, three of them a test."""
    parts = ["train"] * 7 + ["validation"] * 2 + ["test"] * 3
    return TuneSet.of([
        Tune(f"{i}", "made", f"made/{i}", part, (LeadSheet(walk(4, i).notes, length=64),))
        for i, part in enumerate(parts)
    ])  # fmt: skip


@pytest.fixture(scope="session")
def learnt() -> tuple[MusicVAE, WindowSet]:
    """Train a network on six bars, each of which repeats a note of its own."""
    events = np.zeros((6, 1, 16), np.int16)
    events[:, 0, ::2] = (41 + 3 * np.arange(6))[:, None]
    windows = WindowSet(
        events, np.arange(6) % 2, ("a", "b"), ("melody",), {"train": np.arange(6)}
    )  # fmt: skip
    settings = Settings(
        bars=1, latent=4, encoder=32, decoder=32, flow=4, epochs=100, batch_size=6,
        learning_rate=2e-2, transpose=0,
    )  # fmt: skip
    return trained(VAETraining, settings, windows, Run(1)).model, windows


@pytest.fixture(scope="session")
def trio_of() -> Callable[..., Score]:
    """Make a score of melody, bass and drums."""
    from music_vae.alphabets import drum_classes, melody_classes

    def make(bars: int = 16, seed: int = 0) -> Score:
        line = melody_classes(walk(bars, seed).events)
        low = np.zeros(16 * bars, np.int64)
        low[::4] = melody_classes([36, 43, 41, 43] * bars)
        return score_of(np.stack([line, low, drum_classes(beat(bars, seed).hits)]), TRIO)

    return make


@pytest.fixture
def groove(tmp_path: Path, monkeypatch, capsys):
    """Run ``groove run music-vae`` in an empty folder; here, since a process takes seconds."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> SimpleNamespace:
        monkeypatch.setenv("COLUMNS", "100")
        capsys.readouterr()
        code = run_cli(["run", "music-vae", *map(str, arguments)])
        shown = capsys.readouterr()
        return SimpleNamespace(returncode=code, stdout=shown.out, stderr=shown.err)

    return run
