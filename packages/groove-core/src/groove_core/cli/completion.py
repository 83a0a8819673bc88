"""Completion with TAB, before anything heavy is imported.

The scripts that ``groove --install-completion`` installs are typer's. They start ``groove`` with
the words typed so far in variables of the environment, and wait for an answer at every TAB.
The signatures of actions, which need numpy to be read, and the tree of commands, which needs
typer, are therefore kept in the cache folder. They are read again when a module behind them has
changed. What is trained meanwhile is looked for at every TAB.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from groove_core.storage.folders import cache_folder

# Everything else is imported where it is used: most answers are kept.

__all__ = ["answer", "complete"]

FORMAT = 1
"""Of what is kept: part of the name of each file."""
Found = list[tuple[str, str]]
"""Words that can be typed, each with a few words about it."""


def answer(wanted: str) -> int:
    """Print the completions that a shell asks for, in its form; never fail, never say a word.

    Parameters
    ----------
    wanted : str
        Of the environment: ``complete_`` and the name of the shell.
    """
    shell = wanted.removeprefix("complete_")
    words, incomplete = _typed(shell)
    found: Found = []
    with contextlib.suppress(Exception):  # an error message in the line being typed helps nobody
        found = complete(words, incomplete)
    if shell == "fish" and os.environ.get("_TYPER_COMPLETE_FISH_ACTION") == "is-args":
        return int(not found)  # without words of ours, fish offers files
    text = "\n".join(_written(shell, word, about) for word, about in found)
    if shell == "zsh":
        text = f"_arguments '*: :(({text}))'" if text else "_files"
    print(text)
    return 0


def _typed(shell: str) -> tuple[list[str], str]:
    """Return the whole words after ``groove``, and the one that is not finished."""
    line = os.environ.get("COMP_WORDS" if shell == "bash" else "_TYPER_COMPLETE_ARGS", "")
    try:
        words = shlex.split(line)
    except ValueError:  # a quote that is still open
        words = line.split()
    if shell == "bash":
        at = int(os.environ.get("COMP_CWORD", len(words)))
        return words[1:at], words[at] if at < len(words) else ""
    if line[-1:].isspace() or len(words) < 2:
        return words[1:], ""
    return words[1:-1], words[-1]


def _written(shell: str, word: str, about: str) -> str:
    about = " ".join(about.split())
    if shell == "zsh":
        quoted = [
            re.sub(r"([$`])", r"\\\1", one.replace('"', '""').replace("'", "''")).replace(
                ":", r"\\:"
            )
            for one in (word, about)
            if one
        ]
        return ":".join(f'"{one}"' for one in quoted)
    if shell == "fish":
        return f"{word}\t{about}" if about else word
    return f"{word}:::{about or ' '}" if shell in ("powershell", "pwsh") else word


def complete(words: list[str], incomplete: str) -> Found:
    """Return what can follow, as it begins with the incomplete word in any case.

    Parameters
    ----------
    words : list of str
        Those after ``groove`` that are finished.
    incomplete : str
        The beginning of the next one; may be empty.
    """
    start = incomplete.lower()
    return [one for one in _next(words, incomplete) if one[0].lower().startswith(start)]


def _next(words: list[str], incomplete: str) -> Found:
    words = [word for word in words if word != "--debug"]
    command = words[0] if words else ""
    if command in ("run", "map") and len(words) > 1:
        package = _package(words[1])
        if len(words) == 2:
            return [(name, about["help"]) for name, about in package["actions"].items()]
        return _of_action(words[1], package["actions"][words[2]], words[3:], incomplete)
    given = [word for word in words[1:] if not word.startswith("-")]
    if not incomplete.startswith("-"):
        from groove_core.plugins import loader
        from groove_core.storage import checkpoints

        if (command in ("run", "map", "info") and not given) or given == ["check"]:
            return [(entry.name, entry.summary) for entry in loader.installed()]
        if command == "models" and given in (["show"], ["verify"]):
            return [(f"{one.package}/{one.name}", "") for one in checkpoints.available()]
    tree = _kept("commands", _commands)
    for count in (2, 1, 0):
        if about := tree.get(" ".join(words[:count])):
            return list(about["options" if incomplete.startswith("-") else "commands"].items())
    return []


def _of_action(package: str, action: dict[str, Any], words: list[str], incomplete: str) -> Found:
    """Return what can follow in the words of an action."""
    options = action["options"]
    last = options.get(words[-1]) if words else None
    if last and last["takes"]:
        return [(name, "") for name in _names(package, action, last, words)]
    if incomplete.startswith("-"):
        return [(flag, about["help"]) for flag, about in options.items() if flag not in words]
    place = 0
    for before, word in zip(["", *words], words, strict=False):
        is_value = before in options and options[before]["takes"]
        place += not is_value and not word.startswith("-")
    arguments = action["arguments"]
    if place >= len(arguments) and not (arguments and arguments[-1]["many"]):
        return []
    about = arguments[min(place, len(arguments) - 1)]
    return [(name, "") for name in _names(package, action, about, words)]


def _names(
    package: str, action: dict[str, Any], about: dict[str, Any], words: list[str]
) -> list[str]:
    if about["checkpoint"]:  # one may have been trained since
        from groove_core.storage import checkpoints

        return checkpoints.fitting(package, about["fits"])
    flags = [f for f, one in action["options"].items() if one["checkpoint"] and f in words[:-1]]
    if about["listed_by"] and flags:  # another checkpoint may know other genres
        from groove_core.plugins import loader

        chosen = words[words.index(flags[0]) + 1]
        return [str(name) for name in loader.resolve(about["listed_by"])(chosen)]
    names: list[str] = about["names"]
    return names


def _package(name: str) -> dict[str, Any]:
    """Return the actions of a package, as they are kept."""
    return _kept(f"package-{name}", lambda: _actions(name))


def _kept(name: str, make: Callable[[], tuple[list[Path], dict[str, Any]]]) -> dict[str, Any]:
    """Return what is kept under a name, made again if a file that it was made of has changed."""
    place = zlib.crc32(f"{__file__} {sys.prefix}".encode())  # other environments, other packages
    path = cache_folder() / "completion" / f"{name}-{place:08x}-{FORMAT}.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(path.read_text(encoding="utf-8"))
        if all(Path(file).stat().st_mtime_ns == changed for file, changed in kept["of"].items()):
            found: dict[str, Any] = kept["content"]
            return found
    from groove_core.storage.files import dump_json, write_text

    files, content = make()
    of = {str(file): file.stat().st_mtime_ns for file in (Path(__file__), *files)}
    with contextlib.suppress(Exception):  # a folder that cannot be written
        write_text(path, dump_json({"of": of, "content": content}, indent=None))
    return content


def _actions(name: str) -> tuple[list[Path], dict[str, Any]]:
    """Read the signatures of a package, and say which files they are in."""
    from importlib.util import find_spec

    from groove_core.actions.naming import named
    from groove_core.actions.params import RESERVED, Param, describe
    from groove_core.errors import GrooveError
    from groove_core.plugins import loader

    def about(param: Param) -> dict[str, Any]:
        names: list[str] = []
        is_checkpoint = not param.opt.names and bool(
            param.opt.fits or param.opt.role == "checkpoint"
        )
        with contextlib.suppress(GrooveError):
            names = [] if is_checkpoint else named(param, name)
        return {
            "help": param.opt.help,
            "takes": param.type is not bool,
            "many": param.many,
            "names": names,
            "listed_by": param.opt.names,
            "checkpoint": is_checkpoint,
            "fits": list(param.opt.fits),
        }

    plugin = loader.load(name)
    actions: dict[str, Any] = {}
    for action in plugin.actions.values():
        params: list[Param] = []
        with contextlib.suppress(GrooveError):  # one that cannot be imported has a name only
            params = describe(loader.resolve(action.run, owner=plugin.source))
        of_core = {
            f"--{word}": {"help": "", "takes": word in ("out", "format"), "names": [],
                          "listed_by": "", "checkpoint": False, "fits": []}
            for word in RESERVED
        }  # fmt: skip
        flags = {
            f"--no-{p.flag[2:]}" if p.type is bool and p.default else p.flag: about(p)
            for p in params
            if not p.is_argument
        }
        actions[action.name] = {
            "help": action.summary,
            "arguments": [about(p) for p in params if p.is_argument],
            "options": {**flags, **of_core},
        }
    spec = find_spec(plugin.source.module)
    root = Path(str(spec and spec.origin))
    # A module that stands alone is no reason to look at everything beside it.
    inside = [root]
    if "." in plugin.source.module:  # and the cards, which list genres and the like
        inside = [*root.parent.rglob("*.py"), *root.parent.rglob("card.json")]
    return sorted(inside), {"actions": actions}


def _commands() -> tuple[list[Path], dict[str, Any]]:
    """Return the commands of ``groove`` and their options, as typer has them."""
    import typer

    from groove_core.cli.app import app

    def walk(name: str, command: Any) -> Iterator[tuple[str, dict[str, dict[str, str]]]]:
        inner = getattr(command, "commands", {})
        options = {
            flag: str(getattr(param, "help", "") or "")
            for param in command.params
            for flag in param.opts
            if flag.startswith("--")
        }
        about = {one: inner[one].get_short_help_str(80) for one in inner}
        yield name, {"commands": about, "options": {**options, "--help": ""}}
        for one in inner:
            yield from walk(f"{name} {one}".strip(), inner[one])

    return [Path(__file__).with_name("app.py")], dict(walk("", typer.main.get_command(app)))
