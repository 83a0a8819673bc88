"""The words of action signatures.

One signature is the command line, the Python keywords, the JSON schema and the
documentation of an action. A parameter without a default is an argument on the
command line, the others are options. A parameter typed as a value (a score, a
drum pattern ...) takes a path on the command line and an object or a path in
Python; it may be left out and yet be an argument, if it stands before the ``*``
and defaults to None.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from groove_core.values.base import Value

__all__ = [
    "Checkpoint", "DataPath", "Device", "Devices", "DrumTrack", "Engine", "Into", "Jobs",
    "License", "Minutes", "Opt", "Param", "Readable", "Restart", "Resume", "Seed", "Strategy",
    "checkpoint_of", "describe", "json_schema", "markdown_table", "result_kind",
]  # fmt: skip

V = TypeVar("V")

Readable: TypeAlias = V | Any
"""What an action takes for a value: the value, or the path of a file that holds it.

``Readable[DrumPattern]`` is a drum pattern inside the action, which the core has read by then, and
lets callers give a path, too. ``Readable[list[DrumPattern]]`` also stands for a folder of them, and
``Readable[Path]`` for a text. Type checkers check what an action does with the value and take
anything of callers, whose calls are checked when they run.

>>> from groove_core.drums import DrumPattern
>>> def vary(beat: Annotated[Readable[DrumPattern], Opt("MIDI file of the beat to vary")]): ...
>>> [beat] = describe(vary)
>>> beat.kinds
(<class 'groove_core.drums.pattern.DrumPattern'>,)
"""

RESERVED = ("out", "format", "json", "quiet", "overwrite", "debug", "help")
"""Options that every action has from the core, so that no parameter can be called so."""


@dataclass(frozen=True, slots=True)
class Opt:
    """What a parameter means: help, unit and range, written beside its type."""

    help: str
    unit: str = ""
    min: float | None = None
    max: float | None = None
    role: Literal["", "seed", "device", "checkpoint", "drum_track", "place"] = ""
    """What the core does with it. A place is where the action writes besides its result: a
    rerun asks for it again."""
    aliases: tuple[str, ...] = ()
    """Former names, which still work but are not shown; in capitals if it was an argument."""
    former: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Former choices, and what each is called now."""
    names: str = ""
    """``module:function`` of ``(checkpoint)``, which lists what can be named, such as genres. The
    checkpoint is the name or folder that the user gave, or None."""
    fits: tuple[str, ...] = ()
    """``module:Class`` of the networks whose checkpoints can be named."""


Seed = Annotated[
    int | None,
    Opt("seed of all random draws (default: drawn, and shown)", min=0, max=2**32 - 1, role="seed"),
]
Device = Annotated[str, Opt("device to compute on: auto, cpu, cuda, cuda:1 or mps", role="device")]
_CHECKPOINT = Opt(
    "trained weights: folder, or name in groove-models, GROOVE_HOME or the package (default: "
    "the packaged ones)",
    role="checkpoint",
)
Checkpoint = Annotated[str | None, _CHECKPOINT]  # not a path: "./acai" is a folder, "acai" a name
DrumTrack = Annotated[
    str | None,
    Opt(
        "name or number of the track that plays the drums (default: MIDI channel 10, or a "
        "track that is named after drums)",
        role="drum_track",
    ),
]
"""The core reads scores and drum patterns accordingly: the action itself need not look at it."""
DataPath = Annotated[
    Readable[Path] | None, Opt("folder with your own files (default: the packaged data)")
]
Into = Annotated[
    Readable[Path] | None,
    Opt("folder for the checkpoint (default: groove-models/PACKAGE/NAME)", role="place"),
]
Resume = Annotated[bool, Opt("continue an interrupted training")]
Restart = Annotated[bool, Opt("discard the training in the folder, and start again", role="place")]
Devices = Annotated[int, Opt("number of devices to train on", min=1, max=1024)]
Minutes = Annotated[
    float | None,
    Opt("time limit of the training, resumptions included (default: none)", "minutes", 0.01),
]
License = Annotated[str, Opt("licence of the weights, for their card")]
Jobs = Annotated[
    int | None,
    Opt("files worked on at a time (default: 1 or 2, elsewhere what the engine has)", min=1),
]
Engine = Annotated[
    str,
    Opt("engine that does the work: local, or that of a package, such as ray://head:10001"),
]
Strategy = Annotated[str, Opt("strategy of several devices: auto or ddp")]


