"""The rules that show when a plugin runs: on small values, in a folder of its own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

from groove_core.actions import runs
from groove_core.actions.params import Param, describe
from groove_core.checks import kit
from groove_core.checks.rules import Problem
from groove_core.console import note, prints_aside
from groove_core.errors import GrooveError, InputError
from groove_core.hookspecs import Action, Kind, Renderer, Run
from groove_core.plugins import loader
from groove_core.storage.files import dump_json
from groove_core.values.base import Value
from groove_core.values.sound.audio import Audio

__all__ = ["Trial", "try_plugin"]

FEW = ("bars", "count", "epochs", "seeds", "steps")
"""Options that say how much to do: they are given their smallest value."""
SEED = 1
OTHER_SEEDS = (2, 3, 4)
"""One of them at least has to give something else."""

Tree = dict[Path, tuple[int, int]]


@dataclass
class Trial:
    """What came of trying a plugin."""

    ran: list[str] = field(default_factory=list)
    """Actions and renderers that were tried."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Actions and renderers that were not, and why."""
    problems: list[Problem] = field(default_factory=list)


def try_plugin(
    plugin: loader.Plugin,
    arguments: Mapping[str, Mapping[str, Any]],
    skip: Collection[str] = (),
) -> Trial:
    """Run every action and renderer that small values can be found for.

    Parameters
    ----------
    plugin : Plugin
    arguments : mapping of mappings
        By action: options that its defaults and the small values do not provide. A
        trainer is only tried if there is something for it here.
    skip : collection of str
        Actions to leave out.

    Raises
    ------
    UsageError
        If `arguments` or `skip` names an action that is not there.
    """
    trial = Trial()
    for name in (*arguments, *skip):
        plugin.action(name)
    trial.skipped.update(dict.fromkeys(skip, "left out"))
    here = Path.cwd()
    with _workplace() as place:
        bench = _Bench(plugin, trial, place, kit.write(place / "kit"), here, arguments)
        for action in plugin.actions.values():
            if action.name not in skip:
                note(f"trying {action.name}")
                bench.try_action(action)
        for kind in plugin.kinds:
            bench.try_kind(kind)
        for renderer in plugin.renderers:
            bench.try_renderer(renderer)
        bench.try_observers()
    return trial


@contextlib.contextmanager
def _workplace() -> Iterator[Path]:
    """Stand in a new folder, with a GROOVE_HOME beside it."""
    with tempfile.TemporaryDirectory(prefix="groove-", ignore_cleanup_errors=True) as name:
        place = Path(name).resolve()
        (place / "work").mkdir()
        (place / "home").mkdir()
        with (
            mock.patch.dict(os.environ, {"GROOVE_HOME": str(place / "home")}),
            contextlib.chdir(place / "work"),
        ):
            yield place


