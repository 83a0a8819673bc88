"""The engine ``ray``: batches of files are tasks of Ray Core.

A batch whose worker dies, or ends itself because a file takes too long, is run again with a process
of its own for the function. That process is the local engine's, so the file is named in the same
words. What is lost with a node is run again elsewhere.
"""

from __future__ import annotations

import contextlib
import math
import os
import pickletools
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from groove_core.batch.attempts import died
from groove_core.batch.engines import Engine, Job
from groove_core.batch.workers import pickled
from groove_core.console import note
from groove_core.errors import DeviceError, GrooveError, InputError, PluginError, UsageError
from groove_core.plugins import loader
from groove_ray.node import BATCH_S, Answers, Orders, versions, work

__all__ = ["Tasks", "cluster"]

PORT = 10001
"""Of Ray Client, when an address has none."""
CONNECT_S = 3.0
MOST = 256
"""Files in a batch at most."""
DRIVER = 20_000
"""Files a second that no driver can count, for any number of slots."""
AHEAD = 2
"""Tasks per slot: one that runs and one that waits, so that nothing stands idle."""
WINDOW = 4
"""Batches per slot that may be given out ahead of the file whose turn it is."""
LOOK_S = 0.05
"""How often to look for answers while others are dealt with."""
COUNT_S = 10.0
"""How often to ask how large the cluster is."""
NODES = 4
"""Nodes that a batch may lose before its files are suspected."""
TRIES = 3
"""Times that a file is tried alone."""
CLEAN_UP_S = 1.0
"""How long interrupted tasks may take to remove their unfinished files."""
STORE_BYTES = 128 * 2**20
"""For answers, which are short, when Ray is started for one job."""


def cluster(job: Job) -> Engine:
    """Open the engine; see `groove_core.batch.engines`.

    Raises
    ------
    DeviceError
        If the cluster is not there, or has no GPU for work that needs one.
    PluginError
        If it has another version of Ray or of Python.
    UsageError
        If this is no address, the share of a GPU cannot be had, or the function is one of the
        script itself, which the nodes do not have.
    """
    if job.gpus > 1 and job.gpus != int(job.gpus):
        raise UsageError(
            f"Ray gives out parts of one GPU or whole ones, not {job.gpus:g}.",
            hint=f"--gpus-per-task {math.ceil(job.gpus)}",
        )
    if "__main__" in _words(pickled(job.call)):
        raise UsageError(
            "The function is part of the script, which the nodes do not have.",
            hint="Put it into a module that is installed on all nodes.",
        )
    ours = _connect(job)
    try:
        return Tasks(job, ours=ours)
    except BaseException:
        if ours:
            import ray

            ray.shutdown()
        raise


@dataclass(slots=True)
class _Batch:
    files: list[tuple[int, str]]
    apart: bool = False
    lost: int = 0
    tries: int = 0


