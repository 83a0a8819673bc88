"""How well genres are told: networks and a baseline, under one protocol, on songs held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch

from genre_map.pictures import LAYOUTS, LayoutName
from genre_map.songs import SongSet
from genre_map.splits import PROTOCOLS, Fold, Protocol, folds_of
from genre_map.training import (
    Settings,
    classify_songs,
    read_pictures,
    train_classifier,
)
from groove_core.console import note
from groove_core.dsp import MFCC
from groove_core.learning import bootstrap, interval, means
from groove_core.storage import Cache, write_text
from groove_core.values import Cell, Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from genre_map.model import GenreClassifier

__all__ = ["Evaluation", "cross_validate", "measure_classifier"]

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
        from groove_core.values import new_axes

        names = list(self.data["confusion"])
        first = names[0]
        folds = len(self.data["confusion"][first])
        panels = [(f"{name}, mean", self.confusion(name)) for name in names]
        if folds > 1:
            panels += [(f"{first}, fold {k + 1}", self.confusion(first, k)) for k in range(folds)]
        across = min(4, len(panels))
        down = -(-len(panels) // across)
        ax = ax or new_axes(3.4 * across + 0.6, 3.5 * down + 0.3)
        ax.set_axis_off()
        ax.set_title(self.title, fontsize=10, loc="left", pad=22)
        genres = self.data["genres"]
        for number, (title, shares) in enumerate(panels):
            line, place = divmod(number, across)
            width, height = 1 / across, 1 / down
            box = (
                place * width + 0.2 * width,
                1 - (line + 0.82) * height,
                width * 0.78,
                height * 0.74,
            )
            panel = ax.inset_axes(box)
            panel.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
            for (row, column), share in np.ndenumerate(shares):
                if share >= 0.05:
                    color = "white" if share > 0.5 else "#1d2433"
                    panel.text(
                        column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=5.5,
                        color=color,
                    )  # fmt: skip
            panel.set_title(f"{title}, %", fontsize=8)
            panel.set_xticks(range(len(genres)), genres, rotation=60, fontsize=6, ha="right")
            panel.set_yticks(range(len(genres)), genres if place == 0 else [], fontsize=6)
            panel.tick_params(length=2)
        return ax


@dataclass(frozen=True)
class _Heard:
    """What a model made of songs: mean probabilities, votes, share of windows that were right."""

    mean: Floats
    vote: npt.NDArray[np.int64]
    windows: Floats

    @classmethod
    def of(
        cls, model: GenreClassifier, logits: Sequence[torch.Tensor], labels: Sequence[int]
    ) -> _Heard:
        each = [model.probabilities(one).double().numpy() for one in logits]
        return cls(
            np.stack([one.mean(axis=0) for one in each]),
            np.array([majority(one) for one in each]),
            np.array([(one.argmax(1) == b).mean() for one, b in zip(each, labels, strict=True)]),
        )


def majority(probabilities: Floats) -> int:
    """Give the genre that most windows vote for; of equal ones the more probable."""
    votes = np.bincount(probabilities.argmax(axis=1), minlength=probabilities.shape[1])
    return int((votes + probabilities.mean(axis=0) / 2).argmax())


def cross_validate(
    songs: SongSet,
    networks: Sequence[LayoutName],
    protocol: Protocol,
    *,
    folds: int,
    only: int | None,
    settings: Settings,
    seed: int,
    device: str,
    cache: Cache | None,
) -> Evaluation:
    """Train and measure networks on folds of songs, beside a baseline and chance.

    Parameters
    ----------
    songs : SongSet
    networks : sequence of {"ours", "paper", "dong2018"}
    protocol : str
        See `genre_map.splits`.
    folds : int
    only : int, optional
        How many of the folds are trained; all when left out.
    settings : Settings
        For all networks.
    seed : int
    device : str
    cache : Cache, optional
    """
    songs, pictures = read_pictures(songs, LAYOUTS[networks[0]], cache)
    divided = folds_of(songs, protocol, folds=folds, seed=seed)[:only]
    labels = np.array(songs.labels)
    groups = _groups(songs, protocol)
    heard: dict[str, list[_Heard]] = {}
    for name in networks:
        if name != networks[0]:
            _, pictures = read_pictures(songs, LAYOUTS[name], cache)
        for number, fold in enumerate(divided):
            note(f"{name}: fold {number + 1} of {len(divided)}")
            trained = _windows_apart(fold, protocol)
            model, _ = train_classifier(
                songs, pictures, trained, replace(settings, network=name), seed=seed, device=device
            )
            logits = classify_songs(model, [pictures[i] for i in fold.test])
            truth = labels[list(fold.test)].tolist()
            heard.setdefault(name, []).append(_Heard.of(model, logits, truth))
    note("the baseline")
    statistics = _mfcc_statistics(songs, cache)
    heard["MFCC + logistic regression"] = [
        _logistic(statistics, labels, _windows_apart(fold, protocol), seed) for fold in divided
    ]
    return _evaluation(songs, divided, heard, groups, protocol, settings, folds)


def _windows_apart(fold: Fold, protocol: Protocol) -> Fold:
    """Under the protocol that only warns, learn from the songs that are measured, too."""
    if protocol != "windows":
        return fold
    return Fold((*fold.train, *fold.test), fold.validation, fold.test)


def _groups(songs: SongSet, protocol: Protocol) -> npt.NDArray[np.int64]:
    """Say what is drawn together in the bootstrap: songs of one groove or library are alike."""
    key = {"grooves": "groove", "libraries": "library", "artists": "artist"}.get(protocol, "")
    names = [song.groups.get(key, str(song.path)) for song in songs]
    return np.unique(names, return_inverse=True)[1]


def _mfcc_statistics(songs: SongSet, cache: Cache | None) -> Floats:
    """Give mean and deviation of 20 MFCC and of their slopes [shape=(songs, 80)]."""
    feature = MFCC(n_mfcc=20, deltas=1)
    rows = []
    for song in songs:
        found = feature.extract(song.path, cache=cache)
        rows.append(torch.cat([found.mean(dim=1), found.std(dim=1)]).double().numpy())
    return np.stack(rows)


def _logistic(statistics: Floats, labels: npt.NDArray[np.int64], fold: Fold, seed: int) -> _Heard:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    known = [*fold.train, *fold.validation]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, random_state=seed))
    model.fit(statistics[known], labels[known])
    mean = model.predict_proba(statistics[list(fold.test)])
    return _Heard(mean, mean.argmax(axis=1), np.full(len(mean), np.nan))


def _evaluation(
    songs: SongSet,
    divided: Sequence[Fold],
    heard: dict[str, list[_Heard]],
    groups: npt.NDArray[np.int64],
    protocol: Protocol,
    settings: Settings,
    folds: int,
) -> Evaluation:
    labels = np.array(songs.labels)
    tests = [np.array(fold.test) for fold in divided]
    truth = labels[np.concatenate(tests)]
    owner = groups[np.concatenate(tests)]
    rows: list[tuple[Cell, ...]] = []
    confusion: dict[str, Any] = {}
    for name, parts in heard.items():
        mean = np.concatenate([part.mean for part in parts])
        vote = np.concatenate([part.vote for part in parts])
        windows = np.concatenate([part.windows for part in parts])
        rows.append((name, *_cells(mean, vote, windows, truth, owner)))
        confusion[name] = [
            _counts(labels[test], part.mean.argmax(axis=1), len(songs.genres))
            for test, part in zip(tests, parts, strict=True)
        ]
    chance = max(np.bincount(truth)) / len(truth)
    rows.append(("always the most frequent", chance, chance, chance, 1 / len(songs.genres), None))
    made = f"{len(divided)} of {folds} folds" if len(divided) < folds else f"{folds} folds"
    return Evaluation(
        f"{PROTOCOLS[protocol]}: {len(truth)} songs in {made}",
        ("", *COLUMNS),
        tuple(rows),
        notes=(
            f"Learnt from {len(divided[0].train)} songs; {len(set(owner.tolist()))} groups "
            "(songs, grooves or libraries, as the protocol has them) are drawn in the bootstrap.",
            "calibration error: mean gap between how sure and how often right, in ten bins.",
            "±: the wider side of the 95 % bootstrap interval.",
        ),
        data={
            "protocol": protocol,
            "genres": list(songs.genres),
            "counts": songs.counts(),
            "epochs": settings.epochs,
            "confusion": confusion,
        },
    )


def measure_classifier(
    model: GenreClassifier, songs: SongSet, pictures: Sequence[torch.Tensor], *, name: str
) -> Evaluation:
    """Measure a trained classifier on songs that it has not learnt from."""
    number = {genre: i for i, genre in enumerate(model.genres)}
    truth = np.array([number[song.genre] for song in songs])
    heard = _Heard.of(model, classify_songs(model, pictures), truth.tolist())
    cells = _cells(heard.mean, heard.vote, heard.windows, truth, np.arange(len(truth)))
    return Evaluation(
        f"{name}: {len(songs)} songs not learnt from",
        ("", *COLUMNS),
        ((name, *cells),),
        notes=("±: the wider side of the 95 % bootstrap interval over songs.",),
        data={
            "genres": list(model.genres),
            "confusion": {name: [_counts(truth, heard.mean.argmax(axis=1), len(number))]},
        },
    )


def _counts(truth: Any, found: Any, genres: int) -> list[list[int]]:
    from sklearn.metrics import confusion_matrix

    counts: list[list[int]] = confusion_matrix(truth, found, labels=range(genres)).tolist()
    return counts


def _cells(
    mean: Floats,
    vote: npt.NDArray[np.int64],
    windows: Floats,
    truth: npt.NDArray[np.int64],
    owner: npt.NDArray[np.int64],
) -> list[Cell]:
    found = mean.argmax(axis=1)
    recall = np.zeros((len(truth), mean.shape[1]))
    recall[np.arange(len(truth)), truth] = found == truth
    present = np.zeros_like(recall)
    present[np.arange(len(truth)), truth] = 1
    accuracies = means([found == truth, vote == truth, windows], owner)
    names, number = np.unique(owner, return_inverse=True)
    per_song = bootstrap(len(names))[:, number]
    with np.errstate(invalid="ignore"):
        by_genre = interval(np.nanmean((per_song @ recall) / (per_song @ present), axis=1))
    return [*accuracies, by_genre, _calibration_error(mean, truth)]


def _calibration_error(mean: Floats, truth: npt.NDArray[np.int64]) -> float:
    sure, right = mean.max(axis=1), mean.argmax(axis=1) == truth
    bins = np.minimum((sure * 10).astype(int), 9)
    gaps = [
        abs(sure[bins == b].mean() - right[bins == b].mean()) * (bins == b).mean()
        for b in np.unique(bins)
    ]
    return float(sum(gaps))
