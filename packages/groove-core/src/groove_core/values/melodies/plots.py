"""Melodies and lead sheets as pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groove_core.values.melodies.line import Line
from groove_core.values.pitches import key_sharps, note_name
from groove_core.values.plots import INK, PALETTE, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_melody"]


def plot_melody(melody: Line, ax: Axes | None = None) -> Axes:
    """Draw a melody as a piano roll; louder notes are darker."""
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
