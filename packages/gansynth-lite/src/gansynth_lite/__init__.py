"""A GAN of single notes that you play: instruments from a latent space, MIDI, morphs, samplers.

>>> from gansynth_lite import sample
>>> [tone] = sample(pitch="C4", family="flute", count=1, seed=1)
>>> tone.sample_rate, round(tone.duration_s)
(44100, 4)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gansynth_lite.__about__ import __version__ as __version__
from groove_core.lazy import lazy

if TYPE_CHECKING:
    from gansynth_lite.actions import *
    from gansynth_lite.trainers import *
else:
    __getattr__, __dir__, __all__ = lazy(
        __name__,
        actions="encode evaluate export interpolate render sample",
        trainers="adapt train train_classifier",
    )
