"""Arguments of actions: checked, and read from files where values are wanted.

>>> from typing import Annotated
>>> from groove_core.actions import Opt
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
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from groove_core.actions.inputs import Inputs
from groove_core.actions.naming import spell, spelt
from groove_core.actions.params import Param, describe, number_text
from groove_core.console import note
from groove_core.errors import UsageError, did_you_mean
from groove_core.storage.files import read_json
from groove_core.values.base import Value

__all__ = ["action", "bind", "draw_seed", "files_of"]

F = TypeVar("F", bound=Callable[..., Any])


def files_of(param: Param, value: Any) -> list[Path]:
    """List the files that an argument names: one, several, or those in a folder of values."""
    if isinstance(value, Inputs):
        named: Sequence[Any] = value.items
    elif param.is_value or param.type is Path:
        items = value if param.many and isinstance(value, (list, tuple)) else [value]
        named = [one for item in items for one in _expand(param, item)]
    else:
        named = []
    # Unlike `Path.is_file`, it takes any text: a phrase may be longer than a name can be.
    return [
        Path(one)
        for one in named
        if isinstance(one, (str, Path)) and os.path.isfile(one)  # noqa: PTH113
    ]


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
    return spell(params, {name: _convert(by_name[name], value) for name, value in given.items()})


def renamed(params: list[Param], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments under the names and choices that they have now, and say what was renamed."""
    aliases = {alias.lower(): (alias, param) for param in params for alias in param.opt.aliases}
    now = {name: param for name, (_, param) in aliases.items()}
    found = {name: value for name, value in given.items() if name not in now}
    for name in given.keys() & now.keys():
        alias = aliases[name][0]  # in capitals if it was an argument, which nobody wrote
        former = alias if alias.isupper() else f"--{name.replace('_', '-')}"
        note(f"{former} is now --{now[name].name.replace('_', '-')}")
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
    if param.is_value and isinstance(item, (str, Path)) and os.path.isdir(item):  # noqa: PTH112
        return list(param.type.files(Path(item)))
    return [item]


def _convert_one(param: Param, value: Any) -> Any:
    if param.is_value:
        if param.drum_track:
            value = _with_drums(param, value)
        # One of the kinds as it is, before one that becomes another of them.
        for kind in sorted(param.kinds, key=lambda kind: not isinstance(value, kind)):
            accepted = kind.accept(value)
            if accepted is not None:
                return accepted
            if isinstance(value, dict) and value.get("kind") == kind.kind:
                return kind.from_document(value, param.name)  # as a result document holds it
        if isinstance(value, str) and not os.path.exists(value):  # noqa: PTH110
            typed = (kind.typed(value) for kind in param.kinds)
            if (found := next((one for one in typed if one is not None), None)) is not None:
                return found
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
    converted = spelt(converted, param.choices)
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
    shown = number_text(nearest)
    raise UsageError(
        f"{param.name} must be {bound} {shown}, not {number_text(number)}.",
        hint=f"{param.flag} {shown}",
    )


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
