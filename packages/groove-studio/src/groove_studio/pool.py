"""Worker processes: each runs the actions of one package in one folder, and is kept for the next.

All users of a server share one pool, so that together they never run more than the machine bears.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from groove_core.errors import UsageError

__all__ = ["CORE", "Event", "LostError", "Pool", "Worker"]

CORE = "groove-core"
"""The worker that reads, changes and writes values and lists what is installed."""
AT_ONCE, WARM = 2, 3
"""Jobs that run at a time, and workers that are kept."""
ASK_S = 600.0
"""What no job of the history may take, such as an export: nobody could cancel it."""
LINE_BYTES = 2**26
Event = dict[str, Any]


class LostError(UsageError):
    """A worker that did not answer: it has ended, or it hangs."""


class Worker:
    """A process that runs the actions of one package, and is kept for the next run."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @classmethod
    async def start(cls, folder: Path, environment: dict[str, str]) -> Worker:
        """Start one whose relative paths begin in a folder."""
        # Threads of two jobs that wait for each other's cores take ten times as long.
        threads = str(max(1, (os.cpu_count() or 1) // AT_ONCE))
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable, "-m", "groove_studio.worker", cwd=folder,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                limit=LINE_BYTES, start_new_session=True,
                env={"OMP_NUM_THREADS": threads, **os.environ, **environment},
            )
        )  # fmt: skip

    @property
    def is_alive(self) -> bool:
        """Whether it can take a request."""
        return self.process.returncode is None

    async def request(self, job: str, task: str, about: dict[str, Any]) -> AsyncIterator[Event]:
        """Send a request, and yield what the process says until it is done."""
        assert self.process.stdin is not None
        line = json.dumps({"id": job, "task": task, **about}) + "\n"
        with contextlib.suppress(ConnectionError):  # it has died: the reader will say so
            self.process.stdin.write(line.encode())
            await self.process.stdin.drain()
        try:
            while line_ := await self._line():
                event = json.loads(line_)
                if event.pop("id") == job:
                    ends = event["event"] in ("done", "failed")
                    yield event
                    if ends:
                        return
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise LostError(
                "The worker said something that is no event.",
                hint="Run it again: the next run has a new worker.",
            ) from error
        await self.end()
        code = self.process.returncode or 0
        try:
            how = signal.Signals(-code).name
        except ValueError:
            how = f"code {code}"
        yield {"event": "failed", "lost": how, "message": f"The worker ended with {how}.",
               "hint": "Run it again: the next run has a new worker."}  # fmt: skip

    async def _line(self) -> bytes:
        """Return the next line; nothing once the process has ended."""
        assert self.process.stdout is not None
        reading = asyncio.ensure_future(self.process.stdout.readline())
        try:
            while not (await asyncio.wait([reading], timeout=1.0))[0]:
                if not self.is_alive:  # what it has started holds the pipe open
                    self._kill()
                    return reading.result() if reading.done() else b""
            return reading.result()
        finally:
            reading.cancel()

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()

    async def end(self) -> None:
        """End the process and all that it has started, now."""
        self._kill()
        with contextlib.suppress(TimeoutError):  # a pipe that is held open elsewhere
            await asyncio.wait_for(self.process.wait(), 5.0)


class Pool:
    """The workers of a server.

    Parameters
    ----------
    warm : int
        Workers that are kept while they have nothing to do.
    keeps_core : bool
        Whether those of the core stay in any case.
    """

    def __init__(self, warm: int = WARM, *, keeps_core: bool = True) -> None:
        self.warm, self.keeps_core = warm, keeps_core
        self.without: set[str] = set()
        """Packages that no worker may load: they hang, or end the process."""
        self._workers: OrderedDict[tuple[Path, str], Worker] = OrderedDict()
        self._locks: dict[tuple[Path, str], asyncio.Lock] = {}
        # A file can be brought and a score changed while two trainings run for hours.
        self._room, self._room_of_core = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(AT_ONCE)

    @contextlib.asynccontextmanager
    async def turn(
        self, folder: Path, package: str, own: asyncio.Semaphore | None = None
    ) -> AsyncIterator[Worker]:
        """Wait for a turn, and hold the worker of a package; it is ended if the job does not.

        Parameters
        ----------
        folder : Path
        package : str
        own : asyncio.Semaphore, optional
            Room of one user, who must not take that of all.
        """
        key = folder, package
        room = self._room_of_core if package == CORE else self._room
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock, own or contextlib.nullcontext(), room:
            worker = self._workers.pop(key, None)
            if worker is None or not worker.is_alive:
                left = {"GROOVE_WITHOUT": ",".join(sorted(self.without))} if self.without else {}
                worker = await Worker.start(folder, left)
            try:
                yield worker
            except BaseException:
                await asyncio.shield(worker.end())
                raise
            if worker.is_alive:
                self._workers[key] = worker
                idle = [one for one in self._workers if one != key and not self._stays(one[1])]
                for old in idle[: max(0, len(self._workers) - self.warm)]:
                    await self._workers.pop(old).end()

    def _stays(self, package: str) -> bool:
        return self.keeps_core and package == CORE

    async def ask(
        self, folder: Path, task: str, about: dict[str, Any], package: str = CORE,
        limit_s: float = ASK_S,
    ) -> list[Event]:  # fmt: skip
        """Ask a worker something that is no job of the history; return its events.

        Raises
        ------
        LostError
            If the worker ends, or takes too long.
        UsageError
            If it fails, as it says.
        """
        events: list[Event] = []
        try:
            async with self.turn(folder, package) as worker, asyncio.timeout(limit_s):
                told = worker.request(f"ask-{time.monotonic_ns()}", task, about)
                events += [event async for event in told]
        except TimeoutError as error:
            raise LostError(
                f"It took more than {limit_s:g} s.", hint="Ask for less, or try it again."
            ) from error
        last = events[-1]
        if last["event"] == "failed":
            kind = LostError if "lost" in last else UsageError
            raise kind(last["message"], hint=last["hint"])
        return events

    async def close(self) -> None:
        """End the workers that wait."""
        while self._workers:
            await self._workers.popitem()[1].end()
