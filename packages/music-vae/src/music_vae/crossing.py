"""Cross two pieces: rhythm and contour of one, harmony or phrase endings of the other.

The cross is made of notes, and goes through the code: what the network makes of its code is a piece
that it can write, near to the cross.

- harmony: each note of the first melody moves to the nearest pitch that the second piece plays in
  its bar (if both sides are as near, to that on the side of the note before); a rising interval
  never falls, and a falling one never rises. A trio takes the bass of the second, too.
- endings: the last bar of each four (of two bars: the last half bar) is that of the second piece,
  in all voices.

`kept` measures what of each is left in the end.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from groove_core.drums import STEPS_PER_BAR
from music_vae.alphabets import HIGHEST, LOWEST, NOTE, OFF_CLASS
from music_vae.matching import f1

__all__ = ["endings", "harmony", "kept", "with_endings", "with_harmony"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
PHRASE_BARS = 4


def harmony(events: Ints, voices: Sequence[str]) -> Bools:
    """Return the pitch classes that melody and bass play in each bar [shape=(bars, 12)].

    A bar without a note has those of the bar before, or else of the next one.
    """
    bars = events.shape[1] // STEPS_PER_BAR
    found = np.zeros((bars, 12), bool)
    for voice, row in zip(voices, events, strict=True):
        if voice == "drums":
            continue
        for bar, sounding in enumerate(_sounding(row).reshape(bars, STEPS_PER_BAR)):
            found[bar, (sounding[sounding >= NOTE] - NOTE + LOWEST) % 12] = True
    known = np.flatnonzero(found.any(axis=1))
    if len(known):
        for bar in range(bars):
            before = known[known <= bar]
            found[bar] = found[before[-1] if len(before) else known[0]]
    return found


def _sounding(row: Ints) -> Ints:
    """Return the class of the note that sounds at each step; `OFF_CLASS` for none."""
    last = np.maximum.accumulate(np.where(row > 0, np.arange(len(row)), -1))
    return np.where(last >= 0, row[last.clip(0)], OFF_CLASS)


def with_harmony(one: Ints, other: Ints, voices: Sequence[str]) -> Ints:
    """Return the rhythm and the contour of one piece on the harmony of another.

    Parameters
    ----------
    one, other : int array [shape=(voices, steps)]
        In one key signature.

    Returns
    -------
    int array [shape=(voices, steps)]
    """
    allowed, made = harmony(other, voices), one.copy()
    if not allowed.any():
        return made
    row, before, new_before = made[0], 0, 0
    for place in np.flatnonzero(one[0] >= NOTE).tolist():
        pitch = int(one[0, place]) - NOTE + LOWEST
        classes = allowed[place // STEPS_PER_BAR]
        choices = [p for p in range(LOWEST, HIGHEST + 1) if classes[p % 12]]
        if before:
            direction = (pitch > before) - (pitch < before)
            choices = [p for p in choices if direction * (p - new_before) >= 0] or choices
            if not direction and classes[new_before % 12]:
                choices = [new_before]
        chosen = min(choices, key=lambda p: (abs(p - pitch), abs(p - new_before)))
        row[place] = chosen - LOWEST + NOTE
        before, new_before = pitch, chosen
    if "bass" in voices:
        made[list(voices).index("bass")] = other[list(voices).index("bass")]
    return made


def endings(steps: int) -> Bools:
    """Return which steps belong to the ends of phrases [shape=(steps,)]."""
    bars = steps // STEPS_PER_BAR
    if bars < PHRASE_BARS:
        return np.arange(steps) >= steps - STEPS_PER_BAR // 2
    return np.asarray(np.arange(steps) // STEPS_PER_BAR % PHRASE_BARS == PHRASE_BARS - 1)


def with_endings(one: Ints, other: Ints) -> Ints:
    """Return a piece with the ends of the phrases of another [shape=(voices, steps)].

    Notes of the other that begin before an end are not in it.
    """
    made: Ints = np.where(endings(one.shape[1])[None], other, one)
    return made


def kept(one: Ints, other: Ints, made: Ints, voices: Sequence[str]) -> dict[str, float]:
    """Measure what of two pieces is in a third [each shape=(voices, steps)].

    Returns
    -------
    dict of str to float, 0 to 1
        ``rhythm``: F1 of the onsets of the first voice and those of the first piece. ``contour``:
        share of its intervals that go the same way as those of the first piece, where both have
        their notes. ``harmony``: share of its notes on pitch classes of the second piece's bar.
        ``endings``: F1 of the events at the ends of phrases and those of the second piece. Drums
        have no contour and no harmony, and neither has what has no notes.
    """
    least = 1 if voices[0] == "drums" else NOTE
    begins, mine = made[0] >= least, one[0] >= least
    count = int(begins.sum() + mine.sum())
    found = {"rhythm": 2 * int((begins & mine).sum()) / count if count else 1.0}
    if voices[0] != "drums":
        both = np.flatnonzero(begins & mine)
        ways = np.sign(np.diff(made[0, both])) == np.sign(np.diff(one[0, both]))
        found |= {"contour": float(ways.mean())} if len(ways) else {}
        places = np.flatnonzero(begins)
        allowed = harmony(other, voices)[places // STEPS_PER_BAR]
        hits = allowed[np.arange(len(places)), (made[0, places] - NOTE + LOWEST) % 12]
        found |= {"harmony": float(hits.mean())} if len(hits) else {}
    ends = endings(made.shape[1])
    found["endings"] = f1(other[:, ends], made[:, ends])
    return found
