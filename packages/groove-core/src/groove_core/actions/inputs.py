"""Many inputs: read one at a time, and a bad one costs only itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, overload

from groove_core.console import note, track
from groove_core.errors import GrooveError, InputError, UsageError
from groove_core.storage.files import printable

__all__ = ["Inputs", "Tally", "each", "given", "leave_out", "names", "tally"]

V = TypeVar("V")
R = TypeVar("R")


@dataclass
class Tally:
    """The files that a run was given, and those that it could not use."""

    files: set[str] = field(default_factory=set)
    failed: dict[str, dict[str, str]] = field(default_factory=dict)
    """By file: its name, the message and the hint."""
    current: str = ""
    """The file that `each` has just finished with; empty before and after it."""


tally: ContextVar[Tally | None] = ContextVar("groove_tally", default=None)
"""Of the current run, if there is one."""


class Inputs(Sequence[V]):
    """A sequence of values whose files are read when they are asked for, and not kept.

    Its length is known at once. Iteration passes over the files that cannot be read, as
    `each` does; an index reads one file, or raises its error.

    Parameters
    ----------
    items : sequence of values and paths
    read : callable of (path)

    Examples
    --------
    >>> beats = Inputs([Path("a.mid"), Path("b.mid")], read=lambda path: path.stem.upper())
    >>> len(beats), beats[0], list(beats)
    (2, 'A', ['A', 'B'])
    """

    def __init__(self, items: Sequence[V | str | Path], read: Callable[[str | Path], V]) -> None:
        self.items = tuple(items)
        self._read = read

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> V: ...
    @overload
    def __getitem__(self, index: slice) -> Inputs[V]: ...
    def __getitem__(self, index: int | slice) -> V | Inputs[V]:
        if isinstance(index, slice):
            return Inputs(self.items[index], self._read)
        item = self.items[index]
        return self._read(item) if isinstance(item, (str, Path)) else item

    def __iter__(self) -> Iterator[V]:
        return each(self, lambda value, _: value)

    def __repr__(self) -> str:
        return f"Inputs({len(self)})"


def each(
    inputs: Sequence[V],
    work: Callable[[V, str], R],
    text: str = "",
    *,
    files: Sequence[str | Path] | None = None,
) -> Iterator[R]:
    """Yield what `work` returns for each input; one that cannot be used is named and left out.

    Nothing is kept: memory does not grow with the number of inputs.

    Parameters
    ----------
    inputs : sequence, for example `Inputs`
    work : callable of (input, name)
        The name is that of the file, or of its place among the inputs.
    text : str
        What the progress shown on a terminal is called; none is shown without it.
    files : sequence of paths, optional
        The files behind the inputs, where these do not tell.

    Raises
    ------
    InputError, UsageError
        If no input can be used; of a single one, its own error.
    """
    total, called = len(inputs), names(inputs if files is None else files)
    given(called)
    used = 0
    first: GrooveError | None = None
    for index in track(range(total), text, total) if text else range(total):
        try:
            result = work(inputs[index], printable(Path(called[index]).name))
        except (InputError, UsageError) as error:  # also of a sound that has no level, or no rate
            _name_file(called[index], error)
            if total == 1:
                raise
            leave_out(called[index], error)
            first = first or error
            continue
        used += 1
        if (known := tally.get()) is not None:
            known.current = called[index]
        yield result
        del result  # it may hold a whole song, and the next one is about to be read
        if known is not None:
            known.current = ""
    if first is not None and not used:
        raise type(first)(
            f"None of the {total} files can be used. The first: {first.message}", hint=first.hint
        )


def given(files: Iterable[str | os.PathLike[str]]) -> None:
    """Count files among those that the run was given; `each` does it itself."""
    if (known := tally.get()) is not None:
        known.files.update(os.fspath(file) for file in files)


def leave_out(file: str | os.PathLike[str], error: GrooveError) -> None:
    """Say at once that a file is left out, and put it down in the result of the run."""
    name = os.fspath(file)
    _name_file(name, error)
    known = tally.get()
    if known is not None:
        if name in known.failed:  # read a second time
            return
        known.failed[name] = {"file": name, "message": error.message, "hint": error.hint}
    note(f"left out: {printable(error.message)}")


def names(inputs: Sequence[Any]) -> list[str]:
    """Return the path or name of each input, or else its kind and place."""
    items = inputs.items if isinstance(inputs, Inputs) else inputs
    return [
        os.fspath(item)
        if isinstance(item, (str, Path))
        else getattr(item, "name", "") or f"{getattr(item, 'kind', 'input')} {number}"
        for number, item in enumerate(items, 1)
    ]


def _name_file(name: str, error: GrooveError) -> None:
    """Make the message of an error name the file, if it does not."""
    known = {name, printable(name), Path(name).name}
    if not any("." in one and one in error.message for one in known):
        error.message = f"{name}: {error.message}"
        error.args = (error.message,)
