"""Walk a latent space of two-bar drum patterns.

>>> from drum_space import sample
>>> beats = list(sample(count=2, seed=1))
>>> beats[0].bars
2
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from drum_space.__about__ import __version__

if TYPE_CHECKING:
    from drum_space.actions import (
        dataset,
        decode,
        encode,
        evaluate,
        interpolate,
        map,  # noqa: A004 - the product's word
        melody,
        sample,
        song,
        train,
        train_melody,
        vary,
    )

__all__ = [
    "__version__",
    "dataset",
    "decode",
    "encode",
    "evaluate",
    "interpolate",
    "map",
    "melody",
    "sample",
    "song",
    "train",
    "train_melody",
    "vary",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(importlib.import_module("drum_space.actions"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