_Kind = type[Value]


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter of an action, as read from the signature."""

    name: str
    type: type[Any]
    """bool, int, float, str, pathlib.Path or a subclass of Value."""
    opt: Opt
    default: Any = inspect.Parameter.empty
    choices: tuple[Any, ...] = ()
    """Of `type`: texts or numbers."""
    many: bool = False
    """A list: many files, or a folder of them; of values, the action is given `Inputs`."""
    optional: bool = False
    """None is allowed."""
    others: tuple[_Kind, ...] = ()
    """Further kinds of value that may be given instead, as in ``Audio | Score``."""
    optional_argument: bool = False
    """An argument on the command line that may be left out."""
    drum_track: str = ""
    """The track of scores that plays the drums, where the caller has said so."""

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return self.default is inspect.Parameter.empty

    @property
    def is_argument(self) -> bool:
        """Whether it is an argument on the command line rather than an option."""
        return self.required or self.optional_argument

    @property
    def flag(self) -> str:
        """How it is spelt on the command line."""
        return self.name.upper() if self.is_argument else "--" + self.name.replace("_", "-")

    @property
    def is_value(self) -> bool:
        """Whether the core reads it from a file."""
        return issubclass(self.type, Value)

    @property
    def kinds(self) -> tuple[_Kind, ...]:
        """The kinds of value that may be given."""
        return (self.type, *self.others) if self.is_value else ()

    @property
    def range(self) -> str:
        """The allowed range in words, for example ``1 to 64 bars``."""
        low, high = self.opt.min, self.opt.max
        words = ""
        if low is not None and high is not None:
            words = f"{number_text(low)} to {number_text(high)}"
        elif low is not None:
            words = f"at least {number_text(low)}"
        elif high is not None:
            words = f"at most {number_text(high)}"
        return f"{words} {self.opt.unit}".strip()


def checkpoint_of(*networks: str) -> Opt:
    """Return the option of a checkpoint that must be of one of these networks.

    Parameters
    ----------
    *networks : str
        ``module:Class`` of each, as its card has it.

    Examples
    --------
    >>> Space = Annotated[str | None, checkpoint_of("drum_space.model:DrumAutoencoder")]
    """
    return replace(_CHECKPOINT, fits=networks)


def number_text(x: float) -> str:
    """Write a number in full: 4294967295 rather than 4.29497e+09, and 1 rather than 1.0."""
    text = str(int(x)) if x == x // 1 else repr(x)
    return text if len(text) <= 30 else text[:27] + "..."


def describe(function: Callable[..., Any]) -> list[Param]:
    """Read the parameters of an action from its signature.

    Raises
    ------
    TypeError
        If a parameter has a name or a type that actions cannot have.
    """
    function = inspect.unwrap(function)
    # Without the return type, which may be known to type checkers only.
    wanted = {k: v for k, v in inspect.get_annotations(function).items() if k != "return"}
    hints = typing.get_type_hints(
        types.SimpleNamespace(__annotations__=wanted),
        globalns=getattr(function, "__globals__", {}),
        include_extras=True,
    )
    return [
        _param(name, hints[name], parameter)
        for name, parameter in inspect.signature(function).parameters.items()
    ]


def _param(name: str, hint: Any, parameter: inspect.Parameter) -> Param:
    if name in RESERVED:
        raise TypeError(f"{name} is an option of the core; name the parameter otherwise")
    opt = Opt("")
    if typing.get_origin(hint) is Annotated:
        hint, *extras = typing.get_args(hint)
        opt = next((e for e in extras if isinstance(e, Opt)), opt)
        if parameter.default is not None:  # what a shared word says of None
            opt = replace(opt, help=re.sub(r" \(default: [^()]*\)$", "", opt.help))
    optional = many = False
    others: list[Any] = []
    members = _members(hint)
    optional = type(None) in members
    hint, *others = [m for m in members if m not in (type(None), Any)]  # see `Readable`
    if typing.get_origin(hint) is list:
        many, (hint,) = True, typing.get_args(hint)
        hint, *others = _members(hint)
    choices: tuple[Any, ...] = ()
    if typing.get_origin(hint) is Literal:
        choices = typing.get_args(hint)
        kinds = {type(choice) for choice in choices}
        if len(kinds) != 1 or not kinds <= {str, int}:
            raise TypeError(f"{name}: the choices of a Literal must be all texts or all integers")
        (hint,) = kinds
    if not (isinstance(hint, type) and issubclass(hint, (bool, int, float, str, Path, Value))):
        raise TypeError(f"{name}: an action cannot have a parameter of type {hint}")
    if others and not all(isinstance(o, type) and issubclass(o, Value) for o in (hint, *others)):
        raise TypeError(f"{name}: only values can be given instead of each other")
    optional_argument = (
        parameter.default is None
        and parameter.kind is not inspect.Parameter.KEYWORD_ONLY
        and issubclass(hint, (Value, Path))
    )
    return Param(
        name,
        hint,
        opt,
        parameter.default,
        choices,
        many,
        optional,
        tuple(others),
        optional_argument,
    )


def _members(hint: Any) -> tuple[Any, ...]:
    """Return the types of a union, or the type alone."""
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return typing.get_args(hint) if union else (hint,)


def result_kind(function: Callable[..., Any]) -> type[Value] | None:
    """Return the kind of value that an action says it gives; None if it cannot be known here."""
    function = inspect.unwrap(function)
    hint = inspect.get_annotations(function).get("return")
    try:
        hint = typing.get_type_hints(
            types.SimpleNamespace(__annotations__={"return": hint}),
            globalns=getattr(function, "__globals__", {}),
        )["return"]
    except (NameError, TypeError):  # known to type checkers only
        return None
    many: tuple[Any, ...] = (list, Iterator, Iterable, Sequence)
    if typing.get_origin(hint) in many:
        (hint,) = typing.get_args(hint)
    return hint if isinstance(hint, type) and issubclass(hint, Value) else None


_JSON_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", Path: "string"}


def json_schema(function: Callable[..., Any]) -> dict[str, Any]:
    """Describe the options of an action as JSON schema (draft 2020-12).

    Beside what the draft defines, an option has its ``unit``, its ``role`` (such as seed or
    checkpoint), the ``kinds`` of value that it takes, and whether it is a path; the whole has the
    ``result``, the kind of value that the action returns, where that is known.
    """
    params = describe(function)
    result = result_kind(function)
    properties = {}
    for param in params:
        kind = _JSON_TYPES.get(param.type, "string")
        one: dict[str, Any] = {"type": kind}
        if param.is_value:
            one["format"] = " or ".join(kind.kind for kind in param.kinds)
            one["kinds"] = [kind.kind for kind in param.kinds]
        elif param.type is Path:
            one["format"] = "path"
        if param.choices:
            one["enum"] = list(param.choices)
        if param.opt.min is not None:
            one["minimum"] = param.opt.min
        if param.opt.max is not None:
            one["maximum"] = param.opt.max
        if param.many:
            one = {"type": "array", "items": one}
        if param.optional:
            one = {"anyOf": [one, {"type": "null"}]}
        one["description"] = param.opt.help
        one |= {key: text for key in ("unit", "role") if (text := getattr(param.opt, key))}
        if not param.required:
            one["default"] = plain(param.default)
        properties[param.name] = one
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "required": [p.name for p in params if p.required],
        "additionalProperties": False,
        **({} if result is None else {"result": result.kind}),
    }


def plain(value: Any) -> Any:
    """Make an option JSON-able: paths become strings, values their origin or JSON."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, Value):
        return value.to_json()
    return value


def markdown_table(function: Callable[..., Any]) -> str:
    """Describe the options of an action as a Markdown table, for the documentation."""
    rows = ["| option | meaning | range | default |", "| --- | --- | --- | --- |"]
    for param in describe(function):
        allowed = ", ".join(map(str, param.choices)) or param.range
        default = "required" if param.required else plain(param.default)
        default = "-" if default is None else default
        rows.append(f"| `{param.flag}` | {param.opt.help} | {allowed} | {default} |")
    return "\n".join(rows)
