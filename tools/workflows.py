"""Write the workflows of GitHub: releases of packages, what they share, CI, and the nightly one.

    python tools/workflows.py            # write them
    python tools/workflows.py --check    # exit with 1, and a diff, if someone edited them

They are written here so that six release workflows stay one.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path

from monorepo import ROOT, packages

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
SYSTEMS = ("ubuntu-latest", "macos-latest", "windows-latest")

# Pinned to commits: a tag can be moved, and these run beside the right to publish.
CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1"
PYTHON = "actions/setup-python@5fda3b95a4ea91299a34e894583c3862153e4b97 # v7.0.0"
UPLOAD = "actions/upload-artifact@043fb46d1a93c77aae656e7c1c64a875d1fc6a0a # v7.0.1"
DOWNLOAD = "actions/download-artifact@3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c # v8.0.1"
PUBLISH = "pypa/gh-action-pypi-publish@cef221092ed1bacb1cc03d23a2d87d1d172e277b # v1.14.0"

HEADER = "# Written by tools/workflows.py; change it there.\n"

CI = """\
name: ci

on:
  push:
    branches: [main]
  pull_request:

permissions:
  contents: read

# A newer push to the same branch ends the older run.
concurrency:
  group: ci-${{{{ github.ref }}}}
  cancel-in-progress: true

env:
  # Linux would get torch for CUDA, several gigabytes of it, from the default index.
  PIP_EXTRA_INDEX_URL: https://download.pytorch.org/whl/cpu
  PIP_CONSTRAINT: ${{{{ github.workspace }}}}/constraints.txt

jobs:
  lint:
    runs-on: ubuntu-latest
    steps:
{setup}
      - run: hatch run lint

  types:
    runs-on: ubuntu-latest
    steps:
{setup}
      - run: hatch run types

  tests:
    strategy:
      fail-fast: false
      matrix:
        os: [{systems}]
        python: [{pythons}]
    runs-on: ${{{{ matrix.os }}}}
    timeout-minutes: 60
    steps:
{setup_matrix}
      - run: hatch run unit -n 2

  light:
    runs-on: ubuntu-latest
    steps:
{setup}
      - run: hatch run light:unit

  lowest:
    runs-on: ubuntu-latest
    env:
      # The oldest versions that the metadata allows, not those of constraints.txt.
      PIP_CONSTRAINT: ""
    steps:
{setup}
      - run: hatch run lowest:unit

  docs:
    runs-on: ubuntu-latest
    timeout-minutes: 60
    steps:
{setup}
      - run: hatch run docs:build
      - run: hatch run python docs/generate.py --check
      - run: hatch run python tools/check_readme.py --check

  start-up:
    runs-on: ubuntu-latest
    steps:
{setup}
      - run: hatch run python tools/import_budget.py --check

  wheels:
    runs-on: ubuntu-latest
    timeout-minutes: 60
    steps:
{setup_all}
      - run: hatch run python tools/release.py all --rehearse-only --out dist
      - run: hatch run unit -n 2 -m slow
      - uses: {upload}
        with:
          name: wheels
          path: dist/

  news:
    if: github.event_name == 'pull_request'
    runs-on: ubuntu-latest
    steps:
{setup_all}
      - run: hatch run python tools/release.py all --news-since "origin/$GITHUB_BASE_REF"

  # The one job that a branch rule has to ask for.
  passed:
    if: always()
    needs: [lint, types, tests, light, lowest, docs, start-up, wheels, news]
    runs-on: ubuntu-latest
    steps:
      - run: ${{{{ !contains(join(needs.*.result), 'failure') }}}}
      - run: ${{{{ !contains(join(needs.*.result), 'cancelled') }}}}
"""

NIGHTLY = """\
name: nightly

on:
  schedule:
    - cron: "17 2 * * *"
  workflow_dispatch:

permissions:
  contents: read

