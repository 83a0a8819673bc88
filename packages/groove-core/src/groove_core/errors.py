"""Errors that users see as two lines: what happened, and what to type next.

Every error a user can cause derives from `GrooveError` and has an exit code of
its own, so that scripts can tell a wrong option from a broken file.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

__all__ = [
    "CheckpointError",
    "DeviceError",
    "GrooveError",
    "InputError",
    "PluginError",
    "UsageError",
    "did_you_mean",
    "nearest",
    "of_system",
    "unwritable",
]

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""A full disk, a used-up quota, and a limit on the size of files."""


class GrooveError(Exception):
    """Base of all errors with a message for users.

    Parameters
    ----------
    message : str
        What happened, in one line.
    hint : str
        What to do, in one line: best the next command to type.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        # The default would call ``type(self)(message)`` and lose the hint on the
        # way back from a worker process.
        return (_rebuild, (type(self), self.message, self.hint))


def _rebuild(kind: type[GrooveError], message: str, hint: str) -> GrooveError:
    return kind(message, hint=hint)


class UsageError(GrooveError):
    """A wrong option or value, or an output that exists already."""

    exit_code = 2


class PluginError(GrooveError):
    """A package that is not installed, broken, or made for another API."""

    exit_code = 3


class InputError(GrooveError):
    """A file that is missing, unreadable or holds nothing the action can use; also some of many."""

    exit_code = 4


class CheckpointError(GrooveError):
    """A checkpoint that is missing, damaged, or belongs to another model."""

    exit_code = 5


class DeviceError(GrooveError):
    """A device that is not there, or a device or machine that has no memory left."""

    exit_code = 6


def nearest(word: str, words: Sequence[str]) -> str:
    """Return the word that a misspelt one was meant to be, or nothing."""
    import difflib

    return next(iter(difflib.get_close_matches(word, words, n=1, cutoff=0.55)), "")


def did_you_mean(word: str, words: Sequence[str], *, form: str = "{}") -> str:
    """Return ``Did you mean ...?`` for a misspelt word, or nothing."""
    near = nearest(word, words)
    return f"Did you mean {form.format(near)}?" if near else ""


def unwritable(place: str | os.PathLike[str], error: OSError) -> UsageError:
    """Return the error of a place that cannot be written, with the reason of the system."""
    hint = "choose a folder you may write to, for example with --out FOLDER."
    return UsageError(
        f"Cannot write to {os.fspath(place)}: {error.strerror or error}.",
        hint=f"Make room, or {hint}" if error.errno in FULL else f"C{hint[1:]}",
    )


def of_system(error: BaseException) -> GrooveError | None:
    """Return what the system lacks or refuses as an error with a hint; None for anything else."""
    # torch.OutOfMemoryError is a RuntimeError; named, so that torch need not be imported.
    if type(error).__name__ == "OutOfMemoryError":
        return DeviceError(
            "The device has no memory left.", hint="Pass --device cpu, or use smaller batches."
        )
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return DeviceError(
            "This machine has no memory left.", hint="Use fewer --jobs, or shorter or fewer files."
        )
    if not isinstance(error, OSError):
        return None
    if error.errno in FULL:
        return unwritable(error.filename or "the disk", error)
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return DeviceError(
            "This process may not open more files.", hint="Use fewer --jobs, or raise ulimit -n."
        )
    if error.filename is None or not error.strerror:
        return None
    return InputError(
        f"Cannot use {os.fsdecode(error.filename)}: {error.strerror}.",
        hint="Check that it is there, its permissions, and the disk.",
    )
