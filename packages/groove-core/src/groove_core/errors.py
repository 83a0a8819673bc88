"""Errors that users see as two lines: what happened, and what to type next.

Every error a user can cause derives from `GrooveError` and has an exit code of
its own, so that scripts can tell a wrong option from a broken file.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "CheckpointError",
    "DeviceError",
    "GrooveError",
    "InputError",
    "PluginError",
    "UsageError",
    "did_you_mean",
]


class GrooveError(Exception):
    """Base of all errors with a message for users.

    Parameters
    ----------
    message : str
        What happened, in one line.
    hint : str
        What mends it, in one line: best the next command to type.
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
    """A device that is not there or has no memory left."""

    exit_code = 6


def did_you_mean(word: str, words: Sequence[str], *, form: str = "{}") -> str:
    """Give ``Did you mean ...?`` for a misspelt word, or nothing."""
    import difflib

    near = difflib.get_close_matches(word, words, n=1, cutoff=0.55)
    return f"Did you mean {form.format(near[0])}?" if near else ""
