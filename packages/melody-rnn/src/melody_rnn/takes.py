"""Melodies that a network wrote: what was given, and what was copied, is marked in them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from groove_core.values import LeadSheet, Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Take", "plain", "played", "tiny_take"]

Span = tuple[int, int]


@dataclass(frozen=True, eq=False, repr=False)
class Take(LeadSheet):
    """A melody that a network wrote.

    Parameters
    ----------
    given : sequence of (int, int)
        First step, and the step behind the last, of what was given and not written.
    copied : sequence of (int, int)
        The same of what stands in a tune that the network learnt from.
    flat : bool
        Whether sound is played as typed, without the rules of `melody_rnn.performing`.
    """

    kind: ClassVar[str] = "take"

    given: tuple[Span, ...] = ()
    copied: tuple[Span, ...] = ()
    flat: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("given", "copied"):
            spans = tuple((int(first), int(end)) for first, end in getattr(self, name))
            object.__setattr__(self, name, spans)

    def performed(self) -> Score:
        """Return the melody as it is played, see `melody_rnn.performing`."""
        from melody_rnn.performing import performed

        return self.to_score() if self.flat else performed(self)

    def _save_wav(self, path: Path) -> None:
        self.performed().writer("wav")(path)

    def to_json(self) -> dict[str, Any]:
        marks = {"given": [*map(list, self.given)], "copied": [*map(list, self.copied)]}
        return {**super().to_json(), **marks, "flat": self.flat}

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw a piano roll: what was given is shaded, and what was copied is underlined."""
        from groove_core.values import INK, PALETTE

        ax = super().plot(ax)
        low, high = ax.get_ylim()
        for first, end in self.given:
            ax.axvspan(first, end, color=INK, alpha=0.1, lw=0, zorder=0)
        for first, end in self.copied:
            ax.plot([first, end], [low + 0.3] * 2, color=PALETTE[1], lw=3, solid_capstyle="butt")
        ax.set_ylim(low, high)
        return ax


def plain(take: Take) -> LeadSheet:
    """Return a melody without its marks."""
    return LeadSheet(**{field.name: getattr(take, field.name) for field in fields(LeadSheet)})


def played(take: Take) -> Score:
    """Return a melody as a score, as it was typed."""
    return take.to_score()


def tiny_take() -> Take:
    """Return two bars of which one was given, for the checks of plugins."""
    sheet = LeadSheet.from_text("L:1/8 K:C C4 - E4 - G4 - E4 - | A4 - F4 - G4 - - -")
    values = {field.name: getattr(sheet, field.name) for field in fields(LeadSheet)}
    return Take(**values, given=((0, 8),))
