"""Commands that are ended at every operation on files, and at random moments.

After each the same command is run again, as a person would, and must end with what an unbroken
run makes: nothing of an older result lost, nothing left behind.
"""

from __future__ import annotations

import random
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import material
from forks import FULL, Child, Ended, hidden, run, scratch, snapshot
from tally import Tally

__all__ = ["CASES", "Case", "begin", "difference", "trials"]

SIGNALS: tuple[signal.Signals | int, ...] = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, FULL)
SLOW = 4
"""Part of the trials that a slow command has."""


@dataclass(frozen=True)
class Case:
    """A command that is ended too early, again and again."""

    name: str
    command: str
    earlier: tuple[str, ...] = ()
    """Commands before it, which are not ended."""
    probe: str = ""
    """Shows without changing anything that the older result is whole; for cases that have one."""
    grows: bool = False
    """What is finished stays: a journal, a catalogue, a training."""
    varies: tuple[str, ...] = ()
    """Files that hold times, and so differ from run to run."""
    slow: bool = False
    """Takes seconds, and so has fewer trials."""


OLDER = "run drum-space sample --count 4 --seed 1 --format mid,json --out o"
CASES = (
    Case("sample", "run drum-space sample --count 3 --seed 2 --format mid,txt --out o"),
    Case(
        "sample --overwrite",
        "run drum-space sample --count 3 --seed 2 --format mid,txt --out o --overwrite",
        (OLDER,),
        "run drum-space sample --count 3 --seed 2 --format mid,txt --out o",
    ),
    Case("sample without --out", "run drum-space sample --count 2 --seed 3 --format mid"),
    Case(
        "rerun --overwrite",
        "rerun o/result.json --format txt,mid --overwrite",
        (OLDER,),
        "rerun o/result.json --out o",
    ),
    Case(
        "map",
        "map drum-space encode beats --out m --format json",
        grows=True,
        varies=("m/results.jsonl",),
    ),
    Case(
        "kit --overwrite",
        "run gansynth-lite kit --seed 2 --low C3 --high C3 --out k --overwrite",
        ("run gansynth-lite kit --seed 1 --low C3 --high D3 --every 1 --out k",),
        "run gansynth-lite kit --seed 2 --low C3 --high C3 --out k",
    ),
    Case(
        "index",
        "run music-recsys index songs --into c --jobs 1 --out i --overwrite",
        grows=True,
        varies=("c/songs.json",),
    ),
    Case(
        "data check", "data check songs --min-s 0.1 --out d.jsonl", grows=True, varies=("d.jsonl",)
    ),
    Case("new", "new tabla --into n"),
    Case(
        "train --restart",
        "run drum-space train --model ae --data beats --epochs 1 --batch-size 4 --into t --restart "
        "--out o --overwrite",
        (
            "run drum-space train --model ae --data beats --epochs 1 --batch-size 4 --into t "
            "--seed 3 --out o",
        ),
        "models verify t",
        grows=True,
        slow=True,
    ),
)


def begin(case: Case, folder: Path) -> None:
    """Make what the command finds."""
    material.beats(folder / "beats", 24 if "train" in case.name else 3, 1)
    material.songs(folder / "songs", 2, 9.0, 1)
    for command in case.earlier:
        ended = run(command, folder)
        assert ended.code == 0, (command, ended)


