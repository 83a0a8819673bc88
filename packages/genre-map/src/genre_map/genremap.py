"""The map as a value: numbers, a picture, and a page that opens from disk and plays."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from genre_map.results import colors_of, undecided
from groove_core.errors import UsageError
from groove_core.storage import write_text
from groove_core.values import INK, Record, audio_url, build_page, data_url, panel, sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Content", "GenreMap", "Place", "borders"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Place:
    """Where a song is on the map.

    Parameters
    ----------
    name : str
    x, y : float
        -1 to 1.
    genre : str
        What the classifier hears in it.
    probability : float
    distance : float
        Between its features and the cell's, in deviations; the map's own cells are about
        `GenreMap.spacing` from each other.
    """

    name: str
    x: float
    y: float
    genre: str
    probability: float
    distance: float


@dataclass(frozen=True)
class Content:
    """What can be seen and heard of each cell; not in the JSON.

    Parameters
    ----------
    pictures : uint8 array [shape=(cells, parts, n_mels, frames)]
    sounds : float array [shape=(cells, samples)]
    sample_rate : int [Hz]
    """

    pictures: npt.NDArray[np.uint8]
    sounds: npt.NDArray[np.float32]
    sample_rate: int


@dataclass(frozen=True, eq=False, repr=False)
class GenreMap(Record):
    """A plane of two dependent values and the genres in it.

    Parameters
    ----------
    genres : sequence of str
    axes : (int, int)
        Which of the ten values run along x and y.
    probabilities : float array [shape=(cells, cells, genres)]
        Rows run along y, from -1 to 1.
    critic : float array [shape=(cells, cells)]
        How real the critic finds each cell; where it is low, trust the genre less.
    noise : float array [shape=(128,)]
        What is the same for all cells, with the two values of the middle.
    spacing : float
        Median distance of the features of neighbouring cells.
    places : sequence of Place
    """

    kind: ClassVar[str] = "genre-map"
    default_formats: ClassVar[tuple[str, ...]] = ("json", "png", "html")
    keys = "genres axes area borders places probabilities entropy critic noise spacing"
    digits: ClassVar = {"probabilities": 4, "critic": 3, "noise": 5}

    genres: tuple[str, ...]
    axes: tuple[int, int]
    probabilities: Floats
    critic: Floats
    noise: Floats
    spacing: float
    places: tuple[Place, ...] = ()
    content: Content | None = field(default=None, compare=False)

    @property
    def entropy(self) -> Floats:
        """How undecided each cell is [shape=(cells, cells), 0 to 1], to four digits."""
        return undecided(self.probabilities).round(4)

    def area(self) -> dict[str, float]:
        """Share of the map where each genre is the most probable one."""
        count = np.bincount(self.probabilities.argmax(axis=2).ravel(), minlength=len(self.genres))
        return dict(zip(self.genres, (count / count.sum()).tolist(), strict=True))

    def borders(self) -> dict[str, list[Floats]]:
        """Give the outlines of each genre's area; see `borders`."""
        return borders(self.probabilities, self.genres)

    def to_text(self) -> str:
        shares = sorted(self.area().items(), key=lambda one: -one[1])
        area = ", ".join(f"{genre} {share:.0%}" for genre, share in shares if share)
        lines = [f"c{self.axes[0]} and c{self.axes[1]}: {area}"]
        lines += [
            f"{p.name}: {p.genre} {p.probability:.0%}, at ({p.x:+.2f}, {p.y:+.2f}), "
            f"{p.distance:.1f} away (neighbouring cells: {self.spacing:.1f})"
            for p in self.places
        ]
        return "\n".join(lines)

    def colored(self) -> Floats:
        """Give the colours of cells [shape=(cells, cells, 3)]: the genre's, paler where unsure."""
        from matplotlib.colors import to_rgba_array

        sure = self.probabilities.max(axis=2, keepdims=True) ** 0.7
        best = to_rgba_array(colors_of(self.genres))[self.probabilities.argmax(axis=2), :3]
        found: Floats = best * sure + 1 - sure
        return found

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the genres with their borders, how undecided it is, and the critic's score."""
        ax = sheet(ax, 11, 4.2, "")
        extent = (-1.0, 1.0, -1.0, 1.0)
        views = (
            ("genre; paler where unsure", self.colored(), None),
            ("entropy: 1 is no idea", self.entropy, "viridis"),
            ("critic: higher is more real", self.critic, "cividis"),
        )
        lines = self.borders()
        best = self.probabilities.argmax(axis=2)
        ticks = np.linspace(-1, 1, len(best))
        for number, (title, values, colors) in enumerate(views):
            inner = panel(ax, (number * 0.355, 0.08, 0.27, 0.84), title, size=6, fontsize=8)
            drawn = inner.imshow(
                values, origin="lower", extent=extent, cmap=colors, interpolation="bilinear",
                aspect="auto",
            )  # fmt: skip
            if colors:
                bar = inner.inset_axes((1.02, 0.0, 0.03, 1.0))
                ax.figure.colorbar(drawn, cax=bar)
                bar.tick_params(labelsize=6, length=2)
            for some in lines.values():
                for line in some:
                    inner.plot(
                        line[:, 0], line[:, 1], color=INK if number == 0 else "white", lw=0.8
                    )
            inner.set(xlim=(-1, 1), ylim=(-1, 1))
            inner.set_xlabel(f"c{self.axes[0]}", fontsize=8)
            if number == 0:
                inner.set_ylabel(f"c{self.axes[1]}", fontsize=8)
                for index, genre in enumerate(self.genres):
                    row, column = np.nonzero(best == index)
                    if len(row) >= 0.015 * best.size:
                        # The cell of the genre that is nearest to the middle of its area.
                        near = np.hypot(row - row.mean(), column - column.mean()).argmin()
                        at = (ticks[column[near]], ticks[row[near]])
                        inner.annotate(genre, at, fontsize=8, ha="center", va="center", color=INK)
                for place in self.places:
                    inner.plot(place.x, place.y, "o", color=INK, ms=4)
                    at = (place.x, place.y)
                    inner.annotate(place.name, at, (4, 4), textcoords="offset points", fontsize=7)
        return ax

    def _save_html(self, path: Path) -> None:
        if self.content is None:
            raise UsageError(
                "A map that was read from JSON has no sounds for a page.",
                hint="groove run genre-map map --format html",
            )
        data = {
            **self.to_json(),
            "colors": colors_of(self.genres),
            "shape": list(self.content.pictures.shape[1:]),
            "sprite": data_url("image/png", _sprite(self.content.pictures)),
            "sounds": [
                audio_url(sound, self.content.sample_rate, small=True)
                for sound in self.content.sounds
            ],
        }
        del data["entropy"]  # the page computes it
        folder = resources.files("genre_map") / "page"
        whole = build_page(
            folder, title="Map of genres", scripts=["page.js"], documents={"data": data}
        )
        write_text(path, whole)