env:
  PIP_EXTRA_INDEX_URL: https://download.pytorch.org/whl/cpu
  PIP_CONSTRAINT: ${{{{ github.workspace }}}}/constraints.txt

jobs:
  chaos:
    runs-on: ubuntu-latest
    timeout-minutes: 180
    steps:
{setup}
      # Another seed each night: the log has it, and the same seed does the same again.
      - run: hatch run chaos --seed "$GITHUB_RUN_NUMBER"
"""

SETUP = """\
      - uses: {checkout}
        with:
          persist-credentials: false{history}
      - uses: {python}
        with:
          python-version: "{version}"
      - run: python -m pip install hatch"""

BUILD = """\
name: build

# What all release workflows share. It cannot publish: an index trusts the workflow that a tag
# started, by its file name, and not one that is called.
on:
  workflow_call:
    inputs:
      package:
        required: true
        type: string

permissions:
  contents: read

env:
  PIP_EXTRA_INDEX_URL: https://download.pytorch.org/whl/cpu
  PIP_CONSTRAINT: ${{{{ github.workspace }}}}/constraints.txt
  PACKAGE: ${{{{ inputs.package }}}}

jobs:
  test:
    strategy:
      matrix:
        python: [{pythons}]
    runs-on: ubuntu-latest
    timeout-minutes: 60
    steps:
{setup_python}
      - run: hatch run unit -n 2 "packages/$PACKAGE"

  build:
    runs-on: ubuntu-latest
    timeout-minutes: 60
    steps:
{setup_all}
      # Tag, version and changelog agree, or it stops here; so it does if the wheel, installed
      # for real beside the lowest and the newest core, does not work.
      - run: hatch run python tools/release.py "$PACKAGE" --tag "$GITHUB_REF_NAME" --full --out dist
      - uses: {upload}
        with:
          name: dist-${{{{ inputs.package }}}}
          path: dist/
          if-no-files-found: error
"""

RELEASE = """\
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


def setup(version: str = PYTHONS[1], *, history: bool = False) -> str:
    """Give the first steps of a job; ``history`` fetches the tags, too."""
    return SETUP.format(
        checkout=CHECKOUT,
        python=PYTHON,
        version=version,
        history="\n          fetch-depth: 0" if history else "",
    )


def workflows(root: Path) -> dict[str, str]:
    """Give the text of every workflow by file name."""
    ends = f'"{PYTHONS[0]}", "{PYTHONS[-1]}"'
    ci = CI.format(
        setup=setup(),
        setup_all=setup(history=True),
        setup_matrix=setup("${{ matrix.python }}"),
        systems=", ".join(SYSTEMS),
        pythons=", ".join(f'"{one}"' for one in PYTHONS),
        upload=UPLOAD,
    )
    build = BUILD.format(
        setup_python=setup("${{ matrix.python }}"),
        setup_all=setup(history=True),
        pythons=ends,
        upload=UPLOAD,
    )
    texts = {"ci.yml": ci, "build.yml": build, "nightly.yml": NIGHTLY.format(setup=setup())}
    for name in packages(root):
        texts[f"release-{name}.yml"] = RELEASE.format(name=name, download=DOWNLOAD, publish=PUBLISH)
    return {name: HEADER + text for name, text in texts.items()}


def drift(root: Path) -> list[str]:
    """Compare the workflows that lie there with those that this writes; gives diffs."""
    folder = root / ".github/workflows"
    wanted = workflows(root)
    present = {p.name: p.read_text(encoding="utf-8") for p in folder.glob("*.yml")}
    diffs = []
    # A release workflow whose package has gone would still publish.
    left = {name for name in present if name.startswith("release-")} - wanted.keys()
    for name in [*wanted, *sorted(left)]:
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
    """Write every workflow, and remove release workflows of packages that have gone."""
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
        print("error: workflows drifted\ncure: python tools/workflows.py", file=sys.stderr)
    return int(bool(diffs))


if __name__ == "__main__":
    sys.exit(main())
