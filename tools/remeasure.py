"""Measure the tables of a package again, from its shipped weights; compare them with the kept ones.

    python tools/remeasure.py drum-space --list                 # tables, and how long each takes
    python tools/remeasure.py drum-space                        # measure, compare, write
    python tools/remeasure.py drum-space --check --only beats   # write nothing; 1 if it differs
    python tools/remeasure.py genre-map --data music=FOLDER     # data that is not in the package

packages/PACKAGE/measured/commands.toml says which command measures each table:

    [[table]]
    name = "tastes"                  # kept in measured/tastes.json
    run = "groove run music-recsys evaluate {corpus} --about tastes --seed 1"
    minutes = 4                      # on two cores

    [[table]]
    card = ["acai", "vae"]           # kept in the cards of these weights: the row of each, controls
    run = "python benchmarks/spaces.py ways --json"
    minutes = 20
    needs = "trains five networks"   # not from the shipped weights: measured with --all only
    clock = ["minutes"]              # columns that tell of the machine: not compared

    [data]
    corpus = "the folder that `groove run genre-map dataset` writes"

A command prints its report as JSON; to `groove run`, --json is added. {corpus} is a folder given
with --data, and {out} a fresh folder that is removed afterwards.

A figure differs when it is outside its kept interval, or off by more than 1 % if it has none.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from monorepo import ROOT, Package, Stop, packages, tell

from groove_core.storage.files import dump_json, read_json
from groove_core.values import Cell, Estimate, Report

COMMANDS = "measured/commands.toml"
PLACE = re.compile(r"\{(\w+)\}")
OUT = "out"
TOLERANCE = 0.01
"""Relative difference that a figure without an interval may have."""
ROUNDING = 1e-6


@dataclass(frozen=True)
class Table:
    """A table of a package, and the command that measures it."""

    run: str
    minutes: float
    name: str = ""
    card: tuple[str, ...] = ()
    needs: str = ""
    clock: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What the table is called in the terminal."""
        return self.name or ", ".join(self.card)

    @property
    def data(self) -> set[str]:
        """Names of the folders that the command needs."""
        return {*PLACE.findall(self.run)} - {OUT}

    def kept(self, package: Package) -> dict[Path, Report | None]:
        """Return the reports that are kept, by the file that each stands in."""
        if self.name:
            path = package.folder / f"measured/{self.name}.json"
            return {path: Report.from_json(read_json(path)) if path.is_file() else None}
        paths = [package.source / f"weights/{name}/card.json" for name in self.card]
        stored = [read_json(path)["metrics"].get("report") for path in paths]
        return {
            path: report and Report.from_json(report)
            for path, report in zip(paths, stored, strict=True)
        }

    def part(self, report: Report, path: Path) -> Report:
        """Return what belongs in a file: in a card, without the rows of the other cards."""
        others = {*self.card} - {path.parent.name}
        return replace(report, rows=tuple(row for row in report.rows if row[0] not in others))

    def write(self, report: Report, path: Path) -> None:
        """Keep a report."""
        document = self.part(report, path).to_json()
        if self.card:
            card = read_json(path)
            document = {**card, "metrics": {**card["metrics"], "report": document}}
        path.write_text(dump_json(document), encoding="utf-8")


@dataclass(frozen=True)
class Figure:
    """A cell of a table, as it is kept and as it is now; None where it is in one of both only."""

    name: str
    kept: Cell
    new: Cell

    @property
    def difference(self) -> float | None:
        """The new number less the kept one."""
        kept, new = _number(self.kept), _number(self.new)
        return None if kept is None or new is None else new - kept

    @property
    def moved(self) -> bool:
        """Whether the figure is another one, beyond the rounding of processors."""
        if self.difference is None:
            return self.kept != self.new
        return abs(self.difference) > ROUNDING

    @property
    def outside(self) -> bool:
        """Whether the new figure is outside the kept interval."""
        if self.difference is None:
            return self.kept != self.new
        if isinstance(self.kept, Estimate):
            low, high = self.kept.low - self.kept.value, self.kept.high - self.kept.value
        else:
            high = TOLERANCE * abs(_number(self.kept) or 0.0)
            low = -high
        return not low - ROUNDING <= self.difference <= high + ROUNDING


