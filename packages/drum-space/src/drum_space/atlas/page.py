"""The page of the beat map: what a beat is, beside what all maps share."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Any

import numpy.typing as npt

from groove_core.values import AtlasWords, build_atlas

__all__ = ["build"]

WORDS = AtlasWords("beat", "beats", "genre", "genres")


def build(document: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    """Put the page together.

    Parameters
    ----------
    document : dict
        As `groove_core.values.build_atlas` describes it, and `drums` (name and note of each).
    arrays : mapping of str to arrays
        As there, and `bits`, `half_bar`, `thresholds`, and the layers of the networks `decoder`
        and `inverse`; positions are `tsne` and `parametric`.

    Returns
    -------
    str
        HTML. The same input gives the same bytes.
    """
    return build_atlas(
        resources.files("drum_space.atlas") / "page",
        words=WORDS,
        lead="Two-bar drum patterns: what is near sounds alike.",
        scripts=("grid.js", "kit.js", "beats.js"),
        document=document,
        arrays=arrays,
    )
