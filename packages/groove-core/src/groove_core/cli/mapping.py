"""``groove map``: the actions of ``groove run`` over many files, and over machines."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated, Any

import typer

from groove_core.cli.files import Folders, check_empty, names_of, places
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
    from groove_core.batch.shards import Shard

__all__ = ["ENGINE", "GPUS", "JOBS", "MAP_OPTIONS", "MapGroup"]

NAMED = 10
"""Failed files that the summary of a map names; all are in its journal."""
MERGE = "--merge"
JOBS = typer.Option(
    "--jobs", "-j", help="Files worked on at a time (default: 1, elsewhere what the engine has)"
)
ENGINE = typer.Option(
    "--engine",
    metavar="ENGINE",
    help="Engine that does the work: local, or that of a package, such as ray://head:10001",
)
GPUS = typer.Option(
    "--gpus-per-task", metavar="SHARE", help="Share of a GPU for each file, for example 0.25"
)
MAP_OPTIONS: dict[str, Any] = {
    **CORE_OPTIONS,
    "out": Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FOLDER",
            help="Folder for the results, or a .jsonl file for a line for each file and nothing "
            "else (default: groove-out/PACKAGE-ACTION-map)",
        ),
    ],
    "json": Annotated[bool, typer.Option("--json", help="Print the summary as JSON")],
    "overwrite": Annotated[
        bool, typer.Option("--overwrite", help="Discard earlier results, and start again")
    ],
    "files_from": Annotated[
        Path | None,
        typer.Option(
            "--files-from",
            metavar="LIST",
            help="Text with a name of a file in each line; - reads it",
        ),
    ],
    "shard": Annotated[
        str | None,
        typer.Option(
            "--shard", metavar="K/N", help="Take the K-th of N parts of the files (default: all)"
        ),
    ],
    "engine": Annotated[str, ENGINE],
    "jobs": Annotated[int | None, JOBS],
    "gpus_per_task": Annotated[float, GPUS],
    "timeout_s": Annotated[
        float | None,
        typer.Option(
            "--timeout", metavar="SECONDS", help="Time limit of each file (default: none)"
        ),
    ],
}


class MapGroup(PackageGroup):
    """``groove map``: the packages and actions of ``groove run``, over many files."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take ``--merge`` for the command that it is: it has files and options of its own."""
        return super().parse_args(ctx, ["--", *args] if args[:1] == [MERGE] else args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: D102
        if args[0] == MERGE:
            return MERGE, command_of(MERGE, "Join the lines of all shards.", _merge), args[1:]
        return super().resolve_command(ctx, args)

    def build(self, name: str) -> Any:  # noqa: D102
        group = super().build(name)
        actions = _MapActions(name=name, help=group.help, no_args_is_help=True)
        actions.plugin = group.plugin
        return actions


def _merge(
    parts: Annotated[list[Path], typer.Argument(metavar="FILES", help="Lines of all shards")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE.jsonl", help="File for all lines")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON")] = False,
) -> None:
    """Join the lines of all shards into the file that one machine would have written.

    Shards that are missing, there twice or not finished are named, as are shards of other files,
    settings, versions or weights.
    """
    from groove_core.batch.shards import merge
    from groove_core.errors import UsageError
    from groove_core.storage.files import dump_json

    if out.exists() and not overwrite:
        raise UsageError(f"{out} is there already.", hint="--overwrite, or another --out.")
    count = merge(parts, out)
    if json:
        document = {"schema": "groove.merge/1", "files": count, "results": str(out)}
        sys.stdout.write(dump_json(document))
    else:
        print(f"{count} files of {len(parts)} shards in {out}")


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

        def command(files: list[str] | None = None, **given: Any) -> None:
            from groove_core.storage.remote import path_of

            core = {key: given.pop(key) for key in MAP_OPTIONS}
            given = {key: value for key, value in given.items() if value is not None}
            _map(package, name, first, rest, [*map(path_of, files or [])], given, **core)

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
        defaults = {
            "json": False, "quiet": False, "overwrite": False, "engine": "local",
            "gpus_per_task": 0.0,
        }  # fmt: skip
        help_text = f"{first.opt.help or first.type.kind}: any number of files and folders"
        parameters = [
            inspect.Parameter(
                "files",
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                annotation=Annotated[
                    list[str] | None, typer.Argument(metavar="FILES", help=help_text)
                ],
                default=None,
            ),
            *options,
            *(
                inspect.Parameter(
                    key,
                    inspect.Parameter.KEYWORD_ONLY,
                    annotation=annotation,
                    default=defaults.get(key),
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
        + "\n\nOnce for every file, in the order of names. The results of DIR/song.mid are in "
        "OUT/song, and OUT/results.jsonl has one line for each file: the result, or what went "
        "wrong. The same command again goes on where it was interrupted. All files get the same "
        "seed. With --shard 3/10 another machine takes each other part into the same or another "
        "OUT, and groove map --merge joins their lines. Exits with 4 if a file failed."
    )


def _map(
    package: str,
    action: str,
    first: Param,
    rest: list[Param],
    given: list[PurePath],
    options: dict[str, Any],
    *,
    out: Path | None,
    format: str | None,
    json: bool,
    quiet: bool,
    overwrite: bool,
    files_from: Path | None,
    shard: str | None,
    engine: str,
    jobs: int | None,
    gpus_per_task: float,
    timeout_s: float | None,
) -> None:
    from groove_core.actions.binding import bind, renamed
    from groove_core.actions.params import plain
    from groove_core.batch.jobs import map_files
    from groove_core.batch.journal import read_settings
    from groove_core.batch.shards import Shard
    from groove_core.console import displayed, set_quiet
    from groove_core.plugins import loader
    from groove_core.storage.files import dump_json

    set_quiet(quiet)
    part = None if shard is None else Shard.parse(shard)
    options = renamed(rest, options)
    converted = bind(rest, options)  # a mistake is told before any work
    options |= {p.name: converted[p.name] for p in rest if p.name in options and not p.is_value}
    out = out or Path("groove-out", f"{package}-{action}-map")
    journal, folder = places(out, part, format)
    before = None if overwrite else read_settings(journal)
    names, root = names_of(first, given, files_from, folder)
    options |= _seeds(rest, options, (before or {}).get("options", {}), part)
    if before is None and not overwrite and folder is not None:
        check_empty(folder)
    work = functools.partial(
        _run_one,
        package=package,
        action=action,
        parameter=first.name,
        many=first.many,
        options=options,
        formats=format,
        folders=None if folder is None else Folders.of(names, root, folder),
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
        names,
        jobs=jobs,
        engine=engine,
        gpus_per_task=gpus_per_task,
        shard=part,
        out=journal,
        settings=settings,
        overwrite=overwrite,
        timeout_s=timeout_s,
        current=_has_its_files,
        text=action,
    )
    count, failed = 0, dict[str, str]()
    for outcome in _first_tells(outcomes):
        count += 1
        if outcome.error:
            failed[outcome.file] = outcome.error["message"]
    if json:
        summary = {"files": count, "failed": failed, "results": str(journal)}
        sys.stdout.write(dump_json({"schema": "groove.map/1", **summary}))
    else:
        of_shard = "" if part is None else f" of shard {part}"
        print(f"{count - len(failed)} of {count} files{of_shard} done; results in {out}")
        if failed:
            more = f" and {len(failed) - NAMED} more" if len(failed) > NAMED else ""
            named = displayed(", ".join(list(failed)[:NAMED]))
            print(f"failed: {named}{more}; reasons in {journal}")
    if failed:
        raise typer.Exit(4)


def _seeds(
    params: Sequence[Param], options: dict[str, Any], earlier: dict[str, Any], shard: Shard | None
) -> dict[str, int]:
    """Draw the seed that all files get, once: a map that goes on has the one of its beginning."""
    from groove_core.actions.binding import draw_seed
    from groove_core.console import note
    from groove_core.errors import UsageError

    seeds = {}
    for param in params:
        if param.opt.role == "seed":
            known = options.get(param.name, earlier.get(param.name))
            if known is None and shard is not None:
                raise UsageError(
                    "Each shard would draw a seed of its own.", hint=f"{param.flag} 1 for all."
                )
            seeds[param.name] = draw_seed(known)
            note(f"seed {seeds[param.name]}")
    return seeds


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


def _first_tells(outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
    """Stop if the first outcome shows a mistake that every file would meet.

    Such as a format that the result cannot be written in, or a checkpoint that is not there.
    """
    everyones = ("UsageError", "PluginError", "CheckpointError")
    for index, outcome in enumerate(outcomes):
        if index == 0 and outcome.error and outcome.error["kind"] in everyones:
            about = Path(outcome.file).name in outcome.error["message"]
            if not about:
                outcome.check()
        yield outcome


def _run_one(
    path: PurePath,
    *,
    package: str,
    action: str,
    parameter: str,
    many: bool,
    options: dict[str, Any],
    formats: str | None,
    folders: Folders | None,
) -> dict[str, Any]:
    """Be ``groove run`` on one file; in a worker."""
    from groove_core.actions.runs import run
    from groove_core.storage.remote import at_hand

    folder = None if folders is None else folders.folder(path)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with at_hand(path) as file:
            document = run(
                package,
                action,
                out=folder,
                formats=formats,
                overwrite=True,  # what an interrupted run may have left
                **{parameter: [file] if many else file},
                **options,
            )
    except BaseException:
        if folder is not None:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise
    return document if file == path else _named(document, file, path, folder)


def _named(
    document: dict[str, Any], file: Path, path: PurePath, folder: Path | None
) -> dict[str, Any]:
    """Name the address that a file was fetched from instead of where it lay for a moment."""
    from groove_core.storage.files import dump_json, write_text
    from groove_core.storage.folders import RESULT

    there, address = (json.dumps(str(one))[1:-1] for one in (file, path))
    named: dict[str, Any] = json.loads(json.dumps(document).replace(there, address))
    if folder is not None:
        write_text(folder / RESULT, dump_json(named))
    return named
