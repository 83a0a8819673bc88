"""Which bars of two pieces go together, and how both come into one key.

Excerpts are compared by three distances, each from 0 to 1, whose sum is to be small:

- form: how differently bars repeat. Of two bars of one excerpt, likeness is the F1 of their events
  (1 if they are equal); the distance is the mean difference of the likenesses of all two bars.
- metre: how differently events are spread over the sixteen steps of a bar.
- key: how far apart the key signatures are on the circle of fifths, six being the farthest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from groove_core.console import note
from groove_core.drums import STEPS_PER_BAR
from groove_core.errors import InputError
from groove_core.values import LeadSheet, Score, find_key, key_name, transpose_sharps
from music_vae.alphabets import LOWEST, NOTE, folded
from music_vae.excerpts import Excerpt, at_each_bar, chosen
from music_vae.pieces import begins, stretches

__all__ = ["Pair", "distances", "f1", "find_pair", "key_of", "moved", "way_to"]

ALIKE = 0.5
"""Excerpts of one piece go together only if the F1 of their events is below this."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Pair:
    """Two excerpts that go together.

    Parameters
    ----------
    first, second : Excerpt
    semitones : int
        Brings the second one to the key signature of the first one.
    """

    first: Excerpt
    second: Excerpt
    semitones: int


def key_of(events: Ints, voices: Sequence[str]) -> tuple[int, bool] | None:
    """Return the key of melody and bass: sharps, and whether it is minor; None without notes.

    Parameters
    ----------
    events : int array [shape=(voices, steps)]
    """
    counts = np.zeros(12)
    for voice, row in zip(voices, events, strict=True):
        if voice != "drums":
            changes = np.flatnonzero(row)
            lengths = np.diff(changes, append=len(row))
            sounds = row[changes] >= NOTE
            pitches = row[changes][sounds] - NOTE + LOWEST
            counts += np.bincount(pitches % 12, lengths[sounds], minlength=12)
    if not counts.any():
        return None
    tonic, mode = find_key(counts)
    # The major key with the same signature is three semitones above a minor one.
    return int(transpose_sharps(0, tonic + 3 * mode)), bool(mode)


def way_to(wanted: int, sharps: int) -> int:
    """Return the semitones, -6 to 5, that bring a key with so many sharps to others.

    >>> way_to(0, 2), way_to(-3, 0), way_to(1, 0)
    (-2, 3, -5)
    """
    return (7 * (wanted - sharps) + 6) % 12 - 6


def moved(events: Ints, voices: Sequence[str], semitones: int) -> Ints:
    """Transpose melody and bass; notes that leave the piano are moved back by octaves.

    Parameters
    ----------
    events : int array [shape=(..., voices, steps)]
    """
    pitched = np.array([voice != "drums" for voice in voices])[:, None]
    pitches = folded(events - NOTE + LOWEST + semitones) - LOWEST + NOTE
    return np.where(pitched & (events >= NOTE), pitches, events)


