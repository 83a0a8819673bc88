"""Where phrases lie on a plane.

Three planes of the same codes answer three questions. *Likeness*: t-SNE, what is near sounds
alike. *Main axes*: the two principal components, named after the attributes that go with them.
*Roles*: two linear readings of the code, chorus against verse and bridge against both. Each song
is placed by readings that were fitted to other songs, so that the plane shows no more than what
holds for a song that was never seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from groove_core.learning import auc, bootstrap, spearman
from groove_core.values import Estimate
from music_vae.attributes import attributes_of, measure
from music_vae.likeness import fitted
from music_vae.phrases import ROLES

__all__ = ["Axes", "Plane", "axes_of", "main_axes", "role_plane"]

FOLDS, FEWEST = 5, 10
"""Of songs; and phrases of a role, without which it is not read."""
NAMED_FROM = 0.4
"""Rank correlation with an attribute from which an axis is named after it."""
CHANCE = 0.5
WORDS = {
    "density": ("fewer notes", "more notes"),
    "syncopation": ("on the beat", "syncopated"),
    "register": ("lower", "higher"),
    "interval": ("stepwise", "leaps"),
}

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Axes = tuple[str, str, str, str]
"""What lies to the left, to the right, below and above; empty where it has no name."""


@dataclass(frozen=True)
class Plane:
    """Positions on a plane, -1 to 1.

    Parameters
    ----------
    positions : float array [shape=(n, 2)]
    yours : float array [shape=(m, 2)]
        Of further codes.
    """

    positions: Floats
    yours: Floats


def main_axes(codes: Floats, yours: Floats) -> tuple[Plane, float]:
    """Return the first two principal components, and their share of the variance.

    Parameters
    ----------
    codes : float array [shape=(n, dimensions)], n > 2
    yours : float array [shape=(m, dimensions)]

    Returns
    -------
    Plane
        In deviations d of an axis as tanh(d / 2): none is too far out. Each axis points to where
        its longest weight is positive.
    float
    """
    middle = codes.mean(axis=0)
    _, sizes, ways = np.linalg.svd(codes - middle, full_matrices=False)
    first = ways[:2]
    first = first * np.sign(np.take_along_axis(first, np.abs(first).argmax(axis=1)[:, None], 1))
    placed, others = (codes - middle) @ first.T, (yours - middle) @ first.T
    squared = np.square(sizes)
    share = float(squared[:2].sum() / max(squared.sum(), 1e-12))
    return _squashed(placed, others, placed.std(axis=0)), share


def _squashed(positions: Floats, yours: Floats, deviation: Floats | float = 1.0) -> Plane:
    per = 2 * np.maximum(deviation, 1e-9)
    return Plane(np.tanh(positions / per), np.tanh(yours / per))


def axes_of(positions: Floats, events: Ints) -> Axes:
    """Name the axes of a plane after the attributes of melodies that go with them most.

    Parameters
    ----------
    positions : float array [shape=(n, 2)]
    events : int array [shape=(n, steps)]
    """
    names = list(attributes_of(("melody",)))
    values = measure(events[:, None], ("melody",))[:, [names.index(name) for name in WORDS]]
    r = np.zeros((2, len(WORDS)))
    for (axis, column), _ in np.ndenumerate(r):
        known = np.isfinite(values[:, column])
        sides = [positions[known, axis]], [values[known, column]]
        r[axis, column] = np.nan_to_num(spearman(*sides, bootstrap(1, 0)).value)
    found = [("", ""), ("", "")]
    # The strongest first; each attribute names one axis.
    while np.abs(r).max() >= NAMED_FROM:
        axis, column = np.unravel_index(np.abs(r).argmax(), r.shape)
        less, more = list(WORDS.values())[column]
        found[axis] = (less, more) if r[axis, column] > 0 else (more, less)
        r[axis], r[:, column] = 0, 0
    return (*found[0], *found[1])


def role_plane(
    codes: Floats, role: Sequence[str], song: Sequence[str], yours: Floats
) -> tuple[Plane, dict[str, Estimate]] | None:
    """Place phrases by what other songs say of choruses, verses and bridges.

    Parameters
    ----------
    codes : float array [shape=(n, dimensions)]
    role, song : sequences of str [n each]
        Phrases of one song are placed by readings that know none of them.
    yours : float array [shape=(m, dimensions)]
        Of further songs.

    Returns
    -------
    Plane
        x: verse to chorus, y: bridge, in deviations d as tanh(d / 2).
    dict of str to Estimate
        Area under the curve of both readings, with intervals over songs.

    None where there is too little of a role, or where codes tell choruses from verses no better
    than chance: a plane that shows more would be of these songs only.
    """
    roles, (_, owner) = np.array(role), np.unique(song, return_inverse=True)
    songs = int(owner.max()) + 1
    chorus, verse, bridge = (roles == one for one in ROLES)
    if min(chorus.sum(), verse.sum()) < FEWEST or songs < 2 * FOLDS:
        return None
    # Songs in turn, so that each fold has some of all parts of a sorted list.
    fold, draws = owner % FOLDS, bootstrap(songs)
    placed, far = np.zeros((len(codes), 2)), np.zeros((len(yours), 2))
    areas: dict[str, Estimate] = {}
    either = {
        "chorus against verse": (chorus, verse),
        "bridge against both": (bridge, chorus | verse),
    }
    for axis, (name, (yes, no)) in enumerate(either.items()):
        if yes.sum() < FEWEST:
            continue
        for number in range(FOLDS):
            mine = fold == number
            placed[mine, axis] = _read(codes[mine], codes, yes, no, fold, unseen=number)
        far[:, axis] = _read(yours, codes, yes, no, fold, unseen=None)
        areas[name] = auc(
            [placed[(owner == one) & yes, axis] for one in range(songs)],
            [placed[(owner == one) & no, axis] for one in range(songs)],
            draws,
        )
    if not areas["chorus against verse"].low > CHANCE:
        return None
    return _squashed(placed, far), areas


def _read(
    rows: Floats, codes: Floats, yes: Bools, no: Bools, fold: Ints, *, unseen: int | None
) -> Floats:
    """Read how much codes are like those of one kind, by what folds but an unseen one say.

    Returns
    -------
    float array [shape=(n,)]
        In deviations of what was learnt: folds differ in how far apart they see the kinds.
    """
    seen, chooses = fold != unseen, fold == ((unseen or 0) + 1) % FOLDS
    z, labels = torch.from_numpy(codes), torch.from_numpy(yes)
    learnt, others = ((yes | no) & seen & ~chooses, (yes | no) & chooses)
    reading = fitted(z[learnt], labels[learnt], z[others], labels[others])
    of_learnt = reading.read(z[learnt])
    found = (reading.read(torch.from_numpy(rows)) - of_learnt.mean()) / of_learnt.std().clamp(1e-9)
    return np.asarray(found.numpy())
