"""Running an action: the same for the command line, for Python and for ``rerun``."""

from __future__ import annotations

import contextlib
import copy
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from groove_core.__about__ import __version__
from groove_core.actions.binding import bind, draw_seed, files_of, renamed
from groove_core.actions.inputs import Inputs, Tally, tally
from groove_core.actions.outputs import Names, table_of
from groove_core.actions.params import Param, describe, plain, result_kind
from groove_core.actions.places import Place, claimed
from groove_core.console import is_main_process, note
from groove_core.errors import GrooveError, InputError, UsageError, of_system
from groove_core.hookspecs import RESULT_SCHEMA, Run
from groove_core.plugins import loader
from groove_core.plugins.guests import guest
from groove_core.storage.checkpoints import current_run
from groove_core.storage.files import dump_json, file_sha256, read_json
from groove_core.values.base import Value

__all__ = ["RESULT_SCHEMA", "Run", "run", "start"]

MANY = 64
"""From this value on, sound is only written when it was asked for by --format."""
_EXPENSIVE = ("wav", "png")
_ENDINGS = ("mid", "midi", "wav", "flac", "ogg", "png", "txt", "json", "csv", "md", "npz", "sfz")


@dataclass
class Started:
    """A run whose values come one by one; `document` is complete after the last."""

    run: Run
    values: Iterator[tuple[str, Value]]
    """Name (without ending) and value, in order; files are written as they come."""
    folder: Path | None
    document: dict[str, Any] | None = None
    tally: Tally = field(default_factory=Tally)
    """The files that could not be used; in the document as ``failed``."""
    many: bool = False
    """Whether there may be several values."""


