"""Who may enter: whoever has a token. Files keep only what tokens hash to."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from groove_core.errors import InputError, UsageError
from groove_core.storage.files import check_file, write_text

__all__ = ["Keys", "Users", "add_user", "new_token"]

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
"""Of a user: it is a folder on any system."""
LINE = re.compile(rf"({NAME.pattern})\s+([0-9a-f]{{64}})")


def new_token() -> str:
    """Draw a token: 128 random bits, which nobody can guess from their hash."""
    return secrets.token_urlsafe(16)


def hash_of(token: str) -> str:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


class Keys:
    """Users, and what their tokens hash to.

    Parameters
    ----------
    hashes : mapping of str to str
        By name.
    """

    def __init__(self, hashes: Mapping[str, str]) -> None:
        self._hashes = dict(hashes)

    def hashes(self) -> Mapping[str, str]:
        """Return the hash of each user's token, as it is now."""
        return self._hashes

    def user_of(self, token: str) -> str | None:
        """Return whose token it is; the time that this takes tells nothing of it."""
        given, found = hash_of(token), None
        for name, kept in self.hashes().items():
            if hmac.compare_digest(given, kept):
                found = name
        return found


class Users(Keys):
    """Users in a file, with a name and a hash in each line.

    A change of the file holds at once: who is added may enter, who is removed is out. What
    cannot be read lets nobody in.

    Parameters
    ----------
    path : Path

    Raises
    ------
    InputError
        If the file cannot be read, or a line is something else.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(_read(path))
        self.path = path
        self._seen = self._state()

    def _state(self) -> tuple[int, int] | None:
        try:
            about = self.path.stat()
        except OSError:
            return None
        return about.st_mtime_ns, about.st_ino

    def hashes(self) -> Mapping[str, str]:
        """Return the hash of each user's token, as it is now."""
        if (state := self._state()) != self._seen:
            try:
                self._hashes = _read(self.path)
            except InputError:
                self._hashes = {}
            self._seen = state
        return self._hashes


def _read(path: Path) -> dict[str, str]:
    if not path.exists():
        raise InputError(
            f"{path} does not exist.",
            hint=f"groove studio --users {path} --add-user NAME makes it.",
        )
    path = check_file(path, what="a file of users", max_bytes=2**20)
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        about = LINE.fullmatch(line.strip())
        if about is None or about[1] in found:
            raise InputError(
                f"Line {number} of {path} is no new user.",
                hint="Each line is a name and a hash. groove studio --users FILE --add-user NAME "
                "writes them.",
            )
        found[about[1]] = about[2]
    return found


def add_user(path: Path, name: str) -> str:
    """Add a user to a file, or change the token of one; return the token, which nothing keeps.

    Raises
    ------
    UsageError
        If the name is no name of a user, or the file cannot be written.
    InputError
        If the file is something else.
    """
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name of a user.",
            hint="Use up to 32 lower-case letters, digits, - and _.",
        )
    token = new_token()
    lines = []
    if path.exists() and path.stat().st_size:
        _read(path)
        lines = path.read_text(encoding="utf-8").splitlines()
    others = [line for line in lines if line.split()[:1] != [name]]
    write_text(path, "\n".join([*others, f"{name} {hash_of(token)}", ""]))
    return token
