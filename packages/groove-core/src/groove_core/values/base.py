"""The base of everything an action takes or returns."""

from __future__ import annotations

import abc
import json
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from groove_core.errors import InputError, UsageError
from groove_core.plugins import kinds
from groove_core.storage.files import atomic_path, dump_json, read_json, write_text
from groove_core.storage.folders import RESULT as RESULT
from groove_core.storage.folders import list_files

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Value", "from_json"]


PICTURE_BYTES = 100_000
"""Of a picture in a notebook, which keeps what is shown in its file."""
SHOWN = 20_000
"""Characters of a text in a notebook; all are in the files."""


class Value(abc.ABC):
    """A value: it can be read, saved, shown and compared.

    A subclass names its ``kind`` and the file endings it can be read from, and
    has a method ``_save_<suffix>(path)`` for each ending it can be written to
    beyond json, txt and png, which every value has. One with a method ``to_score``
    can be written as MIDI and as sound, too.
    """

    kind: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]] = ("json",)
    """Endings that `read` accepts."""
    default_formats: ClassVar[tuple[str, ...]] = ("json",)
    """What the command line writes when nobody says otherwise."""
    is_message: ClassVar[bool] = False
    """Whether the command line only shows it, and makes a folder with ``--out`` alone."""

    def to_json(self) -> dict[str, Any]:
        """Return the value as a JSON document with its ``kind``; nothing is lost.

        By default, these are the fields of a dataclass of numbers, texts, and tuples of them.
        """
        own = {one.name: getattr(self, one.name) for one in fields(cast("Any", self))}
        document: dict[str, Any] = json.loads(dump_json({"kind": self.kind, **own}))
        return document

    def to_document(self) -> dict[str, Any]:
        """Return what ``result.json`` says of the value beside its files; all of it by default."""
        return self.to_json()

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Make the value from what `to_json` gave."""
        return cls(**{name: value for name, value in document.items() if name != "kind"})

    @abc.abstractmethod
    def to_text(self) -> str:
        """Show the value in a terminal."""

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the value with matplotlib, by default its text; needs ``groove-core[plot]``."""
        from groove_core.values.plots import plot_text

        return plot_text(self.to_text(), ax)

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a value from a file; the ending says how.

        Raises
        ------
        InputError
            If the file is missing, broken or holds something else.
        """
        path = path if isinstance(path, Path) else Path(path)
        suffix = path.suffix.lower().lstrip(".")
        if suffix == "json":
            return cls.from_document(read_json(path), path)
        if suffix not in cls.suffixes and (other := _other_reader(suffix, cls.kind)) is not None:
            value = cls.accept(other.read(path))
            if value is not None:
                return value
        return cls._read_file(path)

    @classmethod
    def _read_file(cls, path: Path) -> Self:
        raise InputError(
            f"{path} is not a file that holds a {cls.kind}.",
            hint=f"Give a file ending in .{' or .'.join(cls.suffixes)}.",
        )

    @classmethod
    def from_document(cls, document: Any, path: str | Path) -> Self:
        """Make the value from a document of anybody; `path` says in errors where it is.

        A document of another kind is taken if that kind becomes this one.

        Raises
        ------
        InputError
            If it is of another kind, or not as `to_json` makes it.
        """
        kind = document.get("kind") if isinstance(document, dict) else None
        if kind != cls.kind:
            if isinstance(kind, str) and (convert := kinds.converter(kind, cls.kind)) is not None:
                converted: Self = convert(kinds.class_of(kind).from_document(document, path))
                return converted
            raise InputError(
                f"{path} holds {f'a {kind}' if kind else 'no Groove value'}, not a {cls.kind}.",
                hint=f"Give a file ending in .{' or .'.join(cls.suffixes)}.",
            )
        try:
            return cls.from_json(document)
        except (
            LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError,
            UsageError,
        ) as error:  # fmt: skip
            raise InputError(
                f"{path} is not a valid {cls.kind}: {error!r}.",
                hint="Save the value again with save().",
            ) from error

    @classmethod
    def accept(cls, value: Any) -> Self | None:
        """Return an object as a value of this kind, or None if it is none and becomes none."""
        if isinstance(value, cls):
            return value
        if not isinstance(value, Value):
            return None
        convert = kinds.converter(value.kind, cls.kind)
        return None if convert is None else convert(value)

    @classmethod
    def typed(cls, text: str) -> Self | None:
        """Return the value that a text spells out where a path could stand, such as a phrase.

        Returns
        -------
        Value or None
            None if the text is meant as a path.
        """
        return None

    @classmethod
    def takes(cls, kind: str) -> bool:
        """Return whether values of a kind are of this one or become it."""
        return kind == cls.kind or kinds.converter(kind, cls.kind) is not None

    @classmethod
    def files(cls, path: Path) -> list[Path]:
        """List the files of a folder that may hold such values; see `find_files`.

        The folder of one run can be given to the next: its ``result.json`` is passed over.
        """
        return list_files(path, cls.suffixes, kinds=cls.takes)

    def save(self, path: str | Path) -> Path:
        """Write the value to a file; the ending chooses the format.

        Raises
        ------
        UsageError
            If this kind of value cannot be written so, or the folder cannot be written.
        """
        path = Path(path)
        write = self.writer(path.suffix.lower().lstrip("."))
        with atomic_path(path) as temporary:
            write(temporary)
        return path

    def writer(self, suffix: str) -> Callable[[Path], None]:
        """Return what writes this value to files with an ending.

        Raises
        ------
        UsageError
            If nothing does.
        """
        writer: Callable[[Path], None] | None = getattr(self, f"_save_{suffix}", None)
        if writer is None:
            run = self.check_format(suffix)
            return lambda path: run(self, path)
        return writer

    @classmethod
    def check_format(cls, suffix: str) -> Any:
        """Check that such values can be written to files with an ending.

        Returns
        -------
        callable of (value, path), or None
            The renderer of a package, where the class has no way of its own.

        Raises
        ------
        UsageError
            If nothing writes them so.
        """
        if hasattr(cls, f"_save_{suffix}"):
            return None
        played = hasattr(cls, "to_score") and suffix in kinds.class_of("score").formats()
        if played and suffix not in kinds.core_endings(cls.kind):
            return lambda value, path: value.to_score().writer(suffix)(path)
        if (run := kinds.renderer(cls.kind, suffix)) is None:
            raise UsageError(
                f"A {cls.kind} cannot be written as {'.' + suffix if suffix else 'a bare file'}.",
                hint=f"Choose one of {', '.join(cls.formats())}.",
            )
        return run

    @classmethod
    def formats(cls) -> list[str]:
        """List the endings that `save` knows without any plugin."""
        own = {n.removeprefix("_save_") for n in dir(cls) if n.startswith("_save_")}
        played = kinds.class_of("score").formats() if hasattr(cls, "to_score") else ()
        return sorted(own.union(kinds.core_endings(cls.kind), played))

    def _save_json(self, path: Path) -> None:
        write_text(path, dump_json(self.to_json()))

    def _save_txt(self, path: Path) -> None:
        write_text(path, self.to_text() + "\n")

    def _save_png(self, path: Path) -> None:
        from groove_core.values.plots import save_png

        save_png(self.plot, path)

    def _repr_html_(self) -> str:
        from groove_core.values.page import escaped

        # A value whose picture is its text says it once.
        drawn = "" if type(self).plot is Value.plot else _picture(self.plot)
        return escaped(self.to_text()[:SHOWN]) + drawn

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.to_json() == other.to_json()

    def __repr__(self) -> str:
        line = self.to_text().partition("\n")[0]
        return f"{type(self).__name__}({line.rstrip(':')})"

    __hash__ = None  # type: ignore[assignment]


def _picture(plot: Callable[[], Any]) -> str:
    """Return a picture as HTML, coarser where it would be large; nothing without matplotlib."""
    from groove_core.values.page import data_url
    from groove_core.values.plots import png_bytes

    try:
        sizes = (png_bytes(plot, dpi) for dpi in (90, 60, 40, 25))
        content = next((one for one in sizes if len(one) <= PICTURE_BYTES), b"")
    except UsageError:
        return ""
    return f'<br><img src="{data_url("image/png", content)}">' if content else ""


def _other_reader(suffix: str, kind: str) -> type[Value] | None:
    """Return a kind that is read from files with an ending and becomes the wanted one."""
    others: Iterator[type[Value]] = map(kinds.class_of, kinds.sources(kind))
    return next((other for other in others if suffix in other.suffixes), None)


def from_json(document: dict[str, Any]) -> Value:
    """Make a value of any kind from its JSON document.

    Raises
    ------
    InputError
        If the document is of no known kind.
    """
    value: Value = kinds.class_of(str(document.get("kind"))).from_json(document)
    return value
