"""Many processes in one place at once."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

import kills
from forks import Child, hidden, scratch, snapshot
from tally import Tally

__all__ = ["RACES", "Race", "parallel", "trials"]

RUNNERS = 8
SIDE_BY_SIDE = 16
WITHOUT_OUT = (
    "run drum-space sample --count 2 --seed 1 --format mid",
    "run groove-vae fingerprint beats --format json",
    "run drum-space encode beats/000.mid --format json",
)


@dataclass(frozen=True)
class Race:
    """A command that several processes run at once, all in one place."""

    name: str
    command: str
    earlier: tuple[str, ...] = ()
    result: str = "o"
    """Folder whose files are the same whoever wins."""


RACES = (
    Race("one --out", "run drum-space sample --count 2 --seed 1 --format mid --out o"),
    Race(
        "one --out, --overwrite",
        "run drum-space sample --count 2 --seed 2 --format mid --out o --overwrite",
        ("run drum-space sample --count 3 --seed 1 --format mid,txt --out o",),
    ),
    Race(
        "rerun --overwrite",
        "rerun o/result.json --overwrite",
        ("run drum-space sample --count 3 --seed 1 --format mid --out o",),
    ),
    Race("map", "map drum-space encode beats --out m --format json", result="m"),
    Race("index", "run music-recsys index songs --into c --jobs 1 --json", result="c"),
    Race("new", "new tabla --into n", result="n"),
)


def trials(race: Race, count: int, seed: int) -> Tally:
    """Let several processes run the same command in the same place, starting almost together."""
    generator = random.Random(f"{seed} {race.name}")
    tally = Tally()
    for number in range(count):
        with scratch() as folder:
            alone, here = folder / "alone", folder / "here"
            for place in (alone, here):
                kills.begin(kills.Case(race.name, race.command, race.earlier), place)
            wanted = Child(race.command, alone).wait()
            assert wanted.code == 0, (race, wanted)
            runners = []
            for _ in range(RUNNERS):
                runners.append(Child(race.command, here))
                time.sleep(generator.uniform(0, 0.03))
            ended = [runner.wait() for runner in runners]
            tally.counts["races"] += 1
            about = f"{race.name}, race {number}"
            for one in ended:
                late = any(w in one.stderr for w in ("in use", "exists already", "not empty"))
                if one.complaint or (one.code and not (one.code == 2 and late)):
                    tally.wrong("wrong end", f"{about}: exit code {one.code}: {one.stderr[-300:]}")
            if all(one.code for one in ended):
                tally.wrong("lost", f"{about}: nobody won")
            if left := hidden(here):
                tally.wrong("left behind", f"{about}: {left}")
            found, expected = snapshot(here / race.result), snapshot(alone / race.result)
            for name in ("results.jsonl", "songs.json", "journal.jsonl"):  # these hold times
                found, expected = found | {name: ""}, expected | {name: ""}
            if found != expected:
                tally.wrong("lost", f"{about}: {kills.difference(expected, found)}")
    return tally


def parallel(count: int) -> Tally:
    """Run actions without ``--out``, many at once: each must have a folder of its own."""
    tally = Tally()
    with scratch() as folder:
        kills.begin(kills.Case("parallel", ""), folder)
        children = [Child(c, folder) for _ in range(count) for c in WITHOUT_OUT]
        for child in children:
            ended = child.wait()
            tally.counts["runs side by side"] += 1
            if ended.code or ended.complaint:
                tally.wrong("wrong end", f"exit code {ended.code}: {ended.stderr[-300:]}")
        results = list((folder / "groove-out").glob("*/result.json"))
        tally.counts["results in folders of their own"] += len(results)
        if len(results) != len(children):
            tally.wrong("lost", f"{len(results)} results of {len(children)} runs")
        if left := hidden(folder):
            tally.wrong("left behind", str(left))
    return tally
