"""One function over many files: in parallel, in order, and continued after an interruption.

A file that is broken, that meets a bug, or that crashes its decoder costs only
itself. With ``out`` the outcomes are lines of a journal on disk; what is there
already is taken over instead of computed again.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import pickle
import signal
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from multiprocessing import connection, resource_tracker
from pathlib import Path
from typing import Any

from groove_core.console import set_quiet, track
from groove_core.errors import GrooveError, InputError, UsageError
from groove_core.files import atomic_path, check_writable, dump_json, write_bytes

__all__ = ["SCHEMA", "Outcome", "map_files", "read_settings"]

SCHEMA = "groove.outcomes/1"
WINDOW = 8
"""Files per worker that may be given out ahead of the one whose turn it is."""
STILLBORN = 10
"""Workers that may be killed while they start, as happens where memory is short."""
FINISH_S = 0.5
"""How long workers may go on after an interruption, so that short work is never torn."""
CLEAN_UP_S = 3.0
"""How long the others may take to remove their unfinished files."""
THREADS = (
    "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip
"""Read by numeric libraries (torch reads OMP's) when they start."""

Function = Callable[[Path], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one file; one line of a journal.

    Either `result` or `error` is there. An error has ``kind`` (the class of the
    error; ``OSError``, ``Bug`` or ``WorkerDied``), ``message``, ``hint`` and the ``exit_code``
    that the error has on its own.
    """

    file: str
    size: int | None = None
    """Bytes; None if the file could not be read."""
    mtime_ns: int | None = None
    """When the file was last changed, in nanoseconds since 1970."""
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Give the outcome as one line of a journal holds it."""
        return {k: v for k, v in asdict(self).items() if v is not None or k in ("size", "mtime_ns")}


Current = Callable[[Outcome], bool]


def map_files(
    function: Function,
    files: Sequence[str | os.PathLike[str]],
    *,
    jobs: int = 1,
    out: str | os.PathLike[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    overwrite: bool = False,
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
        With 1 there are none: the work is done in this process, which a
        crashing decoder then takes down.
    out : path of a .jsonl file, optional
        Journal: a header, then one line per file, written as they come. If it exists,
        outcomes of unchanged files (same size and time of change) are taken
        over; bugs, dead workers and errors of the system are tried again. When
        all is done it holds exactly one line per file, in order.
    settings : dict that JSON can hold, optional
        All that the results depend on besides the file; stored in the header.
    overwrite : bool
        Begin anew even if `out` exists.
    current : callable of (Outcome), optional
        Tells of the result of an unchanged file whether it still holds, for example because
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
        If `jobs` is below 1, the function cannot go to other processes, or `out` was made with
        other settings, is another kind of file, is in use, or cannot be written.

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
    if jobs > 1:
        _pickled(function)  # now, not when the first outcome is asked for
    paths = [Path(file) for file in files]
    journal = None if out is None else (Path(out), dict(settings or {}), overwrite, current)
    return track(_outcomes(function, paths, jobs, journal), text, total=len(paths))


def read_settings(out: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Read the settings a journal was made with; None if there is no journal."""
    try:
        with Path(out).open("rb") as stream:
            header = json.loads(stream.readline(2**20))
        settings = header["settings"] if header["schema"] == SCHEMA else None
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return settings if isinstance(settings, dict) else None


def _outcomes(
    function: Function,
    paths: list[Path],
    jobs: int,
    out: tuple[Path, dict[str, Any], bool, Current | None] | None,
) -> Iterator[Outcome]:
    identities = [_identity(path) for path in paths]
    with contextlib.ExitStack() as stack:
        journal = stack.enter_context(_journal(*out)) if out else None
        todo = [
            path
            for path, identity in zip(paths, identities, strict=True)
            if journal is None or not journal.has(_printable(path), identity)
        ]
        made = _here(function, todo) if jobs == 1 else _parallel(function, todo, jobs)
        stack.enter_context(contextlib.closing(made))
        for path, (size, mtime_ns) in zip(paths, identities, strict=True):
            name = _printable(path)
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


_Identity = tuple[int | None, int | None]


def _identity(path: Path) -> _Identity:
    """Give size and time of change; a file that cannot be read has none, so it is tried again."""
    try:
        about = path.stat()
        return (about.st_size, about.st_mtime_ns) if os.access(path, os.R_OK) else (None, None)
    except OSError:
        return None, None


def _printable(text: object) -> str:
    """Write out what UTF-8 cannot hold: names of files may be any bytes."""
    return str(text).encode("utf-8", "backslashreplace").decode()


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
    except (Exception, SystemExit) as error:
        kind, message, code = "Bug", f"This is a bug: {type(error).__name__}: {error}", 1
        hint = "Run it on this file alone with --debug, and report what it prints."
    return _failure(kind, message, hint, code)


def _failure(kind: str, message: str, hint: str, exit_code: int) -> str:
    error = {
        "kind": kind, "message": _printable(message), "hint": _printable(hint),
        "exit_code": exit_code,
    }  # fmt: skip
    return dump_json({"error": error}, indent=None)


def _here(function: Function, paths: list[Path]) -> Generator[str]:
    for path in paths:
        yield _attempt(function, path)


# Workers. Not concurrent.futures: when a process of its pool dies, nobody can tell which
# file it was on. Here every worker has a pipe and one file at a time.


def _pickled(function: Function) -> bytes:
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
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ... lets `finally` blocks run
    set_quiet(True)
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
    def __init__(self, function: bytes) -> None:
        context = multiprocessing.get_context("spawn")  # a fork beside threads may hang
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, function), daemon=True)
        with _for_children():
            self.process.start()
        theirs.close()
        self.ready = False
        self.task: int | None = None

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


def _parallel(function: Function, paths: list[Path], jobs: int) -> Generator[str]:
    pickled = _pickled(function)
    done: dict[int, str] = {}
    workers: list[_Worker] = []
    given = stillborn = 0
    ever_ready = False
    try:
        for wanted in range(len(paths)):
            while len(workers) < min(jobs, len(paths) - wanted):
                workers.append(_Worker(pickled))
            # Collects what is there, and waits only for the one whose turn it is.
            while True:
                for worker in workers:
                    ahead = min(len(paths), wanted + WINDOW * jobs)
                    if worker.ready and worker.task is None and given < ahead:
                        worker.send(given, paths[given])
                        given += 1
                timeout = 0 if wanted in done else None
                pipes = connection.wait([w.pipe for w in workers], timeout)
                for worker in [w for w in workers if w.pipe in pipes]:
                    kind, text = worker.receive()
                    stillborn += kind == "died" and not worker.ready
                    ever_ready |= worker.ready
                    if kind == "failed" or stillborn > (STILLBORN if ever_ready else 0):
                        raise UsageError(
                            f"The worker processes could not start: {text}.",
                            hint="In a script, call it below if __name__ == '__main__': "
                            "and give a function of a module; or use one job.",
                        )
                    if kind == "died":
                        text = _failure(
                            "WorkerDied", f"The worker died on this file ({text}).",
                            "A decoder crashed, or memory ran out: leave the file out.", 1,
                        )  # fmt: skip
                        workers.remove(worker)
                        worker.pipe.close()
                        workers.append(_Worker(pickled))
                    if worker.task is not None:
                        done[worker.task] = text
                        worker.task = None
                if wanted in done:
                    break
            yield done.pop(wanted)
    finally:
        _stop(workers)


def _stop(workers: list[_Worker]) -> None:
    for worker in workers:
        worker.pipe.close()  # ends one that waits, and one that works when its file is done
    _join(workers, FINISH_S)
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


class _Journal:
    """Lines on disk, and where each is; the lines themselves need no memory."""

    def __init__(
        self, path: Path, settings: dict[str, Any], overwrite: bool, current: Current | None
    ) -> None:
        self.path = path
        header = _line({"schema": SCHEMA, "settings": settings})
        if overwrite or not _begun(path, header):
            write_bytes(path, header)
        self.known: dict[str, tuple[_Identity, int]] = {}
        self.order: list[int] = []
        """Where the lines of this run begin."""
        found = read_settings(path)
        if found != json.loads(header)["settings"]:
            what = "is another kind of file" if found is None else "was made with other settings"
            raise UsageError(
                f"{path} {what}.",
                hint="--overwrite to begin anew, or another --out to keep it.",
            )
        self.stream = path.open("r+b")
        self.begin = self.end = len(self.stream.readline())
        for line in self.stream:
            if not line.endswith(b"\n"):
                break  # the process that wrote it was killed
            with contextlib.suppress(ValueError, TypeError, KeyError):
                outcome = Outcome(**json.loads(line))
                if outcome.error:
                    holds = _stays(outcome.error)
                else:
                    holds = current is None or current(outcome)
                if holds:
                    identity = outcome.size, outcome.mtime_ns
                    self.known[outcome.file] = identity, self.end
            self.end += len(line)
        self.stream.truncate(self.end)

    def close(self) -> None:
        self.stream.close()

    def has(self, file: str, identity: _Identity) -> bool:
        return None not in identity and self.known.get(file, (None, 0))[0] == identity

    def take(self, file: str) -> Outcome:
        start = self.known[file][1]
        self.order.append(start)
        self.stream.seek(start)
        return Outcome(**json.loads(self.stream.readline()))

    def append(self, outcome: Outcome) -> None:
        line = _line(outcome.to_json())
        self.order.append(self.end)
        try:
            self.stream.seek(self.end)
            self.stream.write(line)
            self.stream.flush()
        except OSError as error:
            raise UsageError(
                f"Cannot write to {self.path}: {error.strerror}.",
                hint="Make room, and run the same again: it continues where it stopped.",
            ) from error
        self.end += len(line)

    def finish(self) -> None:
        """Leave exactly one line per file, in order."""
        position = self.begin
        for start in self.order:
            if start != position:
                break
            self.stream.seek(start)
            position += len(self.stream.readline())
        else:
            if position == self.end:
                return
        with atomic_path(self.path) as temporary, temporary.open("wb") as copy:
            for start in [0, *self.order]:
                self.stream.seek(start)
                copy.write(self.stream.readline())


def _begun(path: Path, header: bytes) -> bool:
    """Tell whether there is more than (a part of) the header."""
    if not path.exists():
        return False
    try:
        with path.open("rb") as stream:
            return not header.startswith(stream.read(len(header) + 1))
    except OSError as error:
        raise UsageError(
            f"{path} is not a file that can be read: {error.strerror}.", hint="Give another --out."
        ) from error


def _line(document: dict[str, Any]) -> bytes:
    return dump_json(document, indent=None).encode("utf-8", "backslashreplace")


def _stays(error: dict[str, Any]) -> bool:
    """Tell whether an unchanged file will fail again, as a broken one does."""
    return bool(error["exit_code"] == InputError.exit_code and error["kind"] != "OSError")


@contextlib.contextmanager
def _journal(
    path: Path, settings: dict[str, Any], overwrite: bool, current: Current | None
) -> Iterator[_Journal]:
    """Open a journal for this process alone."""
    import sqlite3

    check_writable(path.parent)
    path.parent.mkdir(parents=True, exist_ok=True)
    # SQLite locks files on every system, and its locks end with the process,
    # even with one that was killed; a file with a process id in it would outlive it.
    lock = path.with_name(f".{path.name}.lock")
    holder = sqlite3.connect(lock, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        try:
            holder.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise UsageError(
                f"{path} is in use by another process.", hint="Wait for it, or give another --out."
            ) from error
        try:
            with contextlib.closing(_Journal(path, settings, overwrite, current)) as journal:
                yield journal
        finally:
            with contextlib.suppress(OSError):  # Windows removes no open file
                lock.unlink()
    finally:
        holder.close()
