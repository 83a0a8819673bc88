"""From a beat to a short piece: drawn, varied, played by a drummer, with a bass under it.

drum-space draws a beat and variations of it, groove-vae plays them as a drummer would, and
groove-core writes a bass on the kick and renders everything. Writes song.mid and song.wav.
"""

from dataclasses import replace

import numpy as np

from drum_space import sample, vary
from groove_core import Score, Track
from groove_core.render import render
from groove_vae import humanize

SEED = 7
BAR = 4 * 480  # ticks
ROOTS = [36, 36, 41, 43, 36, 33, 41, 43]  # of the bass, one a bar


def main() -> None:
    """Make the piece."""
    [beat] = sample(count=1, genre="funk", tempo_bpm=104, flat=True, seed=SEED)
    other, fill = vary(beat, amount=0.35, count=2, flat=True, seed=SEED)
    form = [beat, other, beat, fill]  # two bars each
    drums = []
    for index, part in enumerate(form):
        notes = part.to_score().tracks[0].notes.copy()
        notes[:, 0] += index * 2 * BAR
        drums.append(notes)
    programmed = replace(beat.to_score(), tracks=(Track(np.concatenate(drums), is_drum=True),))
    played = humanize(programmed, style="funk", seed=SEED)

    hits = np.concatenate([part.hits[:, 0] for part in form])  # the kick
    steps = np.flatnonzero(hits)
    bass = [[step * 120, 110, ROOTS[step // 16], 84] for step in steps.tolist()]
    song = Score(
        (*played.tracks, Track(bass, name="bass", program=33)),
        ticks_per_quarter=480,
        tempos=played.tempos,
    )
    song.save("song.mid")
    render(song).normalized(-1.0).save("song.wav")
    print(song.to_text())


if __name__ == "__main__":
    main()
