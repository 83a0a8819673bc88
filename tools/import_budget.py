"""Measure start-up against a budget, and find imports that no start-up should have.

    python tools/import_budget.py              # a table of times, and forbidden imports
    python tools/import_budget.py --why        # and what was imported, by whom, at what price
    python tools/import_budget.py --crowd 10   # with ten more plugins installed
    python tools/import_budget.py --check      # exit with 1 if a budget is exceeded

Times are ratios to what the same machine needs for a bare typer program or an empty Python,
measured in turn; of several runs of each the fastest counts, since noise only ever adds. They are
times of the processor, where the system tells: what else the machine does hardly matters then.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from monorepo import CORE, ROOT, Stop, packages, tell

FORBIDDEN = ("torch", "librosa", "scipy", "numba", "matplotlib", "sklearn")

# A program that does nothing, with about as many commands and options as groove has.
BARE = """
import typer
app, models, run = typer.Typer(rich_markup_mode=None), typer.Typer(), typer.Typer()
for name in ("plugins", "info", "doctor", "rerun"):
    def command(json: bool = False) -> None: "Do it."
    app.command(name)(command)
for name in ("list", "show", "verify"):
    def command(json: bool = False) -> None: "Do it."
    models.command(name)(command)
@run.command("sample")
def sample(json: bool = False) -> None: "Do it."
app.add_typer(models, name="models"); app.add_typer(run, name="run")
app()
"""
BASELINES = {
    "empty Python": ["-c", "pass"],
    "bare --help": ["-c", BARE, "--help"],
    "bare command": ["-c", BARE, "plugins"],
}
# In one process: what one help imports, the others have, too.
HELPS = """
import sys
from groove_core.cli.app import run_cli
from groove_core.plugins import load
name = sys.argv[1]
codes = [run_cli(["run", name, action, "--help"]) for action in load(name).actions]
sys.exit(max(codes, default=0))
"""
PLUGIN = '''"""A plugin of no use."""
from groove_core.hookspecs import Action, Package, hookimpl

@hookimpl
def groove_package():
    return Package(name="groove-crowd-{i}", api=(1, 0), summary="One of a crowd.")

@hookimpl
def groove_generators():
    return [Action("sample", "groove_crowd_{i}.actions:sample", "Draw nothing.")]
'''


@dataclass(frozen=True)
class Start:
    """One way to start, what it is compared with and how much dearer it may be."""

    name: str
    arguments: tuple[str, ...]
    baseline: str
    budget: float


@dataclass(frozen=True)
class Row:
    """What was measured of one start."""

    name: str
    seconds: float
    baseline: str
    ratio: float
    budget: float

    @property
    def ok(self) -> bool:
        """Whether it stays within its budget."""
        return self.ratio <= self.budget


@dataclass(frozen=True)
class Import:
    """A module that was imported, from the one that asked for it outwards."""

    name: str
    self_us: int
    total_us: int
    importers: tuple[str, ...]


def starts(names: list[str]) -> list[Start]:
    """List what is measured. Budgets are about twice what a quiet machine shows."""
    groove = ("-m", "groove_core")
    listed = [
        Start("groove --help", (*groove, "--help"), "bare --help", 2.5),
        Start("groove plugins", (*groove, "plugins"), "bare command", 2.5),
    ]
    for name in names:
        module = name.replace("-", "_")
        if name != CORE:
            listed.append(
                Start(f"groove run {name} --help", (*groove, "run", name, "--help"),
                      "bare command", 2.5)
            )  # fmt: skip
        listed.append(Start(f"import {module}", ("-c", f"import {module}"), "empty Python", 6))
    return listed


def silent(names: list[str]) -> dict[str, tuple[str, ...]]:
    """List the starts after which no forbidden module may be there."""
    modules = [name.replace("-", "_") for name in names]
    listed = {start.name: start.arguments for start in starts(names)}
    for module in modules:
        if module != "groove_core":
            listed[f"import {module}.plugin"] = ("-c", f"import {module}.plugin")
            name = module.replace("_", "-")
            listed[f"help of every action of {name}"] = ("-c", HELPS, name)
    return listed


def spent_s() -> float:
    """Give a clock that counts what child processes spend, in seconds; the wall's on Windows."""
    if sys.platform == "win32":
        return time.perf_counter()
    import resource

    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def python(
    *arguments: str, path: str = "", options: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Start a Python with ``path`` in front."""
    done = subprocess.run(
        [sys.executable, *options, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "100"},
    )
    if done.returncode:
        raise Stop(f"{' '.join(arguments)[:80]} failed: {done.stderr[-500:]}", "Correct it first.")
    return done


def measure(listed: list[Start], *, runs: int, path: str = "") -> list[Row]:
    """Time starts and their baselines in turn; the fastest of each counts."""
    best: dict[tuple[str, ...], float] = {}
    commands = [(*BASELINES[one],) for one in dict.fromkeys(s.baseline for s in listed)]
    commands += [start.arguments for start in listed]
    for _ in range(runs):
        for command in commands:
            started = spent_s()
            python(*command, path=path)
            took = spent_s() - started
            best[command] = min(best.get(command, took), took)
    rows = []
    for start in listed:
        base = best[(*BASELINES[start.baseline],)]
        took = best[start.arguments]
        rows.append(Row(start.name, took, start.baseline, took / base, start.budget))
    return rows


def imports(arguments: tuple[str, ...], path: str = "") -> list[Import]:
    """List what a start imports, in order, from what ``-X importtime`` prints."""
    return parse(python(*arguments, path=path, options=("-X", "importtime")).stderr)


def parse(printed: str) -> list[Import]:
    """Read the table of ``-X importtime``: a module comes after those that it imported."""
    found = re.findall(r"^import time: +(\d+) \| +(\d+) \| ( *)(\S+)$", printed, re.MULTILINE)
    open_: list[str] = []
    listed = []
    for own, total, indent, name in reversed(found):
        depth = len(indent) // 2
        open_[depth:] = [name]
        listed.append(Import(name, int(own), int(total), (*reversed(open_[:depth]),)))
    return listed[::-1]


def forbidden(found: list[Import]) -> list[Import]:
    """Give the forbidden packages among imports, each where it came in."""
    first: dict[str, Import] = {}
    for one in found:
        root = one.name.split(".")[0]
        if root in FORBIDDEN and one.name == root:
            first.setdefault(root, one)
    return list(first.values())


def make_crowd(folder: Path, count: int) -> Path:
    """Install tiny plugins in a folder: modules and metadata, as pip would lay them there."""
    for i in range(count):
        module = folder / f"groove_crowd_{i}"
        info = folder / f"groove_crowd_{i}-1.0.dist-info"
        module.mkdir(parents=True)
        info.mkdir()
        (module / "__init__.py").write_text("")
        (module / "plugin.py").write_text(PLUGIN.replace("{i}", str(i)))
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: groove-crowd-{i}\nVersion: 1.0\nSummary: A crowd.\n"
        )
        (info / "entry_points.txt").write_text(
            f"[groove.v1]\ngroove-crowd-{i} = groove_crowd_{i}.plugin\n"
        )
    return folder


def why(found: list[Import], most: int = 8) -> Iterator[str]:
    """Describe the dearest imports and who asked for them."""
    for one in sorted(found, key=lambda i: -i.self_us)[:most]:
        chain = " < ".join((one.name, *one.importers[:4]))
        yield f"    {one.self_us / 1000:6.1f} ms itself, {one.total_us / 1000:6.1f} in all  {chain}"


def main(arguments: list[str] | None = None) -> int:
    """Measure; gives 1 with ``--check`` if a budget is exceeded or an import is forbidden."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("packages", nargs="*", metavar="PACKAGE", help="all when left out")
    parser.add_argument("--check", action="store_true", help="fail if a budget is exceeded")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--why", action="store_true", help="print the dearest imports")
    parser.add_argument("--runs", type=int, default=5, help="the fastest of so many counts [5]")
    parser.add_argument("--crowd", type=int, default=0, help="install so many plugins more")
    options = parser.parse_args(arguments)

    names = options.packages or list(packages(ROOT))
    with tempfile.TemporaryDirectory() as folder:
        path = str(make_crowd(Path(folder) / "site", options.crowd)) if options.crowd else ""
        seen = {name: imports(words, path) for name, words in silent(names).items()}
        rows = measure(starts(names), runs=options.runs, path=path)
    bad = {name: forbidden(found) for name, found in seen.items()}
    bad = {name: found for name, found in bad.items() if found}
    if options.json:
        document = {
            "times": [{**asdict(row), "ok": row.ok} for row in rows],
            "forbidden": {n: [asdict(one) for one in found] for n, found in bad.items()},
            "crowd": options.crowd,
        }
        print(json.dumps(document, indent=1))
    else:
        for row in rows:
            print(
                f"{'ok ' if row.ok else 'BAD'} {row.name:32} {row.seconds * 1000:6.0f} ms"
                f" {row.ratio:5.2f} x {row.baseline} (at most {row.budget:g})"
            )
        for name, found in bad.items():
            for one in found:
                print(f"BAD {name} imports {' < '.join((one.name, *one.importers))}")
        if options.why:
            for name, found in seen.items():
                print(f"{name}:", *why(found), sep="\n")
    return int(options.check and bool(bad or not all(row.ok for row in rows)))


if __name__ == "__main__":
    sys.exit(tell(main))
