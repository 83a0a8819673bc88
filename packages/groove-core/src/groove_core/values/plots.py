"""Drawing without a display, with one look for the whole product."""

from __future__ import annotations

import gc
import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from groove_core.console import displayed
from groove_core.errors import UsageError
from groove_core.storage.files import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["INK", "PALETTE", "envelope", "new_axes", "panel", "plot_text", "save_png", "sheet"]

INK = "#1d2433"
# Okabe and Ito's palette, told apart by readers of every kind of colour vision.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")


def new_axes(width_in: float, height_in: float) -> Axes:
    """Make axes on a figure of its own, without touching global state.

    Raises
    ------
    UsageError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise UsageError(
            "Plots need matplotlib, which is not installed.",
            hint='pip install "groove-core[plot]"',
        ) from error
    figure = Figure(figsize=(width_in, height_in), dpi=120, layout="constrained")
    axes: Axes = figure.add_subplot()
    return axes


def sheet(ax: Axes | None, width_in: float, height_in: float, title: str, **look: Any) -> Axes:
    """Make axes that only hold a title and panels; see `panel`."""
    ax = ax or new_axes(width_in, height_in)
    ax.set_axis_off()
    ax.set_title(title, **{"fontsize": 9, "loc": "left", **look})
    return ax


def panel(
    ax: Axes, box: tuple[float, float, float, float], title: str = "", *, size: float = 7,
    framed: bool = True, **look: Any,
) -> Axes:  # fmt: skip
    """Make small axes inside others.

    Parameters
    ----------
    ax : Axes
    box : (left, bottom, width, height)
        In parts of the outer axes.
    title : str
    size : float [points]
        Of the letters along the axes; those of the title are a point larger.
    framed : bool
        Whether the top and the right side are drawn.
    **look
        Further options of the title.
    """
    inner: Axes = ax.inset_axes(box)
    inner.tick_params(labelsize=size, length=2)
    if title:
        inner.set_title(title, **{"fontsize": size + 1, **look})
    if not framed:
        inner.spines[["top", "right"]].set_visible(False)
    return inner


def envelope(samples: npt.NDArray[Any], most: int) -> tuple[npt.NDArray[Any], ...]:
    """Give minimum and maximum of each of at most so many excerpts, and where they begin.

    What is drawn of a waveform so is honest: nothing that sounds is left out.

    Returns
    -------
    starts, low, high : arrays [shape=(excerpts,)]
    """
    starts = np.linspace(0, len(samples), min(most, len(samples)), endpoint=False).astype(int)
    return starts, np.minimum.reduceat(samples, starts), np.maximum.reduceat(samples, starts)


def plot_text(text: str, ax: Axes | None = None) -> Axes:
    """Draw a text in letters of one width."""
    lines = text.splitlines() or [""]
    ax = ax or new_axes(0.5 + 0.09 * max(map(len, lines)), 0.5 + 0.2 * len(lines))
    ax.text(0, 1, text, family="monospace", size=10, va="top", transform=ax.transAxes)
    ax.set_axis_off()
    return ax


def save_png(plot: Callable[[], Any], path: Path) -> None:
    """Draw and write a PNG of stable bytes (no date, no version inside)."""
    with warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes; the files have it whole.
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        _save(plot().figure, path)
    # A figure is a cycle: of hundreds, Python would keep some dozen until it looks for garbage.
    gc.collect(0)


def png_bytes(plot: Callable[[], Any], dpi: float) -> bytes:
    """Draw and return a PNG of so many dots per inch; see `save_png`."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        _save(plot().figure, file, dpi=dpi)
    gc.collect(0)
    return file.getvalue()


def _save(figure: Any, file: Path | io.BytesIO, **look: Any) -> None:
    from matplotlib.text import Text

    for text in figure.findobj(Text):  # names of files may be of bytes that no font can draw
        text.set_text(displayed(printable(text.get_text())))
        text.set_parse_math(False)  # "$" in a name begins no formula
    figure.savefig(file, format="png", metadata={"Software": None}, **look)
