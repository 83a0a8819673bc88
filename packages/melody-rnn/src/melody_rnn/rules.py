"""What may happen at each step of a melody that is being written."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from melody_rnn.lines import CLASSES, HOLD, NOTE, OFF
from melody_rnn.transformer import ONSET, UNKNOWN

__all__ = ["Rules", "contour_of"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass
class Rules:
    """The events that may come, of one melody that is written several times.

    Parameters
    ----------
    given : int array [shape=(steps,)]
        An event that is known, `ONSET` for a note of whatever pitch, `UNKNOWN` for anything.
    pitches : bool array [shape=(38,)]
        Which notes may be drawn: range and scale.
    order : int array, optional
        Classes of the notes that are drawn, in this order: their rhythm is drawn.
    contour : int array [shape=(notes,)], optional
        For each note of the melody whether it lies above (1), at (0) or below (-1) the one before.
    """

    given: Ints
    pitches: Bools = field(default_factory=lambda: np.ones(CLASSES, bool))
    order: Ints | None = None
    contour: Ints | None = None

    def __call__(self, step: int, events: Ints) -> Bools:
        """Return which events may come [shape=(n, 38)], of melodies so far [shape=(n, step)]."""
        may = np.zeros((len(events), CLASSES), bool)
        given = int(self.given[step])
        if given < CLASSES:
            may[:, given] = True
            return may
        notes = self._notes(step, events)
        if given == ONSET:
            may[:, NOTE:] = notes
            return may
        may[:, [HOLD, OFF]] = True
        may[:, NOTE:] = notes
        if self.order is not None:
            drawn = self._drawn(events)
            # What is left must find a step each.
            must = (self.given[step:] == UNKNOWN).sum() <= len(self.order) - drawn
            may[must, :NOTE] = False
        return may

    def _notes(self, step: int, events: Ints) -> Bools:
        """Return which notes may begin [shape=(n, 36)]."""
        allowed = np.tile(self.pitches[NOTE:], (len(events), 1))
        if self.order is not None:
            drawn = self._drawn(events)
            left = drawn < len(self.order)
            following = self.order[np.minimum(drawn, len(self.order) - 1)] - NOTE
            allowed = (np.arange(allowed.shape[1]) == following[:, None]) & left[:, None]
        if self.contour is not None:
            allowed &= self._on_contour(events)
        return allowed

    def _drawn(self, events: Ints) -> Ints:
        """Count the notes that were drawn and not given."""
        free = self.given[: events.shape[1]] == UNKNOWN
        drawn: Ints = ((events >= NOTE) & free).sum(axis=1)
        return drawn

    def _on_contour(self, events: Ints) -> Bools:
        """Return which notes lie on the right side, and leave room for those that follow."""
        assert self.contour is not None
        number = (events >= NOTE).sum(axis=1)
        usable = np.flatnonzero(self.pitches[NOTE:])
        every = np.arange(CLASSES - NOTE)
        allowed = np.zeros((len(events), len(every)), bool)
        for row, count in enumerate(number.tolist()):
            above, below = _runs(self.contour[count + 1 :])
            room = (every <= usable[::-1][min(above, len(usable) - 1)]) & (
                every >= usable[min(below, len(usable) - 1)]
            )
            starts = np.flatnonzero(events[row] >= NOTE)
            if len(starts) and count < len(self.contour):
                last = int(events[row, starts[-1]]) - NOTE
                side = np.sign(every - last) == self.contour[count]
            else:
                side = np.ones(len(every), bool)
            for choice in (room & side, side):
                if (choice & self.pitches[NOTE:]).any():
                    allowed[row] = choice & self.pitches[NOTE:]
                    break
            else:
                allowed[row] = side  # beyond the scale or the range rather than off the contour
        return allowed


def _runs(contour: Ints) -> tuple[int, int]:
    """Return how often a line goes up in a row from here, and how often down."""
    def run(side: int) -> int:
        count = 0
        for one in contour.tolist():
            if one == -side:
                break
            count += one == side
        return count

    return run(1), run(-1)


def contour_of(events: Ints) -> Ints:
    """Return for each note whether it lies above, at or below the one before; 0 for the first."""
    notes = events[events >= NOTE]
    return np.sign(np.diff(notes, prepend=notes[:1]))
