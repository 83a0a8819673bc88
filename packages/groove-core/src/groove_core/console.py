"""Words to people: notes, warnings and progress go to stderr; stdout is the result."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

__all__ = ["is_main_process", "note", "set_quiet", "track"]

T = TypeVar("T")
_quiet = False


def set_quiet(quiet: bool) -> None:
    """Silence notes and progress; errors are still shown."""
    global _quiet
    _quiet = quiet


def is_main_process() -> bool:
    """Tell whether this process speaks and writes, among those that train together."""
    return os.environ.get("LOCAL_RANK", "0") == "0" and os.environ.get("NODE_RANK", "0") == "0"


def note(text: str) -> None:
    """Tell the user something that is not the result."""
    if not _quiet and is_main_process():
        print(text, file=sys.stderr, flush=True)


def track(items: Iterable[T], text: str, total: int | None = None) -> Iterator[T]:
    """Show progress over items, if there is a terminal to show it on."""
    if _quiet or not is_main_process() or not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import track as rich_track

    yield from rich_track(
        items, description=text, total=total, console=Console(stderr=True), transient=True
    )
