"""What is installed, as workers tell it: the server itself imports no plugin."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from groove_core.errors import GrooveError, PluginError
from groove_core.plugins import loader
from groove_studio.pool import Event, LostError, Pool
from groove_studio.workspace import MissingError

__all__ = ["Catalogue"]

LOAD_S = 30.0
"""What loading a package may take; it is to import nothing heavy."""


class Catalogue:
    """The packages, their actions and their viewers; the same for all users.

    Parameters
    ----------
    trainers : bool
        Whether actions that train are in it.
    """

    def __init__(self, *, trainers: bool = True) -> None:
        self.trainers = trainers
        self.packages: dict[str, dict[str, Any]] = {}
        self.facts: dict[str, Any] = {"drums": [], "palette": []}
        self.soundfont: str | None = None
        self.is_whole = False
        self._viewers: dict[tuple[str, str], str] = {}

    async def read(self, pool: Pool, folder: Path, tell: Callable[[Event], None]) -> None:
        """Ask workers what is installed; pages are told of it as it comes."""
        with contextlib.suppress(GrooveError):  # packages are told of all the same
            facts, *_ = await pool.ask(folder, "facts", {})
            self.soundfont = facts.pop("soundfont")
            self.facts = {key: value for key, value in facts.items() if key != "event"}
            self.facts["soundfont"] = self.soundfont is not None
            tell({"event": "facts", "facts": self.facts})
        entries = {one.name: one for one in loader.installed()}
        # Forms need the kinds of all packages, so one that hangs or ends its process when it is
        # loaded would take the others with it.
        for task in ("load", "forms"):
            for name, entry in entries.items():
                if name in self.packages:  # and broken
                    continue
                try:
                    found = await pool.ask(folder, task, {"package": name}, limit_s=LOAD_S)
                except GrooveError as error:
                    if isinstance(error, LostError):
                        pool.without.add(name)
                        error = PluginError(
                            f"{entry.distribution} {entry.version} cannot be loaded. {error}",
                            hint=f"pip uninstall {entry.distribution}, or ask its authors.",
                        )
                    self._take(tell, {"name": name, "version": entry.version, "actions": [],
                                      "summary": entry.summary, "error": error.message,
                                      "hint": error.hint})  # fmt: skip
                else:
                    if task == "forms":
                        for kind, path in found[0]["viewers"].items():
                            self._viewers[name, kind] = path or ""
                        self._take(tell, found[0]["package"])
        for reason in loader.damaged():
            place = reason.partition(" is damaged")[0].replace("\\", "/").rpartition("/")[2]
            self._take(tell, {"name": place, "actions": [], "error": reason,
                              "hint": "Install it again with pip."})  # fmt: skip
        self.is_whole = True
        tell({"event": "listed"})

    def _take(self, tell: Callable[[Event], None], package: dict[str, Any]) -> None:
        if not self.trainers:
            package["actions"] = [a for a in package["actions"] if a["role"] != "trainer"]
        self.packages[package["name"]] = package
        tell({"event": "package", "package": package})

    def package(self, name: Any) -> dict[str, Any]:
        """Look a package up.

        Raises
        ------
        MissingError
            If there is no such package.
        """
        if not isinstance(name, str) or name not in self.packages:
            raise MissingError("No package of this name is installed.", hint="Reload the page.")
        return self.packages[name]

    def action(self, package: Any, name: Any) -> dict[str, Any]:
        """Look an action up that can be run.

        Raises
        ------
        MissingError
            If there is no such action.
        """
        actions = self.package(package)["actions"]
        found = next((one for one in actions if one["name"] == name), None)
        if found is None or "schema" not in found:
            raise MissingError(f"{package} has no such action.", hint="Reload the page.")
        form: dict[str, Any] = found
        return form

    def viewer(self, package: str, kind: str) -> str:
        """Return the module that shows a kind of value.

        Raises
        ------
        MissingError
            If the package brings no such module.
        """
        try:
            return Path(self._viewers[package, kind]).read_text(encoding="utf-8")
        except (KeyError, OSError, UnicodeDecodeError) as error:
            raise MissingError(
                f"{package} brings no viewer of this kind.", hint="Update it."
            ) from error
