"""What the studio keeps: a folder for each run, with its record, its result and what shows it.

    groove-studio/
      runs/3f9c.../record.json     what made it, from what, and the items that came out
      runs/3f9c.../out/            result.json and files, as ``groove run`` writes them
      runs/3f9c.../view/           what the page needs beside them
      tray.json                    favourites

Pages name runs and items by random identifiers, never by paths.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from groove_core.errors import GrooveError, InputError, UsageError
from groove_core.storage.files import dump_json, read_json, write_text

__all__ = ["Item", "MissingError", "Record", "Workspace", "safe_name"]

RECORD, TRAY = "record.json", "tray.json"
NAME_BYTES = 200
"""Of a name: file systems hold 255, and endings and numbers come behind it."""
BRINGS = "groove-studio"
"""Package that the records of uploads and edits name."""


class MissingError(InputError):
    """An identifier of nothing that this workspace has."""


@dataclass
class Item:
    """A value, or a file that someone brought.

    Parameters
    ----------
    id, run, name, kind : str
    files : dict
        Path of each ending, relative to the workspace.
    source : str
        Path of the file that stands for the value where an action takes it.
    formats : list of str
        Endings that it can be written to.
    text : str
        The value as a terminal shows it.
    """

    id: str
    run: str
    name: str
    kind: str
    files: dict[str, str]
    source: str
    formats: list[str]
    text: str


@dataclass
class Record:
    """A run, an upload or an edit.

    Parameters
    ----------
    id, package, action : str
    options : dict
        As the page sent them: inputs by the identifiers of items.
    status : str
        ``waiting``, ``running``, ``done``, ``failed`` or ``cancelled``.
    """

    id: str
    package: str
    action: str
    options: dict[str, Any]
    status: str = "waiting"
    made: float = 0.0
    seconds: float | None = None
    seed: int | None = None
    message: str = ""
    hint: str = ""
    notes: list[str] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)

    @property
    def inputs(self) -> list[str]:
        """Return the identifiers of the items that it was made from."""
        return [one for value in self.options.values() for one in named_items(value)]


def named_items(option: Any) -> list[str]:
    """Return the identifiers of the items that an option names."""
    found = option.get("items", []) if isinstance(option, dict) else []
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []


def safe_name(name: str) -> str:
    r"""Return a name that a file can have on any system.

    >>> safe_name("../../Größe <b>.mid"), safe_name("\x00"), safe_name("曲.mid")
    ('Größe b.mid', 'file', '曲.mid')
    """
    base = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(c for c in base if c.isprintable() and c not in '<>:"/\\|?*')
    kept = " ".join(kept.split()).strip(". ")
    stem, dot, ending = kept.rpartition(".")
    kept = f"{_cut(stem[:80])}{dot}{ending[:12]}" if stem else _cut(kept[:80])
    reserved = re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", kept)
    return f"_{kept}" if reserved else kept or "file"


def _cut(name: str) -> str:
    return name.encode()[: NAME_BYTES - 48].decode(errors="ignore")


class Workspace:
    """A folder of runs.

    Parameters
    ----------
    folder : Path
    limit_bytes : int
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self.folder, self.limit_bytes = folder.resolve(), limit_bytes
        self.runs: dict[str, Record] = {}
        self.items: dict[str, Item] = {}
        self._sizes: dict[str, int] = {}
        """Of the runs that have ended: measuring thousands would take longer than most jobs."""
        self._own = re.compile(rf"{re.escape(str(self.folder))}([\\/]runs[\\/]\w+[\\/]\w+)?[\\/]?")
        (self.folder / "runs").mkdir(parents=True, exist_ok=True)
        for path in sorted((self.folder / "runs").iterdir()):
            self._restore(path)
        self.runs = dict(sorted(self.runs.items(), key=lambda one: one[1].made))
        kept = self.read(TRAY)
        kept = kept if isinstance(kept, list) else []
        self.tray = [one for one in kept if isinstance(one, str) and one in self.items]

    def read(self, name: str) -> Any:
        """Return a document of the workspace, or None where nothing can be read."""
        try:
            return read_json(self.folder / name)
        except InputError:
            return None

    def _restore(self, path: Path) -> None:
        """Take a run over that an earlier studio has kept; what it left half-made is removed.

        Whatever else is there stays as it is, such as the runs of a newer studio.
        """
        if not (path / RECORD).exists():
            is_run = re.fullmatch(r"[0-9a-f]{16}", path.name) and not path.is_symlink()
            if is_run and path.is_dir() and {one.name for one in path.iterdir()} <= {"out", "view"}:
                shutil.rmtree(path, ignore_errors=True)
            return
        try:
            document = read_json(path / RECORD)
            items = [Item(**one) for one in document.pop("items")]
            record = Record(**document, items=items)
            dump_json(asdict(record))  # no NaN, which no page could read
            files = [file for one in items for file in (one.source, *one.files.values())]
            is_whole = all(map(_has_its_types, (record, *items))) and record.status == "done"
            is_own = record.id == path.name and all(one.run == record.id for one in items)
            if is_whole and is_own and all(map(self._is_inside, files)):
                self.runs[record.id] = record
                self.items |= {one.id: one for one in items}
        except (InputError, TypeError, ValueError, KeyError, AttributeError):
            return

    def _is_inside(self, file: str) -> bool:
        return (self.folder / file).resolve().is_relative_to(self.folder)

    def hidden(self, text: str) -> str:
        """Return a text without the places of files: only their names are of use to a page."""
        return self._own.sub("", text).replace("--out FOLDER", "--workspace FOLDER")

    def begin(self, package: str, action: str, options: dict[str, Any]) -> Record:
        """Make the record and the folder of a run.

        Raises
        ------
        UsageError
            If the workspace is full.
        """
        self.check_room()
        record = Record(secrets.token_hex(8), package, action, options, made=time.time())
        self.place(record, "view").mkdir(parents=True)
        self.runs[record.id] = record
        return record

    def place(self, record: Record, part: str) -> Path:
        """Return a folder of a run: ``out`` or ``view``."""
        return self.folder / "runs" / record.id / part

    def add(self, record: Record, about: dict[str, Any]) -> Item:
        """Add what a worker says of a value."""
        files = {k: self._relative(v) for k, v in about["files"].items()}
        source = self._relative(about.get("source") or next(iter(about["files"].values())))
        item = Item(secrets.token_hex(8), record.id, about["name"], about["kind"], files, source,
                    about["formats"], about["text"])  # fmt: skip
        record.items.append(item)
        self.items[item.id] = item
        return item

    def _relative(self, path: str) -> str:
        return (self.folder / path).resolve().relative_to(self.folder).as_posix()

    def keep(self, record: Record) -> None:
        """Write the record of a run that has ended well or has said why not."""
        write_text(self.place(record, RECORD), dump_json(asdict(record)))
        self._sizes.pop(record.id, None)

    def remove(self, record: Record) -> None:
        """Remove a run with everything that it has written.

        Raises
        ------
        OSError
            If it cannot be removed; then it stays.
        """
        self.place(record, RECORD).unlink(missing_ok=True)  # what is left without it is half-made
        shutil.rmtree(self.place(record, ""), ignore_errors=True)
        self.runs.pop(record.id, None)
        self._sizes.pop(record.id, None)
        for item in record.items:
            self.items.pop(item.id, None)
        if {item.id for item in record.items} & {*self.tray}:
            self.tray = [one for one in self.tray if one in self.items]
            with contextlib.suppress(GrooveError):  # a full disk; what is not there is passed over
                self.favour(self.tray)

    def favour(self, tray: list[str]) -> None:
        """Keep the favourites."""
        found = [one for one in dict.fromkeys(tray) if one in self.items]
        write_text(self.folder / TRAY, dump_json(found))
        self.tray = found

    def item(self, name: Any) -> Item:
        """Look an item up.

        Raises
        ------
        MissingError
            If no item has that identifier.
        """
        if not isinstance(name, str) or name not in self.items:
            raise MissingError("This item is not there any more.", hint="Reload the page.")
        return self.items[name]

    def run(self, name: Any) -> Record:
        """Look a run up.

        Raises
        ------
        MissingError
            If no run has that identifier.
        """
        if not isinstance(name, str) or name not in self.runs:
            raise MissingError("This run is not there any more.", hint="Reload the page.")
        return self.runs[name]

    def users(self, record: Record) -> list[Record]:
        """Return the runs that were or will be made from what a run has made."""
        made = {item.id for item in record.items}
        return [one for one in self.runs.values() if made & {*one.inputs}]

    def path(self, item: Item, ending: str) -> Path:
        """Return a file of an item.

        Raises
        ------
        MissingError
            If it has not been written.
        """
        path = self.folder / item.files.get(ending, "")
        if ending not in item.files or not path.is_file():
            raise MissingError(f"{item.name} has no .{ending} file.", hint="Export it first.")
        return path

    def ancestors(self, record: Record) -> list[Record]:
        """Return the actions that led to a run, its own last, each once and after what it needs.

        What was brought or changed by hand is a beginning: nothing before it is made again.
        """
        found: dict[str, Record] = {}
        seen: set[str] = set()
        left = [(record, False)]
        while left:
            one, is_ready = left.pop()
            if is_ready:
                found[one.id] = one
            elif one.id not in seen and one.package != BRINGS:
                seen.add(one.id)
                items = (self.items[name] for name in one.inputs if name in self.items)
                left += [(one, True), *((self.runs[item.run], False) for item in items)]
        return [*found.values()]

    def size_bytes(self) -> int:
        """Return what the folder takes."""
        total = 0
        for record in self.runs.values():
            if record.status != "done":  # it grows
                total += _size_bytes(self.place(record, ""))
            elif record.id not in self._sizes:
                self._sizes[record.id] = _size_bytes(self.place(record, ""))
            total += self._sizes.get(record.id, 0)
        others = (one for one in self.folder.iterdir() if one.name != "runs")
        return total + sum(map(_size_bytes, others))

    def check_room(self, more_bytes: int = 0) -> None:
        """Check that there is room for more.

        Raises
        ------
        UsageError
            If the workspace would grow over its limit, or the disk is full.
        """
        if self.size_bytes() + more_bytes > self.limit_bytes:
            raise UsageError(
                f"The workspace has reached its limit of {self.limit_bytes / 1e9:g} GB.",
                hint="Remove runs from the history, or start the studio with a larger --max-gb.",
            )
        if shutil.disk_usage(self.folder).free < more_bytes + 10_000_000:
            raise UsageError("The disk is full.", hint="Make room, or use another --workspace.")

    def session(self) -> Iterator[tuple[str, Path]]:
        """Yield the files of all runs that ended well, each with its name in an archive."""
        taken: set[str] = set()
        for record in [*self.runs.values()]:  # which change meanwhile
            name = folder = f"{record.package}-{record.action}"
            number = 1
            while folder in taken:
                number += 1
                folder = f"{name}-{number}"
            taken.add(folder)
            out = self.place(record, "out")
            out = out if out.is_dir() else self.place(record, "view")  # of an edit
            paths: Iterable[Path] = sorted(out.rglob("*")) if record.status == "done" else ()
            for path in paths:
                if path.is_file():
                    yield f"{folder}/{path.relative_to(out).as_posix()}", path


def _size_bytes(place: Path) -> int:
    total = 0
    with contextlib.suppress(OSError):  # a job has just removed it
        if not place.is_dir() or place.is_symlink():
            return place.lstat().st_size
        for folder, _, names in os.walk(place):
            for name in names:
                with contextlib.suppress(OSError):
                    total += Path(folder, name).lstat().st_size
    return total


_SIMPLE: dict[str, tuple[type, ...]] = {
    "str": (str,), "float": (int, float), "float | None": (int, float, type(None)),
    "int | None": (int, type(None)),
}  # fmt: skip


def _has_its_types(one: Any) -> bool:
    """Return whether what was read from a file is what a studio writes."""
    for about in fields(one):
        value, name = getattr(one, about.name), str(about.type)
        if name in _SIMPLE:
            fits = isinstance(value, _SIMPLE[name])
        elif name.startswith("dict"):
            fits = isinstance(value, dict)
            fits = fits and ("Any" in name or all(isinstance(v, str) for v in value.values()))
        else:
            kind = Item if "Item" in name else str
            fits = isinstance(value, list) and all(isinstance(v, kind) for v in value)
        if not fits:
            return False
    return True
