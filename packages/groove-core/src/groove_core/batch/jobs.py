"""One function over many files: in parallel, in order, and continued after an interruption.

A file that is broken, that meets a bug, or that crashes or hangs its decoder costs only
itself. With ``out`` the outcomes are lines of a journal on disk; what is there
already is taken over instead of computed again.
"""

from __future__ import annotations

import contextlib
import functools
import json
import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, TypeVar

from groove_core.batch import workers
from groove_core.batch.attempts import Function, attempt
from groove_core.batch.engines import LOCAL, Engine, Job
from groove_core.batch.journal import Current, Header, Identity, Journal, Outcome, open_journal
from groove_core.batch.shards import Shard
from groove_core.console import track
from groove_core.errors import PluginError, UsageError, did_you_mean
from groove_core.plugins import loader
from groove_core.storage.remote import RemotePath, identity, path_of

__all__ = ["map_files", "map_items"]

T = TypeVar("T")


def map_files(
    function: Function,
    files: Iterable[str | os.PathLike[str]],
    *,
    jobs: int | None = None,
    engine: str = LOCAL,
    gpus_per_task: float = 0.0,
    shard: Shard | None = None,
    out: str | os.PathLike[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    timeout_s: float | None = None,
    current: Current | None = None,
    text: str = "files",
) -> Iterator[Outcome]:
    """Call a function once per file; outcomes come in the order of the files.

    Parameters
    ----------
    function : callable of (Path), giving a dict that JSON can hold
        With several jobs it goes to other processes: a function of a module, or a
        `functools.partial` of one.
    files : iterable of paths
        Taken as they are needed: a million need no more memory than a thousand. Addresses such
        as ``s3://bucket/song.flac`` are `groove_core.storage.remote.RemotePath` to the function.
    jobs : int >= 1, optional
        Files worked on at a time; 1 by default on this computer, and what the machines have on
        others. Here it is worker processes, with one thread each unless ``OMP_NUM_THREADS``
        says otherwise. With 1 and no `timeout_s` the work is done in this
        process, which a crashing decoder then takes down.
    engine : str
        Where the work is done: ``local``, or an engine that a package brings, such as
        ``ray://head:10001``; see `groove_core.batch.engines`. Outcomes are the same.
    gpus_per_task : float >= 0
        Share of a GPU that each file needs; for engines that have some to share out.
    shard : Shard, optional
        Take a part of the files only, which are then in the order of their names; `files` are
        gone through more than once. See `groove_core.batch.shards` for what joins the parts.
    out : path of a .jsonl file, optional
        Journal: a header, then one line per file, written as they come. If it exists,
        outcomes of unchanged files (same size and time of change) are taken
        over; bugs, dead workers, timeouts and errors of the system are tried again. When
        all is done it holds exactly one line per file, in order.
    settings : dict that JSON can hold, optional
        All that the results depend on besides the file; stored in the header.
    overwrite : bool
        Begin anew even if `out` exists.
    timeout_s : float > 0 [seconds], optional
        Time that one file may take, with what its worker still has to import. Then the worker
        is stopped, the file has a ``Timeout`` as its error, and the others go on. No
        limit by default: how long a file may take depends on the function, and a limit
        needs worker processes.
    current : callable of (Outcome), optional
        Return whether the result of an unchanged file is still valid, for example because
        the files that it speaks of are there.
    text : str
        What the progress shown on a terminal is called.

    Yields
    ------
    Outcome
        One per file. Closing the iterator stops the workers.

    Raises
    ------
    UsageError
        If `jobs` is below 1 or `timeout_s` is not positive, the function cannot go to other
        processes, or `out` was made with other settings, is another kind of file, is in use,
        or cannot be written.
    PluginError
        If the engine is not installed.
    DeviceError
        If its machines are not there.

    Examples
    --------
    >>> import tempfile
    >>> def size(path: Path) -> dict[str, int]:
    ...     return {"bytes": path.stat().st_size}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     one = Path(folder, "one.txt")
    ...     _ = one.write_text("abc")
    ...     first, second = map_files(size, [one, Path(folder, "two.txt")])
    >>> first.result
    {'bytes': 3}
    >>> second.error["kind"]
    'OSError'
    """
    if jobs is not None and jobs < 1:
        raise UsageError(f"jobs must be at least 1, not {jobs}.", hint="--jobs 1")
    if timeout_s is not None and not 0 < timeout_s < math.inf:
        raise UsageError(f"The timeout cannot be {timeout_s:g} s.", hint="--timeout 60")
    if not 0 <= gpus_per_task < math.inf:
        raise UsageError(f"gpus_per_task cannot be {gpus_per_task}.", hint="--gpus-per-task 0.5")
    elsewhere = None if engine == LOCAL else str(Path.cwd())
    job = Job(
        call=functools.partial(attempt, function, folder=elsewhere),
        jobs=jobs,
        timeout_s=timeout_s or math.inf,
        gpus=gpus_per_task,
        address=engine,
    )
    opened = _choose(engine)
    if engine != LOCAL or job.timeout_s < math.inf or (jobs or 1) > 1:
        workers.pickled(job.call)  # now, not when the first outcome is asked for
    part = None if shard is None else shard.of_list(files)
    journal = None
    if out is not None:
        header = Header(dict(settings or {}), None if part is None else part.to_json())
        journal = functools.partial(open_journal, Path(out), header, overwrite, current)
    taken = files if part is None else part
    total = len(taken) if isinstance(taken, Sized) else None
    return track(_outcomes(functools.partial(opened, job), taken, journal), text, total=total)


def map_items(
    function: Callable[[T], dict[str, Any]],
    items: Sequence[T],
    *,
    jobs: int | None = None,
    engine: str = LOCAL,
    text: str = "files",
) -> Iterator[tuple[T, Outcome]]:
    """Call a function once per item that is no file of its own, such as one in an archive.

    Parameters
    ----------
    function : callable of one item, giving a dict that JSON can hold
    items : sequence
        What goes to other processes, all of them to each.
    jobs, engine, text
        See `map_files`.

    Yields
    ------
    item, Outcome
        In order; `Outcome.file` is the number of the item.
    """
    work = functools.partial(_of_item, function=function, items=items)
    numbers = [str(number) for number in range(len(items))]
    outcomes = map_files(work, numbers, jobs=jobs, engine=engine, text=text)
    return zip(items, outcomes, strict=True)


def _of_item(
    number: PurePath, *, function: Callable[[T], dict[str, Any]], items: Sequence[T]
) -> dict[str, Any]:
    return function(items[int(number.name)])


def _choose(address: str) -> Callable[[Job], Engine]:
    """Look up what opens an engine.

    Parameters
    ----------
    address : str
        Name of an engine, for example ``ray``, or an address that begins with
        it, for example ``ray://head:10001``.

    Raises
    ------
    PluginError
        If no package that is installed has the engine, or it is broken.
    """
    name = address.partition("://")[0]
    if name == LOCAL:
        if address != LOCAL:
            raise UsageError(f"The engine {LOCAL} has no address.", hint=f"--engine {LOCAL}")
        return workers.local
    known = loader.engines()
    if name not in known:
        raise PluginError(
            f"No engine named {name!r} is installed.",
            hint=did_you_mean(name, [LOCAL, *known], form="--engine {}")
            or "pip install groove-ray for --engine ray; this computer is --engine local.",
        )
    opened: Callable[[Job], Engine] = loader.resolve(known[name].address, owner=known[name])
    return opened


@dataclass(slots=True)
class _Turn:
    """A file whose outcome comes before those of the files behind it."""

    name: str
    identity: Identity
    number: int | None
    """By which an engine knows it; None if the journal has the outcome."""


def _outcomes(
    opened: Callable[[], Engine],
    files: Iterable[str | os.PathLike[str]],
    journaled: Callable[[], contextlib.AbstractContextManager[Journal]] | None,
) -> Iterator[Outcome]:
    with contextlib.ExitStack() as stack:
        journal = stack.enter_context(journaled()) if journaled else None
        engine = stack.enter_context(contextlib.closing(opened()))
        coming = map(path_of, files)
        turns = deque[_Turn]()
        answers: dict[int, str] = {}
        given = 0
        while True:
            while len(turns) < engine.window and (path := next(coming, None)) is not None:
                name, now = str(path), _identity(path)
                known = journal is not None and journal.has(name, now)
                turns.append(_Turn(name, now, None if known else given))
                if not known:
                    engine.submit(given, path)
                    given += 1
            if not turns:
                break
            # Collects what is there, and waits only for the one whose turn it is.
            mine = turns[0].number
            answers.update(engine.collect(wait=mine is not None and mine not in answers))
            if mine is not None and mine not in answers:
                continue
            turn = turns.popleft()
            if turn.number is None:
                assert journal is not None
                yield journal.take(turn.name)
                continue
            size, mtime_ns = turn.identity
            came = json.loads(answers.pop(turn.number))
            outcome = Outcome(file=turn.name, size=size, mtime_ns=mtime_ns, **came)
            if journal is not None:
                journal.append(outcome)
            yield outcome
        if journal is not None:
            journal.finish()


def _identity(path: PurePath) -> Identity:
    """Return size and time of change; a file that cannot be read has none, so it is tried again."""
    if isinstance(path, RemotePath):
        return identity(path)
    try:
        about = Path(path).stat()
        return (about.st_size, about.st_mtime_ns) if os.access(path, os.R_OK) else (None, None)
    except OSError:
        return None, None
