"""What the actions give: curves over a song, recommendations with their reasons, filters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from groove_core.console import displayed
from groove_core.storage import printable, write_text
from groove_core.values import SoundRecord
from music_recsys.windows import STEP_S, WINDOW_S

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Curve", "Filters", "Recommendation", "Recommendations", "Unit"]

Floats = npt.NDArray[np.float64]


def clock(second: float) -> str:
    """Write seconds as minutes and seconds.

    >>> clock(125)
    '2:05'
    """
    return f"{int(second) // 60}:{int(second) % 60:02d}"


@dataclass(frozen=True, eq=False, repr=False)
class Curve(SoundRecord):
    """How well each second of a song is liked.

    Parameters
    ----------
    name : str
        Of the song.
    probability : float
        That the song is liked.
    scores, deviations : float array [shape=(passages,), before the logistic function]
        Of the eight seconds that begin at each second, and how sure that is.
    sound : Audio
        The best passage.
    """

    kind: ClassVar[str] = "liking-curve"
    default_formats: ClassVar[tuple[str, ...]] = ("json", "txt", "png", "wav")
    keys = "name probability best_s step_s window_s scores deviations"
    digits: ClassVar = {"scores": 4, "deviations": 4}
    step_s: ClassVar[int] = STEP_S
    window_s: ClassVar[int] = WINDOW_S

    name: str
    probability: float
    scores: Floats
    deviations: Floats

    @property
    def best_s(self) -> int:
        """Second at which the best passage begins."""
        return int(self.scores.argmax()) * STEP_S

    def to_text(self) -> str:
        return (
            f"{self.name}: {self.probability:.0%} likely to be liked, most from "
            f"{clock(self.best_s)} to {clock(self.best_s + WINDOW_S)}"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the curve with its doubt, and mark the best passage."""
        from groove_core.values import new_axes

        ax = ax or new_axes(9, 2.8)
        draw_curve(ax, self.scores, self.deviations)
        ax.set_title(self.to_text(), fontsize=9, loc="left")
        ax.set_ylabel("score")
        ax.set_xlabel("seconds")
        return ax


def draw_curve(ax: Axes, scores: Floats, deviations: Floats) -> None:
    """Draw scores of passages over the seconds of their middles."""
    from groove_core.values import INK, PALETTE

    middle = np.arange(len(scores)) * STEP_S + WINDOW_S / 2
    best = int(scores.argmax()) * STEP_S
    ax.axvspan(best, best + WINDOW_S, color=PALETTE[1], alpha=0.25, lw=0)
    ax.fill_between(middle, scores - deviations, scores + deviations, color=PALETTE[0], alpha=0.2)
    ax.plot(middle, scores, color=INK, lw=1.2, marker="." if len(scores) < 3 else "")
    ax.axhline(0, color="0.6", lw=0.6)
    ax.set_xlim(0, (len(scores) - 1) * STEP_S + WINDOW_S)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One song of a list, and why it is there.

    Parameters
    ----------
    path : str
    probability : float
        That it is liked, doubt included.
    score, deviation : float
        Before the logistic function.
    best_s : int
        Second at which its best passage begins; -1 where only the song as a whole is known.
    like : str
        The liked song whose passage sounds most like it; empty where nothing is liked.
    like_s : int
    similarity : float
        Cosine.
    curve, deviations : sequence of float
        Of its seconds.
    """

    keys: ClassVar[str] = (
        "why path probability score deviation best_s like like_s similarity curve deviations"
    )

    path: str
    probability: float
    score: float
    deviation: float
    best_s: int = -1
    like: str = ""
    like_s: int = 0
    similarity: float = 0.0
    curve: Sequence[float] = ()
    deviations: Sequence[float] = ()

    @property
    def name(self) -> str:
        """Name of the file, as it is shown."""
        return printable(Path(self.path).name)

    @property
    def why(self) -> str:
        """Say why it is there."""
        if self.best_s < 0:
            return "as a whole"
        passage = f"best from {clock(self.best_s)}"
        if not self.like:
            return passage
        return f"{passage}, which sounds like {self.like} at {clock(self.like_s)}"


@dataclass(frozen=True, eq=False, repr=False)
class Recommendations(SoundRecord):
    """Songs to listen to, the first first.

    Parameters
    ----------
    listener : str
        Name of the profile.
    songs : sequence of Recommendation
    ratings : int
        That the listener gave.
    looked_at : int
        Songs that there were.
    sound : Audio
        The best passage of each, one after the other.
    """

    kind: ClassVar[str] = "recommendations"
    default_formats: ClassVar[tuple[str, ...]] = ("json", "txt", "m3u8", "png", "wav")
    keys = "listener ratings looked_at songs"

    listener: str
    songs: tuple[Recommendation, ...]
    ratings: int
    looked_at: int

    def to_text(self) -> str:
        width = max((len(song.name) for song in self.songs), default=0)
        lines = [
            f"{number:3d}  {song.name.ljust(width)}  {song.probability:4.0%}  {song.why}"
            for number, song in enumerate(self.songs, 1)
        ]
        learnt = f"{self.ratings} rating{'s' if self.ratings != 1 else ''}"
        return "\n".join(
            [f"for {self.listener}, from {learnt} and {self.looked_at} songs:", *lines]
        )

    def _repr_html_(self) -> str:
        from html import escape

        rows = "".join(
            f"<tr><td>{escape(s.name)}</td><td>{s.probability:.0%}</td><td>{escape(s.why)}</td></tr>"
            for s in self.songs
        )
        return f"<table>{rows}</table>"

    def _save_m3u8(self, target: Path) -> None:
        lines = ["#EXTM3U"]
        for song in self.songs:
            # Players read one line of UTF-8 a song; any other name goes as an address.
            path = Path(song.path).absolute()  # one that begins with "#" would be a comment
            where = str(path) if str(path) == displayed(printable(path)) else path.as_uri()
            lines += [f"#EXTINF:-1,{displayed(' '.join(song.name.split()))}", where]
        write_text(target, "\n".join(lines) + "\n")

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the curve of each song, with its best passage."""
        from groove_core.values import panel, sheet

        shown = self.songs[:12]
        ax = sheet(ax, 9, 0.6 + 1.1 * len(shown), "")
        for number, song in enumerate(shown):
            height = 1 / len(shown)
            box = (0.03, 1 - (number + 0.85) * height, 0.96, height * 0.55)
            title = f"{number + 1}  {song.name}  {song.probability:.0%}  {song.why}"
            inner = panel(ax, box, title, size=6, loc="left", pad=2)
            if song.curve:
                draw_curve(inner, np.array(song.curve), np.array(song.deviations))
            else:
                inner.set_axis_off()
        return ax


