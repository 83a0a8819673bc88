"""Pieces on a plane, as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from groove_core.values.plots import INK, PALETTE, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_layouts"]

COLORED = 8
"""Groups with a colour of their own in the picture; the rest is grey."""
MARKERS = "os^DvPX*"
GREY = "#9aa0aa"
RIM = 1.04
"""Half the width of the picture: points on the rim are drawn whole."""
ONE_ROW = 5
"""Names that a legend has in one row."""
NAMED = 12
"""Own pieces that are named in the picture; of more, the names would hide the points."""

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]


def plot_layouts(
    layouts: Mapping[str, Floats],
    group: Ints,
    groups: Sequence[str],
    yours: Sequence[str] = (),
    ax: Axes | None = None,
) -> Axes:
    """Draw layouts of the same points beside each other, with the most frequent groups in colour.

    Parameters
    ----------
    layouts : mapping of str to float arrays [each shape=(n, 2), -1 to 1]
        By their titles.
    group : int array [shape=(n,)]
        Index into `groups`.
    groups : sequence of str
        The most frequent first.
    yours : sequence of str
        Labels of the last points, which are the user's own.
    """
    ax = ax or new_axes(6.5 * len(layouts), 7.2)
    ax.set_axis_off()
    width = 1 / len(layouts)
    for number, (title, positions) in enumerate(layouts.items()):
        panel = ax.inset_axes((width * number, 0.07, width - 0.005, 0.9))
        _draw(panel, positions, group, groups, yours)
        panel.set_title(title, fontsize=11)
    handles, labels = panel.get_legend_handles_labels()
    ax.legend(
        handles, labels, loc="lower center", fontsize=9,
        ncols=len(labels) if len(labels) <= ONE_ROW else len(labels) // 2 + 1,
        frameon=False, bbox_to_anchor=(0.5, -0.05), markerscale=3.5, handletextpad=0.1,
    )  # fmt: skip
    return ax


def _draw(
    panel: Axes, positions: Floats, group: Ints, groups: Sequence[str], yours: Sequence[str]
) -> None:
    """Draw a layout: the rare over the frequent, the user's own over all."""
    own = len(positions) - len(yours)
    points = positions[:own]
    size = float(np.clip(1e5 / own, 3, 20))
    names = dict(enumerate(groups[:COLORED])) | {COLORED: "others"}
    looks = [*zip(PALETTE, MARKERS, strict=True), (GREY, ".")]
    for index in (*range(COLORED), COLORED):
        some = points[np.minimum(group[:own], COLORED) == index]
        if len(some):
            color, marker = looks[index]
            panel.scatter(
                some[:, 0], some[:, 1], s=size, c=color, marker=marker, lw=0, alpha=0.6,
                zorder=1 if index == COLORED else 2, rasterized=True,
                label=f"{names[index]} {len(some)}",
            )  # fmt: skip
    middles, density = _density(points)
    levels = np.quantile(density[density > 0], (0.4, 0.7, 0.9))
    if len(np.unique(levels)) == len(levels):
        panel.contour(middles, middles, density, levels, colors=INK, linewidths=0.6, alpha=0.3)
    if yours:
        panel.scatter(
            positions[own:, 0], positions[own:, 1], s=60, facecolors="none", edgecolors=INK,
            linewidths=1.5, zorder=3,
        )  # fmt: skip
    for label, place in zip(yours[:NAMED], positions[own:], strict=False):
        panel.annotate(
            label, place, (6, 4), textcoords="offset points", fontsize=8, color=INK,
            bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.7},
        )  # fmt: skip
    panel.set(xlim=(-RIM, RIM), ylim=(-RIM, RIM), aspect="equal", xticks=[], yticks=[])


def _density(points: Floats) -> tuple[Floats, Floats]:
    """Count points in cells of the plane, smoothed: the middles of cells, and rows along y."""
    edges = np.linspace(-RIM, RIM, 91)
    density = np.histogram2d(points[:, 1], points[:, 0], bins=(edges, edges))[0]
    kernel = np.exp(-np.square(np.linspace(-2.5, 2.5, 11)) / 2)
    for axis in (0, 1):
        density = np.apply_along_axis(np.convolve, axis, density, kernel, "same")
    return (edges[1:] + edges[:-1]) / 2, density
