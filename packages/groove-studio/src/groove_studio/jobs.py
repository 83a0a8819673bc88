"""Jobs: each in a worker process that can be ended, one at a time for each package."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from groove_core.errors import GrooveError, UsageError
from groove_studio.workspace import Record, Workspace

__all__ = ["CORE", "BusyError", "Jobs", "described"]

CORE = "groove-core"
"""The worker that reads, changes and writes values and lists what is installed."""
AT_ONCE, WARM, WAITING = 2, 3, 20
"""Jobs that run at a time, workers that are kept, and jobs that may wait."""
LINE_BYTES = 2**26
Event = dict[str, Any]


class BusyError(UsageError):
    """Too many jobs."""


class Worker:
    """A process that runs the actions of one package, and is kept for the next run."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @classmethod
    async def start(cls, folder: Path) -> Worker:
        """Start one whose relative paths begin in a folder."""
        # Threads of two jobs that wait for each other's cores take ten times as long.
        threads = str(max(1, (os.cpu_count() or 1) // AT_ONCE))
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable, "-m", "groove_studio.worker", cwd=folder,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                limit=LINE_BYTES, start_new_session=True,
                env={"OMP_NUM_THREADS": threads, **os.environ},
            )
        )  # fmt: skip

    @property
    def is_alive(self) -> bool:
        """Whether it can take a request."""
        return self.process.returncode is None

    async def request(self, job: str, task: str, about: dict[str, Any]) -> AsyncIterator[Event]:
        """Send a request, and yield what the process says until it is done."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        line = json.dumps({"id": job, "task": task, **about}) + "\n"
        with contextlib.suppress(ConnectionError):  # it has died: the reader will say so
            self.process.stdin.write(line.encode())
            await self.process.stdin.drain()
        while line_ := await self.process.stdout.readline():
            event = json.loads(line_)
            if event.pop("id") == job:
                ends = event["event"] in ("done", "failed")
                yield event
                if ends:
                    return
        code = await self.process.wait()
        how = signal.Signals(-code).name if code < 0 else f"code {code}"
        yield {"event": "failed", "code": 1, "message": f"The worker ended with {how}.",
               "hint": "Run it again: the next run has a new worker."}  # fmt: skip

    async def end(self) -> None:
        """End the process and all that it has started, now."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()
        await self.process.wait()


