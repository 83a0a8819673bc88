"""How work ends before it is done: Ctrl-C, a signal to stop, or a closed terminal."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

__all__ = ["Endings", "signals_only", "uninterrupted"]

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
"""Those that ask for an end; Windows has no SIGHUP."""


_watching: Endings | None = None
"""Of the command that this process is."""


class Endings:
    """The first signal that asked this process to end, or None."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self.count = 0

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Let every such signal end the block as Ctrl-C does, so that it cleans up.

        Only Ctrl-C is heard a second time: a closing terminal signals more than once, and a
        second interruption would end the cleaning up.
        """
        global _watching
        before: dict[signal.Signals, Any] = {}
        try:
            _handle(self._receive, before)
            _watching = self
            yield
        finally:
            _watching = None
            for number, handler in before.items():
                signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        first, self.received = self.received is None, self.received or signal.Signals(number)
        if first or number == signal.SIGINT:
            raise KeyboardInterrupt


@contextlib.contextmanager
def signals_only() -> Iterator[None]:
    """Let a `KeyboardInterrupt` out of the block only if a signal has caused it.

    In commands only: a program that uses Groove has handlers of its own.

    Raises
    ------
    RuntimeError
        Instead of one that the block has raised by itself.
    """
    watching = _watching
    before = watching and watching.count
    try:
        yield
    except KeyboardInterrupt as error:
        if watching and watching.count == before:
            raise RuntimeError("it raised KeyboardInterrupt") from error
        raise


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold back what asks for an end, for the moment in which files are put in order.

    It is answered at the end of the block.
    """
    received: list[int] = []
    before: dict[signal.Signals, Any] = {}
    try:
        _handle(lambda number, frame: received.append(number), before)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if received:
            signal.raise_signal(received[0])


def _handle(
    handler: Callable[[int, FrameType | None], None], before: dict[signal.Signals, Any]
) -> None:
    """Set a handler of all such signals, and keep those that were there."""
    for name in SIGNALS:
        number = getattr(signal, name, None)
        # One that is ignored, as nohup does, stays so. Outside of the main thread
        # Python allows no handlers, and the caller has its own.
        if number and signal.getsignal(number) not in (signal.SIG_IGN, None):
            with contextlib.suppress(ValueError):
                before[number] = signal.signal(number, handler)
