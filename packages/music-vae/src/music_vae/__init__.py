"""A latent space of melodies, beats and trios: draw, blend and vary whole bars."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groove_core.lazy import lazy
from music_vae.__about__ import __version__ as __version__

if TYPE_CHECKING:
    from music_vae.actions import *
    from music_vae.atlas.actions import *
    from music_vae.trainers import *
else:
    __getattr__, __dir__, __all__ = lazy(
        __name__,
        **{
            "actions": "cross decode encode interpolate sample shift trace vary",
            "atlas.actions": "map",
            "trainers": "adapt dataset evaluate train",
        },
    )
