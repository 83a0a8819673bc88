"""A stretch of a melody that stands in a known tune."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Quotation", "bars_text"]


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
