"""How well genres are told on songs held out; `genre_map.validation` compares networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch

from genre_map.model import GenreClassifier
from genre_map.pictures import read_pictures
from genre_map.songs import SongSet
from genre_map.splits import held_out
from groove_core.learning import about_intervals, bootstrap, interval, means
from groove_core.storage import Cache, write_text
from groove_core.values import INK, Cell, Report, panel, sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["COLUMNS", "Evaluation", "Heard", "check_classifier", "measure_classifier"]

COLUMNS = (
    "song accuracy, mean probability", "song accuracy, majority vote", "window accuracy",
    "macro recall", "calibration error",
)  # fmt: skip

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation(Report):
    """A report of accuracy, with the confusion matrices of each fold in its data."""

    kind: ClassVar[str] = "genre-evaluation"
    default_formats: ClassVar[tuple[str, ...]] = ("json", "txt", "md", "png")

    def confusion(self, name: str, fold: int | None = None) -> Floats:
        """Give a confusion matrix [shape=(genres, genres)]: rows are the truth and sum to 1.

        Parameters
        ----------
        name : str
            A row of the report.
        fold : int, optional
            The mean of all when left out.
        """
        counts = np.array(self.data["confusion"][name], np.float64)
        chosen = counts.sum(axis=0) if fold is None else counts[fold]
        share: Floats = chosen / np.maximum(1, chosen.sum(axis=1, keepdims=True))
        return share

    def table(self, name: str, fold: int | None = None) -> Report:
        """Give a confusion matrix as a table in percent: rows are the truth."""
        genres = self.data["genres"]
        shares = 100 * self.confusion(name, fold)
        rows = [(g, *(round(x) for x in row)) for g, row in zip(genres, shares, strict=True)]
        which = "mean" if fold is None else f"fold {fold + 1}"
        return Report(f"{name}, {which}, %", ("truth", *genres), tuple(rows))

    def to_text(self) -> str:
        return f"{super().to_text()}\n\n{self.table(next(iter(self.data['confusion']))).to_text()}"

    def _save_md(self, path: Path) -> None:
        parts = [f"## {self.title}", self.to_markdown(), *self.notes]
        for name, folds in self.data["confusion"].items():
            for fold in (None, *range(len(folds))):
                one = self.table(name, fold)
                parts += [f"### {one.title}", one.to_markdown()]
        write_text(path, "\n\n".join(parts) + "\n")

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the confusion matrix of each row, and of the first one by fold."""
        names = list(self.data["confusion"])
        first = names[0]
        folds = len(self.data["confusion"][first])
        panels = [(f"{name}, mean", self.confusion(name)) for name in names]
        if folds > 1:
            panels += [(f"{first}, fold {k + 1}", self.confusion(first, k)) for k in range(folds)]
        across = min(4, len(panels))
        down = -(-len(panels) // across)
        size = 3.4 * across + 0.6, 3.5 * down + 0.3
        ax = sheet(ax, *size, self.title, fontsize=10, pad=22)
        genres = self.data["genres"]
        for number, (title, shares) in enumerate(panels):
            line, place = divmod(number, across)
            box = (
                (place + 0.2) / across, 1 - (line + 0.82) / down, 0.78 / across, 0.74 / down,
            )  # fmt: skip
            inner = panel(ax, box, f"{title}, %", size=6, fontsize=8)
            inner.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
            for (row, column), share in np.ndenumerate(shares):
                if share >= 0.05:
                    inner.text(
                        column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=5.5,
                        color="white" if share > 0.5 else INK,
                    )  # fmt: skip
            inner.set_xticks(range(len(genres)), genres, rotation=60, fontsize=6, ha="right")
            inner.set_yticks(range(len(genres)), genres if place == 0 else [], fontsize=6)
        return ax


@dataclass(frozen=True)
class Heard:
    """What a model made of songs.

    Parameters
    ----------
    truth : int array [shape=(songs,)]
    mean : float array [shape=(songs, genres)]
        Mean probabilities over the windows of each song.
    vote : int array [shape=(songs,)]
        What most windows of a song vote for.
    windows : float array [shape=(songs,)]
        Share of the windows that are right.
    """

    truth: npt.NDArray[np.int64]
    mean: Floats
    vote: npt.NDArray[np.int64]
    windows: Floats

    @classmethod
    def of(
        cls, model: GenreClassifier, pictures: Sequence[torch.Tensor], labels: Sequence[int]
    ) -> Heard:
        """Let a classifier hear songs."""
        each = [model.probabilities(one).double().numpy() for one in model.classify(pictures)]
        return cls(
            np.array(labels),
            np.stack([one.mean(axis=0) for one in each]),
            np.array([majority(one) for one in each]),
            np.array([(one.argmax(1) == b).mean() for one, b in zip(each, labels, strict=True)]),
        )

    @classmethod
    def together(cls, parts: Sequence[Heard]) -> Heard:
        """Put what was made of several sets of songs together."""
        names = cls.__dataclass_fields__
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def cells(self, owner: npt.ArrayLike) -> list[Cell]:
        """Return the figures of `COLUMNS`.

        Parameters
        ----------
        owner : array [shape=(songs,)]
            Songs with one name or number are drawn together in the bootstrap.
        """
        found, songs = self.mean.argmax(axis=1), np.arange(len(self.truth))
        right, present = np.zeros_like(self.mean), np.zeros_like(self.mean)
        right[songs, self.truth], present[songs, self.truth] = found == self.truth, 1
        names, number = np.unique(owner, return_inverse=True)
        draws = bootstrap(len(names))[:, number]
        with np.errstate(invalid="ignore"):
            recall = np.nanmean((draws @ right) / (draws @ present), axis=1)
        accuracies = [found == self.truth, self.vote == self.truth, self.windows]
        return [
            *means(accuracies, owner), interval(recall), calibration_error(self.mean, self.truth)
        ]  # fmt: skip

    def confusion(self) -> list[list[int]]:
        """Count the songs of each genre (rows) that are taken for each."""
        from sklearn.metrics import confusion_matrix

        genres = range(self.mean.shape[1])
        found: list[list[int]] = confusion_matrix(
            self.truth, self.mean.argmax(axis=1), labels=genres
        ).tolist()
        return found


def majority(probabilities: Floats) -> int:
    """Return the genre that most windows vote for; of equal ones the more probable."""
    votes = np.bincount(probabilities.argmax(axis=1), minlength=probabilities.shape[1])
    return int((votes + probabilities.mean(axis=0) / 2).argmax())


def calibration_error(mean: Floats, truth: npt.NDArray[np.int64]) -> float:
    """Return the mean gap between how sure and how often right, in ten bins."""
    sure, right = mean.max(axis=1), mean.argmax(axis=1) == truth
    bins = np.minimum((sure * 10).astype(int), 9)
    gaps = [
        abs(sure[bins == b].mean() - right[bins == b].mean()) * (bins == b).mean()
        for b in np.unique(bins)
    ]
    return float(sum(gaps))


def measure_classifier(
    model: GenreClassifier, pictures: Sequence[torch.Tensor], labels: Sequence[int], *, name: str
) -> Evaluation:
    """Measure a trained classifier on songs that it has not learnt from."""
    heard = Heard.of(model, pictures, labels)
    return Evaluation(
        f"{name}: {len(labels)} songs not learnt from",
        ("", *COLUMNS),
        ((name, *heard.cells(np.arange(len(labels)))),),
        notes=(about_intervals("songs"),),
        data={"genres": list(model.genres), "confusion": {name: [heard.confusion()]}},
    )


def check_classifier(songs: SongSet, model: GenreClassifier, card: Mapping[str, Any]) -> Evaluation:
    """Measure a classifier on the songs of a collection that it has not learnt from.

    Raises
    ------
    InputError
        If it learnt from all of them, or a song is of a genre that it does not know.
    """
    songs, pictures = read_pictures(songs, model.layout, Cache())
    test = held_out(songs, model.genres, card)
    labels = [model.genres.index(songs.songs[i].genre) for i in test]
    return measure_classifier(model, [pictures[i] for i in test], labels, name=card["name"])
