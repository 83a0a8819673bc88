"""Notes drawn side by side, as fast as a processor does it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

import torch

__all__ = ["BATCH", "seeds_of", "side_by_side"]

BATCH, MAX_THREADS = 2, 8
"""Notes drawn together, and how often at once; with more, pictures leave the processor's cache."""

T = TypeVar("T")


def seeds_of(count: int, seed: int) -> list[int]:
    """Return a seed for each batch, so that what it draws does not depend on the others."""
    generator = torch.Generator().manual_seed(seed)
    seeds: list[int] = torch.randint(2**62, (count,), generator=generator).tolist()
    return seeds


def side_by_side(make: Callable[[int], T], count: int) -> Iterator[T]:
    """Call a function with 0, 1 ... on several threads, and yield what it makes in order.

    Torch computes each call on one thread: several would wait for each other after every small
    layer. The number of threads of the caller stays as it is.
    """
    if not count:
        return
    threads = torch.get_num_threads()
    workers = min(threads, MAX_THREADS, count)
    ready = Barrier(workers + 1)

    def begin() -> None:
        torch.get_num_threads()  # a thread that never asked is given the common number later
        torch.set_num_threads(1)  # of this thread, and of those that are begun after it
        ready.wait()

    pool = ThreadPoolExecutor(workers, initializer=begin)
    try:
        made = pool.map(make, range(count))
        ready.wait()
        torch.set_num_threads(threads)
        yield from made
    finally:
        ready.abort()  # so that nobody waits where not all could begin
        pool.shutdown(cancel_futures=True)
