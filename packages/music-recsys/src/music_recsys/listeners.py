"""Listeners whose taste is known, and how well a ranking finds it.

A made-up listener likes the songs of one drummer, genre, instrument ... and no others. Some
songs are rated 5 or 1, half of them liked where there are as many; the others are ranked.
Neither those that are rated nor those that are ranked taught the front end, and no piece and
no groove is in both.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from groove_core.learning import auc, divide
from music_recsys.songs import Song

__all__ = ["Listener", "area", "choose", "listeners", "ndcg"]

Floats = npt.NDArray[np.float64]
RATED = 0.6
"""Share of what is left that may be rated; the rest is ranked."""
FEWEST_RATED, FEWEST_RANKED = 8, 3
"""Liked songs that a listener needs."""


def area(scores: npt.ArrayLike, liked: npt.ArrayLike) -> float:
    """Return the area under the ROC curve; ties count half."""
    s, y = np.asarray(scores, np.float64), np.asarray(liked, bool)
    return auc([s[y]], [s[~y]], np.ones((1, 1))).value


def ndcg(scores: npt.ArrayLike, liked: npt.ArrayLike, k: int = 10) -> float:
    """Return the normalised discounted cumulative gain of the first k."""
    y = np.asarray(liked, np.float64)
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")[:k]
    discount = 1 / np.log2(np.arange(2, k + 2))
    best = discount[: min(k, int(y.sum()))].sum()
    return float(y[order] @ discount[: len(order)] / best)


@dataclass(frozen=True, slots=True)
class Listener:
    """One who likes songs of one value of one kind."""

    kind: str
    value: str
    pool: tuple[int, ...]
    """Songs that may be rated."""
    ranked: tuple[int, ...]

    def likes(self, songs: Sequence[Song]) -> npt.NDArray[np.bool_]:
        """Return which of the songs that are ranked are liked [shape=(ranked,)]."""
        return np.array([songs[i].tastes[self.kind] == self.value for i in self.ranked])


def listeners(songs: Sequence[Song]) -> list[Listener]:
    """Find who can be measured: enough songs to rate, enough to be ranked."""
    found = []
    rated = divide([song.family for song in songs], (RATED, 1 - RATED), salt="rated") == 0
    for kind in sorted({kind for song in songs for kind in song.tastes}):
        new = [i for i, song in enumerate(songs) if kind in song.tastes and not song.learnt]
        pool = [i for i in new if rated[i]]
        ranked = [i for i in new if not rated[i]]
        rateable, rankable = (Counter(songs[i].tastes[kind] for i in p) for p in (pool, ranked))
        found += [
            Listener(kind, value, tuple(pool), tuple(ranked))
            for value in sorted(rateable)
            if rateable[value] >= FEWEST_RATED
            and len(ranked) > rankable[value] >= FEWEST_RANKED
            and len(rateable) > 1
        ]
    return found


def choose(
    songs: Sequence[Song], one: Listener, count: int, seed: tuple[int, ...]
) -> tuple[list[int], Floats]:
    """Draw the songs that are rated, half of them liked where there are as many."""
    rng = np.random.default_rng((*seed, count, *os.fsencode(one.value)))
    likes = [i for i in one.pool if songs[i].tastes[one.kind] == one.value]
    others = [i for i in one.pool if songs[i].tastes[one.kind] != one.value]
    liked = rng.permutation(likes)[: (count + 1) // 2].tolist()
    chosen = [*liked, *rng.permutation(others)[: count - len(liked)].tolist()]
    return chosen, np.array([songs[i].tastes[one.kind] == one.value for i in chosen], np.float64)
