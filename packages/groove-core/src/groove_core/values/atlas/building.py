"""Maps as pages: pieces of music on a plane that play, with what a network decodes between them.

A page is one file that opens from disk and asks nothing of a network. It draws the points, finds
and plays them, walks from one to another, keeps favourites, and saves MIDI files, by mouse, finger
and keyboard. What a piece is, and how it is decoded, drawn and played, is the matter of the package
whose map it is: its scripts define the ``subject`` that ``page/pieces.js`` describes.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from string import Template
from typing import Any

import numpy as np
import numpy.typing as npt

from groove_core.values.page import assemble_page

__all__ = ["GRID", "AtlasWords", "build_atlas"]

GRID = 32767
"""Positions, -1 to 1, are kept as multiples of 1 / 32767, which 16 bits can hold."""
SCRIPTS = (
    "data.js", "layers.js", "places.js", "pieces.js", "marks.js", "midi.js", "sound.js",
    "player.js", "relief.js", "view.js", "overlay.js", "panel.js", "morph.js", "favourites.js",
    "pointing.js", "keys.js",
)  # fmt: skip
LAST = "main.js"
"""It starts the page, so the scripts of the package stand before it."""
ALIGNMENT = 8
"""Sections start at multiples of it, so that the page can look at them where they are."""


@dataclass(frozen=True)
class AtlasWords:
    """What a page calls its points.

    Parameters
    ----------
    piece, pieces : str
        Such as ``beat`` and ``beats``.
    group, groups : str
        What points are told apart by, such as ``genre`` and ``genres``.
    """

    piece: str
    pieces: str
    group: str
    groups: str


def build_atlas(
    parts: Traversable,
    *,
    words: AtlasWords,
    lead: str,
    scripts: Sequence[str],
    document: Mapping[str, Any],
    arrays: Mapping[str, npt.NDArray[Any]],
) -> str:
    """Put the page of a map together.

    Parameters
    ----------
    parts : folder of a package, as `importlib.resources.files` finds it
        With the scripts.
    words : AtlasWords
    lead : str
        What the page says under its title until it is opened.
    scripts : sequence of str
        File names, in the order in which the page reads them; together they define ``subject``.
    document : dict
        What the page says: `title`, `latent` (numbers of a code), `groups` (names), `sources`,
        `layouts` (names), `measures` (rows of two texts), `notes`, `neighbours` (points whose
        codes are mixed between them), `axes` (optional: for each layout what lies to the left,
        to the right, below and above), `yours` (labels of the user's own pieces) and
        `yours_count` (so many of the last points are theirs), and what the subject needs.
    arrays : mapping of str to arrays
        What the page draws and computes with: `group` and `source` (int), `codes`, an array of
        positions for each layout (int16, multiples of 1 / 32767), and what the subject needs.
        float16 is widened, everything else is as it is.

    Returns
    -------
    str
        HTML. The same input gives the same bytes.
    """
    shared = resources.files("groove_core.values.atlas") / "page"
    blob, sections = _pack(arrays)
    told = asdict(words)
    fill = told | {"lead": lead, "Piece": words.piece.title(), "Groups": words.groups.title()}

    def text(folder: Traversable, name: str) -> str:
        return (folder / name).read_text(encoding="utf-8")

    return assemble_page(
        title=str(document["title"]),
        style=text(shared, "page.css"),
        body=Template(text(shared, "page.html")).substitute(fill),
        scripts=[
            *(text(shared, name) for name in SCRIPTS),
            *(text(parts, name) for name in scripts),
            text(shared, LAST),
        ],
        documents={"document": {**document, "words": told, "sections": sections}},
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
