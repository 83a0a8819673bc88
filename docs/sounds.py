"""Make the sounds of the site with the shipped weights: python docs/sounds.py [NAME ...]."""

from __future__ import annotations

import runpy
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile

import genre_map
from drum_space import interpolate, sample
from groove_core import Audio, Score, Track
from groove_core.drums import DrumPattern
from groove_core.render import render, render_loop
from groove_vae import humanize

FOLDER = Path(__file__).with_name("sounds")
RATE = 44_100
BEATS = (("rock", 112, 2), ("funk", 100, 1), ("latin", 104, 3), ("jazz", 140, 4))


def _save(name: str, sounds: Iterable[Audio], pause_s: float = 0.25) -> None:
    """Write sounds one after the other as one file that every browser plays."""
    pieces = []
    for sound in sounds:
        mono = sound.to_mono().resampled(RATE).normalized(-1.5).samples[0]
        pieces += [mono, np.zeros(int(pause_s * RATE), np.float32)]
    soundfile.write(
        FOLDER / f"{name}.mp3", np.concatenate(pieces[:-1]), RATE, format="MP3",
        bitrate_mode="VARIABLE", compression_level=0.75,
    )  # fmt: skip


def beats() -> None:
    """Give four beats of four genres."""
    drawn = [
        next(iter(sample(count=1, genre=genre, tempo_bpm=tempo, seed=seed)))
        for genre, tempo, seed in BEATS
    ]
    _save("beats", (render_loop(beat) for beat in drawn))


def morph() -> None:
    """Go from one beat to another."""
    start, end = sample(count=2, seed=1)
    _save("morph", [render_loop(DrumPattern.join(list(interpolate(start, end, steps=4))))])


def feel() -> None:
    """Give a beat as it was programmed, and as it is played."""
    [beat] = sample(count=1, bars=8, genre="funk", tempo_bpm=100, flat=True, seed=11)
    score = beat.to_score()
    _save("programmed", [render(score)])
    _save("played", [render(humanize(score, style="funk", seed=1))])


def genres() -> None:
    """Walk from blues to metal, and give what the generator calls jazz."""
    walk = genre_map.interpolate("blues", "metal", seed=1)
    assert walk.sound is not None
    _save("border", [walk.sound])
    pictures = genre_map.sample(count=3, genre="jazz", seed=1)
    _save("jazz", [picture.sound for picture in pictures if picture.sound is not None])


def liked() -> None:
    """Give the passage that a listener who rated flutes best will like most."""
    from music_recsys import rate, score

    example = runpy.run_path(str(Path(__file__).parents[1] / "examples/library_ranking.py"))
    piece, colours = example["piece"], example["COLOURS"]
    with tempfile.TemporaryDirectory() as folder:
        profile = str(Path(folder) / "listener.sqlite")
        for number in range(3):
            for name, program in colours.items():
                path = render(piece(program, number)).save(Path(folder) / f"{name}-{number}.wav")
                rate(path, 5 if name == "flute" else 1, profile=profile)
        song = _change(piece(colours["guitar"], 11), piece(colours["flute"], 12))
        [curve] = score([render(song)], profile=profile)
    assert curve.sound is not None
    _save("liked", [curve.sound])


def _change(first: Score, second: Score) -> Score:
    """Let one piece follow another."""
    start = first.end_tick
    tracks = []
    for track in second.tracks:
        notes = track.notes.copy()
        notes[:, 0] += start
        tracks.append(Track(notes, program=track.program))
    return Score((*first.tracks, *tracks))


SOUNDS = {f.__name__: f for f in (beats, morph, feel, genres, liked)}

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in sys.argv[1:] or SOUNDS:
        SOUNDS[name]()
        print(name)
