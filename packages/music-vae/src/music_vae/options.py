"""Options that several verbs of music-vae have in common."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from groove_core.actions import Opt, Readable
from groove_core.errors import UsageError
from groove_core.values import LeadSheet, Score
from music_vae.loading import Shipped

__all__ = [
    "Alone", "AttributeName", "Bars", "BarsA", "BarsB", "Flat", "Given", "Model", "Spread",
    "Temperature", "Tempo", "Track", "bars_of",
]  # fmt: skip

Model = Annotated[Shipped, Opt("latent space to use (ignored with --checkpoint)")]
Given = Annotated[
    Readable[Score | LeadSheet],
    Opt("file of a piece, or a phrase such as 'C4 E4 G4 -'"),
]
Tempo = Annotated[float, Opt("tempo", unit="bpm", min=10, max=600)]
Temperature = Annotated[
    float,
    Opt("sampling temperature: 0 writes the likeliest notes, above 1 is daring", min=0, max=3),
]
Spread = Annotated[
    float, Opt("spread around typical codes: 0 plays safe, above 1 is daring", min=0, max=4)
]
Track = Annotated[
    str | None,
    Opt("name or number of the track with the melody (default: the one that you would hum)"),
]
Bars = Annotated[
    str | None, Opt("bars of the piece, such as 9-24 (default: the first in which all voices play)")
]
BarsA = Annotated[
    str | None, Opt("bars of the first piece, such as 9-24 (default: those that fit best)")
]
BarsB = Annotated[
    str | None, Opt("bars of the second piece, such as 17-32 (default: those that fit best)")
]
Alone = Annotated[bool, Opt("bars alone, without the song that they stand in")]
Flat = Annotated[bool, Opt("sound played as typed, without accents and phrasing")]
AttributeName = Literal["density", "syncopation", "register", "interval", "scale"]
SPAN = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")


def bars_of(text: str | None, option: str = "--bars") -> tuple[int, int] | None:
    """Return the first and the last bar that a text such as ``9-24`` or ``9`` names.

    Raises
    ------
    UsageError
        If it names none.
    """
    if text is None:
        return None
    found = SPAN.fullmatch(text.strip())
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if not first <= last:
        raise UsageError(f"{text!r} names no bars.", hint=f"{option} 9-24")
    return first, last
