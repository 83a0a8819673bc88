"""The map as a value: numbers, a picture, and a page that opens from disk and plays."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

from drum_space.data import Bits, pack
from groove_core.drums import DRUMS
from groove_core.errors import UsageError
from groove_core.storage import dump_json, write_text
from groove_core.values import GRID, Report, Value

if TYPE_CHECKING:
    import torch
    from matplotlib.axes import Axes

    from drum_space.atlas.model import ParametricMap
    from drum_space.model import DrumAutoencoder

__all__ = ["LAYOUTS", "NEIGHBOURS", "DrumMap", "Layout"]

NEIGHBOURS = 8
"""Patterns whose codes are mixed where t-SNE has no way back."""
Layout = Literal["tsne", "parametric"]
LAYOUTS: dict[Layout, str] = {"tsne": "t-SNE", "parametric": "parametric"}

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]


@dataclass(frozen=True, eq=False, repr=False)
class DrumMap(Value):
    """Two-bar patterns on a plane, and from any point of it back to a code.

    Parameters
    ----------
    model : str
        Name of the model whose latent space it is.
    hits : bool array [shape=(n, 32, 14)]
    codes : float32 array [shape=(n, latent)]
        Kept to four decimals.
    tsne, parametric : float arrays [shape=(n, 2), -1 to 1]
        Where each layout puts the patterns; kept to multiples of 1 / 32767.
    genre, source, half_bar : int arrays [shape=(n,)]
        Indices into `genres` and `sources`, and the half bar at which a pattern starts.
    genres : sequence of str
        The most frequent first.
    sources : sequence of str
        Performances.
    measures : Report or None
        How good both layouts are; None where there are too few patterns to tell.
    yours : sequence of str
        Labels of the user's own beats: the last points, with the genre ``len(genres)``.
    flat : bool
        Whether the page plays every hit alike and on the grid.
    decoder, plane : networks, optional
        What decodes codes, and what gives codes for positions; not in the JSON.
    """

    kind: ClassVar[str] = "drum-map"
    default_formats: ClassVar[tuple[str, ...]] = ("html", "png", "json")

    model: str
    hits: Bits
    codes: Floats
    tsne: Floats
    parametric: Floats
    genre: Ints
    source: Ints
    half_bar: Ints
    genres: tuple[str, ...]
    sources: tuple[str, ...]
    measures: Report | None = None
    yours: tuple[str, ...] = ()
    flat: bool = field(default=False, compare=False)
    decoder: DrumAutoencoder | None = field(default=None, compare=False)
    plane: ParametricMap | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        codes = np.asarray(self.codes, dtype=np.float64).round(4).astype(np.float32)
        object.__setattr__(self, "codes", codes)
        for layout in LAYOUTS:
            positions = np.asarray(getattr(self, layout), dtype=np.float64)
            object.__setattr__(self, layout, np.rint(positions * GRID) / GRID)
        for name in ("genre", "source", "half_bar"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.int64))
        for name in ("genres", "sources", "yours"):
            object.__setattr__(self, name, tuple(getattr(self, name)))

    def __len__(self) -> int:
        return len(self.hits)

    def counts(self) -> dict[str, int]:
        """Count the patterns of each genre, the user's own left out."""
        counts = np.bincount(self.genre, minlength=len(self.genres))
        return dict(zip(self.genres, counts.tolist(), strict=False))

    def code_at(self, x: float, y: float, layout: Layout = "parametric") -> npt.NDArray[np.float32]:
        """Give the code of a point of the plane.

        In the parametric layout it is what the inverse network says, in double precision.
        t-SNE has no inverse: there it is the mean of the codes of the eight nearest
        patterns, weighted by the inverse of their squared distance.

        Parameters
        ----------
        x, y : float
            -1 to 1.

        Returns
        -------
        float32 array [shape=(latent,)]

        Raises
        ------
        UsageError
            If the map was read from JSON, which has no networks, and the layout needs one.
        """
        if layout == "tsne":
            squared = np.square(self.tsne - (x, y)).sum(axis=1)
            nearest = np.argsort(squared, kind="stable")[:NEIGHBOURS]
            weights = 1 / (squared[nearest] + 1e-9)
            mixed = weights @ self.codes[nearest].astype(np.float64) / weights.sum()
            return np.asarray(mixed, dtype=np.float32)
        import copy

        import torch

        _, plane = self._networks()
        with torch.no_grad():
            position = torch.tensor([[x, y]], dtype=torch.float64)
            code = copy.deepcopy(plane).double().codes(position)[0]
        return np.asarray(code.numpy(), dtype=np.float32)

    def _networks(self) -> tuple[DrumAutoencoder, ParametricMap]:
        if self.decoder is None or self.plane is None:
            raise UsageError(
                "A map that was read from JSON has no networks.",
                hint="groove run drum-space map --format html",
            )
        return self.decoder, self.plane

    def to_json(self) -> dict[str, Any]:
        """Give all but the networks; codes and positions as flat lists."""
        return {
            "kind": self.kind,
            "model": self.model,
            "patterns": len(self),
            "genres": list(self.genres),
            "sources": list(self.sources),
            "yours": list(self.yours),
            "measures": self.measures and self.measures.to_json(),
            "genre": self.genre.tolist(),
            "source": self.source.tolist(),
            "half_bar": self.half_bar.tolist(),
            "tsne": self.tsne.round(5).ravel().tolist(),
            "parametric": self.parametric.round(5).ravel().tolist(),
            "codes": self.codes.astype(np.float64).round(4).ravel().tolist(),
            "bits": base64.b64encode(b"".join(pack(self.hits))).decode(),
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Make a map without networks."""
        n, measures = document["patterns"], document["measures"]
        bits = np.frombuffer(base64.b64decode(document["bits"]), dtype=np.uint8)
        plain = ("model", "genre", "source", "half_bar", "genres", "sources", "yours")
        parts: dict[str, Any] = {name: document[name] for name in plain}
        for name in ("codes", "tsne", "parametric"):
            parts[name] = np.reshape(document[name], (n, -1))
        parts["hits"] = np.unpackbits(bits).astype(bool).reshape(n, -1, len(DRUMS))
        return cls(**parts, measures=measures and Report.from_json(measures))

    def to_document(self) -> dict[str, Any]:
        """Give counts and measures: the points are in the files."""
        return {
            "kind": self.kind,
            "model": self.model,
            "patterns": len(self) - len(self.yours),
            "performances": len(self.sources) - len(self.yours),
            "genres": self.counts(),
            "yours": list(self.yours),
            "measures": self.measures and self.measures.to_json(),
        }

    def to_text(self) -> str:
        """Show counts and measures."""
        about = self.to_document()
        lines = [
            f"{about['patterns']} two-bar patterns of {about['performances']} performances in the "
            f"space of {self.model}",
            "genres: " + ", ".join(f"{genre} {n}" for genre, n in about["genres"].items()),
        ]
        if self.yours:
            lines.append(f"yours: {', '.join(self.yours)}")
        if self.measures:
            lines += ["", self.measures.to_text()]
        return "\n".join(lines)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw both layouts beside each other, with the most frequent genres in colour."""
        from groove_core.values import plot_layouts

        layouts = {title: getattr(self, layout) for layout, title in LAYOUTS.items()}
        return plot_layouts(layouts, self.genre, self.genres, self.yours, ax)

    def _save_json(self, path: Path) -> None:
        # A line for each of some hundred thousand numbers would double the file.
        write_text(path, dump_json(self.to_json(), indent=None))

    def _save_html(self, path: Path) -> None:
        from drum_space.atlas.page import build

        write_text(path, build(self._page(), self._arrays()))

    def _page(self) -> dict[str, Any]:
        """Say what the page says in words."""
        report = self.measures
        return {
            "title": "Map of drum beats",
            "model": self.model,
            "latent": self.codes.shape[1],
            "drums": [{"name": drum.name, "note": drum.note} for drum in DRUMS],
            "groups": list(self.genres),
            "sources": list(self.sources),
            "layouts": list(LAYOUTS.values()),
            "measures": [
                [f"{column}, {row[0]}", f"{cell:.4f}" if isinstance(cell, float) else str(cell)]
                for number, column in enumerate(report.columns[1:] if report else (), 1)
                for row in (report.rows if report else ())
                if (cell := row[number]) is not None
            ],
            "notes": list(report.notes if report else ()),
            "yours": list(self.yours),
            "yours_count": len(self.yours),
            "neighbours": NEIGHBOURS,
            "flat": self.flat,
        }

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Give what the page draws and computes with.

        Weights were rounded to 16 bits when they were stored, so nothing is lost.
        """
        if len(self.sources) > np.iinfo(np.uint16).max:
            raise UsageError(
                f"A page cannot hold the names of {len(self.sources)} performances.",
                hint="Give a folder with fewer files, or --format json.",
            )
        decoder, plane = self._networks()
        return {
            "bits": np.packbits(self.hits.reshape(len(self), -1), axis=1),
            "group": self.genre.astype(np.uint8),
            "source": self.source.astype(np.uint16),
            "half_bar": self.half_bar.astype(np.uint16),
            "codes": self.codes,
            "tsne": np.rint(self.tsne * GRID).astype(np.int16),
            "parametric": np.rint(self.parametric * GRID).astype(np.int16),
            **_layers("decoder", decoder.decoder),
            "thresholds": _array(decoder.thresholds),
            **_layers("inverse", plane.inverse),
            "inverse.scale": _array(plane.scale),
            "inverse.shift": _array(plane.shift),
        }


def _layers(name: str, network: torch.nn.Sequential) -> dict[str, npt.NDArray[Any]]:
    """Give the weights of linear layers, numbered, with those of the norms that follow them."""
    from torch import nn

    arrays: dict[str, npt.NDArray[Any]] = {}
    number = -1
    for layer in network:
        if isinstance(layer, nn.Linear):
            number += 1
        where = f"{name}.{number}.norm" if isinstance(layer, nn.LayerNorm) else f"{name}.{number}"
        for key, weight in layer.named_parameters():
            arrays[f"{where}.{key}"] = _array(weight).astype(np.float16)
    return arrays


def _array(tensor: torch.Tensor) -> npt.NDArray[np.float32]:
    array: npt.NDArray[np.float32] = tensor.detach().cpu().numpy().astype(np.float32)
    return array
