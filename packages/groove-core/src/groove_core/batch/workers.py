"""Worker processes that handle one file at a time; a crash or a hang costs only that file.

Not concurrent.futures: when a process of its pool dies, nobody can tell which file it was
on. Not Pebble: its workers end at once when they are stopped, without their `finally` blocks,
and share one pipe. Here every worker has a pipe and one file at a time.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import pickle
import signal
import sys
import time
from collections.abc import Callable, Generator, Iterator
from multiprocessing import connection, resource_tracker
from pathlib import Path
from typing import Any

from groove_core.console import set_quiet
from groove_core.errors import GrooveError, InputError, UsageError, of_system
from groove_core.storage.files import dump_json, printable

__all__ = ["Function", "here", "parallel", "pickled"]

WINDOW = 8
"""Files per worker that may be given out ahead of the one whose turn it is."""
STILLBORN = 10
"""Workers that may be killed while they start, as happens where memory is short."""
FINISH_S = 0.5
"""How long workers may go on after an interruption, so that short work is never torn."""
CLEAN_UP_S = 1.0
"""How long the others may take to remove their unfinished files."""
THREADS = (
    "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip
"""Read by numeric libraries (torch reads OMP's) when they start."""

Function = Callable[[Path], dict[str, Any]]


def _attempt(function: Function, path: Path) -> str:
    """Call the function and give what came of it as JSON."""
    try:
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
    return _failure(kind, message, hint, code)


def _failure(kind: str, message: str, hint: str, exit_code: int) -> str:
    error = {
        "kind": kind, "message": printable(message), "hint": printable(hint),
        "exit_code": exit_code,
    }  # fmt: skip
    return dump_json({"error": error}, indent=None)


def here(function: Function, paths: list[Path]) -> Generator[str]:
    """Yield what came of each file as JSON, called in this process."""
    for path in paths:
        yield _attempt(function, path)


def pickled(function: Function) -> bytes:
    """Return a function as it goes to other processes.

    Raises
    ------
    UsageError
        If it cannot.
    """
    try:
        return pickle.dumps(function)
    except Exception as error:  # whatever a __reduce__ raises
        raise UsageError(
            f"The function cannot go to other processes: {error}.",
            hint="Give a function of a module, or a functools.partial of one; or jobs=1.",
        ) from error


def _work(pipe: connection.Connection, function: bytes) -> None:
    """Be a worker: until the pipe closes, take a path and give what came of it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ...
    for name in ("SIGTERM", "SIGHUP"):  # ... lets `finally` blocks run; Windows has no SIGHUP
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)
    set_quiet(True)
    sys.stdout = sys.stderr  # what a plugin prints is not the result of the command
    try:
        try:
            loaded: Function = pickle.loads(function)  # noqa: S301 - from the parent process
        except Exception as error:
            pipe.send(("failed", f"{type(error).__name__}: {error}"))
            return
        pipe.send(("ready", ""))
        while True:
            pipe.send(("done", _attempt(loaded, pipe.recv())))
    except (EOFError, OSError, KeyboardInterrupt):
        return  # the parent closed the pipe, died, or has stopped us


class _Worker:
    def __init__(self, function: bytes, timeout_s: float) -> None:
        context = multiprocessing.get_context("spawn")  # a fork beside threads may hang
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, function), daemon=True)
        with _for_children():
            self.process.start()
        theirs.close()
        self.ready = False
        self.task: int | None = None
        self.timeout_s = timeout_s
        self.deadline = math.inf

    def receive(self) -> tuple[str, str]:
        try:
            kind, text = self.pipe.recv()
        except (EOFError, OSError):  # it died
            self.process.join()
            return "died", _how(self.process.exitcode)
        self.ready = True
        return str(kind), str(text)

    def send(self, task: int, path: Path) -> None:
        self.task = task
        self.deadline = time.monotonic() + self.timeout_s
        with contextlib.suppress(OSError):  # it died; receive() will tell
            self.pipe.send(path)


def _how(exit_code: int | None) -> str:
    with contextlib.suppress(ValueError, TypeError):
        return signal.Signals(-(exit_code or 0)).name
    return f"exit code {exit_code}"


@contextlib.contextmanager
def _for_children() -> Iterator[None]:
    """Start processes so that they have one thread each, and never see a Ctrl-C."""
    mine = [name for name in THREADS if name not in os.environ]
    masked = hasattr(signal, "pthread_sigmask")  # inherited; Windows has none
    if masked:
        resource_tracker.ensure_running()  # itself would lift the mask while it starts
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    os.environ.update(dict.fromkeys(mine, "1"))
    try:
        yield
    finally:
        for name in mine:
            os.environ.pop(name, None)
        if masked:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def parallel(
    function: Function, paths: list[Path], jobs: int, timeout_s: float = math.inf
) -> Generator[str]:
    """Yield what came of each file as JSON, in order, from worker processes.

    A worker that is longer than `timeout_s` seconds on one file is stopped and replaced.
    """
    content = pickled(function)
    done: dict[int, str] = {}
    workers: list[_Worker] = []
    given = stillborn = 0
    ever_ready = False
    try:
        for wanted in range(len(paths)):
            while len(workers) < min(jobs, len(paths) - wanted):
                workers.append(_Worker(content, timeout_s))
            # Collects what is there, and waits only for the one whose turn it is.
            while True:
                for worker in workers:
                    ahead = min(len(paths), wanted + WINDOW * jobs)
                    if worker.ready and worker.task is None and given < ahead:
                        worker.send(given, paths[given])
                        given += 1
                pipes = connection.wait(
                    [w.pipe for w in workers], _patience(workers, wanted in done)
                )
                now = time.monotonic()
                for worker in list(workers):
                    if worker.pipe in pipes:
                        kind, text = worker.receive()
                    elif worker.deadline <= now:
                        kind, text = "hangs", ""
                    else:
                        continue
                    stillborn += kind == "died" and not worker.ready
                    ever_ready |= worker.ready
                    if kind == "failed" or stillborn > (STILLBORN if ever_ready else 0):
                        raise UsageError(
                            f"The worker processes could not start: {text}.",
                            hint="In a script, call it below if __name__ == '__main__': "
                            "and give a function of a module; or use one job.",
                        )
                    if kind in ("died", "hangs"):
                        text = _lost(kind, text, timeout_s)
                        workers.remove(worker)
                        _stop([worker], finish_s=0)
                        workers.append(_Worker(content, timeout_s))
                    if worker.task is not None:
                        done[worker.task] = text
                        worker.task, worker.deadline = None, math.inf
                if wanted in done:
                    break
            yield done.pop(wanted)
    finally:
        _stop(workers)


def _patience(workers: list[_Worker], hurry: bool) -> float | None:
    """Return how long to wait for an answer; None if no file has a time limit."""
    if hurry:
        return 0
    until = min(worker.deadline for worker in workers)
    return None if until == math.inf else max(0.0, until - time.monotonic())


def _lost(kind: str, how: str, timeout_s: float) -> str:
    if kind == "died":
        return _failure(
            "WorkerDied", f"The worker died on this file ({how}).",
            "A decoder crashed, or memory ran out: leave the file out.", 1,
        )  # fmt: skip
    return _failure(
        "Timeout", f"The file took more than {timeout_s:g} s.",
        "Pass a longer --timeout, or leave the file out.", 1,
    )  # fmt: skip


def _stop(workers: list[_Worker], finish_s: float = FINISH_S) -> None:
    for worker in workers:
        worker.pipe.close()  # ends one that waits, and one that works when its file is done
    _join(workers, finish_s)
    for worker in workers:
        worker.process.terminate()
    _join(workers, CLEAN_UP_S)
    for worker in workers:
        worker.process.kill()  # deep in a decoder
        worker.process.join()


def _join(workers: list[_Worker], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    for worker in workers:
        worker.process.join(max(0.0, deadline - time.monotonic()))
