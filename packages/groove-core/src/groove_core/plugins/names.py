"""How packages and actions may be called."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["KEBAB", "OURS", "PREFIX", "kebab"]

PREFIX = "groove-"
"""What the names of third-party packages begin with, so that they are found and never clash."""

OURS = frozenset({
    "drum-space", "gansynth-lite", "genre-map", "groove-core", "groove-studio", "groove-vae",
    "melody-rnn", "music-recsys", "music-vae",
})  # fmt: skip
"""Names that belong to this project."""

KEBAB = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
"""Lower-case words joined by single hyphens; to be matched in full."""


def kebab(text: str) -> str:
    """Return the nearest kebab-case name, or nothing if there is none.

    >>> kebab("Tablā Cycles_2")
    'tabla-cycles-2'
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return "-".join(re.findall(r"[a-z0-9]+", plain)).lstrip("-0123456789")
