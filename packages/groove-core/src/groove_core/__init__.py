"""Groove: small packages that analyse and make music.

`groove_core` defines what flows between them (audio, scores, drum patterns),
how a package plugs in, and the ``groove`` command. Names are resolved when they
are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from groove_core.__about__ import __version__

if TYPE_CHECKING:
    from groove_core.actions.runs import run
    from groove_core.drums.pattern import DrumPattern
    from groove_core.errors import (
        CheckpointError,
        DeviceError,
        GrooveError,
        InputError,
        PluginError,
        UsageError,
    )
    from groove_core.values.audio import Audio
    from groove_core.values.results import Codes, Report
    from groove_core.values.score import Score, Track

_HOMES = {
    "Audio": "groove_core.values.audio",
    "CheckpointError": "groove_core.errors",
    "DeviceError": "groove_core.errors",
    "Codes": "groove_core.values.results",
    "DrumPattern": "groove_core.drums.pattern",
    "GrooveError": "groove_core.errors",
    "InputError": "groove_core.errors",
    "PluginError": "groove_core.errors",
    "Report": "groove_core.values.results",
    "Score": "groove_core.values.score",
    "Track": "groove_core.values.score",
    "UsageError": "groove_core.errors",
    "run": "groove_core.actions.runs",
}

__all__ = [  # noqa: RUF022 - __version__ first
    "__version__",
    "Audio",
    "CheckpointError",
    "Codes",
    "DeviceError",
    "DrumPattern",
    "GrooveError",
    "InputError",
    "PluginError",
    "Report",
    "Score",
    "Track",
    "UsageError",
    "run",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
