"""Commands for many files: ``groove data check``, ``groove data cache`` and ``groove map``."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from groove_core.cli.run import (
    CORE_OPTIONS,
    ActionGroup,
    PackageGroup,
    command_of,
    help_of,
    typer_parameters,
)

if TYPE_CHECKING:
    from groove_core.actions.params import Param
    from groove_core.batch.journal import Outcome

__all__ = ["MapGroup", "cache", "check"]

NAMED = 10
"""Failed files that the summary of a map names; all are in its journal."""
MAP_OPTIONS: dict[str, Any] = {
    **CORE_OPTIONS,
    "out": Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FOLDER",
            help="Folder for the results (default: groove-out/PACKAGE-ACTION-map)",
        ),
    ],
    "json": Annotated[bool, typer.Option("--json", help="Print the summary as JSON")],
    "overwrite": Annotated[
        bool, typer.Option("--overwrite", help="Discard earlier results, and start again")
    ],
    "jobs": Annotated[int, typer.Option("--jobs", "-j", help="Files worked on at a time")],
    "timeout_s": Annotated[
        float | None,
        typer.Option(
            "--timeout", metavar="SECONDS", help="Time limit of each file (default: none)"
        ),
    ],
}


def check(
    folder: Path,
    jobs: int,
    timeout_s: float | None,
    min_s: float,
    out: Path | None,
    *,
    json: bool,
    quiet: bool,
    overwrite: bool,
) -> None:
    """Check a folder and list what is of no use; exits with 4 if anything is."""
    from groove_core.cli.inspect import columns
    from groove_core.console import displayed, set_quiet
    from groove_core.data import check as check_folder
    from groove_core.storage.files import dump_json

    set_quiet(quiet)
    report = check_folder(
        folder, jobs=jobs, timeout_s=timeout_s, min_s=min_s, out=out, overwrite=overwrite
    )
    if json:
        sys.stdout.write(dump_json(report.data))
    else:
        table = columns([list(map(str, row)) for row in report.rows])
        print(displayed("\n".join([*([table, ""] if table else []), *report.notes])))
    if report.rows:
        raise typer.Exit(4)


def cache(clear: bool, limit_gb: float | None, json: bool) -> None:
    """Show the cache of features, after emptying or trimming it if asked to."""
    from groove_core.console import note
    from groove_core.errors import UsageError
    from groove_core.storage.cache import Cache
    from groove_core.storage.files import dump_json

    if limit_gb is not None and not 0 <= limit_gb < float("inf"):
        raise UsageError(f"--limit-gb cannot be {limit_gb}.", hint="--limit-gb 4")
    cache = Cache(limit_bytes=None if limit_gb is None else int(limit_gb * 1e9))
    if clear or limit_gb is not None:
        note(f"removed {cache.clear() if clear else cache.trim()} entries")
    stats = cache.stats()
    if json:
        sys.stdout.write(dump_json(dataclasses.asdict(stats)))
    else:
        print(f"folder   {stats.folder}")
        print(f"entries  {stats.entries}")
        print(f"size     {stats.bytes / 1e9:.3f} GB")
        print(f"limit    {stats.limit_bytes / 1e9:.3f} GB  (GROOVE_CACHE_GB)")


class MapGroup(PackageGroup):
    """``groove map``: the packages and actions of ``groove run``, over many files."""

    def build(self, name: str) -> Any:  # noqa: D102
        group = super().build(name)
        actions = _MapActions(name=name, help=group.help, no_args_is_help=True)
        actions.plugin = group.plugin
        return actions


class _MapActions(ActionGroup):
    def build(self, name: str) -> Any:
        from groove_core.errors import UsageError

        action, function, params = self.described(name)
        package, name = self.plugin.package.name, action.name
        if not params or not (params[0].required and params[0].is_value):
            raise UsageError(
                f"{package} {name} does not begin with a file, so it cannot be mapped over files.",
                hint=f"groove run {package} {name} --help",
            )
        first = params[0]
        # An action's own `jobs` keeps its default: all workers together are enough.
        rest = [p for p in params[1:] if p.name not in ("files", *MAP_OPTIONS)]

        def command(files: list[Path], **given: Any) -> None:
            core = {key: given.pop(key) for key in MAP_OPTIONS}
            given = {key: value for key, value in given.items() if value is not None}
            _map(package, name, first, rest, files, given, **core)

        # What else must be given comes as an option, since files may be any number.
        options = [
            one
            for p in rest
            for one in typer_parameters(
                dataclasses.replace(p, default=None, optional_argument=False)
                if p.is_argument
                else p
            )
        ]
        defaults = {"out": None, "format": None, "jobs": 1, "timeout_s": None}
        help_text = f"{first.opt.help or first.type.kind}: any number of files and folders"
        parameters = [
            inspect.Parameter(
                "files",
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                annotation=Annotated[list[Path], typer.Argument(metavar="FILES", help=help_text)],
            ),
            *options,
            *(
                inspect.Parameter(
                    key,
                    inspect.Parameter.KEYWORD_ONLY,
                    annotation=annotation,
                    default=defaults.get(key, False),
                )
                for key, annotation in MAP_OPTIONS.items()
            ),
        ]
        parameters.sort(key=lambda p: p.kind)
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in parameters}
        return command_of(name, _map_help(function, action.summary), command)


def _map_help(function: Any, summary: str) -> str:
    return (
        help_of(function, summary).partition("\n")[0]
        + "\n\nOnce for every file. The results of DIR/song.mid are in OUT/song, and "
        "OUT/results.jsonl has one line for each file: the result, or what went wrong. The same "
        "command again goes on where it was interrupted. All files get the same seed. Exits "
        "with 4 if a file failed."
    )


def _map(
    package: str,
    action: str,
    first: Param,
    rest: list[Param],
    given: list[Path],
    options: dict[str, Any],
    *,
    out: Path | None,
    format: str | None,
    json: bool,
    quiet: bool,
    overwrite: bool,
    jobs: int,
    timeout_s: float | None,
) -> None:
    from groove_core.actions.binding import bind, draw_seed, renamed
    from groove_core.actions.params import plain
    from groove_core.batch.jobs import map_files
    from groove_core.batch.journal import read_settings
    from groove_core.console import displayed, note, set_quiet
    from groove_core.plugins import loader
    from groove_core.storage.files import dump_json

    set_quiet(quiet)
    options = renamed(rest, options)
    converted = bind(rest, options)  # a mistake is told before any work
    options |= {p.name: converted[p.name] for p in rest if p.name in options and not p.is_value}
    out = out or Path("groove-out", f"{package}-{action}-map")
    journal = out / "results.jsonl"
    before = None if overwrite else read_settings(journal)
    files = _files(first, given, out)
    for param in rest:
        if param.opt.role == "seed":
            earlier = (before or {}).get("options", {}).get(param.name)
            options[param.name] = draw_seed(options.get(param.name, earlier))
            note(f"seed {options[param.name]}")
    if before is None and not overwrite:
        _check_empty(out)
    root = _root(given, files)
    work = functools.partial(
        _run_one,
        package=package,
        action=action,
        parameter=first.name,
        many=first.many,
        options=options,
        formats=format,
        folders=_folders(files, root, out),
    )
    settings = {
        "package": package,
        "version": loader.find(package).version,
        "action": action,
        "options": {key: plain(value) for key, value in options.items()},
        "made_of": _made_of(package, rest, options),
        "format": format,
        "root": str(root),
    }
    outcomes = map_files(
        work,
        files,
        jobs=jobs,
        out=journal,
        settings=settings,
        overwrite=overwrite,
        timeout_s=timeout_s,
        current=_has_its_files,
        text=action,
    )
    failed = {o.file: o.error["message"] for o in _first_tells(outcomes) if o.error}
    if json:
        summary = {"files": len(files), "failed": failed, "results": str(journal)}
        sys.stdout.write(dump_json({"schema": "groove.map/1", **summary}))
    else:
        print(f"{len(files) - len(failed)} of {len(files)} files done; results in {out}")
        if failed:
            more = f" and {len(failed) - NAMED} more" if len(failed) > NAMED else ""
            named = displayed(", ".join(list(failed)[:NAMED]))
            print(f"failed: {named}{more}; reasons in {journal}")
    if failed:
        raise typer.Exit(4)


def _has_its_files(outcome: Outcome) -> bool:
    """Return whether the files that a run has written are still there."""
    assert outcome.result is not None
    return all(Path(file).exists() for file in outcome.result["files"])


def _made_of(package: str, params: Sequence[Param], options: dict[str, Any]) -> dict[str, Any]:
    """Say which content is behind options that name a checkpoint or a file.

    Other weights under the same name, or a changed file, are other settings.
    """
    from groove_core.storage import checkpoints

    found: dict[str, Any] = {}
    for param in params:
        value = options.get(param.name)
        if param.opt.role == "checkpoint" and value is not None:
            path = checkpoints.find(package, value).path
            found[param.name] = checkpoints.read_card(path)["sha256"]
        elif isinstance(value, (str, Path)) and (param.is_value or param.type is Path):
            about = Path(value).stat()
            found[param.name] = [about.st_size, about.st_mtime_ns]
    return found


def _files(first: Param, given: Sequence[Path], out: Path) -> list[Path]:
    """Return the files in folders, without those in the folder for the results."""
    from groove_core.errors import InputError
    from groove_core.storage.folders import list_files

    def takes(kind: str) -> bool:
        return any(one.takes(kind) for one in first.kinds)

    suffixes = {suffix for kind in first.kinds for suffix in kind.suffixes}
    files: dict[Path, Path] = {}
    """By their real path: a file that is named twice is worked on once."""
    for path in given:
        if not path.is_dir():
            files.setdefault(path.parent.resolve() / path.name, path)
            continue
        for file in list_files(path, suffixes, kinds=takes):
            if out.resolve() not in file.resolve().parents:
                files.setdefault(file.parent.resolve() / file.name, file)
    if not files:
        raise InputError(
            f"All files lie in the folder for the results, {out}.",
            hint="Give another --out.",
        )
    return list(files.values())


def _root(given: Sequence[Path], files: Sequence[Path]) -> Path:
    """Return the folder that all files lie in."""
    if len(given) == 1 and given[0].is_dir():
        return given[0].resolve()
    return Path(os.path.commonpath([file.parent.resolve() for file in files]))


def _folders(files: Sequence[Path], root: Path, out: Path) -> dict[str, str]:
    """Return every file a folder for its results: its path in the root, without the ending.

    Where two files differ in their endings only, ``song.mid`` becomes ``song-mid``.
    """
    from groove_core.errors import UsageError

    whole = [file.parent.resolve() / file.name for file in files]
    paths = [path.relative_to(root) for path in whole]
    shared = Counter(path.with_suffix("") for path in paths)
    bare = [
        path.with_suffix("")
        if shared[path.with_suffix("")] == 1
        else path.with_name(path.name.replace(".", "-"))
        for path in paths
    ]
    twice = [folder for folder, count in Counter(bare).items() if count > 1]
    if twice:
        raise UsageError(
            f"Results of two files would both be in {out / twice[0]}.", hint="Rename one of them."
        )
    return {str(file): str(out / folder) for file, folder in zip(files, bare, strict=True)}


def _check_empty(out: Path) -> None:
    """Check that nothing is in the folder, since no journal of ours says what it is."""
    from groove_core.errors import UsageError
    from groove_core.storage.folders import is_hidden

    # A map that was killed before its journal was there leaves hidden files, swept with its lock.
    if out.is_dir() and not all(is_hidden(path.name) for path in out.iterdir()):
        raise UsageError(
            f"{out} is not empty, and not from an earlier map.",
            hint="--overwrite to replace what is in it, or another --out.",
        )


def _first_tells(outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
    """Stop if the first outcome shows a mistake that every file would meet.

    Such as a format that the result cannot be written in, or a checkpoint that is not there.
    """
    from groove_core import errors

    everyones = (errors.UsageError, errors.PluginError, errors.CheckpointError)
    for index, outcome in enumerate(outcomes):
        if index == 0 and outcome.error:
            for kind in everyones:
                # One that names the file is about the file.
                about = Path(outcome.file).name in outcome.error["message"]
                if outcome.error["kind"] == kind.__name__ and not about:
                    raise kind(outcome.error["message"], hint=outcome.error["hint"])
        yield outcome


def _run_one(
    path: Path,
    *,
    package: str,
    action: str,
    parameter: str,
    many: bool,
    options: dict[str, Any],
    formats: str | None,
    folders: dict[str, str],
) -> dict[str, Any]:
    """Be ``groove run`` on one file; in a worker."""
    from groove_core.actions.runs import run

    folder = Path(folders[str(path)])
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return run(
            package,
            action,
            out=folder,
            formats=formats,
            overwrite=True,  # what an interrupted run may have left
            **{parameter: [path] if many else path},
            **options,
        )
    except BaseException:
        with contextlib.suppress(OSError):
            folder.rmdir()
        raise
