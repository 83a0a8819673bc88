"""The map as a value: numbers, a picture, and a page that opens from disk and plays."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from genre_map.outlines import borders, enlarged, middles, room_for
from genre_map.results import colors_of, undecided
from groove_core.errors import UsageError
from groove_core.storage import write_text
from groove_core.values import INK, Record, build_page, data_url, panel, sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Content", "GenreMap", "Place", "Played"]

Floats = npt.NDArray[np.float64]
PIXELS = 400
"""At least so many along each side are drawn, interpolated between the cells."""
LETTER = 0.0185
"""Width of a letter of 8 points on the large map, whose sides are 2 long."""


@dataclass(frozen=True)
class Place:
    """Where a song is on the map.

    Parameters
    ----------
    name : str
    x, y : float
        -1 to 1; between the cells, too.
    genre : str
        What the classifier hears in it.
    probability : float
    distance : float
        Between it and the nearest cell, in the classifier's hidden layer; neighbouring cells are
        about `GenreMap.spacing` from each other.
    far : bool
        Whether its nearest cell is hardly nearer than the others, so that the place says little.
    """

    name: str
    x: float
    y: float
    genre: str
    probability: float
    distance: float
    far: bool = False


@dataclass(frozen=True, eq=False)
class Played:
    """The points of a map that play, and what the classifier hears in their sounds.

    Parameters
    ----------
    at : float array [shape=(n, 2), -1 to 1]
    pictured : float array [shape=(n, genres)]
        Probabilities of the spectrograms.
    heard : float array [shape=(n, genres)]
        Probabilities of the sounds, analysed as any sound file is.
    kept_at_first : float
        Share that would keep its genre, had none been chosen by its sound.
    """

    keys: ClassVar[str] = "kept kept_at_first at pictured heard"

    at: Floats = field(default_factory=lambda: np.zeros((0, 2)))
    pictured: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    heard: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    kept_at_first: float = 0.0

    @property
    def keeps(self) -> npt.NDArray[np.bool_]:
        """Whether the sound of each point is of the genre of its spectrogram [shape=(n,)]."""
        if not len(self.at):
            return np.zeros(0, bool)
        same: npt.NDArray[np.bool_] = self.pictured.argmax(axis=1) == self.heard.argmax(axis=1)
        return same

    @property
    def kept(self) -> float:
        """Share of the points whose sound is of the genre of its spectrogram."""
        return round(float(self.keeps.mean()), 4) if len(self.at) else 0.0


@dataclass(frozen=True)
class Content:
    """What can be seen and heard of each point that plays; not in the JSON.

    Parameters
    ----------
    pictures : uint8 array [shape=(points, parts, n_mels, frames)]
    sounds : tuple of bytes
        An MP3 file for each point.
    excerpts : tuple of bytes
        An MP3 file for each of the first places.
    """

    pictures: npt.NDArray[np.uint8]
    sounds: tuple[bytes, ...]
    excerpts: tuple[bytes, ...] = ()


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
        Median distance of neighbouring cells, in the classifier's hidden layer.
    places : sequence of Place
    played : Played
        Empty in documents of earlier versions.
    """

    kind: ClassVar[str] = "genre-map"
    default_formats: ClassVar[tuple[str, ...]] = ("json", "png", "html")
    keys = "genres axes area borders places played probabilities entropy critic noise spacing"
    digits: ClassVar = {"probabilities": 4, "critic": 3, "noise": 5}

    genres: tuple[str, ...]
    axes: tuple[int, int]
    probabilities: Floats
    critic: Floats
    noise: Floats
    spacing: float
    places: tuple[Place, ...] = ()
    played: Played = field(default_factory=Played)
    content: Content | None = field(default=None, compare=False)

    @property
    def entropy(self) -> Floats:
        """How undecided each cell is [shape=(cells, cells), 0 to 1], to three digits."""
        return undecided(self.probabilities).round(3)

    def area(self) -> dict[str, float]:
        """Share of the map where each genre is the most probable one."""
        count = np.bincount(self.probabilities.argmax(axis=2).ravel(), minlength=len(self.genres))
        return dict(zip(self.genres, (count / count.sum()).round(4).tolist(), strict=True))

    def borders(self) -> dict[str, list[Floats]]:
        """Return the outlines of each genre's area; see `genre_map.outlines.borders`."""
        return borders(self.probabilities, self.genres)

    def to_text(self) -> str:
        shares = sorted(self.area().items(), key=lambda one: -one[1])
        area = ", ".join(f"{genre} {share:.0%}" for genre, share in shares if share)
        lines = [f"c{self.axes[0]} and c{self.axes[1]}: {area}"]
        if len(self.played.at):
            lines.append(f"{self._kept_text()} ({self.played.kept_at_first:.0%} unchosen)")
        for place in self.places:
            at = f"{place.genre} {place.probability:.0%}, at ({place.x:+.2f}, {place.y:+.2f})"
            lines.append(f"{place.name}: {at}, {self._off(place)}")
        if self.places:
            lines.append(
                "A song is put where the map sounds most like it. Off the map means unlike even "
                "that spot, to the classifier; the map's width is the sum of the steps across it."
            )
        return "\n".join(lines)

    def _off(self, place: Place) -> str:
        """Say how far a song is off the map, as a share of the way across it."""
        width = self.spacing * (len(self.critic) - 1)
        off = f"off the map by {place.distance / width:.0%} of its width" if width else ""
        return f"far {off}, so its place says little" if place.far else off

    def _kept_text(self) -> str:
        count = len(self.played.at)
        return f"sound keeps the genre at {self.played.kept:.0%} of the {count} points"

    def colored(self) -> Floats:
        """Return the map as colours [shape=(n, n, 3)]: the genre's, paler where unsure."""
        from matplotlib.colors import to_rgba_array

        times = max(1, -(-PIXELS // (len(self.critic) - 1)))
        probabilities = enlarged(self.probabilities, times)
        sure = probabilities.max(axis=2, keepdims=True) ** 0.7
        best = to_rgba_array(colors_of(self.genres))[probabilities.argmax(axis=2), :3]
        found: Floats = best * sure + 1 - sure
        return found

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the genres and the songs; small, entropy, critic's score and heard genres."""
        title = self._kept_text() if len(self.played.at) else ""
        ax = sheet(ax, 9.6, 6.6, title)
        lines = [line for some in self.borders().values() for line in some]
        large = panel(ax, (0, 0.03, 0.66, 0.95), size=6)
        self._view(large, self.colored(), lines, INK)
        large.set_xlabel(f"c{self.axes[0]}", fontsize=8)
        large.set_ylabel(f"c{self.axes[1]}", fontsize=8)
        self._name(large)
        boxes = [(0.74, bottom, 0.2, 0.27) for bottom in (0.71, 0.37, 0.03)]
        for box, name, values, colors in (
            (boxes[0], "entropy: 1 is no idea", self.entropy, "viridis"),
            (boxes[1], "critic: higher is more real", self.critic, "cividis"),
        ):
            inner = panel(ax, box, name, size=6)
            drawn = self._view(inner, values, lines, "white", cmap=colors)
            bar = inner.inset_axes((1.03, 0.0, 0.05, 1.0))
            ax.figure.colorbar(drawn, cax=bar)
            bar.tick_params(labelsize=6, length=2)
        if len(self.played.at):
            inner = panel(ax, boxes[2], "heard in the sounds (x: another genre)", size=6)
            self._view(inner, self.colored() * 0.35 + 0.65, lines, INK)
            colors = np.array(colors_of(self.genres))[self.played.heard.argmax(axis=1)]
            keeps = self.played.keeps
            size = float(np.clip(1600 / len(keeps), 3, 30))
            for marker, some in (("o", keeps), ("X", ~keeps)):
                x, y = self.played.at[some].T
                inner.scatter(
                    x, y, c=colors[some], marker=marker, s=size,
                    lw=0.3, edgecolors=INK if marker == "X" else "none", zorder=3,
                )  # fmt: skip
        return ax

    def _view(
        self, inner: Axes, values: Floats, lines: list[Floats], color: str, **look: Any
    ) -> Any:
        """Draw values over the plane, with the borders of genres."""
        drawn = inner.imshow(
            values, origin="lower", extent=(-1.0, 1.0, -1.0, 1.0), interpolation="bilinear",
            aspect="auto", **look,
        )  # fmt: skip
        for line in lines:
            inner.plot(line[:, 0], line[:, 1], color=color, lw=0.7)
        inner.set(xlim=(-1, 1), ylim=(-1, 1))
        return drawn

    def _name(self, inner: Axes) -> None:
        """Write the names of genres and songs, none over another."""
        names = middles(self.probabilities, self.genres)
        halo: Any = {"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.75}
        look: Any = {"fontsize": 8, "ha": "center", "va": "center", "color": INK}
        for genre, x, y in names:
            inner.annotate(genre, (x, y), weight="bold", **look)
        taken = [(x, y, 1.2 * LETTER * (len(genre) + 2)) for genre, x, y in names]
        points = [(place.x, place.y) for place in self.places]
        labels = [f"{place.name} (far off)" if place.far else place.name for place in self.places]
        widths = [LETTER * (len(label) + 2) for label in labels]
        rooms = room_for(points, widths, 0.055, taken)
        for point, label, room in zip(points, labels, rooms, strict=True):
            inner.plot(*point, "o", color=INK, ms=5, mec="white", mew=1, clip_on=False)
            if room is not None:
                line: Any = {"arrowstyle": "-", "color": INK, "lw": 0.6, "shrinkA": 0, "shrinkB": 2}
                inner.annotate(label, point, room, arrowprops=line, bbox=halo, **look)
        if hidden := rooms.count(None):
            inner.set_title(f"{hidden} more names have no room here", fontsize=7, loc="right")

    def _save_html(self, path: Path) -> None:
        if self.content is None:
            raise UsageError(
                "A map that was read from JSON has no sounds for a page.",
                hint="groove run genre-map map --format html",
            )
        data = {
            **self.to_json(),
            "colors": colors_of(self.genres),
            "middles": middles(self.probabilities, self.genres),
            "shape": list(self.content.pictures.shape[1:]),
            "sprite": data_url("image/png", _sprite(self.content.pictures)),
            "sounds": [data_url("audio/mpeg", one) for one in self.content.sounds],
            "excerpts": [data_url("audio/mpeg", one) for one in self.content.excerpts],
        }
        del data["entropy"]  # the page computes it
        folder = resources.files("genre_map") / "page"
        whole = build_page(
            folder, title="Map of genres", scripts=["field.js", "page.js"], documents={"data": data}
        )
        write_text(path, whole)


def _sprite(pictures: npt.NDArray[np.uint8]) -> bytes:
    """Lay all spectrograms out in rows of one image of 16 levels of grey, low bands below."""
    from PIL import Image

    count, parts, n_mels, frames = pictures.shape
    across = int(np.ceil(count**0.5))
    stacked = np.zeros((across * across, parts * n_mels, frames), np.uint8)
    stacked[:count] = pictures[:, :, ::-1].reshape(count, parts * n_mels, frames) // 16 * 17
    sheet = stacked.reshape(across, across, parts * n_mels, frames).swapaxes(1, 2)
    out = io.BytesIO()
    image = Image.fromarray(sheet.reshape(across * parts * n_mels, across * frames))
    image.save(out, format="png", optimize=True)
    return out.getvalue()
