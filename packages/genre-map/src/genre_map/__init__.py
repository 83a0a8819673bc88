"""Classify music by genre, see why, and walk a map of the borders between genres.

>>> from genre_map import sample
>>> [picture] = sample(count=1, seed=1)
>>> picture.picture.shape
(2, 64, 128)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genre_map.__about__ import __version__ as __version__
from groove_core.lazy import lazy

if TYPE_CHECKING:
    from genre_map.actions import *
    from genre_map.trainers import *
    from genre_map.vocoder.actions import *
else:
    __getattr__, __dir__, __all__ = lazy(
        __name__,
        **{
            "actions": "classify dataset evaluate explain interpolate map sample",
            "trainers": "train train_generator",
            "vocoder.actions": "train_vocoder",
        },
    )
