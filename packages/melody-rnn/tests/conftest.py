"""Networks that have learnt nothing, and the command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from groove_core.cli.app import run_cli
from groove_core.storage import checkpoints
from groove_core.tunes import Tune, TuneSet
from groove_core.values import Chord, LeadSheet
from melody_rnn.lines import CLASSES, OPEN_ROOT, Line
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
def networks(tiny) -> dict:
    """Load all four."""
    return {
        name: checkpoints.load(PACKAGE, tiny[name], kind, device="cpu")[0]
        for name, kind in NETWORKS.items()
    }


@pytest.fixture(scope="session")
def line_of() -> Callable[..., Line]:
    """Make lines of given events, or of random ones."""

    def make(events: Sequence[int] | int, *, bar=16, grid=4, lead=0, seed=0) -> Line:
        if isinstance(events, int):
            rng = np.random.default_rng(seed)
            drawn = rng.integers(0, CLASSES, events)
            events = np.where(rng.random(events) < 0.6, 0, drawn)
            events[:lead] = 0
        events = np.asarray(events, np.int64)
        root, chord = np.full(len(events), OPEN_ROOT), np.zeros(len(events), np.int64)
        metre = {16: 0, 12: 1}[bar]
        return Line(events, lead, bar, grid, metre, 0, root, chord, 0)

    return make


@pytest.fixture(scope="session")
def tunes_of() -> Callable[..., TuneSet]:
    """Make sets of tunes of eighth notes on a random walk in C, a melody each."""

    def make(
        parts: Sequence[str], *, bars=16, metre=(4, 4), chords=False, corpus="mine", seed=0,
        groups: Sequence[str] | None = None,
    ) -> TuneSet:  # fmt: skip
        rng = np.random.default_rng(seed)
        scale = np.array([60, 62, 64, 65, 67, 69, 71, 72])
        made = []
        for number, part in enumerate(parts):
            starts = np.arange(0, bars * 4 * metre[0], 2)
            walk = np.abs(np.cumsum(rng.integers(-2, 3, len(starts))) + number) % len(scale)
            notes = [(at, 2, pitch, 80) for at, pitch in zip(starts, scale[walk], strict=True)]
            names = [("C", "F", "G", "Am")[i] for i in rng.integers(0, 4, bars)]
            symbols = [(4 * metre[0] * i, Chord.parse(name)) for i, name in enumerate(names)]
            sheet = LeadSheet(
                np.array(notes), 4, metre, bars * 4 * metre[0], 0, 100.0, "C",
                chords=tuple(symbols) if chords else (),
            )  # fmt: skip
            group = groups[number] if groups else f"{corpus}/{seed}-{number}"
            made.append(Tune(f"{seed}-{number}", corpus, group, part, (sheet,)))
        return TuneSet.of(made)

    return make


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
