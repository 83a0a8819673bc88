"""The page of the beat map: what a beat is, beside what all maps share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from drum_space.playing.performing import LATE_LIVELY, LIVELY
from drum_space.playing.players import open_players
from groove_core.values import AtlasWords, build_atlas

__all__ = ["build"]

WORDS = AtlasWords("beat", "beats", "genre", "genres")


def build(document: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    """Put the page together.

    Parameters
    ----------
    document : dict
        As `groove_core.values.build_atlas` describes it, and `drums` (name and note of each) and
        `flat` (optional: play every hit alike and on the grid).
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
        scripts=("feel.js", "grid.js", "kit.js", "beats.js"),
        document=document,
        arrays={**arrays, **({} if document.get("flat") else _feel(document["sources"]))},
    )


def _feel(sources: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    """Return what the page plays beats with: see `drum_space.playing`."""
    players = open_players()
    odds, rest = players.odds()
    number = {name: index for index, name in enumerate(players.names)}
    return {
        "feel.velocity": np.rint(players.mean_velocity).astype(np.uint8),
        "feel.late": np.rint(players.mean_late).astype(np.int8),
        "feel.odds": odds.astype(np.float16),
        "feel.rest": rest.astype(np.float32),
        "feel.loose": (LIVELY * players.loose / 100).astype(np.float32),
        "feel.late_loose": (LATE_LIVELY * players.late_loose / 100 * players.late_ms).astype("f4"),
        "feel.noise": players.noise,
        "feel.shared": players.shared.astype(np.float32),
        # The packaged patterns are named after the data set, then its file.
        "feel.player": np.array(
            [number.get(name.partition("/")[2], -1) for name in sources] or [-1], np.int16
        ),
    }
