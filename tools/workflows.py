"""Write the release workflows for GitHub, one for each package.

    python tools/workflows.py            # write them
    python tools/workflows.py --check    # exit with 1, and a diff, if someone edited them

A package publishes from a file of its own: an index trusts a workflow by its file name, and not
one that is called. This tool keeps these files equal. The other workflows are written by hand.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path

from monorepo import ROOT, packages

# Pinned to commits: a tag can be moved, and these run beside the right to publish.
DOWNLOAD = "actions/download-artifact@3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c # v8.0.1"
PUBLISH = "pypa/gh-action-pypi-publish@cef221092ed1bacb1cc03d23a2d87d1d172e277b # v1.14.0"

RELEASE = """\
# Written by tools/workflows.py; change it there.
name: release {name}

on:
  push:
    tags: ["{name}-v*"]

permissions:
  contents: read

jobs:
  build:
    uses: ./.github/workflows/build.yml
    with:
      package: {name}

  # In this file and not in build.yml: trusted publishing does not work from a reusable workflow.
  publish:
    needs: build
    runs-on: ubuntu-latest
    environment:
      name: pypi
      url: https://pypi.org/project/{name}/
    permissions:
      id-token: write
    steps:
      - uses: {download}
        with:
          name: dist-{name}
          path: dist/
      - uses: {publish}
"""


def workflows(root: Path) -> dict[str, str]:
    """Return the text of every release workflow by file name."""
    return {
        f"release-{name}.yml": RELEASE.format(name=name, download=DOWNLOAD, publish=PUBLISH)
        for name in packages(root)
    }


def drift(root: Path) -> list[str]:
    """Return the differences between the files that are there and what this tool writes."""
    folder = root / ".github/workflows"
    wanted = workflows(root)
    present = {p.name: p.read_text(encoding="utf-8") for p in folder.glob("release-*.yml")}
    diffs = []
    # A workflow whose package has gone would still publish.
    for name in sorted(wanted.keys() | present.keys()):
        old, new = present.get(name, ""), wanted.get(name, "")
        lines = difflib.unified_diff(
            old.splitlines(),
            new.splitlines(),
            f"{name} as it is",
            f"{name} as written",
            lineterm="",
        )
        if diff := "\n".join(lines):
            diffs.append(diff)
    return diffs


def write(root: Path) -> None:
    """Write every workflow, and remove those of packages that have gone."""
    folder = root / ".github/workflows"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = workflows(root)
    for path in folder.glob("release-*.yml"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def main(arguments: list[str] | None = None) -> int:
    """Write or check the workflows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="change nothing; fail if it would")
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository, if another")
    options = parser.parse_args(arguments)
    if not options.check:
        write(options.root)
        return 0
    diffs = drift(options.root)
    if diffs:
        print("\n".join(diffs))
        print("error: workflows drifted\nhint: python tools/workflows.py", file=sys.stderr)
    return int(bool(diffs))


if __name__ == "__main__":
    sys.exit(main())
