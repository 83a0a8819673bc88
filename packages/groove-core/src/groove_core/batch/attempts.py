"""What becomes of one file, as one line of JSON: its result, or the error that it met."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import PurePath
from typing import Any

from groove_core.errors import GrooveError, InputError, of_system
from groove_core.storage.files import dump_json, printable

__all__ = ["Function", "attempt", "died", "failure", "hung"]

Function = Callable[[Any], dict[str, Any]]
"""Of a path, or of an address where addresses were given."""


def attempt(function: Function, path: PurePath, *, folder: str | None = None) -> str:
    """Call a function and return what came of it as JSON: ``result``, or ``error``.

    Parameters
    ----------
    function : callable of (Path), giving a dict that JSON can hold
    path : path
    folder : str, optional
        Working folder of whoever asks, to which relative names belong; entered first.
    """
    try:
        if folder is not None and os.getcwd() != folder:  # noqa: PTH109 - as text
            os.chdir(folder)
        return dump_json({"result": function(path)}, indent=None)
    except GrooveError as error:
        kind, message, hint = type(error).__name__, error.message, error.hint
        code = error.exit_code
    except OSError as error:
        kind, message, code = "OSError", f"{path}: {error.strerror or error}.", InputError.exit_code
        hint = "Check that the file is there, its permissions, and the disk."
        if (known := of_system(error)) is not None and not isinstance(known, InputError):
            message, hint, code = known.message, known.hint, known.exit_code
    except (Exception, SystemExit) as error:
        kind, message, code = "Bug", f"This is a bug: {type(error).__name__}: {error}", 1
        hint = "Run it on this file alone with --debug, and report what it prints."
    return failure(kind, message, hint, code)


def failure(kind: str, message: str, hint: str, exit_code: int) -> str:
    """Return the JSON of an error, for engines that know better than `attempt` what happened."""
    error = {
        "kind": kind, "message": printable(message), "hint": printable(hint),
        "exit_code": exit_code,
    }  # fmt: skip
    return dump_json({"error": error}, indent=None)


def died(how: str) -> str:
    """Return the JSON of a file whose process ended under it, in words such as ``SIGSEGV``."""
    return failure(
        "WorkerDied", f"The worker died on this file ({how}).",
        "A decoder crashed, or memory ran out: leave the file out.", 1,
    )  # fmt: skip


def hung(timeout_s: float) -> str:
    """Return the JSON of a file that took longer than its limit."""
    return failure(
        "Timeout", f"The file took more than {timeout_s:g} s.",
        "Pass a longer --timeout, or leave the file out.", 1,
    )  # fmt: skip
