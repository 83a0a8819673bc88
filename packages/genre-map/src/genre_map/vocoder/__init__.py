"""From a mel spectrogram back to sound: a network that restores what mel bands blur."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from groove_core.storage import checkpoints

if TYPE_CHECKING:
    from genre_map.pictures import Layout
    from genre_map.vocoder.model import Vocoder

__all__ = ["packaged", "packaged_for"]


@functools.cache
def packaged(device: str) -> tuple[Vocoder, dict[str, Any]]:
    """Return the vocoder of the package, or one called so that stands before it, and its card."""
    from genre_map.vocoder.model import Vocoder

    return checkpoints.load("genre-map", "vocoder", Vocoder, device=device)


def packaged_for(layout: Layout, device: str) -> Vocoder | None:
    """Return that vocoder if it makes spectrograms of this layout audible."""
    vocoder, _ = packaged(device)
    return vocoder if vocoder.layout == layout else None
