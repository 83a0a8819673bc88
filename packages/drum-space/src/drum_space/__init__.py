"""Walk a latent space of two-bar drum patterns.

>>> from drum_space import sample
>>> beats = list(sample(count=2, seed=1))
>>> beats[0].bars
2
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drum_space.__about__ import __version__ as __version__
from groove_core.lazy import lazy

if TYPE_CHECKING:
    from drum_space.actions import *
    from drum_space.atlas.actions import *
    from drum_space.melodies.actions import *
else:
    __getattr__, __dir__, __all__ = lazy(
        __name__,
        actions="dataset decode encode evaluate interpolate sample train vary",
        **{"atlas.actions": "map", "melodies.actions": "compose train_melody"},
    )
