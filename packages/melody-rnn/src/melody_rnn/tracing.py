"""Where a melody comes from: the nearest stretches of the tunes that were learnt from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from groove_core.values import LeadSheet, Melody, Record
from melody_rnn.cutting import GRIDS
from melody_rnn.quotations import Quotation
from melody_rnn.stretches import Match, Stretches
from melody_rnn.tunes import TuneSet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Trace", "Tracer"]


@dataclass(frozen=True, eq=False, repr=False)
class Trace(Record):
    """The quotations of a melody.

    Parameters
    ----------
    melody : LeadSheet
    quotations : tuple of Quotation
        Those of at least 16 steps, in the order of the melody.
    known : str
        What they were looked for in.
    """

    kind: ClassVar[str] = "trace"
    default_formats: ClassVar[tuple[str, ...]] = ("txt", "json", "png")

    melody: LeadSheet
    quotations: tuple[Quotation, ...]
    known: str

    @property
    def share(self) -> float:
        """Share of the melody's steps that lie in a quotation."""
        marked = np.zeros(max(self.melody.length, 1), bool)
        for one in self.quotations:
            marked[one.start : one.start + one.steps] = True
        return float(marked.mean())

    def to_text(self) -> str:
        """Show each quotation in a line."""
        head = f"{self.melody.name}: {self.share:.0%} of the steps stand in {self.known}"
        return "\n".join([head, *(f"  {one.to_text()}" for one in self.quotations)])

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "melody": self.melody.to_json(),
            "known": self.known,
            "share": self.share,
            "quotations": [vars(one) for one in self.quotations],
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Trace:
        found = tuple(Quotation(**one) for one in document["quotations"])
        return cls(LeadSheet.from_json(document["melody"]), found, document["known"])

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the melody as a piano roll, and mark its quotations."""
        from groove_core.values import PALETTE

        ax = self.melody.plot(ax)
        low, high = ax.get_ylim()
        for number, one in enumerate(self.quotations):
            color = PALETTE[1 + number % (len(PALETTE) - 1)]
            ax.axvspan(one.start, one.start + one.steps, color=color, alpha=0.2, lw=0)
            ax.text(one.start, low, f" {one.song}", fontsize=7, va="bottom", color=color)
        ax.set_ylim(low, high)
        return ax


class Tracer:
    """Finds stretches of melodies in tunes.

    Parameters
    ----------
    book : TuneSet
    numbers : sequence of int
        Numbers of the melodies that count as known.
    known : str
        What messages call them.
    """

    def __init__(self, book: TuneSet, numbers: Sequence[int], known: str) -> None:
        self.book, self.known = book, known
        self.numbers: dict[int, list[int]] = {}
        self.stretches: dict[int, Stretches] = {}
        for grid in GRIDS:
            here = [int(i) for i in numbers if book.about[i, 0] == grid]
            self.numbers[grid] = here
            self.stretches[grid] = Stretches(book.stream(here))

    def trace(self, melody: LeadSheet) -> Trace:
        """Find the stretches of a melody that stand in the tunes, transposed or not."""
        grid = melody.steps_per_quarter
        found: list[Match] = []
        if grid in self.stretches:
            found = self.stretches[grid].longest(melody.events)
        return Trace(melody, tuple(self._named(melody, grid, found)), self.known)

    def _named(self, melody: Melody, grid: int, found: Sequence[Match]) -> Iterator[Quotation]:
        for match in found:
            number = self.numbers[grid][match.melody]
            head = self.book.heads[self.book.tune_of[number]]
            _, top, bottom, _, pickup = self.book.about[number, :5].tolist()
            bar = 4 * grid * top // bottom
            yield Quotation(
                match.start, match.steps,
                1 + (match.start - melody.pickup) // melody.steps_per_bar,
                1 + (match.start + match.steps - 1 - melody.pickup) // melody.steps_per_bar,
                head.corpus, head.name, 1 + (match.at - pickup) // bar, match.semitones,
            )  # fmt: skip
