"""What every engine for many files must pass."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from groove_core.batch.attempts import attempt, hung
from groove_core.batch.engines import Engine, Job
from groove_core.errors import InputError

__all__ = ["check_engine", "trial"]

LIMIT_S = 1.0
"""Time that a file of a trial may take, and that one with ``beat`` takes."""
PATIENCE_S = 120.0
NAP_S = 0.1
BEAT_S = 0.05


def trial(path: Path) -> dict[str, Any]:
    """Do what the name of a file says behind its hyphen; return its text.

    ``input`` raises an `InputError`, ``bug`` another error; ``crash`` ends the process by a
    signal, ``hang`` never ends, in C code that nothing interrupts; ``nap`` takes a tenth of a
    second; ``beat`` goes on for a second and writes to the file all the time.
    """
    word = path.stem.partition("-")[2]
    if word == "input":
        raise InputError(f"{path} is broken.", hint="Mend it.")
    if word == "bug":
        raise KeyError(path.name)
    if word == "crash":
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    if word == "hang":
        sum(range(10**13))
    if word == "nap":
        time.sleep(NAP_S)
    if word == "beat":
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end:
            path.write_text(f"{path.read_text()}.")
            time.sleep(BEAT_S)
    return {"text": path.read_text()}


def check_engine(opened: Callable[[Job], Engine], *, isolates: bool = True) -> None:
    """Check an engine of `groove_core.batch.engines` on small files of this computer.

    Parameters
    ----------
    opened : callable of (Job), giving an Engine
        What the entry point names.
    isolates : bool
        Whether files are in other processes, so that a crash or a hang costs one file only.

    Raises
    ------
    AssertionError
        If something is not as it must be. The message says what.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _check_answers(opened, folder)
        _check_numbers(opened, folder)
        if isolates:
            _check_losses(opened, folder)
        _check_end(opened, folder)


def _check_answers(opened: Callable[[Job], Engine], folder: Path) -> None:
    """Check that every file is answered once, by its number, with what the function returned."""
    words = ["ok", "input", "bug", *["ok"] * 12, "missing"]
    files = _files(folder, words)
    files[-1].unlink()
    call = functools.partial(attempt, trial)
    with _engine(opened, Job(call=call, jobs=2)) as engine:
        assert not list(engine.collect(wait=False)), "It answers before it was asked."
        found = _ask(engine, files)
    wanted = {number: call(path) for number, path in enumerate(files)}
    for number, text in wanted.items():
        assert found[number] == text, f"{files[number]}: {found[number]} instead of {text}"


def _check_numbers(opened: Callable[[Job], Engine], folder: Path) -> None:
    """Check that it takes as many files as it says, and works on no more than it may at a time."""
    call = functools.partial(attempt, _timed)
    with _engine(opened, Job(call=call, jobs=2)) as engine:
        files = _files(folder, ["ok"] * 12)
        start = time.monotonic()
        for number, path in enumerate(files[: engine.window]):
            engine.submit(number, path)
        assert time.monotonic() < start + 10 * NAP_S, "submit waits."
        found = _ask(engine, files, given=min(len(files), engine.window))
    times = [json.loads(text)["result"]["at"] for text in found.values()]
    for begin, _ in times:
        at_once = sum(start <= begin < end for start, end in times)
        assert at_once <= 2, f"{at_once} files at a time, and jobs=2."


def _timed(path: Path) -> dict[str, Any]:
    start = time.time()
    time.sleep(NAP_S)
    return {"at": [start, time.time()]}


def _check_losses(opened: Callable[[Job], Engine], folder: Path) -> None:
    """Check that a crash and a hang are named, and cost one file each."""
    words = [*["ok"] * 5, "crash", "ok", "hang", *["ok"] * 5]
    files = _files(folder, words)
    job = Job(call=functools.partial(attempt, trial), jobs=2, timeout_s=LIMIT_S)
    with _engine(opened, job) as engine:
        found = _ask(engine, files)
    for number, word in enumerate(words):
        about = f"{files[number]}: {found[number]}"
        if word == "ok":
            assert found[number] == job.call(files[number]), about
        elif word == "hang":
            assert found[number] == hung(LIMIT_S), about
        else:
            assert json.loads(found[number])["error"]["kind"] == "WorkerDied", about


def _check_end(opened: Callable[[Job], Engine], folder: Path) -> None:
    """Check that nothing goes on behind `close`."""
    files = _files(folder, ["beat"] * 20)
    before = [path.stat().st_size for path in files]
    with _engine(opened, Job(call=functools.partial(attempt, trial), jobs=2)) as engine:
        given = files[: engine.window]
        for number, path in enumerate(given):
            engine.submit(number, path)
        start = time.monotonic()
        while before == [path.stat().st_size for path in files]:
            engine.collect(wait=engine.window == 1)
            assert time.monotonic() < start + PATIENCE_S, "No file was begun."
            time.sleep(BEAT_S)
    left = [path.stat().st_size for path in files]
    time.sleep(4 * BEAT_S)
    assert left == [path.stat().st_size for path in files], "It goes on after close()."
    if len(given) > 4:
        last = given[-1].stat().st_size
        assert last == before[len(given) - 1], "close() did all that was left."


@contextlib.contextmanager
def _engine(opened: Callable[[Job], Engine], job: Job) -> Iterator[Engine]:
    with contextlib.closing(opened(job)) as engine:
        assert isinstance(engine, Engine), f"{type(engine).__name__} is not an Engine."
        yield engine


def _files(folder: Path, words: list[str]) -> list[Path]:
    files = [folder / f"{number:03d}-{word}" for number, word in enumerate(words)]
    for path in files:
        path.write_text(f"text of {path.name}")
    return files


def _ask(engine: Engine, files: list[Path], given: int = 0) -> dict[int, str]:
    """Ask for all files, as `groove_core.batch.map_files` does."""
    found: dict[int, str] = {}
    end = time.monotonic() + PATIENCE_S
    for turn in range(len(files)):
        while turn not in found:
            while given < min(len(files), turn + engine.window):
                engine.submit(given, files[given])
                given += 1
            for number, text in engine.collect(wait=True):
                assert 0 <= number < given, f"An answer to {number}, which it was not asked."
                assert number not in found, f"Two answers to {files[number]}."
                found[number] = text
            assert time.monotonic() < end, f"No answer to {files[turn]}."
    assert not list(engine.collect(wait=False)), "Answers that nobody asked for."
    return found
