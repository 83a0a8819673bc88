"""From what is asked for to melodies: conditions, rules, drawing, and back to notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from groove_core.console import note
from groove_core.errors import InputError, UsageError
from groove_core.values import LeadSheet, Melody
from melody_rnn.cutting import GRIDS, METRES
from melody_rnn.lines import (
    CLASSES,
    HIGHEST,
    HOLD,
    LOWEST,
    NOTE,
    OFF,
    OPEN,
    Line,
    encode,
)
from melody_rnn.recurrent import Recurrent
from melody_rnn.rules import Rules
from melody_rnn.training import for_originals
from melody_rnn.transformer import DENSITIES, REGISTERS, UNKNOWN, Conditions, Transformer
from melody_rnn.writing import draws, write

__all__ = ["SCALES", "Wish", "blank", "check_readable", "decode", "extended", "written"]

SCALES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic-minor": (0, 2, 3, 5, 7, 8, 11), "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10), "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "pentatonic": (0, 2, 4, 7, 9), "minor-pentatonic": (0, 3, 5, 7, 10),
    "blues": (0, 3, 5, 6, 7, 10), "chromatic": tuple(range(12)),
}  # fmt: skip
"""Semitones above the tonic."""
Ints = npt.NDArray[np.int64]
Network = Recurrent | Transformer


@dataclass(frozen=True)
class Wish:
    """How melodies are to be written.

    Parameters
    ----------
    low, high : int or None
        MIDI pitches; None for no bound.
    scale : bool array [shape=(12,)], optional
        Pitch classes that may be drawn.
    density : float, optional
        Notes per bar.
    temperature, top_p : float
    """

    low: int | None = None
    high: int | None = None
    scale: npt.NDArray[np.bool_] | None = None
    density: float | None = None
    temperature: float = 1.0
    top_p: float = 0.95


def check_readable(network: Network, melody: Melody) -> None:
    """Refuse a melody that a network cannot read.

    Raises
    ------
    InputError
        If its metre or its grid is none of those that were learnt.
    """
    top, bottom = melody.metre
    if melody.metre not in METRES:
        known = ", ".join(f"{a}/{b}" for a, b in METRES)
        raise InputError(f"{melody.name} is in {top}/{bottom}, which no network has learnt.",
                         hint=f"Known metres: {known}.")  # fmt: skip
    if melody.steps_per_quarter not in GRIDS:
        raise InputError(
            f"{melody.name} has {melody.steps_per_quarter} steps per quarter note.",
            hint="Quantize it to sixteenths (4) or eighth triplets (3).",
        )
    if isinstance(network, Recurrent) and not for_originals(encode(melody)):
        raise InputError(
            f"{melody.name} is in {top}/{bottom} at {melody.steps_per_quarter} steps per quarter; "
            "the original networks know 4/4 in sixteenths only.",
            hint="--model transformer",
        )


def written(
    network: Network,
    line: Line,
    rules: Rules,
    wish: Wish,
    seeds: Sequence[int],
    *,
    encoder: bool = False,
) -> Ints:
    """Write a line several times.

    Parameters
    ----------
    line : Line
        What is given where `rules` say so; its metre, mode and chords count everywhere.
    rules : Rules
    wish : Wish
    seeds : sequence of int
        Of each melody.
    encoder : bool
        Whether the Transformer is shown what is given behind a step, too.

    Returns
    -------
    int array [shape=(len(seeds), steps), 0 to 37]
    """
    n, steps = len(seeds), len(line)
    device = next(network.parameters()).device
    rules.pitches = playable(line.shift, wish)
    on = conditions(line, n, wish, device) if isinstance(network, Transformer) else None
    given = None
    if encoder:
        given = torch.from_numpy(np.tile(rules.given, (n, 1))).to(device)
    return write(
        network, steps, draws(seeds, steps), on=on, given=given, allowed=rules,
        temperature=wish.temperature, top_p=wish.top_p,
    )  # fmt: skip


def playable(shift: int, wish: Wish) -> npt.NDArray[np.bool_]:
    """Return which classes of events may be drawn.

    Raises
    ------
    UsageError
        If no note is left.
    """
    pitches = np.arange(LOWEST, HIGHEST + 1) - shift
    notes = np.ones(len(pitches), bool)
    if wish.low is not None:
        notes &= pitches >= wish.low
    if wish.high is not None:
        notes &= pitches <= wish.high
    if wish.scale is not None:
        notes &= wish.scale[pitches % 12]
    if not notes.any():
        raise UsageError(
            f"No note of the scale lies between {wish.low} and {wish.high}.",
            hint="Give a wider range.",
        )
    return np.concatenate([[True, True], notes])


def conditions(line: Line, n: int, wish: Wish, device: torch.device) -> Conditions:
    """Return the conditions of a line, for each of n melodies."""
    def whole(value: int) -> Tensor:
        return torch.full((n,), value, device=device)

    def steps(values: Ints) -> Tensor:
        return torch.from_numpy(values).to(device).expand(n, -1)

    density = DENSITIES
    if wish.density is not None:
        density = min(max(int((wish.density - 0.5) / 1.5), 0), DENSITIES - 1)
    return Conditions(
        whole(line.bar), whole(line.grid), whole(line.metre), whole(line.mode), whole(density),
        whole(REGISTERS), steps(line.root), steps(line.chord),
    )  # fmt: skip


def extended(melody: Melody, steps: int) -> tuple[Line, Ints]:
    """Make room behind a melody.

    Returns
    -------
    Line
        With so many more steps.
    int array [shape=(steps,)]
        What is given: the melody, and behind it nothing.
    """
    line = encode(melody)
    more = replace(
        line,
        events=np.append(line.events, np.full(steps, HOLD)),
        root=np.append(line.root, np.full(steps, line.root[-1] if len(line) else 13)),
        chord=np.append(line.chord, np.full(steps, line.chord[-1] if len(line) else 0)),
    )
    given = np.append(line.events, np.full(steps, UNKNOWN))
    return more, given


def blank(
    bars: int, metre: tuple[int, int], grid: int, key: str, mode_known: bool, middle: float
) -> Line:
    """Return a silent line to be written on, whose notes will lie around a pitch."""
    empty = LeadSheet(np.zeros((0, 4), np.int64), grid, metre, key=key)
    line = encode(empty)
    steps = bars * line.bar
    octave = 12 * round(((LOWEST + HIGHEST) / 2 - middle - line.shift) / 12)
    return replace(
        line,
        events=np.full(steps, HOLD),
        root=np.full(steps, 13),
        chord=np.zeros(steps, np.int64),
        mode=line.mode if mode_known else OPEN,
        shift=line.shift + octave,
    )


def decode(events: Ints, line: Line, like: Melody, **changes: Any) -> Melody:
    """Turn events of a line into a melody.

    Parameters
    ----------
    events : int array [shape=(steps,), 0 to 37]
    line : Line
        Which says how far it was moved.
    like : Melody
        Whose tempo, key and metre it has.
    """
    raw = np.where(events >= NOTE, events - NOTE + LOWEST - line.shift,
                   np.where(events == OFF, -1, -2))[line.lead :]  # fmt: skip
    settings = {
        "steps_per_quarter": like.steps_per_quarter, "metre": like.metre, "pickup": like.pickup,
        "tempo_bpm": like.tempo_bpm, "key": like.key, **changes,
    }  # fmt: skip
    return type(like).from_events(raw, **settings)
