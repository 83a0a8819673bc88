"""Where and how a played drum part differs from a programmed one; and the feel of drummers.

>>> from groove_vae import humanize, quantize
>>> from groove_vae.performances import load
>>> played = load("test")[0].to_score()
>>> programmed = quantize(played, dynamics=1)
>>> humanize(programmed, seed=1)
Score(1 tracks, 410 notes, 27.8 s)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from groove_vae.__about__ import __version__

if TYPE_CHECKING:
    from groove_vae.actions import (
        compare,
        evaluate,
        fingerprint,
        humanize,
        quantize,
        train,
        transfer,
    )

__all__ = [
    "__version__",
    "compare",
    "evaluate",
    "fingerprint",
    "humanize",
    "quantize",
    "train",
    "transfer",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(importlib.import_module("groove_vae.actions"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
