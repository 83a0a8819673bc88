"""Begin a new package of this repository, and check that every package is in every list.

    python tools/new_package.py melody-rnn --summary "Melodies from a recurrent network."
    python tools/new_package.py melody-rnn --model    # with a model card
    python tools/new_package.py --check               # exit with 1 if a list misses a package

A plugin of your own, outside this repository, begins with ``groove new``.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import workflows
from monorepo import CORE, ROOT, Package, Stop, packages, tell

TEMPLATE = Path(__file__).resolve().parent / "template"
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
# The template is a package that works; only its name and its summary are replaced.
TEMPLATE_NAME = "example-package"
TEMPLATE_SUMMARY = "A summary in one sentence."


def create(root: Path, name: str, summary: str, *, model: bool) -> Package:
    """Fill the template in; changes nothing if the package is there.

    Raises
    ------
    Stop
        If the name is not of the form of all others, or the folder is something else.
    """
    package = Package(root, name)
    if not NAME.fullmatch(name) or (name.startswith("groove-") and not package.folder.exists()):
        raise Stop(
            f"{name!r} cannot name a package of this repository.",
            "Lower case with hyphens, as in melody-rnn; groove- is for plugins of others.",
        )
    if package.folder.exists():
        return package
    module = TEMPLATE_NAME.replace("-", "_")
    for path in sorted(TEMPLATE.rglob("*")):
        if path.is_dir() or "__pycache__" in path.parts or ".pyc" in path.suffixes:
            continue
        if path.name == "MODEL_CARD.md" and not model:
            continue
        where = str(path.relative_to(TEMPLATE)).replace(module, package.module)
        target = package.folder / where
        target.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8").replace(TEMPLATE_SUMMARY, summary)
        text = text.replace(TEMPLATE_NAME, name).replace(module, package.module)
        target.write_text(text, encoding="utf-8", newline="\n")
    return package


# --- the lists -----------------------------------------------------------------------------
# Each has a way to see which packages it names and, where a machine can, a way to add one.


def _settings(root: Path) -> dict[str, Any]:
    return dict(tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"])


def _members(root: Path) -> set[str]:
    env = _settings(root)["hatch"]["envs"]["default"]
    return {member["path"].removeprefix("packages/") for member in env["workspace"]["members"]}


def _modules(*keys: str) -> Callable[[Path], set[str]]:
    def read(root: Path) -> set[str]:
        table = _settings(root)
        for key in keys:
            table = table[key]
        return {str(module).replace("_", "-") for module in table}

    return read


def _contract(name: str, key: str) -> Callable[[Path], set[str]]:
    """Read whose modules a contract of import-linter lists; no contract needs to list the core."""

    def read(root: Path) -> set[str]:
        contracts = _settings(root)["importlinter"]["contracts"]
        [modules] = [contract[key] for contract in contracts if contract["name"] == name]
        return {CORE, *(module.split(".")[0].replace("_", "-") for module in modules)}

    return read


def _wheels(root: Path) -> set[str]:
    return set(_settings(root)["groove"]["wheels"])


def _readme(root: Path) -> set[str]:
    text = (root / "README.md").read_text(encoding="utf-8")
    return set(re.findall(r"^\| \[([\w-]+)\]\(packages/\1\)", text, re.MULTILINE))


def _workflows(root: Path) -> set[str]:
    found = (root / ".github/workflows").glob("release-*.yml")
    return {path.stem.removeprefix("release-") for path in found}


# Name of the contract, its list, and what it lists of each package.
CONTRACTS = (
    ("Packages never import each other", "modules", ""),
    ("Plugin modules import the contract only", "source_modules", ".plugin"),
    ("Plugin modules import the contract only", "forbidden_modules", ".actions"),
    ("No circles", "ancestors", ""),
)
LISTS: dict[str, Callable[[Path], set[str]]] = {
    "tool.hatch.envs.default.workspace.members of pyproject.toml": _members,
    "tool.coverage.run.source_pkgs of pyproject.toml": _modules("coverage", "run", "source_pkgs"),
    "tool.mypy.packages of pyproject.toml": _modules("mypy", "packages"),
    "tool.importlinter.root_packages of pyproject.toml": _modules("importlinter", "root_packages"),
    **{
        f"{key} of the contract {name!r} of pyproject.toml": _contract(name, key)
        for name, key, _ in CONTRACTS
    },
    "tool.groove.wheels of pyproject.toml": _wheels,
    "the table of README.md": _readme,
    "the release workflows": _workflows,
}


def drift(root: Path) -> list[Stop]:
    """List what a list misses, or has too much."""
    there = set(packages(root))
    found = []
    for place, read in LISTS.items():
        missing, left = sorted(there - read(root)), sorted(read(root) - there)
        found += [
            Stop(f"{place}: {n} is missing.", f"python tools/new_package.py {n}") for n in missing
        ]
        found += [Stop(f"{place}: there is no package {n}.", f"Remove {n} from it.") for n in left]
    return found


def add_to_lists(root: Path, package: Package) -> None:
    """Add a package to every list that misses it."""
    path = root / "pyproject.toml"
    text = path.read_text(encoding="utf-8")
    if package.name not in _members(root):
        text = _insert(text, "workspace.members = [", f'{{ path = "packages/{package.name}" }}')
    for key in ("source_pkgs", "packages", "root_packages"):
        text = _insert(text, f"{key} = [", f'"{package.module}"')
    for name, key, suffix in CONTRACTS:
        text = _insert(text, f"{key} = [", f'"{package.module}{suffix}"', f'name = "{name}"\n')
    if package.name not in _wheels(root):
        table = (
            f"[tool.groove.wheels.{package.name}]\n"
            "limit_mb = 1\n"
            f'smoke = ["groove run {package.name} sample --count 1 --format mid"]\n'
        )
        last = text.rindex("[tool.groove.wheels.")
        # To the end of the last of these tables: where the next other table begins.
        rest = re.search(r"\n\n?(?=\[(?!tool\.groove\.wheels)|#)", text[last:])
        at = last + rest.start() + 1 if rest else len(text)
        text = text[:at] + table + text[at:]
    path.write_text(text, encoding="utf-8", newline="\n")
    if package.name not in _readme(root):
        readme = root / "README.md"
        lines = readme.read_text(encoding="utf-8").splitlines()
        rows = [i for i, line in enumerate(lines) if re.match(r"\| \[[\w-]+\]\(packages/", line)]
        summary = str(package.project["description"]).rstrip(".")
        row = f"| [{package.name}](packages/{package.name}) | {summary} | `{CORE}` |"
        if rows:
            row += " to be measured |" * (lines[rows[-1]].count(" |") - 3)
            lines.insert(rows[-1] + 1, row)
            readme.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    workflows.write(root)


def _insert(text: str, opening: str, item: str, behind: str = "") -> str:
    """Put an item at the end of a list that misses it.

    The list begins with ``opening`` at the start of a line, behind a line of its table.
    """
    start = text.index("\n" + opening, text.index(behind)) + 1 + len(opening)
    # A list of lists closes at the start of a line, one of texts at the first bracket.
    close = text.index("\n]", start) + 1 if text[start] == "\n" else text.index("]", start)
    if item in text[start:close]:
        return text
    added = f"    {item},\n" if text[close - 1] == "\n" else f", {item}"
    return text[:close] + added + text[close:]


def main(arguments: list[str] | None = None) -> int:
    """Make a package, or check the lists."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="as in melody-rnn")
    parser.add_argument("--summary", default=TEMPLATE_SUMMARY, help="what it is for")
    parser.add_argument("--model", action="store_true", help="it will ship trained weights")
    parser.add_argument("--check", action="store_true", help="only check the lists")
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository, if another")
    options = parser.parse_args(arguments)
    root = options.root.resolve()
    if options.check:
        stops = drift(root)
        for stop in stops:
            print(f"error: {stop.message}\nhint: {stop.hint}", file=sys.stderr)
        return int(bool(stops))
    if not options.name:
        parser.error("a NAME, or --check")
    package = create(root, options.name, options.summary, model=options.model)
    add_to_lists(root, package)
    print(f"packages/{package.name} is there and in every list; install it: hatch env prune,")
    print(f"or pip install -e packages/{package.name}; then: groove run {package.name} sample")
    return 0


if __name__ == "__main__":
    sys.exit(tell(main))
