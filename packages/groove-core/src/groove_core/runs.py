"""Running an action: the same for the command line, for Python and for ``rerun``."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from groove_core import plugins
from groove_core.console import is_main_process, note
from groove_core.errors import CheckpointError, DeviceError, InputError, UsageError
from groove_core.files import check_writable, dump_json, read_json, write_text
from groove_core.hookspecs import RESULT_SCHEMA, Run
from groove_core.inputs import Tally, tally
from groove_core.params import Param, bind, describe, draw_seed, plain
from groove_core.values.base import RESULT, Value

__all__ = ["RESULT_SCHEMA", "Run", "note_checkpoint", "run", "start"]

MANY = 64
"""From this value on, sound is only written when it was asked for by --format."""
_EXPENSIVE = ("wav", "png")
_ENDINGS = ("mid", "midi", "wav", "flac", "ogg", "png", "txt", "json", "csv", "md", "npz", "sfz")

_current: ContextVar[Run | None] = ContextVar("groove_run", default=None)


def note_checkpoint(about: dict[str, Any]) -> None:
    """Record on the current run, if there is one, which checkpoint was loaded."""
    run = _current.get()
    if run is None:
        return
    wanted = run.wanted_checkpoint
    if isinstance(wanted, dict) and wanted != about:
        raise CheckpointError(
            f"The result was made with {wanted.get('name')} {str(wanted.get('sha256'))[:12]}..., "
            f"this is {about['name']} {about['sha256'][:12]}...",
            hint="Put the checkpoint back, or groove run again to make a new result.",
        )
    if run.checkpoint is None:
        run.checkpoint = about
    else:  # an action that compares models loads several
        before = run.checkpoint if isinstance(run.checkpoint, list) else [run.checkpoint]
        run.checkpoint = [*before, about]


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
        Folder for the files; no files are written when left out.
    formats : str or iterable of str, optional
        Endings to write, for example ``"mid,wav"``; what the kind of value is
        usually written as when left out.
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
    plugin = plugins.load(package)
    function = plugins.resolve(plugin.action(action).run, owner=plugin.source)
    params = describe(function)
    roles = {param.opt.role: param for param in params}
    options = dict(options)
    if "seed" in roles:
        name = roles["seed"].name
        options[name] = draw_seed(options.get(name))
    # Before the device: a typo should not wait for torch.
    arguments = bind(params, options)
    this = Run(
        package,
        plugin.source.version,
        action,
        {p.name: _option(p, options, arguments) for p in params},
        seed=arguments[roles["seed"].name] if "seed" in roles else None,
        wanted_checkpoint=checkpoint,
    )
    if isinstance(formats, str):
        formats = formats.split(",")
    if formats is not None:
        formats = [f.strip().lower().lstrip(".") for f in formats if f.strip()]
    folder = _folder(this, out, overwrite) if write else None
    if "device" in roles:
        from groove_core.devices import resolve

        param = roles["device"]
        arguments[param.name] = this.device = resolve(arguments.get(param.name, param.default))
    started = Started(this, iter(()), folder)
    writer = _Writer(this, folder, formats, overwrite)
    started.values = _values(plugin, function, arguments, started, writer)
    return started


def _option(param: Param, given: dict[str, Any], converted: dict[str, Any]) -> Any:
    """Give an option as the document has it: values by their path, the rest as converted."""
    if param.name not in given:
        return plain(param.default)
    return plain((given if param.is_value else converted)[param.name])


def _folder(this: Run, out: str | Path | None, overwrite: bool) -> Path:
    if out is not None:
        folder = Path(out)
    else:
        folder = Path("groove-out", f"{this.package}-{this.action}")
        if this.seed is not None:
            folder = folder.with_name(f"{folder.name}-seed{this.seed}")
        if not overwrite:  # a folder of its own for every run
            names = (f"{folder.name}-{n}" if n > 1 else folder.name for n in range(1, 10**6))
            folder = next(f for f in map(folder.with_name, names) if not f.exists())
    ending = folder.suffix.lower().lstrip(".")
    if folder.is_file() or (ending in _ENDINGS and not folder.exists()):
        raise UsageError(
            f"--out {folder} is not a folder.",
            hint=f"--out {folder.with_suffix('')} --format {ending or 'mid'}",
        )
    if folder.is_dir() and not overwrite:
        for path in sorted(folder.iterdir()):
            if path.name == RESULT or re.match(rf"{this.action}(-\d+)?\.", path.name):
                raise _exists(path)
    check_writable(folder)  # now: an hour of work that cannot be written helps nobody
    return folder


def _exists(path: Path) -> UsageError:
    return UsageError(
        f"{path} exists already.", hint="--overwrite to replace it, or --out FOLDER to keep it."
    )


@dataclass
class _Writer:
    run: Run
    folder: Path | None
    formats: list[str] | None
    overwrite: bool

    def __call__(self, name: str, index: int, value: Value) -> None:
        if self.folder is None or not is_main_process():
            return
        formats = value.default_formats if self.formats is None else self.formats
        if self.formats is None and index >= MANY:
            skipped = [f for f in formats if f in _EXPENSIVE]
            formats = [f for f in formats if f not in _EXPENSIVE]
            if index == MANY and skipped:
                note(f"no more {', '.join(skipped)} after {MANY}; --format writes them all")
        if index == 0:
            for suffix in formats:  # all of them, before the first file is written
                value.writer(suffix)
        for suffix in formats:
            path = self.folder / f"{name}.{suffix}"
            if path.exists() and not self.overwrite:
                raise _exists(path)
            value.save(path)
            self.run.files.append(path.as_posix())


def _values(
    plugin: plugins.Plugin,
    function: Any,
    arguments: dict[str, Any],
    started: Started,
    writer: _Writer,
) -> Iterator[tuple[str, Value]]:
    this = started.run
    managers, broken = plugins.observers()
    for error in broken:
        note(f"warning: {error.message} {error.hint}")
    managers = [plugin.manager, *managers]
    _observe(managers, "groove_run_started", run=this)
    token = _current.set(this)
    before = tally.set(started.tally)
    documents: list[dict[str, Any]] = []
    try:
        with _device_errors():
            result = function(**arguments)
            many = isinstance(result, Iterable) and not isinstance(result, Value)
            for index, value in enumerate(result if many else [result]):
                if not isinstance(value, Value):
                    kind = type(value).__name__
                    raise TypeError(f"{this.action} gave something of type {kind}, not a value")
                name = f"{this.action}-{index + 1:03d}" if many else this.action
                writer(name, index, value)
                documents.append(value.to_document())
                yield name, value
        started.document = this.document(documents if many else documents[0])
        if started.tally.failed:
            started.document["failed"] = list(started.tally.failed.values())
        if started.folder is not None and is_main_process():
            _remove_earlier(started.folder, this.files)
            write_text(started.folder / RESULT, dump_json(started.document))
    except BaseException as error:
        if isinstance(error, Exception):  # Ctrl-C keeps what is finished; a failure keeps nothing
            _remove(started.folder, this.files)
        _observe(managers, "groove_run_failed", run=this, error=error)
        raise
    finally:
        with contextlib.suppress(ValueError):  # a generator closed from another context
            _current.reset(token)
            tally.reset(before)
    _observe(managers, "groove_run_finished", run=this, result=started.document)


def _remove(folder: Path | None, files: list[str]) -> None:
    """Remove the files of a failed run, and its folder if nothing else is in it."""
    for file in files:
        Path(file).unlink(missing_ok=True)
    if folder is not None:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _remove_earlier(folder: Path, written: list[str]) -> None:
    """Remove what an overwritten run left here and this one did not write again."""
    try:
        earlier = read_json(folder / RESULT)["files"]
    except (InputError, TypeError, KeyError):
        return
    for name in {Path(str(f)).name for f in earlier} - {Path(f).name for f in written}:
        (folder / name).unlink(missing_ok=True)


def _observe(managers: list[Any], hook: str, **about: Any) -> None:
    for manager in managers:
        try:
            getattr(manager.hook, hook)(**about)
        except Exception as error:
            note(f"warning: an observer failed in {hook}: {type(error).__name__}: {error}")


@contextlib.contextmanager
def _device_errors() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        # torch.OutOfMemoryError is a RuntimeError; named, so that torch need not be imported.
        if type(error).__name__ == "OutOfMemoryError":
            raise DeviceError(
                "The device has no memory left.", hint="--device cpu, or smaller batches."
            ) from error
        raise
