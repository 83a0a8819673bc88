"""Scores and patterns to sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groove_core.lazy import lazy

if TYPE_CHECKING:
    from groove_core.render import kits as kits
    from groove_core.render.corpora import *
    from groove_core.render.loops import *
    from groove_core.render.notes import *
    from groove_core.render.soundfont import *
else:
    __getattr__, __dir__, __all__ = lazy(
        __name__,
        "kits",
        corpora="DRUM_KITS MANIFEST Clip find_soundfonts render_clips",
        loops="render_loop save_loop",
        notes="render_notes soundfont_rights",
        soundfont="find_soundfont render renderer_name save_wav",
    )
