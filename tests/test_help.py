"""Every option of every action and command is described in one voice."""

from __future__ import annotations

import re
from collections.abc import Iterator

import typer

from groove_core.actions import describe
from groove_core.cli.app import app
from groove_core.plugins import loader

PACKAGES = (
    "drum-space", "gansynth-lite", "genre-map", "groove-vae", "melody-rnn", "music-recsys",
    "music-vae",
)  # fmt: skip
OPENINGS = {
    "a", "an", "the", "of", "in", "on", "at", "by", "for", "from", "to", "with", "without", "that",
    "which", "how", "whether", "when", "where", "what", "if", "as",
}  # fmt: skip
OLD = r"when left out|without effect|is told|is none|are none|how often|how many|which way"
UNITS = r"\b(in|of) (seconds|minutes|bars|bpm|Hz|semitones|GB)\b"


def of_actions() -> Iterator[tuple[str, str, object]]:
    """Yield the name of each parameter, its help and its default."""
    for package in PACKAGES:
        for name, action in loader.load(package).actions.items():
            for param in describe(loader.resolve(action.run)):
                default = ... if param.is_argument else param.default
                yield f"{package} {name} {param.flag}", param.opt.help, default


def of_commands(command, path=("groove",)) -> Iterator[tuple[str, str, object]]:
    """Yield the same of the commands of the core."""
    for param in command.params:
        if param.name not in ("help", "install_completion", "show_completion"):  # of typer
            yield " ".join((*path, *param.opts[:1])), param.help or "", ...
    for name, one in getattr(command, "commands", {}).items():
        yield from of_commands(one, (*path, name))


def faults(text: str, default: object) -> Iterator[str]:
    first = re.split(r"\W", text)[0].lower()
    if first in OPENINGS or not first:
        yield f"begins with {first!r}, which cannot be read without the name of the option"
    if text.endswith("."):
        yield "is no sentence"
    if found := re.search(OLD, text):
        yield f"says {found[0]!r}"
    if found := re.search(UNITS, text):
        yield f"says {found[0]!r}; the unit stands in brackets"
    said = text.count("(default: ")
    if said > 1 or (said and default not in (None, ...)):
        yield "says the default twice"
    if default is None and not said:
        yield "does not say the default"


def test_every_help_text_stands_alone():
    every = [*of_actions(), *of_commands(typer.main.get_command(app))]
    assert len(every) > 300
    assert [f"{w}: {text!r} {f}" for w, text, default in every for f in faults(text, default)] == []


def test_a_help_text_of_the_old_voice_is_found():
    assert [*faults("beats to draw", 8)] == []
    assert [*faults("length (default: the beat's)", None)] == []
    for text, default in (
        ("of them shown", 1), ("", 1), ("How often.", 1), ("model; all when left out", None),
        ("length in seconds", 1), ("seed (default: drawn)", 1), ("genre", None),
    ):  # fmt: skip
        assert [*faults(text, default)], text
