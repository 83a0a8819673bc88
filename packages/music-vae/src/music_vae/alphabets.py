"""What can happen at a step of a voice: the classes that networks read and write.

Melody and bass have 90 classes: no event, note off, and the 88 keys of a piano (MIDI 21 to 108).
Drums have 512: the combinations of the nine drums of a kit. Networks read the class of a melody as
one-hot, and that of drums as its nine hits and whether there is none (A. Roberts et al., "A
Hierarchical Latent Vector Model for Learning Long-Term Structure in Music", 1803.05428).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from groove_core.drums import DRUMS, KIT_DRUMS
from groove_core.errors import UsageError
from groove_core.values import HOLD, OFF

__all__ = [
    "ALPHABETS", "HIGHEST", "LOWEST", "NOTE", "OFF_CLASS", "VOICES", "Alphabet", "drum_classes",
    "drum_hits", "folded", "melody_classes", "melody_events", "outside", "without_lone_offs",
]  # fmt: skip

LOWEST, HIGHEST = 21, 108
"""Lowest and highest MIDI pitch of melody and bass."""
OFF_CLASS, NOTE = 1, 2
"""Class of a note off, and of the lowest note; class 0 is no event."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Alphabet:
    """The classes of a voice."""

    classes: int
    features: int
    """Numbers by which a network reads a class."""
    is_pitched: bool

    def table(self) -> npt.NDArray[np.float32]:
        """Return the features of each class, and behind them zeros: the start of a piece.

        Returns
        -------
        float array [shape=(classes + 1, features)]
        """
        every = np.arange(self.classes)
        if self.is_pitched:
            known = np.eye(self.classes)
        else:
            hits = (every[:, None] >> np.arange(self.features - 1)) & 1
            known = np.concatenate([hits, (every == 0)[:, None]], axis=1)
        return np.concatenate([known, np.zeros((1, self.features))]).astype(np.float32)


_PITCHED = Alphabet(NOTE + HIGHEST - LOWEST + 1, NOTE + HIGHEST - LOWEST + 1, is_pitched=True)
ALPHABETS = {
    "melody": _PITCHED,
    "bass": _PITCHED,
    "drums": Alphabet(2 ** len(KIT_DRUMS), len(KIT_DRUMS) + 1, is_pitched=False),
}
VOICES = tuple(ALPHABETS)
"""Names of the voices, in the order of a trio."""


def outside(events: npt.ArrayLike) -> int:
    """Count the notes that no piano has."""
    given = np.asarray(events)
    return int(((given >= 0) & ((given < LOWEST) | (given > HIGHEST))).sum())


def folded(pitches: npt.ArrayLike) -> Ints:
    """Move the pitches that no piano has by octaves, as few as it takes.

    >>> folded([20, 21, 108, 109, 127]).tolist()
    [32, 21, 108, 97, 103]
    """
    given = np.asarray(pitches, np.int64)
    return given.clip(LOWEST + (given - LOWEST) % 12, HIGHEST - (HIGHEST - given) % 12)


def melody_classes(events: npt.ArrayLike) -> Ints:
    """Return the classes of events as `groove_core.values.Melody.events` has them.

    Raises
    ------
    UsageError
        If a note is lower or higher than those of a piano.

    Examples
    --------
    >>> melody_classes([60, -2, -1, 21]).tolist()
    [41, 0, 1, 2]
    """
    given = np.asarray(events, np.int64)
    if far := outside(given):
        raise UsageError(
            f"{far} of {(given >= 0).sum()} notes lie outside MIDI {LOWEST} to {HIGHEST}.",
            hint="Transpose the melody by octaves.",
        )
    return np.where(given == HOLD, 0, np.where(given == OFF, OFF_CLASS, given - LOWEST + NOTE))


def melody_events(classes: npt.ArrayLike) -> Ints:
    """Return the events of classes, the inverse of `melody_classes`."""
    given = np.asarray(classes, np.int64)
    return np.where(given == 0, HOLD, np.where(given == OFF_CLASS, OFF, given - NOTE + LOWEST))


def drum_classes(hits: npt.ArrayLike) -> Ints:
    """Return the classes of steps: bit *k* is drum *k* of a kit; percussion is left out.

    Parameters
    ----------
    hits : bool array [shape=(steps, 14)]
        Of a `groove_core.drums.DrumPattern`.

    Returns
    -------
    int array [shape=(steps,), 0 to 511]
    """
    kit = np.asarray(hits, bool)[:, : len(KIT_DRUMS)]
    found: Ints = kit @ (1 << np.arange(len(KIT_DRUMS)))
    return found


def drum_hits(classes: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Return the hits of classes [shape=(steps, 14)], the inverse of `drum_classes`."""
    given = np.asarray(classes, np.int64)
    if ((given < 0) | (given >= ALPHABETS["drums"].classes)).any():
        raise UsageError("Classes of drums are 0 to 511.", hint="Decode them with their voice.")
    found: npt.NDArray[np.bool_] = (given[:, None] >> np.arange(len(DRUMS)) & 1).astype(bool)
    return found


def without_lone_offs(classes: npt.ArrayLike) -> Ints:
    """Return classes of a melody without the note offs that end no note.

    A window that begins inside a note has one: the note itself begins before the window.

    Examples
    --------
    >>> without_lone_offs([0, 1, 41, 0, 1, 1]).tolist()
    [0, 0, 41, 0, 1, 0]
    """
    given = np.array(classes, np.int64)
    changes = np.flatnonzero(given)
    before = np.concatenate([[OFF_CLASS], given[changes][:-1]])
    given[changes[(given[changes] == OFF_CLASS) & (before[: len(changes)] == OFF_CLASS)]] = 0
    return given
