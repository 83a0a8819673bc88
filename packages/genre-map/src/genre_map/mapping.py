"""The map: a plane of the dependent values and the songs in it, anchors, and paths."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from genre_map.gan import ANCHORS, DEPENDENT, FREE, GenreGAN, Looked
from genre_map.genremap import Content, GenreMap, Place
from groove_core.actions import each
from groove_core.console import track
from groove_core.values import Audio

__all__ = ["crossings", "draw_map", "find_anchors", "path_between", "plane_of"]

SAMPLES = 2048
COARSE = 6
BASES = 2
PEAK = 0.7
"""Of what a page plays."""

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
    """Give where along a path, 0 to 1, two curves of probability cross."""
    difference = np.asarray(first) - np.asarray(second)
    found = []
    for index in np.nonzero(np.diff(difference >= 0))[0]:
        a, b = difference[index], difference[index + 1]
        found.append(float((index + a / (a - b)) / (len(difference) - 1)))
    return found


def draw_map(
    model: GenreGAN,
    base: Tensor,
    axes: tuple[int, int],
    cells: int,
    sounds: Sequence[Audio] = (),
) -> GenreMap:
    """Look at a plane, listen to it, and place songs in it.

    Parameters
    ----------
    base, axes, cells
        See `plane_of`.
    sounds : sequence of Audio
        One that cannot be used is left out.

    Raises
    ------
    InputError
        If every sound is unreadable, shorter than a window, or silent.
    """
    base = base.clone()
    base[[FREE + axes[0], FREE + axes[1]]] = 0.0
    looked = plane_of(model, base, axes, cells)
    places = tuple(
        each(sounds, lambda sound, name: _place(model, looked, cells, name, sound), "placing")
    )
    layout = model.classifier.layout
    heard = []
    for some in track(looked.pictures.split(16), "listening", total=-(-cells * cells // 16)):
        sound = layout.invert(some, iterations=16)
        heard.append(PEAK * sound / sound.abs().amax(dim=1, keepdim=True).clamp_min(1e-6))
    return GenreMap(
        model.genres,
        axes,
        looked.probabilities.numpy().reshape(cells, cells, -1),
        looked.critic.numpy().reshape(cells, cells),
        base.numpy(),
        round(_spacing(looked.features.numpy().reshape(cells, cells, -1)), 3),
        places,
        Content(
            (looked.pictures * 255).round().to(torch.uint8).numpy(),
            torch.cat(heard).numpy().astype(np.float32),
            layout.sample_rate,
        ),
    )


def _place(model: GenreGAN, looked: Looked, cells: int, name: str, sound: Audio) -> Place:
    """Find the cell whose features are nearest to the mean of a song's windows."""
    song, chance = (one.mean(dim=0) for one in model.hear(model.classifier.windows(sound)))
    distance = (looked.features - song).norm(dim=1)
    row, column = divmod(int(distance.argmin()), cells)
    x, y = (2 * number / (cells - 1) - 1 for number in (column, row))
    measures = (round(float(value), 4) for value in (chance.max(), distance.min()))
    return Place(name, round(x, 4), round(y, 4), model.genres[int(chance.argmax())], *measures)


def _spacing(features: Floats) -> float:
    """Give the median distance of the features of neighbouring cells [shape=(rows, columns, n)]."""
    steps = [np.diff(features, axis=axis) for axis in (0, 1)]
    lengths = np.concatenate([np.linalg.norm(step, axis=2).ravel() for step in steps])
    return float(np.median(lengths))