def _number(cell: Cell) -> float | None:
    cell = cell.value if isinstance(cell, Estimate) else cell
    return float(cell) if isinstance(cell, (int, float)) else None


def read_commands(package: Package) -> tuple[list[Table], dict[str, str]]:
    """Read what measures the tables of a package, and what data that needs."""
    path = package.folder / COMMANDS
    if not path.is_file():
        raise Stop(f"{package.name} has no {COMMANDS}.", "Write it: see remeasure.py --help.")
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    tables = []
    for entry in document.get("table", []):
        cards = entry.get("card", [])
        lists = {"card": (cards,) if isinstance(cards, str) else tuple(cards)}
        try:
            table = Table(**{**entry, **lists, "clock": tuple(entry.get("clock", ()))})
        except TypeError as error:
            raise Stop(f"{path}: {error}.", "See remeasure.py --help for the keys.") from error
        if bool(table.name) == bool(table.card):
            raise Stop(f"{path}: `{table.run}` has no name, or two.", "Write name or card.")
        tables.append(table)
    return tables, document.get("data", {})


def chosen(
    tables: Sequence[Table], only: Sequence[str], everything: bool
) -> tuple[list[Table], list[Table]]:
    """Return the tables to measure, and those that are left out since they need more."""
    unknown = {*only} - {table.title for table in tables}
    if unknown:
        names = "; ".join(table.title for table in tables)
        raise Stop(f"There is no table {', '.join(sorted(unknown))}.", f"Known: {names}.")
    wanted = [table for table in tables if not only or table.title in only]
    skipped = [table for table in wanted if table.needs and not (everything or only)]
    return [table for table in wanted if table not in skipped], skipped


def folders(
    given: Sequence[str], tables: Sequence[Table], about: Mapping[str, str]
) -> dict[str, Path]:
    """Read ``--data NAME=FOLDER``, and refuse to begin without what the tables need."""
    found = {}
    for one in given:
        name, _, folder = one.partition("=")
        found[name] = Path(folder).resolve()
        if not folder or not found[name].exists():
            raise Stop(f"--data {one}: there is no such folder.", "Give --data NAME=FOLDER.")
    for table in tables:
        for name in sorted(table.data - found.keys()):
            what = f": {about[name]}" if name in about else ""
            raise Stop(
                f"{table.title} is measured on {name}, which is not in the package{what}.",
                f"Give --data {name}=FOLDER, or choose other tables with --only.",
            )
    return found


def measure(table: Table, data: Mapping[str, Path]) -> Report:
    """Run the command of a table, and read the report that it prints."""
    with tempfile.TemporaryDirectory() as out:
        places = {**data, OUT: Path(out)}
        words = [
            PLACE.sub(lambda found: str(places[found[1]]), word) for word in shlex.split(table.run)
        ]
        if words[0] == "groove":
            more = ["--json", "--out", f"{out}/groove", "--format", "json"]
            words = [sys.executable, "-m", "groove_core", *words[1:], *more]
        elif words[0] == "python":
            words[0] = sys.executable
        done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    if done.returncode:
        raise Stop(f"`{table.run}` ended with {done.returncode}.", "See what it says, above.")
    try:
        document = json.loads(done.stdout)
        return Report.from_json(document.get("result", document))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Stop(
            f"`{table.run}` printed no report.", "Let it print the report as JSON."
        ) from error


