"""Bars that are cut out of pieces, as many as a network reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from groove_core.console import note
from groove_core.drums import STEPS_PER_BAR
from groove_core.errors import InputError, UsageError
from groove_core.values import LeadSheet, Score
from music_vae.alphabets import without_lone_offs
from music_vae.frames import Frame
from music_vae.pieces import Stretch, begins, stretches

__all__ = ["Excerpt", "at_each_bar", "chosen", "excerpts"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Excerpt:
    """So many bars of a piece as a network reads.

    Parameters
    ----------
    events : int array [shape=(voices, steps)]
    bar : int
        Number of the first bar in the piece.
    bars : int
        Bars that the piece has; behind them, silence was filled in.
    stretch : Stretch
        That it was cut out of.
    """

    events: Ints
    bar: int
    bars: int
    stretch: Stretch

    @property
    def frame(self) -> Frame | None:
        """Where it stands in a song."""
        frame = self.stretch.frame
        return frame and frame.later((self.bar - self.stretch.bar) * STEPS_PER_BAR)

    def __str__(self) -> str:
        last = self.bar + self.bars - 1
        bars = f"bars {self.bar}-{last}" if last > self.bar else f"bar {self.bar}"
        return f"{bars} of {self.stretch.name}"


def _cut(stretch: Stretch, voices: Sequence[str], first: int, bars: int) -> Excerpt:
    """Cut bars out of a stretch, from its bar `first` (from 0); silence fills up what is missing.

    A note that begins before the first bar is left out.
    """
    at, size = first * STEPS_PER_BAR, bars * STEPS_PER_BAR
    rows = stretch.rows[:, at : at + size]
    rows = np.pad(rows, ((0, 0), (0, size - rows.shape[1])))
    events = np.stack([
        row if voice == "drums" else without_lone_offs(row)
        for voice, row in zip(voices, rows, strict=True)
    ])  # fmt: skip
    return Excerpt(events, stretch.bar + first, min(bars, stretch.bars - first), stretch)


def _cuts(stretch: Stretch, voices: Sequence[str], bars: int) -> list[Excerpt]:
    """Cut a stretch into excerpts, from the first bar in which all voices begin a note.

    Where there is none, it is the first in which any does. The last excerpt is filled up with
    silence; one in which nothing happens is left out.
    """
    each = begins(stretch.rows, voices).reshape(len(voices), -1, STEPS_PER_BAR).any(axis=2)
    first = int((each.all(axis=0) if each.all(axis=0).any() else each.any(axis=0)).argmax())
    found = [_cut(stretch, voices, at, bars) for at in range(first, stretch.bars, bars)]
    return [one for one in found if begins(one.events, voices).any()]


def excerpts(
    given: Score | LeadSheet,
    voices: Sequence[str],
    bars: int,
    *,
    track: str | None = None,
    quiet: bool = False,
) -> list[Excerpt]:
    """Cut a piece into excerpts of so many bars, from the first bar in which all voices play.

    The last one of each stretch is filled up with silence, and one in which nothing happens is left
    out.

    Parameters
    ----------
    track, quiet : optional
        See `stretches`.

    Raises
    ------
    InputError
        If there is nothing to read, or the piece is shorter than an excerpt.
    """
    found = stretches(given, voices, track=track, quiet=quiet)
    every = [one for stretch in found for one in _cuts(stretch, voices, bars)]
    if (longest := max(one.bars for one in every)) < bars:
        raise InputError(
            f"{given.name} has {longest} of the {bars} bars that the model reads.",
            hint=f"Give pieces of {bars} bars or more"
            + (", or use a model of two: --model mel-2bar." if bars > 2 else "."),
        )
    return every


def chosen(
    given: Score | LeadSheet,
    voices: Sequence[str],
    bars: int,
    span: tuple[int, int] | None = None,
    *,
    track: str | None = None,
    option: str = "--bars",
) -> Excerpt:
    """Cut some bars out of a piece, or else the first in which all voices play.

    Parameters
    ----------
    span : (int, int), optional
        Numbers of the first and of the last bar. Fewer bars than the model has are filled up with
        silence, which is said.
    option : str
        What the bars are called in hints.

    Raises
    ------
    InputError
        If there is nothing to read.
    UsageError
        If there are no such bars, or more than the model has.
    """
    if span is None:
        found = stretches(given, voices, track=track)
        longest = max(found, key=lambda one: int((one.rows > 0).sum()))
        every = _cuts(longest, voices, bars)
        if len(every) > 1 or len(found) > 1:
            note(f"using {every[0]}; other bars with {option}")
        return _padded(every[0], bars)
    first, last = span
    if last - first + 1 > bars:
        raise UsageError(
            f"Bars {first}-{last} are {last - first + 1} bars; the model has {bars}.",
            hint=f"{option} {first}-{first + bars - 1}",
        )
    found = stretches(given, voices, track=track)
    inside = [s for s in found if s.bar <= first and last < s.bar + s.bars]
    if not inside:
        listed = [f"{s.bar}-{s.bar + s.bars - 1}" for s in found]
        raise UsageError(
            f"Bars {first}-{last} are not in {given.name}, of which the model can read the bars "
            f"{', '.join(listed)}.",
            hint=f"{option} {listed[0]}",
        )
    whole = inside[0]
    until = replace(whole, rows=whole.rows[:, : (last + 1 - whole.bar) * STEPS_PER_BAR])
    excerpt = replace(_cut(until, voices, first - whole.bar, bars), stretch=whole)
    if not begins(excerpt.events, voices).any():
        raise UsageError(f"Nothing begins in {excerpt}.", hint=f"Choose bars with notes: {option}")
    return _padded(excerpt, bars)


def _padded(excerpt: Excerpt, bars: int) -> Excerpt:
    """Say where silence was filled in."""
    if excerpt.bars < bars:
        note(f"{excerpt}: silence fills up the {bars} bars of the model")
    return excerpt


def at_each_bar(found: Sequence[Stretch], voices: Sequence[str], bars: int) -> list[Excerpt]:
    """Cut an excerpt at each bar with which so many whole bars begin.

    Something begins in its first bar, and in three of four bars.
    """
    kept = []
    for stretch in found:
        for first in range(stretch.bars - bars + 1):
            excerpt = _cut(stretch, voices, first, bars)
            each = begins(excerpt.events, voices).reshape(-1, bars, STEPS_PER_BAR)
            busy = np.flatnonzero(each.any(axis=2).any(axis=0))
            if 0 in busy and 4 * len(busy) >= 3 * bars:
                kept.append(excerpt)
    return kept