def run(
    package: str,
    action: str,
    /,
    *,
    out: str | Path | None = None,
    formats: str | Iterable[str] | None = None,
    overwrite: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """Run an action by name, as ``groove run`` does, and give its result document.

    Parameters
    ----------
    package, action : str
    out : path, optional
        Folder for the files (default: no files are written).
    formats : str or iterable of str, optional
        Endings to write, for example ``"mid,wav"`` (default: those of the kind of value).
    overwrite : bool
        Replace files of an earlier run.
    **options
        Options of the action, as its signature has them.

    Raises
    ------
    GrooveError
        Of the kind that fits the mistake.
    """
    started = start(
        package,
        action,
        options,
        out=out,
        formats=formats,
        overwrite=overwrite,
        write=out is not None,
    )
    for _ in started.values:
        pass
    assert started.document is not None
    return started.document


def start(
    package: str,
    action: str,
    options: dict[str, Any],
    *,
    out: str | Path | None = None,
    formats: str | Iterable[str] | None = None,
    overwrite: bool = False,
    write: bool = True,
    checkpoint: Any = None,
) -> Started:
    """Check everything that can be checked before the work begins, then begin.

    With a `checkpoint` (of an earlier document) no other one is accepted.
    """
    plugin = loader.load(package)
    found = plugin.action(action)
    function = loader.resolve(found.run, owner=plugin.source)
    params = describe(function)
    roles = {param.opt.role: param for param in params}
    options = renamed(params, {**found.aliases.get(action, {}), **options})
    action = found.name
    if "seed" in roles:
        seed = roles["seed"]
        options[seed.name] = draw_seed(
            options.get(seed.name, None if seed.required else seed.default)
        )
    # Before the device: a typo should not wait for torch.
    arguments = bind(params, options)
    this = Run(
        package,
        plugin.source.version,
        action,
        {p.name: _option(p, options, arguments) for p in params},
        seed=arguments[roles["seed"].name] if "seed" in roles else None,
        wanted_checkpoint=checkpoint,
        versions={"groove-core": __version__, "numpy": np.__version__},
    )
    kind = result_kind(function)
    if isinstance(formats, str):
        formats = formats.split(",")
    if formats is not None:
        formats = [f.strip().lower().lstrip(".") for f in formats if f.strip()]
        if kind is not None:  # otherwise the first value tells
            for suffix in formats:
                if not (suffix == "csv" and params and params[0].many):  # a table of all values
                    kind.check_format(suffix)
    if kind is not None and kind.is_message and out is None and formats is None:
        write = False
    inputs = [
        Input.of(p.name, file)
        for p in params
        for bound in [arguments.get(p.name)]
        for file in files_of(p, bound if isinstance(bound, Inputs) else options.get(p.name))
    ]
    with contextlib.ExitStack() as stack:
        place = None
        if write and is_main_process():
            folder = _folder(this, out)
            new = out is None and not overwrite  # every run has a folder of its own
            again = overwrite or (not new and _is_again(folder, this))
            place = stack.enter_context(claimed(folder, action, overwrite=again, new=new))
        if "device" in roles:
            from groove_core.devices import resolve

            param = roles["device"]
            arguments[param.name] = this.device = resolve(arguments.get(param.name, param.default))
            this.versions["torch"] = str(sys.modules["torch"].__version__)
        started = Started(this, iter(()), None if place is None else place.folder)
        writer = _Writer(this, place, formats)
        names = Names.of(action, params, options, started.tally)
        started.values = _values(
            plugin, function, arguments, inputs, started, writer, names, stack.pop_all()
        )
    return started


def _option(param: Param, given: dict[str, Any], converted: dict[str, Any]) -> Any:
    """Return an option as the document has it: values by their path, the rest as converted."""
    if param.name not in given:
        return plain(param.default)
    return plain((given if param.is_value else converted)[param.name])


def _is_again(folder: Path, this: Run) -> bool:
    """Return whether a folder holds the result of the same command, and nobody changed a file."""
    try:
        before = read_json(folder / "result.json")
        written_ns = (folder / "result.json").stat().st_mtime_ns
        now = json.loads(dump_json({"options": this.options, "seed": this.seed}))
        return (
            (before["package"], before["action"]) == (this.package, this.action)
            and {"options": before["options"], "seed": before["seed"]} == now
            and all(
                (folder / Path(file).relative_to(folder)).stat().st_mtime_ns <= written_ns
                for file in before["files"]
            )
        )
    except (InputError, OSError, LookupError, TypeError, ValueError):
        return False


def _folder(this: Run, out: str | Path | None) -> Path:
    if out is None:
        name = f"{this.package}-{this.action}"
        return Path("groove-out", name if this.seed is None else f"{name}-seed{this.seed}")
    folder = Path(out)
    ending = folder.suffix.lower().lstrip(".")
    if folder.is_file() or (ending in _ENDINGS and not folder.exists()):
        raise UsageError(
            f"--out {folder} is not a folder.",
            hint=f"--out {folder.with_suffix('')} --format {ending or 'mid'}",
        )
    return folder


@dataclass(frozen=True, slots=True)
class Input:
    """A file that a run reads, as it was when the run began."""

    option: str
    file: Path
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, option: str, file: Path) -> Input:
        about = file.stat()
        return cls(option, file, about.st_size, about.st_mtime_ns)

    def to_json(self) -> dict[str, str] | None:
        """Return name and hash; None, with a warning, if it is not the same file any more."""
        try:
            sha256 = file_sha256(self.file)
            changed = self.of(self.option, self.file) != self
        except OSError:
            changed = True
        if changed:
            note(f"warning: {self.file} changed during the run, so result.json does not name it.")
            return None
        return {"option": self.option, "file": self.file.as_posix(), "sha256": sha256}


