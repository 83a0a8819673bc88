"""Networks and a baseline under one protocol: trained anew on each fold, measured on the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from genre_map.evaluation import COLUMNS, Evaluation, Heard
from genre_map.pictures import LAYOUTS, LayoutName, read_pictures
from genre_map.songs import SongSet
from genre_map.splits import PROTOCOLS, Divided, Fold, Protocol, folds_of, groups_of
from genre_map.training import GenreTraining, Settings
from groove_core.console import note
from groove_core.dsp import MFCC
from groove_core.learning import Run, trained
from groove_core.storage import Cache
from groove_core.values import Cell

__all__ = ["cross_validate"]

BASELINE = "MFCC + logistic regression"

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
    songs, pictures = read_pictures(songs, LAYOUTS[networks[0]], cache)
    divided = folds_of(songs, protocol, folds=folds, seed=seed)[:only]
    heard: dict[str, list[Heard]] = {}
    for name in networks:
        if name != networks[0]:
            _, pictures = read_pictures(songs, LAYOUTS[name], cache)
        heard[name] = []
        for number, fold in enumerate(divided):
            note(f"{name}: fold {number + 1} of {len(divided)}")
            data = Divided(songs, pictures, _windows_apart(fold, protocol))
            run = Run(seed, device)
            model = trained(GenreTraining, replace(settings, network=name), data, run).model
            heard[name].append(Heard.of(model, *data.part("test")))
    note("the baseline")
    statistics, labels = _mfcc_statistics(songs, cache), np.array(songs.labels)
    heard[BASELINE] = [
        _logistic(statistics, labels, _windows_apart(fold, protocol), seed) for fold in divided
    ]
    tests = np.concatenate([fold.test for fold in divided])
    truth, owner = labels[tests], np.array(groups_of(songs, protocol))[tests]
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


def _windows_apart(fold: Fold, protocol: Protocol) -> Fold:
    """Under the protocol that only warns, learn from the songs that are measured, too."""
    if protocol != "windows":
        return fold
    return Fold((*fold.train, *fold.test), fold.validation, fold.test)


def _mfcc_statistics(songs: SongSet, cache: Cache | None) -> Floats:
    """Give mean and deviation of 20 MFCC and of their slopes [shape=(songs, 80)]."""
    feature = MFCC(n_mfcc=20, deltas=1)
    rows = []
    for song in songs:
        found = feature.extract(song.path, cache=cache)
        rows.append(torch.cat([found.mean(dim=1), found.std(dim=1)]).double().numpy())
    return np.stack(rows)


def _logistic(statistics: Floats, labels: npt.NDArray[np.int64], fold: Fold, seed: int) -> Heard:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    known = [*fold.train, *fold.validation]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, random_state=seed))
    model.fit(statistics[known], labels[known])
    test = list(fold.test)
    mean = model.predict_proba(statistics[test])
    return Heard(labels[test], mean, mean.argmax(axis=1), np.full(len(mean), np.nan))
