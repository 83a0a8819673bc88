"""Third-party distributions, built and installed as pip does it, without an index."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest

PACKAGE = """
    from groove_core.hookspecs import Action, Package, hookimpl

    @hookimpl
    def groove_package():
        return Package(name="{name}", api={api}, summary="A test package.")
"""
GOOD = (
    PACKAGE
    + """
    @hookimpl
    def groove_generators():
        return [Action("beat", "{module}_actions:beat", "Make beats."),
                Action("fail", "{module}_actions:fail", "Fail."),
                Action("keep", "{module}_actions:keep", "Leave a file in a folder."),
                Action("heavy", "{module}_nowhere:heavy", "Need a module that is not there."),
                Action("lost", "{module}_actions:lost", "Name a function that is not there.")]

    @hookimpl
    def groove_analyzers():
        former = {"wait": {"slow": True}}
        return [Action("bars", "{module}_actions:bars", "Count bars.", aliases=former)]

    @hookimpl
    def groove_renderers():
        from groove_core.hookspecs import Renderer
        return [Renderer(kind="drum-pattern", suffix="tab", run="{module}_actions:write_tab")]
"""
)
ACTIONS = '''
    import time
    from typing import Annotated, Iterator, Literal
    from groove_core.actions.params import DataPath, Into, Opt, Seed
    from groove_core.actions.binding import action
    from groove_core.drums.pattern import DrumPattern
    from groove_core.values.results import Report

    def wait():
        for _ in range(600):  # a signal just before one long sleep would not end it
            time.sleep(0.1)

    @action
    def beat(*, count: Annotated[int, Opt("beats", unit="beats", min=1, max=9999)] = 2,
             style: Annotated[Literal["rock", "funk"], Opt("style")] = "rock",
             slow: Annotated[bool, Opt("wait between beats")] = False,
             seed: Seed = None) -> Iterator[DrumPattern]:
        """Make beats from a seed."""
        def make():
            for i in range(count):
                if slow and i:
                    wait()
                yield DrumPattern.from_masks([(seed + i) % 7 + 1, 0, 4, 0] * 8)
        return make()

    @action
    def bars(beats: Annotated[list[DrumPattern], Opt("beats to count")], *,
             slow: Annotated[bool, Opt("wait before counting")] = False) -> Report:
        """Count the bars of beats."""
        if slow:
            wait()
        rows = tuple((str(i), b.bars) for i, b in enumerate(beats))
        return Report("bars", ("file", "bars"), rows)

    @action
    def fail(*, how: Annotated[str, Opt("kind of error")] = "bug") -> Report:
        """Fail in one way or another."""
        if how == "bug":
            raise RuntimeError("out of cheese")
        return 3

    @action
    def keep(
        *,
        into: Into = None,
        data: DataPath = None,
        rate: Annotated[Literal[16, 24], Opt("rate")] = 16,
    ) -> Report:
        """Leave a file in a folder."""
        if into is not None:
            into.mkdir()
        print("written by a plugin")
        return Report("kept", ("file", "rate"), (("one", rate),))

    def write_tab(value, path):
        path.write_text("TAB " + value.to_text())
'''
PLUGINS: dict[str, tuple[str, str, str]] = {
    # distribution: (entry-point name, group, plugin module)
    "groove-good": ("good", "groove.v1", GOOD),
    "groove-import": ("import-fails", "groove.v1", "    import does_not_exist\n"),
    "groove-exit": ("exits", "groove.v1", "    raise SystemExit(0)\n"),
    "groove-hook": (
        "hook-raises",
        "groove.v1",
        PACKAGE
        + "\n    @hookimpl\n    def groove_analyzers():\n        raise ValueError('boom')\n",
    ),
    "groove-typo": (
        "typo",
        "groove.v1",
        PACKAGE + "\n    @hookimpl\n    def groove_analysers():\n        return []\n",
    ),
    "groove-minor": ("too-new-minor", "groove.v1", PACKAGE.replace("{api}", "(1, 99)")),
    "groove-major": ("too-new-major", "groove.v2", PACKAGE.replace("{api}", "(2, 0)")),
    "groove-twin-a": ("twin", "groove.v1", PACKAGE),
    "groove-twin-b": ("twin", "groove.v1", PACKAGE),
    "groove-misnamed": ("misnamed", "groove.v1", PACKAGE.replace("{name}", "other")),
    "groove-watch": (
        "groove-watch",
        "groove.v1",
        PACKAGE
        + """
    import os

    @hookimpl
    def groove_run_started(run):
        with open(os.environ["WATCH_LOG"], "a") as log: log.write(f"started {run.action}\\n")

    @hookimpl
    def groove_run_finished(run, result):
        with open(os.environ["WATCH_LOG"], "a") as log: log.write(f"finished {result['action']}\\n")
        raise RuntimeError("observers cannot break a run")

    @hookimpl
    def groove_run_failed(run, error):
        with open(os.environ["WATCH_LOG"], "a") as log: log.write(f"failed {error}\\n")
