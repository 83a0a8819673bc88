"""Where a melody comes from: the nearest stretches of the tunes that were learnt from."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from groove_core.console import note
from groove_core.tunes.cutting import GRIDS
from groove_core.tunes.finding import SEED, Finder, Match, Pairs
from groove_core.tunes.performing import phrases
from groove_core.tunes.quotations import Quotation, bars_text, draw_quotations
from groove_core.tunes.reading import open_tunes
from groove_core.tunes.sets import TuneSet
from groove_core.tunes.songs import Spans, written_spans
from groove_core.values import LeadSheet, Melody, Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Phrase", "Trace", "Tracer"]

NEAR, NEAR_NOTES = 8, 3
"""Steps and notes that the nearest phrase shares at least."""
SHORTEST_BARS, LONGEST_BARS = 2, 4
"""Shorter phrases are taken together, and longer ones are cut."""


@dataclass(frozen=True)
class Phrase:
    """A phrase of a melody, and what is nearest to it.

    Parameters
    ----------
    start, steps : int
    bar, last_bar : int
        Bars in which it begins and ends, from 1; 0 in a pickup.
    nearest : Quotation or None
        The longest stretch of the phrase that stands in a known tune; None below 8 steps.
    """

    start: int
    steps: int
    bar: int
    last_bar: int
    nearest: Quotation | None

    def to_text(self) -> str:
        """Show how much of it stands in which tune."""
        bars = bars_text(self.bar, self.last_bar)
        if self.nearest is None:
            return f"{bars}: no {NEAR} steps in common with any tune"
        return f"{bars}: {self.nearest.steps} of {self.steps} steps {self.nearest.where()}"


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
    phrases : tuple of Phrase
        The phrases of the melody, each with what is nearest to it.
    """

    kind: ClassVar[str] = "trace"
    default_formats: ClassVar[tuple[str, ...]] = ("txt", "json", "png")

    melody: LeadSheet
    quotations: tuple[Quotation, ...]
    known: str
    phrases: tuple[Phrase, ...] = ()

    @property
    def share(self) -> float:
        """Share of the melody's steps that lie in a quotation."""
        marked = np.zeros(max(self.melody.length, 1), bool)
        for one in self.quotations:
            marked[one.start : one.start + one.steps] = True
        return float(marked.mean())

    def to_text(self) -> str:
        """Show each quotation in a line, and what is nearest to each phrase."""
        lines = [f"{self.melody.name}: {self.share:.0%} of the steps stand in {self.known}"]
        lines += [f"  {one.to_text()}" for one in self.quotations]
        lines += ["nearest to each phrase:"] if self.phrases else []
        return "\n".join([*lines, *(f"  {one.to_text()}" for one in self.phrases)])

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "melody": self.melody.to_json(),
            "known": self.known,
            "share": self.share,
            "quotations": [vars(one) for one in self.quotations],
            "phrases": [asdict(one) for one in self.phrases],
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Trace:
        found = tuple(Quotation(**one) for one in document["quotations"])
        phrases = tuple(
            Phrase(**{**one, "nearest": one["nearest"] and Quotation(**one["nearest"])})
            for one in document["phrases"]
        )
        return cls(LeadSheet.from_json(document["melody"]), found, document["known"], phrases)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the melody as a piano roll, and its quotations below."""
        ax = self.melody.plot(ax)
        draw_quotations(ax, self.quotations)
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
        self.numbers = {
            grid: [int(i) for i in numbers if book.about[i, 0] == grid] for grid in GRIDS
        }
        self._finders: dict[int, Finder] = {}

    @classmethod
    def of_folder(cls, data: Path) -> Self:
        """Return what finds stretches in a folder of songs, and say what was passed over.

        Raises
        ------
        InputError
            If no song has a usable melody.
        """
        tunes = open_tunes(data)
        if tunes.left_out:
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in tunes.left_out.items())
            note(f"{data}: compared with {len(tunes):,} songs; left out: {reasons}")
        return cls(tunes, range(len(tunes.about)), str(data))

    def _finder(self, grid: int) -> Finder:
        if grid not in self._finders:
            self._finders[grid] = Finder(self.book.stream(self.numbers[grid]))
        return self._finders[grid]

    def trace(self, melody: LeadSheet) -> Trace:
        """Find the stretches of a melody that stand in the tunes, transposed or not."""
        if melody.steps_per_quarter not in GRIDS:
            return Trace(melody, (), self.known)
        finder = self._finder(melody.steps_per_quarter)
        found = finder.longest(melody.events)
        quotations = tuple(self._named(melody, match) for match in found)
        return Trace(melody, quotations, self.known, tuple(self._phrases(melody, finder)))

    def copied(self, melody: LeadSheet, given: Spans = ()) -> tuple[Quotation, ...]:
        """Find the stretches of what was written of a melody, outside of what was given."""
        if melody.steps_per_quarter not in GRIDS:
            return ()
        found = []
        for first, end in written_spans(given, melody.length):
            if end - first >= SEED:
                finder = self._finder(melody.steps_per_quarter)
                matches = finder.longest(melody.events[first:end])
                found += [self._named(melody, replace(m, start=first + m.start)) for m in matches]
        return tuple(found)

    def _named(self, melody: Melody, match: Match) -> Quotation:
        number = self.numbers[melody.steps_per_quarter][match.melody]
        head = self.book.heads[self.book.tune_of[number]]
        grid, top, bottom, _, pickup = self.book.about[number, :5].tolist()
        bar = 4 * grid * top // bottom
        return Quotation(
            match.start, match.steps, _bar(melody, match.start),
            _bar(melody, match.start + match.steps - 1), head.corpus, head.name,
            1 + (match.at - pickup) // bar, match.semitones,
        )  # fmt: skip

    def _phrases(self, melody: LeadSheet, finder: Finder) -> Iterator[Phrase]:
        """Yield each phrase with the longest stretch of it that stands in a tune."""
        # Of slow melodies, eight steps have too few notes.
        every = finder.pairs(melody.events, NEAR) + finder.pairs(melody.events, SEED)
        notes = np.append(0, np.cumsum(melody.events >= 0))
        for first, end in _spans(melody):
            pairs = every.pick((every.start < end) & (every.end > first))
            start, stop = np.maximum(pairs.start, first), np.minimum(pairs.end, end)
            shared = stop - start
            shared[notes[stop] - notes[start] < NEAR_NOTES] = 0
            nearest = None
            if shared.max(initial=0) >= NEAR:
                best = np.lexsort((pairs.at, -shared))[:1]
                at = pairs.at + start - pairs.start
                [match] = finder.matches(Pairs(start, stop, at, pairs.semitones).pick(best))
                nearest = self._named(melody, match)
            yield Phrase(first, end - first, _bar(melody, first), _bar(melody, end - 1), nearest)


def _bar(melody: Melody, step: int) -> int:
    """Return the number of the bar of a step, from 1; 0 in a pickup."""
    return 1 + (step - melody.pickup) // melody.steps_per_bar


def _spans(melody: LeadSheet) -> Iterator[tuple[int, int]]:
    """Yield where phrases begin and end: those of `performing`, of two to four bars."""
    notes, number = melody.notes, phrases(melody)
    shortest, longest = (bars * melody.steps_per_bar for bars in (SHORTEST_BARS, LONGEST_BARS))
    begins = notes[np.flatnonzero(np.diff(number, prepend=-1)), 0].tolist()
    edges: list[int] = begins[:1]
    for begin in begins[1:]:
        if begin - edges[-1] >= shortest:
            edges.append(begin)
    edges += [int(notes[-1, :2].sum())] if edges else []
    for first, end in itertools.pairwise(edges):
        for at in range(first, end, longest):
            yield at, min(at + longest, end)
