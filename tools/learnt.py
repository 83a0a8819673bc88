"""Write what the shipped checkpoints learnt from beside them: hashes of songs, notes, pieces.

    python tools/learnt.py                   # those whose data is in the packages
    python tools/learnt.py --check           # compare only

Weights that were trained before checkpoints remembered this have their lists from here. Each
function below divides the data as the package did when the weights were trained; nothing else
may: a training of today writes its own list.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from monorepo import ROOT, packages, tell

from groove_core.learning import PARTS, Split
from groove_core.storage import checkpoints
from groove_core.storage.cards import read_learnt
from groove_core.storage.files import dump_json, read_json

Learnt = tuple[str, str, dict[str, Any]]
"""Package, checkpoint, and what its card says as ``data.learnt``."""


def groove_vae() -> Iterator[Learnt]:
    """Take the published split of the performances in the package."""
    from groove_vae.performances import load, split_of

    yield "groove-vae", "audio", split_of(load(None, None))["learnt"]
    yield "groove-vae", "symbolic", split_of(load())["learnt"]


def drum_space() -> Iterator[Learnt]:
    """Take the splits that the packaged sets state; the map was made of all patterns."""
    from drum_space.data import open_patterns
    from drum_space.melodies.lines import open_songbook

    patterns = open_patterns()
    groups = [patterns.groups[source] for source in patterns.source.tolist()]
    parts = {part: patterns.part(part) for part in PARTS}
    rule = "Groove MIDI's own; of Freedoom, sha256 of the file's name modulo 10: 8 and 9 held out"
    beats = _before("performance", groups, parts, rule)
    for name in ("acai", "acai16", "ae", "vae"):
        yield "drum-space", name, beats
    everything = {"train": range(len(patterns))}
    yield "drum-space", "map", _before("performance", groups, everything, "all patterns")
    pieces = open_songbook().pieces
    fold = np.array([piece.fold for piece in pieces])
    parts = {"train": np.flatnonzero(fold), "test": np.flatnonzero(fold == 0)}
    names, rule = (
        [piece.group for piece in pieces],
        "sha256 of the file's name modulo 5: 0 held out",
    )
    yield "drum-space", "melody", _before("piece", names, parts, rule)


LACKING = {
    10: range(24, 34), 13: range(24, 39), 16: range(63, 85), 17: (*range(24, 28), 32, 33),
    19: (*range(70, 79), 82, 83, 84), 43: range(58, 85), 46: (*range(47, 51), 82, 83, 84),
    58: range(73, 85), 67: range(73, 85), 108: range(24, 32),
}  # fmt: skip
"""Pitches of MIDI programs of FluidR3_GM of which no note was kept; of program 16 no note was
there, in the copy of the soundfont that was used. Programs 9 and 14 are out of tune."""


def gansynth_lite() -> Iterator[Learnt]:
    """Divide the notes of FluidR3_GM by the permutation of then, of all pitches of instruments.

    With these pitches, a rendering of today has the counts of the cards: notes, by family, by
    velocity and in each part.
    """
    from gansynth_lite.families import family_of_program
    from gansynth_lite.rendered import program_name

    names = [
        f"FluidR3_GM.sf2: {program_name(program)}, {pitch}"
        for program in range(128)
        if family_of_program(program) and program not in (9, 14)
        for pitch in range(24, 85)
        if pitch not in LACKING.get(program, ())
    ]
    place = np.random.default_rng(0).permutation(len(names))
    ends = np.round(np.array([0.8, 0.9]) * len(names))
    part = np.searchsorted(ends, place, side="right")
    parts = {name: np.flatnonzero(part == number) for number, name in enumerate(PARTS)}
    rule = "a permutation of all pitches of instruments, seed 0"
    learnt = _before("pitch of an instrument", names, parts, rule)
    yield "gansynth-lite", "classifier", learnt
    yield "gansynth-lite", "notes", learnt


def _before(
    by: str, groups: Sequence[str], parts: Mapping[str, npt.ArrayLike], rule: str
) -> dict[str, Any]:
    """Return what a card remembers of a split that was not by hash."""
    learnt = Split(by).card(groups, parts)["learnt"]
    del learnt["seed"], learnt["shares"]
    return {"by": learnt.pop("by"), "rule": rule, **learnt}


def written(package: str) -> Iterator[Learnt]:
    """Take the lists that trainings of today wrote, of songs that are not in the package."""
    for stored in checkpoints.available(package):
        if stored.origin == "packaged":
            card = checkpoints.read_card(stored.path)
            read_learnt(stored.path, card)
            yield package, stored.name, card["data"]["learnt"]


def melody_rnn() -> Iterator[Learnt]:
    """Take the split that the packaged tunes state."""
    from groove_core.tunes import BY_TUNE
    from melody_rnn.tunes import shipped

    groups, parts = shipped().groups, shipped().parts
    learnt = BY_TUNE.or_published(groups, parts).card(groups, parts)["learnt"]
    for stored in checkpoints.available("melody-rnn"):
        if stored.origin == "packaged":
            yield "melody-rnn", stored.name, learnt


def music_vae() -> Iterator[Learnt]:
    """Cut the packaged songs as each network reads them."""
    from music_vae.sets import windows_of
    from music_vae.training import PRESETS

    for stored in checkpoints.available("music-vae"):
        if stored.origin == "packaged":
            learnt = windows_of(PRESETS[stored.name]).card()["learnt"]
            yield "music-vae", stored.name, learnt


KNOWN = (
    drum_space, gansynth_lite, partial(written, "genre-map"), groove_vae, melody_rnn,
    partial(written, "music-recsys"), music_vae,
)  # fmt: skip


def put(folder: Path, learnt: dict[str, Any], *, check: bool) -> bool:
    """Write the list of a checkpoint; return whether it was there already."""
    before = read_json(folder / checkpoints.CARD)
    card = {**before, "data": {**before["data"], "learnt": learnt}}
    with tempfile.TemporaryDirectory() as made:
        checkpoints.write_learnt(Path(made), card)
        lists = Path(made, checkpoints.LEARNT).read_bytes()
    path = folder / checkpoints.LEARNT
    same = card == before and path.is_file() and path.read_bytes() == lists
    if not check:
        path.write_bytes(lists)
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
