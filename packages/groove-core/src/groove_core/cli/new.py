"""``groove new``: a third-party package that works, written from ``groove_core/template``."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Iterator
from datetime import date
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from groove_core.__about__ import __version__
from groove_core.console import note
from groove_core.endings import uninterrupted
from groove_core.errors import UsageError, did_you_mean
from groove_core.hookspecs import API_VERSION, GROUP
from groove_core.plugins.names import KEBAB, OURS, PREFIX, kebab
from groove_core.storage.files import beside, check_writable, sweep
from groove_core.storage.locks import locked, taken_over

__all__ = ["LICENSES", "new"]

LICENSES = ("MIT", "BSD-3-Clause", "Apache-2.0", "GPL-3.0-or-later")
LONGEST = 60
ELSEWHERE = "--into FOLDER writes it elsewhere."
_MARKER = re.compile(r"@([A-Z_]+)@")
_MAIL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+", re.ASCII)


def new(
    name: str,
    *,
    into: Path,
    license: str,
    author: str | None,
    email: str | None,
    summary: str | None,
) -> Path:
    """Write a package and return its folder; either all of it is there or nothing.

    One that is there as it would be written stays, so that the same line works again.

    Raises
    ------
    UsageError
        If the name is not possible or taken, the folder is there, or an option is wrong.
    """
    distribution = _distribution(name)
    if license not in LICENSES:
        raise UsageError(
            f"There is no text of the licence {license!r}.",
            hint=did_you_mean(license, LICENSES, form="--license {}")
            or f"--license {' or '.join(LICENSES)}",
        )
    if email is not None and not _MAIL.fullmatch(email):
        raise UsageError(f"{email!r} is no e-mail address.", hint="--email you@example.org")
    words = _words(distribution, license, author, email, summary)
    folder = into / distribution
    with taken_over(_lock(folder)):  # of one that was killed when all but this was done
        pass
    template = resources.files("groove_core") / "template"
    files = {
        _fill(path, words).removesuffix(".in"): _fill(text, words)
        for path, text in _texts(template / "project")
    }
    files["LICENSE"] = _fill((template / f"licenses/{license}.txt").read_text("utf-8"), words)
    if _is_written(folder, files):
        note(f"{folder} is there already.")
        return folder
    _check_free(distribution)
    if folder.is_symlink() or (folder.exists() and not _is_empty_folder(folder)):
        raise UsageError(
            f"{folder} exists already.", hint="--into FOLDER writes it elsewhere, or remove it."
        )
    try:
        check_writable(into)
    except UsageError as error:
        raise UsageError(error.message, hint=ELSEWHERE) from error
    _write(folder, files)
    return folder


def _distribution(name: str) -> str:
    """Check a name, given with the prefix or without, and give it with the prefix."""
    bare = name.removeprefix(PREFIX)
    if not KEBAB.fullmatch(bare) or len(name) > LONGEST:
        near = kebab(name).removeprefix(PREFIX)[: LONGEST - len(PREFIX)].strip("-")
        raise UsageError(
            f"{name!r} cannot be the name of a package: lower-case letters, digits and single "
            f"hyphens, {LONGEST} at most.",
            hint=f"groove new {near or 'tabla'}",
        )
    distribution = PREFIX + bare
    if {bare, name, distribution} & OURS:
        raise UsageError(
            f"{name!r} is the name of a package of Groove itself.",
            hint=f"Choose another, for example groove new my-{bare}.",
        )
    return distribution


def _is_written(folder: Path, files: dict[str, str]) -> bool:
    """Return whether a folder has all files as they would be written."""
    try:
        return all((folder / name).read_text("utf-8") == text for name, text in files.items())
    except (OSError, UnicodeError):
        return False


def _check_free(distribution: str) -> None:
    from groove_core.plugins import loader

    for entry in loader.installed():
        if distribution in (entry.name, kebab(entry.distribution)):
            raise UsageError(
                f"A package {distribution} {entry.version} is installed already.",
                hint=f"Choose another name, or pip uninstall {entry.distribution}.",
            )


def _words(
    distribution: str, license: str, author: str | None, email: str | None, summary: str | None
) -> dict[str, str]:
    """Return what the markers of the template stand for."""
    about = {
        "--author": author or f"The {distribution} authors",
        "--summary": summary or "Draw even rhythms, and measure how syncopated beats are.",
    }
    for option, text in about.items():
        if not text.isprintable() or not text.strip():
            raise UsageError(f"{option} must be one line of text.", hint=f'{option} "..."')
    table = {"name": about["--author"]} | ({"email": email} if email else {})
    major, minor = __version__.split(".")[:2]
    return {
        "API": str(API_VERSION),
        "AUTHOR_TABLE": f"{{ {', '.join(f'{k} = {_quoted(v)}' for k, v in table.items())} }}",
        "CORE_BOUNDS": f">={major}.{minor},<{int(major) + 1}",
        "DISTRIBUTION": distribution,
        "GROUP": GROUP,
        "HOLDER": about["--author"],
        "LICENSE": license,
        "MODULE": distribution.replace("-", "_"),
        "SUMMARY": about["--summary"],
        "SUMMARY_STRING": _quoted(about["--summary"]),
        "YEAR": str(date.today().year),
    }


def _quoted(text: str) -> str:
    """Write a printable text as a string of TOML and of Python at once."""
    return json.dumps(text, ensure_ascii=False)


def _fill(text: str, words: dict[str, str]) -> str:
    """Replace the markers, in one pass: what is put in is never looked at again."""
    return _MARKER.sub(lambda marker: words[marker[1]], text)


def _texts(folder: Traversable, within: str = "") -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _texts(entry, f"{within}{entry.name}/")
        else:
            yield within + entry.name, entry.read_text("utf-8")


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _write(folder: Path, files: dict[str, str]) -> None:
    """Write all files beside the folder they are for, and move them there at once."""
    made = [path for path in folder.absolute().parents if not path.exists()]
    try:
        with locked(folder, _lock(folder)):
            sweep(folder)
            _move_in(folder, beside(folder), files)
    finally:
        with uninterrupted():
            for path in made:  # innermost first; what is not empty stays
                with contextlib.suppress(OSError):
                    path.rmdir()


def _lock(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.lock")


def _move_in(folder: Path, whole: Path, files: dict[str, str]) -> None:
    try:
        for name, text in files.items():
            path = whole / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists():
            folder.rmdir()  # empty; Windows does not replace it
        whole.rename(folder)
    except OSError as error:
        raise UsageError(
            f"Cannot write {folder}: {error.strerror or error}.",
            hint=ELSEWHERE,
        ) from error
    finally:
        with uninterrupted():
            shutil.rmtree(whole, ignore_errors=True)
