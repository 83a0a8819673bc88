"""Notes of a soundfont one by one, each at its exact sample and without reverb or chorus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from groove_core.errors import InputError
from groove_core.render.soundfont import decode, with_midirenderer
from groove_core.values.scores.score import Score, Track
from groove_core.values.sound.audio import Audio

__all__ = ["render_notes", "soundfont_rights"]

RATE = 48_000
"""Sample rate of midirenderer."""
BLOCK = 64
"""Samples it renders at a time: notes start at the next block, so a tick is one block."""
TICKS_PER_S = RATE // BLOCK
SOUNDING = 3 / 4
"""Share of a note's length until it is released, as in NSynth."""
GAP_TICKS = 75
"""Silence between notes, after the sound was switched off."""
VOLUME, PAN, EXPRESSION, REVERB, CHORUS, UNDEFINED, SOUND_OFF = 7, 10, 11, 91, 93, 102, 120
"""Controllers of MIDI."""


def render_notes(
    soundfont: Path,
    pitches: Sequence[int],
    *,
    program: int,
    velocity: int,
    samples: int,
    sample_rate: int = 16_000,
) -> Iterator[Audio]:
    """Render notes of one program, as NSynth was made; all in one go, which is fast.

    Always with midirenderer, so that everyone gets the same numbers.

    Parameters
    ----------
    soundfont : path of an .sf2 file
    pitches : sequence of int [0 to 127, MIDI]
    program : int [0 to 127, General MIDI]
    velocity : int [1 to 127, MIDI]
    samples : int
        Length of a note: it is released after `SOUNDING` of it.
    sample_rate : int [Hz]

    Yields
    ------
    Audio
        Mono, and a little longer than ``samples``, so that a fade-out has something to fade.

    Raises
    ------
    InputError
        If midirenderer cannot read the soundfont.
    """
    length = -(-samples * TICKS_PER_S // sample_rate)
    held = round(length * SOUNDING)
    step = length + 2 * GAP_TICKS  # the sound is switched off in the middle
    starts = [GAP_TICKS + i * step for i in range(len(pitches))]
    notes = [[start, held, pitch, velocity] for start, pitch in zip(starts, pitches, strict=True)]
    first = [(VOLUME, 127), (EXPRESSION, 127), (PAN, 64), (REVERB, 0), (CHORUS, 0)]
    controls = [[0, control, value] for control, value in first]
    controls += [[start + length + GAP_TICKS, SOUND_OFF, 0] for start in starts]
    # An event without effect after the end: renderers stop at the last one.
    controls.append([starts[-1] + 2 * step, UNDEFINED, 0])
    score = Score(
        tracks=(Track(np.array(notes), program=program, controls=np.array(controls)),),
        ticks_per_quarter=TICKS_PER_S,
        tempos=np.array([[0, 1_000_000]]),
    )
    try:
        sound = decode(with_midirenderer(score.to_midi(), soundfont))
    except (RuntimeError, OSError, ValueError) as error:
        raise InputError(
            f"midirenderer cannot render with {soundfont}: {error}.", hint="groove doctor"
        ) from error
    frames = length * BLOCK + GAP_TICKS * BLOCK // 2  # more than the note, so that it is cut
    for start in starts:
        place = (start + 1) * BLOCK
        cut = sound.samples[:, place : place + frames].mean(axis=0)
        yield Audio(cut, sound.sample_rate).resampled(sample_rate)


def soundfont_rights(soundfont: Path) -> str:
    """Return what a soundfont says of its rights, ICOP and ICMT (SoundFont 2.04, section 5).

    Empty where it says nothing.
    """
    said = {}
    with soundfont.open("rb") as stream:
        stream.seek(16)  # RIFF, size, sfbk, LIST
        left = min(int.from_bytes(stream.read(4), "little"), 2**16) - 4
        stream.seek(4, 1)  # INFO
        while left >= 8:
            name, size = stream.read(4), int.from_bytes(stream.read(4), "little")
            text = stream.read(min(size, 2**16)).split(b"\0")[0]
            said[name] = " ".join(text.decode("utf-8", "replace").split())[:200]
            left -= 8 + size
    return "; ".join(filter(None, (said.get(b"ICOP"), said.get(b"ICMT"))))