@dataclass(frozen=True, slots=True)
class Unit:
    """A filter of the last convolution.

    Parameters
    ----------
    number : int
    shape : list of list of float [rows x columns]
        How its response depends on what it hears.
    song : str
        The sound that moves it most.
    second : float
        Where in it.
    """

    keys: ClassVar[str] = "number song second shape"

    number: int
    shape: list[list[float]]
    song: str
    second: float


@dataclass(frozen=True, eq=False, repr=False)
class Filters(SoundRecord):
    """Filters of the last convolution: their shapes, and the excerpts that move them most."""

    kind: ClassVar[str] = "filters"
    default_formats: ClassVar[tuple[str, ...]] = ("json", "txt", "png", "wav")

    model: str
    rows: str
    """What the rows of shapes are."""
    units: tuple[Unit, ...]

    def to_text(self) -> str:
        lines = [f"filter {u.number:3d}  {clock(u.second)}  {u.song}" for u in self.units]
        return "\n".join([f"{self.model}: what moves its filters most", *lines])

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the shape of each filter: red raises its response, blue lowers it."""
        from groove_core.values import panel, sheet
        from music_recsys.features import PER_SECOND
        from music_recsys.model import FIELDS

        across = min(6, max(1, len(self.units)))
        down = -(-len(self.units) // across)
        title = f"{self.model}: {self.rows} over {FIELDS[-1] / PER_SECOND:.2f} s"
        ax = sheet(ax, 1.7 * across, 0.5 + 1.7 * down, title, pad=16)
        for index, unit in enumerate(self.units):
            line, place = divmod(index, across)
            box = (place / across + 0.01, 1 - (line + 0.9) / down, 0.92 / across, 0.74 / down)
            name = f"{unit.number}: {unit.song[:14]} {clock(unit.second)}"
            inner = panel(ax, box, name, fontsize=6, pad=2)
            shape = np.array(unit.shape)
            most = float(np.abs(shape).max()) or 1.0
            inner.imshow(shape, origin="lower", aspect="auto", cmap="RdBu_r", vmin=-most, vmax=most)
            inner.set(xticks=[], yticks=[])
        return ax
