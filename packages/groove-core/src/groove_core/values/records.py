"""Values that are written down once: the fields of a dataclass make its JSON."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, get_args, get_origin, get_type_hints

import numpy as np

from groove_core.errors import UsageError
from groove_core.values.base import Value
from groove_core.values.sound.audio import Audio

__all__ = ["Record", "SoundRecord"]

FILE_RATE = 44_100
"""The lowest sample rate of a sound file [Hz]."""


@dataclass(frozen=True, eq=False, repr=False)
class Record(Value):
    """A value of numbers, texts, arrays, tuples and dataclasses of these.

    A subclass is a dataclass. Its JSON holds the fields, or what ``keys`` names, in this order:
    fields, which are read back, and properties and methods, whose results are there for
    readers. The types of the fields say how they are kept: arrays get their type, sequences
    become tuples. Floats are rounded to ``digits`` on the way in and not on writing, so that
    what is read equals what was saved.

    Examples
    --------
    >>> @dataclass(frozen=True, eq=False, repr=False)
    ... class Onsets(Record):
    ...     kind = "onsets"
    ...     keys = "name count onset_s"
    ...     digits = {"onset_s": 3}
    ...     name: str
    ...     onset_s: np.ndarray
    ...     def count(self):
    ...         return len(self.onset_s)
    ...     def to_text(self):
    ...         return f"{self.count()} onsets"
    >>> Onsets("a.wav", [0.12345, 0.5]).to_json()
    {'kind': 'onsets', 'name': 'a.wav', 'count': 2, 'onset_s': [0.123, 0.5]}
    >>> Onsets.from_json(_)
    Onsets(2 onsets)
    >>> _ == Onsets("a.wav", [0.123, 0.5])
    True
    """

    keys: ClassVar[str] = ""
    """Names of what the JSON holds besides its ``kind``, apart by blanks; all fields by default."""
    digits: ClassVar[Mapping[str, int]] = {}
    """How many digits behind the point the floats of a field keep."""

    def __post_init__(self) -> None:
        for name, kept in _fields(type(self)).items():
            value = getattr(self, name)
            if _is_array(kept) or name in self.digits:
                value = np.asarray(value, _dtype(kept))
                if name in self.digits:
                    value = value.round(self.digits[name])
                if not _is_array(kept):
                    value = value.tolist()
            object.__setattr__(self, name, tuple(value) if get_origin(kept) is tuple else value)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, **_written(self)}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        # A document of an earlier version lacks the fields that came later; they have defaults.
        later = {
            one.name
            for one in fields(cls)
            if one.default is not MISSING or one.default_factory is not MISSING
        }
        names = [name for name in _fields(cls) if name in document or name not in later]
        made: Self = _made(cls, {name: document[name] for name in names})
        return made


@dataclass(frozen=True, eq=False, repr=False)
class SoundRecord(Record):
    """A record that can be heard: `save` writes ``wav``, and a notebook shows a player.

    The file is at 44.1 kHz or above: players and music programs expect that, also of a sound
    from a network that works at a lower rate.

    Parameters
    ----------
    sound : Audio, optional
        Not in the JSON, and not compared.
    """

    sound: Audio | None = field(default=None, compare=False, kw_only=True)

    def _save_wav(self, path: Path) -> None:
        if self.sound is None:
            raise UsageError(
                f"This {self.kind} has no sound: it was read from JSON, or made without.",
                hint="Run the action again, with --format wav.",
            )
        self.sound.resampled(max(self.sound.sample_rate, FILE_RATE)).save(path)

    def _repr_html_(self) -> str:
        from groove_core.values.page import escaped

        return escaped(self.to_text()) + (self.sound._repr_html_() if self.sound else "")


def _written(one: Any) -> dict[str, Any]:
    """Return the fields of a dataclass, or what its ``keys`` name, as JSON can hold it."""
    keys = getattr(one, "keys", "").split() or _fields(one.__class__)
    values = {key: getattr(one, key) for key in keys}
    return {key: _plain(value() if callable(value) else value) for key, value in values.items()}


def _plain(value: Any) -> Any:
    """Return what JSON can hold."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if is_dataclass(value):
        return _written(value)
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _made(kept: Any, value: Any) -> Any:
    """Make what a field keeps of JSON."""
    if is_dataclass(kept) and isinstance(kept, type):
        known = _fields(kept)
        return kept(
            **{name: _made(known[name], one) for name, one in value.items() if name in known}
        )
    if get_origin(kept) is tuple and get_args(kept)[1:] == (...,):
        return tuple(_made(get_args(kept)[0], one) for one in value)
    return np.asarray(value, _dtype(kept)) if _is_array(kept) else value


@functools.cache
def _fields(kept: Any) -> dict[str, Any]:
    """Give the type of each field, but for sound and others that JSON does not hold."""
    hints = get_type_hints(kept)
    return {one.name: hints[one.name] for one in fields(kept) if one.compare}


def _is_array(kept: Any) -> bool:
    return kept is np.ndarray or get_origin(kept) is np.ndarray


def _dtype(kept: Any) -> Any:
    """Give the type of an array's numbers; None where any will do."""
    inside = get_args(get_args(kept)[-1])[:1] if _is_array(kept) and get_args(kept) else ()
    return inside[0] if inside and isinstance(inside[0], type) else None
