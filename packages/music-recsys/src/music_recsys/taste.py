"""One listener's taste: logistic regression on passages, with songs as bags of them.

Who likes a song says so of the song, not of each of its seconds (multiple-instance learning).
The taste is a direction w in the space of the front end; a passage x scores w x + b; a song
scores what pooling makes of its passages; the logistic function of that is the probability
that it is liked. With Laplace's approximation few ratings give a wide posterior, whose evidence
also chooses how far to trust them (MacKay, "The Evidence Framework Applied to Classification
Networks", Neural Computation 1992).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from groove_core.errors import InputError
from music_recsys.windows import STEP_S, WINDOW_S

__all__ = ["POOLINGS", "Pooling", "Taste", "learn_taste", "liking", "pool"]

Floats = npt.NDArray[np.float64]
Pooling = Literal["mean", "attention", "length"]
POOLINGS: dict[Pooling, str] = {
    "mean": "all passages count alike",
    "attention": "one beloved passage counts",
    "length": "sum over length, as in the source",
}
LOWEST, HIGHEST = 1, 5
"""Ratings."""
PRECISIONS = tuple(float(x) for x in np.logspace(-2, 3, 11))
"""Of the prior of w, from which the evidence chooses."""
BIAS_PRECISION = 0.1
STEPS = 100
ALONE = np.zeros(1, np.int64)
ENOUGH = 1e-4


def liking(ratings: npt.ArrayLike) -> Floats:
    """Turn ratings of 1 to 5 into probabilities of being liked: 0, 1/4 ... 1."""
    return (np.asarray(ratings, np.float64) - LOWEST) / (HIGHEST - LOWEST)


def _expit(x: Floats) -> Floats:
    return np.exp(-np.logaddexp(0, -x))


def pool(scores: Floats, starts: npt.NDArray[np.int64], pooling: Pooling) -> tuple[Floats, Floats]:
    """Give the scores of songs, and how much each depends on each of its passages.

    Parameters
    ----------
    scores : float array [shape=(passages of all songs,)]
    starts : int array [shape=(songs,)]
        Where the passages of each song begin.
    pooling : {"mean", "attention", "length"}
        ``attention``: the mean weighted by softmax(scores). ``length``: of a song of T
        seconds there are T - 7 passages, so that their sum over T favours long songs.

    Returns
    -------
    songs : float array [shape=(songs,)]
    slopes : float array [shape=(passages,)]
        Derivatives of its song's score by each passage's.
    """
    counts = np.diff(starts, append=len(scores))
    if pooling == "attention":
        highest = np.maximum.reduceat(scores, starts).repeat(counts)
        weights = np.exp(scores - highest)
        weights /= np.add.reduceat(weights, starts).repeat(counts)
        songs = np.add.reduceat(weights * scores, starts)
        return songs, weights * (1 + scores - songs.repeat(counts))
    length_s = counts if pooling == "mean" else (counts - 1) * STEP_S + WINDOW_S
    return np.add.reduceat(scores, starts) / length_s, (1 / length_s).repeat(counts)


@dataclass(frozen=True, slots=True)
class Taste:
    """What is known of a taste.

    Parameters
    ----------
    weights : float array [shape=(d + 1,)]
        Direction and, last, bias.
    covariance : float array [shape=(d + 1, d + 1)]
        Of the weights, given the ratings.
    pooling : str
        See `pool`.
    precision : float
        Of the prior, as the evidence chose it.
    evidence : float
        Logarithm of the probability of the ratings (of cross-entropies, where they are graded).
    """

    weights: Floats
    covariance: Floats
    pooling: Pooling
    precision: float
    evidence: float

    def curve(self, passages: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Give scores of passages [shape=(passages, d)] and their standard deviations."""
        x = _with_one(passages)
        spread = np.sqrt(np.einsum("nd,de,ne->n", x, self.covariance, x))
        return x @ self.weights, spread

    def song(self, passages: npt.ArrayLike) -> tuple[float, float]:
        """Give the score of a song and its standard deviation."""
        x = _with_one(passages)
        score, slopes = pool(x @ self.weights, ALONE, self.pooling)
        along = slopes @ x
        return float(score[0]), math.sqrt(float(along @ self.covariance @ along))

    def drawn(self, rng: np.random.Generator) -> Taste:
        """Draw a taste that the ratings allow (Thompson sampling)."""
        weights: Floats = rng.multivariate_normal(
            self.weights, self.covariance, method="cholesky"
        ).astype(np.float64)
        return Taste(weights, self.covariance, self.pooling, self.precision, self.evidence)

    @staticmethod
    def probability(score: float, deviation: float) -> float:
        """Give the probability of being liked, doubt included (MacKay's approximation)."""
        return float(_expit(np.array(score / math.sqrt(1 + math.pi / 8 * deviation**2))))


