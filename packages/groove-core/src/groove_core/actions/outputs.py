"""What the files of a run are called: after what the run was given."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from groove_core.actions.inputs import Inputs, Tally
from groove_core.actions.params import Param
from groove_core.storage.tables import csv_text

__all__ = ["Names", "table_of"]

LONGEST = 40
"""Characters of the name of an input in the name of a file: most systems allow 255 bytes."""


@dataclass
class Names:
    """Names of the values of a run, without an ending.

    ``song.mid`` makes ``song.vary-001``; what was drawn from nothing is ``sample-001``.

    Parameters
    ----------
    action : str
    stem : str
        Of the inputs, see `of`; empty without inputs.
    tally : Tally
        Knows which file an action is at.
    """

    action: str
    stem: str
    tally: Tally
    taken: set[str] = field(default_factory=set)

    @classmethod
    def of(
        cls, action: str, params: Sequence[Param], arguments: dict[str, Any], tally: Tally
    ) -> Names:
        """Name a run after the files and folders that its arguments are.

        Parameters
        ----------
        arguments : dict
            As the user gave them, before anything is read.
        """
        given = (arguments.get(p.name) for p in params if p.is_argument and p.is_value)
        stems = [stem for one in given if (stem := _stem(one))]
        return cls(action, "-".join(stems), tally)

    def one(self) -> str:
        """Name the only value of a run."""
        return f"{self.stem}.{self.action}" if self.stem else self.action

    def next(self, index: int) -> str:
        """Name one of several: after the file that it is of, or by its number."""
        file = self.tally.current
        name = f"{self._of(file)}.{self.action}" if file else f"{self.one()}-{index + 1:03d}"
        number = 1
        while name in self.taken:
            number += 1
            name = f"{self._of(file or '')}.{self.action}-{number:03d}"
        self.taken.add(name)
        return name

    def _of(self, file: str) -> str:
        """Return the stem of a file, with that of its folder where another file has the same."""
        stems = Counter(_short(Path(one).stem) for one in self.tally.files)
        stem = _short(Path(file).stem)
        parent = Path(file).parent.name
        return stem if stems[stem] < 2 or not parent else f"{_short(parent)}-{stem}"


def _short(stem: str) -> str:
    return stem.lstrip(".")[:LONGEST]


def _stem(given: Any) -> str:
    """Return what an argument is called, if it is one file or folder."""
    items = given.items if isinstance(given, Inputs) else given
    if isinstance(items, (list, tuple)):
        items = items[0] if len(items) == 1 else None
    if not isinstance(items, (str, Path)):
        return ""
    # Unlike those of `Path`, these take any text: a phrase that was typed has no name.
    if os.path.isdir(items):  # noqa: PTH112
        return _short(Path(items).resolve().name)
    return _short(Path(items).stem) if os.path.isfile(items) else ""  # noqa: PTH113


def table_of(values: Sequence[tuple[str, dict[str, Any]]]) -> str:
    """Return a CSV table of many results: a row for each, its numbers and texts as columns.

    Parameters
    ----------
    values : sequence of (str, dict)
        Name of the input, and the value as JSON.
    """
    rows = [{"file": name, **_flat(document)} for name, document in values]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    return csv_text([columns, *([row.get(key) for key in columns] for row in rows)])


def _flat(document: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers and texts of a document, and of the tables in it."""
    plain = (str, int, float, bool)
    found: dict[str, Any] = {}
    for key, value in document.items():
        if key in ("kind", "name"):
            continue
        if isinstance(value, plain) or value is None:
            found[key] = value
        elif isinstance(value, dict):
            found |= {f"{key}.{k}": v for k, v in value.items() if isinstance(v, plain)}
    return found
