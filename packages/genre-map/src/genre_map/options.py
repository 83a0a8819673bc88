"""The parameters that several verbs of genre-map share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from groove_core.actions import Opt, Readable, checkpoint_of
from groove_core.storage import checkpoints

__all__ = [
    "CLASSIFIER", "FORMER", "GENERATOR", "MEASURED", "PACKAGE", "Axis", "Cells",
    "ClassifierCheckpoint", "Drawn", "End", "GeneratorCheckpoint", "Guide", "Heard", "Judges",
    "Network", "Points", "Precision", "Songs", "Start", "drawn", "heard",
]  # fmt: skip

PACKAGE = "genre-map"
CLASSIFIER, GENERATOR = "classifier", "generator"
FORMER = {"source": "paper", "dong": "dong2018"}

_CLASSIFIERS = ("genre_map.model:GenreClassifier",)
_GENERATORS = ("genre_map.gan:GenreGAN",)
MEASURED = (*_CLASSIFIERS, *_GENERATORS)
ClassifierCheckpoint = Annotated[str | None, checkpoint_of(*_CLASSIFIERS)]
GeneratorCheckpoint = Annotated[str | None, checkpoint_of(*_GENERATORS)]
Heard = Annotated[
    str | None,
    Opt("genre to explain (default: the most probable one)", names="genre_map.options:heard"),
]
DRAWN = "genre_map.options:drawn"
Drawn = Annotated[
    str | None,
    Opt("genre that the classifier must hear in them (default: any)", names=DRAWN),
]
Start = Annotated[str, Opt("genre to begin with", names=DRAWN)]
End = Annotated[str, Opt("genre to arrive at", names=DRAWN)]
Guide = Annotated[
    str | None,
    Opt(
        "name or folder of the classifier that guides it (default: the packaged one)",
        fits=_CLASSIFIERS,
    ),
]
Judges = Annotated[
    list[str] | None,
    Opt(
        "further classifiers that judge the sounds: folders or names (default: none)",
        fits=_CLASSIFIERS,
    ),
]
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


def heard(checkpoint: str | None = None) -> list[str]:
    """List the genres that a classifier tells."""
    return list(checkpoints.config_of(PACKAGE, checkpoint or CLASSIFIER)["genres"])


def drawn(checkpoint: str | None = None) -> list[str]:
    """List the genres that a generator draws: those of the classifier that guided it."""
    return list(checkpoints.config_of(PACKAGE, checkpoint or GENERATOR)["classifier"]["genres"])
