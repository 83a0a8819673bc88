"""Results that are numbers: tables with intervals, and points of a latent space."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from groove_core.errors import InputError, UsageError
from groove_core.storage.files import write_text
from groove_core.storage.tables import csv_text, read_rows, unescaped
from groove_core.values.base import Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Cell", "Codes", "Estimate", "Message", "Report"]


ROWS = 200
"""Rows of a report in a notebook; all are in the files."""
SHOWN = 8
"""Dimensions of codes in a terminal; all are in the files."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with a 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        wider = max(self.high - self.value, self.value - self.low)
        return f"{_number(self.value)} ±{_number(wider)}"


Cell = Estimate | float | int | str | bool | None


def _number(x: float) -> str:
    if isinstance(x, int) or not math.isfinite(x):
        return str(x)
    return f"{x:.3f}" if abs(x) < 10 else f"{x:.1f}"


def _plain(cell: Any) -> Cell:
    """Make a cell one that JSON can hold: no NaN, no numpy scalar."""
    cell = cell.item() if isinstance(cell, np.generic) else cell
    number = cell.value if isinstance(cell, Estimate) else cell
    if isinstance(number, float) and not math.isfinite(number):
        return None
    plain: Cell = cell
    return plain


def _show(cell: Cell) -> str:
    if cell is None:
        return "-"
    # One line a row, whatever a text holds.
    return _number(cell) if isinstance(cell, float) else " ".join(str(cell).split())