def _sprite(pictures: npt.NDArray[np.uint8]) -> bytes:
    """Lay all pictures out in one image in 16 levels of grey, low bands below."""
    from PIL import Image

    cells, parts, n_mels, frames = pictures.shape
    across = round(cells**0.5)
    stacked = pictures[:, :, ::-1].reshape(cells, parts * n_mels, frames) // 16 * 17
    sheet = stacked.reshape(across, across, parts * n_mels, frames).swapaxes(1, 2)
    out = io.BytesIO()
    image = Image.fromarray(sheet.reshape(across * parts * n_mels, across * frames))
    image.save(out, format="png", optimize=True)
    return out.getvalue()


def borders(probabilities: Floats, genres: Sequence[str]) -> dict[str, list[Floats]]:
    """Give the outlines of each genre's area.

    Parameters
    ----------
    probabilities : float array [shape=(rows, columns, genres)]

    Returns
    -------
    dict of str to lists of float arrays [shape=(n, 2), -1 to 1 along both axes]
    """
    from contourpy import contour_generator

    rows, columns = probabilities.shape[:2]
    x, y = np.linspace(-1, 1, columns), np.linspace(-1, 1, rows)
    found = {}
    for number, genre in enumerate(genres):
        others = np.delete(probabilities, number, axis=2).max(axis=2)
        lead = probabilities[..., number] - others
        lines = contour_generator(x, y, lead).lines(0.0)
        if lines:
            found[genre] = [np.asarray(line).round(4) for line in lines]
    return found
