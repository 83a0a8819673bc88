"""Speed against named peers, as ratios measured side by side in one run.

    python benchmarks/ratios.py                      # all
    python benchmarks/ratios.py start                # only those whose name has "start"
    python benchmarks/ratios.py --midi path/to/groove-midi reading

See `pairs` for how. Sound has a file of its own, `audio.py`.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from pairs import FEWEST, pair, show

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

from import_budget import BARE


def process(*arguments: str) -> Callable[[], object]:
    """Make a call of a whole process."""

    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(arguments, check=True, capture_output=True, cwd=folder)

    return run


def start(rounds: int) -> list[dict]:
    """Start-up: at most 1.5 times a bare typer program; sampling, at most 1.5 times torch."""
    groove = str(Path(sys.executable).with_name("groove"))
    bare = process(sys.executable, "-c", BARE, "--help")
    bare_run = process(sys.executable, "-c", BARE, "plugins")
    torch = process(sys.executable, "-c", "import torch")
    return [
        pair("start: groove --help / bare typer --help", process(groove, "--help"), bare, rounds),
        # A command that runs costs typer more than --help: it imports pydantic for the options.
        pair(
            "start: groove plugins / bare typer command",
            process(groove, "plugins"),
            bare_run,
            rounds,
        ),
        pair(
            "start: groove run drum-space sample / import torch",
            process(groove, "run", "drum-space", "sample"),
            torch,
            max(3, rounds // 3),
        ),
    ]


def reading(folder: Path) -> list[dict]:
    """Read every MIDI file into patterns; parse the same files with pretty_midi alone."""
    import pretty_midi

    from groove_core.drums import extract_patterns
    from groove_core.errors import InputError
    from groove_core.values import Score

    paths = sorted(folder.rglob("*.mid"))
    found = []

    def ours() -> None:
        found.clear()
        for path in paths:
            with contextlib.suppress(InputError):
                found.append(len(extract_patterns(Score.read(path))))

    def peer() -> None:
        for path in paths:
            pretty_midi.PrettyMIDI(io.BytesIO(path.read_bytes()))

    name = f"reading: {len(paths)} files into patterns / pretty_midi parse"
    row = pair(name, ours, peer, FEWEST, faster=True)
    return [{**row, "patterns": sum(found)}]


def main() -> None:
    """Run the benchmarks that were asked for and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("only", nargs="?", default="", help="part of a name")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--midi", type=Path, help="folder of the Groove MIDI Dataset")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    if options.only in "start":
        rows += start(options.rounds)
    if options.only in "reading":
        if options.midi:
            rows += reading(options.midi)
        else:
            print("reading: give --midi FOLDER", file=sys.stderr)
    show("Groove beside its peers", rows, as_json=options.json)


if __name__ == "__main__":
    main()
