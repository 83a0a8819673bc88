"""Every way from one beat to another: eight steps in one row of sound, and as a picture.

drum-space walks between the codes of two beats. Writes morph.wav, morph.png
and the beats as MIDI.
"""

from itertools import pairwise

from matplotlib.figure import Figure

from drum_space import interpolate, sample
from groove_core.drums import DrumPattern
from groove_core.render import render_loop


def main() -> None:
    """Walk from a punk beat to a jazz beat."""
    [start] = sample(count=1, genre="punk", seed=2)
    [end] = sample(count=1, genre="jazz", seed=5)
    steps = list(interpolate(start, end, steps=6))  # both ends among them
    for index, beat in enumerate(steps):
        beat.save(f"morph-{index}.mid")
        beat.save(f"morph-{index}.wav")
    render_loop(DrumPattern.join(steps)).save("morph.wav")

    figure = Figure(figsize=(12, 4), layout="constrained")
    for ax, beat in zip(figure.subplots(2, 4).flat, steps, strict=True):
        beat.plot(ax)
        ax.set_title(f"{beat.hits.sum()} hits", fontsize=8)
        ax.tick_params(labelsize=5)
    figure.savefig("morph.png")
    changed = [int((a.hits != b.hits).sum()) for a, b in pairwise(steps)]
    print("bits that change from step to step:", changed)


if __name__ == "__main__":
    main()
