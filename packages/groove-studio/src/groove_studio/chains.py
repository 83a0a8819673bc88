"""Chains: the runs that led to a result, kept by name and run again from another beginning.

A chain begins with what someone brought or changed by hand, or with nothing, and names its
steps rather than runs: it stays when the history forgets them.
"""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

from groove_core.errors import InputError, UsageError
from groove_core.storage.files import dump_json, write_text
from groove_studio.lines import call_of, words_of
from groove_studio.workspace import Record, Workspace, named_items

__all__ = ["Chain", "Chains"]

CHAINS, FOLDER = "chains.json", "chain"


@dataclass(frozen=True)
class Chain:
    """Steps that follow each other.

    Parameters
    ----------
    id, name : str
    inputs : list of dict
        ``item``, ``name`` and ``kind`` of what it begins with.
    steps : list of dict
        ``package``, ``action``, ``options``, ``seed`` and the ``files`` that the run made. Options
        name items as ``{"of": [["input", 0]]}`` or ``{"of": [[2, 0]]}``: the first of step 2.
    """

    id: str
    name: str
    inputs: list[dict[str, str]]
    steps: list[dict[str, Any]]

    @classmethod
    def of(cls, workspace: Workspace, record: Record, name: str = "") -> Chain:
        """Return the chain that led to a run.

        Raises
        ------
        InputError
            If no action did, or something that it needs is not there any more.
        """
        inputs: list[dict[str, str]] = []
        steps: list[dict[str, Any]] = []
        where: dict[str, list[Any]] = {}  # items by their place in the chain

        def place(one: str) -> list[Any]:
            item = workspace.item(one)
            if one not in where:  # brought or edited
                where[one] = ["input", len(inputs)]
                inputs.append({"item": one, "name": item.name, "kind": item.kind})
            return where[one]

        for step in workspace.ancestors(record):
            options = dict(step.options)
            for key, value in step.options.items():
                if items := named_items(value):
                    options[key] = {"of": [place(one) for one in items]}
            where |= {item.id: [len(steps), index] for index, item in enumerate(step.items)}
            steps.append({
                "package": step.package, "action": step.action, "options": options,
                "seed": step.seed, "files": [PurePosixPath(i.source).name for i in step.items],
            })  # fmt: skip
        if not steps:
            raise InputError(
                "No action made this: it was brought or changed by hand.",
                hint="Choose what an action made.",
            )
        return cls(secrets.token_hex(8), name or steps[-1]["action"], inputs, steps)

    def options(
        self, step: dict[str, Any], inputs: Sequence[str], made: Sequence[Sequence[str]],
        *, new_seed: bool,
    ) -> dict[str, Any]:  # fmt: skip
        """Return the options of a step with the items of this time.

        Parameters
        ----------
        step : dict
            Of `steps`.
        inputs : sequence of str
            Items that it begins with.
        made : sequence of sequence of str
            Items of each step so far.
        new_seed : bool
            Whether to draw another seed.

        Raises
        ------
        InputError
            If an earlier step made fewer items than the chain goes on with.
        """

        def item(place: Any, index: int) -> str:  # "input", or the number of a step
            if place == "input":
                return inputs[index]
            items: Sequence[str] = made[place]
            if index >= len(items):
                raise InputError(
                    f"{self.steps[place]['action']} made {len(items)} results, "
                    f"and the chain goes on with number {index + 1}.",
                    hint="Run it with the same seeds.",
                )
            return items[index]

        found = {
            key: {"items": [item(*one) for one in value["of"]]} if _names(value) else value
            for key, value in step["options"].items()
        }
        if step["seed"] is not None:
            found["seed"] = None if new_seed else step["seed"]
        return found

    def lines(self, schemas: Sequence[Mapping[str, Any]], workspace: Workspace) -> dict[str, str]:
        """Return the chain as command lines and as Python; each step has a folder of its own."""
        paths = []
        for one in self.inputs:
            item = workspace.items.get(one["item"])
            paths.append(item.source if item is not None else one["name"])
        used = {
            tuple(one)
            for step in self.steps
            for value in step["options"].values()
            if _names(value)
            for one in value["of"]
        }
        shell, python = [], []
        for number, (step, schema) in enumerate(zip(self.steps, schemas, strict=True)):
            given = {
                key: self._paths(value["of"], paths) if _names(value) else _text(value)
                for key, value in step["options"].items()
                if value is not None
            }
            if step["seed"] is not None:
                given["seed"] = step["seed"]
            # Files that lose nothing go on to the next step.
            formats = ",".join(sorted({
                PurePosixPath(file).suffix[1:]
                for index, file in enumerate(step["files"]) if (number, index) in used
            }))  # fmt: skip
            out = f"{FOLDER}/{number + 1}"
            more = ["--out", out, *(["--format", formats] if formats else [])]
            name = step["package"], step["action"]
            shell.append(shlex.join([*words_of(*name, given, schema), *more]))
            written = {"out": out, **({"formats": formats} if formats else {})}
            python.append(call_of("run", name, {**given, **written}, schema))
        text = "\n".join(python)
        return {"command": "\n".join(shell), "python": f"from groove_core import run\n\n{text}\n"}

    def _paths(self, places: list[Any], inputs: list[str]) -> Any:
        found = [
            inputs[index] if step == "input"
            else f"{FOLDER}/{step + 1}/{self.steps[step]['files'][index]}"
            for step, index in places
        ]  # fmt: skip
        return found if len(found) != 1 else found[0]


def _names(value: Any) -> bool:
    return isinstance(value, dict) and "of" in value


def _text(value: Any) -> Any:
    return value.get("text") if isinstance(value, dict) else value


class Chains:
    """The chains that a workspace keeps.

    Parameters
    ----------
    workspace : Workspace
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.kept = {chain.id: chain for chain in self._restore()}

    def _restore(self) -> Iterator[Chain]:
        found = self.workspace.read(CHAINS)
        for one in found if isinstance(found, list) else []:
            try:
                yield Chain(**one)
            except TypeError:  # of another version
                continue

    def find(self, name: Any) -> Chain:
        """Look up a chain that is kept, or the one that led to an item.

        Raises
        ------
        InputError
            If there is neither.
        """
        if isinstance(name, str) and name in self.kept:
            return self.kept[name]
        item = self.workspace.item(name)
        return Chain.of(self.workspace, self.workspace.runs[item.run])

    def keep(self, item: Any, name: Any) -> Chain:
        """Keep the chain that led to an item.

        Raises
        ------
        UsageError
            If the name is empty, or no text to show.
        """
        text = " ".join(name.split()) if isinstance(name, str) else ""
        if not text or len(text) > 80 or not text.isprintable():
            raise UsageError("A chain needs a name.", hint="Type up to 80 letters.")
        record = self.workspace.runs[self.workspace.item(item).run]
        chain = Chain.of(self.workspace, record, text)
        self.kept[chain.id] = chain
        self._write()
        return chain

    def forget(self, name: Any) -> None:
        """Remove a chain; what it has made stays."""
        if isinstance(name, str) and self.kept.pop(name, None) is not None:
            self._write()

    def _write(self) -> None:
        write_text(self.workspace.folder / CHAINS, dump_json(self.described()))

    def described(self) -> list[dict[str, Any]]:
        """Return what pages are told of them."""
        return [asdict(chain) for chain in self.kept.values()]
