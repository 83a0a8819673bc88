"""What a song is cut into; apart from the networks, so that results need no torch."""

from __future__ import annotations

__all__ = ["STEP_S", "WINDOW_S"]

WINDOW_S, STEP_S = 8, 1
"""Length of a window, and how much later the next one starts, in seconds."""
