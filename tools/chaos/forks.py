"""Runs of the groove command in forks of one process that has imported everything already.

A command takes a second to start and a tenth of one to work, so thousands of runs are only
affordable without the start. Needs a system that forks: Linux.
"""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
import resource
import shlex
import signal
import struct
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

__all__ = ["Child", "Ended", "hidden", "run", "scratch", "snapshot"]

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.link", "os.symlink"}
"""Audit events beside ``open`` that change a file system."""
ASKING = {signal.SIGINT, signal.SIGTERM}
FULL = 0
"""Instead of a signal: from this operation on the disk is full."""
HANGS_S = 120.0
BEYOND_MB = 4096
"""Address space that a run may take; its memory is measured, this only saves the machine."""


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    code: int
    """Exit code; negative: the signal that ended it."""
    stdout: str
    stderr: str
    operations: int
    """Changes of the file system below its folder that it attempted."""
    grown_mb: float
    """Most memory that it held, beyond what was imported."""
    wall_s: float
    processor_s: float

    @property
    def complaint(self) -> str:
        """What no run may say or do, whatever is done to it."""
        for word in ("This is a bug", "Traceback"):
            if word in self.stderr:
                return next(line for line in self.stderr.splitlines() if word in line)
        if self.wall_s >= HANGS_S:
            return "It hangs."
        # `groove map` and `groove data check` list what is wrong with which file.
        told = self.stderr.count("error: ") == 1 or (self.code == 4 and self.stdout)
        if 0 < self.code < 128 and not told:
            return f"Exit code {self.code} without one error: {self.stderr[-200:]!r}"
        return ""


class Child:
    """A run that has begun."""

    def __init__(
        self, command: str, folder: Path, *, at: int = 0, end: signal.Signals | int = FULL
    ) -> None:
        self._shared = mmap.mmap(-1, 16)
        self._said = [tempfile.TemporaryFile() for _ in range(2)]  # noqa: SIM115
        self._began_s = time.monotonic()
        sys.stdout.flush()
        sys.stderr.flush()
        # Until it handles them, as a command does from its beginning.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ASKING)
        self.pid = os.fork()
        if self.pid:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        else:
            self._be(shlex.split(command), folder.resolve(), at, end)

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            os.kill(self.pid, number)

    def wait(self) -> Ended:
        """Wait for its end; a run that hangs is killed."""
        pause_s = 0.001
        while True:
            pid, status, used = os.wait4(self.pid, os.WNOHANG)
            wall_s = time.monotonic() - self._began_s
            if pid:
                break
            if wall_s > HANGS_S:
                os.kill(self.pid, signal.SIGKILL)
            time.sleep(pause_s)
            pause_s = min(0.02, pause_s * 1.5)
        stdout, stderr = (self._text(said) for said in self._said)
        operations, grown_kb = struct.unpack("qq", self._shared[:16])
        self._shared.close()
        return Ended(
            os.waitstatus_to_exitcode(status),
            stdout,
            stderr,
            operations,
            grown_kb / 1024,
            wall_s,
            used.ru_utime + used.ru_stime,
        )

    def _text(self, said: IO[bytes]) -> str:
        with said:
            said.seek(0)
            return said.read().decode("utf-8", "replace")

    def _be(self, arguments: list[str], folder: Path, at: int, end: signal.Signals | int) -> None:
        code = 1
        try:
            with Path(os.devnull).open("rb") as nothing:
                os.dup2(nothing.fileno(), 0)
            for number, said in enumerate(self._said, 1):
                os.dup2(said.fileno(), number)
            os.chdir(folder)
            os.environ["GROOVE_HOME"] = str(folder / "home")
            limit = _memory_kb("VmSize") * 1024 + BEYOND_MB * 2**20
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
            before_kb = _memory_kb("VmRSS")
            sys.addaudithook(self._watch(str(folder), at, end))
            from groove_core.cli import main

            sys.argv = ["groove", *arguments]

            try:
                main()
            except SystemExit as done:
                code = int(done.code or 0)
            sys.stdout.flush()
            sys.stderr.flush()
            self._shared[8:16] = struct.pack("q", max(0, _memory_kb("VmHWM") - before_kb))
        finally:
            os._exit(code)

    def _command(self, arguments: list[str]) -> int:
        from groove_core.cli import app
        from groove_core.console import own_streams
        from groove_core.endings import Endings

        own_streams()
        handled = Endings.watched

        @contextmanager
        def watched(endings: Any) -> Iterator[None]:
            with handled(endings):
                signal.pthread_sigmask(signal.SIG_UNBLOCK, ASKING)
                try:
                    yield
                finally:
                    signal.pthread_sigmask(signal.SIG_BLOCK, ASKING)

        Endings.watched = watched  # type: ignore[assignment, method-assign]
        code = app.run_cli(arguments)
        sys.stdout.flush()
        sys.stderr.flush()
        return code

    def _watch(self, folder: str, at: int, end: signal.Signals | int) -> Any:
        count = 0

        def hook(event: str, about: tuple[Any, ...]) -> None:
            nonlocal count
            if event == "open":
                if not about[2] & WRITING:
                    return
            elif event not in CHANGES:
                return
            path = about[0]
            if not isinstance(path, str | bytes | os.PathLike):
                return
            name = os.fsdecode(path)
            if name.startswith("/") and not name.startswith(folder):
                return
            count += 1
            self._shared[:8] = struct.pack("q", count)
            if not at or count < at:
                return
            if end == FULL:
                if event in ("open", "os.mkdir"):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)
            elif count == at:
                os.kill(os.getpid(), end)

        return hook


def run(command: str, folder: Path, *, at: int = 0, end: signal.Signals | int = FULL) -> Ended:
    """Run a command in a folder, and end it at one of its operations on files if `at` is not 0."""
    return Child(command, folder, at=at, end=end).wait()


def snapshot(folder: Path) -> dict[str, str]:
    """Return a hash of each file below a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def hidden(folder: Path) -> list[str]:
    """Return what is hidden below a folder: files that were to be moved or removed."""
    return [
        path.relative_to(folder).as_posix()
        for path in sorted(folder.rglob("*"))
        if path.name.startswith(".") and path.name != ".github" and path.name != ".gitignore"
    ]


@contextmanager
def scratch() -> Iterator[Path]:
    """Make a folder for the time of a block."""
    with tempfile.TemporaryDirectory(prefix="groove-chaos-") as folder:
        yield Path(folder)


def _memory_kb(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    return 0
