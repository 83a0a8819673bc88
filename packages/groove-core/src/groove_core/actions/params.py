"""The words of action signatures.

One signature is the command line, the Python keywords, the JSON schema and the
documentation of an action. A parameter without a default is an argument on the
command line, the others are options. A parameter typed as a value (a score, a
drum pattern ...) takes a path on the command line and an object or a path in
Python; it may be left out and yet be an argument, if it stands before the ``*``
and defaults to None.

>>> from typing import Annotated
>>> @action
... def sample(*, count: Annotated[int, Opt("beats to draw", min=1)] = 8) -> int:
...     return count
>>> sample(count=2)
2
>>> sample(count=0)
Traceback (most recent call last):
    ...
groove_core.errors.UsageError: count must be at least 1, not 0.
"""

from __future__ import annotations

import functools
import inspect
import math
import numbers
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from groove_core.actions.inputs import Inputs
from groove_core.console import note
from groove_core.errors import UsageError, did_you_mean
from groove_core.storage.files import read_json
from groove_core.values.base import Value

__all__ = [
    "Checkpoint",
    "DataPath",
    "Device",
    "Devices",
    "DrumTrack",
    "Into",
    "License",
    "Minutes",
    "Opt",
    "Param",
    "Readable",
    "Restart",
    "Resume",
    "Seed",
    "Strategy",
    "action",
    "bind",
    "describe",
    "draw_seed",
    "files_of",
    "result_kind",
]

F = TypeVar("F", bound=Callable[..., Any])
V = TypeVar("V")

Readable: TypeAlias = V | Any
"""What an action takes for a value: the value, or the path of a file that holds it.

``Readable[DrumPattern]`` is a drum pattern inside the action, which the core has read by then, and
lets callers give a path, too. ``Readable[list[DrumPattern]]`` also stands for a folder of them, and
``Readable[Path]`` for a text. Type checkers check what an action does with the value and take
anything of callers, which are checked when they call.

>>> @action
... def bars(beats: Annotated[Readable[list[str]], Opt("names of beats")]) -> int:
...     return len(beats)
>>> bars("rock"), bars(["rock", "funk"])
(1, 2)
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


Seed = Annotated[
    int | None,
    Opt("seed of all random draws (default: drawn, and shown)", min=0, max=2**32 - 1, role="seed"),
]
Device = Annotated[str, Opt("device to compute on: auto, cpu, cuda, cuda:1 or mps", role="device")]
Checkpoint = Annotated[
    str | None,  # not a path: "./acai" is a folder, "acai" a name
    Opt(
        "trained weights: folder, or name in groove-models, GROOVE_HOME or the package",
        role="checkpoint",
    ),
]
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
            words = f"{_number(low)} to {_number(high)}"
        elif low is not None:
            words = f"at least {_number(low)}"
        elif high is not None:
            words = f"at most {_number(high)}"
        return f"{words} {self.opt.unit}".strip()


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
    optional = many = False
    others: list[Any] = []
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        members = typing.get_args(hint)
        optional = type(None) in members
        hint, *others = [m for m in members if m not in (type(None), Any)]  # see `Readable`
    if typing.get_origin(hint) is list:
        many, (hint,) = True, typing.get_args(hint)
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
        and issubclass(hint, Value)
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


def files_of(param: Param, value: Any) -> list[Path]:
    """List the files that an argument names: one, several, or those in a folder of values."""
    if isinstance(value, Inputs):
        named: Sequence[Any] = value.items
    elif param.is_value or param.type is Path:
        items = value if param.many and isinstance(value, (list, tuple)) else [value]
        named = [one for item in items for one in _expand(param, item)]
    else:
        named = []
    return [Path(one) for one in named if isinstance(one, (str, Path)) and Path(one).is_file()]


def bind(params: list[Param], given: Mapping[str, Any]) -> dict[str, Any]:
    """Check and convert arguments; paths become values where values are wanted.

    Raises
    ------
    UsageError
        For an unknown name or a value of the wrong type or out of range.
    InputError
        For a file that cannot be read.
    """
    by_name = {p.name: p for p in params}
    given = renamed(params, given)
    for name in given:
        if name not in by_name:
            raise UsageError(
                f"There is no option {name!r}.",
                hint=did_you_mean(name, list(by_name)) or f"Options: {', '.join(by_name)}.",
            )
    for param in params:
        if param.required and param.name not in given:
            raise UsageError(f"{param.name} is missing.", hint=f"Give {_wanted(param)}.")
    told = next((given.get(p.name) for p in params if p.opt.role == "drum_track"), None)
    if told is not None:
        by_name = {name: replace(p, drum_track=str(told)) for name, p in by_name.items()}
    return {name: _convert(by_name[name], value) for name, value in given.items()}


def renamed(params: list[Param], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments under the names and choices that they have now, and say what was renamed."""
    now = {alias.lower(): param for param in params for alias in param.opt.aliases}
    found = {name: value for name, value in given.items() if name not in now}
    for name in given.keys() & now.keys():
        note(f"--{name.replace('_', '-')} is now --{now[name].name.replace('_', '-')}")
        found[now[name].name] = given[name]
    for param in params:
        if param.opt.former and param.name in found:
            value = found[param.name]
            many = isinstance(value, list)
            for old in {*(value if many else [value])} & param.opt.former.keys():
                new = param.opt.former[old]
                note(f"{param.flag} {old} is now {param.flag} {new}")
                value = [new if one == old else one for one in value] if many else new
            found[param.name] = value
    return found


