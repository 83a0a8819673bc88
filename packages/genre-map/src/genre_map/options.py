"""The parameters that several verbs of genre-map share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from groove_core.actions import Opt, Readable

__all__ = [
    "CLASSIFIER", "FORMER", "GENERATOR", "PACKAGE", "Axis", "Cells", "Network", "Points",
    "Precision", "Songs",
]  # fmt: skip

PACKAGE = "genre-map"
CLASSIFIER, GENERATOR = "classifier", "generator"
FORMER = {"source": "paper", "dong": "dong2018"}

Songs = Annotated[
    Readable[Path],
    Opt("songs: GTZAN, FMA, a rendered corpus, or a folder with one folder for each genre"),
]
Precision = Annotated[
    Literal["32", "bf16"],
    Opt("precision of the computation; bf16 is faster on processors that support it"),
]
Network = Literal["ours", "paper", "dong2018"]
Axis = Annotated[
    int | None,
    Opt("number of one of the ten dependent values (default: the richest plane)", min=0, max=9),
]
Cells = Annotated[
    int, Opt("cells along each side; one more than a multiple of 16 is fastest", min=4, max=257)
]
Points = Annotated[int, Opt("points along each side that play", min=2, max=24)]
