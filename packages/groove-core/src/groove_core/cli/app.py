"""The tree of commands, and the one place where errors become two lines and a code."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from groove_core.__about__ import __version__
from groove_core.cli.mapping import ENGINE, JOBS, MapGroup
from groove_core.cli.run import PackageGroup, command_of, help_of, rerun
from groove_core.console import displayed, is_main_process
from groove_core.endings import Endings
from groove_core.errors import (
    GrooveError,
    PluginError,
    UsageError,
    did_you_mean,
    nearest,
    of_system,
)

if TYPE_CHECKING:
    from groove_core.plugins.loader import Installed

__all__ = ["app", "run_cli"]


APART = {"studio": "groove-studio"}
"""Commands that come with a package, and which."""


def _of_packages() -> dict[str, Installed]:
    from groove_core.plugins import loader

    return loader.commands()


class _Root(TyperGroup):
    """The ``groove`` command, which knows what to type instead of ``groove PACKAGE ACTION``."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *_of_packages()]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command of the core, or a stand-in of a package's, which help asks for."""
        found = super().get_command(ctx, cmd_name)
        if found is None and cmd_name in (others := _of_packages()):
            return command_of(cmd_name, others[cmd_name].summary, lambda: None)
        return found

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        word, *rest = args
        if word.startswith("-") or word in self.commands:
            return super().resolve_command(ctx, args)
        import shlex

        from groove_core.plugins import loader

        if word in (others := _of_packages()):
            entry = others[word]
            address = f"{entry.module}:{word.replace('-', '_')}"
            function = loader.resolve(address, owner=entry)
            return word, command_of(word, help_of(function, entry.summary), function), rest
        if word in APART:
            raise PluginError(
                f"groove {word} is a package of its own.", hint=f"pip install {APART[word]}"
            )
        packages = [entry.name for entry in loader.installed()]
        if word in packages:
            raise UsageError(
                f"{word} is a package: groove run runs its actions.",
                hint=shlex.join(["groove", "run", *args]),
            )
        near = nearest(word, [*self.commands, *packages])
        wanted = ["groove", *(["run"] if near in packages else []), near, *rest]
        raise UsageError(
            f"There is no command {word!r}.",
            hint=f"Did you mean {shlex.join(wanted)}?" if near else "groove --help",
        )


app = typer.Typer(
    name="groove",
    cls=_Root,
    help="Analyse and make music with small packages.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
models = typer.Typer(help="List, show and verify trained weights.", no_args_is_help=True)
plugins = typer.Typer()
data = typer.Typer(help="Check folders of recordings; look after the cache.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No notes, no progress")]
_debug = False


def _version(value: bool) -> None:
    if value:
        typer.echo(f"groove-core {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version", callback=_version, is_eager=True)
    ] = False,
) -> None:
    global _debug
    _debug = _debug or debug


app.add_typer(
    typer.Typer(
        name="run", cls=PackageGroup, help="Run an action of a package.", no_args_is_help=True
    )
)
app.add_typer(
    typer.Typer(
        name="map",
        cls=MapGroup,
        help="Run an action once for every file of a folder.\n\n"
        "groove map --merge FILES --out FILE.jsonl joins what --shard has made.",
        no_args_is_help=True,
    )
)
app.command()(rerun)
app.add_typer(plugins, name="plugins")
app.add_typer(models, name="models")
app.add_typer(data, name="data")


@plugins.callback(invoke_without_command=True)
def plugins_list(
    context: typer.Context,
    json: Json = False,
    check: Annotated[
        bool, typer.Option("--check", help="Exit with code 3 if a package is broken")
    ] = False,
    isolate: Annotated[
        bool,
        typer.Option("--isolate", help="Load each in a process of its own, and say which hang"),
    ] = False,
    limit_s: Annotated[
        float,
        typer.Option(
            "--limit-s", min=0.1, help="Time limit of each package with --isolate  [seconds]"
        ),
    ] = 30.0,
) -> None:
    """List the installed packages and what they can do; loads each to see if it works."""
    if context.invoked_subcommand is None:
        from groove_core.cli import inspect

        inspect.plugins(json, check, isolate, limit_s)


