"""Kill, race, fill and mutate: what people and machines do to long runs, by the thousand.

    python tools/chaos              # all of it, as at night
    python tools/chaos --short      # a few of each: a minute

All that is drawn comes from --seed, so that a failure can be seen again. Exits with 1 if anything
was lost or left behind, ended wrongly, took too much memory or touched what it must not. Linux.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import pickle
import random
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # threads do not survive a fork

import kills
import mutants
import races
import reruns
from forks import scratch
from tally import WRONG, Tally

Part = tuple[str, Callable[[], Tally]]
PARTS = ("kills", "races", "parallel", "mutants", "reruns")


def parts(options: argparse.Namespace) -> list[Part]:
    """Cut the work into parts that run side by side, by the name under which they count."""
    seed, short = options.seed, options.short
    found: list[Part] = []
    for case in kills.CASES:
        operations = options.operations or (3 if short else -1)
        moments = (options.kills or (10 if short else 600)) // len(kills.CASES)
        found.append(("kills", partial(kills.trials, case, operations, moments, seed)))
    for number, race in enumerate(races.RACES):
        count = _share(options.races or (6 if short else 50), len(races.RACES), number)
        found.append(("races", partial(races.trials, race, count, seed)))
    for number, kind in enumerate(mutants.KINDS):
        count = _share(options.mutants or (24 if short else 2000), len(mutants.KINDS), number)
        found.append(("mutants", partial(mutants.trials, kind, count, seed)))
    found.append(("parallel", partial(races.parallel, 4 if short else races.SIDE_BY_SIDE)))
    found.append(("reruns", partial(reruns.trials, options.reruns or (8 if short else 40), seed)))
    return [part for part in found if part[0] in (options.only or PARTS)]


def _share(total: int, among: int, number: int) -> int:
    return total * (number + 1) // among - total * number // among


def warm(folder: Path) -> None:
    """Run here what the trials run, so that forks have nothing left to import."""
    from groove_core.cli.app import run_cli

    home, silent = Path.cwd(), io.StringIO()
    commands = [c for case in kills.CASES for c in (*case.earlier, case.command)]
    commands += [command.format(kind.file) for kind in mutants.KINDS for command in kind.commands]
    mutants.begin(folder)
    material_of_training = kills.Case("train", "")
    kills.begin(material_of_training, folder)
    os.chdir(folder)
    with contextlib.redirect_stdout(silent), contextlib.redirect_stderr(silent):
        for command in dict.fromkeys(commands):
            run_cli(command.split())
    os.chdir(home)


def side_by_side(found: list[Part], jobs: int) -> dict[str, Tally]:
    """Run the parts in forks, some at a time, and add up their counts."""
    tallies = {name: Tally() for name, _ in found}
    running: dict[int, tuple[str, Path]] = {}
    with scratch() as folder:
        for number, (name, part) in enumerate(found):
            if len(running) == jobs:
                _collect(running, tallies)
            path = folder / str(number)
            sys.stdout.flush()
            if pid := os.fork():
                running[pid] = name, path
                continue
            try:
                path.write_bytes(pickle.dumps(part()))
                os._exit(0)
            except BaseException:
                import traceback

                traceback.print_exc()
            finally:
                os._exit(1)
        while running:
            _collect(running, tallies)
    return tallies


def _collect(running: dict[int, tuple[str, Path]], tallies: dict[str, Tally]) -> None:
    pid, status = os.wait()
    name, path = running.pop(pid)
    if status:
        tallies[name].wrong("wrong end", "the trials themselves failed, see above")
    else:
        tally = pickle.loads(path.read_bytes())
        print(tally.to_text(f"  {name}"), file=sys.stderr, flush=True)
        tallies[name] += tally


def main(arguments: list[str] | None = None) -> int:
    """Run the parts and print their counts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="a few of each")
    parser.add_argument("--seed", type=int, default=1, help="seed of all that is drawn")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="parts at a time")
    parser.add_argument("--only", choices=PARTS, action="append", help="this part alone")
    parser.add_argument("--operations", type=int, help="of each command, at which it is ended")
    parser.add_argument("--kills", type=int, help="commands ended at random moments")
    parser.add_argument("--races", type=int, help="races of eight processes")
    parser.add_argument("--mutants", type=int, help="damaged files")
    parser.add_argument("--reruns", type=int, help="hostile documents")
    options = parser.parse_args(arguments)
    begun_s = time.monotonic()
    with scratch() as folder:
        warm(folder)
    found = parts(options)
    random.Random(options.seed).shuffle(found)
    tallies = side_by_side(found, options.jobs)
    for name, tally in sorted(tallies.items()):
        print(tally.to_text(name))
    print(f"seed {options.seed}, {time.monotonic() - begun_s:.0f} s")
    return int(any(tally.counts[what] for tally in tallies.values() for what in WRONG))


if __name__ == "__main__":
    sys.exit(main())
