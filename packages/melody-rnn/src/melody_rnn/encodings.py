"""What the three original networks are told at each step, and the labels they predict.

After the encoders of magenta's note-seq (``OneHotEventSequenceEncoderDecoder``,
``LookbackEventSequenceEncoderDecoder``, ``KeyMelodyEncoderDecoder``), described in E. Waite,
"Generating Long-Term Structure in Songs and Stories", 2016.

Each encoding walks along a batch of melodies, an event at a time, so that one code serves
training and playing.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt

from melody_rnn.lines import CLASSES, HOLD, NOTE, OFF

__all__ = ["BAR", "LOOKBACK", "Encoding", "KeyEncoding", "LookbackEncoding", "OneHot"]

BAR = 16
"""The originals know 4/4 in sixteenths only."""
LOOKBACK = (BAR, 2 * BAR)
PITCHES = CLASSES - NOTE
MAJOR_SCALE = np.array([0, 2, 4, 5, 7, 9, 11])
# Row k: which pitch classes are in the major key k.
KEYS = np.array([[(c - k) % 12 in MAJOR_SCALE for c in range(12)] for k in range(12)], np.int64)

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


class Encoding:
    """The events of a batch of melodies so far.

    Parameters
    ----------
    count : int
        Melodies of the batch.
    """

    size: ClassVar[int] = CLASSES
    """Numbers of each step."""
    labels: ClassVar[int] = CLASSES
    """Classes that are predicted."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.past: list[Ints] = []

    def step(self, events: Ints) -> Floats:
        """Take the next event of each melody, and return what the network is told.

        Parameters
        ----------
        events : int array [shape=(count,), 0 to 37]

        Returns
        -------
        float array [shape=(count, size)]
        """
        self.past.append(events)
        return self.told(events)

    def told(self, events: Ints) -> Floats:
        """Return the numbers of the step whose event was taken last."""
        raise NotImplementedError  # each network is told something else

    def ago(self, steps: int) -> Ints | None:
        """Return the events so many steps before the last one."""
        return self.past[-1 - steps] if len(self.past) > steps else None


def one_hot(classes: Ints, size: int) -> Floats:
    """Return rows with a one each."""
    found: Floats = np.eye(size, dtype=np.float32)[classes]
    return found


def counter(step: int, bits: int) -> Floats:
    """Return a number as binary digits, the lowest first, as -1 and 1."""
    found: Floats = np.where(step >> np.arange(bits) & 1, 1, -1).astype(np.float32)
    return found


class OneHot(Encoding):
    """The event itself."""

    def told(self, events: Ints) -> Floats:
        return one_hot(events, CLASSES)


class LookbackEncoding(Encoding):
    """The event, what followed one and two bars ago, the place in two bars, and repetition."""

    bits: ClassVar[int] = 5
    size: ClassVar[int] = CLASSES * (1 + len(LOOKBACK)) + bits + len(LOOKBACK)
    labels: ClassVar[int] = CLASSES + len(LOOKBACK)

    def told(self, events: Ints) -> Floats:
        nothing = np.full(self.count, HOLD)
        follows = [self.ago(back - 1) for back in LOOKBACK]
        return np.concatenate([
            one_hot(events, CLASSES),
            *(one_hot(nothing if after is None else after, CLASSES) for after in follows),
            np.tile(counter(len(self.past), self.bits), (self.count, 1)),
            repeats(self),
        ], axis=1)  # fmt: skip


def repeats(encoding: Encoding) -> Floats:
    """Return whether the last event was there one and two bars ago [shape=(count, 2)]."""
    now = encoding.past[-1]
    found = [encoding.ago(back) for back in LOOKBACK]
    rows = [np.zeros(len(now), bool) if ago is None else now == ago for ago in found]
    return np.stack(rows, axis=1).astype(np.float32)


class KeyEncoding(Encoding):
    """What sounds and how it moves, repetition, the place in eight bars, and possible keys."""

    bits: ClassVar[int] = 7
    size: ClassVar[int] = PITCHES + 2 + 1 + 1 + len(LOOKBACK) + bits + 1 + 12 + 12
    labels: ClassVar[int] = CLASSES + len(LOOKBACK)

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.sounding = np.full(count, -1)
        self.direction = np.zeros(count, np.int64)
        self.last = np.full((count, 3), -1)
        """The last three different notes, the newest last; -1 where there were fewer."""
        self.histogram = np.zeros((count, 12), np.int64)

    def told(self, events: Ints) -> Floats:
        begins = events >= NOTE
        pitch = events - NOTE
        before = self.last[:, -1]
        moved = np.sign(pitch - before)
        turned = begins & (before >= 0) & (moved != 0)
        self.direction = np.where(turned, moved, self.direction)
        self.sounding = np.where(begins, pitch, np.where(events == OFF, -1, self.sounding))
        rows = np.flatnonzero(begins)
        np.add.at(self.histogram, (rows, pitch[rows] % 12), 1)
        for row in rows.tolist():
            kept = [p for p in self.last[row].tolist() if p not in (pitch[row], -1)]
            kept = [*kept, int(pitch[row])][-3:]
            self.last[row] = [-1] * (3 - len(kept)) + kept
        silent = self.sounding < 0
        of_three = np.zeros((self.count, 12), np.int64)
        for column in self.last.T:
            known = np.flatnonzero(column >= 0)
            np.add.at(of_three, (known, column[known] % 12), 1)
        step = len(self.past)
        place = np.append(counter(step, self.bits), step % BAR == 0)
        return np.concatenate([
            one_hot(self.sounding, PITCHES) * ~silent[:, None],
            np.stack([~silent, silent, begins, self.direction], axis=1),
            repeats(self),
            np.tile(place, (self.count, 1)),
            _keys(self.histogram),
            _keys(of_three),
        ], axis=1).astype(np.float32)  # fmt: skip


def _keys(histogram: Ints) -> Floats:
    """Mark the major keys that hold most of the notes [shape=(count, 12)]."""
    inside = histogram @ KEYS.T
    found: Floats = (inside == inside.max(axis=1, keepdims=True)).astype(np.float32)
    return found


def told(kind: type[Encoding], events: Ints) -> Floats:
    """Return what a network is told before each event of melodies [shape=(n, steps, size)].

    Before the first event it is told nothing: zeros.
    """
    encoding = kind(len(events))
    rows = [np.zeros((len(events), kind.size), np.float32)]
    rows += [encoding.step(column) for column in events.T[:-1]]
    return np.stack(rows, axis=1)


def labels(kind: type[Encoding], events: Ints) -> Ints:
    """Return the label of each event: a repetition, the longest first, or the event itself.

    Before there was anything to repeat, the first events are compared with silence.
    """
    found = events.copy()
    if kind.labels == CLASSES:
        return found
    for number, back in enumerate(LOOKBACK):
        ago = np.full_like(events, HOLD)
        ago[:, back:] = events[:, :-back]
        found[events == ago] = CLASSES + number
    return found
