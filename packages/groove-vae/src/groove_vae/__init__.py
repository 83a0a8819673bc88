"""Where and how a played drum part differs from a programmed one; and the feel of drummers.

>>> from groove_vae import humanize, quantize
>>> from groove_vae.performances import load
>>> played = load("test")[0].to_score()
>>> programmed = quantize(played, dynamics=1)
>>> humanize(programmed, seed=1)
Score(1 tracks, 410 notes, 27.8 s)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from groove_core.lazy import lazy
from groove_vae.__about__ import __version__ as __version__

if TYPE_CHECKING:
    from groove_vae.actions import *
    from groove_vae.trainers import *
else:
    __getattr__, __dir__, __all__ = lazy(
        __name__,
        actions="compare evaluate fingerprint humanize quantize transfer",
        trainers="train",
    )
