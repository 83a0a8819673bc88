"""A GAN of single notes that you play: instruments from a latent space, MIDI, morphs, samplers.

>>> from gansynth_lite import note
>>> [tone] = note(pitch="C4", family="flute", count=1, seed=1)
>>> tone.sample_rate, round(tone.duration_s)
(16000, 4)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from gansynth_lite.__about__ import __version__

if TYPE_CHECKING:
    from gansynth_lite.actions import (
        adapt,
        encode,
        evaluate,
        kit,
        morph,
        note,
        render,
        train,
        train_classifier,
    )

__all__ = [
    "__version__",
    "adapt",
    "encode",
    "evaluate",
    "kit",
    "morph",
    "note",
    "render",
    "train",
    "train_classifier",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(importlib.import_module("gansynth_lite.actions"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
