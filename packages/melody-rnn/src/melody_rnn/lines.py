"""Melodies as networks see them: an event a step, in the key without sharps and flats.

The alphabet is that of note-seq: nothing happens, the note ends, or one of 36 notes begins. A
melody is moved to C major or A minor by its key signature and by octaves into the 36 notes, and
back afterwards. A pickup is filled up to a whole bar with silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from groove_core.tunes import METRES
from groove_core.values import Chord, Melody, key_sharps

__all__ = [
    "CLASSES", "HIGHEST", "HOLD", "LOWEST", "NOTE", "OFF", "Line", "Windows", "encode", "windows",
]  # fmt: skip

LOWEST, HIGHEST = 48, 83
"""Lowest and highest MIDI pitch that networks know."""
HOLD, OFF, NOTE = 0, 1, 2
"""Classes of events: nothing, the note ends, and the lowest note; the others follow."""
CLASSES = NOTE + HIGHEST - LOWEST + 1
MAJOR, MINOR, OPEN = 0, 1, 2
"""Modes; the last one is not known."""
NO_ROOT, OPEN_ROOT = 12, 13
"""No chord sounds, and nobody knows which chord sounds."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Line:
    """A melody in classes of events, which begins with a bar.

    Parameters
    ----------
    events : int array [shape=(steps,), 0 to 37]
    lead : int
        Steps at the beginning that stand before the pickup, and are silent.
    bar : int
        Steps of a bar.
    grid : int
        Steps per quarter.
    metre : int
        Index into `METRES`.
    mode : 0 for major, 1 for minor, 2 where it is not known
    root : int array [shape=(steps,), 0 to 13]
        Pitch class of the chord's root, moved as the melody is.
    chord : int array [shape=(steps,)]
        The chord's pitch classes, as 12 bits.
    shift : int
        Semitones by which the melody was moved.
    folded : int
        Notes that were moved by further octaves, since they lie outside of the 36.
    """

    events: Ints
    lead: int
    bar: int
    grid: int
    metre: int
    mode: int
    root: Ints
    chord: Ints
    shift: int
    folded: int = 0

    def __len__(self) -> int:
        return len(self.events)

    @property
    def for_originals(self) -> bool:
        """Whether the originals can read it: bars of sixteen sixteenths."""
        return self.bar == 16 and self.grid == 4


def shift_of(melody: Melody) -> int:
    """Return the semitones that bring a melody to C major or A minor, and into the 36 notes."""
    sharps = key_sharps(melody.key)[0] if melody.key else 0
    down = -(7 * sharps) % 12
    pitches = melody.notes[:, 2]
    if not len(pitches):
        return down
    middle = (LOWEST + HIGHEST) / 2
    octaves = down + 12 * np.arange(-8, 9)
    moved = pitches + octaves[:, None]
    outside = ((moved < LOWEST) | (moved > HIGHEST)).sum(axis=1)
    far = np.abs(moved.mean(axis=1) - middle)
    return int(octaves[np.lexsort((far, outside))[0]])


def encode(melody: Melody, *, shift: int | None = None) -> Line:
    """Bring a melody to the form of networks.

    Parameters
    ----------
    melody : Melody
        In one of `METRES`; a `LeadSheet` brings its chords.
    shift : int, optional
        Semitones to move it by. Default: see `shift_of`.
    """
    bar = melody.steps_per_bar
    lead = -melody.pickup % bar
    moved = shift_of(melody) if shift is None else shift
    pitches = melody.notes[:, 2] + moved
    inside = pitches.clip(LOWEST + (pitches - LOWEST) % 12, HIGHEST - (HIGHEST - pitches) % 12)
    length = lead + melody.length
    events = np.full(length, HOLD)
    starts = melody.notes[:, 0] + lead
    ends = starts + melody.notes[:, 1]
    events[ends[ends < length]] = OFF
    events[starts] = inside - LOWEST + NOTE
    root, chord = np.full(length, OPEN_ROOT), np.zeros(length, np.int64)
    for at, symbol in getattr(melody, "chords", ()):
        root[lead + at :], chord[lead + at :] = _classes(symbol, moved % 12)
    mode = (MINOR if key_sharps(melody.key)[1] else MAJOR) if melody.key else OPEN
    return Line(
        events, lead, bar, melody.steps_per_quarter, METRES.index(melody.metre), mode, root, chord,
        moved, int((inside != pitches).sum()),
    )  # fmt: skip


@lru_cache(4096)
def _classes(chord: Chord, semitones: int) -> tuple[int, int]:
    """Return root and pitch classes of a chord, moved."""
    classes = [(c + semitones) % 12 for c in chord.pitch_classes]
    return (classes[0] if classes else NO_ROOT), sum(1 << c for c in set(classes))


@dataclass(frozen=True)
class Windows:
    """Equally long windows of lines, each of which begins at a bar.

    Parameters
    ----------
    events : int array [shape=(n, steps)]
        `HOLD` behind the end.
    known : bool array [shape=(n, steps)]
        Steps that belong to the melody: neither before a pickup nor behind the end.
    root, chord : int arrays [shape=(n, steps)]
    bar, grid, metre, mode : int arrays [shape=(n,)]
    line : int array [shape=(n,)]
        Which line each is of.
    """

    events: Ints
    known: npt.NDArray[np.bool_]
    root: Ints
    chord: Ints
    bar: Ints
    grid: Ints
    metre: Ints
    mode: Ints
    line: Ints

    def __len__(self) -> int:
        return len(self.events)

    def pick(self, which: npt.ArrayLike) -> Windows:
        """Return some of the windows."""
        return Windows(*(getattr(self, name)[which] for name in self.__dataclass_fields__))

    def until(self, steps: int) -> Windows:
        """Return the first steps of all windows."""
        columns = ("events", "known", "root", "chord")
        return replace(self, **{name: getattr(self, name)[:, :steps] for name in columns})


def windows(
    lines: Sequence[Line], steps: int, *, rng: np.random.Generator | None = None
) -> Windows:
    """Cut lines into windows.

    Parameters
    ----------
    steps : int
        Of a window. A line is cut into as many as it needs, one behind the other.
    rng : Generator, optional
        The first window then begins at a random bar, the more often at the beginning.
    """
    cuts = []
    for number, line in enumerate(lines):
        whole = steps // line.bar * line.bar
        first = 0
        if rng is not None and len(line) > whole:
            first = int(rng.integers(0, min(whole, len(line) - whole) // line.bar + 1)) * line.bar
        cuts += [(number, 0, first)] if first else []
        cuts += [(number, at, min(at + whole, len(line))) for at in range(first, len(line), whole)]
    n = len(cuts)
    made = Windows(
        np.full((n, steps), HOLD), np.zeros((n, steps), bool), np.full((n, steps), OPEN_ROOT),
        np.zeros((n, steps), np.int64), *(np.zeros(n, np.int64) for _ in range(5)),
    )  # fmt: skip
    for row, (number, first, end) in enumerate(cuts):
        line, size = lines[number], end - first
        made.events[row, :size] = line.events[first:end]
        made.known[row, max(line.lead - first, 0) : size] = True
        made.root[row, :size] = line.root[first:end]
        made.chord[row, :size] = line.chord[first:end]
        for name in ("bar", "grid", "metre", "mode"):
            getattr(made, name)[row] = getattr(line, name)
        made.line[row] = number
    return made
