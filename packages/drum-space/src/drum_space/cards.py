"""What every card of the package says."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Any

import torch

from drum_space.__about__ import __version__

__all__ = ["made_with"]


def made_with() -> dict[str, Any]:
    """Name the versions that a checkpoint was made with."""
    return {
        "drum-space": __version__,
        "groove-core": metadata.version("groove-core"),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
