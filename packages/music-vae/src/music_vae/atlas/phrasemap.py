"""The map as a value: numbers, a picture, and a page that opens from disk and plays."""

from __future__ import annotations

import base64
import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from groove_core.drums import STEPS_PER_BAR
from groove_core.errors import UsageError
from groove_core.storage import dump_json, write_text
from groove_core.values import GRID, Report, Value

if TYPE_CHECKING:
    import torch
    from matplotlib.axes import Axes

    from music_vae.model import MusicVAE

__all__ = ["LAYOUTS", "NEIGHBOURS", "PhraseMap"]

NEIGHBOURS = 8
"""Phrases whose codes are mixed between them: a plane has no way back to all of a code."""
LAYOUTS = {"likeness": "Likeness", "axes": "Main axes", "roles": "Roles"}
READ = re.compile(
    r"decoder\.(cores\.melody\.(start|lstm|out|plan\.[02])|start|conductor|listener)\."
)
"""Weights that ``decoder.js`` knows."""
TEXTS = ("groups", "sources", "keys", "yours")
COLUMNS = ("group", "source", "first", "bars", "key", "tempo")

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]


@dataclass(frozen=True, eq=False, repr=False)
class PhraseMap(Value):
    """Phrases on a plane, and from any place of it back to a code.

    Parameters
    ----------
    model : str
        Name of the model whose latent space it is.
    events : int array [shape=(n, steps)]
        Classes of the melody of each phrase; a phrase that is shorter is repeated.
    codes : float array [shape=(n, parts * latent)]
        The codes of the bars that the model reads at once, one behind the other; kept in half
        precision.
    parts : int
        How many they are.
    layouts : mapping of str to float arrays [each shape=(n, 2), -1 to 1]
        By their names, of ``likeness``, ``axes`` and ``roles``; kept to multiples of 1 / 32767.
    group, source, key : int arrays [shape=(n,)]
        Indices into `groups` (roles), `sources` (songs) and `keys`.
    first, bars, tempo : int arrays [shape=(n,)]
        The bar with which each begins in its song, how long it is, and beats a minute.
    axes : mapping of str to sequences of four str
        What lies to the left, to the right, below and above on a layout.
    measures : Report or None
        How good the layouts are; None where there are too few phrases to tell.
    yours : sequence of str
        Labels of the user's own phrases: the last points, with the group ``len(groups)``.
    network : MusicVAE, optional
        What writes melodies from codes; not in the JSON.
    """

    kind: ClassVar[str] = "phrase-map"
    default_formats: ClassVar[tuple[str, ...]] = ("html", "png", "json")

    model: str
    events: Ints
    codes: Floats
    parts: int
    layouts: Mapping[str, Floats]
    group: Ints
    source: Ints
    key: Ints
    first: Ints
    bars: Ints
    tempo: Ints
    groups: tuple[str, ...]
    sources: tuple[str, ...]
    keys: tuple[str, ...]
    axes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    measures: Report | None = None
    yours: tuple[str, ...] = ()
    network: MusicVAE | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "codes", np.asarray(self.codes, np.float16).astype(np.float32))
        layouts = {
            name: np.rint(np.asarray(positions, np.float64) * GRID) / GRID
            for name, positions in self.layouts.items()
        }
        object.__setattr__(self, "layouts", layouts)
        for name in ("events", *COLUMNS):
            object.__setattr__(self, name, np.asarray(getattr(self, name), np.int64))
        for name in TEXTS:
            object.__setattr__(self, name, tuple(getattr(self, name)))
        axes = {name: tuple(words) for name, words in self.axes.items()}
        object.__setattr__(self, "axes", axes)

    def __len__(self) -> int:
        return len(self.events)

    def counts(self) -> dict[str, int]:
        """Count the phrases of each role, the user's own left out."""
        counts = np.bincount(self.group, minlength=len(self.groups))
        return dict(zip(self.groups, counts.tolist(), strict=False))

    def code_at(self, x: float, y: float, layout: str) -> npt.NDArray[np.float32]:
        """Return the code of a place of a layout.

        It is the mean of the codes of the eight nearest phrases, weighted by the inverse of their
        squared distance. Each part of it is made as long as these are in the mean: codes that
        have little to do with each other would else nearly cancel out.

        Parameters
        ----------
        x, y : float
            -1 to 1.

        Returns
        -------
        float32 array [shape=(parts * latent,)]
        """
        squared = np.square(self.layouts[layout] - (x, y)).sum(axis=1)
        nearest = np.argsort(squared, kind="stable")[:NEIGHBOURS]
        weights = 1 / (squared[nearest] + 1e-9)
        weights /= weights.sum()
        codes = self.codes[nearest].astype(np.float64).reshape(len(nearest), self.parts, -1)
        mixed = np.tensordot(weights, codes, axes=1)
        wanted = weights @ np.linalg.norm(codes, axis=2)
        is_long = np.linalg.norm(mixed, axis=1)
        scale = np.divide(wanted, is_long, out=np.ones(self.parts), where=is_long > 0)
        found: npt.NDArray[np.float32] = (mixed * scale[:, None]).ravel().astype(np.float32)
        return found

    def decode(self, codes: Floats) -> npt.NDArray[np.int64]:
        """Write melodies from codes as the page does: in double precision, with halved weights.

        Parameters
        ----------
        codes : float array [shape=(m, parts * latent)]

        Returns
        -------
        int array [shape=(m, steps)]

        Raises
        ------
        UsageError
            If the map was read from JSON, which has no network.
        """
        import torch

        network = copy.deepcopy(self._network()).half().double()
        parts = np.asarray(codes, np.float32).reshape(len(codes) * self.parts, -1)
        events = network.decode(torch.from_numpy(parts).double())
        written: npt.NDArray[np.int64] = events.cpu().numpy().reshape(len(codes), -1)
        return written

    def _network(self) -> MusicVAE:
        if self.network is None:
            raise UsageError(
                "A map that was read from JSON has no network.",
                hint="groove run music-vae map --format html",
            )
        return self.network

    def to_json(self) -> dict[str, Any]:
        """Return all but the network; codes, events and positions as flat lists."""
        return {
            "kind": self.kind,
            "model": self.model,
            "phrases": len(self),
            "parts": self.parts,
            **{name: list(getattr(self, name)) for name in TEXTS},
            **{name: getattr(self, name).tolist() for name in COLUMNS},
            "layouts": {name: one.round(5).ravel().tolist() for name, one in self.layouts.items()},
            "axes": {name: list(words) for name, words in self.axes.items()},
            "measures": self.measures and self.measures.to_json(),
            "codes": base64.b64encode(self.codes.astype("<f2").tobytes()).decode(),
            "events": base64.b64encode(self.events.astype(np.uint8).tobytes()).decode(),
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Make a map without a network."""
        n, measures = document["phrases"], document["measures"]
        plain = ("model", "parts", "axes", *TEXTS, *COLUMNS)
        codes, events = (
            np.frombuffer(base64.b64decode(document[name]), kind).reshape(n, -1)
            for name, kind in (("codes", "<f2"), ("events", np.uint8))
        )
        layouts = {name: np.reshape(one, (n, 2)) for name, one in document["layouts"].items()}
        return cls(
            **{name: document[name] for name in plain},
            codes=codes, events=events, layouts=layouts,
            measures=measures and Report.from_json(measures),
        )  # fmt: skip

    def to_document(self) -> dict[str, Any]:
        """Return counts and measures: the points are in the files."""
        return {
            "kind": self.kind,
            "model": self.model,
            "phrases": len(self) - len(self.yours),
            "songs": len(np.unique(self.source[: len(self) - len(self.yours)])),
            "roles": self.counts(),
            "layouts": list(self.layouts),
            "yours": list(self.yours),
            "measures": self.measures and self.measures.to_json(),
        }

    def to_text(self) -> str:
        """Show counts and measures."""
        about = self.to_document()
        lines = [
            f"{about['phrases']:,} phrases of {about['songs']:,} songs, laid out by {self.model}",
            "roles: " + ", ".join(f"{role} {n:,}" for role, n in about["roles"].items()),
            "layouts: " + ", ".join(LAYOUTS[name] for name in self.layouts),
        ]
        if self.yours:
            lines.append(f"yours: {', '.join(self.yours)}")
        if self.measures:
            lines += ["", self.measures.to_text()]
        return "\n".join(lines)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the layouts beside each other."""
        from groove_core.values import plot_layouts

        layouts = {LAYOUTS[name]: positions for name, positions in self.layouts.items()}
        return plot_layouts(layouts, self.group, self.groups, self.yours, ax)

    def _save_json(self, path: Path) -> None:
        write_text(path, dump_json(self.to_json(), indent=None))

    def _save_html(self, path: Path) -> None:
        from music_vae.atlas.page import build

        write_text(path, build(self._page(), self._arrays()))

    def _page(self) -> dict[str, Any]:
        """Return what the page says in words."""
        report = self.measures
        return {
            "title": "Map of phrases",
            "model": self.model,
            "latent": self.codes.shape[1],
            "parts": self.parts,
            "bars": self.events.shape[1] // STEPS_PER_BAR,
            "groups": list(self.groups),
            "sources": list(self.sources),
            "keys": list(self.keys),
            "layouts": [LAYOUTS[name] for name in self.layouts],
            "layout_keys": list(self.layouts),
            "axes": [list(self.axes.get(name, ())) for name in self.layouts],
            "measures": [
                [f"{row[0]}: {column}", f"{cell:.3f}" if isinstance(cell, float) else str(cell)]
                for row in (report.rows if report else ())
                for column, cell in zip(report.columns[1:] if report else (), row[1:], strict=True)
                if cell is not None
            ],
            "notes": list(report.notes if report else ()),
            "yours": list(self.yours),
            "yours_count": len(self.yours),
            "neighbours": NEIGHBOURS,
        }

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return what the page draws and computes with."""
        return {
            "events": self.events.astype(np.uint8),
            "codes": self.codes.astype(np.float16),
            **{
                name: np.rint(positions * GRID).astype(np.int16)
                for name, positions in self.layouts.items()
            },
            **{name: getattr(self, name).astype(np.uint16) for name in COLUMNS},
            **_weights(self._network()),
        }


def _weights(network: MusicVAE) -> dict[str, npt.NDArray[np.float16]]:
    """Return the weights of the decoder by their names, in half precision.

    Raises
    ------
    UsageError
        If it has weights that the page would not use: it would write something else.
    """
    weights = dict(network.decoder.named_parameters("decoder"))
    if unknown := sorted(name for name in weights if not READ.match(name)):
        raise UsageError(
            f"A page cannot write as a decoder with {unknown[0]} does.",
            hint="Use --format json,png, or another --model.",
        )
    return {name: _half(weight) for name, weight in weights.items()}


def _half(tensor: torch.Tensor) -> npt.NDArray[np.float16]:
    array: npt.NDArray[np.float16] = tensor.detach().cpu().numpy().astype(np.float16)
    return array
