"""What flows between packages: audio, scores, drum patterns, reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groove_core.lazy import lazy

if TYPE_CHECKING:
    from groove_core.values.audio import *
    from groove_core.values.base import *
    from groove_core.values.plots import *
    from groove_core.values.results import *
    from groove_core.values.score import *
else:
    __getattr__, __dir__, __all__ = lazy(
        __name__,
        audio="Audio AudioInfo",
        base="KINDS Value from_json",
        plots="INK PALETTE new_axes save_png",
        results="Cell Codes Estimate Report",
        score="MAX_HOURS Score Track",
    )