def figures(kept: Report, new: Report, clock: Sequence[str] = ()) -> Iterator[Figure]:
    """Pair the figures of two reports, by the names of their rows and columns."""
    before, after = (dict(_cells(report, clock)) for report in (kept, new))
    for name in dict.fromkeys([*before, *after]):
        if before.get(name) is not None or after.get(name) is not None:
            yield Figure(name, before.get(name), after.get(name))


def _cells(report: Report, clock: Sequence[str]) -> Iterator[tuple[str, Cell]]:
    texts = 1  # leading columns that name a row
    while texts < len(report.columns) and all(isinstance(row[texts], str) for row in report.rows):
        texts += 1
    seen: dict[str, int] = {}
    for row in report.rows:
        title = ", ".join(str(cell) for cell in row[:texts])
        seen[title] = seen.get(title, 0) + 1
        again = f" ({seen[title]})" if seen[title] > 1 else ""
        for column, cell in zip(report.columns[texts:], row[texts:], strict=True):
            if column not in clock:
                yield f"{title}{again}: {column}", cell


def show(found: Sequence[Figure]) -> None:
    """Print the figures that are not what is kept, and count the others."""
    moved = [one for one in found if one.moved]
    outside = sum(one.outside for one in found)
    print(
        f"  {len(found)} figures: {len(found) - len(moved)} as kept, {len(moved) - outside} moved "
        f"within the interval, {outside} outside"
    )
    rows = [
        (one.name, one.kept, one.new, one.difference, "outside" if one.outside else "")
        for one in moved
    ]
    if rows:
        print(Report("", ("figure", "kept", "new", "difference", ""), rows).to_markdown())


def remeasure(package: Package, table: Table, data: Mapping[str, Path], *, write: bool) -> int:
    """Measure a table and compare it; return how many figures are outside."""
    print(f"{table.title}: {table.run}", flush=True)
    began = time.monotonic()
    report = measure(table, data)
    print(f"  {(time.monotonic() - began) / 60:.1f} minutes, {table.minutes:g} stated")
    found: dict[str, Figure] = {}
    for path, kept in table.kept(package).items():
        nothing = Report("", report.columns, [])
        for figure in figures(kept or nothing, table.part(report, path), table.clock):
            found.setdefault(figure.name, figure)  # controls stand in each card
        if write:
            path.parent.mkdir(exist_ok=True)
            table.write(report, path)
    show(list(found.values()))
    return sum(figure.outside for figure in found.values())


def main(argv: list[str] | None = None) -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("package", help="package to measure")
    parser.add_argument(
        "--data", action="append", default=[], metavar="NAME=FOLDER",
        help="data that is not in the package; once for each",
    )  # fmt: skip
    parser.add_argument("--only", nargs="+", default=[], metavar="TABLE", help="these tables alone")
    parser.add_argument(
        "--all", action="store_true", help="also tables that need more than the shipped weights"
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; 1 if a figure is outside its interval"
    )
    parser.add_argument("--list", action="store_true", help="list the tables and measure nothing")
    options = parser.parse_args(argv)
    known = packages(ROOT)
    if options.package not in known:
        raise Stop(f"There is no package {options.package}.", f"Known: {', '.join(known)}.")
    package = known[options.package]
    tables, about = read_commands(package)
    if options.list:
        for table in tables:
            needs = f"  (--all: {table.needs})" if table.needs else ""
            print(f"{table.title}: {table.minutes:g} min{needs}\n  {table.run}")
        return 0
    wanted, skipped = chosen(tables, options.only, options.all)
    data = folders(options.data, wanted, about)
    minutes = sum(table.minutes for table in wanted)
    print(f"{package.name}: {len(wanted)} tables, {minutes:g} minutes on two cores", flush=True)
    outside = sum(remeasure(package, table, data, write=not options.check) for table in wanted)
    for table in skipped:
        print(f"{table.title}: left out, needs {table.needs} (--all)")
    if not options.check:
        print("Written. The tables of README and card: python docs/generate.py")
    return int(bool(outside and options.check))


if __name__ == "__main__":
    sys.exit(tell(main))
