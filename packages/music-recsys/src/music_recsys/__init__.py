"""Learn which seconds of which songs one listener likes, and rank a library by it.

>>> from music_recsys import probe, recommend
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from music_recsys.__about__ import __version__

if TYPE_CHECKING:
    from music_recsys.actions import (
        evaluate,
        filters,
        index,
        learn,
        material,
        probe,
        rate,
        recommend,
        score,
        train,
    )

__all__ = [
    "__version__",
    "evaluate",
    "filters",
    "index",
    "learn",
    "material",
    "probe",
    "rate",
    "recommend",
    "score",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(importlib.import_module("music_recsys.actions"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