def trials(case: Case, operations: int, moments: int, seed: int) -> Tally:
    """End a command at its operations and at random moments, as many as are wanted of each.

    With -1 it is ended at all its operations, in every way.
    """
    generator = random.Random(f"{seed} {case.name}")
    tally = Tally()
    with scratch() as folder:
        (folder / "before").mkdir()
        begin(case, folder / "before")
        before = snapshot(folder / "before")
        shutil.copytree(folder / "before", folder / "after")
        whole = run(case.command, folder / "after")
        assert whole.code == 0, (case, whole)
        after = snapshot(folder / "after")
        tally.counts["operations"] += whole.operations
        ways = [(at, end) for at in range(1, whole.operations + 1) for end in SIGNALS]
        wanted = len(ways) if operations < 0 else operations
        if case.slow:
            wanted, moments = wanted // SLOW, moments // SLOW
        ways = sorted(generator.sample(ways, min(wanted, len(ways))))
        ways += [(0, generator.choice(SIGNALS[:3])) for _ in range(moments)]
        for at, end in ways:
            wait_s = generator.uniform(0, 1.1) * whole.wall_s
            place = folder / "now"
            shutil.copytree(folder / "before", place)
            if at:
                ended = run(case.command, place, at=at, end=end)
            else:
                child = Child(case.command, place)
                time.sleep(wait_s)
                child.send(signal.Signals(end))
                ended = child.wait()
            tally.counts["ended at an operation" if at else "ended at a random moment"] += 1
            way = f"{case.name}, {'disk full' if end == FULL else signal.Signals(end).name} " + (
                f"at operation {at} of {whole.operations}" if at else f"after {wait_s:.2f} s"
            )
            _judge(tally, case, way, place, (before, after), ended, end)
            shutil.rmtree(place)
    return tally


Files = dict[str, str]


def _judge(
    tally: Tally, case: Case, way: str, place: Path, states: tuple[Files, Files],
    ended: Ended, end: signal.Signals | int,
) -> None:  # fmt: skip
    before, after = states
    if ended.complaint:
        tally.wrong("wrong end", f"{way}: {ended.complaint}")
    codes = {0, 2, 4} if end == FULL else {0, -end} if end == signal.SIGKILL else {0, 128 + end}
    if ended.code not in codes:
        tally.wrong("wrong end", f"{way}: exit code {ended.code}: {ended.stderr[-300:]}")
    if end != signal.SIGKILL and (left := hidden(place)):
        tally.wrong("left behind", f"{way}: {left}")
    if case.probe:
        probed = run(case.probe, place)
        wanted = 0 if case.grows else 2
        if probed.complaint or probed.code != wanted:
            tally.wrong("lost", f"{way}: then {case.probe}: {probed.code} {probed.stderr[-300:]}")
        now = snapshot(place)
        if not case.grows and now not in (before, after):
            tally.wrong("lost", f"{way}: {difference(before, now)}")
        if not case.grows and (left := hidden(place)):
            tally.wrong("left behind", f"{way}: after the next run: {left}")
    elif end == FULL and ended.code and not case.grows and snapshot(place) != before:
        tally.wrong("left behind", f"{way}: {difference(before, snapshot(place))}")
    again = run(case.command, place)
    there = again.code == 2 and "exists already" in again.stderr
    # What was finished before the kill keeps a new run from its place.
    if again.complaint or (again.code and not there):
        tally.wrong("lost", f"{way}: again: {again.code} {again.stderr[-300:]}")
    if left := hidden(place):
        tally.wrong("left behind", f"{way}: after the same command: {left}")
    now = snapshot(place)
    for name in case.varies:
        now, after = now | {name: ""}, after | {name: ""}
    if now != after and not _is_second(now, after):
        tally.wrong("lost", f"{way}: again: {difference(after, now)}")


def _is_second(now: Files, after: Files) -> bool:
    """Return whether all is there, beside finished files of the first run in a folder before."""
    first = {n: h for n, h in now.items() if n.startswith("groove-out") and "-2/" not in n}
    second = {n.replace("-2/", "/"): h for n, h in now.items() if n not in first}
    whole = {n: h for n, h in second.items() if not n.endswith("result.json")}
    return bool(second) and all(after.get(name) == content for name, content in whole.items())


def difference(wanted: Files, found: Files) -> str:
    """Say in words how two snapshots differ."""
    parts = {
        "missing": sorted(wanted.keys() - found.keys()),
        "more": sorted(found.keys() - wanted.keys()),
        "changed": sorted(n for n in wanted.keys() & found.keys() if wanted[n] != found[n]),
    }
    return ", ".join(f"{what} {names[:6]}" for what, names in parts.items() if names) or "nothing"