@dataclass
class _Writer:
    """Writes values as they come, and at the end a table of those of many files."""

    run: Run
    place: Place | None
    formats: list[str] | None
    rows: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Of the values of one file each."""

    def __call__(self, name: str, index: int, value: Value, of_file: str) -> None:
        if self.place is None:
            return
        formats = value.default_formats if self.formats is None else self.formats
        if of_file:
            self.rows.append((of_file, value.to_json()))
            if "csv" not in value.formats():
                formats = [suffix for suffix in formats if suffix != "csv"]
        if self.formats is None and index >= MANY:
            skipped = [f for f in formats if f in _EXPENSIVE]
            formats = [f for f in formats if f not in _EXPENSIVE]
            if index == MANY and skipped:
                note(f"no more {', '.join(skipped)} after {MANY}; --format writes them all")
        if index == 0:
            for suffix in formats:  # all of them, before the first file is written
                value.writer(suffix)
        for suffix in formats:
            self.run.files.append(self.place.save(value, f"{name}.{suffix}").as_posix())

    def tabulate(self, name: str) -> None:
        """Write a row for each file, if there are several, or if a table was asked for."""
        wanted = len(self.rows) > 1 if self.formats is None else "csv" in self.formats
        if self.place is not None and self.rows and wanted:
            path = self.place.write(table_of(self.rows), f"{name}.csv")
            self.run.files.append(path.as_posix())


def _values(
    plugin: loader.Plugin,
    function: Any,
    arguments: dict[str, Any],
    inputs: list[Input],
    started: Started,
    writer: _Writer,
    names: Names,
    stack: contextlib.ExitStack,
) -> Iterator[tuple[str, Value]]:
    this = started.run
    managers, broken = loader.observers()
    for problem in (*(f"{error.message} {error.hint}" for error in broken), *loader.damaged()):
        note(f"warning: {problem}")
    managers = [plugin.manager, *managers]
    token = current_run.set(this)
    before = tally.set(started.tally)
    documents: list[dict[str, Any]] = []
    try:
        with stack:
            _observe(managers, "groove_run_started", run=this)
            with _system_errors():
                with guest(this.action, draws=True):
                    result = function(**arguments)
                many = isinstance(result, Iterable) and not isinstance(result, Value)
                started.many = many
                for index, value in enumerate(_drawn(result, this.action) if many else [result]):
                    if not isinstance(value, Value):
                        kind = type(value).__name__
                        raise TypeError(f"{this.action} gave something of type {kind}, not a value")
                    name = names.next(index) if many else names.one()
                    of_file = started.tally.current if many else ""
                    with guest(f"writing {value.kind}", draws=True):
                        writer(name, index, value, of_file)
                    documents.append(value.to_document())
                    yield name, value
                writer.tabulate(names.one())
                this.inputs = [about for one in inputs if (about := one.to_json()) is not None]
                started.document = this.document(documents if many else documents[0])
                if started.tally.failed:
                    started.document["failed"] = list(started.tally.failed.values())
                if writer.place is not None:
                    writer.place.finish(dump_json(started.document))
    except BaseException as error:
        _observe(managers, "groove_run_failed", run=this, error=error)
        raise
    finally:
        with contextlib.suppress(ValueError):  # a generator closed from another context
            current_run.reset(token)
            tally.reset(before)
    _observe(managers, "groove_run_finished", run=this, result=started.document)


def _drawn(values: Iterable[Value], action: str) -> Iterator[Value]:
    """Draw one value after the other; what an action does meanwhile is in nobody's way."""
    iterator = iter(values)
    while True:
        with guest(action, draws=True):
            try:
                value = next(iterator)
            except StopIteration:
                return
        yield value


def _observe(managers: list[Any], hook: str, **about: Any) -> None:
    """Tell observers, who cannot change a run, print among its results, or end it."""
    for manager in managers:
        if not getattr(manager.hook, hook).get_hookimpls():
            continue
        try:
            with guest("an observer"):
                getattr(manager.hook, hook)(**_copied(about))
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:  # such as SystemExit
            note(f"warning: an observer failed in {hook}: {type(error).__name__}: {error}")


def _copied(about: dict[str, Any]) -> dict[str, Any]:
    return {k: v if isinstance(v, BaseException) else copy.deepcopy(v) for k, v in about.items()}


@contextlib.contextmanager
def _system_errors() -> Iterator[None]:
    """Say what the system lacks or refuses in words; an action does not end the process."""
    try:
        yield
    except SystemExit as error:
        raise RuntimeError(f"the action ended with SystemExit({error.code})") from error
    except Exception as error:
        if isinstance(error, GrooveError) or (told := of_system(error)) is None:
            raise
        raise told from error
