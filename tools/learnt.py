"""Write what the shipped checkpoints learnt from beside them: hashes of songs, notes, pieces.

    python tools/learnt.py                   # those whose data is in the packages
    python tools/learnt.py --check           # compare only

Weights that were trained before checkpoints remembered this have their lists from here. Each
function below divides the data as the package did when the weights were trained; nothing else
may: a training of today writes its own list.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from monorepo import ROOT, packages, tell

from groove_core.storage import checkpoints
from groove_core.storage.files import dump_json, read_json

Learnt = tuple[str, str, dict[str, Any]]
"""Package, checkpoint, and what its card says as ``data.learnt``."""


def groove_vae() -> Iterator[Learnt]:
    """Take the published split of the performances in the package."""
    from groove_vae.performances import card_of_split, load

    yield "groove-vae", "audio", card_of_split(load(None, None))
    yield "groove-vae", "symbolic", card_of_split(load())


KNOWN = (groove_vae,)


def put(folder: Path, learnt: dict[str, Any], *, check: bool) -> bool:
    """Write the list of a checkpoint; return whether it was there already."""
    before = read_json(folder / checkpoints.CARD)
    card = json.loads(json.dumps(before))
    card["data"]["learnt"] = learnt
    lists = dump_json(learnt["groups"], indent=None)
    path = folder / checkpoints.LEARNT
    same = path.is_file() and path.read_text(encoding="utf-8") == lists
    if not check:
        checkpoints.write_learnt(folder, card)
        (folder / checkpoints.CARD).write_text(dump_json(card), encoding="utf-8")
    return same


def main(argv: list[str] | None = None) -> int:
    """Write or compare all lists."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="change nothing; 1 if a list differs")
    wanted = parser.parse_args(argv)
    found = packages(ROOT)
    differ = 0
    for derive in KNOWN:
        for package, name, learnt in derive():
            folder = found[package].source / "weights" / name
            same = put(folder, learnt, check=wanted.check)
            differ += not same
            counts = ", ".join(f"{count} {part}" for part, count in learnt["counts"].items())
            print(f"{package}/{name}: {counts}{'' if same else '  (changed)'}")
    return int(bool(differ and wanted.check))


if __name__ == "__main__":
    sys.exit(tell(main))