@dataclass(frozen=True, eq=False, repr=False)
class Report(Value):
    """A table with a title and notes.

    Parameters
    ----------
    title : str
    columns : sequence of str
        The first one names the rows.
    rows : sequence of sequences of cells
        Each a text, a number, an `Estimate` or None.
    notes : sequence of str
    data : dict
        Further JSON that belongs to the result.
    """

    kind: ClassVar[str] = "report"
    default_formats: ClassVar[tuple[str, ...]] = ("json", "txt")

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    data: dict[str, Any] = field(default_factory=dict)

    if TYPE_CHECKING:  # sequences of any kind

        def __init__(
            self,
            title: str,
            columns: Iterable[str],
            rows: Iterable[Sequence[Any]],
            notes: Iterable[str] = (),
            data: dict[str, Any] = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(self.columns))
        object.__setattr__(self, "rows", tuple(tuple(map(_plain, row)) for row in self.rows))
        object.__setattr__(self, "notes", tuple(self.notes))
        if any(len(row) != len(self.columns) for row in self.rows):
            raise UsageError(
                "Every row of a report needs a cell for every column.",
                hint="Use None for no value.",
            )

    def cell(self, row: str, column: str) -> Cell:
        """Look a cell up by the name of its row and column."""
        at = self.columns.index(column)
        return next(r[at] for r in self.rows if r[0] == row)

    def to_json(self) -> dict[str, Any]:
        def plain(cell: Cell) -> Any:
            if isinstance(cell, Estimate):
                return {"value": cell.value, "low": cell.low, "high": cell.high}
            return cell

        return {
            "kind": self.kind,
            "title": self.title,
            "columns": list(self.columns),
            "rows": [[plain(cell) for cell in row] for row in self.rows],
            "notes": list(self.notes),
            "data": self.data,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        rows = [
            [Estimate(**cell) if isinstance(cell, dict) else cell for cell in row]
            for row in document["rows"]
        ]
        return cls(
            document["title"],
            document["columns"],
            tuple(tuple(row) for row in rows),
            document["notes"],
            document["data"],
        )

    def turned(self) -> Report:
        """Swap rows and columns."""
        head, *rows = zip(self.columns, *self.rows, strict=True)
        names = tuple(str(cell) for cell in head)
        return Report(self.title, names, tuple(rows), self.notes, self.data)

    def to_text(self) -> str:
        if len(self.rows) + 1 < len(self.columns):  # a wide table is read more easily turned
            return self.turned().to_text()
        lines = [self.title, ""]
        table = [list(self.columns), *([_show(c) for c in row] for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        for row in table:
            cells = [row[0].ljust(widths[0])]
            cells += [c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)]
            lines.append("  ".join(cells).rstrip())
        if self.notes:
            lines += ["", *self.notes]
        return "\n".join(lines)

    def to_markdown(self) -> str:
        """Return the table as Markdown, for cards and documentation."""
        rule = ["---", *["---:"] * (len(self.columns) - 1)]
        rows = [self.columns, rule, *([_show(c) for c in row] for row in self.rows)]
        lines = (" | ".join(map(_in_markdown, row)) for row in rows)
        return "\n".join(f"| {line} |" for line in lines)

    def _save_md(self, path: Path) -> None:
        notes = "".join(f"\n\n{note}" for note in self.notes)
        write_text(path, f"## {self.title}\n\n{self.to_markdown()}{notes}\n")

    def _save_csv(self, path: Path) -> None:
        rows = ([c.value if isinstance(c, Estimate) else c for c in row] for row in self.rows)
        write_text(path, csv_text([self.columns, *rows]))

    def __repr__(self) -> str:
        return f"Report({self.title!r}, {len(self.rows)} rows)"

    def _repr_html_(self) -> str:
        from html import escape

        head = "".join(f"<th>{escape(c)}</th>" for c in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(_show(c))}</td>" for c in row) + "</tr>"
            for row in self.rows[:ROWS]
        )
        return f"<p>{escape(self.title)}</p><table><tr>{head}</tr>{body}</table>"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw every column of numbers beside each other, with its intervals."""
        from groove_core.values.plots import INK, PALETTE, panel, sheet

        numeric = [
            i
            for i in range(1, len(self.columns))
            if any(isinstance(r[i], (int, float, Estimate)) for r in self.rows)
        ]
        across = min(5, max(1, len(numeric)))
        down = max(1, -(-len(numeric) // across))
        panel_in = 0.7 + 0.26 * len(self.rows)
        size = 1.4 + 1.9 * across, 0.5 + panel_in * down
        ax = sheet(ax, *size, self.title, fontsize=10, pad=26)
        names = [str(row[0]) for row in self.rows]
        left, width, height = 0.14, 0.86 / across, 1 / down
        for n, column in enumerate(numeric):
            line, place = divmod(n, across)
            box = (left + place * width, 1 - (line + 0.72) * height, width * 0.86, height * 0.72)
            inner = panel(ax, box, self.columns[column], framed=False)
            for y, row in enumerate(self.rows):
                cell = row[column]
                if not isinstance(cell, (int, float, Estimate)):
                    continue
                value = cell.value if isinstance(cell, Estimate) else float(cell)
                if isinstance(cell, Estimate):
                    inner.plot([cell.low, cell.high], [y, y], color=PALETTE[0], lw=2)
                inner.plot(value, y, "o", color=INK, ms=4)
            inner.set_yticks(range(len(names)), names if place == 0 else [""] * len(names))
            inner.set_ylim(len(names) - 0.5, -0.5)
            inner.margins(x=0.15)
            inner.locator_params(axis="x", nbins=3)
            inner.grid(axis="y", lw=0.3)
        return ax


class Message(Report):
    """A report on something that is kept elsewhere: shown, and written only if asked for."""

    is_message: ClassVar[bool] = True


def _in_markdown(cell: str) -> str:
    """Return a text as a cell of a Markdown table: neither a column, a line nor HTML more."""
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", " ".join(cell.split()).replace("|", "\\|"))


@dataclass(frozen=True, eq=False, repr=False)
class Codes(Value):
    """Points of a latent space.

    Parameters
    ----------
    points : float array [shape=(n, dimensions)]
    labels : sequence of str
        What each point stands for.
    model : str
        Name of the model that the space belongs to.
    """

    kind: ClassVar[str] = "codes"
    suffixes: ClassVar[tuple[str, ...]] = ("json", "csv")
    default_formats: ClassVar[tuple[str, ...]] = ("json", "csv")

    points: npt.NDArray[np.float64]
    labels: tuple[str, ...] = ()
    model: str = ""

    if TYPE_CHECKING:  # whatever can be made into an array

        def __init__(
            self, points: npt.ArrayLike, labels: Iterable[str] = (), model: str = ""
        ) -> None: ...

    def __post_init__(self) -> None:
        points = np.atleast_2d(np.array(self.points, dtype=np.float64))
        if points.ndim != 2 or not points.size or not np.isfinite(points).all():
            raise UsageError(
                "Codes are finite numbers of shape (points, dimensions).",
                hint="Give one row per point.",
            )
        labels = tuple(self.labels) or tuple(str(i + 1) for i in range(len(points)))
        if len(labels) != len(points):
            raise UsageError(
                f"There are {len(labels)} labels for {len(points)} points.", hint="Give one each."
            )
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "labels", labels)

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "model": self.model,
            "labels": list(self.labels),
            "points": self.points.tolist(),
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        return cls(document["points"], tuple(document["labels"]), document["model"])

    @classmethod
    def _read_file(cls, path: Path) -> Self:
        model, labels, rows = "", list[str](), []
        try:
            for label, *point in read_rows(path, what="a table of codes"):
                if not labels and label.partition(":")[0] == "label":
                    model = label.partition(":")[2]
                else:
                    labels.append(unescaped(label))
                    rows.append(np.array(point, np.float64))
            return cls(np.array(rows), tuple(labels), model)
        except (ValueError, IndexError, UsageError) as error:
            raise InputError(
                f"{path} is not a table of codes: {error}.",
                hint="Give a CSV file with a label and one number per dimension in each row.",
            ) from error

    def _save_csv(self, path: Path) -> None:
        head = f"label:{self.model}" if self.model else "label"
        names = [head, *(f"z{i + 1}" for i in range(self.points.shape[1]))]
        rows = zip(self.labels, self.points.tolist(), strict=True)
        write_text(path, csv_text([names, *([label, *point] for label, point in rows)]))

    def to_text(self) -> str:
        width = max(len(label) for label in self.labels)
        dimensions = self.points.shape[1]
        more = f"  ... of {dimensions}" if dimensions > SHOWN else ""
        rows: Sequence[str] = [
            label.ljust(width) + "".join(f"{x:10.4f}" for x in point) + more
            for label, point in zip(self.labels, self.points[:, :SHOWN].tolist(), strict=True)
        ]
        return "\n".join(rows)

    def __repr__(self) -> str:
        return f"Codes({len(self.points)} points, {self.points.shape[1]} dimensions)"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the first two dimensions."""
        from groove_core.values.plots import PALETTE, new_axes

        ax = ax or new_axes(5, 5)
        x, y = self.points[:, 0], self.points[:, min(1, self.points.shape[1] - 1)]
        ax.plot(x, y, "o-" if len(x) <= 64 else ".", color=PALETTE[0], lw=0.5, ms=4)
        ax.set(xlabel="z1", ylabel="z2")
        return ax
