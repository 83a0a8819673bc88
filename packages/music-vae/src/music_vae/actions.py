"""The verbs of music-vae: the command line and the Python API at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from groove_core.actions import Opt, Seed, action, draw_seed
from groove_core.drums import DrumPattern

__all__ = ["sample"]


@action
def sample(
    *, count: Annotated[int, Opt("beats to draw", min=1, max=64)] = 4, seed: Seed = None
) -> Iterator[DrumPattern]:
    """Draw new beats.

    Parameters
    ----------
    count : int
    seed : int, optional

    Yields
    ------
    DrumPattern
        Two bars each.

    Examples
    --------
    >>> [beat] = sample(count=1, seed=1)
    >>> beat.bars
    2
    """
    first = draw_seed(seed)
    for index in range(count):
        yield DrumPattern.from_masks([(first + index) % 4 + 1, 0, 4, 0] * 8)
