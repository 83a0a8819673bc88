"""A stretch of a melody that stands in a known tune."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Quotation", "bars_text", "draw_quotations"]

LETTER_INCHES = 0.07
"""Width of a letter of a label."""


def bars_text(first: int, last: int) -> str:
    """Return what bars are called: ``bar 3`` or ``bars 3-4``."""
    return f"bar {first}" if first == last else f"bars {first}-{last}"


@dataclass(frozen=True)
class Quotation:
    """A stretch that stands in a known tune.

    Parameters
    ----------
    start, steps : int
        Where it begins in the melody, and how long it is, in steps.
    bar, last_bar : int
        Bars in which it begins and ends, from 1; 0 in a pickup.
    corpus, song : str
        Where it was found.
    song_bar : int
        Bar of that song's line in which it begins, from 1.
    semitones : int
        How much higher it is here than there.
    """

    start: int
    steps: int
    bar: int
    last_bar: int
    corpus: str
    song: str
    song_bar: int
    semitones: int

    def to_text(self) -> str:
        """Show where it is, how long it is, and where it was found."""
        return f"{bars_text(self.bar, self.last_bar)} ({self.steps} steps) {self.where()}"

    def where(self) -> str:
        """Say where it was found."""
        moved = f", {self.semitones:+d} semitones" if self.semitones else ""
        return f"as in {self.corpus}/{self.song}, bar {self.song_bar}{moved}"


def draw_quotations(ax: Axes, quotations: Sequence[Quotation]) -> None:
    """Draw quotations as lines with the names of their songs below a piano roll.

    Those that overlap, or whose names would, stand below each other. A song has one colour.
    """
    from groove_core.values import INK, PALETTE

    low, high = ax.get_ylim()
    first, end = ax.get_xlim()
    letter = LETTER_INCHES * (end - first) * ax.figure.dpi / ax.bbox.width
    rows: list[float] = []
    songs = list(dict.fromkeys((one.corpus, one.song) for one in quotations))
    for one in quotations:
        number = songs.index((one.corpus, one.song))
        label = f" {one.song}"
        row = next((n for n, taken in enumerate(rows) if taken <= one.start), len(rows))
        rows[row : row + 1] = [one.start + max(one.steps, letter * len(label))]
        y, color = low - 1.5 * (row + 1), PALETTE[1 + number % (len(PALETTE) - 1)]
        ends = [one.start, one.start + one.steps]
        ax.plot(ends, [y, y], color=color, lw=3, solid_capstyle="butt")
        ax.text(one.start, y + 0.15, label, fontsize=7, va="bottom", color=INK)
    ax.set_ylim(low - 1.5 * len(rows) - 0.5 * bool(rows), high)
