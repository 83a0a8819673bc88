"""Measure what each package alone brings when it is installed, in this environment.

    python tools/sizes.py                                  # a table
    python tools/sizes.py --out docs/measured/sizes.json   # and a file

Sums the files of every distribution that pip would install, by following the requirements.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from importlib import metadata
from pathlib import Path

from monorepo import CORE, ROOT, closure, installed_requires, packages, tell
from packaging.requirements import Requirement


def size_of(name: str) -> int:
    """Sum the files of an installed distribution, in bytes; with ``.pyc``, which pip compiles."""
    distribution = metadata.distribution(name)
    total = 0
    for file in distribution.files or []:
        path = Path(str(distribution.locate_file(file)))
        if path.is_file():
            total += path.stat().st_size
    return total


def source_size(root: Path, name: str) -> int:
    """Sum what a wheel of a package of ours installs: an editable one has its files elsewhere."""
    folder = packages(root)[name].source
    return sum(
        path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc" and path.name != "state.safetensors"
    )


def measure(root: Path, wanted: str) -> dict[str, int]:
    """Give the bytes of each distribution that installing ``wanted`` brings."""
    ours = packages(root)

    def requires(name: str) -> list[str]:
        if name not in ours:
            return installed_requires(name)
        project = ours[name].project
        extras = project.get("optional-dependencies", {})
        return [
            *project.get("dependencies", []),
            *(_with_extra(one, extra) for extra, listed in extras.items() for one in listed),
        ]

    return {
        name: source_size(root, name) if name in ours else size_of(name)
        for name in sorted(closure([wanted], requires))
    }


def _with_extra(requirement: str, extra: str) -> str:
    parsed = Requirement(requirement)
    also = f" and ({parsed.marker})" if parsed.marker else ""
    parsed.marker = None
    return f'{parsed} ; extra == "{extra}"{also}'


def table(root: Path) -> list[dict[str, object]]:
    """Measure the core with each of its extras, and every other package alone."""
    core = packages(root)[CORE].project
    wanted = [CORE, *(f"{CORE}[{extra}]" for extra in core.get("optional-dependencies", {}))]
    wanted += [name for name in packages(root) if name != CORE]
    rows: list[dict[str, object]] = []
    for one in wanted:
        sizes = measure(root, one)
        own = Requirement(one).name
        dearest = sorted(sizes.items(), key=lambda item: -item[1])[:6]
        rows.append(
            {
                "install": one,
                "distributions": len(sizes),
                "megabytes": round(sum(sizes.values()) / 1e6, 1),
                "own_megabytes": round(sizes[own] / 1e6, 1),
                "torch_megabytes": round(sizes.get("torch", 0) / 1e6, 1),
                "dearest": {name: round(size / 1e6, 1) for name, size in dearest},
            }
        )
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Print or write the sizes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="write a JSON document there, too")
    options = parser.parse_args(arguments)
    rows = table(ROOT)
    for row in rows:
        print(
            f"{row['install']:24} {row['megabytes']:8} MB in {row['distributions']:3}"
            f" distributions, {row['torch_megabytes']} MB of it torch,"
            f" {row['own_megabytes']} MB its own"
        )
    if options.out:
        try:
            build = f"torch {metadata.version('torch')}"
        except metadata.PackageNotFoundError:
            build = "without torch"
        document = {
            "schema": "groove.sizes/1",
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            "torch": build,
            "packages": rows,
        }
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(tell(main))
