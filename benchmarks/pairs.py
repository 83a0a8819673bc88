"""Measuring in pairs: each runs in turn, A B A B ..., and the pairwise ratios count.

A machine that slows down in between slows both. What is told is the median with the range from the
lowest to the highest of all rounds, and the processor and threads that gave it.
"""

from __future__ import annotations

import os
import platform
import re
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from groove_core.storage.files import dump_json
from groove_core.values import Estimate, Report

REST_S = 0.3
"""Before each call: the threads of a BLAS go on spinning for a while and would slow the next."""
FEWEST = 3
"""Rounds, for a range."""


def seconds(run: Callable[[], object]) -> float:
    """Time one call."""
    time.sleep(REST_S)
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def spread(values: Sequence[float]) -> Estimate:
    """Return the median of measurements and their range, as an interval."""
    return Estimate(statistics.median(values), min(values), max(values))


def times(run: Callable[[], object], rounds: int) -> Estimate:
    """Time several calls, after one that warms up [seconds]."""
    run()
    return spread([seconds(run) for _ in range(max(FEWEST, rounds))])


def pair(
    name: str,
    ours: Callable[[], object],
    peer: Callable[[], object],
    rounds: int,
    *,
    faster: bool = False,
) -> dict:
    """Run both in turn, and say how many times the time of the peer ours takes.

    With `faster`, how many times as fast it is.
    """
    ours(), peer()  # warm the disk
    taken = [(seconds(ours), seconds(peer)) for _ in range(max(FEWEST, rounds))]
    mine, theirs = (spread(column) for column in zip(*taken, strict=True))
    ratios = spread([b / a if faster else a / b for a, b in taken])
    what = "times as fast" if faster else "times its time"
    return {"name": name, "ours, s": mine, "peer, s": theirs, what: ratios}


def processor() -> str:
    """Name the processor and how many threads a computation may take."""
    try:
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    name = found[1] if found else platform.processor() or platform.machine()
    import torch

    return f"{name}, {os.cpu_count()} cores, {torch.get_num_threads()} threads of torch"


def table(title: str, rows: Sequence[dict]) -> Report:
    """Put rows into a report: a column for everything that one of them has."""
    columns = dict.fromkeys(key for row in rows for key in row if key != "name")
    return Report(
        title,
        ("", *columns),
        [(row["name"], *map(row.get, columns)) for row in rows],
        notes=(
            f"Measured on {processor()}.",
            "Each figure is the median of the rounds; ± is the wider side of the range from the "
            "lowest to the highest. The files have both.",
        ),
    )


def show(title: str, rows: Sequence[dict], *, as_json: bool) -> None:
    """Print rows with their ranges, for people or for programs."""
    report = table(title, rows)
    print(dump_json(report.to_json()) if as_json else report.to_text())