@plugins.command("check")
def plugins_check(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of an installed package")],
    run: Annotated[
        bool,
        typer.Option("--run/--no-run", help="Run its actions, too, on small made-up values"),
    ] = True,
    skip: Annotated[
        list[str] | None,
        typer.Option(
            "--skip", metavar="ACTION", help="Action to leave out, such as one that takes long"
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Check one package against the contract of plugins; exits with 3 if it breaks a rule.

    Actions run in a temporary folder. Those that would need files of yours, a checkpoint that
    is not there, or long (trainers), are listed as skipped.
    """
    from groove_core.cli import inspect

    inspect.plugins_check(
        name, run, skip or [], json or bool(context.parent and context.parent.params["json"])
    )


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the plugin; tabla makes groove-tabla")],
    into: Annotated[
        Path, typer.Option("--into", metavar="FOLDER", help="Folder to make it in")
    ] = Path(),
    license: Annotated[
        str,
        typer.Option(
            "--license",
            metavar="SPDX",
            help="Licence: MIT, BSD-3-Clause, Apache-2.0 or GPL-3.0-or-later",
        ),
    ] = "MIT",
    author: Annotated[str | None, typer.Option("--author", help="Holder of the rights")] = None,
    email: Annotated[
        str | None, typer.Option("--email", help="E-mail address of the holder")
    ] = None,
    summary: Annotated[str | None, typer.Option("--summary", help="Summary of one line")] = None,
) -> None:
    """Write a package of your own that works, with tests and a release workflow."""
    from groove_core.cli.new import new as write

    folder = write(name, into=into, license=license, author=author, email=email, summary=summary)
    typer.echo(
        f"Your package is in {folder}. Next:\n\n"
        f'python -m pip install -e "{folder}[dev]"\n'
        f'python -m pytest "{folder}"\n'
        f"groove run {folder.name} sample --seed 1\n\n"
        "Then make it yours: src has the music, README.md says how to publish it."
    )


@app.command()
def info(
    package: Annotated[
        str | None,
        typer.Argument(
            metavar="PACKAGE",
            help="Package whose actions and choices to list: genres, styles, checkpoints ... "
            "(default: the installation)",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Show what can be chosen in a package, or versions, devices and folders."""
    from groove_core.cli import inspect

    inspect.info(json) if package is None else inspect.info_package(package, json)


@app.command()
def doctor(json: Json = False) -> None:
    """Try everything Groove needs and give a hint for what fails."""
    from groove_core.cli import inspect

    inspect.doctor(json)


@models.command("list")
def models_list(json: Json = False) -> None:
    """List the checkpoints that can be named, in search order."""
    from groove_core.cli import inspect

    inspect.models_list(json)


@models.command("show")
def models_show(
    name: Annotated[str, typer.Argument(help="PACKAGE/NAME, or the folder of a checkpoint")],
    json: Json = False,
) -> None:
    """Show the card of a checkpoint and the shapes of its tensors."""
    from groove_core.cli import inspect

    inspect.models_show(name, json)


@models.command("verify")
def models_verify(
    name: Annotated[
        str | None, typer.Argument(help="PACKAGE/NAME or folder (default: all)")
    ] = None,
    json: Json = False,
) -> None:
    """Compare the hash of checkpoints with their cards."""
    from groove_core.cli import inspect

    inspect.models_verify(name, json)


@data.command("check")
def data_check(
    folder: Annotated[Path, typer.Argument(help="Folder of sound files, with its subfolders")],
    engine: Annotated[str, ENGINE] = "local",
    jobs: Annotated[int | None, JOBS] = None,
    timeout_s: Annotated[
        float | None,
        typer.Option(
            "--timeout", metavar="SECONDS", help="Time limit of each file (default: none)"
        ),
    ] = None,
    min_s: Annotated[
        float, typer.Option("--min-s", help="Least length of a file  [seconds]")
    ] = 1.0,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE.jsonl",
            help="File for the measurements (default: one in the cache folder)",
        ),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Measure all files again")] = False,
) -> None:
    """List the sound files that are of no use, and why; exits with 4 if there are any.

    Unreadable; timed out (with --timeout); damaged; truncated (less than the header says);
    not finite; silent (peak below -60 dBFS); clipped (more than 0.1 % of the samples in runs
    of 3 or more at full scale); too short; or a duplicate (the same recording in another codec,
    rate, level or number of channels, or cut a little; the first minute is compared). A check
    that was interrupted goes on where it was, and files that have not changed are not measured
    again.
    """
    from groove_core.cli.data import check

    check(folder, jobs, engine, timeout_s, min_s, out, json=json, quiet=quiet, overwrite=overwrite)


@data.command("cache")
def data_cache(
    clear: Annotated[bool, typer.Option("--clear", help="Remove all entries")] = False,
    limit_gb: Annotated[
        float | None,
        typer.Option(
            "--limit-gb",
            help="Size to shrink the cache to; what was used longest ago goes first  [GB]",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Show where features are cached, how much there is, and the limit."""
    from groove_core.cli.data import cache

    cache(clear, limit_gb, json)


def run_cli(arguments: list[str] | None = None) -> int:
    """Run the command line and give the exit code."""
    global _debug
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    # --debug is understood anywhere, since it is added to a command that just failed.
    _debug = "--debug" in arguments
    arguments = [a for a in arguments if a != "--debug"]
    endings = Endings()
    try:
        with endings.watched():
            code = app(arguments, prog_name="groove", standalone_mode=False)
            sys.stdout.flush()  # here, where a full disk still becomes two lines and a code
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except Exception as error:
        if _debug:
            raise
        return _report(error)
    if code == 130:  # some versions of typer give it instead of the exception
        return _interrupted(endings.received)
    return code if isinstance(code, int) else 0


def _interrupted(by: signal.Signals | None) -> int:
    by = by or signal.SIGINT
    what = "interrupted" if by == signal.SIGINT else f"ended by {by.name}"
    print(f"\n{what}; finished files stay.", file=sys.stderr)
    return 128 + by


def _report(error: Exception) -> int:
    error = of_system(error) or error
    if isinstance(error, GrooveError):
        message, hint, code = error.message, error.hint, error.exit_code
    elif hasattr(error, "format_message"):  # typer's own usage errors, of any version
        message, hint, code = *_usage(error), 2
        if not message:
            return 2
    elif not is_main_process():
        return 1  # where many train together, the first tells; --debug shows every one's
    else:
        message = f"This is a bug: {type(error).__name__}: {error}"
        hint, code = "Run it again with --debug, and report what it prints.", 1
    print(f"error: {displayed(' '.join(message.split()))}", file=sys.stderr)
    print(f"hint: {displayed(' '.join(hint.split()))}", file=sys.stderr)
    return code


def _usage(error: Any) -> tuple[str, str]:
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(context.get_help() if context else error.format_message())
        return "", ""
    option = getattr(error, "option_name", None)
    hint = ""
    if option and context is not None and type(error).__name__ == "NoSuchOption":
        names = [name for param in context.command.params for name in param.opts if name[0] == "-"]
        hint = did_you_mean(option, names)
        return f"There is no option {option}.", hint or f"{context.command_path} --help"
    message, separator, guess = error.format_message().partition(" Did you mean ")
    if separator:
        hint = "Did you mean " + guess
    return message, hint or f"{context.command_path if context else 'groove'} --help"
