"""What may happen at each step of a melody that is being written."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from groove_core.errors import UsageError
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
    """

    given: Ints
    pitches: Bools = field(default_factory=lambda: np.ones(CLASSES, bool))
    order: Ints | None = None
    """Classes of all notes of the line, where only the rhythm is drawn."""
    contour: Ints | None = None
    """For each note of the line whether it lies above (1), at (0) or below (-1) the one before."""
    ways: list[Bools] = field(default_factory=list)
    """Notes from which the rest of the contour can be followed, of each note of the line: which
    of 36 [shape=(36,)], or whether that which is given is one [shape=(1,)]."""
    fixed: list[int | None] = field(default_factory=list)
    """The notes that are given, of each note of the line; 0 is the lowest that networks know."""
    until: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    """Notes of the line before the next step that is given, of each step."""
    room: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    """Steps up to there."""

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
            left = self._left(step, events)
            may[left >= self.room[step], :NOTE] = False  # each of them needs a step
        return may

    def _notes(self, step: int, events: Ints) -> Bools:
        """Return which notes may begin [shape=(n, 36)]."""
        if self.contour is not None:
            return self._on_contour(events)
        if self.order is None:
            return np.tile(self.pitches[NOTE:], (len(events), 1))
        following = self.order[_count(events)] - NOTE
        left = self._left(step, events)
        found: Bools = (np.arange(CLASSES - NOTE) == following[:, None]) & (left > 0)[:, None]
        return found

    def _left(self, step: int, events: Ints) -> Ints:
        """Return how many notes must still begin before the next note that is given."""
        left: Ints = self.until[step] - _count(events)
        return left

    def reorder(self, events: Ints) -> None:
        """Keep the pitches of a line in their order; their rhythm is drawn.

        Parameters
        ----------
        events : int array [shape=(steps,)]
            The line that `given` is of.
        """
        begins = events >= NOTE
        steps = len(events)
        self.order = np.append(events[begins], NOTE)  # behind the last one, none is left
        fixed = np.where(self.given == UNKNOWN, steps, np.arange(steps))
        ends = np.minimum.accumulate(fixed[::-1])[::-1]
        before = np.append(0, np.cumsum(begins))
        self.until = before[ends]
        self.room = ends - np.arange(steps)

    def _on_contour(self, events: Ints) -> Bools:
        """Return which notes lie on the right side of the last one, with room for what follows."""
        assert self.contour is not None
        every = np.arange(CLASSES - NOTE)
        allowed = np.zeros((len(events), len(every)), bool)
        for row, line in enumerate(events):
            before = line[line >= NOTE] - NOTE
            allowed[row] = self.ways[len(before)]
            if len(before):
                given = self.fixed[len(before) - 1]
                last = before[-1] if given is None else given
                allowed[row] &= np.sign(every - last) == self.contour[len(before)]
        return allowed

    def follow(self, events: Ints, pitches: Ints | None = None) -> None:
        """Keep the ups and downs of a line.

        Parameters
        ----------
        events : int array [shape=(steps,)]
            The line that `given` is of.
        pitches : int array [shape=(notes,)], optional
            Its notes before they were brought into the 36 that networks know; 0 is the lowest.

        Raises
        ------
        UsageError
            If the range and the scale do not allow it.
        """
        notes = np.flatnonzero(events >= NOTE)
        real = events[notes] - NOTE if pitches is None else pitches
        self.contour = contour_of(real)
        self.fixed = [
            int(pitch) if self.given[at] < CLASSES else None
            for at, pitch in zip(notes.tolist(), real.tolist(), strict=True)
        ]
        every = np.arange(CLASSES - NOTE)
        behind, self.ways = None, []
        for number in range(len(notes) - 1, -1, -1):
            pitch = self.fixed[number]
            here = every if pitch is None else np.array([pitch])
            ways = self.pitches[NOTE:] if pitch is None else np.ones(1, bool)
            if behind is not None:
                fits = np.sign(behind[None, :] - here[:, None]) == self.contour[number + 1]
                ways = ways & (fits & self.ways[0]).any(axis=1)
            self.ways.insert(0, ways)
            behind = here
        if len(notes) and not self.ways[0].any():
            raise UsageError(
                "No other melody goes up and down like this one within the range and the scale.",
                hint="Give a wider range, or another --amount.",
            )


def _count(events: Ints) -> Ints:
    found: Ints = (events >= NOTE).sum(axis=1)
    return found


def contour_of(pitches: Ints) -> Ints:
    """Return for each note whether it lies above, at or below the one before; 0 for the first."""
    found: Ints = np.sign(np.diff(pitches, prepend=pitches[:1]))
    return found
