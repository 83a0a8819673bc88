"""A chord chart: the value that this package brings."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from groove_core.errors import InputError
from groove_core.storage import check_file
from groove_core.values import Score, Track, Value

ROOTS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
NAMES = [root + minor for root in ROOTS for minor in ("", "m")]


@dataclass(frozen=True, eq=False)
class Chart(Value):
    """Triads, one a bar of 4/4: ``C | Am | F | G``."""

    kind: ClassVar[str] = "chord-chart"
    suffixes: ClassVar[tuple[str, ...]] = ("txt", "json")
    default_formats: ClassVar[tuple[str, ...]] = ("txt",)
    chords: tuple[str, ...]

    def __post_init__(self):
        for bar, chord in enumerate(self.chords, start=1):
            if chord not in NAMES:
                raise InputError(f"Bar {bar} has {chord!r}.", hint=f"Use {', '.join(NAMES)}.")

    @classmethod
    def _read_file(cls, path):
        text = check_file(path, what="a chart", max_bytes=2**16).read_text("utf-8")
        return cls(tuple(text.replace("|", " ").split()))

    def to_text(self):
        return " | ".join(self.chords)

    def to_score(self):
        rows = [
            (bar * 1920, 1920, 48 + ROOTS[chord[0]] + step, 80)
            for bar, chord in enumerate(self.chords)
            for step in (0, 3 if chord.endswith("m") else 4, 7)
        ]
        return Score((Track(np.array(rows), name="chords"),))


def tiny_chart():
    return Chart(("C", "Am", "F", "G"))
