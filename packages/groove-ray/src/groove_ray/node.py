"""What runs on the nodes of a cluster: a batch of files, for about a second."""

from __future__ import annotations

import contextlib
import faulthandler
import functools
import math
import os
import pickle
import platform
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import PurePath

from groove_core.batch.workers import THREADS, Here, Processes
from groove_core.console import set_quiet
from groove_core.errors import PluginError
from groove_core.storage.remote import RemotePath, path_of

__all__ = ["BATCH_S", "Answers", "Orders", "versions", "work"]

BATCH_S = 1.0
"""How long a task goes on taking files."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What all tasks of a job have in common."""

    call: bytes
    """The function, pickled: `groove_core.batch.engines.Job.call`."""
    timeout_s: float
    folder: str
    """Working folder of the job, to which relative names belong."""
    versions: dict[str, str]
    """What the job was begun with, see `versions`."""


@dataclass(slots=True)
class Answers:
    """What came of the files that were reached, which are the first ones."""

    node: str
    texts: list[str] = field(default_factory=list)
    seconds: float = 0.0
    absent: set[str] = field(default_factory=set)
    """Paths that failed and are not there on this node."""


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of Python and of packages; empty ones of those that are missing."""
    found = {"Python": ".".join(platform.python_version_tuple()[:2])}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = ""
    return found


def work(orders: Orders, paths: list[str], apart: bool) -> Answers:
    """Call the function on as many files as a second allows, and on one at least.

    Parameters
    ----------
    orders : Orders
    paths : list of str
    apart : bool
        Call it in a process of its own, as the local engine does: a crash or a hang then costs
        one file, which is named. Otherwise it costs this process, and all of the batch. A process
        that Ray has given another GPU does so as well, because CUDA stays with the first one.

    Raises
    ------
    PluginError
        If this node has other versions than the job, or cannot import the function.
    """
    start = time.monotonic()
    for name in THREADS:  # nothing that reads them has been imported yet
        os.environ.setdefault(name, "1")
    set_quiet(True)
    answers = Answers(_node())
    call = _checked(orders.call, tuple(orders.versions.items()))
    apart = apart or _gpus() != os.environ.get("CUDA_VISIBLE_DEVICES")
    if apart:  # a new process would begin with all that Ray's main module imports
        vars(sys.modules["__main__"]).pop("__file__", None)
    engine = Processes(call, 1, orders.timeout_s) if apart else Here(call)
    with contextlib.closing(engine):
        for number, path in enumerate(paths):
            file = path_of(path)
            engine.submit(number, file)
            with _limit(math.inf if apart else orders.timeout_s):
                while not (answer := list(engine.collect(wait=True))):
                    pass
            text = answer[0][1]
            answers.texts.append(text)
            if text.startswith('{"error"'):
                here = [orders.folder, *[path] * (not isinstance(file, RemotePath))]
                answers.absent |= {name for name in here if not os.path.exists(name)}  # noqa: PTH110
            answers.seconds = time.monotonic() - start
            if answers.seconds >= BATCH_S:
                break
    return answers


@contextlib.contextmanager
def _limit(timeout_s: float) -> Iterator[None]:
    """End this process if the block takes longer, even deep in C code that holds the GIL."""
    if timeout_s == math.inf:
        yield
        return
    faulthandler.dump_traceback_later(timeout_s, exit=True, file=_nowhere())
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


@functools.cache
def _nowhere() -> int:
    return os.open(os.devnull, os.O_WRONLY)


@functools.cache
def _gpus() -> str | None:
    """Return the GPUs that this process had at first."""
    return os.environ.get("CUDA_VISIBLE_DEVICES")


@functools.cache
def _node() -> str:
    import ray

    return f"{socket.gethostname()} ({ray.util.get_node_ip_address()})"


@functools.lru_cache(maxsize=1)
def _checked(content: bytes, wanted: tuple[tuple[str, str], ...]) -> Callable[[PurePath], str]:
    """Return the function, on a node that has what the job was begun with."""
    hint = "Install the same versions on all nodes."
    here = versions(*(name for name, _ in wanted if name != "Python"))
    for name, version in wanted:
        if here[name] != version:
            has = f"{name} {here[name]}" if here[name] else f"no {name}"
            raise PluginError(f"Node {_node()} has {has} instead of {version}.", hint=hint)
    try:
        call: Callable[[PurePath], str] = pickle.loads(content)  # noqa: S301 - of the job
        return call
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise PluginError(
            f"Node {_node()} cannot load the function: {reason}.", hint=hint
        ) from error
