"""The folder of a run: claimed before the work, and changed only by files that are complete.

Files are written to a hidden folder inside it and moved to their place: at once where nothing of
an earlier run is there, otherwise all together at the end. So a run that fails leaves the folder
as it was.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from groove_core.endings import uninterrupted
from groove_core.errors import InputError, UsageError
from groove_core.storage.files import STAGING, beside, read_json, write_text, writing
from groove_core.storage.locks import ATTEMPTS, locked, taken_over
from groove_core.values.base import RESULT, Value

__all__ = ["Place", "claimed", "restore"]

LOCK = f"{STAGING}.lock"
FRESH, FORMER = "fresh", "former"
"""In the hidden folder: what is written, and what it replaces until all is done."""


@dataclass
class Place:
    """A folder that this run holds; made by `claimed`."""

    folder: Path
    staging: Path
    overwrite: bool
    leftover: list[str]
    """Files of an earlier run; they stay until all new ones are written."""
    moved: list[Path] = field(default_factory=list)
    """Files of this run that are in their place, by their path in the folder."""
    done: bool = False

    def save(self, value: Value, name: str) -> Path:
        """Write a value to a file, and return the path that this has at the end of the run.

        Raises
        ------
        UsageError
            If it cannot be written, or another file is there.
        """
        value.save(self.staging / FRESH / name)
        return self._written(name)

    def write(self, text: str, name: str) -> Path:
        """Write a text to a file, as `save` does."""
        write_text(self.staging / FRESH / name, text)
        return self._written(name)

    def _written(self, name: str) -> Path:
        if not self.leftover:
            self._publish()
        return self.folder / name

    def finish(self, document: str) -> None:
        """Put everything in its place."""
        write_text(self.staging / FRESH / RESULT, document)
        if self.leftover:  # first: no document may speak of files of two runs
            _move(self.folder / RESULT, self.staging / FORMER / RESULT)
        self._publish()
        for name in self.leftover:
            if name != RESULT and Path(name) not in self.moved:
                _move(self.folder / name, self.staging / FORMER / name)
        self.done = True
        (self.staging / FORMER / RESULT).unlink(missing_ok=True)

    def withdraw(self) -> None:
        """Put everything back as it was before the run."""
        for name in self.moved:
            (self.folder / name).unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # a folder of samples, unless others are in it
                if len(name.parts) > 1:
                    (self.folder / name).parent.rmdir()
        _put_back(self.staging, self.folder)

    def _publish(self) -> None:
        fresh = self.staging / FRESH
        files = (path.relative_to(fresh) for path in fresh.rglob("*") if path.is_file())
        for name in sorted(files, key=lambda name: (name == Path(RESULT), name)):
            target = self.folder / name
            if os.path.lexists(target):
                if not self.overwrite or target.is_dir():
                    raise _exists(target)
                _move(target, self.staging / FORMER / name)
            self.moved.append(name)
            # With the hidden name kept, too, the next run can tell what a killed one has written.
            _move(fresh / name, target, keep=bool(self.leftover))


def _move(path: Path, target: Path, *, keep: bool = False) -> None:
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        if keep:
            with contextlib.suppress(OSError):  # file systems without links
                target.hardlink_to(path)
                return
        path.replace(target)


def _take_back(staging: Path, folder: Path) -> None:
    """Remove the files that a killed run had put into their place: they have two names."""
    fresh = staging / FRESH
    for path in [path for path in fresh.rglob("*") if path.is_file()]:
        target = folder / path.relative_to(fresh)
        with contextlib.suppress(OSError):
            if target.samefile(path):
                target.unlink()
                if target.parent != folder:
                    target.parent.rmdir()


def _put_back(staging: Path, folder: Path) -> None:
    former = staging / FORMER
    for path in [path for path in former.rglob("*") if not path.is_dir()]:
        _move(path, folder / path.relative_to(former))


def _exists(path: Path) -> UsageError:
    return UsageError(
        f"{path} exists already.",
        hint="Pass --overwrite to replace it, or --out FOLDER to keep it.",
    )


def _new(folder: Path) -> Path:
    """Make a folder that was not there, of this name or with a number behind it."""
    made, number, attempts = folder, 1, 0
    with writing(folder):
        while True:
            try:
                made.parent.mkdir(parents=True, exist_ok=True)
                made.mkdir()
                return made
            except FileExistsError:
                _tidy(made)
                number += 1
                made = folder.with_name(f"{folder.name}-{number}")
            except FileNotFoundError:  # a run that failed removed the folder above meanwhile
                attempts += 1
                if attempts == ATTEMPTS:
                    raise


def _tidy(folder: Path) -> None:
    """Remove what a killed run has left in a folder, and the folder if nothing else is in it."""
    with taken_over(folder / LOCK) as ours:
        if not ours:  # its run is at work, or has ended well
            return
        was_at_work = any(folder.glob(f"{STAGING}-*"))
        _sweep(folder)
    if was_at_work:  # else its run may be about to take the lock
        with contextlib.suppress(OSError):
            folder.rmdir()


@contextlib.contextmanager
def claimed(folder: Path, action: str, *, overwrite: bool, new: bool = False) -> Iterator[Place]:
    """Hold the folder of a run for this process alone.

    After an error the folder is as it was before. After an interruption, what was moved to its
    place stays, unless it was about to replace files of an earlier run. What a killed run has
    left in the folder is removed first.

    Parameters
    ----------
    folder : path
        It is made if it is not there, and then removed if nothing is in it in the end.
    action : str
        Files of an earlier run are known by it.
    overwrite : bool
        Whether such files may be replaced.
    new : bool
        Make a folder that was not there, with a number behind its name if need be.

    Raises
    ------
    UsageError
        If another process holds the folder, it cannot be written, or an earlier result is there.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        if new:
            with uninterrupted():
                folder = _new(folder)
                made = [folder, *(path for path in made if path in folder.parents)]
        with locked(folder, folder / LOCK):
            _sweep(folder)
            # Both must say so: a document may name any file, and a file of yours may be
            # called as an action calls its own.
            listed = {RESULT} | _listed(folder)
            unnamed = re.compile(rf"{re.escape(action)}(-\d+)?\.[^.]+")
            of_input = re.compile(rf".+\.{unnamed.pattern}")
            names = sorted(path.name for path in folder.iterdir())
            earlier = [
                name
                for name in names
                if name == RESULT
                or unnamed.fullmatch(name)
                or (name in listed and of_input.fullmatch(name))
            ]
            if earlier and not overwrite:
                raise _exists(folder / earlier[0])
            place = Place(
                folder,
                beside(folder / STAGING.lstrip(".")),
                overwrite,
                [name for name in earlier if name in listed] if RESULT in earlier else [],
            )
            try:
                with writing(folder):  # now: an hour of work that cannot be written helps nobody
                    (place.staging / FRESH).mkdir(parents=True)
                    (place.staging / "room").write_bytes(b"x")
                yield place
            except BaseException as error:
                if not place.done and (isinstance(error, Exception) or place.leftover):
                    with uninterrupted():
                        place.withdraw()
                raise
            finally:
                with uninterrupted():
                    shutil.rmtree(place.staging, ignore_errors=True)
    finally:
        with uninterrupted():
            for path in made:  # innermost first
                with contextlib.suppress(OSError):
                    path.rmdir()


def restore(folder: Path) -> None:
    """Put back what a killed run was about to replace; nothing happens while a run is at work.

    Raises
    ------
    UsageError
        If the folder cannot be written.
    """
    if any(folder.glob(f"{STAGING}-*/{FORMER}/{RESULT}")):
        with locked(folder, folder / LOCK):
            _sweep(folder)


def _listed(folder: Path) -> set[str]:
    """Return the names of files in the document of an earlier run."""
    try:
        return {Path(str(file)).name for file in read_json(folder / RESULT)["files"]}
    except (InputError, TypeError, KeyError):
        return set()


def _sweep(folder: Path) -> None:
    """Remove what killed runs have left; what one was about to replace is put back."""
    for staging in folder.glob(f"{STAGING}-*"):
        if re.fullmatch(r".*-[0-9a-f]{8}", staging.name):
            if (staging / FORMER / RESULT).exists():
                _take_back(staging, folder)
                _put_back(staging, folder)
            shutil.rmtree(staging, ignore_errors=True)
