"""The engine of this computer: processes with one file each, so that a crash costs only that file.

One job without a limit of time needs no process of its own.

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
from collections import deque
from collections.abc import Callable, Iterator
from multiprocessing import connection, resource_tracker
from pathlib import PurePath

from groove_core.batch.attempts import died, hung
from groove_core.batch.engines import Engine, Job
from groove_core.console import set_quiet
from groove_core.errors import UsageError

__all__ = ["Here", "Processes", "local", "pickled"]

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


def local(job: Job) -> Engine:
    """Open the engine of this computer.

    Raises
    ------
    UsageError
        If a share of a GPU is asked for: that is for engines with machines to choose from.
    """
    if job.gpus:
        raise UsageError(
            f"The engine local does not share out GPUs, so {job.gpus:g} of one means nothing.",
            hint="Leave --gpus-per-task out; --device chooses the GPU.",
        )
    jobs = 1 if job.jobs is None else job.jobs
    if jobs == 1 and job.timeout_s == math.inf:
        return Here(job.call)
    return Processes(job.call, jobs, job.timeout_s)


class Here:
    """One file at a time, in this process."""

    window = 1

    def __init__(self, call: Callable[[PurePath], str]) -> None:
        self._call = call
        self._waiting: list[tuple[int, PurePath]] = []

    def submit(self, number: int, path: PurePath) -> None:
        """Take a file; see `Engine`."""
        self._waiting.append((number, path))

    def collect(self, *, wait: bool) -> list[tuple[int, str]]:
        """Return an answer; see `Engine`."""
        if not wait:
            return []
        number, path = self._waiting.pop(0)
        return [(number, self._call(path))]

    def close(self) -> None:
        """Leave nothing behind: nothing runs."""


def pickled(function: Callable[[PurePath], object]) -> bytes:
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
            call: Callable[[PurePath], str] = pickle.loads(function)  # noqa: S301 - of the parent
        except Exception as error:
            pipe.send(("failed", f"{type(error).__name__}: {error}"))
            return
        pipe.send(("ready", ""))
        while True:
            pipe.send(("done", call(pipe.recv())))
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

    def send(self, task: int, path: PurePath) -> None:
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


class Processes:
    """Worker processes, started when there is work for them.

    A worker that is longer than `timeout_s` seconds on one file is stopped and replaced.
    """

    def __init__(self, call: Callable[[PurePath], str], jobs: int, timeout_s: float) -> None:
        self.window = WINDOW * jobs
        self._content = pickled(call)
        self._jobs = jobs
        self._timeout_s = timeout_s
        self._workers: list[_Worker] = []
        self._waiting = deque[tuple[int, PurePath]]()
        self._stillborn = 0
        self._ever_ready = False

    def submit(self, number: int, path: PurePath) -> None:
        """Take a file; see `Engine`."""
        self._waiting.append((number, path))

    def collect(self, *, wait: bool) -> list[tuple[int, str]]:
        """Return what is there; with `wait`, not before a worker has said something."""
        self._give_out()
        pipes = connection.wait([w.pipe for w in self._workers], self._patience(wait))
        now = time.monotonic()
        back = []
        for worker in list(self._workers):
            if worker.pipe in pipes:
                kind, text = worker.receive()
            elif worker.deadline <= now:
                kind, text = "hangs", ""
            else:
                continue
            self._check_start(worker, kind, text)
            if kind in ("died", "hangs"):
                text = died(text) if kind == "died" else hung(self._timeout_s)
                self._workers.remove(worker)
                _stop([worker], finish_s=0)
            if worker.task is not None:
                back.append((worker.task, text))
                worker.task, worker.deadline = None, math.inf
        self._give_out()
        return back

    def close(self) -> None:
        """Stop all workers."""
        _stop(self._workers)

    def _give_out(self) -> None:
        at_work = sum(worker.task is not None for worker in self._workers)
        while len(self._workers) < min(self._jobs, at_work + len(self._waiting)):
            self._workers.append(_Worker(self._content, self._timeout_s))
        for worker in self._workers:
            if self._waiting and worker.ready and worker.task is None:
                worker.send(*self._waiting.popleft())

    def _check_start(self, worker: _Worker, kind: str, text: str) -> None:
        self._stillborn += kind == "died" and not worker.ready
        self._ever_ready |= worker.ready
        if kind == "failed" or self._stillborn > (STILLBORN if self._ever_ready else 0):
            raise UsageError(
                f"The worker processes could not start: {text}.",
                hint="In a script, call it below if __name__ == '__main__': "
                "and give a function of a module; or use one job.",
            )

    def _patience(self, wait: bool) -> float | None:
        """Return how long to wait for an answer; None if no file has a time limit."""
        if not wait:
            return 0
        until = min(worker.deadline for worker in self._workers)
        return None if until == math.inf else max(0.0, until - time.monotonic())


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
