"""Networks and a baseline under one protocol: trained anew on each fold, measured on the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from genre_map.evaluation import COLUMNS, Evaluation, Heard
from genre_map.pictures import LAYOUTS, Layout, LayoutName, Pictures, read_pictures
from genre_map.songs import SongSet
from genre_map.splits import PROTOCOLS, Divided, Fold, Protocol, folds_of, groups_of
from genre_map.training import GenreTraining, Settings
from groove_core.console import note
from groove_core.dsp import MFCC
from groove_core.learning import Run, trained
from groove_core.storage import Cache
from groove_core.values import Cell

__all__ = ["BASELINE", "cross_validate", "logistic", "mfcc_statistics", "windows_apart"]

BASELINE = "MFCC + logistic regression"
SONG, START = "song", "start"
"""Groups of a window that is taken for a song: its song, and its first sample."""

Floats = npt.NDArray[np.float64]


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
    heard: dict[str, list[Heard]] = {}
    for name in networks:
        known, pictures = read_pictures(songs, LAYOUTS[name], cache)
        if protocol == "windows":
            known, pictures = windows_apart(known, pictures, LAYOUTS[name])
        divided = folds_of(known, protocol, folds=folds, seed=seed)[:only]
        heard[name] = []
        for number, fold in enumerate(divided):
            note(f"{name}: fold {number + 1} of {len(divided)}")
            data = Divided(known, pictures, fold)
            run = Run(seed, device)
            model = trained(GenreTraining, replace(settings, network=name), data, run).model
            heard[name].append(Heard.of(model, *data.part("test")))
    note("the baseline")
    statistics, labels = mfcc_statistics(known, cache), np.array(known.labels)
    heard[BASELINE] = [logistic(statistics, labels, fold, seed) for fold in divided]
    tests = np.concatenate([fold.test for fold in divided])
    truth, owner = labels[tests], np.array(_drawn_together(known, protocol))[tests]
    rows: list[tuple[Cell, ...]] = [
        (name, *Heard.together(parts).cells(owner)) for name, parts in heard.items()
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
            "confusion": {
                name: [part.confusion() for part in parts] for name, parts in heard.items()
            },
        },
    )


def windows_apart(songs: SongSet, pictures: Pictures, layout: Layout) -> tuple[SongSet, Pictures]:
    """Make a song of each window, so that a split puts windows of one song on both sides.

    This is the mistake of much of the literature: neighbouring windows overlap by half, and
    what is measured is how well songs are remembered.
    """
    apart, windows = [], []
    for song, name, picture in zip(songs, songs.groups, pictures, strict=True):
        for number in range(1 + (picture.shape[-1] - layout.frames) // (layout.frames // 2)):
            start = number * (layout.frames // 2)
            groups = {**song.groups, SONG: name, START: str(start * layout.hop_samples)}
            apart.append(replace(song, groups=groups, name=f"{name} window {number}"))
            windows.append(picture[..., start : start + layout.frames])
    return SongSet(songs.kind, tuple(apart)), windows


def _drawn_together(songs: SongSet, protocol: Protocol) -> list[str]:
    """Name what is drawn as one in the bootstrap: the group of a song, the song of a window."""
    if protocol == "windows":
        return [song.groups[SONG] for song in songs]
    return groups_of(songs, protocol)


def mfcc_statistics(songs: SongSet, cache: Cache | None) -> Floats:
    """Return mean and deviation of 20 MFCC and of their slopes [shape=(songs, 80)]."""
    feature = MFCC(n_mfcc=20, deltas=1)
    length = round(LAYOUTS["ours"].window_s * feature.sample_rate / feature.hop_samples)
    rows = []
    for song in songs:
        found = feature.extract(song.path, cache=cache)
        if START in song.groups:
            first = int(song.groups[START]) // feature.hop_samples
            found = found[:, first : first + length]
        rows.append(torch.cat([found.mean(dim=1), found.std(dim=1)]).double().numpy())
    return np.stack(rows)


def logistic(statistics: Floats, labels: npt.NDArray[np.int64], fold: Fold, seed: int) -> Heard:
    """Return what a logistic regression makes of the songs that a fold measures on."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    known = [*fold.train, *fold.validation]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, random_state=seed))
    model.fit(statistics[known], labels[known])
    test = list(fold.test)
    mean = model.predict_proba(statistics[test])
    return Heard(labels[test], mean, mean.argmax(axis=1), np.full(len(mean), np.nan))
