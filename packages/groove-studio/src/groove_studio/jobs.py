"""Jobs of one workspace: each in a worker process that can be ended, and who hears of them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

from groove_core.errors import GrooveError, UsageError
from groove_studio.pool import CORE, Event, Pool
from groove_studio.workspace import Record, Workspace

__all__ = ["BusyError", "Jobs", "described"]

WAITING, LISTENERS = 20, 32
"""Jobs that may wait, and pages that may listen."""
UNREAD = 1000
"""Events that a page may leave unread before it is told everything anew."""
NOTES, NOTE = 5000, 2000
"""Notes of a run that are kept, and characters of each."""
TELL_S, WATCH_S = 0.25, 2.0
"""How often pages hear of what a run has made so far, and how often its disk is looked at."""


class BusyError(UsageError):
    """Too many jobs."""


class Jobs:
    """The jobs of a workspace.

    Parameters
    ----------
    workspace : Workspace
    pool : Pool
    limit_s : float, optional
        Time that one may take.
    own : asyncio.Semaphore, optional
        Room for the jobs of this workspace, beside that of the pool.
    """

    def __init__(
        self, workspace: Workspace, pool: Pool, limit_s: float | None = None,
        own: asyncio.Semaphore | None = None,
    ) -> None:  # fmt: skip
        self.workspace, self.pool, self.limit_s, self.own = workspace, pool, limit_s, own
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.progress: dict[str, Event] = {}
        self._told: dict[str, float] = {}
        self._listeners: set[asyncio.Queue[Event]] = set()

    def listen(self) -> asyncio.Queue[Event]:
        """Hear all events from now on.

        Raises
        ------
        BusyError
            If too many listen already.
        """
        if len(self._listeners) >= LISTENERS:
            raise BusyError(f"{LISTENERS} pages are open already.", hint="Close some of them.")
        heard: asyncio.Queue[Event] = asyncio.Queue(UNREAD)
        self._listeners.add(heard)
        return heard

    def leave(self, heard: asyncio.Queue[Event]) -> None:
        """Hear no more."""
        self._listeners.discard(heard)

    def hears(self, heard: asyncio.Queue[Event]) -> bool:
        """Return whether a listener has missed nothing."""
        return heard in self._listeners

    def tell(self, event: Event) -> None:
        """Send an event to every open page; one that does not read must come back for all."""
        for heard in [*self._listeners]:
            if heard.full():
                self._drop(heard)
            else:
                heard.put_nowait(event)

    def hang_up(self) -> None:
        """End the streams of events: a page that is open must not keep the server."""
        for heard in [*self._listeners]:
            self._drop(heard)

    def _drop(self, heard: asyncio.Queue[Event]) -> None:
        self._listeners.discard(heard)
        while not heard.empty():
            heard.get_nowait()
        heard.put_nowait({"event": "end"})  # who waits for an event must wake

    def submit(
        self, record: Record, task: str, about: dict[str, Any], package: str = CORE,
        done: Callable[[], None] | None = None,
    ) -> None:  # fmt: skip
        """Begin a job, or let it wait for its turn; `done` is called if it ends well.

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
        run = self._run(record, task, about, package, done)
        self.tasks[record.id] = asyncio.create_task(run)

    async def finished(self, record: Record) -> None:
        """Wait until a job has ended, in whatever way."""
        if record.id in self.tasks:
            await asyncio.wait([self.tasks[record.id]])

    async def cancel(self, name: str) -> None:
        """End a job: its process, what that has started, and what it has written."""
        if (task := self.tasks.get(name)) is not None:
            await asyncio.sleep(0)  # a task that has not begun would end without a word
            task.cancel()
            await asyncio.wait([task])

    async def close(self) -> None:
        """End all jobs."""
        for name in [*self.tasks]:
            await self.cancel(name)

    async def ask(self, task: str, about: dict[str, Any]) -> list[Event]:
        """Ask the core's worker something that is no job of the history; see `Pool.ask`."""
        return await self.pool.ask(self.workspace.folder, task, about)

    async def _run(
        self, record: Record, task: str, about: dict[str, Any], package: str,
        done: Callable[[], None] | None,
    ) -> None:  # fmt: skip
        start = time.monotonic()
        job = asyncio.current_task()
        full: list[GrooveError] = []
        watch = asyncio.create_task(self._watch(job, full))
        try:
            self._tell_of(record)
            own = None if package == CORE else self.own
            turn = self.pool.turn(self.workspace.folder, package, own)
            async with turn as worker, asyncio.timeout(self.limit_s):
                record.status, start = "running", time.monotonic()
                self._tell_of(record)
                async for event in worker.request(record.id, task, about):
                    self._take(record, event)
            if record.status == "done":
                self.workspace.keep(record)
        except asyncio.CancelledError:
            record.status = "failed" if full else "cancelled"
            if full:
                record.message, record.hint = full[0].message, full[0].hint
        except TimeoutError:
            record.status, record.message = "failed", f"It took more than {self.limit_s:g} s."
            record.hint = "Ask for less, or start the studio with a larger --limit-s."
        except Exception as error:  # also of a worker that says what nobody understands
            record.status, record.message = "failed", self.workspace.hidden(str(error))
            record.hint = getattr(error, "hint", "Try it again.")
        finally:
            watch.cancel()
            record.seconds = time.monotonic() - start
            for kept in (self.tasks, self.progress, self._told):
                kept.pop(record.id, None)
            if record.status != "done":
                with contextlib.suppress(OSError):  # of a record that could not be kept
                    self.workspace.remove(record)
            self._tell_of(record)
            if record.status == "done" and done is not None:
                done()

    async def _watch(self, job: asyncio.Task[Any] | None, full: list[GrooveError]) -> None:
        """End a job whose files leave no room for others."""
        assert job is not None
        while not full:
            await asyncio.sleep(WATCH_S)
            try:
                self.workspace.check_room()
            except GrooveError as error:
                full.append(error)
                job.cancel()

    def _take(self, record: Record, event: Event) -> None:
        kind = event.pop("event")
        if kind == "value":
            self.workspace.add(record, event)
            if time.monotonic() - self._told.get(record.id, 0.0) > TELL_S:
                self._tell_of(record)
        elif kind == "note":
            text = self.workspace.hidden(event["text"][:NOTE])
            record.notes.append(text)
            del record.notes[:-NOTES]
            self.tell({"event": "note", "run": record.id, "text": text})
        elif kind == "progress":
            # The losses of a training come now and then, and hold.
            self.progress[record.id] = self.progress.get(record.id, {}) | event
            self.tell({"event": "progress", "run": record.id, **event})
        elif kind == "started":
            record.seed = event["seed"]
        elif kind == "ended":
            told = [f"{one['file']}: {one['message']}" for one in event["failed"]]
            record.notes += map(self.workspace.hidden, told)
        elif kind == "failed":
            record.status, record.message = "failed", self.workspace.hidden(event["message"])
            record.hint = self.workspace.hidden(event["hint"])
        elif kind == "done":
            record.status = "done"

    def _tell_of(self, record: Record) -> None:
        if record.id in self.tasks:
            self._told[record.id] = time.monotonic()
        self.tell({"event": "run", "record": described(record)})


def described(record: Record) -> dict[str, Any]:
    """Return what pages are told of a run: no paths."""
    return {
        **{k: v for k, v in vars(record).items() if k != "items"},
        "notes": [*record.notes],  # as they are now: later ones are events of their own
        "items": [
            {"id": i.id, "run": i.run, "name": i.name, "kind": i.kind, "endings": [*i.files],
             "formats": i.formats, "text": i.text}
            for i in record.items
        ],
    }  # fmt: skip
