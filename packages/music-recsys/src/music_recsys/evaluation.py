"""How few ratings find a known taste in songs that are new, and by which part of a front end.

Every way of hearing is given the same ratings and the same songs to rank. Intervals are of a
bootstrap over listeners and, for each of them, over the families of the songs that are ranked:
songs of one groove are alike, and listeners of one corpus share their songs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from groove_core.console import track
from groove_core.errors import InputError
from groove_core.learning import bootstrap, interval, mean
from groove_core.storage import Cache
from groove_core.values import Cell, Estimate, Report
from music_recsys.hearing import BASELINE, RANDOM, UNTRAINED, Hear, Material, compared, parts
from music_recsys.listeners import Listener, choose, listeners, ndcg
from music_recsys.model import PassageNet
from music_recsys.songs import Song, SongSet
from music_recsys.taste import Pooling, learn_taste

__all__ = [
    "COUNTS", "OVER", "SHOWN", "Ranked", "Trials", "measure_labels", "measure_parts",
    "measure_tastes", "tried",
]  # fmt: skip

Floats = npt.NDArray[np.float64]
Chosen = npt.NDArray[np.bool_]
COUNTS = (5, 20, 100)
"""Ratings."""
SHOWN = 20
"""Ratings after which ways of hearing are compared."""
DRAWS = 5
"""Of songs that are rated, for each listener."""
MEASURES = ("AUC", "NDCG@10")
ROUNDS = 1000
OVER = "±: the wider side of the 95 % bootstrap interval over listeners and, of the songs that "
OVER += "are ranked, over grooves and pieces."


@dataclass(frozen=True, slots=True)
class Ranked:
    """How one way of hearing ranked a listener's songs, the mean over draws of ratings."""

    won: Floats
    """Share of draws in which a liked song is above another [shape=(liked, others)]."""
    ndcg: float


@dataclass
class Trial:
    """A listener, and how each way of hearing ranked their songs.

    Parameters
    ----------
    kind, value : str
        With the name of the song set: ``corpus: genre``.
    one : Listener
    songs : sequence of Song
    ranked : dict of Ranked
        By way of hearing and number of ratings.
    """

    kind: str
    one: Listener
    songs: Sequence[Song]
    ranked: dict[tuple[str, int], Ranked] = field(default_factory=dict)

    def areas(self, key: tuple[str, int], weights: Mapping[str, Floats]) -> Floats:
        """Return the area under the ROC curve in each round of a bootstrap.

        Parameters
        ----------
        key : tuple of str and int
        weights : dict of float arrays [shape=(rounds,)]
            How often each family is drawn.

        Returns
        -------
        float array [shape=(rounds,)]
            NaN where nothing liked was drawn, or nothing else.
        """
        likes = self.one.likes(self.songs)
        often = np.stack([weights[self.songs[i].family] for i in self.one.ranked], axis=1)
        liked, others = often[:, likes], often[:, ~likes]
        with np.errstate(invalid="ignore"):
            found: Floats = ((liked @ self.ranked[key].won) * others).sum(axis=1) / (
                liked.sum(axis=1) * others.sum(axis=1)
            )
        return found


class Trials:
    """All listeners, and the rounds of their bootstrap.

    Parameters
    ----------
    trials : sequence of Trial
    listeners, families : int
        How many times as many of each are drawn: what the intervals would be, had there been so
        many like these.
    """

    def __init__(self, trials: Sequence[Trial], *, listeners: int = 1, families: int = 1) -> None:
        self.trials = trials
        names = sorted({song.family for one in trials for song in one.songs})
        drawn = _drawn(len(names) + 1, families)[:, :-1]  # one more: not those of listeners
        self.weights = dict(zip(names, drawn.T, strict=True))
        self.listeners = _drawn(len(trials), listeners)
        self._areas: dict[tuple[str, int], Floats] = {}

    def rounds(
        self, method: str, count: int, chosen: npt.NDArray[np.bool_] | None = None
    ) -> Floats:
        """Return the mean area over listeners in each round [shape=(1 + rounds,)]."""
        key = (method, count)
        if key not in self._areas:
            self._areas[key] = np.stack([one.areas(key, self.weights) for one in self.trials], 1)
        areas = self._areas[key]
        weights = self.listeners * np.isfinite(areas)
        if chosen is not None:
            weights = weights * chosen
        with np.errstate(invalid="ignore"):
            found: Floats = (np.nan_to_num(areas) * weights).sum(axis=1) / weights.sum(axis=1)
        return found

    def gain(self, ours: str, other: str, count: int, chosen: Chosen | None = None) -> Estimate:
        """Return by how much one way of hearing is better, in the same rounds."""
        return interval(self.rounds(ours, count, chosen) - self.rounds(other, count, chosen))

    def ndcg(self, method: str, count: int) -> list[float]:
        """Return the gain of the first ten of each listener."""
        return [one.ranked[method, count].ndcg for one in self.trials]