""",
    ),
}


def _write(folder: Path, distribution: str) -> Path:
    name, group, source = PLUGINS[distribution]
    module = distribution.replace("-", "_")
    project = folder / distribution
    project.mkdir()
    fill = {"{name}": name, "{module}": module, "{api}": "(1, 0)"}
    for key, value in fill.items():
        source = source.replace(key, value)
    (project / f"{module}.py").write_text(textwrap.dedent(source))
    files = [f"{module}.py"]
    if distribution == "groove-good":
        (project / f"{module}_actions.py").write_text(textwrap.dedent(ACTIONS))
        files.append(f"{module}_actions.py")
    watch = ""
    if distribution == "groove-watch":
        watch = f'\n[project.entry-points."groove.observers.v1"]\ngroove-watch = "{module}"\n'
    (project / "pyproject.toml").write_text(
        f"""
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "{distribution}"
version = "1.2.3"
description = "A test package."
[project.entry-points."{group}"]
{name} = "{module}"
{watch}
[tool.hatch.build.targets.wheel]
include = {files}
"""
    )
    return project


def pip_install(project: Path, target: Path) -> None:
    subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index",
            "--no-build-isolation", "--target", str(target), str(project),
        ],
        check=True,
        env={**os.environ, "PIP_CONSTRAINT": ""},
    )  # fmt: skip


def unpack(project: Path, target: Path) -> None:
    """Install a package as pip does, from the same wheel, in a twentieth of the time."""
    from hatchling.builders.wheel import WheelBuilder

    [wheel] = WheelBuilder(str(project)).build(directory=str(project / "dist"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)


@pytest.fixture(scope="session")
def tabla(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Give a package that ``groove new tabla`` has written, and the folder it is installed in."""
    from groove_core.cli.app import run_cli

    root = tmp_path_factory.mktemp("tabla")
    assert run_cli(["new", "tabla", "--into", str(root)]) == 0
    pip_install(root / "groove-tabla", root / "site")
    return root / "groove-tabla", root / "site"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory):
    """Install distributions into folders of their own; gives a function of their names."""
    root = tmp_path_factory.mktemp("plugins")
    installed: dict[str, Path] = {}

    def install(*distributions: str) -> str:
        for one in distributions:
            if one in installed:
                continue
            target = root / f"site-{one}"
            unpack(_write(root, one), target)
            installed[one] = target
        return os.pathsep.join(str(installed[one]) for one in distributions)

    return install


@pytest.fixture
def groove(tmp_path: Path):
    """Run the groove command in an empty folder, with distributions on the path."""

    def run(*arguments: str, path: str = "", cwd: Path | None = None, **env: str):
        return subprocess.run(
            [sys.executable, "-m", "groove_core", *arguments],
            cwd=cwd or tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, "PYTHONPATH": path, "COLUMNS": "100", **env},
        )

    return run