class Tasks:
    """Tasks on a cluster that this process is connected to.

    Parameters
    ----------
    job : Job
    ours : bool
        Whether the connection, and a cluster that was started for it, ends with `close`.
    """

    def __init__(self, job: Job, *, ours: bool) -> None:
        import ray

        self._ray, self._job, self._ours = ray, job, ours
        call = pickled(job.call)
        self._folder = os.getcwd()  # noqa: PTH109
        self._orders = ray.put(
            Orders(call, job.timeout_s, self._folder, versions(*_packages(call)))
        )
        # As options: a function that is declared with GPUs gets a new process for each call.
        options = {"max_retries": 0, "num_cpus": 1, "num_gpus": job.gpus or None}
        self._work = ray.remote(work).options(**options)
        self._running: dict[Any, _Batch] = {}
        self._again = deque[_Batch]()
        self._waiting = deque[tuple[int, str]]()
        self._size = 1
        self._looked = self._counted = -math.inf
        self._slots = 1
        self._count()

    @property
    def window(self) -> int:
        """How many files may be given out; see `Engine`."""
        return WINDOW * AHEAD * self._slots * self._size

    def submit(self, number: int, path: PurePath) -> None:
        """Take a file; see `Engine`."""
        self._waiting.append((number, str(path)))

    def collect(self, *, wait: bool) -> list[tuple[int, str]]:
        """Return the answers of the tasks that are done; see `Engine`."""
        now = time.monotonic()
        if not wait and now < self._looked + LOOK_S:
            return []
        self._looked = now
        try:
            self._count()
            self._give_out()
            done, rest = self._ray.wait(list(self._running), timeout=1.0 if wait else 0)
            if rest and done:
                done += self._ray.wait(rest, num_returns=len(rest), timeout=0)[0]
            back = [
                found for task in done for found in self._answers(task, self._running.pop(task))
            ]
            self._give_out()
        except ConnectionError as error:  # of Ray Client
            raise DeviceError(
                f"The Ray cluster is gone: {error}", hint="The same command goes on from here."
            ) from error
        return back

    def close(self) -> None:
        """Interrupt what runs on the cluster, and end what does not stop."""
        running, self._running = list(self._running), {}
        try:
            for force in (False, True):
                for task in running:
                    self._ray.cancel(task, force=force)
                if running:
                    _, running = self._ray.wait(
                        running, num_returns=len(running), timeout=CLEAN_UP_S
                    )
        except ConnectionError:  # Ray Client is gone, and the cluster ends its tasks
            pass
        finally:
            if self._ours:
                self._ray.shutdown()

    def _count(self) -> None:
        """See how many tasks the cluster has room for, which may change."""
        now = time.monotonic()
        if now < self._counted + COUNT_S:
            return
        self._counted = now
        there = self._ray.cluster_resources()
        room = there.get("CPU", 0.0)
        if self._job.gpus:
            if there.get("GPU", 0.0) < self._job.gpus:
                raise DeviceError(
                    f"The Ray cluster has {there.get('GPU', 0.0):g} GPUs, and each file needs "
                    f"{self._job.gpus:g}.",
                    hint="Start a node with a GPU, or leave --gpus-per-task out.",
                )
            room = min(room, there["GPU"] / self._job.gpus)
        self._slots = max(1, int(min(room, self._job.jobs or math.inf)))

    def _give_out(self) -> None:
        # Whoever wants so many files at a time wants no more of them on a larger cluster.
        most = self._job.jobs or AHEAD * self._slots
        while len(self._running) < most and (self._again or self._waiting):
            if self._again:
                batch = self._again.popleft()
            else:
                share = math.ceil(len(self._waiting) / (most - len(self._running)))
                batch = _Batch([self._waiting.popleft() for _ in range(min(self._size, share))])
            paths = [path for _, path in batch.files]
            self._running[self._work.remote(self._orders, paths, batch.apart)] = batch

    def _answers(self, task: Any, batch: _Batch) -> Iterator[tuple[int, str]]:
        errors = self._ray.exceptions
        try:
            answers: Answers = self._ray.get(task)
        except errors.RayTaskError as error:
            raise _of_task(error) from error
        except errors.OutOfMemoryError:
            yield from self._suspect(batch, "out of memory")
        except errors.WorkerCrashedError:
            yield from self._suspect(batch, "its process ended")
        except errors.RayError as error:  # with its node, or on the way
            batch.lost += 1
            if batch.lost < NODES:
                self._again.append(batch)
            else:
                yield from self._suspect(batch, type(error).__name__)
        else:
            for name in answers.absent:
                if os.path.exists(name):  # noqa: PTH110
                    hint = "Put the files on storage that all nodes share, under the same names."
                    if name == self._folder:
                        hint = "Type the command in a folder that all nodes have."
                    raise InputError(f"{name} is here, but not on node {answers.node}.", hint=hint)
            done = len(answers.texts)
            if batch.files[done:]:
                self._again.appendleft(_Batch(batch.files[done:], batch.apart))
            if not batch.apart:
                fits = int(done * BATCH_S / max(answers.seconds, 1e-6))
                most = min(MOST, DRIVER // self._slots)
                self._size = max(1, min(fits, 2 * self._size, most))
            yield from zip([n for n, _ in batch.files], answers.texts, strict=False)

    def _suspect(self, batch: _Batch, how: str) -> Iterator[tuple[int, str]]:
        """Find the file in a batch that ends its workers."""
        files = batch.files
        if not batch.apart:
            self._again.append(_Batch(files, apart=True))
        elif len(files) > 1:  # what watches over the files has died, too
            half = len(files) // 2
            self._again += [_Batch(files[:half], apart=True), _Batch(files[half:], apart=True)]
        elif batch.tries + 1 < TRIES:
            self._again.append(_Batch(files, apart=True, tries=batch.tries + 1))
        else:
            yield files[0][0], died(how)


def _words(call: bytes) -> set[str]:
    """Return the texts in a pickled function: names of modules, and what its options say."""
    return {word for _, word, _ in pickletools.genops(call) if isinstance(word, str)}


def _packages(call: bytes) -> list[str]:
    """Name the core, this package, and the Groove packages that a pickled function speaks of."""
    words = {part for word in _words(call) for part in (word, word.partition(".")[0])}
    named = [
        one.distribution
        for one in loader.installed()
        if words & {one.name, one.module.partition(".")[0]}
    ]
    return list(dict.fromkeys(["groove-core", "groove-ray", *named]))


def _of_task(error: Any) -> GrooveError:
    """Return what a task raised, which is never about one file."""
    if isinstance(error.cause, GrooveError):
        return error.cause
    last = str(error).strip().splitlines()[-1]
    return PluginError(
        f"Node {error.ip} cannot run groove-ray: {last}",
        hint="Install groove-ray and the packages of the action on all nodes.",
    )


def _connect(job: Job) -> bool:
    """Connect to Ray; return whether that is ours to end."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    if ray.is_initialized():
        return False
    if "://" in job.address:
        address = _place(job.address)
    else:
        address = os.environ.get("RAY_ADDRESS") or "auto"
    if address == "auto":
        from ray._private.services import find_bootstrap_address

        found = find_bootstrap_address(None)  # what ray start has noted, which may have ended
        address = found if found and not _absent(found) else "local"
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address == "local":
        cpus = job.jobs or os.cpu_count() or 1
        note(f"Ray starts on this computer, with {cpus} CPU{'s' * (cpus > 1)}")
        options |= {
            "num_cpus": cpus, "include_dashboard": False, "object_store_memory": STORE_BYTES
        }  # fmt: skip
    elif reason := _absent(address):  # Ray would try for two minutes
        raise DeviceError(
            f"There is no Ray cluster at {address}: {reason}.",
            hint="ray start --head starts one. Without RAY_ADDRESS, --engine ray starts it here.",
        )
    try:
        with _unheard(ray):
            ray.init(address, **options)
    except (Exception, SystemExit) as error:
        reason = " ".join(str(error).split())
        if "ersion" in reason and "mismatch" in reason:
            raise PluginError(
                f"The Ray cluster at {address} is not like this computer: {reason}",
                hint="Install the Python and the Ray of the cluster here.",
            ) from error
        last = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        hint = "ray status says what is there."
        if "client server failed" in last:  # gRPC, which Ray forks, has died of that
            hint = "Try again, or start the head by GRPC_ENABLE_FORK_SUPPORT=0 ray start --head."
        raise DeviceError(f"Ray cannot be used at {address}: {last}", hint=hint) from error
    return True


def _place(address: str) -> str:
    """Return the address of a Ray Client with its port."""
    host, colon, port = address.removeprefix("ray://").partition(":")
    if not host or (colon and not port.isdecimal()):
        raise UsageError(f"{address!r} is not the address of a cluster.", hint="ray://head:10001")
    return f"ray://{host}:{port or PORT}"


def _absent(address: str) -> str:
    """Return why nobody listens at an address, or nothing."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_S).close()
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""


@contextlib.contextmanager
def _unheard(ray: Any) -> Iterator[None]:
    """Keep Ray from printing what it has to say of dead workers, and from taking over SIGTERM."""
    worker, name = ray._private.worker, "listen_error_messages"  # prints even to stdout
    listen, ended = getattr(worker, name, None), signal.getsignal(signal.SIGTERM)
    setattr(worker, name, lambda *_: None)
    try:
        yield
    finally:
        setattr(worker, name, listen)
        if ended == signal.SIG_DFL:  # which would leave behind what Ray has started

            def ended(number: int, _frame: object) -> None:
                sys.exit(128 + number)

        with contextlib.suppress(ValueError, TypeError):  # in another thread, or not Python's
            signal.signal(signal.SIGTERM, ended)
