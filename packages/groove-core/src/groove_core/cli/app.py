"""The tree of commands, and the one place where errors become two lines and a code."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer

from groove_core.__about__ import __version__
from groove_core.cli.run import PackageGroup, rerun
from groove_core.console import is_main_process
from groove_core.errors import GrooveError, did_you_mean

__all__ = ["app", "run_cli"]

app = typer.Typer(
    name="groove",
    help="Analyse and make music with small packages.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
models = typer.Typer(help="List, show and verify trained weights.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_debug = False


def _version(value: bool) -> None:
    if value:
        typer.echo(f"groove-core {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    global _debug
    _debug = _debug or debug


app.add_typer(
    typer.Typer(
        name="run", cls=PackageGroup, help="Run an action of a package.", no_args_is_help=True
    )
)
app.command()(rerun)
app.add_typer(models, name="models")


@app.command()
def plugins(
    json: Json = False,
    check: Annotated[
        bool, typer.Option("--check", help="Exit with code 3 if a package is broken.")
    ] = False,
) -> None:
    """List the installed packages and what they can do; loads each to see if it works."""
    from groove_core.cli import inspect

    inspect.plugins(json, check)


@app.command()
def info(json: Json = False) -> None:
    """Show versions, devices and folders."""
    from groove_core.cli import inspect

    inspect.info(json)


@app.command()
def doctor(json: Json = False) -> None:
    """Try everything Groove needs and say how to mend what fails."""
    from groove_core.cli import inspect

    inspect.doctor(json)


@models.command("list")
def models_list(json: Json = False) -> None:
    """List the checkpoints that can be named, in search order."""
    from groove_core.cli import inspect

    inspect.models_list(json)


@models.command("show")
def models_show(
    name: Annotated[str, typer.Argument(help="PACKAGE/NAME, or the folder of a checkpoint.")],
    json: Json = False,
) -> None:
    """Show the card of a checkpoint and the shapes of its tensors."""
    from groove_core.cli import inspect

    inspect.models_show(name, json)


@models.command("verify")
def models_verify(
    name: Annotated[
        str | None, typer.Argument(help="PACKAGE/NAME or folder; all when left out.")
    ] = None,
    json: Json = False,
) -> None:
    """Compare the hash of checkpoints with their cards."""
    from groove_core.cli import inspect

    inspect.models_verify(name, json)


def run_cli(arguments: list[str] | None = None) -> int:
    """Run the command line and give the exit code."""
    global _debug
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    # --debug is understood anywhere, since it is added to a command that just failed.
    _debug = "--debug" in arguments
    arguments = [a for a in arguments if a != "--debug"]
    try:
        code = app(arguments, prog_name="groove", standalone_mode=False)
        if code == 130:
            return _interrupted()
        return code if isinstance(code, int) else 0
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted()
    except BrokenPipeError:
        # The reader of our output left (``| head``): nothing to tell it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if _debug:
            raise
        return _report(error)


def _interrupted() -> int:
    print("\ninterrupted; finished files stay.", file=sys.stderr)
    return 130


def _report(error: Exception) -> int:
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
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    print(f"hint: {' '.join(hint.split())}", file=sys.stderr)
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
