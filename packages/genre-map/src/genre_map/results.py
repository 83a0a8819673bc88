"""What the actions give: classified songs, generated pictures, borders, maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from groove_core.values import INK, PALETTE, Record, SoundRecord, new_axes, panel, sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "MARKED", "Border", "Explanation", "Genres", "Picture", "colors_of", "stops_at", "undecided",
]  # fmt: skip

Floats = npt.NDArray[np.float64]
COLORS = (
    "#56B4E9", "#F0E442", "#E69F00", "#CC79A7", "#009E73", "#0072B2", "#444444", "#F7A6C4",
    "#7FB800", "#D55E00",
)  # fmt: skip
"""Okabe and Ito's palette with three more; names stand beside colours wherever they are used."""


def colors_of(genres: Sequence[str]) -> list[str]:
    """Give each genre its colour."""
    return [COLORS[i % len(COLORS)] for i in range(len(genres))]


def undecided(probabilities: Floats) -> Floats:
    """Return the entropy of probabilities [shape=(..., genres)]: 0 is sure, 1 is no idea."""
    p = probabilities.clip(1e-9)
    found: Floats = -(p * np.log(p)).sum(axis=-1) / np.log(p.shape[-1])
    return found


def stops_at(steps: int, count: int) -> npt.NDArray[np.int64]:
    """Return which of the steps of a path, ends included, are its stops [shape=(count,)]."""
    return np.linspace(0, steps - 1, count).round().astype(np.int64)


def _top(genres: Sequence[str], probabilities: Floats, count: int = 3) -> str:
    order = np.argsort(-probabilities, kind="stable")[:count]
    return ", ".join(f"{genres[i]} {probabilities[i]:.0%}" for i in order)


@dataclass(frozen=True, eq=False, repr=False)
class Genres(Record):
    """The genre of a song, as a whole and from window to window.

    Parameters
    ----------
    name : str
    genres : sequence of str
    windows : float array [shape=(n, genres)]
        Calibrated probabilities of windows that overlap by half.
    step_s, window_s : float [seconds]
    """

    kind: ClassVar[str] = "genres"
    default_formats: ClassVar[tuple[str, ...]] = ("json", "txt", "png")
    keys = "name genre vote entropy probabilities genres step_s window_s windows"
    digits: ClassVar = {"windows": 4}

    name: str
    genres: tuple[str, ...]
    windows: Floats
    step_s: float
    window_s: float

    @property
    def probabilities(self) -> Floats:
        """Mean probabilities of the whole song [shape=(genres,)]."""
        mean: Floats = self.windows.mean(axis=0)
        return mean

    @property
    def genre(self) -> str:
        """The most probable genre."""
        return self.genres[int(self.probabilities.argmax())]

    @property
    def vote(self) -> str:
        """The genre that most windows vote for."""
        from genre_map.evaluation import majority

        return self.genres[majority(self.windows)]

    @property
    def entropy(self) -> float:
        """How undecided it is: 0 is sure, 1 is no idea."""
        return float(undecided(self.probabilities))

    def to_json(self) -> dict[str, Any]:
        named = dict(zip(self.genres, self.probabilities.tolist(), strict=True))
        return {**super().to_json(), "probabilities": named}

    def to_text(self) -> str:
        vote = "" if self.vote == self.genre else f"; most windows: {self.vote}"
        unsure = " (undecided)" if self.entropy > 0.8 else ""
        return f"{self.name}: {_top(self.genres, self.probabilities)}{vote}{unsure}"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the probabilities along the song, on top of each other."""
        ax = ax or new_axes(9, 3.2)
        middle = self.window_s / 2 + self.step_s * np.arange(len(self.windows))
        if len(middle) == 1:
            middle, shares = np.array([0.0, self.window_s]), self.windows.repeat(2, axis=0)
        else:
            shares = self.windows
        ax.stackplot(middle, shares.T, colors=colors_of(self.genres), lw=0)
        edge = 0.06 * (middle[-1] - middle[0])
        inside = (middle >= middle[0] + edge) & (middle <= middle[-1] - edge)
        inside = inside if inside.any() else np.ones(len(middle), bool)
        for number, (genre, share) in enumerate(zip(self.genres, shares.T, strict=True)):
            place = int(np.where(inside, share, -1).argmax())
            if share[place] > 0.12:
                at = float(shares[place, :number].sum() + share[place] / 2)
                ax.annotate(genre, (middle[place], at), fontsize=8, ha="center", va="center")
        ax.set(xlim=(middle[0], middle[-1]), ylim=(0, 1), xlabel="seconds", ylabel="probability")
        ax.set_title(self.to_text(), fontsize=9, loc="left")
        return ax


@dataclass(frozen=True, eq=False, repr=False)
class Picture(SoundRecord):
    """A generated spectrogram, which can be heard.

    Parameters
    ----------
    picture : float array [shape=(parts, n_mels, frames), 0 to 1]
    genres : sequence of str
    probabilities : float array [shape=(genres,)]
        What the classifier makes of it.
    critic : float
        How real the critic finds it; higher is more so.
    noise : float array [shape=(128,)]
    step_s : float [seconds]
        Of a frame.
    heard : float array [shape=(genres,)]
        What the classifier makes of the sound; empty in documents of earlier versions.
    sound : Audio
    """

    kind: ClassVar[str] = "genre-picture"
    default_formats: ClassVar[tuple[str, ...]] = ("json", "png", "wav")
    keys = "genres probabilities heard critic step_s noise picture"
    digits: ClassVar = {"picture": 3, "probabilities": 4, "heard": 4, "noise": 5}

    picture: Floats
    genres: tuple[str, ...]
    probabilities: Floats
    critic: float
    noise: Floats
    step_s: float
    heard: Floats = field(default_factory=lambda: np.zeros(0))

    def to_text(self) -> str:
        sound = f"; its sound: {_top(self.genres, self.heard, 1)}" if len(self.heard) else ""
        return f"{_top(self.genres, self.probabilities)}{sound}; critic {self.critic:+.2f}"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the harmonic and the percussive part."""
        ax = sheet(ax, 7, 3.4, self.to_text())
        for number, (part, name) in enumerate(
            zip(self.picture, ("harmonic", "percussive"), strict=False)
        ):
            inner = panel(ax, (0.52 * number, 0.06, 0.46, 0.94), name)
            duration_s = self.step_s * part.shape[1]
            extent = (0.0, duration_s, 0.0, float(part.shape[0]))
            inner.imshow(part, origin="lower", aspect="auto", cmap="magma", extent=extent)
            inner.set_xlabel("seconds", fontsize=8)
        return ax


