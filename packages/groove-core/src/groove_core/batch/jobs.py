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
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from groove_core.batch import workers
from groove_core.batch.journal import Current, Identity, Outcome, open_journal
from groove_core.console import track
from groove_core.errors import UsageError

__all__ = ["map_files"]


def map_files(
    function: workers.Function,
    files: Sequence[str | os.PathLike[str]],
    *,
    jobs: int = 1,
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
    files : sequence of paths
    jobs : int >= 1
        Worker processes, with one thread each unless ``OMP_NUM_THREADS`` says otherwise.
        With 1 and no `timeout_s` there are none: the work is done in this process, which
        a crashing decoder then takes down.
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
    if jobs < 1:
        raise UsageError(f"jobs must be at least 1, not {jobs}.", hint="--jobs 1")
    if timeout_s is not None and not 0 < timeout_s < math.inf:
        raise UsageError(f"The timeout cannot be {timeout_s:g} s.", hint="--timeout 60")
    make = workers.here
    if jobs > 1 or timeout_s is not None:
        make = functools.partial(workers.parallel, jobs=jobs, timeout_s=timeout_s or math.inf)
        workers.pickled(function)  # now, not when the first outcome is asked for
    paths = [Path(file) for file in files]
    journal = None if out is None else (Path(out), dict(settings or {}), overwrite, current)
    return track(_outcomes(function, paths, make, journal), text, total=len(paths))


def _outcomes(
    function: workers.Function,
    paths: list[Path],
    make: Callable[[workers.Function, list[Path]], Generator[str]],
    out: tuple[Path, dict[str, Any], bool, Current | None] | None,
) -> Iterator[Outcome]:
    identities = [_identity(path) for path in paths]
    with contextlib.ExitStack() as stack:
        journal = stack.enter_context(open_journal(*out)) if out else None
        todo = [
            path
            for path, identity in zip(paths, identities, strict=True)
            if journal is None or not journal.has(str(path), identity)
        ]
        made = stack.enter_context(contextlib.closing(make(function, todo)))
        for path, (size, mtime_ns) in zip(paths, identities, strict=True):
            name = str(path)
            if journal is not None and journal.has(name, (size, mtime_ns)):
                yield journal.take(name)
                continue
            came = json.loads(next(made))
            outcome = Outcome(file=name, size=size, mtime_ns=mtime_ns, **came)
            if journal is not None:
                journal.append(outcome)
            yield outcome
        if journal is not None:
            journal.finish()


def _identity(path: Path) -> Identity:
    """Return size and time of change; a file that cannot be read has none, so it is tried again."""
    try:
        about = path.stat()
        return (about.st_size, about.st_mtime_ns) if os.access(path, os.R_OK) else (None, None)
    except OSError:
        return None, None
