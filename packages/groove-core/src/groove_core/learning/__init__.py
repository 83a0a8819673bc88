"""Training, splits and statistics: what networks of every package need.

Names are resolved when they are first used: nothing here imports torch before that.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from groove_core.learning.ema import EMA
    from groove_core.learning.loop import Step
    from groove_core.learning.training import Run, Training, train, trained

__all__ = ["EMA", "Run", "Step", "Training", "train", "trained"]
_HOMES = {"EMA": "ema", "Step": "loop"}


def __getattr__(name: str) -> Any:
    if name in __all__:
        home = importlib.import_module(f"{__name__}.{_HOMES.get(name, 'training')}")
        return getattr(home, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
