"""The page of the map: what a phrase is, beside what all maps share."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Any

import numpy.typing as npt

from groove_core.values import AtlasWords, build_atlas

__all__ = ["build"]

WORDS = AtlasWords("phrase", "phrases", "role", "roles")


def build(document: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    """Put the page together.

    Parameters
    ----------
    document : dict
        As `groove_core.values.build_atlas` describes it, and `parts` (codes of a phrase), `bars`
        (of all of them), `keys`, and `layout_keys` (names of the arrays of positions).
    arrays : mapping of str to arrays
        As there, and `events`, `first`, `bars`, `key`, `tempo`, and the weights of the decoder.

    Returns
    -------
    str
        HTML. The same input gives the same bytes.
    """
    return build_atlas(
        resources.files("music_vae.atlas") / "page",
        words=WORDS,
        lead="Phrases of songs: choose one to hear it.",
        scripts=("decoder.js", "accents.js", "voice.js", "roll.js", "phrases.js"),
        document=document,
        arrays=arrays,
    )
