"""Chords under a line, by rules, and the bass that plays them.

Chords are triads and sevenths of the scale, one for each half bar; scales of other than seven notes
take those of the major or minor scale with their third. Of all progressions the cheapest is taken,
by dynamic programming. What costs something:

- a note of the line that is not in its chord: 1 on the first beat of a bar, 0.6 on others, 0.2
  between beats, 0.5 where it is held on from the chord before;
- a seventh 0.35, and a diminished or augmented triad 1;
- a root that goes up a fourth nothing, up a step or a fifth or down a third 0.2, down a step or
  up a third 0.5 (in the order in which songs of POP909 prefer them); a chord that changes within
  a bar 0.5, and one that stays over a bar line 0.4;
- a part that begins on another chord than the tonic, or whose first half does not end on a chord
  of the cadence, 0.7; one whose last bar has another chord than the tonic 5; and another chord
  than one of the cadence before it, 1.

Chords of the cadence are those on the fourth and the fifth degree, and in a mode those with the
note that its parent scale does not have.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from drum_space.melodies.lines import HOLD, LOWEST, sounding
from drum_space.melodies.model import Prior
from drum_space.melodies.voices import PARENTS, SCALES, TRUST, Voice
from groove_core.drums import STEPS_PER_BAR
from groove_core.values import QUALITIES, Chord

__all__ = ["CHORD_STEPS", "bass_of", "bass_on", "chord_of", "harmonize", "struck_again"]

CHORD_STEPS = STEPS_PER_BAR // 2
FOREIGN = {0: 1.0, 1: 0.6, 2: 0.2}
HELD_ON = 0.5
SEVENTH, CROOKED = 0.35, 1.0
UP = (0.0, 0.2, 0.5, 0.0, 0.2, 0.2, 0.5)
"""What a root costs that is so many degrees higher than the one before; see `_moves`."""
WITHIN, STAYS = 0.5, 0.4
OPENING, ENDING, CADENCE = 0.7, 5.0, 1.0
ROOT, FIFTH, OTHER, PASSING = 0.5, 0.2, 0.1, 0.02
"""How often the bass plays notes of the chord, and others of the scale."""
LEAP = 6.0
"""Semitones by which a leap of the bass becomes e times less likely."""
FIRST = 0.9
"""How often it plays the root where a chord begins."""

Line = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def _seven(voice: Voice) -> npt.NDArray[np.int64]:
    """Return the scale that chords are made of, in semitones above the tonic."""
    return np.array(voice.scale if len(voice.scale) == 7 else PARENTS[voice.mode])


def _tones(scale: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return which semitones above the tonic are in each chord [shape=(14, 12)].

    The triads on each degree, then the sevenths.
    """
    found = np.zeros((14, 12), bool)
    for number in range(14):
        degrees = number % 7 + np.arange(0, 8 if number >= 7 else 6, 2)
        found[number, scale[degrees % 7]] = True
    return found


def chord_of(number: int, voice: Voice) -> Chord:
    """Return a chord by its number: the triads on each degree, then the sevenths.

    Examples
    --------
    >>> from drum_space.melodies.voices import voice_of
    >>> [str(chord_of(n, voice_of("lead", "D", "dorian"))) for n in (0, 3, 6, 11)]
    ['Dm', 'G', 'C', 'Am7']
    """
    scale = _seven(voice)
    root = scale[number % 7]
    above = (scale[(number % 7 + np.arange(0, 8 if number >= 7 else 6, 2)) % 7] - root) % 12
    quality = next(name for name, tones in QUALITIES.items() if tones == tuple(above.tolist()))
    # Spelled as the major key that has most of the notes.
    shared = [len({(t + s) % 12 for s in SCALES["major"]} & set(scale.tolist())) for t in range(12)]
    major = (int(np.argmax(shared)) + voice.tonic) % 12
    return Chord("C", quality).transpose(
        int(root + voice.tonic) % 12, flats=major in (1, 3, 5, 8, 10)
    )


def _moves() -> Floats:
    """Return what it costs to go from one chord to another [shape=(14, 14)]."""
    degree = np.arange(14) % 7
    found: Floats = np.array(UP)[(degree[None] - degree[:, None]) % 7]
    return found


