"""From scores to what networks read, and from what they write to scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from groove_core.console import note
from groove_core.drums import STEPS_PER_BAR, DrumPattern, find_onsets, no_drums, to_grid
from groove_core.errors import InputError
from groove_core.values import Melody, Score, Track, extract_melodies, skyline
from music_vae.alphabets import (
    HIGHEST,
    LOWEST,
    NOTE,
    OFF_CLASS,
    drum_classes,
    drum_hits,
    melody_events,
    without_lone_offs,
)
from music_vae.windows import Song, of_drums, of_melodies

__all__ = ["Excerpt", "excerpts", "score_of", "song_of"]

BASSES = range(32, 40)
"""General MIDI programs of bass instruments."""
BASS, MELODY = 33, 0
"""Programs that voices are played with: fingered bass and grand piano."""

Ints = npt.NDArray[np.int64]


class Excerpt(NamedTuple):
    """Some bars of a score."""

    events: Ints
    """[shape=(voices, steps)]"""
    bar: int
    """The first of them, counted from 1 at the beginning of their stretch of 4/4."""


def song_of(score: Score, voices: Sequence[str], *, group: str = "") -> Song:
    """Read the voices of a score, cut where the metre is not 4/4.

    The melody is the line that one would hum, the bass the lowest notes of the track with a bass
    program that has most notes, and drums are those of a kit. The tempo is left to the score.

    Raises
    ------
    InputError
        If it has no such voice.
    """
    group = group or score.name
    if tuple(voices) == ("melody",):
        return of_melodies(
            group, [made for _, made in extract_melodies(Melody, score, steps_per_quarter=4)]
        )
    if tuple(voices) == ("drums",):
        return of_drums(group, [DrumPattern.from_score(score)])
    return Song(group, _trios(score))


def _trios(score: Score) -> list[Ints]:
    """Return stretches of melody, bass and drums [each shape=(3, steps)]."""
    basses = [t for t in score.tracks if not t.is_drum and t.program in BASSES and len(t.notes)]
    if not basses:
        raise InputError(
            f"{score.name} has no bass.",
            hint="Set its track to a bass, General MIDI program 33 to 40.",
        )
    bass = max(basses, key=lambda track: len(track.notes))
    onsets = find_onsets(score)
    if not len(onsets.tick):
        raise no_drums(score.name, onsets.unknown)
    rest = replace(score, tracks=tuple(t for t in score.tracks if t is not bass), source=None)
    quarter = score.ticks_per_quarter
    stretches = []
    for start, melody in extract_melodies(Melody, rest, steps_per_quarter=4):
        song = of_melodies("", [melody])
        if not song.stretches:
            continue
        [row] = song.stretches[0]
        begin = start - (-melody.pickup % STEPS_PER_BAR) * quarter / 4
        grid = to_grid(onsets.tick - begin, onsets.drum, onsets.velocity, quarter, len(row))
        low = _lowest(bass, quarter, begin, len(row))
        stretches.append(np.stack([row, low, drum_classes(grid.velocity > 0)]))
    return stretches


def _lowest(track: Track, ticks_per_quarter: int, begin: float, steps: int) -> Ints:
    """Return the lowest notes of a track as classes [shape=(steps,)]; step 0 is at tick `begin`.

    What no piano has is moved by octaves.
    """
    line, _ = skyline(track.notes, ticks_per_quarter, bottom=True)
    edges = np.stack([line[:, 0], line[:, 0] + line[:, 1]])
    begins, ends = np.floor((edges - begin) * 4 / ticks_per_quarter + 0.5).astype(np.int64)
    # Of two notes that begin at one step, the later one counts.
    kept = np.append(begins[1:] > begins[:-1], True)[: len(begins)]
    kept &= (begins >= 0) & (begins < steps)
    begins, pitches = begins[kept], line[kept, 2]
    ends = np.maximum(ends[kept], begins + 1)
    inside = pitches.clip(LOWEST + (pitches - LOWEST) % 12, HIGHEST - (HIGHEST - pitches) % 12)
    row = np.zeros(steps, np.int64)
    row[ends[ends < steps]] = OFF_CLASS
    row[begins] = inside - LOWEST + NOTE
    return row


def excerpts(
    score: Score, voices: Sequence[str], bars: int, *, most: int | None = None
) -> list[Excerpt]:
    """Cut a score into excerpts of so many bars, from the first bar in which something begins.

    The longest stretch in 4/4 is cut; the last excerpt is filled up with silence, and one in which
    nothing happens is left out.

    Parameters
    ----------
    most : int, optional
        How many are wanted. What is not used is said.

    Raises
    ------
    InputError
        If there is nothing to read.
    """
    song = song_of(score, voices)
    if not song.stretches:
        why = "".join(f" ({reason}: {count})" for reason, count in song.left_out.items())
        raise InputError(
            f"{score.name} has nothing that the model reads{why}.",
            hint="Give a piece in 4/4 and sixteenths, within MIDI 21 to 108.",
        )
    stretch = max(song.stretches, key=lambda rows: int((rows > 0).sum()))
    begins = _begins(stretch, voices).any(axis=0)
    if not begins.any():
        raise InputError(f"{score.name} is silent.", hint="Give a piece with notes.")
    first = int(begins.argmax()) // STEPS_PER_BAR * STEPS_PER_BAR
    size = bars * STEPS_PER_BAR
    rows = stretch[:, first:]
    rows = np.pad(rows, ((0, 0), (0, -rows.shape[1] % size)))
    found = []
    for at in range(0, rows.shape[1], size):
        window = np.stack(
            [
                row if voice == "drums" else without_lone_offs(row)
                for voice, row in zip(voices, rows[:, at : at + size], strict=True)
            ]
        )
        if _begins(window, voices).any():
            found.append(Excerpt(window, (first + at) // STEPS_PER_BAR + 1))
    if most is not None and len(found) > most:
        note(
            f"{score.name}: using {bars} bars from bar {found[0].bar} on, of {len(found)} excerpts"
        )
        found = found[:most]
    if stretch.shape[1] - first < size:
        whole = -(-(stretch.shape[1] - first) // STEPS_PER_BAR)
        note(f"{score.name}: the piece has {whole} of {bars} bars; silence fills the rest")
    return found


def _begins(rows: Ints, voices: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Return the steps at which each voice begins a note [shape=(voices, steps)]."""
    least = np.array([1 if voice == "drums" else NOTE for voice in voices])
    found: npt.NDArray[np.bool_] = rows >= least[:, None]
    return found


def score_of(events: Ints, voices: Sequence[str], *, tempo_bpm: float = 120.0) -> Score:
    """Return the score of what a network wrote.

    Parameters
    ----------
    events : int array [shape=(voices, steps)]
    """
    parts: list[Score] = []
    for voice, row in zip(voices, events, strict=True):
        if voice == "drums":
            parts.append(DrumPattern(drum_hits(row), tempo_bpm=tempo_bpm).to_score())
            continue
        line = Melody.from_events(melody_events(row), tempo_bpm=tempo_bpm).to_score()
        program = BASS if voice == "bass" else MELODY
        [track] = line.tracks
        parts.append(replace(line, tracks=(replace(track, name=voice, program=program),)))
    # The frames are equal: both begin at tick 0, have 480 ticks per quarter, and whole bars.
    return replace(parts[0], tracks=tuple(track for part in parts for track in part.tracks))
