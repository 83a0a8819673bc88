"""Where a function is called on files: here, in processes of this computer, or elsewhere.

An engine is told of files by number and gives their answers back, in any order. All else is the
core's: journals, order, what is known already, counting, progress. A package brings an
engine by an entry point in ``groove.engines.v1``, whose name is the word after ``--engine``, and
which is a function of one `Job`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Protocol, runtime_checkable

__all__ = ["LOCAL", "Engine", "Job", "jobs_of"]

LOCAL = "local"
"""The engine of this computer, and the default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What an engine is asked for."""

    call: Callable[[PurePath], str]
    """What to call on each file. It can be pickled, catches what the file is to blame for, and
    returns JSON, which goes back as it is."""
    jobs: int | None = None
    """Files worked on at a time; None for as many as the engine thinks right."""
    timeout_s: float = math.inf
    """Seconds that one file may take."""
    gpus: float = 0.0
    """Share of a GPU that one file needs while it is worked on."""
    address: str = ""
    """What was asked for, for example ``ray://head:10001``."""


@runtime_checkable
class Engine(Protocol):
    """Calls a function on files, somewhere.

    Used by one thread. What stops the whole job (no cluster, another version on a node) is
    raised as a `GrooveError`; what one file is to blame for is the answer of that file,
    see `groove_core.batch.attempts`.
    """

    @property
    def window(self) -> int:
        """How many files may be given out beyond the first one that is not answered."""

    def submit(self, number: int, path: PurePath) -> None:
        """Take a file. Does not wait."""

    def collect(self, *, wait: bool) -> Iterable[tuple[int, str]]:
        """Return answers by number; with `wait`, not before something has happened.

        Nothing, or files that nobody waits for yet, may come back even then: it is called again.
        """

    def close(self) -> None:
        """Stop what still runs and leave nothing behind; after the last file, or after Ctrl-C."""


def jobs_of(jobs: int | None, engine: str, *, few: bool = False) -> int | None:
    """Return the jobs of an action that says ``Jobs``: two here, or one for few files."""
    return (1 if few else 2) if jobs is None and engine == LOCAL else jobs
