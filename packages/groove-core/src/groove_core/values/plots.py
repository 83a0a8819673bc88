"""Drawing without a display, with one look for the whole product."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groove_core.console import displayed
from groove_core.errors import UsageError
from groove_core.storage.files import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["INK", "PALETTE", "new_axes", "save_png"]

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


def save_png(plot: Callable[[], Any], path: Path) -> None:
    """Draw and write a PNG of stable bytes (no date, no version inside)."""
    with warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes; the files have it whole.
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        _save(plot().figure, path)
    # A figure is a cycle: of hundreds, Python would keep some dozen until it looks for garbage.
    gc.collect(0)


def _save(figure: Any, path: Path) -> None:
    from matplotlib.text import Text

    for text in figure.findobj(Text):  # names of files may be of bytes that no font can draw
        text.set_text(displayed(printable(text.get_text())))
        text.set_parse_math(False)  # "$" in a name begins no formula
    figure.savefig(path, format="png", metadata={"Software": None})