def _convert(param: Param, value: Any) -> Any:
    if value is None and (param.optional or param.default is None):
        return None
    if not param.many:
        return _convert_one(param, value)
    if isinstance(value, Inputs):
        return value
    if isinstance(value, (str, Path, Value)) or not hasattr(value, "__iter__"):
        value = [value]
    items = [item for one in value for item in _expand(param, one)]
    read = functools.partial(_convert_one, param)
    if not param.is_value:
        return [read(item) for item in items]
    if len(items) == 1:  # a mistake is told at once
        only = read(items[0])
        return Inputs(items, lambda _: only) if isinstance(items[0], (str, Path)) else [only]
    return Inputs([i if isinstance(i, (str, Path)) else read(i) for i in items], read)


def _expand(param: Param, item: Any) -> list[Any]:
    """Return the files of a folder where a file of values is wanted."""
    if param.is_value and isinstance(item, (str, Path)) and Path(item).is_dir():
        return list(param.type.files(Path(item)))
    return [item]


def _convert_one(param: Param, value: Any) -> Any:
    if param.is_value:
        if param.drum_track:
            value = _with_drums(param, value)
        for kind in param.kinds:
            accepted = kind.accept(value)
            if accepted is not None:
                return accepted
            if isinstance(value, dict) and value.get("kind") == kind.kind:
                return kind.from_document(value, param.name)  # as a result document holds it
        if isinstance(value, (str, Path)):
            return _kind_of_file(param, Path(value)).read(Path(value))
        raise _wrong(param, value)
    if param.type is bool:
        if not isinstance(value, bool):
            raise _wrong(param, value)
        return value
    if isinstance(value, bool) or (param.type is str and not _is_text(value)):
        raise _wrong(param, value)
    try:
        converted = param.type(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise _wrong(param, value) from error
    if param.type is int and not isinstance(value, str) and converted != value:
        raise _wrong(param, value)
    if param.choices and converted not in param.choices:
        choices = [str(choice) for choice in param.choices]
        raise UsageError(
            f"{param.name} must be one of {', '.join(choices)}, not {value!r}.",
            hint=did_you_mean(str(value), choices, form=f"{param.flag} {{}}")
            or f"{param.flag} {choices[0]}",
        )
    if param.type in (int, float):
        _check_range(param, converted)
    return converted


def _with_drums(param: Param, value: Any) -> Any:
    """Read a MIDI file as a score that knows which track plays the drums."""
    from groove_core.values.scores.score import Score

    if isinstance(value, (str, Path)) and "mid" in _kind_of_file(param, Path(value)).suffixes:
        value = Score.read(value)
    return replace(value, drum_track=param.drum_track) if isinstance(value, Score) else value


def _is_text(value: Any) -> bool:
    """Return whether a value can be meant as a text: ``str`` would make one of anything."""
    return isinstance(value, (str, Path, numbers.Real))


def _kind_of_file(param: Param, path: Path) -> type[Value]:
    """Choose between several kinds of value by the ending of a file, or by what its JSON says."""
    suffix = path.suffix.lower().lstrip(".")
    if suffix == "json" and param.others:
        document = read_json(path)
        named = document.get("kind") if isinstance(document, dict) else None
        exact = next((kind for kind in param.kinds if kind.kind == named), None)
        return exact or next((kind for kind in param.kinds if kind.takes(str(named))), param.type)
    return next((kind for kind in param.kinds if suffix in kind.suffixes), param.type)


def _check_range(param: Param, number: float) -> None:
    low, high = param.opt.min, param.opt.max
    if isinstance(number, float) and not math.isfinite(number):
        raise _wrong(param, number)
    if low is not None and number < low:
        bound, nearest = "at least", low
    elif high is not None and number > high:
        bound, nearest = "at most", high
    else:
        return
    shown = _number(nearest)
    raise UsageError(
        f"{param.name} must be {bound} {shown}, not {_number(number)}.",
        hint=f"{param.flag} {shown}",
    )


def _number(x: float) -> str:
    """Write a number in full: 4294967295 rather than 4.29497e+09, and 1 rather than 1.0."""
    text = str(int(x)) if x == x // 1 else repr(x)
    return text if len(text) <= 30 else text[:27] + "..."


def _wanted(param: Param) -> str:
    if param.is_value:
        kinds = " or ".join(kind.kind for kind in param.kinds)
        return f"a {kinds} or the path of a file that holds one"
    if param.choices:
        return f"one of {', '.join(map(str, param.choices))}"
    article = "an" if param.type is int else "a"
    name = {int: "integer", float: "number", str: "text", Path: "path", bool: "bool"}[param.type]
    return f"{article} {name}" + (f", {param.range}" if param.range else "")


def _wrong(param: Param, value: Any) -> UsageError:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return UsageError(f"{param.name} cannot be {shown}.", hint=f"Give {_wanted(param)}.")


def action(function: F) -> F:
    """Make a function an action: calls from Python are checked like the command line.

    Values may be given as objects or as paths, ranges are enforced, and a
    mistake raises the same error that the command line shows.
    """
    signature = inspect.signature(function)
    positional = [
        name
        for name, parameter in signature.parameters.items()
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY
    ]
    params: list[Param] = []

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if not params:
            params.extend(describe(function))
        try:
            given = signature.bind_partial(*args, **kwargs).arguments
        except TypeError as error:
            # Arguments that have become options may still be given without their names.
            former = [a.lower() for p in params for a in p.opt.aliases if a.isupper()]
            names = [*positional, *former]
            if len(args) > len(names) or set(names[: len(args)]) & kwargs.keys():
                raise UsageError(f"{error}.", hint=f"help({function.__name__})") from error
            given = {**dict(zip(names, args, strict=False)), **kwargs}
        return function(**bind(params, given))

    return checked  # type: ignore[return-value]


def draw_seed(seed: int | None = None) -> int:
    """Return the seed, or draw one from the operating system when it is None."""
    if seed is not None:
        return seed
    import secrets

    return secrets.randbits(32)
