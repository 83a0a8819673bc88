"""A sound becomes an instrument, and the instrument plays a tune.

The sound is made here: a bell of five partials. gansynth-lite finds its code, draws what it
takes it for, and plays a tune on it. Writes bell.wav, instrument.json, tune.wav and kit.sfz.
"""

import numpy as np

from gansynth_lite import encode, export, render
from groove_core import Audio, Score, Track

RATE = 16_000
TUNE = [60, 64, 67, 72, 71, 67, 64, 60]


def bell(pitch: int) -> Audio:
    """Sum partials that fade, the higher the sooner."""
    time_s = np.arange(3 * RATE) / RATE
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    partials = [(1, 1.0), (2, 0.6), (3, 0.35), (4.2, 0.25), (5.4, 0.15)]
    wave = sum(
        level * np.sin(2 * np.pi * frequency * ratio * time_s) * np.exp(-1.6 * ratio * time_s)
        for ratio, level in partials
    )
    return Audio(0.3 * np.asarray(wave), RATE)


def main() -> None:
    """Find the instrument and play it."""
    bell(60).save("bell.wav")
    codes = encode(["bell.wav"], pitch="C4")
    codes.save("instrument.json")
    notes = [[index * 240, 230, pitch, 90] for index, pitch in enumerate(TUNE)]
    tune = Score((Track(notes, name="bell", program=9),))
    render(tune, instrument=codes, seed=1).save("tune.wav")
    sampler = export(instrument=codes, low="C4", high="C5", every=6)
    sampler.save("kit.sfz")
    print(sampler.to_text())


if __name__ == "__main__":
    main()
