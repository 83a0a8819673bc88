"""A latent space of melodies, drum beats and trios: draw, blend and vary whole bars of music.

>>> from music_vae import sample
>>> [beat] = sample(count=1, seed=1)
>>> beat.bars
2
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from music_vae.__about__ import __version__ as __version__
from groove_core.lazy import lazy

if TYPE_CHECKING:
    from music_vae.actions import *
else:
    __getattr__, __dir__, __all__ = lazy(__name__, actions="sample")
