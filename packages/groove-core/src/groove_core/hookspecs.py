"""What a package tells Groove about itself: the contract of every plugin.

Hooks return descriptors instead of doing things, so that packages can be
listed, checked and documented without importing the code behind them. This
module imports the standard library and pluggy only; a plugin's ``plugin.py``
should import nothing else but this.

A package registers its ``plugin`` module under its own name in the entry-point
group ``groove.v1``. A package that wants to watch the runs of *other* packages
registers the module that holds its observers in ``groove.observers.v1`` too. One
that brings a command beside ``groove run``, such as ``groove studio``, registers
under that word, in ``groove.commands.v1``, a module with a function of that name. One that
calls functions on many files, on other machines for example, registers a function in
``groove.engines.v1``; see `groove_core.batch.engines`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pluggy

__all__ = [
    "API_VERSION",
    "COMMAND_GROUP",
    "ENGINE_GROUP",
    "GROUP",
    "OBSERVER_GROUP",
    "RESULT_SCHEMA",
    "Action",
    "Dataset",
    "GrooveHooks",
    "Kind",
    "Package",
    "Renderer",
    "Run",
    "hookimpl",
    "hookspec",
]

API_VERSION = (1, 3)
"""(major, minor) of this contract. The major also names the entry-point groups."""

GROUP = f"groove.v{API_VERSION[0]}"
OBSERVER_GROUP = f"groove.observers.v{API_VERSION[0]}"
COMMAND_GROUP = f"groove.commands.v{API_VERSION[0]}"
ENGINE_GROUP = f"groove.engines.v{API_VERSION[0]}"

RESULT_SCHEMA = "groove.result/1"
"""What the result document of a run looks like."""

hookspec = pluggy.HookspecMarker("groove")
hookimpl = pluggy.HookimplMarker("groove")


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package as it introduces itself."""

    name: str
    """Entry-point name, distribution name and word on the command line, in one."""
    api: tuple[int, int]
    """The `API_VERSION` this package was written against."""
    summary: str


@dataclass(frozen=True, slots=True)
class Action:
    """One verb of a package."""

    name: str
    """Unique inside the package, for example ``sample``."""
    run: str
    """``module:function``, imported when it is run or its help is asked for."""
    summary: str
    aliases: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)
    """Former names, which still work but are not listed, each with the options it stands for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Data that a package brings or can open; never downloaded."""

    name: str
    license: str
    """SPDX identifier, or ``unknown`` with a note in the documentation."""
    open: str
    """``module:function`` of ``(root)``, giving an iterable of items."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of value that a package brings: read, saved, shown, an argument or a result."""

    name: str
    """The ``kind`` of its class and its JSON, in kebab-case, for example ``chord-chart``."""
    value: str
    """``module:Class``, a subclass of `groove_core.values.Value`."""
    summary: str
    """What it is, in a few words."""
    becomes: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Kinds that it can be taken for, each with ``module:function`` of ``(value)`` that converts.

    So an action of another package that takes a ``score`` takes this one, too.
    """
    example: str = ""
    """``module:function`` of ``()`` that makes a small one; the checks of plugins use it."""
    viewer: str = ""
    """``module:file.js`` beside the module: an ES module that shows the value in groove studio.

    Its ``show(element, document)`` draws the JSON of a value. Without one the studio shows the
    picture, the sound and the text that every value has.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Renderer:
    """How values of one kind become a file with one ending."""

    kind: str
    """The ``kind`` of the value, for example ``drum-pattern``."""
    suffix: str
    """File ending without the dot, for example ``musicxml``."""
    run: str
    """``module:function`` of ``(value, path)`` that writes the file at ``path``."""


@dataclass
class Run:
    """One run of an action, as observers see it."""

    package: str
    version: str
    action: str
    options: dict[str, Any]
    seed: int | None = None
    device: str | None = None
    checkpoint: Any = None
    """Name, version and sha256 of the checkpoint that was loaded; a list of several."""
    wanted_checkpoint: Any = None
    """What a repeated run must load."""
    files: list[str] = field(default_factory=list)
    inputs: list[dict[str, str]] = field(default_factory=list)
    """Each file that was read: its option, name and sha256."""
    versions: dict[str, str] = field(default_factory=dict)
    """Of what the bytes of the result depend on besides the package."""

    def document(self, result: Any) -> dict[str, Any]:
        """Return the result document; it has no time or place in it, so it can be compared."""
        return {
            "schema": RESULT_SCHEMA,
            "package": self.package,
            "version": self.version,
            "action": self.action,
            "options": self.options,
            "seed": self.seed,
            "device": self.device,
            "checkpoint": self.checkpoint,
            "versions": self.versions,
            "inputs": self.inputs,
            "result": result,
            "files": self.files,
        }


class GrooveHooks:
    """The hooks a package can implement. Only `groove_package` is required."""

    @hookspec
    def groove_package(self) -> Package:  # type: ignore[empty-body]
        """Introduce the package."""

    @hookspec
    def groove_analyzers(self) -> Sequence[Action]:  # type: ignore[empty-body]
        """List the actions that take audio or a score and give a value or a report."""

    @hookspec
    def groove_generators(self) -> Sequence[Action]:  # type: ignore[empty-body]
        """List the actions that take a seed and a checkpoint and give new values."""

    @hookspec
    def groove_trainers(self) -> Sequence[Action]:  # type: ignore[empty-body]
        """List the actions that take data and give a checkpoint."""

    @hookspec
    def groove_datasets(self) -> Sequence[Dataset]:  # type: ignore[empty-body]
        """List the data sets that the package brings."""

    @hookspec
    def groove_renderers(self) -> Sequence[Renderer]:  # type: ignore[empty-body]
        """List the file endings that the package adds to a kind of value."""

    @hookspec
    def groove_kinds(self) -> Sequence[Kind]:  # type: ignore[empty-body]
        """List the kinds of value that the package brings."""

    # Observers only watch: they cannot change a run, and their errors are only
    # reported.

    @hookspec
    def groove_run_started(self, run: Run) -> None:
        """Take note that an action is about to run."""

    @hookspec
    def groove_run_finished(self, run: Run, result: dict[str, object]) -> None:
        """Take note of the result document of a run."""

    @hookspec
    def groove_run_failed(self, run: Run, error: BaseException) -> None:
        """Take note of the error that ended a run."""