def _drawn(n: int, times: int) -> Floats:
    """Return how often each of n things is drawn, where so many times n are [see `bootstrap`]."""
    found: Floats = bootstrap(times * n, ROUNDS).reshape(-1, times, n).sum(axis=1)
    return found


def tried(
    sets: Sequence[SongSet],
    ways: Callable[[Material], dict[str, Hear]],
    counts: Sequence[int],
    pooling: Pooling,
    seed: int,
    cache: Cache | None,
) -> Trials:
    """Let every way of hearing find every taste.

    Raises
    ------
    InputError
        If no listener has songs enough.
    """
    trials: list[Trial] = []
    for songs in sets:
        material = Material(songs, cache)
        here = [
            Trial(f"{songs.name}: {one.kind}", one, material.songs)
            for one in listeners(material.songs)
        ]
        if not here:
            continue
        hears = ways(material)
        heard: dict[str, dict[int, Floats]] = {name: {} for name in hears}
        needed = sorted({i for trial in here for i in (*trial.one.pool, *trial.one.ranked)})
        for i in track(needed, f"{songs.name}: listening", total=len(needed)):
            for name, hear in hears.items():
                some = hear(material.bands[i])
                # The mean of scores is the score of the mean.
                heard[name][i] = some.mean(axis=0, keepdims=True) if pooling == "mean" else some
        for trial in track(here, f"{songs.name}: listeners", total=len(here)):
            for name in hears:
                for count in counts:
                    trial.ranked[name, count] = _ranked(trial, heard[name], count, pooling, seed)
        trials += here
    if not trials:
        raise InputError(
            "No listener can be made up: a taste needs eight songs that may be rated and three "
            "that are ranked, besides those that the front end learnt from.",
            hint="Give more songs, in folders named after what they have in common.",
        )
    return Trials(trials)


def _ranked(
    trial: Trial, heard: Mapping[int, Floats], count: int, pooling: Pooling, seed: int
) -> Ranked:
    likes = trial.one.likes(trial.songs)
    won, gains = [], []
    for draw in range(DRAWS):
        chosen, liked = choose(trial.songs, trial.one, count, (seed, draw))
        taste = learn_taste([heard[i] for i in chosen], liked, pooling)
        if pooling == "mean":
            some = np.concatenate([heard[i] for i in trial.one.ranked])
            scores = some @ taste.weights[:-1]
        else:
            scores = np.array([taste.song(heard[i])[0] for i in trial.one.ranked])
        apart = scores[likes][:, None] - scores[~likes]
        won.append((np.sign(apart) + 1) / 2)
        gains.append(ndcg(scores, likes))
    return Ranked(np.mean(won, axis=0), float(np.mean(gains)))


