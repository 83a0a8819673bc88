"""The map: a plane of the dependent values, its genres, their borders, and paths across them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from genre_map.gan import ANCHORS, DEPENDENT, FREE, GenreGAN, Looked
from groove_core.console import track

__all__ = ["borders", "crossings", "find_anchors", "path_between", "plane_of"]

SAMPLES = 2048
COARSE = 6
BASES = 2

Floats = npt.NDArray[np.float64]


def plane_of(model: GenreGAN, base: Tensor, axes: tuple[int, int], cells: int) -> Looked:
    """Look at a grid over two dependent values, all else as in the base.

    Parameters
    ----------
    base : Tensor [shape=(128,)]
    axes : (int, int)
        Numbers of the two values, 0 to 9.
    cells : int
        Along each.

    Returns
    -------
    Looked
        Of ``cells * cells`` pictures; the second axis runs slower.
    """
    ticks = torch.linspace(-1, 1, cells)
    z = base.cpu().expand(cells, cells, -1).clone()
    z[..., FREE + axes[0]] = ticks[None, :]
    z[..., FREE + axes[1]] = ticks[:, None]
    return model.look(z.flatten(0, 1))


def find_anchors(model: GenreGAN, *, seed: int) -> None:
    """Fill the model's anchors, base and plane: where its genres are purest and most lie close.

    The base is, of a few, the noise around which one plane shows the most genres, weighed
    by their area.
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
            variety = float(-(area * area.clamp_min(1e-9).log()).sum())
            if variety > richest:
                richest = variety
                model.base.copy_(base)
                model.plane.copy_(torch.tensor(axes))


def path_between(model: GenreGAN, start: Tensor, end: Tensor, steps: int) -> Looked:
    """Look at a straight path through the noise, ends included."""
    way = torch.linspace(0, 1, steps)[:, None]
    return model.look(torch.lerp(start.cpu()[None], end.cpu()[None], way))


def crossings(first: Floats, second: Floats) -> list[float]:
    """Give where along a path, 0 to 1, two curves of probability cross."""
    difference = np.asarray(first) - np.asarray(second)
    found = []
    for index in np.nonzero(np.diff(difference >= 0))[0]:
        a, b = difference[index], difference[index + 1]
        found.append(float((index + a / (a - b)) / (len(difference) - 1)))
    return found


def borders(probabilities: Floats, genres: Sequence[str]) -> dict[str, list[Floats]]:
    """Give the outlines of each genre's area.

    Parameters
    ----------
    probabilities : float array [shape=(rows, columns, genres)]

    Returns
    -------
    dict of str to lists of float arrays [shape=(n, 2), -1 to 1 along both axes]
    """
    from contourpy import contour_generator

    rows, columns = probabilities.shape[:2]
    x, y = np.linspace(-1, 1, columns), np.linspace(-1, 1, rows)
    found = {}
    for number, genre in enumerate(genres):
        others = np.delete(probabilities, number, axis=2).max(axis=2)
        lead = probabilities[..., number] - others
        lines = contour_generator(x, y, lead).lines(0.0)
        if lines:
            found[genre] = [np.asarray(line).round(4) for line in lines]
    return found
