"""``groove run``: commands made from the signatures of actions, loaded when needed."""

from __future__ import annotations

import abc
import inspect
import shlex
import sys
import typing
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from groove_core.actions.params import Param
    from groove_core.hookspecs import Action
    from groove_core.plugins.loader import Plugin

# Everything else is imported where it is used: ``groove --help`` needs none of it.

__all__ = ["ActionGroup", "PackageGroup", "rerun"]

SHOWN = 16
"""Values shown in the terminal; all are in the files."""

# Options of the core on every action; `groove_core.actions.params.RESERVED` has their names.
CORE_OPTIONS: dict[str, Any] = {
    "out": Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FOLDER",
            help="Folder for the files (default: a new one in groove-out)",
        ),
    ],
    "format": Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="ENDINGS",
            help="File endings to write, for example wav,mid,png,txt,json",
        ),
    ],
    "json": Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print one JSON document; files are then written only with --out or --format",
        ),
    ],
    "quiet": Annotated[bool, typer.Option("--quiet", "-q", help="No notes, no progress")],
    "overwrite": Annotated[bool, typer.Option("--overwrite", help="Replace existing files")],
}


class _LazyGroup(TyperGroup, abc.ABC):
    """A group whose commands are named cheaply and built only when one is used."""

    @abc.abstractmethod
    def names(self) -> dict[str, str]:
        """Return the names of the commands and their summaries."""

    @abc.abstractmethod
    def build(self, name: str) -> Any:
        """Build one command."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.names())

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a stand-in that has name and summary; help asks for nothing more."""
        names = self.names()
        return command_of(cmd_name, names[cmd_name], lambda: None) if cmd_name in names else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Build the command that is used, or say what was meant."""
        if args[0].startswith("-"):
            return super().resolve_command(ctx, args)
        return args[0], self.build(args[0]), args[1:]


def command_of(name: str, summary: str, function: Callable[..., Any]) -> Any:
    """Make a command object of the kind that the installed typer uses."""
    maker = typer.Typer(add_completion=False, rich_markup_mode=None)
    maker.command(name, help=summary)(function)
    command = typer.main.get_command(maker)
    for param in command.params:
        if getattr(param, "hidden", False):  # typer shows hidden arguments in the usage line
            param.get_usage_pieces = lambda ctx: []  # type: ignore[method-assign]
    return command


class PackageGroup(_LazyGroup):
    """``groove run``: one group per installed package."""

    def names(self) -> dict[str, str]:  # noqa: D102
        from groove_core.plugins import loader

        return {entry.name: entry.summary for entry in loader.installed()}

    def build(self, name: str) -> Any:  # noqa: D102
        from groove_core.plugins import loader

        plugin = loader.load(name)
        group = typer.Typer(
            cls=ActionGroup,
            help=plugin.package.summary,
            no_args_is_help=True,
            add_completion=False,
            rich_markup_mode=None,
        )
        group.callback()(lambda: None)
        command = typer.main.get_group(group)
        command.name = name
        command.plugin = plugin  # type: ignore[attr-defined]
        return command


class ActionGroup(_LazyGroup):
    """``groove run PACKAGE``: one command per action."""

    plugin: Plugin

    def names(self) -> dict[str, str]:  # noqa: D102
        return {action.name: action.summary for action in self.plugin.actions.values()}

    def described(self, name: str) -> tuple[Action, Callable[..., Any], list[Param]]:
        """Return an action, its function, and its parameters: a former name has its defaults."""
        from groove_core.actions.params import describe
        from groove_core.plugins import loader

        action = self.plugin.action(name)
        function = loader.resolve(action.run, owner=self.plugin.source)
        preset = action.aliases.get(name, {})
        params = [replace(p, default=preset.get(p.name, p.default)) for p in describe(function)]
        return action, function, params

    def build(self, name: str) -> Any:  # noqa: D102
        action, function, params = self.described(name)
        package, name = self.plugin.package.name, action.name

        def command(**given: Any) -> None:
            from groove_core.cli.stdin import received

            core = {key: given.pop(key) for key in CORE_OPTIONS}
            options = {k: v for k, v in given.items() if v is not None}
            _run(package, name, received(params, options), **core)

        parameters = [one for p in params for one in typer_parameters(p)]
        parameters += [
            inspect.Parameter(
                key,
                inspect.Parameter.KEYWORD_ONLY,
                annotation=annotation,
                default=False if key in ("json", "quiet", "overwrite") else None,
            )
            for key, annotation in CORE_OPTIONS.items()
        ]
        parameters.sort(key=lambda p: p.kind)  # a former argument may belong to an option
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in parameters}
        return command_of(name, help_of(function, action.summary), command)


def help_of(function: Callable[..., Any], summary: str) -> str:
    """Return the prose of a docstring, up to its first numpydoc section."""
    lines = (inspect.getdoc(function) or summary).splitlines()
    for index, line in enumerate(lines):
        if line and set(line) == {"-"}:
            lines = lines[: index - 1]
            break
    return "\n".join(lines).strip()


def typer_parameters(param: Param) -> list[inspect.Parameter]:
    """Make the typer parameter of one parameter of an action, and a hidden one for former names."""
    own = typer_parameter(param)
    made = [own]
    for alias in param.opt.aliases:
        former = replace(param, name=alias.lower(), default=None, optional_argument=alias.isupper())
        one = typer_parameter(former)
        kind, about = typing.get_args(one.annotation)
        about.hidden = True
        made.append(one.replace(annotation=Annotated[kind | None, about], default=None))
    return made


def typer_parameter(param: Param) -> inspect.Parameter:
    """Make the typer parameter of one parameter of an action.

    typer is told of texts and flags only; numbers, ranges, choices and files are
    checked by `groove_core.actions.binding.bind`, so that Python and the command line say the same.
    """
    text = param.opt.help
    bounds = f"[{param.range}]" if param.range and not param.choices else ""
    kind: Any = bool if param.type is bool else str
    if param.choices:
        metavar = "|".join(map(str, param.choices))
    elif param.is_value or param.type is Path:
        metavar = "FILE" if param.is_value else "PATH"
    else:
        metavar = {int: "INTEGER", float: "NUMBER"}.get(param.type, "TEXT")
    about: dict[str, Any] = {"help": "  ".join(t for t in (text, bounds) if t)}
    if kind is not bool:
        about["metavar"] = param.flag if param.is_argument else metavar
    if param.many:
        kind = list[kind]
    if param.is_argument:
        return inspect.Parameter(
            param.name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            annotation=Annotated[kind if param.required else kind | None, typer.Argument(**about)],
            default=param.default,
        )
    default = param.default
    if default is not None and kind is not bool and not param.many:
        default = f"{default:g}" if isinstance(default, float) else str(default)
    flags = [param.flag]
    if kind is bool:
        flags = [f"{param.flag}/--no-{param.flag[2:]}"] if default else [param.flag]
    return inspect.Parameter(
        param.name,
        inspect.Parameter.KEYWORD_ONLY,
        annotation=Annotated[
            kind | None if default is None else kind, typer.Option(*flags, **about)
        ],
        default=default,
    )


def _run(
    package: str,
    action: str,
    options: dict[str, Any],
    *,
    out: Path | None,
    format: str | None,
    json: bool,
    quiet: bool,
    overwrite: bool,
    checkpoint: Any = None,
) -> None:
    from groove_core.actions import runs
    from groove_core.console import displayed, is_main_process, note, set_quiet
    from groove_core.errors import InputError
    from groove_core.storage.files import dump_json

    set_quiet(quiet)
    started = runs.start(
        package,
        action,
        options,
        out=out,
        formats=format,
        overwrite=overwrite,
        checkpoint=checkpoint,
        write=not json or out is not None or format is not None,
    )
    chosen = [f"{k} {v}" for k, v in (("seed", started.run.seed), ("device", started.run.device))
              if v is not None]  # fmt: skip
    if chosen:
        note(", ".join(chosen))
    count = 0
    for name, value in started.values:
        count += 1
        if not json and is_main_process() and count <= SHOWN:
            text = displayed(value.to_text())
            # A line about a file names it; a beat among others has no name in its grid.
            alone = not started.many or (started.tally.files and "\n" not in text)
            print(text if alone else f"{name}\n{text}\n", flush=True)
    if count > SHOWN and not json:
        print(f"... and {count - SHOWN} more")
    if not is_main_process():
        return
    if json:
        sys.stdout.write(dump_json(started.document, indent=None))
    elif started.folder is not None:
        where = "." if started.folder == Path() else started.folder
        print(f"{len(started.run.files)} files in {displayed(where)}")
        for file in started.run.files:
            if file.endswith(".html"):  # a page is made to be looked at
                print(f"open {displayed(shlex.quote(file))}")
    if failed := len(started.tally.failed):
        document = "the document" if started.folder is None else started.folder / "result.json"
        raise InputError(
            f"{failed} of {len(started.tally.files)} files were left out.",
            hint=f'Look at "failed" in {document} for the reasons.',
        )


def rerun(
    result: Annotated[Path, typer.Argument(help="Document result.json that a run has saved")],
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the files")] = None,
    format: Annotated[str | None, typer.Option("--format", help="File endings to write")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            metavar="NAME=VALUE",
            help="Folder that the action may write to besides --out; not taken from the document",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No notes, no progress")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files")] = False,
) -> None:
    """Make the same result again from its result.json.

    The files that the run has read are looked for where they were and beside the document, and
    must be the same as then.
    """
    from groove_core.actions import rerun
    from groove_core.actions.places import restore
    from groove_core.console import note, set_quiet
    from groove_core.plugins import loader

    set_quiet(quiet)
    restore(result.parent)
    document = rerun.current(rerun.read(result))
    package = document["package"]
    before = {package: document["version"], **document.get("versions", {})}
    for name, now in {package: loader.find(package).version, **rerun.versions(before)}.items():
        if now != before[name]:
            note(f"warning: made with {name} {before[name]}, this is {now}")
    if out is None and not json and not overwrite:
        folder = result.parent if result.parent.name else result.resolve().parent
        out = folder.with_name(f"{folder.name}-again")
    elif overwrite and out is None:
        out = result.parent
    if format is None and not json:
        # The same endings as before, in the order they were written.
        endings = dict.fromkeys(Path(f).suffix[1:] for f in document["files"])
        format = ",".join(endings) or None  # noqa: A001
    _run(
        package,
        document["action"],
        rerun.options(document, result, option or []),
        out=out,
        format=format,
        json=json,
        quiet=quiet,
        overwrite=overwrite,
        checkpoint=document.get("checkpoint"),
    )
