"""Options that several verbs of melody-rnn have in common."""

from __future__ import annotations

from typing import Annotated, Literal

from groove_core.actions import Opt, Readable, checkpoint_of
from groove_core.values import LeadSheet, Score

__all__ = [
    "Alone", "Bars", "Count", "Density", "Flat", "High", "Low", "Model", "Primer", "Scale",
    "Temperature", "TopP", "Track", "TransformerCheckpoint",
]  # fmt: skip

Model = Annotated[
    Literal["transformer", "attention", "lookback", "basic"],
    Opt("network (ignored with --checkpoint)"),
]
TransformerCheckpoint = Annotated[str | None, checkpoint_of("melody_rnn.transformer:Transformer")]
Primer = Annotated[
    Readable[Score | LeadSheet],
    Opt("file of a melody or of a song, or a phrase such as 'C4 E4 G4 -'"),
]
Track = Annotated[
    str | None,
    Opt("name or number of the track with the line (default: the one that you would hum)"),
]
Alone = Annotated[bool, Opt("melody alone, without the song that it stands in")]
Count = Annotated[int, Opt("melodies to write", min=1, max=1000)]
Bars = Annotated[int, Opt("length of what is written", unit="bars", min=1, max=64)]
Low = Annotated[
    int | None,
    Opt("lowest note that is written (default: near the primer)", unit="MIDI", min=0, max=127),
]
High = Annotated[
    int | None,
    Opt("highest note that is written (default: near the primer)", unit="MIDI", min=0, max=127),
]
Scale = Annotated[
    Literal[
        "major", "minor", "harmonic-minor", "dorian", "phrygian", "mixolydian", "pentatonic",
        "minor-pentatonic", "blues", "chromatic",
    ] | None,
    Opt("scale of the notes (default: none is forced)"),
]  # fmt: skip
Density = Annotated[float | None, Opt("notes per bar, about (default: open)", min=0.5, max=16)]
Temperature = Annotated[
    float,
    Opt("sampling temperature: 0 writes the likeliest notes, above 1 is daring", min=0, max=3),
]
TopP = Annotated[float, Opt("share of the likeliest events that are drawn from", min=0.05, max=1)]
Flat = Annotated[bool, Opt("sound played as typed, without accents and phrasing")]
