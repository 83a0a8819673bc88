"""The options of how a beat is played, the same in every action."""

from __future__ import annotations

from typing import Annotated

from groove_core.actions import Opt

__all__ = ["FeelName", "Flat", "Swing"]

Flat = Annotated[bool, Opt("every hit at velocity 100 and on the grid, as programmed")]
Swing = Annotated[
    float | None,
    Opt(
        "place of every second sixteenth: 50 is straight, 67 a triplet (default: the player's)",
        unit="percent", min=50, max=70,
    ),
]  # fmt: skip
FeelName = Annotated[
    str | None,
    Opt(
        "genre or style of the drummer who plays, such as jazz or bossa (default: one whose "
        "own beat is like it)",
        names="drum_space.playing.players:feels",
    ),
]
