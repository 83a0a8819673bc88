"""What codes say of music, and what is written from them, in numbers beside their controls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groove_core.lazy import lazy

if TYPE_CHECKING:
    from music_vae.evaluation.reconstruction import *
else:
    __getattr__, __dir__, __all__ = lazy(
        __name__,
        reconstruction="Space accuracy bits_of measured of_other_songs per per_rounds space_of",
    )
