"""Melodies that a network wrote: what was given, and what was copied, is marked in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from groove_core.errors import UsageError
from groove_core.tunes.performing import performed
from groove_core.tunes.quotations import Quotation, draw_quotations
from groove_core.tunes.songs import Place, Spans
from groove_core.values import LeadSheet, Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Take"]


@dataclass(frozen=True, eq=False, repr=False)
class Take(LeadSheet):
    """A melody that a network wrote.

    As MIDI and as sound it is the song that it stands in, if it stands in one: all else of the
    song is as it was. As text, JSON, MusicXML and picture it is the melody alone.

    Parameters
    ----------
    given : sequence of (int, int)
        First step, and the step behind the last, of what was given and not written.
    copied : sequence of Quotation
        What was written and stands in a tune that the networks learnt from.
    flat : bool
        Whether sound is played as typed, without the rules of `groove_core.tunes.performing`.
    place : Place, optional
        Where it stands in a song.
    """

    kind: ClassVar[str] = "take"
    suffixes: ClassVar[tuple[str, ...]] = ("json",)  # other files do not tell what was given

    given: Spans = ()
    copied: tuple[Quotation, ...] = ()
    flat: bool = False
    place: Place | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        spans = tuple((int(first), int(end)) for first, end in self.given)
        if any(not 0 <= first <= end <= self.length for first, end in spans):
            raise UsageError(
                f"What was given lies outside of the {self.length} steps of the melody: {spans}.",
                hint="Give the first step, and the one behind the last, of each part.",
            )
        object.__setattr__(self, "given", spans)
        object.__setattr__(self, "copied", tuple(self.copied))

    def alone(self) -> LeadSheet:
        """Return the melody without its marks and without its song."""
        return LeadSheet(**{field.name: getattr(self, field.name) for field in fields(LeadSheet)})

    def to_score(self) -> Score:
        """Return the song with the melody in its place, or else the melody and its chords."""
        return super().to_score() if self.place is None else self.place.put(self, self.given)

    def performed(self) -> Score:
        """Return the melody as it is played, see `groove_core.tunes.performing`.

        In a song, only what was written is played anew.
        """
        if self.place is not None:
            return self.place.put(self, self.given, flat=self.flat)
        return self.to_score() if self.flat else performed(self)

    def _save_wav(self, path: Path) -> None:
        self.performed().writer("wav")(path)

    # What moves the notes moves the marks, and takes the melody out of its song.

    def transpose(self, semitones: int) -> Self:
        copied = [replace(one, semitones=one.semitones + semitones) for one in self.copied]
        return replace(super().transpose(semitones), copied=tuple(copied), place=None)

    def _window(self, first: int, end: int) -> Self:
        spans = ((max(one, first) - first, min(other, end) - first) for one, other in self.given)
        given = tuple((one, other) for one, other in spans if one < other)
        plain = replace(self, given=(), copied=(), place=None)
        return replace(super(Take, plain)._window(first, end), given=given)

    @classmethod
    def join(cls, melodies: Sequence[Self]) -> Self:
        return replace(super().join(melodies), given=(), copied=(), place=None)

    def to_text(self) -> str:
        """Return the melody as text; comments say what was copied."""
        return "\n".join([super().to_text(), *(f"% {one.to_text()}" for one in self.copied)])

    def to_json(self) -> dict[str, Any]:
        return {
            **super().to_json(),
            "given": [*map(list, self.given)],
            "copied": [vars(one) for one in self.copied],
            "flat": self.flat,
            "place": None if self.place is None else self.place.to_json(),
        }

    def to_document(self) -> dict[str, Any]:
        document = self.to_json()
        del document["place"]  # the song is in the MIDI file
        return document

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        place = document.get("place")
        copied = tuple(Quotation(**one) for one in document["copied"])
        made = {"copied": copied, "place": None if place is None else Place.from_json(place)}
        return super().from_json({**document, **made})

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw a piano roll: what was given is shaded, and below it stands what was copied."""
        from groove_core.values import INK

        ax = super().plot(ax)
        draw_quotations(ax, self.copied)
        for first, end in self.given:
            ax.axvspan(first, end, color=INK, alpha=0.1, lw=0, zorder=0)
        return ax
