"""What the parts of the suite count, and what went wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

__all__ = ["WRONG", "Tally"]

WRONG = ("lost", "left behind", "wrong end", "above its memory", "outside touched")
"""Counts that must be 0."""
SHOWN = 5


@dataclass
class Tally:
    """Counts of one kind of trial, and the first things that went wrong."""

    counts: Counter[str] = field(default_factory=Counter)
    details: list[str] = field(default_factory=list)

    def wrong(self, what: str, detail: str) -> None:
        """Count something that must not happen."""
        assert what in WRONG
        self.counts[what] += 1
        self.details.append(f"{what}: {detail}")

    def __iadd__(self, other: Tally) -> Tally:
        self.counts += other.counts
        self.details += other.details
        return self

    def to_text(self, name: str) -> str:
        """Return a line of counts, and what went wrong below it."""
        done = ", ".join(
            f"{count} {what}" for what, count in self.counts.items() if what not in WRONG
        )
        wrong = ", ".join(f"{self.counts[what]} {what}" for what in WRONG)
        more = len(self.details) - SHOWN
        lines = [f"{name}: {done}; {wrong}", *(f"  {one}" for one in self.details[:SHOWN])]
        return "\n".join([*lines, *([f"  ... and {more} more"] if more > 0 else [])])
