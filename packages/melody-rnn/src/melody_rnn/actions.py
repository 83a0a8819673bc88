"""The verbs of melody-rnn: the command line and the Python API at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from groove_core.actions import (
    Checkpoint,
    DataPath,
    Device,
    Devices,
    Into,
    License,
    Minutes,
    Opt,
    Readable,
    Restart,
    Resume,
    Seed,
    Strategy,
    action,
    draw_seed,
)
from groove_core.errors import UsageError
from groove_core.values import Chord, LeadSheet, Melody, Report

if TYPE_CHECKING:
    from melody_rnn.tracing import Trace
    from melody_rnn.tunes import TuneSet

__all__ = ["dataset", "extend", "fill", "sample", "trace", "train", "vary"]

PACKAGE = "melody-rnn"

Model = Annotated[
    Literal["transformer", "attention", "lookback", "basic"],
    Opt("network (ignored with --checkpoint)"),
]
Primer = Annotated[Readable[LeadSheet], Opt("file of a melody, or a phrase such as 'C4 E4 G4 -'")]
Count = Annotated[int, Opt("melodies to write", min=1, max=1000)]
Bars = Annotated[int, Opt("length of what is written", unit="bars", min=1, max=64)]
Low = Annotated[int | None, Opt("lowest note that is written", unit="MIDI", min=0, max=127)]
High = Annotated[int | None, Opt("highest note that is written", unit="MIDI", min=0, max=127)]
Scale = Annotated[
    Literal[
        "major", "minor", "harmonic-minor", "dorian", "phrygian", "mixolydian", "pentatonic",
        "minor-pentatonic", "blues", "chromatic",
    ] | None,
    Opt("scale of the notes (default: none is forced)"),
]  # fmt: skip
Density = Annotated[
    float | None, Opt("notes per bar, about (default: open)", min=0.5, max=16)
]
Temperature = Annotated[
    float, Opt("sampling temperature: 0 writes the likeliest notes, above 1 is daring", min=0, max=3)
]
TopP = Annotated[
    float, Opt("share of the likeliest events that are drawn from", min=0.05, max=1)
]


@action
def sample(
    *,
    count: Count = 4,
    bars: Bars = 8,
    key: Annotated[str, Opt("key: C, Bb, F#m ...")] = "C",
    metre: Annotated[str, Opt("metre: 4/4, 3/4, 6/8, 2/2 ...")] = "4/4",
    steps_per_quarter: Annotated[
        Literal["4", "3"], Opt("grid: 4 for sixteenths, 3 for eighth triplets")
    ] = "4",
    chords: Annotated[
        str, Opt("chords, one each bar or 'Am F | C G' (default: open)")
    ] = "",
    scale: Scale = None,
    low: Low = 55,
    high: High = 81,
    density: Density = None,
    temperature: Temperature = 1.0,
    top_p: TopP = 0.95,
    tempo_bpm: Annotated[float, Opt("tempo", unit="bpm", min=10, max=600)] = 100.0,
    model: Model = "transformer",
    checkpoint: Checkpoint = None,
    seed: Seed = None,
    device: Device = "auto",
) -> list[LeadSheet]:
    """Write new melodies.

    Returns
    -------
    list of LeadSheet

    Raises
    ------
    UsageError
        If key, metre or chords cannot be read, or no note of the scale is in the range.
    """
