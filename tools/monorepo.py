"""What the tools share: the packages of the repository, and errors that name their hint."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

__all__ = ["CORE", "ROOT", "Package", "Stop", "closure", "packages", "run", "tell"]

ROOT = Path(__file__).resolve().parents[1]
CORE = "groove-core"


class Stop(Exception):  # noqa: N818 - what it does to a tool
    """What stops a tool.

    Parameters
    ----------
    message : str
        What is wrong, in one line.
    hint : str
        What to do about it: best the next command to type.
    """

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True)
class Package:
    """A package of a repository."""

    root: Path
    name: str

    @property
    def folder(self) -> Path:
        """Folder of the package."""
        return self.root / "packages" / self.name

    @property
    def module(self) -> str:
        """Name that is imported."""
        return self.name.replace("-", "_")

    @property
    def source(self) -> Path:
        """Folder of the module."""
        return self.folder / "src" / self.module

    @cached_property
    def project(self) -> dict[str, Any]:
        """The table ``project`` of its pyproject.toml."""
        text = (self.folder / "pyproject.toml").read_text(encoding="utf-8")
        return dict(tomllib.loads(text)["project"])

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What the root pyproject.toml asks of its wheel: ``tool.groove.wheels``."""
        text = (self.root / "pyproject.toml").read_text(encoding="utf-8")
        wheels = tomllib.loads(text).get("tool", {}).get("groove", {}).get("wheels", {})
        return dict(wheels.get(self.name, {}))

    @property
    def version(self) -> str:
        """The version that ``__about__.py`` has."""
        text = (self.source / "__about__.py").read_text(encoding="utf-8")
        found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
        if not found:
            raise Stop(
                f"{self.source / '__about__.py'} has no version.", 'Write __version__ = "0.1.0".'
            )
        return found[1]

    @property
    def requirements(self) -> list[Requirement]:
        """Everything it may depend on, extras included."""
        extras = self.project.get("optional-dependencies", {})
        listed = [*self.project.get("dependencies", []), *(r for e in extras.values() for r in e)]
        return [Requirement(one) for one in listed]


def packages(root: Path = ROOT) -> dict[str, Package]:
    """List the packages of a repository by name, the core first."""
    names = sorted(path.parent.name for path in root.glob("packages/*/pyproject.toml"))
    names.sort(key=lambda name: name != CORE)
    return {name: Package(root, name) for name in names}


def run(
    arguments: Sequence[str | Path], *, cwd: Path, env: dict[str, str] | None = None, hint: str = ""
) -> str:
    """Run a command and give what it printed.

    Raises
    ------
    Stop
        If it fails; the message has the end of what it printed.
    """
    done = subprocess.run(
        list(map(str, arguments)),
        cwd=cwd,
        env=None if env is None else {**os.environ, **env},
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode:
        end = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        words = " ".join(str(a) for a in arguments)
        raise Stop(
            f"`{words}` ended with {done.returncode}:\n{end}", hint or "See what it says, above."
        )
    return done.stdout


def closure(wanted: Iterable[str], requires: Callable[[str], list[str]]) -> dict[str, set[str]]:
    """Follow requirements to everything that an installation brings.

    Parameters
    ----------
    wanted : iterable of str
        Requirements such as ``groove-core[torch]``.
    requires : callable
        The requirements of a distribution, by its normalised name.

    Returns
    -------
    dict of str to set of str
        Normalised names and the extras asked of each. Markers are those of this machine.
    """
    found: dict[str, set[str]] = {}
    waiting = [Requirement(one) for one in wanted]
    while waiting:
        one = waiting.pop()
        name = str(canonicalize_name(one.name))
        if name in found and one.extras <= found[name]:
            continue
        extras = found.setdefault(name, set())
        extras |= one.extras
        for text in requires(name):
            needed = Requirement(text)
            marker = needed.marker
            if marker is None or any(marker.evaluate({"extra": e}) for e in {"", *extras}):
                waiting.append(needed)
    return found


def installed_requires(name: str) -> list[str]:
    """Give the requirements of an installed distribution."""
    try:
        return metadata.requires(name) or []
    except metadata.PackageNotFoundError as error:
        raise Stop(
            f"{name} is needed and not installed here.", "hatch run, or pip install it."
        ) from error


def tell(main: Callable[[], int]) -> int:
    """Run a tool; what stops it becomes two lines and exit code 1."""
    try:
        return main()
    except Stop as stop:
        print(f"error: {stop.message}\nhint: {stop.hint}", file=sys.stderr)
        return 1
