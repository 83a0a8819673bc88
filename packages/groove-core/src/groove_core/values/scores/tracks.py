"""Tracks of scores, and the tables of events that they are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from groove_core.errors import UsageError
from groove_core.values.midi.files import MAX_TICK
from groove_core.values.midi.parts import Part

__all__ = ["NONE", "Events", "Track", "check_events", "check_texts", "unchecked"]

Events = npt.NDArray[np.int64]

_TICK = (0, MAX_TICK)
_COLUMNS = {
    # What each column may hold; MIDI has seven bits for most things.
    "notes": (_TICK, _TICK, (0, 127), (0, 127)),
    "controls": (_TICK, (0, 127), (0, 127)),
    "pitch_bends": (_TICK, (-8192, 8191)),
    "tempos": (_TICK, (1, 2**24 - 1)),
    "time_signatures": (_TICK, (1, 255), (1, 2**15)),
    "key_signatures": (_TICK, (-7, 7), (0, 1)),
}


def check_events(name: str, rows: Any) -> Events:
    """Make a checked, read-only array of integers, one row per event, in the order of time.

    What is at one tick keeps its order, which is part of the music.
    """
    columns = _COLUMNS[name]
    try:
        given = np.asarray(rows)
        with np.errstate(invalid="ignore"):  # of NaN: unequal to what it becomes
            array = np.array(given, dtype=np.int64).reshape(-1, len(columns))
        if given.dtype.kind not in "iu" and (array.ravel() != given.ravel()).any():
            raise ValueError
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(
            f"{name} must be rows of {len(columns)} whole numbers.",
            hint=f"Round {name}, and check its shape.",
        ) from error
    if not len(array):
        array.flags.writeable = False
        return array
    low, high = np.array(columns).T
    if (array.min(axis=0) < low).any() or (array.max(axis=0) > high).any():
        wrong = array[((array < low) | (array > high)).any(axis=1)][0].tolist()
        raise UsageError(
            f"{name} has {wrong}; the columns may be {list(columns)}.", hint=f"Check {name}."
        )
    if name == "time_signatures" and (array[:, 2] & (array[:, 2] - 1)).any():
        raise UsageError(
            "time_signatures has a denominator that is no power of two.", hint=f"Check {name}."
        )
    if (array[1:, 0] < array[:-1, 0]).any():
        array = array[np.argsort(array[:, 0], kind="stable")]
    array.flags.writeable = False
    return array


NONE: Any = ()
"""A table without events, as a default."""


def unchecked(kind: Any, **values: Any) -> Any:
    """Make a dataclass of what the bytes of a MIDI file say: nothing in them is out of range."""
    made = object.__new__(kind)
    for name, value in values.items():
        object.__setattr__(made, name, value)
    return made


@dataclass(frozen=True, eq=False)
class Track:
    """One instrument of a score. All times are in ticks.

    Parameters
    ----------
    notes : int array [shape=(n, 4)]
        Start, duration, pitch and velocity of each note, in the order of time.
    name : str
    program : int
        General MIDI program, 0 to 127; of drums the number of the kit.
    is_drum : bool
        Whether it plays on the drum channel.
    controls : int array [shape=(n, 3)]
        Tick, controller and value of what acts on its notes. In a MIDI file that is what any
        track tells the channel, at any time.
    pitch_bends : int array [shape=(n, 2)]
        Tick and value, -8192 to 8191, of the same kind.
    channel : int, optional
        MIDI channel, 0 to 15, that it was read from, or is to be written to if that is free.
    """

    notes: Events
    name: str = ""
    program: int = 0
    is_drum: bool = False
    controls: Events = NONE
    pitch_bends: Events = NONE
    channel: int | None = None
    part: Part | None = field(default=None, repr=False)
    """What it was in the file that it was read from; set by `Score.from_midi`."""

    if TYPE_CHECKING:  # whatever can be made into arrays

        def __init__(
            self,
            notes: npt.ArrayLike,
            name: str = "",
            program: int = 0,
            is_drum: bool = False,
            controls: npt.ArrayLike = NONE,
            pitch_bends: npt.ArrayLike = NONE,
            channel: int | None = None,
            part: Part | None = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        for name in ("notes", "controls", "pitch_bends"):
            object.__setattr__(self, name, check_events(name, getattr(self, name)))
        if not 0 <= self.program <= 127:
            raise UsageError(f"program must be 0 to 127, not {self.program}.", hint="program=0")
        if self.channel is not None and not 0 <= self.channel <= 15:
            raise UsageError(f"channel must be 0 to 15, not {self.channel}.", hint="channel=None")

    @classmethod
    def of_part(cls, part: Part) -> Self:
        """Make the track of a part of a MIDI file."""
        names = ("notes", "name", "program", "is_drum", "controls", "pitch_bends", "channel")
        made: Self = unchecked(cls, part=part, **{name: getattr(part, name) for name in names})
        return made

    def plays(self, part: Part) -> bool:
        """Return whether this is still a part of a file, but for the notes and the name."""
        return (
            (self.program, self.is_drum, self.channel) == (part.program, part.is_drum, part.channel)
            and np.array_equal(self.controls, part.controls)
            and np.array_equal(self.pitch_bends, part.pitch_bends)
        )

    def to_json(self) -> dict[str, Any]:
        """Return the track as plain lists."""
        document = {
            "name": self.name,
            "program": self.program,
            "is_drum": self.is_drum,
            "notes": self.notes.tolist(),
            "controls": self.controls.tolist(),
            "pitch_bends": self.pitch_bends.tolist(),
        }
        return document if self.channel is None else {**document, "channel": self.channel}


def check_texts(items: Any) -> tuple[tuple[int, str], ...]:
    """Make texts of pairs of tick and text, in the order of time."""
    return tuple(sorted(((int(tick), str(text)) for tick, text in items), key=lambda one: one[0]))
