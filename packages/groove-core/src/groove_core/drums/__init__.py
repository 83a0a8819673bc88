"""Drum patterns: the grid, the value, and how they are found in scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groove_core.lazy import lazy

if TYPE_CHECKING:
    from groove_core.drums.extraction import *
    from groove_core.drums.grid import *
    from groove_core.drums.pattern import *
else:
    __getattr__, __dir__, __all__ = lazy(
        __name__,
        extraction="Extraction extract_patterns",
        grid="DRUMS FOLD KIT_DRUMS MARKER STEPS_PER_BAR TICKS_PER_STEP Drum Grid NoDrumsError "
        "Onsets check_steps drum_tracks find_onsets is_triplet marked_span meters no_drums "
        "to_grid triplets whole_grid",
        pattern="DEFAULT_VELOCITY DrumPattern",
    )