def _with_one(passages: npt.ArrayLike) -> Floats:
    x = np.asarray(passages, np.float64)
    return np.concatenate([x, np.ones((len(x), 1))], axis=1)


def learn_taste(
    songs: Sequence[npt.ArrayLike],
    liked: npt.ArrayLike,
    pooling: Pooling = "mean",
    weights: npt.ArrayLike | None = None,
) -> Taste:
    """Learn a taste from rated songs.

    Parameters
    ----------
    songs : sequence of float arrays [shape=(passages, d)]
    liked : float array [shape=(songs,), 0 to 1]
        See `liking`.
    pooling : str
        See `pool`.
    weights : float array [shape=(songs,), above 0], optional
        How much each rating counts (default: 1).

    Raises
    ------
    InputError
        If there are no songs.
    """
    if not len(songs):
        raise InputError(
            "There are no ratings to learn from.", hint="groove run music-recsys rate SONG 5"
        )
    heard = np.concatenate([np.asarray(song, np.float64) for song in songs])
    # Weights beyond what was heard stay at the prior: few passages span a small space.
    basis = np.linalg.qr(heard.T)[0] if len(heard) < heard.shape[1] else None
    passages = _with_one(heard if basis is None else heard @ basis)
    starts = np.cumsum([0, *(len(song) for song in songs[:-1])])  # type: ignore[arg-type]
    each = np.split(passages, starts[1:])
    counts = np.ones(len(songs)) if weights is None else np.asarray(weights, np.float64)
    bags = _Bags(passages, starts, each, np.asarray(liked, np.float64), pooling, counts)
    found: list[Taste] = []
    start = np.zeros(passages.shape[1])
    for precision in reversed(PRECISIONS):  # from the most doubtful on, each from the last
        found.append(bags.laplace(precision, start))
        start = found[-1].weights
    best = max(found, key=lambda taste: taste.evidence)
    return best if basis is None else _widened(best, basis)


def _widened(taste: Taste, basis: Floats) -> Taste:
    """Return a taste of the space that a basis [shape=(d, n)] spans as one of the whole space."""
    dims = len(basis)
    turn = np.zeros((dims + 1, len(taste.weights)))
    turn[:dims, :-1], turn[dims, -1] = basis, 1
    covariance = turn @ taste.covariance @ turn.T
    covariance[:dims, :dims] += (np.eye(dims) - basis @ basis.T) / taste.precision
    return replace(taste, weights=turn @ taste.weights, covariance=covariance)


@dataclass(frozen=True, slots=True)
class _Bags:
    """Rated songs: all their passages, and where those of each begin."""

    passages: Floats
    starts: npt.NDArray[np.int64]
    songs: Sequence[Floats]
    liked: Floats
    pooling: Pooling
    counts: Floats

    def laplace(self, precision: float, weights: Floats) -> Taste:
        """Find the most probable weights (Gauss-Newton with halved steps), and their posterior.

        The curvature of the pooling itself is left out: exact for means.
        """
        prior = np.full(len(weights), precision)
        prior[-1] = BIAS_PRECISION
        loss, gradient, curvature = self._around(weights, prior)
        for _ in range(STEPS):
            step, before = np.linalg.solve(curvature, gradient), loss
            for _ in range(30):
                loss, gradient, curvature = self._around(weights - step, prior)
                if loss <= before:
                    break
                step = step / 2
            else:
                break
            weights = weights - step
            if before - loss < ENOUGH:
                break
        loss, _, curvature = self._around(weights, prior)
        evidence = -loss + 0.5 * float(np.log(prior).sum() - np.linalg.slogdet(curvature)[1])
        covariance: Floats = np.linalg.inv(curvature).astype(np.float64)
        return Taste(weights, covariance, self.pooling, precision, evidence)

    def _around(self, weights: Floats, prior: Floats) -> tuple[float, Floats, Floats]:
        """Give the negative logarithm of the posterior, its gradient and its curvature."""
        scores, slopes = pool(self.passages @ weights, self.starts, self.pooling)
        songs = zip(np.split(slopes, self.starts[1:]), self.songs, strict=True)
        along = np.stack([slope @ song for slope, song in songs])
        chance = _expit(scores)
        loss = self.counts * (np.logaddexp(0, scores) - self.liked * scores)
        return (
            float(loss.sum() + 0.5 * (prior * weights**2).sum()),
            along.T @ (self.counts * (chance - self.liked)) + prior * weights,
            (along * (self.counts * chance * (1 - chance))[:, None]).T @ along + np.diag(prior),
        )
