"""Documents of strangers that ask ``groove rerun`` for what is not theirs.

The kernel tells which files of a folder of secrets, and of the folder that the command runs in,
are opened, changed or removed (inotify).
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import struct
from pathlib import Path
from typing import Any

import kills
from forks import run, scratch, snapshot
from tally import Tally

__all__ = ["trials"]

OPEN, MODIFY, ATTRIB, MOVED, CREATE, DELETE = 0x20, 0x2, 0x4, 0xC0, 0x100, 0x200
LISTED = 0x40000000
"""Set when what was opened is a folder."""
COMMANDS = (
    "run drum-space sample --count 1 --seed 1 --format mid --out {}",
    "run drum-space encode beats/000.mid --format json --out {}",
    "run music-recsys index songs --into c --jobs 1 --format json --out {}",
    "run groove-vae compare beats/000.mid --format json --out {}",
)
OUTSIDE = ("../secret/plan.mid", "/etc/passwd", "{}/secret/plan.mid", "x/../../secret/plan.mid")
TYPES: tuple[Any, ...] = (None, 1, -1, 1.5, True, "", "x", [], {}, [[]], [1], {"a": 1}, "\x00")


class Watch:
    """What happens to the files of some folders, as the kernel tells it."""

    def __init__(self, *folders: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._file = libc.inotify_init1(os.O_NONBLOCK)
        self._names: dict[int, Path] = {}
        for folder in folders:
            for path in [folder, *(p for p in folder.rglob("*") if p.is_dir())]:
                mask = OPEN | MODIFY | ATTRIB | MOVED | CREATE | DELETE
                number = libc.inotify_add_watch(self._file, os.fsencode(path), mask)
                assert number >= 0, (path, ctypes.get_errno())
                self._names[number] = path

    def seen(self) -> list[str]:
        """Return the files that were touched, and end the watch."""
        found = []
        try:
            while True:
                events = os.read(self._file, 2**16)
                while events:
                    number, mask, _, length = struct.unpack("iIII", events[:16])
                    name = events[16 : 16 + length].rstrip(b"\0").decode()
                    events = events[16 + length :]
                    if not mask & LISTED:
                        found.append(f"{self._names.get(number)}/{name} ({mask:#x})")
        except BlockingIOError:
            pass
        os.close(self._file)
        return found


def hostile(document: dict[str, Any], root: Path, generator: random.Random) -> dict[str, Any]:
    """Change a document in one to three ways."""
    changed: dict[str, Any] = json.loads(json.dumps(document))
    outside = [one.format(root) for one in OUTSIDE]
    for _ in range(generator.randint(1, 3)):
        way = generator.randrange(7)
        options = changed["options"] if isinstance(changed.get("options"), dict) else {}
        if way == 0:
            changed["files"] = outside
        elif way == 1:
            changed["files"] = [f"sample-001.mid/{one}" for one in outside]
        elif way == 2:
            for name in ("into", "profile", "restart", "again", "resume", "out"):
                options[name] = generator.choice([*outside, f"{root}/secret", True])
        elif way == 3:
            changed[generator.choice(sorted(changed))] = generator.choice(TYPES)
        elif way == 4 and options:
            options[generator.choice(sorted(options))] = generator.choice(TYPES)
        elif way == 5:
            name = generator.choice(("package", "action", "version"))
            changed[name] = generator.choice(outside)
        else:
            changed["versions"] = {generator.choice(outside): "1", "groove-core": TYPES[8]}
    return changed


def trials(count: int, seed: int) -> Tally:
    """Rerun hostile documents, each beside files that nobody may touch."""
    generator = random.Random(f"{seed} reruns")
    tally = Tally()
    with scratch() as root:
        work = root / "work"
        kills.begin(kills.Case("reruns", ""), work)
        documents = []
        for number, command in enumerate(COMMANDS):
            ended = run(command.format(f"o{number}"), work)
            assert ended.code == 0, (command, ended)
            documents.append(json.loads((work / f"o{number}/result.json").read_text()))
        (root / "secret").mkdir()
        (root / "secret/plan.mid").write_bytes((work / "beats/000.mid").read_bytes())
        for number in range(count):
            received = root / f"received-{number}"
            received.mkdir()
            document = hostile(generator.choice(documents), root, generator)
            (received / "result.json").write_text(json.dumps(document))
            (received / "plan.txt").write_text("of the one who received it")
            before = snapshot(work) | snapshot(root / "secret") | snapshot(received)
            watch = Watch(root / "secret", work)
            ended = run(f"rerun {received}/result.json --out {root}/out-{number}", work)
            own = {one["file"] for one in _inputs(document)} | {"songs"}
            touched = [t for t in watch.seen() if not any(name in t for name in own)]
            tally.counts["hostile documents"] += 1
            tally.counts["refused"] += ended.code != 0
            about = f"document {number}"
            if touched:
                tally.wrong("outside touched", f"{about}: {touched[:4]}")
            if (snapshot(work) | snapshot(root / "secret") | snapshot(received)) != before:
                tally.wrong("outside touched", f"{about}: files differ")
            if ended.complaint or ended.code not in (0, 2, 3, 4, 5):
                said = ended.complaint or ended.stderr[-300:]
                tally.wrong("wrong end", f"{about}: exit code {ended.code}: {said}")
    return tally


def _inputs(document: dict[str, Any]) -> list[Any]:
    inputs = document.get("inputs")
    own = isinstance(inputs, list) and all(isinstance(one, dict) for one in inputs)
    return [one for one in inputs or [] if "file" in one] if own else []
