"""Fixtures for the tests of plugins: ``pytest_plugins = ["groove_core.testing.fixtures"]``.

Only this module and `groove_core.testing.pages` need pytest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pluggy
import pytest

from groove_core.checks import kit
from groove_core.console import set_quiet
from groove_core.drums.pattern import DrumPattern
from groove_core.errors import PluginError
from groove_core.hookspecs import GrooveHooks, Run, hookimpl
from groove_core.plugins import loader
from groove_core.values.melodies.leadsheet import LeadSheet
from groove_core.values.melodies.melody import Melody
from groove_core.values.scores.score import Score
from groove_core.values.sound.audio import Audio

__all__ = ["Ran", "Runs"]


@dataclass(frozen=True)
class Ran:
    """What a run of the command line came to."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """The document that ``--json`` has printed."""
        assert self.code == 0, self.stderr
        return json.loads(self.stdout)


@dataclass
class Runs:
    """What observers were told of the runs of a test."""

    started: list[Run] = field(default_factory=list)
    finished: list[dict[str, Any]] = field(default_factory=list)
    """Result documents."""
    failed: list[tuple[Run, BaseException]] = field(default_factory=list)

    @hookimpl
    def groove_run_started(self, run: Run) -> None:
        """Record a run that starts."""
        self.started.append(run)

    @hookimpl
    def groove_run_finished(self, run: Run, result: dict[str, Any]) -> None:
        """Record the document of a run."""
        self.finished.append(result)

    @hookimpl
    def groove_run_failed(self, run: Run, error: BaseException) -> None:
        """Record the error that ended a run."""
        self.failed.append((run, error))


@pytest.fixture
def tiny_audio() -> Audio:
    """Return a second of four clicks, each a burst of 440 Hz; mono, 22,050 Hz."""
    return kit.tiny_audio()


@pytest.fixture
def tiny_beat() -> DrumPattern:
    """Return two bars of a rock beat at 120 bpm."""
    return kit.tiny_beat()


@pytest.fixture
def tiny_melody() -> Score:
    """Return two bars of quarter notes, up and down a major scale, at 120 bpm."""
    return kit.tiny_melody()


@pytest.fixture
def tiny_line() -> Melody:
    """Return `tiny_melody` as a line on a grid of sixteenths."""
    return kit.tiny_line()


@pytest.fixture
def tiny_lead_sheet() -> LeadSheet:
    """Return two bars of 3/4 with a pickup, two chords and words."""
    return kit.tiny_lead_sheet()


@pytest.fixture
def audio_file(tiny_audio: Audio, tmp_path: Path) -> Path:
    """Return a WAV file of `tiny_audio`."""
    return tiny_audio.save(tmp_path / "tiny-audio.wav")


@pytest.fixture
def beat_file(tiny_beat: DrumPattern, tmp_path: Path) -> Path:
    """Return a MIDI file of `tiny_beat`."""
    return tiny_beat.save(tmp_path / "tiny-beat.mid")


@pytest.fixture
def melody_file(tiny_melody: Score, tmp_path: Path) -> Path:
    """Return a MIDI file of `tiny_melody`."""
    return tiny_melody.save(tmp_path / "tiny-melody.mid")


@pytest.fixture
def lead_sheet_file(tiny_lead_sheet: LeadSheet, tmp_path: Path) -> Path:
    """Return a MIDI file of `tiny_lead_sheet`."""
    return tiny_lead_sheet.save(tmp_path / "tiny-lead-sheet.mid")


@pytest.fixture
def groove_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in the empty folder of the test, with an empty GROOVE_HOME, which is given."""
    home = tmp_path / "groove-home"
    home.mkdir()
    monkeypatch.setenv("GROOVE_HOME", str(home))
    monkeypatch.setenv("COLUMNS", "100")  # help texts are as wide everywhere
    monkeypatch.chdir(tmp_path)
    return home


@pytest.fixture
def groove(groove_home: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Ran]]:
    """Run the command line in this process: ``groove("run", "groove-tabla", "sample")``.

    A process of its own would take longer, and debuggers and coverage would not see it.
    """
    from groove_core.cli.app import run_cli

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        code = run_cli([str(argument) for argument in arguments])
        shown = capsys.readouterr()
        return Ran(code, shown.out, shown.err)

    yield run
    set_quiet(False)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    """Record the runs of a test, as an observer of them."""
    recorder = Runs()
    manager = pluggy.PluginManager("groove")
    manager.add_hookspecs(GrooveHooks)
    manager.register(recorder)
    found = loader.observers

    def observers() -> tuple[list[pluggy.PluginManager], list[PluginError]]:
        managers, broken = found()
        return [*managers, manager], broken

    monkeypatch.setattr(loader, "observers", observers)
    return recorder
