"""``-`` where a file is wanted: what another program writes to standard input."""

from __future__ import annotations

import atexit
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groove_core.errors import InputError, UsageError

if TYPE_CHECKING:
    from groove_core.actions.params import Param

__all__ = ["received"]

BEGINNINGS = {
    b"MThd": "mid", b"RIFF": "wav", b"RF64": "wav", b"fLaC": "flac", b"OggS": "ogg", b"ID3": "mp3",
    b"\xff\xfb": "mp3", b"\xff\xf3": "mp3", b"FORM": "aiff", b"PK": "mxl", b"{": "json",
    b"[": "json", b"<": "musicxml", b"X:": "abc",
}  # fmt: skip
"""How files begin, and their ending."""
CHUNK = 2**20


def received(params: Sequence[Param], given: dict[str, Any]) -> dict[str, Any]:
    """Return arguments with the path of a file that holds standard input in place of ``-``.

    Raises
    ------
    UsageError
        If several arguments are ``-``.
    InputError
        If nothing is piped in.
    """
    found = dict(given)
    wanting = [
        (param, one)
        for param in params
        if param.is_value
        for value in [given.get(param.name)]
        for one in (value if isinstance(value, list) else [value])
        if one == "-"
    ]
    if len(wanting) > 1:
        raise UsageError("Only one input can be -.", hint="Give a file for the others.")
    for param, _ in wanting:
        path = str(_read(param))
        value = found[param.name]
        found[param.name] = (
            [path if one == "-" else one for one in value] if isinstance(value, list) else path
        )
    return found


def _read(param: Param) -> Path:
    if sys.stdin is None or sys.stdin.isatty():
        raise InputError(
            "- reads standard input, and nothing is piped in.",
            hint=f"Give a file, or pipe one in: cat FILE | groove run ... {param.flag} -",
        )
    folder = tempfile.mkdtemp(prefix="groove-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = Path(folder, "stdin")
    with path.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file, CHUNK)
    with path.open("rb") as file:
        start = file.read(64).lstrip()
    if not start:
        raise InputError("Standard input is empty.", hint="Check the program before the pipe.")
    suffixes = {suffix for kind in param.kinds for suffix in kind.suffixes}
    text = "csv" if "csv" in suffixes else "txt"
    ending = next((end for begin, end in BEGINNINGS.items() if start.startswith(begin)), text)
    return path.rename(path.with_suffix(f".{ending}"))
