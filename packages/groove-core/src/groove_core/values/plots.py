"""Drawing without a display, with one look for the whole product."""

from __future__ import annotations

import gc
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

    from groove_core.values.melody import Melody

__all__ = [
    "INK", "PALETTE", "envelope", "new_axes", "panel", "plot_melody", "plot_text",
    "save_png", "sheet",
]  # fmt: skip

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


def plot_melody(melody: Melody, ax: Axes | None = None) -> Axes:
    """Draw a melody as a piano roll; louder notes are darker."""
    from groove_core.values.pitches import key_sharps, note_name

    notes, length = melody.notes, max(melody.length, 1)
    low, high = (int(notes[:, 2].min()), int(notes[:, 2].max())) if len(notes) else (60, 72)
    low, high = low - 1, high + 1
    bars = length / melody.steps_per_bar
    ax = ax or new_axes(min(max(4.0, 1 + 1.6 * bars), 40), 1.2 + 0.13 * (high - low))
    colors = [(PALETTE[0], 0.3 + 0.7 * v / 127) for v in notes[:, 3].tolist()]
    ax.barh(notes[:, 2], notes[:, 1] - 0.1, left=notes[:, 0], height=0.8, color=colors, zorder=2)
    beat = 4 * melody.steps_per_quarter / melody.metre[1]
    for number in range(int(length / beat) + 1):
        at = melody.pickup % beat + number * beat
        is_bar = (at - melody.pickup) % melody.steps_per_bar == 0
        ax.axvline(at, color=INK, lw=1.0 if is_bar else 0.2, zorder=0)
    text: dict[str, Any] = {"clip_on": False, "fontsize": 8, "color": INK}
    for step, chord in getattr(melody, "chords", ()):
        ax.text(step, high + 0.7, str(chord), weight="bold", va="bottom", **text)
    pitch_at = dict(zip(notes[:, 0].tolist(), notes[:, 2].tolist(), strict=True))
    for step, syllable in getattr(melody, "lyrics", ()):
        ax.text(step, pitch_at[step] - 0.5, syllable, va="top", **text)
    flats = bool(melody.key) and key_sharps(melody.key)[0] < 0
    named = [p for p in range(low, high + 1) if p % 12 in (0, 4, 7, 9)]
    ax.set_yticks(named, [note_name(p, flats=flats) for p in named])
    firsts = range(melody.pickup, length, melody.steps_per_bar)
    ax.set_xticks(list(firsts), [str(number) for number in range(1, len(firsts) + 1)])
    ax.set(xlim=(0, length), ylim=(low - 0.5, high + 0.5), xlabel="bar")
    ax.tick_params(length=0, labelsize=8)
    for side in ax.spines.values():
        side.set_visible(False)
    return ax


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


def _save(figure: Any, path: Path) -> None:
    from matplotlib.text import Text

    for text in figure.findobj(Text):  # names of files may be of bytes that no font can draw
        text.set_text(displayed(printable(text.get_text())))
        text.set_parse_math(False)  # "$" in a name begins no formula
    figure.savefig(path, format="png", metadata={"Software": None})