def _at_random(trials: Trials, counts: Sequence[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    for trial in trials.trials:
        likes = trial.one.likes(trial.songs)
        gains = [ndcg(rng.random(len(likes)), likes) for _ in range(100)]
        for count in counts:
            even = np.full((int(likes.sum()), int((~likes).sum())), 0.5)
            trial.ranked[RANDOM, count] = Ranked(even, float(np.mean(gains)))


def measure_tastes(
    sets: Sequence[SongSet],
    nets: Mapping[str, PassageNet],
    *,
    pooling: Pooling,
    seed: int,
    cache: Cache | None,
) -> Report:
    """Measure how well tastes are found after 5, 20 and 100 ratings.

    Parameters
    ----------
    sets : sequence of SongSet
    nets : dict of PassageNet
        Front ends by name; the first is the one that is compared with the others.
    pooling : str
    seed : int
    cache : Cache, optional

    Raises
    ------
    InputError
        If no listener has songs enough.
    """
    trials = tried(sets, lambda some: compared(some, nets), COUNTS, pooling, seed, cache)
    ours, methods = next(iter(nets)), [*nets, UNTRAINED, BASELINE]
    _at_random(trials, COUNTS, seed)
    rows: list[tuple[Cell, ...]] = [
        (
            name,
            *(interval(trials.rounds(name, count)) for count in COUNTS),
            *(mean(trials.ndcg(name, count)) for count in COUNTS),
        )
        for name in (*methods, RANDOM)
    ]
    margins = {name: trials.gain(ours, name, SHOWN) for name in methods if name != ours}
    pieces = {song.piece: song.learnt for songs in sets for song in songs.songs}
    return Report(
        f"{len(trials.trials)} listeners with a known taste",
        ("", *(f"{what} after {count}" for what in MEASURES for count in COUNTS)),
        tuple(rows),
        notes=(
            f"AUC of {ours} after {SHOWN} ratings, paired: "
            + "; ".join(f"{gain} above {name}" for name, gain in margins.items())
            + ".",
            f"{OVER} NDCG: over listeners. Songs score by {pooling}.",
            f"{1 - sum(pieces.values()) / len(pieces):.0%} of the pieces are rated and ranked; "
            "the others were learnt from, or chosen by, and share no groove with them.",
        ),
        data={
            "pooling": pooling,
            "margins": {name: asdict(gain) for name, gain in margins.items()},
            "kinds": _by_kind(trials, (*methods, RANDOM)),
        },
    )


def _by_kind(trials: Trials, methods: Sequence[str]) -> dict[str, Any]:
    """Return the listeners of each kind of taste, and the mean measures of each method."""
    kinds = np.array([one.kind for one in trials.trials])
    found: dict[str, Any] = {}
    for kind in sorted(set(kinds.tolist())):
        chosen = kinds == kind
        values = [one.one.value for one in trials.trials if one.kind == kind]
        found[kind] = {"listeners": values}
        for name in methods:
            areas = {
                f"AUC after {count}": round(float(trials.rounds(name, count, chosen)[0]), 4)
                for count in COUNTS
            }
            gains = {
                f"NDCG@10 after {count}": round(
                    float(np.mean(np.array(trials.ndcg(name, count))[chosen])), 4
                )
                for count in COUNTS
            }
            found[kind][name] = {**areas, **gains}
    return found


def measure_labels(
    sets: Sequence[SongSet],
    net: PassageNet,
    name: str,
    taught: Mapping[str, Sequence[str]],
    *,
    pooling: Pooling,
    seed: int,
    cache: Cache | None,
) -> Report:
    """Measure tastes whose labels a front end was taught apart from those that it never saw.

    Parameters
    ----------
    taught : dict of sequences of str
        By kind, the labels that it learnt.

    Raises
    ------
    InputError
        If no listener has songs enough.
    """
    trials = tried(sets, lambda some: compared(some, {name: net}), [SHOWN], pooling, seed, cache)
    seen = np.array([one.one.value in taught.get(one.one.kind, ()) for one in trials.trials])
    kinds = np.array([one.kind for one in trials.trials])
    groups = {
        "all": np.ones(len(kinds), bool),
        "labels it learnt": seen,
        "labels it never saw": ~seen,
    }
    for kind in sorted(set(kinds.tolist())):
        for title, some in (("learnt", seen), ("never saw", ~seen)):
            if (some & (kinds == kind)).any():
                groups[f"{kind}, {title}"] = some & (kinds == kind)
    methods = (name, UNTRAINED, BASELINE)
    rows: list[tuple[Cell, ...]] = [
        (
            title,
            int(some.sum()),
            *(interval(trials.rounds(method, SHOWN, some)) for method in methods),
            *(trials.gain(name, method, SHOWN, some) for method in methods[1:]),
        )
        for title, some in groups.items()
        if some.any()
    ]
    return Report(
        f"{name}: AUC after {SHOWN} ratings, of labels that it learnt and of others",
        ("tastes", "listeners", *methods, "above untrained", "above mean MFCC"),
        tuple(rows),
        notes=(
            "No piece, and no groove, that is rated or ranked was learnt from. A label that it "
            "never saw is of a kind that was not taught, or all its songs were held out.",
            OVER,
        ),
    )


def measure_parts(
    sets: Sequence[SongSet],
    net: PassageNet,
    name: str,
    *,
    pooling: Pooling,
    seed: int,
    cache: Cache | None,
) -> Report:
    """Measure what a front end is made of, alone and together, trained and untrained.

    Raises
    ------
    InputError
        If no listener has songs enough.
    """
    trials = tried(sets, lambda some: parts(some, net), [SHOWN], pooling, seed, cache)
    methods = list(dict.fromkeys(method for method, _ in trials.trials[0].ranked))
    first = methods[0]
    rows: list[tuple[Cell, ...]] = [
        (
            method,
            interval(trials.rounds(method, SHOWN)),
            None if method == first else trials.gain(method, first, SHOWN),
            trials.gain(method, method.replace(" trained", " untrained"), SHOWN)
            if " trained" in method
            else None,
        )
        for method in methods
    ]
    return Report(
        f"{name}: its parts, AUC after {SHOWN} ratings",
        ("", "AUC", f"above {first}", "above untrained"),
        tuple(rows),
        notes=(f"{len(trials.trials)} listeners. {OVER}",),
    )
