"""The page: one file with everything in it, which asks nothing of a network."""

from __future__ import annotations

import gzip
import io
from collections.abc import Mapping
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from groove_core.values import build_page

__all__ = ["build"]

SCRIPTS = (
    "data.js",
    "network.js",
    "places.js",
    "marks.js",
    "beats.js",
    "midi.js",
    "kit.js",
    "player.js",
    "relief.js",
    "view.js",
    "overlay.js",
    "panel.js",
    "morph.js",
    "favourites.js",
    "pointing.js",
    "keys.js",
    "main.js",
)
"""In the order in which the page reads them: each may use what those before it define."""

ALIGNMENT = 8
"""Sections start at multiples of it, so that the page can look at them where they are."""


def build(document: dict[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    """Put the page together.

    Parameters
    ----------
    document : dict
        What the page says: `title`, `model`, `latent`, `drums`, `genres`, `sources`,
        `layouts`, `measures`, `notes`, `neighbours`, `yours` (labels of the user's own
        beats) and `yours_count` (so many of the last points are theirs).
    arrays : mapping of str to arrays
        What the page draws and computes with: `bits`, `genre`, `source`, `half_bar`,
        `codes`, `tsne`, `parametric`, `thresholds`, and the layers of the networks
        `decoder` and `inverse`.

    Returns
    -------
    str
        HTML. The same input gives the same bytes.
    """
    blob, sections = _pack(arrays)
    return build_page(
        resources.files("drum_space.atlas") / "page",
        title=str(document["title"]),
        scripts=SCRIPTS,
        documents={"document": {**document, "sections": sections}},
        blobs={"blob": blob},
    )


def _pack(arrays: Mapping[str, npt.NDArray[Any]]) -> tuple[bytes, dict[str, Any]]:
    """Lay arrays out one after the other, and compress them: bytes, and what is where."""
    sections: dict[str, Any] = {}
    content = bytearray()
    for name, array in arrays.items():
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        sections[name] = {
            "offset": len(content),
            "length": little.nbytes,
            "dtype": array.dtype.name,
            "shape": list(array.shape),
        }
        content += little.tobytes()
        content += bytes(-len(content) % ALIGNMENT)
    packed = io.BytesIO()
    # gzip.compress writes the kind of system into the header; this writes "unknown".
    with gzip.GzipFile("", "wb", 9, packed, mtime=0) as stream:
        stream.write(content)
    return packed.getvalue(), sections
