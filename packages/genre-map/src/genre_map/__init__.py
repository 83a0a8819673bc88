"""Classify music by genre, see why, and walk a map of the borders between genres.

>>> from genre_map import generate
>>> [picture] = generate(count=1, seed=1)
>>> picture.picture.shape
(2, 64, 128)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from genre_map.__about__ import __version__

if TYPE_CHECKING:
    from genre_map.actions import (
        border,
        classify,
        corpus,
        evaluate,
        explain,
        generate,
        map,  # noqa: A004 - the product's word
        place,
        train,
        train_generator,
    )

__all__ = [
    "__version__",
    "border",
    "classify",
    "corpus",
    "evaluate",
    "explain",
    "generate",
    "map",
    "place",
    "train",
    "train_generator",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(importlib.import_module("genre_map.actions"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
