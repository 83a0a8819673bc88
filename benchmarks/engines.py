"""What an engine costs a file, beside concurrent.futures and Ray tasks by hand.

    python benchmarks/engines.py                        # 5,000 files, with Ray if it is installed
    python benchmarks/engines.py --memory               # the driver, with up to a million names

The function does nothing, so what is left is the way there and back. By hand, the function returns
the JSON that a journal keeps, and nothing is written; ours has the order, the journal's line and
what to do if a worker dies. Start-up is told apart: it is the time to the first outcome.
"""

from __future__ import annotations

import argparse
import functools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from pairs import show, spread

from groove_core.batch import map_files
from groove_core.batch.attempts import attempt

os.environ |= {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ADDRESS": "local",  # whatever runs on this computer
    "PYTHONPATH": str(Path(__file__).parent),  # where other processes find the functions
}
CHUNK = 64
SIZES = (1_000, 100_000, 1_000_000)
HEAD = 8
"""First outcomes, which wait for the workers to start."""


def nothing(path: Path) -> dict[str, int]:
    """Return the length of the name."""
    return {"letters": len(path.name)}


CALL = functools.partial(attempt, nothing)


def ours(engine: str, jobs: int) -> Callable[[list[Path]], Iterator[object]]:
    """Return outcomes of `map_files`."""
    return lambda files: map_files(nothing, files, jobs=jobs, engine=engine)


def pool(jobs: int, chunk: int) -> Callable[[list[Path]], Iterator[object]]:
    """Return what concurrent.futures does."""

    def run(files: list[Path]) -> Iterator[object]:
        with ProcessPoolExecutor(jobs, get_context("spawn")) as executor:
            for part in (files[:HEAD], files[HEAD:]):
                if chunk == 1:
                    waiting = [executor.submit(CALL, path) for path in part]
                    yield from (one.result() for one in waiting)
                else:
                    yield from executor.map(CALL, part, chunksize=chunk)

    return run


def tasks(jobs: int, chunk: int) -> Callable[[list[Path]], Iterator[object]]:
    """Return what someone does who writes for Ray by hand."""

    def run(files: list[Path]) -> Iterator[object]:
        import ray

        ray.init("local", num_cpus=jobs, include_dashboard=False, log_to_driver=False,
                 logging_level="ERROR")  # fmt: skip

        @ray.remote
        def one(path: Path) -> str:
            return CALL(path)

        @ray.remote
        def many(paths: list[Path]) -> list[str]:
            return [CALL(path) for path in paths]

        for part in (files[:HEAD], files[HEAD:]):
            if chunk == 1:
                yield from ray.get([one.remote(path) for path in part])
            else:
                starts = range(0, len(part), chunk)
                for texts in ray.get([many.remote(part[i : i + chunk]) for i in starts]):
                    yield from texts
        ray.shutdown()

    return run


def timed(run: Callable[[list[Path]], Iterator[object]], files: list[Path]) -> tuple[float, float]:
    """Return seconds to the first outcomes, and milliseconds a file from there on."""
    start = time.perf_counter()
    outcomes = iter(run(files))
    for _ in range(HEAD):
        next(outcomes)
    first = time.perf_counter()
    assert sum(1 for _ in outcomes) == len(files) - HEAD
    return first - start, (time.perf_counter() - first) / (len(files) - HEAD) * 1e3


def speeds(count: int, rounds: int, jobs: int, *, with_ray: bool) -> list[dict]:
    """Time each way in turn, over and over."""
    ways = {
        "local: 1 job, no process": ours("local", 1),
        f"local: {jobs} jobs": ours("local", jobs),
        f"concurrent.futures: {jobs} processes, one by one": pool(jobs, 1),
        f"concurrent.futures: {jobs} processes, {CHUNK} at a time": pool(jobs, CHUNK),
    }
    if with_ray:
        ways |= {
            f"ray: {jobs} CPUs": ours("ray", jobs),
            f"Ray tasks by hand: {jobs} CPUs, one by one": tasks(jobs, 1),
            f"Ray tasks by hand: {jobs} CPUs, {CHUNK} at a time": tasks(jobs, CHUNK),
        }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, f"{number}.wav") for number in range(count)]
        for path in files:
            path.touch()
        for _ in range(rounds):
            for name, run in ways.items():
                found[name].append(timed(run, files))
    rows = []
    for name, values in found.items():
        starts, each = (spread(column) for column in zip(*values, strict=True))
        rows.append({"name": name, "start-up, s": starts, "a file, ms": each})
    peers = (
        (f"local: {jobs} jobs", f"concurrent.futures: {jobs} processes, one by one"),
        (
            f"ray: {jobs} CPUs",
            f"Ray tasks by hand: {jobs} CPUs, one by one",
        ),
    )
    for mine, theirs in peers[: 1 + with_ray]:
        ratios = [a / b for (_, a), (_, b) in zip(found[mine], found[theirs], strict=True)]
        rows.append({"name": f"{mine} / {theirs}", "times its time": spread(ratios)})
    return rows


def memory(engine: str, jobs: int, count: int) -> dict:
    """Map over made-up names in a process of its own; return how much memory it had at most."""
    start = time.perf_counter()
    code = (
        "import sys, resource, tempfile\n"
        "from engines import made_up, nothing\n"
        "from groove_core.batch import map_files\n"
        "if __name__ == '__main__':\n"
        "    with tempfile.TemporaryDirectory() as folder:\n"
        f"        found = map_files(nothing, made_up({count}), engine={engine!r}, jobs={jobs},\n"
        "                          out=folder + '/out.jsonl')\n"
        f"        assert sum(1 for _ in found) == {count}\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    with tempfile.NamedTemporaryFile("w", suffix=".py") as script:  # spawned processes read it
        script.write(code)
        script.flush()
        done = subprocess.run(
            [sys.executable, script.name], check=True, stdout=subprocess.PIPE, text=True
        )
    return {
        "name": f"{engine}, {jobs} jobs: {count:,} names",
        "driver, MB": float(done.stdout) / 1e3,
        "a file, ms": (time.perf_counter() - start) / count * 1e3,
    }


def made_up(count: int) -> Iterator[str]:
    """Yield names of files that are not there."""
    for number in range(count):
        yield f"/nowhere/{number // 1000:04d}/song-{number:07d}.wav"


def main() -> None:
    """Measure what was asked for, and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--memory", action="store_true", help="of the driver, instead of speed")
    parser.add_argument("--most", type=int, default=SIZES[-1], help="names at most, for --memory")
    parser.add_argument("--engine", help="only this one, for --memory")
    parser.add_argument("--no-ray", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with_ray = not options.no_ray
    if options.memory:
        engines = [options.engine] if options.engine else ["local", *["ray"] * with_ray]
        rows = [
            memory(engine, options.jobs, count)
            for engine in engines
            for count in SIZES
            if count <= options.most
        ]
    else:
        rows = speeds(options.files, options.rounds, options.jobs, with_ray=with_ray)
    show("Engines", rows, as_json=options.json)


if __name__ == "__main__":
    import engines  # as a module, whose functions other processes and nodes can import

    engines.main()
