"""From a taste to a list: likely, not all alike, now and then a surprise, and why.

Exploring adds doubt to worth (an upper confidence bound), or draws the taste from what it may
be (Thompson sampling). Diversity: Carbonell and Goldstein, "The Use of MMR, Diversity-Based
Reranking" (SIGIR 1998).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from groove_core.errors import InputError
from music_recsys.listening import Passages
from music_recsys.results import Recommendation
from music_recsys.taste import Taste
from music_recsys.windows import STEP_S

__all__ = ["CANDIDATES", "Candidate", "Liked", "candidate", "choose", "diverse", "nearest"]

Floats = npt.NDArray[np.float64]
CANDIDATES = 200
"""Looked at passage by passage, of a catalogue's best by their means."""


@dataclass(frozen=True, slots=True)
class Liked:
    """A song that is liked, and its passages."""

    name: str
    passages: Floats


@dataclass(frozen=True, slots=True)
class Candidate:
    """A song that may be recommended.

    Parameters
    ----------
    path : str
    score, deviation : float
        Of the song, before the logistic function.
    curve, spread : float array [shape=(passages,)]
        Of each second, and its standard deviation.
    passages : float16 or float64 array [shape=(passages, d)]
    seconds : bool
        Whether they are seconds of the song; else the one is the mean of all.
    """

    path: str
    score: float
    deviation: float
    curve: Floats
    spread: Floats
    passages: Passages | Floats
    seconds: bool = True

    @property
    def best(self) -> int:
        """Number of its best passage."""
        return int(self.curve.argmax())


def candidate(
    taste: Taste, path: str, passages: Passages | Floats, *, seconds: bool = True
) -> Candidate:
    """Score a song and each of its seconds."""
    curve, spread = taste.curve(passages)
    score, deviation = taste.song(passages)
    return Candidate(path, score, deviation, curve, spread, passages, seconds)


def diverse(
    worth: npt.ArrayLike, vectors: npt.ArrayLike, count: int, diversity: float
) -> list[int]:
    """Choose songs one by one: each worth much, and unlike those chosen before.

    Maximal marginal relevance: (1 - diversity) * worth - diversity * similarity to the nearest
    of those chosen, worth scaled to 0 to 1, similarity the cosine.

    Parameters
    ----------
    worth : float array [shape=(n,)]
    vectors : float array [shape=(n, d)]
    count : int
    diversity : float, 0 to 1
        0 gives the best in order.
    """
    value = np.asarray(worth, np.float64)
    unit = np.asarray(vectors, np.float64)
    unit = unit / np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    span = float(np.ptp(value)) or 1.0
    relevance = (value - value.min()) / span
    alike = np.full(len(value), -1.0)
    chosen: list[int] = []
    free = np.ones(len(value), bool)
    for _ in range(min(count, len(value))):
        # What is chosen first is simply the best.
        marginal = (1 - diversity) * relevance - diversity * alike if chosen else relevance
        one = int(np.where(free, marginal, -np.inf).argmax())
        chosen.append(one)
        free[one] = False
        alike = np.maximum(alike, unit @ unit[one])
    return chosen


def nearest(passage: Floats, liked: Sequence[Liked]) -> tuple[str, int, float] | None:
    """Find the passage of liked songs that sounds most like this one.

    Returns
    -------
    tuple of str, int and float, or None where nothing is liked
        Name of the song, second, and cosine.
    """
    best: tuple[str, int, float] | None = None
    for song in liked:
        lengths = np.linalg.norm(song.passages, axis=1) * np.linalg.norm(passage)
        alike = song.passages @ passage / np.maximum(lengths, 1e-12)
        at = int(alike.argmax())
        if best is None or alike[at] > best[2]:
            best = (song.name, at * STEP_S, float(alike[at]))
    return best


def choose(
    taste: Taste,
    candidates: Sequence[Candidate],
    liked: Sequence[Liked],
    *,
    count: int,
    diversity: float,
    explore: float,
    drawn: Taste | None = None,
) -> list[Recommendation]:
    """Choose songs, and say why.

    Parameters
    ----------
    explore : float
        Standard deviations that are added to scores.
    drawn : Taste, optional
        To choose by instead; probabilities and reasons are those of the taste itself.

    Raises
    ------
    InputError
        If there are none to choose from.
    """
    if not candidates:
        raise InputError(
            "There is nothing to recommend: every song is rated, or none can be read.",
            hint="Give a folder with other songs.",
        )
    by = [one.score if drawn is None else drawn.song(one.passages)[0] for one in candidates]
    worth = [score + explore * one.deviation for score, one in zip(by, candidates, strict=True)]
    vectors = np.stack([one.passages.mean(axis=0, dtype=np.float64) for one in candidates])
    chosen = diverse(worth, vectors, count, diversity)
    return [_reason(taste, candidates[number], liked) for number in chosen]


def _reason(taste: Taste, one: Candidate, liked: Sequence[Liked]) -> Recommendation:
    best = one.passages[one.best].astype(np.float64)
    like, like_s, similarity = nearest(best, liked) or ("", 0, 0.0)
    known = one.seconds
    return Recommendation(
        one.path,
        probability=round(taste.probability(one.score, one.deviation), 4),
        score=round(one.score, 4),
        deviation=round(one.deviation, 4),
        best_s=one.best * STEP_S if known else -1,
        like=like,
        like_s=like_s,
        similarity=round(similarity, 4),
        curve=one.curve.round(4).tolist() if known else (),
        deviations=one.spread.round(4).tolist() if known else (),
    )
