"""Measuring in pairs: each runs in turn, A B A B ..., and the median of the pairwise ratios counts.

A machine that slows down in between slows both.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable

REST_S = 0.3
"""Before each call: the threads of a BLAS go on spinning for a while and would slow the next."""


def seconds(run: Callable[[], object]) -> float:
    """Time one call."""
    time.sleep(REST_S)
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def pair(name: str, ours: Callable[[], object], peer: Callable[[], object], rounds: int) -> dict:
    """Run both in turn and give medians and their ratio."""
    ours(), peer()  # warm the disk
    times = [(seconds(ours), seconds(peer)) for _ in range(rounds)]
    return {
        "name": name,
        "ours_s": round(statistics.median(a for a, _ in times), 4),
        "peer_s": round(statistics.median(b for _, b in times), 4),
        "ratio": round(statistics.median(a / b for a, b in times), 3),
    }


def show(rows: list[dict], *, as_json: bool) -> None:
    """Print rows, for people or for programs."""
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        print("  ".join(f"{k} {v}" if k != "name" else f"{v:60}" for k, v in row.items()))
