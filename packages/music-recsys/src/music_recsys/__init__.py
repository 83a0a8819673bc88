"""Learn which seconds of which songs one listener likes, and rank a library by it.

>>> from music_recsys import probe, recommend
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from groove_core.lazy import lazy
from music_recsys.__about__ import __version__ as __version__

if TYPE_CHECKING:
    from music_recsys.actions import *
    from music_recsys.studies import *
else:
    __getattr__, __dir__, __all__ = lazy(
        __name__,
        actions="explain index learn rate recommend score",
        studies="dataset evaluate probe train",
    )