@dataclass(frozen=True, eq=False, repr=False)
class Border(SoundRecord):
    """A path from one genre to another, and where the first becomes the second.

    Parameters
    ----------
    start, end : str
        The two genres.
    genres : sequence of str
    probabilities : float array [shape=(steps, genres)]
    critic : float array [shape=(steps,)]
    crossings : sequence of float
        Where the two are equally probable, 0 to 1 of the way.
    stops : float array [shape=(n, parts, n_mels, frames), 0 to 1]
        Spectrograms of stops at equal distances along the path.
    heard : float array [shape=(n, genres)]
        What the classifier makes of the sounds of the stops; empty in documents of earlier
        versions.
    sound : Audio
        Of the stops, one after the other.
    """

    kind: ClassVar[str] = "genre-border"
    default_formats: ClassVar[tuple[str, ...]] = ("json", "png", "wav")
    keys = "start end genres crossings largest_jump probabilities critic stops kept heard"
    digits: ClassVar = {"probabilities": 4, "critic": 4, "crossings": 4, "stops": 2, "heard": 4}

    start: str
    end: str
    genres: tuple[str, ...]
    probabilities: Floats
    critic: Floats
    crossings: tuple[float, ...]
    stops: Floats
    heard: Floats = field(default_factory=lambda: np.zeros((0, 0)))

    @property
    def at(self) -> npt.NDArray[np.int64]:
        """The steps of the path at which the stops are [shape=(n,)]."""
        return stops_at(len(self.probabilities), len(self.stops))

    @property
    def kept(self) -> int | None:
        """The number of stops whose sound is of the genre of its spectrogram, if known."""
        if not len(self.heard):
            return None
        pictured = self.probabilities[self.at].argmax(axis=1)
        return int((self.heard.argmax(axis=1) == pictured).sum())

    @property
    def largest_jump(self) -> float:
        """The largest change of any genre's probability between two neighbouring steps."""
        return float(np.abs(np.diff(self.probabilities, axis=0)).max(initial=0.0))

    def to_text(self) -> str:
        where = " and ".join(f"{x:.0%}" for x in self.crossings) or "nowhere"
        kept = (
            "" if self.kept is None else f"; {self.kept} of {len(self.stops)} sounds keep the genre"
        )
        return (
            f"{self.start} to {self.end}: equally probable at {where} of the way; largest change "
            f"from step to step {self.largest_jump:.3f}{kept}"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the curves of probability over the spectrograms, and what is heard as dots."""
        ax = sheet(ax, 9, 4.6, self.to_text())
        curves = panel(ax, (0, 0.42, 1, 0.56))
        way = np.linspace(0, 1, len(self.probabilities))
        for genre, color, curve in zip(
            self.genres, colors_of(self.genres), self.probabilities.T, strict=True
        ):
            named = genre in (self.start, self.end)
            if curve.max() < 0.05:
                continue
            curves.plot(way, curve, color=color, lw=2.5 if named else 1.2)
            if named and len(self.heard):
                heard = self.heard[:, self.genres.index(genre)]
                curves.plot(way[self.at], heard, "o", color=color, mec=INK, mew=0.8, ms=6)
            peak = int(curve.argmax())
            curves.annotate(
                genre, (way[peak], curve[peak]), fontsize=8, color=INK, ha="center", va="bottom",
                weight="bold" if named else "normal", annotation_clip=False,
            )  # fmt: skip
        for x in self.crossings:
            curves.axvline(x, color=INK, lw=0.8, ls=":")
        curves.set(xlim=(0, 1), ylim=(0, 1.08), ylabel="probability")
        count = len(self.stops)
        for number, stop in enumerate(self.stops):
            inner = panel(ax, (number / count + 0.004, 0.0, 1 / count - 0.008, 0.34))
            inner.imshow(
                np.concatenate(stop, axis=0), origin="lower", aspect="auto", cmap="magma",
                vmin=0, vmax=1,
            )  # fmt: skip
            inner.set(xticks=[], yticks=[])
        return ax


MARKED = 0.2
"""Share of a picture that is marked: the fifth that speaks most."""
SHOWN_S = 24.0
"""A longer explanation is drawn around the seconds that speak most."""


@dataclass(frozen=True, eq=False, repr=False)
class Explanation(SoundRecord):
    """A spectrogram with what speaks for a genre marked, and that part alone to listen to.

    Parameters
    ----------
    name : str
        Of the sound.
    genre : str
    probability : float
        Of the genre, for the whole sound.
    picture : float array [shape=(parts, n_mels, frames), 0 to 1]
    heat : float array [shape=(rows, columns), 0 to 1]
        How much each cell speaks for the genre, over the whole picture.
    step_s : float
        From one frame of the picture to the next.
    sound : Audio
        The marked part alone.
    """

    kind: ClassVar[str] = "genre-explanation"
    default_formats: ClassVar[tuple[str, ...]] = ("json", "png", "wav")
    keys = "name genre probability step_s seconds heat picture"
    digits: ClassVar = {"picture": 3, "heat": 3}

    name: str
    genre: str
    probability: float
    picture: Floats
    heat: Floats
    step_s: float

    def seconds(self) -> list[dict[str, Any]]:
        """Give the seconds that speak most for the genre, the best first, and their share."""
        column_s = self.step_s * self.picture.shape[2] / self.heat.shape[1]
        per_second = max(1, round(1 / column_s))
        along = self.heat.mean(axis=0)
        starts = range(0, len(along), per_second)
        sums = np.array([along[a : a + per_second].sum() for a in starts])
        share = sums / max(1e-9, float(sums.sum()))
        order = np.argsort(-share, kind="stable")
        return [
            {"start_s": round(i * per_second * column_s, 2), "share": float(share[i])}
            for i in order
        ]

    def to_text(self) -> str:
        best = ", ".join(
            f"{one['start_s']:.0f} s ({one['share']:.0%})" for one in self.seconds()[:5]
        )
        return f"{self.name}: {self.genre} {self.probability:.0%}\nspeaks most at {best}"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw both parts of the spectrogram; what does not speak for the genre is pale."""
        import torch
        from torch.nn.functional import interpolate

        duration_s = self.picture.shape[2] * self.step_s
        start_s = 0.0
        if duration_s > SHOWN_S:
            along = self.heat.mean(axis=0)
            per = max(1, round(SHOWN_S / duration_s * len(along)))
            best = int(np.convolve(along, np.ones(per), "valid").argmax())
            start_s = best / len(along) * duration_s
        end_s = min(duration_s, start_s + SHOWN_S)
        first, last = (round(t / self.step_s) for t in (start_s, end_s))
        names = ("harmonic", "percussive") if len(self.picture) == 2 else ("mel",)
        title = f"{self.name}: what speaks for {self.genre} ({self.probability:.0%})"
        ax = sheet(ax, 10, 1 + 2.3 * len(names), title, fontsize=10)
        wide = interpolate(
            torch.tensor(self.heat)[None, None], size=self.picture.shape[1:],
            mode="bilinear", align_corners=False,
        )[0, 0].numpy()  # fmt: skip
        edge = float(np.quantile(wide, 1 - MARKED))
        extent = (start_s, end_s, 0, self.picture.shape[1])
        for number, name in enumerate(names):
            height = 1 / len(names)
            inner = panel(ax, (0, 1 - (number + 1) * height + 0.06, 1, height - 0.1))
            part, heat = self.picture[number, :, first:last], wide[:, first:last]
            inner.imshow(
                part, origin="lower", aspect="auto", cmap="gray_r", extent=extent, vmin=0, vmax=1
            )
            clear = np.zeros((*heat.shape, 4))
            clear[..., :3] = (0.84, 0.37, 0.0)
            clear[..., 3] = 0.55 * np.clip(heat / max(1e-9, float(wide.max())), 0, 1) ** 0.7
            inner.imshow(clear, origin="lower", aspect="auto", extent=extent)
            line: dict[str, Any] = {"colors": PALETTE[1], "linewidths": 0.8, "origin": "lower"}
            inner.contour(heat, levels=[edge], extent=extent, **line)
            inner.set_ylabel(f"{name}\nmel band", fontsize=8)
            if number + 1 < len(names):
                inner.set_xticklabels([])
            else:
                inner.set_xlabel("seconds", fontsize=8)
        return ax
