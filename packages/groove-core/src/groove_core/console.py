"""Words to people: notes, warnings and progress go to stderr; stdout is the result."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any, TextIO, TypeAlias, TypeVar

from groove_core.errors import unwritable

__all__ = [
    "Listener",
    "displayed",
    "duration_text",
    "is_main_process",
    "listen",
    "note",
    "own_streams",
    "prints_aside",
    "set_quiet",
    "track",
]

T = TypeVar("T")
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, those that turn the direction of writing, and bytes that are no UTF-8;
not tabs and line feeds."""
Listener: TypeAlias = Callable[[str, int | None, int | None], None]
"""Takes a text with how many items are done and how many there are; a note has neither."""
_listener: Listener | None = None
_quiet = False
_is_command = False
_redirected = False


class _Outlet(io.RawIOBase):
    """Where a standard stream goes, until nobody reads it any more.

    A reader that has left (``| head``) or a terminal that was closed stops the printing, not the
    work: what is printed after that is dropped.
    """

    def __init__(self, raw: Any, name: str, *, must_arrive: bool) -> None:
        self._raw, self._name, self._must_arrive = raw, name, must_arrive
        self._gone = False

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return int(self._raw.fileno())

    def isatty(self) -> bool:
        return bool(self._raw.isatty())

    def write(self, data: Any) -> int | None:
        if not self._gone:
            try:
                written: int | None = self._raw.write(data)
                return written
            except OSError as error:
                self._gone = True  # the rest, which Python writes when it ends, would fail alike
                # EIO: the terminal was closed.
                lost = isinstance(error, BrokenPipeError) or error.errno == errno.EIO
                if self._must_arrive and not lost:
                    raise unwritable(self._name, error) from error
        return memoryview(data).nbytes


def own_streams() -> None:
    """Print UTF-8 whatever the console says, and go on when nobody reads any more.

    For the process of a command: it replaces the streams of the whole process.
    """
    global _is_command
    _is_command = True
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed before Python began (``>&-``)
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
            continue
        raw = getattr(stream.buffer, "raw", stream.buffer)
        if name == "stdout":
            raw = _apart(raw)
        outlet = _Outlet(raw, name, must_arrive=name == "stdout")
        setattr(
            sys,
            name,
            io.TextIOWrapper(
                io.BufferedWriter(outlet),
                "utf-8",
                # What UTF-8 cannot hold, such as names of files in other bytes; JSON reads it.
                "backslashreplace",
                line_buffering=stream.line_buffering,
                write_through=stream.write_through,
            ),
        )


def _apart(raw: Any) -> Any:
    """Return stdout under another number, and let what writes to number 1 write to stderr.

    So do the libraries in C, and the programs, that plugins use.
    """
    if sys.platform == "win32":  # its consoles have no such numbers
        return raw
    try:
        own = os.dup(raw.fileno())
        os.dup2(2, raw.fileno())
    except OSError:  # stderr was closed
        return raw
    return io.FileIO(own, "wb")


@contextlib.contextmanager
def prints_aside(to: TextIO | None = None) -> Iterator[None]:
    """Send what a plugin prints to stderr, since stdout is for the result of a command.

    From Python nothing is redirected: other threads may print. With a stream all goes there,
    and stays there in the blocks inside.
    """
    global _redirected
    if _redirected or not (_is_command or to):
        yield
        return
    _redirected = True
    try:
        with contextlib.redirect_stdout(to or sys.stderr):
            yield
    finally:
        _redirected = False


def set_quiet(quiet: bool) -> None:
    """Silence notes and progress; errors are still shown."""
    global _quiet
    _quiet = quiet


def is_main_process() -> bool:
    """Return whether this process speaks and writes, among those that train together."""
    # A rank without others, as a shell may have inherited it, is no reason to be silent.
    alone = os.environ.get("WORLD_SIZE", "1") == "1"
    ranks = (os.environ.get(name, "0") for name in ("LOCAL_RANK", "NODE_RANK"))
    return alone or all(rank == "0" for rank in ranks)


def displayed(text: object) -> str:
    r"""Write out what a terminal would obey, such as the escape sequences in a name of a file.

    >>> displayed("a\x1b[2J.wav")
    'a\\x1b[2J.wav'
    """
    return _OBEYED.sub(lambda found: ascii(found[0])[1:-1], str(text))


def duration_text(seconds: float) -> str:
    """Write a time as people say it.

    >>> duration_text(40), duration_text(100), duration_text(5000)
    ('40 seconds', '2 minutes', '1.4 hours')
    """
    if seconds >= 4800:
        return f"{seconds / 3600:.1f} hours"
    return f"{seconds / 60:.0f} minutes" if seconds >= 90 else f"{max(1, round(seconds))} seconds"


def listen(listener: Listener | None) -> None:
    """Send notes and progress to a function instead of the terminal; None ends that.

    For processes that work for a user interface.
    """
    global _listener
    _listener = listener


def note(text: str) -> None:
    """Tell the user something that is not the result."""
    if _listener is not None:
        _listener(displayed(text), None, None)
    elif not _quiet and is_main_process():
        print(displayed(text), file=sys.stderr, flush=True)


def track(items: Iterable[T], text: str, total: int | None = None) -> Iterator[T]:
    """Show progress over items, if there is a terminal to show it on, or someone listens."""
    if _listener is not None:
        yield from _told(items, text, total, _listener)
        return
    if _quiet or not is_main_process() or not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import track as rich_track

    yield from rich_track(
        items, description=text, total=total, console=Console(stderr=True), transient=True
    )


def _told(items: Iterable[T], text: str, total: int | None, listener: Listener) -> Iterator[T]:
    if total is None and isinstance(items, Sized):
        total = len(items)
    done = 0
    listener(text, done, total)
    for item in items:
        yield item
        done += 1
        listener(text, done, total)
