"""A library ranked for one listener, from six ratings.

The library is made here: short pieces in two colours, flutes and guitars. The listener likes
flutes. music-recsys hears the pieces once and ranks those that were not rated. Writes the pieces,
ranking.json, ranking.m3u8 and ranking.png.
"""

from pathlib import Path

import numpy as np

from groove_core import Score, Track
from groove_core.render import render
from music_recsys import rate, recommend

SCALE = [60, 62, 64, 67, 69, 72]
COLOURS = {"flute": 73, "guitar": 27}  # programs of General MIDI
PROFILE = "listener.sqlite"


def piece(program: int, seed: int) -> Score:
    """Write ten seconds of melody over a bass."""
    rng = np.random.default_rng(seed)
    starts = np.arange(0, 40) * 240
    tune = [[int(t), 230, int(rng.choice(SCALE)), 80] for t in starts if rng.random() < 0.8]
    bass = [[int(t), 450, int(rng.choice([36, 41, 43])), 70] for t in starts[::2]]
    return Score((Track(tune, program=program), Track(bass, program=32)))


def main() -> None:
    """Make the library, rate six pieces and rank the rest."""
    library = Path("library")
    for name, program in COLOURS.items():
        for number in range(5):
            score = piece(program, seed=number + 100 * program)
            render(score).save(library / f"{name}-{number}.wav")
    for number in range(3):
        rate(library / f"flute-{number}.wav", 5, profile=PROFILE)
        rate(library / f"guitar-{number}.wav", 1, profile=PROFILE)
    ranking = recommend(library, profile=PROFILE, count=4, diversity=0.0, seed=1)
    for ending in ("json", "m3u8", "png"):
        ranking.save(f"ranking.{ending}")
    print(ranking.to_text())


if __name__ == "__main__":
    main()
