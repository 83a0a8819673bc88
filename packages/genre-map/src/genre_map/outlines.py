"""Geometry of a map: borders of genres, the middles of their areas, and room for names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

import numpy as np
import numpy.typing as npt

__all__ = ["borders", "enlarged", "middles", "room_for"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
SMALLEST = 0.01
"""Share of the map below which an area is not named."""
ROWS = 25
"""So many rows above and below a point are searched for room for its name."""


def borders(probabilities: Floats, genres: Sequence[str]) -> dict[str, list[Floats]]:
    """Return the outlines of each genre's area.

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


def enlarged(cells: Floats, times: int) -> Floats:
    """Interpolate a grid bilinearly [shape=(n, n, ...) to ((n - 1) * times + 1, ...)]."""
    n = len(cells)
    at = np.linspace(0, n - 1, (n - 1) * times + 1)
    low = np.minimum(at.astype(int), n - 2)
    for axis in (0, 1):
        part = (at - low).reshape([-1 if axis == each else 1 for each in range(cells.ndim)])
        cells = cells.take(low, axis) * (1 - part) + cells.take(low + 1, axis) * part
    return cells


def middles(probabilities: Floats, genres: Sequence[str]) -> list[tuple[str, float, float]]:
    """Return the genre of each area, and its point that is farthest from the area's border.

    Areas of less than a hundredth of the map are left out.

    Returns
    -------
    list of (genre, x, y) [-1 to 1]
    """
    best = probabilities.argmax(axis=2)
    ticks = np.linspace(-1, 1, len(best)).round(4)
    found = []
    for number, genre in enumerate(genres):
        left = best == number
        while left.any():
            inside = left
            while inside.any():
                deepest, inside = inside, _eroded(inside)
            deepest = _area_of(deepest, *np.argwhere(deepest)[0])
            rows, columns = np.nonzero(deepest)
            nearest = np.hypot(rows - rows.mean(), columns - columns.mean()).argmin()
            row, column = rows[nearest], columns[nearest]
            area = _area_of(left, row, column)
            if area.mean() >= SMALLEST:
                found.append((genre, float(ticks[column]), float(ticks[row])))
            left = left & ~area
    return found


def _area_of(cells: Bools, row: int, column: int) -> Bools:
    """Return the connected cells around one."""
    area = np.zeros_like(cells)
    area[row, column] = True
    while True:
        grown = cells & ~_eroded(~area, rim=True)
        if (grown == area).all():
            return area
        area = grown


def _eroded(cells: Bools, *, rim: bool = False) -> Bools:
    """Return cells of which all four neighbours are there; `rim` says what is around the map."""
    around = np.pad(cells, 1, constant_values=rim)
    found: Bools = (
        cells & around[2:, 1:-1] & around[:-2, 1:-1] & around[1:-1, 2:] & around[1:-1, :-2]
    )
    return found


def room_for(
    points: Sequence[tuple[float, float]],
    widths: Sequence[float],
    height: float,
    taken: Iterable[tuple[float, float, float]] = (),
) -> list[tuple[float, float] | None]:
    """Find room for names beside their points, so that none covers another.

    Parameters
    ----------
    points : sequence of (x, y) [-1 to 1]
    widths : sequence of float
        Of the names, on the scale of the points.
    height : float
        Of a name.
    taken : iterable of (x, y, width)
        Middles and widths of names that stand already.

    Returns
    -------
    list of (x, y) or None
        Middles of the names; None where the map is too full.
    """
    boxes = [(x, y, width / 2, height / 2) for x, y, width in taken]
    boxes += [(x, y, height / 4, height / 4) for x, y in points]
    found: list[tuple[float, float] | None] = []
    for (x, y), width in zip(points, widths, strict=True):
        rim = (1 - width / 2, 1 - height / 2)
        for row, up, across in product(range(ROWS), (1, -1), (1, -1, 0)):
            right = float(np.clip(x + across * (width + height) / 2, -rim[0], rim[0]))
            above = float(np.clip(y + up * row * height, -rim[1], rim[1]))
            box = (right, above, width / 2, height / 2)
            if min(rim) >= 0 and not any(_meet(box, other) for other in boxes):
                boxes.append(box)
                found.append((right, above))
                break
        else:
            found.append(None)
    return found


def _meet(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    """Return whether two boxes (x, y, half width, half height) overlap."""
    return abs(a[0] - b[0]) < a[2] + b[2] and abs(a[1] - b[1]) < a[3] + b[3]