def harmonize(line: Line, voice: Voice, *, given: npt.ArrayLike = ()) -> Line:
    """Choose chords under a line by the rules above.

    Parameters
    ----------
    line : int array [shape=(steps,)]
        As the voice writes it; whole bars.
    given : ints
        Chords that are known, from the first on.

    Returns
    -------
    int array [shape=(steps / 8,)]
        Numbers of chords, see `chord_of`.
    """
    scale = _seven(voice)
    tones = _tones(scale)
    halves = len(line) // CHORD_STEPS
    heard = sounding(voice.sounding(line)).astype(np.int64)
    step = np.arange(len(line))
    weight = np.where(
        step % STEPS_PER_BAR == 0, FOREIGN[0], np.where(step % 4 == 0, FOREIGN[1], FOREIGN[2])
    )
    held = (line == HOLD) & (step % CHORD_STEPS == 0)
    weight = np.where(line >= 0, weight, HELD_ON * held) * (heard >= 0)
    foreign = ~tones[:, (heard - voice.tonic) % 12] * weight
    cost = foreign.reshape(14, halves, CHORD_STEPS).sum(axis=2).T
    crooked = (scale[(np.arange(7) + 4) % 7] - scale) % 12 != 7
    cost += np.tile(CROOKED * crooked, 2) + SEVENTH * (np.arange(14) >= 7)
    degree = np.arange(14) % 7
    own = np.setdiff1d(scale, PARENTS[voice.mode])
    cadence = np.isin(degree, (3, 4)) | tones[:, own].any(axis=1)
    cost[0] += OPENING * (degree != 0)
    cost[halves // 2 - 1] += OPENING * ~cadence
    cost[-2:] += ENDING * (np.arange(14) != 0)
    if halves > 2:
        cost[-3] += CADENCE * ~cadence
    for at, number in enumerate(np.asarray(given, np.int64).tolist()):
        cost[at] = np.where(np.arange(14) == number, 0.0, np.inf)
    same = degree[:, None] == degree
    moves = _moves()
    total, came = cost[0], []
    for half in range(1, halves):
        inside = half % 2 == 1
        ways = total[:, None] + moves + np.where(same, 0.0 if inside else STAYS, WITHIN * inside)
        came.append(ways.argmin(axis=0))
        total = ways.min(axis=0) + cost[half]
    path = [int(total.argmin())]
    for before in reversed(came):
        path.append(int(before[path[-1]]))
    return np.array(path[::-1])


def bass_of(voice: Voice) -> Voice:
    """Return a bass that has all notes of the chords."""
    return replace(voice, scale=tuple(_seven(voice).tolist()))


def bass_on(chords: Line, voice: Voice) -> Prior:
    """Return what a bass would play on chords: roots where they begin, then notes of the chord."""
    fits = voice.playable()
    pitch = LOWEST + np.arange(len(fits))
    places = []
    for before, number in zip([-1, *chords[:-1]], chords, strict=True):
        share = np.zeros(12)
        share[voice.written] = PASSING
        for third, likes in enumerate((ROOT, OTHER, FIFTH, OTHER)[: 4 if number >= 7 else 3]):
            share[voice.written[(number + 2 * third) % 7]] = likes
        some = np.tile(share, (CHORD_STEPS, 1))
        if number != before:
            some[0] *= (1 - FIRST) / (share.sum() - ROOT)
            some[0, voice.written[number % 7]] = FIRST
        places.append(some[:, pitch % 12])
    with np.errstate(divide="ignore"):
        logits = np.log(np.concatenate(places)) - voice.strays(pitch)
    logits[:, ~fits] = -np.inf
    near = -torch.from_numpy(np.abs(pitch[:, None] - pitch)).float() / LEAP
    return Prior(torch.from_numpy(logits).float(), near, None, TRUST)


def struck_again(line: Line, chords: Line, voice: Voice) -> Line:
    """Begin notes of a bass that are held into another chord anew, on its root."""
    found, low = line.copy(), LOWEST + np.flatnonzero(voice.playable())
    for half in np.flatnonzero(np.diff(chords)) + 1:
        at = half * CHORD_STEPS
        roots = low[low % 12 == voice.written[chords[half] % 7]]
        if found[at] == HOLD and len(roots):
            found[at] = roots[np.argmin(np.abs(roots - sounding(found)[at]))]
    return found
