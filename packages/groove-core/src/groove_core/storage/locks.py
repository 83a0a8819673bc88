"""One process in one place: locks that say who holds them and end with their holder.

Not filelock: its `FileLock` leaves its files in the folders of users, and its locks take the
first byte of a file on Windows, where nobody could then read who holds it.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from groove_core.endings import uninterrupted
from groove_core.errors import UsageError
from groove_core.storage.files import writing

__all__ = ["locked", "taken_over"]

ATTEMPTS = 100
"""At a place that others make and remove at the same time."""
BRIEF, BRIEF_S = 10, 0.01
"""How often, and after what time, a lock that another process has is tried again."""
_FAR = 2**30
"""Windows locks bytes, and nobody can read those: one far behind the text."""


@contextlib.contextmanager
def locked(place: Path, lock: Path) -> Iterator[None]:
    """Hold a place for this process alone, by a lock on a file.

    The operating system ends the lock with the process, even with one that was killed; a
    file with a process number in it would outlive it. Such a file is there, too, but only to
    tell others who works here.

    Parameters
    ----------
    place : path
        What errors name.
    lock : path
        File to lock; it is made, with its folder, and removed.

    Raises
    ------
    UsageError
        If another process holds it, or it cannot be written.
    """
    file = None
    try:
        with uninterrupted(), writing(place):
            file = _taken(lock)
        if file is None:
            raise UsageError(
                f"{place} is in use by {_holder(lock)}.",
                hint="Wait for it, or choose another folder, for example with --out FOLDER.",
            )
        with contextlib.suppress(OSError):  # a full disk: nobody will know who it was
            os.write(file, f"process {os.getpid()} on {platform.node()}".encode())
        yield
    finally:
        if file is not None:
            with uninterrupted():
                with contextlib.suppress(OSError):  # Windows removes no open file
                    lock.unlink()
                os.close(file)


@contextlib.contextmanager
def taken_over(lock: Path) -> Iterator[bool]:
    """Hold and remove a lock that a killed process has left; yield whether there was one."""
    try:
        file = os.open(lock, os.O_RDWR)
    except OSError:
        yield False
        return
    try:
        # Its holder may have removed it since, and another run may be at work under a new one.
        ours = _try_lock(file) and _is_at(file, lock)
        yield ours
        if ours:
            with contextlib.suppress(OSError):
                lock.unlink()
    finally:
        os.close(file)


def _taken(lock: Path) -> int | None:
    """Open and lock the file; None if another process has it."""
    for attempt in range(ATTEMPTS):
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        except FileNotFoundError:  # a run that failed there removed the folder meanwhile
            if attempt == ATTEMPTS - 1:
                raise
            continue
        if not _try_lock(file):
            os.close(file)
            if attempt >= BRIEF:
                return None
            time.sleep(BRIEF_S)  # another run may only be sweeping here
            continue
        if _is_at(file, lock):
            os.truncate(file, 0)
            return file
        os.close(file)  # its holder removed it between our opening and locking it
    return None


def _is_at(file: int, lock: Path) -> bool:
    """Return whether an open file is the one that has this name now."""
    try:
        return os.path.samestat(os.fstat(file), lock.stat())
    except OSError:
        return False


def _try_lock(file: int) -> bool:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(file, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        os.lseek(file, 0, os.SEEK_SET)
    else:
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            pass  # a network file system without locks: better alone by luck than not at all
    return True


def _holder(lock: Path) -> str:
    try:
        return lock.read_text(encoding="utf-8", errors="replace")[:200] or "another process"
    except OSError:
        return "another process"