class Jobs:
    """The jobs of a workspace.

    Parameters
    ----------
    workspace : Workspace
    limit_s : float, optional
        Time that one may take.
    """

    def __init__(self, workspace: Workspace, limit_s: float | None = None) -> None:
        self.workspace, self.limit_s = workspace, limit_s
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.progress: dict[str, Event] = {}
        self.is_ending = False
        self._workers: OrderedDict[str, Worker] = OrderedDict()
        self._locks: dict[str, asyncio.Lock] = {}
        self._room = asyncio.Semaphore(AT_ONCE)
        self._listeners: set[asyncio.Queue[Event]] = set()

    @contextlib.contextmanager
    def listening(self) -> Any:
        """Hear all events from now on."""
        heard: asyncio.Queue[Event] = asyncio.Queue(10_000)
        self._listeners.add(heard)
        try:
            yield heard
        finally:
            self._listeners.discard(heard)

    def tell(self, event: Event) -> None:
        """Send an event to every open page; a page that does not read loses them."""
        for heard in self._listeners:
            with contextlib.suppress(asyncio.QueueFull):
                heard.put_nowait(event)

    def hang_up(self) -> None:
        """End the streams of events: a page that is open must not keep the server."""
        self.is_ending = True
        self.tell({"event": "end"})

    def submit(self, record: Record, task: str, about: dict[str, Any], package: str = CORE) -> None:
        """Begin a job, or let it wait for its turn.

        Raises
        ------
        BusyError
            If too many wait already.
        """
        if len(self.tasks) >= WAITING:
            self.workspace.remove(record)
            raise BusyError(
                f"{WAITING} jobs are waiting already.", hint="Wait for them, or cancel some."
            )
        self.tasks[record.id] = asyncio.create_task(self._run(record, task, about, package))

    async def finished(self, record: Record) -> None:
        """Wait until a job has ended, in whatever way."""
        if record.id in self.tasks:
            await asyncio.wait([self.tasks[record.id]])

    async def cancel(self, name: str) -> None:
        """End a job: its process, what that has started, and what it has written."""
        if (task := self.tasks.get(name)) is not None:
            task.cancel()
            await asyncio.wait([task])

    async def close(self) -> None:
        """End all jobs and workers."""
        for name in [*self.tasks]:
            await self.cancel(name)
        for worker in self._workers.values():
            await worker.end()
        self._workers.clear()

    async def ask(
        self, task: str, about: dict[str, Any], package: str = CORE,
        heard: Callable[[Event], None] | None = None,
    ) -> list[Event]:  # fmt: skip
        """Ask a worker something that is no job of the history; return its events.

        Raises
        ------
        UsageError
            If it fails, as it says.
        """
        events: list[Event] = []
        async with self._turn(package) as worker:
            async for event in worker.request(f"ask-{time.monotonic_ns()}", task, about):
                events.append(event)
                if heard is not None:
                    heard(event)
        if events[-1]["event"] == "failed":
            raise UsageError(events[-1]["message"], hint=events[-1]["hint"])
        return events

    @contextlib.asynccontextmanager
    async def _turn(self, package: str) -> AsyncIterator[Worker]:
        """Wait for a turn, and hold the worker of a package; it is ended if the job does not."""
        async with self._locks.setdefault(package, asyncio.Lock()), self._room:
            worker = self._workers.pop(package, None)
            if worker is None or not worker.is_alive:
                worker = await Worker.start(self.workspace.folder)
            try:
                yield worker
            except BaseException:
                await asyncio.shield(worker.end())
                raise
            if worker.is_alive:
                self._workers[package] = worker
                idle = [p for p in self._workers if p not in (CORE, package)]
                for old in idle[: max(0, len(self._workers) - WARM)]:
                    await self._workers.pop(old).end()

    async def _run(self, record: Record, task: str, about: dict[str, Any], package: str) -> None:
        start = time.monotonic()
        try:
            self._tell_of(record)
            async with self._turn(package) as worker, asyncio.timeout(self.limit_s):
                record.status, start = "running", time.monotonic()
                self._tell_of(record)
                async for event in worker.request(record.id, task, about):
                    self._take(record, event)
        except asyncio.CancelledError:
            record.status = "cancelled"
        except TimeoutError:
            record.status, record.message = "failed", f"It took more than {self.limit_s:g} s."
            record.hint = "Ask for less, or start the studio with a larger --limit-s."
        except (GrooveError, OSError, ValueError) as error:
            record.status, record.message = "failed", str(error)
            record.hint = getattr(error, "hint", "Try it again.")
        finally:
            record.seconds = time.monotonic() - start
            self.tasks.pop(record.id, None)
            self.progress.pop(record.id, None)
            if record.status == "done":
                self.workspace.keep(record)
            else:
                self.workspace.remove(record)
            self._tell_of(record)

    def _take(self, record: Record, event: Event) -> None:
        kind = event.pop("event")
        if kind == "value":
            self.workspace.add(record, event)
            self._tell_of(record)
        elif kind == "note":
            record.notes.append(event["text"])
            self.tell({"event": "note", "run": record.id, **event})
        elif kind == "progress":
            # The losses of a training come now and then, and hold.
            self.progress[record.id] = self.progress.get(record.id, {}) | event
            self.tell({"event": "progress", "run": record.id, **event})
        elif kind == "started":
            record.seed = event["seed"]
        elif kind == "ended":
            record.notes += [f"{one['file']}: {one['message']}" for one in event["failed"]]
        elif kind == "failed":
            record.status, record.message = "failed", event["message"]
            record.hint = event["hint"]
        elif kind == "done":
            record.status = "done"

    def _tell_of(self, record: Record) -> None:
        self.tell({"event": "run", "record": described(record)})


def described(record: Record) -> dict[str, Any]:
    """Return what pages are told of a run: no paths."""
    return {
        **{k: v for k, v in vars(record).items() if k != "items"},
        "items": [
            {"id": i.id, "run": i.run, "name": i.name, "kind": i.kind, "endings": [*i.files],
             "formats": i.formats, "text": i.text}
            for i in record.items
        ],
    }  # fmt: skip
