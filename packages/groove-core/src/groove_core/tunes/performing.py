"""Play a melody as a person might: louder and softer, and not quite on the grid.

Rules of performance after A. Friberg, R. Bresin and J. Sundberg, "Overview of the KTH rule system
for musical performance", Advances in Cognitive Psychology 2(2-3), 2006, in moderate amounts, and
the accents of the metre. They are rules and were not learnt; equal melodies are played equally.

========================  =============================================================
high loud                 3 of 127 louder for each five semitones above the mean
phrase arch               up to 8 louder, and 4 % faster, in the middle than at the ends
duration contrast         a note shorter than the mean is up to 5 softer
metre                     6 louder on the first beat, 2 on other beats
punctuation               the last note of a phrase is cut by an eighth of its length
articulation              a repeated note is preceded by a gap of a twelfth of its length
========================  =============================================================
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from groove_core.values import Melody, Score

__all__ = ["accented", "performed", "phrases"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
ARCH_LOUDER, ARCH_FASTER = 8.0, 0.04


def phrases(melody: Melody) -> Ints:
    """Return the number of the phrase of each note.

    A phrase ends where a rest of an eighth or longer follows, or a note that is longer than a
    half and twice as long as the one before.
    """
    notes = melody.notes
    if not len(notes):
        return np.zeros(0, np.int64)
    quarter = melody.steps_per_quarter
    ends = notes[:, 0] + notes[:, 1]
    rests = 2 * (notes[1:, 0] - ends[:-1]) >= quarter
    lengths = notes[:, 1]
    long = (lengths >= 2 * quarter) & (lengths >= 2 * np.append(lengths[:1], lengths[:-1]))
    return np.append(0, np.cumsum(rests | long[:-1]))


def performed(melody: Melody) -> Score:
    """Return a melody as it is played.

    Returns
    -------
    Score
        Of what `Melody.to_score` returns, with other velocities, lengths and onsets. Chords are
        as they were.
    """
    score = melody.to_score()
    if len(melody.notes) < 2:
        return score
    track, number = score.tracks[0], phrases(melody)
    notes = accented(melody, track.notes)
    onsets = _hurried(notes[:, 0].astype(np.float64), _arch(number), number)
    notes[:, 0] = np.round(onsets)
    notes[:-1, 1] = np.minimum(notes[:-1, 1], np.diff(notes[:, 0]))
    return replace(score, tracks=(replace(track, notes=notes), *score.tracks[1:]))


def accented(melody: Melody, rows: Ints) -> Ints:
    """Return the notes of a melody with accents and articulation, each at its time.

    Parameters
    ----------
    melody : Melody
    rows : int array [shape=(n, 4)]
        Its notes in ticks: start, duration, pitch and velocity.

    Returns
    -------
    int array [shape=(n, 4)]
    """
    notes, number = melody.notes, phrases(melody)
    if len(notes) < 2:
        return rows
    velocity = notes[:, 3] + _loudness(melody, _arch(number))
    lengths = rows[:, 1].astype(np.float64)
    last = np.append(number[1:] != number[:-1], True)
    lengths = np.where(last, lengths * 7 / 8, lengths)
    again = np.append((notes[1:, 2] == notes[:-1, 2]) & ~last[:-1], False)
    lengths = np.where(again, lengths * 11 / 12, lengths)
    columns = [rows[:, 0], np.maximum(lengths, 1), rows[:, 2], np.clip(velocity, 1, 127)]
    return np.round(np.stack(columns, axis=1)).astype(np.int64)


def _arch(number: Ints) -> Floats:
    """Return 0 at the ends of each phrase, and 1 in its middle."""
    found = np.zeros(len(number))
    for phrase in np.unique(number).tolist():
        here = np.flatnonzero(number == phrase)
        found[here] = np.sin(np.pi * (np.arange(len(here)) + 0.5) / len(here))
    return found


def _loudness(melody: Melody, arch: Floats) -> Floats:
    notes, quarter = melody.notes, melody.steps_per_quarter
    high = 3 * (notes[:, 2] - notes[:, 2].mean()) / 5
    short = -5 * np.clip(1 - notes[:, 1] / notes[:, 1].mean(), 0, 1)
    place = (notes[:, 0] - melody.pickup) % melody.steps_per_bar
    beat = max(4 * quarter // melody.metre[1], 1)
    metre = np.where(place == 0, 6.0, np.where(place % beat == 0, 2.0, -2.0))
    found: Floats = high + short + metre + ARCH_LOUDER * (arch - 0.5)
    return found


def _hurried(onsets: Floats, arch: Floats, number: Ints) -> Floats:
    """Play the middle of each phrase faster and its ends slower; it begins and ends in time."""
    moved = onsets.copy()
    for phrase in np.unique(number).tolist():
        here = np.flatnonzero(number == phrase)
        if len(here) > 2:
            waits, shape = np.diff(onsets[here]), arch[here][:-1]
            waits *= 1 - ARCH_FASTER * (shape - np.average(shape, weights=waits))
            moved[here[1:]] = onsets[here[0]] + np.cumsum(waits)
    return moved
