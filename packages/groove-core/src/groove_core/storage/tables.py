"""CSV files: those of strangers within limits, and our own as texts to a spreadsheet."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from groove_core.errors import InputError
from groove_core.storage.files import check_file

__all__ = ["csv_text", "member", "read_rows", "read_table", "unescaped"]

MAX_BYTES = 64 * 2**20
MAX_ROWS = 200_000
MAX_LINE = 2**20
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?[\d.]+(?:[eE][+-]?\d+)?")


def read_rows(
    path: str | os.PathLike[str], *, what: str = "a table (.csv)", max_bytes: int = MAX_BYTES
) -> Iterator[list[str]]:
    """Yield the rows of a CSV file, one at a time; empty ones are passed over.

    In a file that ends in ``.tsv``, tabs part the columns.

    Raises
    ------
    InputError
        If it is no regular file, is no CSV, or has more than `MAX_ROWS` rows.
    """
    path = check_file(path, what=what, max_bytes=max_bytes)
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    hint = f"Give {what}, saved as UTF-8."
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
        # A file without line ends would be read as a whole.
        rows = csv.reader(iter(lambda: stream.readline(MAX_LINE), ""), delimiter=delimiter)
        try:
            for number, row in enumerate(rows):
                if number > MAX_ROWS:
                    raise InputError(f"{path} has more than {MAX_ROWS:,} rows.", hint="Split it.")
                if row:
                    yield row
        except csv.Error as error:
            raise InputError(f"{path} is no CSV file: {error}.", hint=hint) from error


def read_table(
    path: str | os.PathLike[str], columns: Iterable[str], *, what: str = "a table (.csv)"
) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV file with a line of names; what a row lacks is an empty text.

    Raises
    ------
    InputError
        As `read_rows`, and if one of the columns is missing.
    """
    rows = read_rows(path, what=what)
    names = [name.strip().lower() for name in next(rows, [])]
    missing = [name for name in columns if name not in names]
    if missing:
        raise InputError(
            f"{path} has no column{'s' * (len(missing) > 1)} {' and '.join(missing)}.",
            hint=f"Its first line must name the columns {', '.join(columns)}.",
        )
    for row in rows:
        yield dict.fromkeys(names, "") | dict(zip(names, row, strict=False))


def member(folder: Path, name: str) -> Path:
    """Return the path of a file that a table in a folder names.

    Raises
    ------
    InputError
        If it is outside of the folder: tables come with data of strangers.
    """
    inside = Path(os.path.normpath(name))
    if not name or "\0" in name or inside.is_absolute() or ".." in inside.parts:
        raise InputError(
            f"{name!r} is no file in {folder}, whose table names it.",
            hint="Give the table paths below its own folder.",
        )
    return folder / name


def csv_text(rows: Iterable[Iterable[Any]]) -> str:
    r"""Return rows as CSV in which a text is never a formula.

    A spreadsheet would compute a name such as ``=1+1.wav``; an apostrophe in front makes it a
    text. `unescaped` takes it away.

    >>> csv_text([["=1+1.wav", -0.5], ["'=", "-2"]])
    "'=1+1.wav,-0.5\n''=,-2\n"
    """
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([_escaped(cell) for cell in row] for row in rows)
    return out.getvalue()


def _escaped(cell: Any) -> Any:
    formula = isinstance(cell, str) and _FORMULA.match(cell) and not _NUMBER.fullmatch(cell)
    return f"'{cell}" if formula else cell


def unescaped(cell: str) -> str:
    """Return the text of a cell that `csv_text` has written."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell[1:]) else cell
