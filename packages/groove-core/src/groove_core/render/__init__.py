"""Scores and patterns to sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groove_core.lazy import lazy

if TYPE_CHECKING:
    from groove_core.render.soundfont import *
else:
    __getattr__, __dir__, __all__ = lazy(
        __name__,
        soundfont="find_soundfont render renderer_name save_wav",
    )
