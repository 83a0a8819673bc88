"""Telling the genre of a four-minute song, as a whole process: python benchmarks/genre.py.

The yardstick is a process that imports torch and librosa and does nothing. See `pairs` for how.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from pairs import pair, show
from ratios import process

from groove_core.values import Audio


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    time_s = np.arange(240 * 44_100) / 44_100
    chord = sum(np.sin(2 * np.pi * hz * time_s) for hz in (220, 277, 330)) / 6
    beat = rng.normal(size=len(time_s)) * np.exp(-30 * (2 * time_s % 1)) / 8
    with TemporaryDirectory() as folder:
        song = Audio(chord + beat, 44_100).save(Path(folder, "song.wav"))
        groove = str(Path(sys.executable).with_name("groove"))
        show(
            "Telling a genre",
            [
                pair(
                    "genre-map: classify a song of four minutes / import torch, librosa",
                    process(groove, "run", "genre-map", "classify", str(song), "--format", "json"),
                    process(sys.executable, "-c", "import torch, librosa"),
                    options.rounds,
                )
            ],
            as_json=options.json,
        )


if __name__ == "__main__":
    main()
