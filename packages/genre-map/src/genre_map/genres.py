"""Names of genres: as folders and tables spell them, made one."""

from __future__ import annotations

import re

__all__ = ["GENRES", "canonical"]

GENRES = (
    "blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock",
)  # fmt: skip
"""The ten of GTZAN, in its order."""


def canonical(name: str) -> str:
    """Give a genre's name without case, spaces and hyphens.

    Examples
    --------
    >>> canonical("Hip-Hop")
    'hiphop'
    """
    return re.sub(r"[\s_\-]+", "", name.strip().lower())
