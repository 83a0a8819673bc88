"""A plane of the dependent values: its genres, the songs in it, anchors, and paths."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from genre_map.gan import ANCHORS, DEPENDENT, FREE, GenreGAN, Looked
from genre_map.genremap import Place
from groove_core.console import track
from groove_core.values import Audio

__all__ = [
    "Survey", "at_points", "crossings", "find_anchors", "path_between", "place_song", "plane_of",
    "survey", "weigh",
]  # fmt: skip

SAMPLES = 2048
COARSE = 6
BASES = 2
FIRST = 17
"""Cells along each side that a survey looks at in any case."""
FAR = 0.8
"""A song is far off a map if its nearest cell is hardly nearer to it than any other."""
TOLERANCE = 0.2
"""A square whose corners differ less in every probability is interpolated. On the model's own plane
this looks at a third of the cells; of the others none gets another genre, and no probability is
off by more than .09."""
AT_ONCE = 256
"""Cells of a survey that are in memory as spectrograms: 16 MB."""

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]


def at_points(base: Tensor, axes: tuple[int, int], points: Tensor) -> Tensor:
    """Return the noise at points of a plane.

    Parameters
    ----------
    base : Tensor [shape=(128,)]
    axes : (int, int)
        Numbers of the two dependent values along x and y, 0 to 9.
    points : Tensor [shape=(n, 2), -1 to 1]

    Returns
    -------
    Tensor [shape=(n, 128)]
    """
    z = base.cpu().expand(len(points), -1).clone()
    z[:, [FREE + axis for axis in axes]] = points.float()
    return z


def grid(cells: int) -> Tensor:
    """Return the points of a grid, row by row from below [shape=(cells * cells, 2), -1 to 1]."""
    ticks = torch.linspace(-1, 1, cells)
    return torch.cartesian_prod(ticks, ticks).flip(1)


def plane_of(model: GenreGAN, base: Tensor, axes: tuple[int, int], cells: int) -> Looked:
    """Look at a grid over two dependent values; see `at_points`.

    Returns
    -------
    Looked
        ``cells * cells`` spectrograms; the second axis runs slower.
    """
    return model.look(at_points(base, axes, grid(cells)))


@dataclass(frozen=True)
class Survey:
    """What the classifier and the critic see at every cell of a fine grid.

    Parameters
    ----------
    probabilities : float array [shape=(cells, cells, genres)]
        Rows run along y, from -1 to 1.
    weighed : float array [shape=(cells, cells, units)]
        See `weigh`.
    critic : float array [shape=(cells, cells)]
    """

    probabilities: Singles
    weighed: Singles
    critic: Singles

    @property
    def spacing(self) -> float:
        """Median distance of neighbouring cells, as `weigh` has them."""
        steps = [np.diff(self.weighed, axis=axis) for axis in (0, 1)]
        lengths = np.concatenate([np.linalg.norm(step, axis=2).ravel() for step in steps])
        return float(np.median(lengths))


@torch.no_grad()
def weigh(model: GenreGAN, features: Tensor) -> Tensor:
    """Return what the classifier's hidden layer makes of features [shape=(n, units)].

    Genres are told from it. Among the features themselves are many that no genre hangs on, and
    songs that are near each other in all of them are seldom of one genre.

    Parameters
    ----------
    features : Tensor [shape=(n, features), standardised]
    """
    raw = features.to(model.center) * model.scale + model.center
    found: Tensor = model.classifier.head[:2](raw).cpu()
    return found


def survey(model: GenreGAN, base: Tensor, axes: tuple[int, int], cells: int) -> Survey:
    """Look at a plane finely, in bounded memory, and longest where its genres change.

    Every cell of a coarse grid is generated and classified. The grid is then halved again and
    again: where the corners of a square agree, the cells in it are interpolated, elsewhere
    they are generated.

    Parameters
    ----------
    base, axes
        See `at_points`.
    cells : int
        Along each side, 2 or more.
    """
    stride = 1
    while (cells - 1) % (2 * stride) == 0 and (cells - 1) // (2 * stride) >= FIRST - 1:
        stride *= 2
    points = grid(cells).view(cells, cells, 2)
    genres = len(model.genres)

    def look(where: Tensor) -> Singles:
        z = at_points(base, axes, where)
        total = -(-len(z) // AT_ONCE)
        parts = [
            torch.cat([one.probabilities, weigh(model, one.features), one.critic[:, None]], dim=1)
            for one in (
                model.look(some) for some in track(z.split(AT_ONCE), "mapping", total=total)
            )
        ]
        return torch.cat(parts).numpy()

    coarse = points[::stride, ::stride]
    seen = look(coarse.flatten(0, 1)).reshape(*coarse.shape[:2], -1)
    while stride > 1:
        stride //= 2
        asked = _undecided(seen[..., :genres])
        seen = _halved(seen)
        if asked.any():
            seen[asked] = look(points[::stride, ::stride][torch.from_numpy(asked)])
    return Survey(seen[..., :genres], seen[..., genres:-1], seen[..., -1])


def _halved(values: Singles) -> Singles:
    """Put the mean of its neighbours between any two cells [shape=(n, n, ...) to (2n - 1, ...)]."""
    n = len(values)
    found = np.zeros((2 * n - 1, 2 * n - 1, *values.shape[2:]), values.dtype)
    found[::2, ::2] = values
    found[1::2, ::2] = (values[1:] + values[:-1]) / 2
    found[:, 1::2] = (found[:, 2::2] + found[:, :-2:2]) / 2
    return found


def _undecided(probabilities: Singles) -> npt.NDArray[np.bool_]:
    """Return which cells of a grid, once halved, lie on squares whose corners disagree."""
    n = len(probabilities)
    sides = (slice(None, -1), slice(1, None))
    corners = np.stack([probabilities[rows, columns] for rows in sides for columns in sides])
    best = corners.argmax(axis=-1)
    differ = (best != best[0]).any(axis=0) | (np.ptp(corners, axis=0).max(axis=-1) > TOLERANCE)
    asked = np.zeros((2 * n - 1, 2 * n - 1), bool)
    for row in range(3):
        for column in range(3):
            asked[row : row + 2 * n - 2 : 2, column : column + 2 * n - 2 : 2] |= differ
    asked[::2, ::2] = False  # these are known
    return asked


def place_song(model: GenreGAN, found: Survey, sound: Audio, name: str) -> tuple[Place, Audio]:
    """Find where a plane is nearest to the mean of a song's windows, as `weigh` has them.

    Between the cells, the place is the vertex of a parabola through the squared distances of
    the nearest cell and its neighbours.

    Returns
    -------
    place : Place
    excerpt : Audio
        The window that is nearest to that mean.
    """
    layout = model.classifier.layout
    features, chances = model.hear(model.classifier.windows(sound))
    windows = weigh(model, features)
    song, chance = windows.mean(dim=0), chances.mean(dim=0)
    squared = np.square(found.weighed - song.numpy()).sum(axis=2)
    row, column = np.unravel_index(squared.argmin(), squared.shape)
    x, y = _vertex(squared[row], int(column)), _vertex(squared[:, column], int(row))
    genre = int(chance.argmax())
    place = Place(
        name, x, y, model.genres[genre], round(float(chance[genre]), 4),
        distance=round(float(np.sqrt(squared.min())), 4),
        far=bool(np.sqrt(squared.min()) > FAR * np.median(np.sqrt(squared))),
    )  # fmt: skip
    typical = int((windows - song).norm(dim=1).argmin())
    start_s = typical * (layout.frames // 2) * layout.hop_samples / layout.sample_rate
    return place, sound.excerpt(start_s, layout.window_s)


def _vertex(squared: Singles, nearest: int) -> float:
    """Return where along a line of cells, -1 to 1, the squared distance is smallest."""
    at = float(nearest)
    if 0 < nearest < len(squared) - 1:
        before, here, after = (float(squared[nearest + step]) for step in (-1, 0, 1))
        curvature = before - 2 * here + after
        at += (before - after) / (2 * curvature) if curvature > 0 else 0.0
    return round(2 * at / (len(squared) - 1) - 1, 4)


def find_anchors(model: GenreGAN, *, seed: int) -> None:
    """Fill the model's anchors, base and plane: where its genres are purest and most lie close.

    The base is, of a few, the noise around which one plane shows the most genres, weighed
    by their area, and by how sure the classifier is: what it is sure of, it hears again in the
    sounds.
    """
    generator = torch.Generator().manual_seed(seed)
    z = model.draw(SAMPLES, generator)
    probabilities = model.look(z).probabilities
    for genre in range(len(model.genres)):
        best = probabilities[:, genre].topk(ANCHORS).indices
        model.anchors[genre].copy_(z[best])
    richest = -1.0
    for base in track(z[:BASES], "looking for the richest plane", total=BASES):
        for axes in combinations(range(DEPENDENT), 2):
            shown = plane_of(model, base, axes, COARSE).probabilities
            area = torch.bincount(shown.argmax(dim=1), minlength=len(model.genres)) / len(shown)
            sureness = shown.amax(dim=1).mean()
            variety = float(-sureness * (area * area.clamp_min(1e-9).log()).sum())
            if variety > richest:
                richest = variety
                model.base.copy_(base)
                model.plane.copy_(torch.tensor(axes))


def path_between(
    model: GenreGAN, start: Tensor, end: Tensor, steps: int, *, even: bool = True
) -> Looked:
    """Look at a straight path through the noise, ends included.

    Parameters
    ----------
    start, end : Tensor [shape=(128,)]
    steps : int
    even : bool
        Walk slowly where the genre changes fast, so that it changes evenly from step to step.
    """
    way = torch.linspace(0, 1, steps)
    looked = model.look(torch.lerp(start.cpu()[None], end.cpu()[None], way[:, None]))
    if not even:
        return looked
    change = looked.probabilities.diff(dim=0).abs().amax(dim=1)
    # Where nothing changes there are steps, too, of three times the mean length at most.
    passed = np.append(0.0, np.cumsum(change.double().numpy() + float(change.mean()) / 2 + 1e-6))
    paced = np.interp(np.linspace(0, passed[-1], steps), passed, way.numpy())
    there = torch.from_numpy(paced).float()[:, None]
    return model.look(torch.lerp(start.cpu()[None], end.cpu()[None], there))


def crossings(first: Floats, second: Floats) -> list[float]:
    """Return where along a path, 0 to 1, two curves of probability cross."""
    difference = np.asarray(first) - np.asarray(second)
    found = []
    for index in np.nonzero(np.diff(difference >= 0))[0]:
        a, b = difference[index], difference[index + 1]
        found.append(float((index + a / (a - b)) / (len(difference) - 1)))
    return found
