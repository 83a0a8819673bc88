"""Fingerprints of many parts on one screen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from groove_core.drums import KIT_DRUMS

__all__ = ["overview"]

LINES = 30
DRUMS = ("kick", "snare", "closed hi-hat")
"""What an overview shows; the rest is in the files."""
WIDTH = 28

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def overview(
    names: Sequence[str], count: Ints, late_ms: Floats, velocity: Floats, distance: Floats
) -> str:
    """Return a line for each part: its hits, the feel of three drums, and the nearest part.

    At most thirty parts, in lines of at most 100 characters. The distance to the nearest part is
    in brackets.

    Parameters
    ----------
    names : sequence of str
    count, late_ms, velocity : arrays [shape=(parts, 16, 9)]
        See `groove_vae.feel.Fingerprint`.
    distance : float array [shape=(parts, parts)]
    """
    head = "".join(f"{drum:>15}" for drum in DRUMS)
    lines = [
        f"    {'part':{WIDTH}}{'hits':>7}{head}  nearest",
        " " * (WIDTH + 11) + "    ms late vel" * len(DRUMS),
    ]
    others = np.where(np.eye(len(names), dtype=bool), np.nan, distance)
    for part, name in enumerate(names[:LINES]):
        cells = "".join(_feel(count[part], late_ms[part], velocity[part], drum) for drum in DRUMS)
        lines.append(
            f"{part + 1:3} {_short(name):{WIDTH}}{count[part].sum():7}{cells}  "
            f"{_nearest(others[part])}"
        )
    if (more := len(names) - LINES) > 0:
        lines.append(f"... and {more} more, which are in the files")
    return "\n".join(lines)


def _feel(count: Ints, late_ms: Floats, velocity: Floats, drum: str) -> str:
    """Return how late and how hard a drum is played on the whole."""
    at = [one.name for one in KIT_DRUMS].index(drum)
    hits = count[:, at]
    if not hits.any():
        return f"{'-':>11}{'-':>4}"
    late, loud = (float((hits * one[:, at]).sum() / hits.sum()) for one in (late_ms, velocity))
    return f"{late:+11.1f}{loud:4.0f}"


def _nearest(distances: Floats) -> str:
    if np.isnan(distances).all():
        return "-"
    other = int(np.nanargmin(distances))
    return f"{other + 1:2} ({distances[other]:.2f})"


def _short(name: str) -> str:
    """Return the end of a path, which tells more than its beginning."""
    return name if len(name) < WIDTH else f"...{name[4 - WIDTH :]}"