@dataclass
class _Bench:
    """What the actions of a plugin are tried on, and what is watched meanwhile."""

    plugin: loader.Plugin
    trial: Trial
    place: Path
    files: dict[str, Path]
    """Small values, by kind."""
    here: Path
    """Where relative paths of the caller begin."""
    given: Mapping[str, Mapping[str, Any]]
    runs: int = 0

    @property
    def into(self) -> Path:
        """Where actions are asked to leave files, if they must."""
        return self.place / "out" / "into"

    def problem(self, rule: str, message: str) -> None:
        problem = Problem(rule, message)
        if problem not in self.trial.problems:
            self.trial.problems.append(problem)

    # actions ---------------------------------------------------------------------

    def try_action(self, action: Action) -> None:
        name, kind = action.name, self.plugin.roles[action.name]
        if kind == "trainer" and name not in self.given:
            self.trial.skipped[name] = _give(name, "trainers take long")
            return
        try:
            function = loader.resolve(action.run, owner=self.plugin.source)
            params = describe(function)
        except Exception as error:  # the static rules say more
            self.trial.skipped[name] = f"it cannot be loaded: {type(error).__name__}"
            return
        options, lacking = self._options(name, params)
        self._try_mistakes(name, function, params, options, lacking)
        if lacking:
            flags = ", ".join(param.flag for param in lacking)
            self.trial.skipped[name] = _give(name, f"there is nothing small for {flags}")
            return
        seeds = [p.name for p in params if p.opt.role == "seed"]
        values = self._run(name, options | dict.fromkeys(seeds, SEED), params)
        if values is None:
            return
        self.trial.ran.append(name)
        if kind == "trainer":
            return  # once is long enough
        again = self._run(name, options | dict.fromkeys(seeds, SEED), params)
        if again is not None and again != values:
            how = f"with the seed {SEED}" if seeds else "with the same options, and takes no seed"
            self.problem("repeatable", f"{name} gives other values when it runs again {how}")
        elif seeds and kind == "generator":
            self._try_other_seeds(name, options, params, seeds, values)

    def _options(self, name: str, params: list[Param]) -> tuple[dict[str, Any], list[Param]]:
        """Return small options, and the parameters for which there are none."""
        options = dict(self.given.get(name, {}))
        lacking = []
        for param in params:
            if param.name in options:
                options[param.name] = self._found(param, options[param.name])
            elif (small := self._small(param)) is not None:
                options[param.name] = small
            elif param.required:
                lacking.append(param)
        return options, lacking

    def _found(self, param: Param, value: Any) -> Any:
        """Find files from the folder where the caller is."""
        if isinstance(value, (list, tuple)):
            return [self._found(param, item) for item in value]
        if not isinstance(value, (str, Path)):
            return value
        is_file = param.is_value or param.type is Path
        is_folder = param.opt.role == "checkpoint" and (self.here / value).is_dir()
        return self.here / value if is_file or is_folder else value

    def _small(self, param: Param) -> Any:
        if param.opt.role == "device":
            return "cpu"
        if param.name == "into" and param.type is Path:
            return self.into
        if param.type is int and param.name in FEW and param.opt.min is not None:
            return max(1, int(param.opt.min))
        if not param.required:
            return None
        if param.is_value:
            return next((self.files[k.kind] for k in param.kinds if k.kind in self.files), None)
        if param.choices:
            return param.choices[0]
        if param.type in (int, float):
            low, high = param.opt.min, param.opt.max
            return param.type(low if low is not None else high if high is not None else 1)
        return False if param.type is bool else None

    def _run(self, name: str, options: dict[str, Any], params: list[Param]) -> list[Value] | None:
        """Run an action as the command line does; None if it could not be tried."""
        self.runs += 1
        out = self.place / "out" / f"{name}-{self.runs}"
        shutil.rmtree(self.into, ignore_errors=True)
        values: list[Value] = []
        listed = {out / "result.json"}
        with self._watched(name):
            try:
                started = runs.start(self.plugin.package.name, name, dict(options), out=out)
                for _, value in started.values:
                    values.append(value)
                    written = {*map(Path, started.run.files)} - listed
                    listed |= written
                    self._try_value(name, value, written)
            except GrooveError as error:
                takes_files = any(p.is_value or p.type is Path for p in params)
                self._refused(name, error, takes_files=takes_files)
                return None
            except (Exception, SystemExit) as error:
                self.problem("runs", f"{name} raises {_words(error)}")
                return None
        for extra in _extra(out, listed):
            self.problem("clean", f"{name} leaves {extra.name} beside the files of its values")
        return values

    def _refused(self, name: str, error: GrooveError, *, takes_files: bool) -> None:
        if not error.hint.strip():
            self.problem("errors", f"{name} raises {_words(error)} without a hint")
        # A second of sound may be too little for it, and weights may have to be trained.
        elif error.exit_code in (4, 5, 6) and (takes_files or error.exit_code != 4):
            self.trial.skipped[name] = _give(name, f"it refuses what there is: {error.message}")
        else:
            self.problem("runs", f"{name} fails: {error.message} {error.hint}")

    def _try_other_seeds(
        self,
        name: str,
        options: dict[str, Any],
        params: list[Param],
        seeds: list[str],
        values: list[Value],
    ) -> None:
        for other in OTHER_SEEDS:
            found = self._run(name, options | dict.fromkeys(seeds, other), params)
            if found is None or found != values:
                return
        seen = ", ".join(map(str, (SEED, *OTHER_SEEDS)))
        self.problem("seeded", f"{name} gives the same for the seeds {seen}")

    def _try_value(self, name: str, value: Value, paths: set[Path]) -> None:
        kind = type(value)
        what = f"the {value.kind} of {name}"
        try:
            if kind.from_json(json.loads(dump_json(value.to_json()))) != value:
                self.problem("round-trip", f"{what} is another one after to_json and from_json")
            if not isinstance(value.to_text(), str):
                self.problem("round-trip", f"{what} has no text to show")
            saved = value.save(self.place / "kit" / "saved.json")
            for path in (saved, *sorted(paths)):
                if path.suffix[1:] in kind.suffixes and not _same(kind.read(path), value):
                    self.problem("round-trip", f"{what} is another one when read from {path.name}")
        except Exception as error:
            self.problem("round-trip", f"{what} cannot be saved and read: {_words(error)}")

    def _try_mistakes(
        self,
        name: str,
        function: Callable[..., Any],
        params: list[Param],
        options: dict[str, Any],
        lacking: list[Param],
    ) -> None:
        """Make the mistakes that users make; each must end in an error with a hint."""
        if not hasattr(function, "__wrapped__"):
            return  # not checked at all: a rule of its own
        bounded = [p for p in params if p.opt.min is not None or p.opt.max is not None]
        for param in bounded[:1]:  # the core does it for all alike
            low, high = param.opt.min, param.opt.max
            beyond = param.type(high + 1 if high is not None else (low or 0) - 1)
            self._expect_error(
                name, function, {**options, param.name: beyond}, f"{param.flag} {beyond}"
            )
        files = [p for p in params if p.required and (p.is_value or p.type is Path)]
        if files and all(param in files for param in lacking):
            nowhere = {
                p.name: self.place / f"nowhere.{p.type.suffixes[0] if p.is_value else 'mid'}"
                for p in files
            }
            self._expect_error(name, function, {**options, **nowhere}, "a file that does not exist")

    def _expect_error(
        self, name: str, function: Callable[..., Any], options: dict[str, Any], mistake: str
    ) -> None:
        with self._watched(name):
            try:
                result = function(**options)
                if isinstance(result, Iterator):
                    next(result, None)
            except GrooveError as error:
                if not error.hint.strip():
                    self.problem("errors", f"{name} with {mistake} raises {_words(error)} "
                                           "without a hint")  # fmt: skip
            except (Exception, SystemExit) as error:
                self.problem("errors", f"{name} with {mistake} raises {_words(error)}")
            else:
                self.problem("errors", f"{name} takes {mistake}")

    # kinds, renderers and observers -------------------------------------------------------

    def try_kind(self, kind: Kind) -> None:
        """Save the example of a kind in every format, read it again, and let it become others."""
        if not kind.example:
            self.trial.skipped[kind.name] = "it has no example"
            return
        self.trial.ran.append(kind.name)
        folder = self.place / "out" / f"kind-{kind.name}"
        folder.mkdir(parents=True)
        with self._watched(kind.name):
            try:
                value: Value = loader.resolve(kind.example, owner=self.plugin.source)()
                formats = [f for f in value.formats() if f != "png" or find_spec("matplotlib")]
                paths = {value.save(folder / f"tiny.{suffix}") for suffix in formats}
                self._try_value("its example", value, paths)
                for other, address in kind.becomes.items():
                    made = loader.resolve(address, owner=self.plugin.source)(value)
                    if getattr(made, "kind", None) not in (other, kind.name):
                        self.problem("kind", f"{kind.name} becomes no {other} by {address}")
            except Exception as error:
                self.problem("kind", f"the example of {kind.name} raises {_words(error)}")

    def try_renderer(self, renderer: Renderer) -> None:
        name = f"{renderer.kind} as .{renderer.suffix}"
        if renderer.kind not in self.files:
            self.trial.skipped[name] = "there is no small value of that kind"
            return
        try:
            run = loader.resolve(renderer.run, owner=self.plugin.source)
        except Exception as error:  # the static rules say more
            self.trial.skipped[name] = f"it cannot be loaded: {type(error).__name__}"
            return
        folder = self.place / "out" / f"renderer-{renderer.kind}-{renderer.suffix}"
        folder.mkdir(parents=True)
        path = folder / f"tiny.{renderer.suffix}"
        self.trial.ran.append(name)
        with self._watched(name):
            try:
                run(kit.examples()[renderer.kind], path)
            except (Exception, SystemExit) as error:
                self.problem("writes", f"{name} raises {_words(error)}")
                return
        if not path.is_file() or not path.stat().st_size:
            self.problem("writes", f"{name} writes nothing at the path it is given")
        for extra in _extra(folder, {path}):
            self.problem("writes", f"{name} writes {extra.name} beside it")

    def try_observers(self) -> None:
        """Tell the observers of this package of a run that worked and of one that failed."""
        package = self.plugin.package.name
        this = Run("drum-space", "0.1.0", "sample", {"count": 1}, seed=1)
        told: list[tuple[str, dict[str, Any]]] = [
            ("groove_run_started", {"run": this}),
            ("groove_run_finished", {"run": this, "result": this.document([])}),
            ("groove_run_failed", {"run": this, "error": InputError("nothing", hint="something")}),
        ]
        watching = [m for m in loader.observers()[0] if m.get_plugin(package) is not None]
        for manager in (self.plugin.manager, *watching):
            for hook, about in told:
                with self._watched(hook):
                    try:
                        getattr(manager.hook, hook)(**about)
                    except Exception as error:
                        self.problem("observers", f"{hook} raises {_words(error)}")

    # what is watched ---------------------------------------------------------------

    @contextlib.contextmanager
    def _watched(self, name: str) -> Iterator[None]:
        """See what is printed, and which files come, go or change where none should."""
        printed = io.StringIO()
        before = self._tree()
        try:
            with prints_aside(printed), contextlib.redirect_stderr(io.StringIO()):
                yield
        finally:
            if printed.getvalue().strip():
                first = printed.getvalue().strip().splitlines()[0][:60]
                self.problem("silent", f"{name} prints {first!r}")
            after = self._tree()
            for path in sorted(before.keys() | after.keys()):
                if before.get(path) != after.get(path):
                    self.problem("clean", f"{name} writes or removes {self._shown(path)}")

    def _tree(self) -> Tree:
        folders = [self.place / "work", self.place / "home"]
        found = find_spec(self.plugin.source.module.partition(".")[0])
        folders += map(Path, found.submodule_search_locations or () if found else ())
        cache = self.place / "home" / "cache"  # is there to be written
        return {
            path: (stat.st_size, stat.st_mtime_ns)
            for folder in folders
            for path in _files(folder)
            if not path.is_relative_to(cache)
            for stat in [path.stat()]
        }

    def _shown(self, path: Path) -> str:
        for folder, shown in (("work", "the current folder"), ("home", "GROOVE_HOME")):
            if path.is_relative_to(self.place / folder):
                return f"{path.relative_to(self.place / folder)} in {shown}"
        return f"{path.name} in its own package"


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def _extra(folder: Path, listed: set[Path]) -> list[Path]:
    """Return the files that belong to none of those listed.

    What a file refers to, such as the samples of an instrument, may be in a folder whose name
    begins with that of the file.
    """
    stems = tuple(path.stem for path in listed)
    extra = sorted({*_files(folder)} - listed)
    return [p for p in extra if p.parent == folder or not p.parent.name.startswith(stems)]


def _same(one: Value, other: Value) -> bool:
    """Compare; sound files keep 16 bits."""
    if isinstance(one, Audio) and isinstance(other, Audio):
        return one.samples.shape == other.samples.shape and bool(
            abs(one.samples - other.samples).max(initial=0.0) <= max(1.0, other.peak) * 2.0**-15
        )
    return one == other


def _words(error: BaseException) -> str:
    text = error.message if isinstance(error, GrooveError) else str(error)
    return f"{type(error).__name__}: {' '.join(text.split())}".rstrip(": ")


def _give(name: str, why: str) -> str:
    return f"{why}; arguments={{{name!r}: {{...}}}} tries it"