def find_pair(
    one: Score | LeadSheet,
    other: Score | LeadSheet | None,
    voices: Sequence[str],
    bars: int,
    spans: tuple[tuple[int, int] | None, tuple[int, int] | None] = (None, None),
    *,
    track: str | None = None,
) -> Pair:
    """Find the excerpts of two pieces, or of one, that go together best, and say which they are.

    Parameters
    ----------
    other : Score, LeadSheet or None
        None: two excerpts of one piece, which do not overlap and are not alike.
    spans : two of (int, int) or None
        Bars that are told of each piece; where none are, those are chosen that fit best.

    Raises
    ------
    InputError
        If there is nothing to read, or one piece has no two such excerpts.
    UsageError
        If the bars that are told are not there.
    """
    same = other is None
    second = one if other is None else other
    given = [one, second]
    options = ["--bars-a", "--bars-b"]
    told = [
        None if span is None else chosen(piece, voices, bars, span, track=track, option=option)
        for piece, span, option in zip(given, spans, options, strict=True)
    ]
    lists: list[list[Excerpt]] = []
    for number, excerpt in enumerate(told):
        if excerpt is not None:
            lists.append([excerpt])
        elif number and same and told[0] is None:
            lists.append(lists[0])
        else:
            found = at_each_bar(stretches(given[number], voices, track=track), voices, bars)
            whole = same or bool(found)
            lists.append(found if whole else [chosen(given[number], voices, bars, track=track)])
    pair = _best(lists[0], lists[1], voices, apart=same and None in told)
    if pair is None:
        raise InputError(
            f"{one.name} has no two excerpts of {bars} bars that differ.",
            hint="Give a second file, or bars: --bars-a 1-2 --bars-b 5-6",
        )
    one_key, other_key = (key_of(excerpt.events, voices) for excerpt in pair)
    semitones, way = 0, ""
    if one_key is not None and other_key is not None:
        semitones = way_to(one_key[0], other_key[0])
    if semitones and one_key is not None and other_key is not None:
        way = (
            f", moved by {semitones:+d} semitones from {key_name(*other_key)} to the signature of "
            f"{key_name(*one_key)}"
        )
    note(f"{pair[0]}, and {pair[1]}{way}")
    return Pair(*pair, semitones)


def _best(
    ones: Sequence[Excerpt], others: Sequence[Excerpt], voices: Sequence[str], *, apart: bool
) -> tuple[Excerpt, Excerpt] | None:
    """Return the two excerpts with the least distance; of equal ones, the first."""
    if not ones or not others:
        return None
    total = distances(ones, others, voices)
    if apart:
        for row, one in enumerate(ones):
            for column, other in enumerate(others):
                close = abs(one.bar - other.bar) < max(one.bars, other.bars)
                if close or f1(one.events, other.events) >= ALIKE:
                    total[row, column] = np.inf
    if not np.isfinite(total).any():
        return None
    row, column = divmod(int(total.argmin()), len(others))
    return ones[row], others[column]


def distances(ones: Sequence[Excerpt], others: Sequence[Excerpt], voices: Sequence[str]) -> Floats:
    """Return how little excerpts go together [shape=(len(ones), len(others))]."""
    mine, theirs = (
        [_features(excerpt.events, voices) for excerpt in some] for some in (ones, others)
    )
    found = np.zeros((len(ones), len(others)))
    form, metre = (np.stack([one[part] for one in theirs]) for part in (0, 1))
    keys = np.array([one[2] for one in theirs])
    for row, (my_form, my_metre, my_key) in enumerate(mine):
        found[row] = np.abs(form - my_form).mean(axis=1)
        found[row] += np.abs(metre - my_metre).sum(axis=1) / 2
        fifths = np.abs(keys - my_key) % 12
        found[row] += np.nan_to_num(np.minimum(fifths, 12 - fifths) / 6)
    return found


def _features(events: Ints, voices: Sequence[str]) -> tuple[Floats, Floats, float]:
    """Return the likenesses of bars, the spread over a bar, and the sharps (NaN: no key)."""
    bars = events.shape[1] // STEPS_PER_BAR
    each = events.reshape(len(voices), bars, STEPS_PER_BAR)
    likeness = [f1(each[:, a], each[:, b]) for a in range(bars) for b in range(a)]
    spread = begins(events, voices).reshape(-1, bars, STEPS_PER_BAR).sum(axis=(0, 1))
    key = key_of(events, voices)
    return np.array(likeness), spread / max(spread.sum(), 1), np.nan if key is None else key[0]


def f1(one: Ints, other: Ints) -> float:
    """Return the F1 of the events of two passages of one length; 1 if both have none."""
    sounds = int((one > 0).sum() + (other > 0).sum())
    return 2 * int(((one == other) & (one > 0)).sum()) / sounds if sounds else 1.0
