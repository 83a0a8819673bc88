"""What a comparison of two versions of a part shows: a curve, a table, a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from groove_core.errors import UsageError
from groove_core.storage import csv_text, write_text
from groove_core.values import Record
from groove_vae.alignment import Beats
from groove_vae.measures import MEASURES, Measure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Comparison", "Stroke"]

SHOWN_S = 12.0
"""A longer part is drawn as an overview and its most different bars."""
SHOWN_BARS = 4
EARLY_S = 0.03
"""The curve of a beat or bar begins a little before it: drummers are early, too."""
MOST = 12
"""Strokes that the text names."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Stroke:
    """One row of the table: a hit, or what is hit together where drums are not known.

    Parameters
    ----------
    onset_s : float [seconds of the played part]
    bar : int
    beat : float
        Place in the bar; 1 is its first beat.
    drum : str
        Empty where it is not known.
    where : ``both``, ``played`` or ``programmed``
        In which of the two it is.
    late_ms : float or None
        How much later the played stroke is; negative is early.
    louder_db : float or None
        How much louder it is; between recordings, than strokes that sound alike are.
    divergence : float
        Mean over 46 ms on either side.
    """

    onset_s: float
    bar: int
    beat: float
    drum: str
    where: str
    late_ms: float | None
    louder_db: float | None
    divergence: float


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Record):
    """Where and how a played part differs from a programmed one.

    Parameters
    ----------
    measure : Measure
        See `groove_vae.measures.MEASURES`.
    step_s : float
        Time between two values of the curve.
    curve : float array [shape=(n,), nats]
        D_KL(t) from the start of the played part.
    strokes : sequence of Stroke
        By time.
    beats : Beats
        Of the played part.
    outlines : float array [shape=(2, m), 0 to 1]
        How loud the played and the programmed part are, for drawing.
    span_s : pair of floats [seconds]
        From when until when there were both.
    about : dict
        Further JSON: tempo, alignment, what was compared.
    """

    kind: ClassVar[str] = "comparison"
    default_formats: ClassVar[tuple[str, ...]] = ("json", "png", "csv")
    keys = "measure about step_s span_s curve strokes beats by_beat by_bar outlines"
    digits: ClassVar = {"curve": 4, "outlines": 3, "span_s": 6}

    measure: Measure
    step_s: float
    curve: Floats
    strokes: tuple[Stroke, ...]
    beats: Beats
    outlines: Floats
    span_s: tuple[float, float]
    about: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        curve = np.asarray(self.curve, dtype=np.float64)
        if curve.ndim != 1 or not len(curve) or not np.isfinite(curve).all():
            raise UsageError("A comparison needs a curve of finite numbers.", hint="See compare.")
        strokes = tuple(
            Stroke(**{name: _short(value) for name, value in vars(one).items()})
            for one in self.strokes
        )
        object.__setattr__(self, "strokes", strokes)
        object.__setattr__(self, "outlines", np.reshape(self.outlines, (2, -1)))
        onset_s = self.beats.onset_s.round(6)
        object.__setattr__(self, "beats", replace(self.beats, onset_s=onset_s))
        super().__post_init__()

    @property
    def duration_s(self) -> float:
        """Length of the curve, from the start of the played part."""
        return len(self.curve) * self.step_s

    @property
    def compared(self) -> Floats:
        """The part of the curve where there were both."""
        first, last = (round(one / self.step_s) for one in self.span_s)
        return self.curve[min(first, len(self.curve) - 1) : max(last, first + 1)]

    def by_beat(self) -> list[dict[str, Any]]:
        """Give the mean divergence of each beat, with its strokes' mean lateness and level."""
        starts = self.beats.onset_s
        spans = zip(starts, np.append(starts[1:], np.inf), strict=True)
        rows = []
        for (start, end), bar, number in zip(
            spans, self.beats.bar.tolist(), self.beats.number.tolist(), strict=True
        ):
            inside = [s for s in self.strokes if (s.bar, int(s.beat + 0.126)) == (bar, number)]
            row = self._over(start, end, inside)
            if row:
                rows.append({"bar": bar, "beat": number, **row})
        return rows

    def by_bar(self) -> list[dict[str, Any]]:
        """Give the mean divergence of each bar, with its strokes' mean lateness and level."""
        starts = self.beats.onset_s[self.beats.number == 1]
        bars = self.beats.bar[self.beats.number == 1].tolist()
        ends = np.append(starts[1:], np.inf)
        rows = []
        for start, end, bar in zip(starts, ends, bars, strict=True):
            row = self._over(start, end, [one for one in self.strokes if one.bar == bar])
            if row:
                rows.append({"bar": bar, **row})
        return rows

    def _over(self, start_s: float, end_s: float, inside: list[Stroke]) -> dict[str, Any] | None:
        span = np.clip([start_s - EARLY_S, end_s - EARLY_S], *self.span_s) / self.step_s
        first, last = span.astype(int).tolist()
        if last <= first:
            return None

        def mean(values: list[float | None]) -> float | None:
            known = [one for one in values if one is not None]
            return float(np.mean(known)) if known else None

        return {
            "start_s": max(0.0, float(start_s)),
            "divergence": float(self.curve[first:last].mean()),
            "strokes": len(inside),
            "late_ms": mean([one.late_ms for one in inside]),
            "louder_db": mean([one.louder_db for one in inside]),
        }

    # documents -------------------------------------------------------------------

    def _save_csv(self, path: Path) -> None:
        rows = (vars(one).values() for one in self.strokes)
        write_text(path, csv_text([Stroke.__dataclass_fields__, *rows]))

    def __repr__(self) -> str:
        return f"Comparison({self.duration_s:.1f} s, {len(self.strokes)} strokes)"

    def to_text(self) -> str:
        both = [one for one in self.strokes if one.where == "both"]
        only = Counter(one.where for one in self.strokes)
        start, end = self.span_s
        span = f"{end - start:.1f} s" + (f" from {start:.1f} s on" if start else "")
        lines = [
            f"{self._title()}: {self.compared.mean():.3f} {self._unit()} on average over {span}",
            f"{self.beats.tempo_bpm:.1f} bpm",
            f"{len(both)} strokes in both, {only['played']} only in the played part, "
            f"{only['programmed']} only in the programmed one",
            *self.about.get("remarks", ()),
            "",
            f"bar  strokes   late (ms)  louder (dB)  {self._short_title():>6}",
        ]
        rows = self.by_bar()
        lines += [
            f"{row['bar']:3d}  {row['strokes']:7d}  {_signed(row['late_ms'], 10)}"
            f"  {_signed(row['louder_db'], 11)}  {row['divergence']:6.2f}"
            for row in rows[:32]
        ]
        if len(rows) > 32:
            lines.append(f"... and {len(rows) - 32} more bars")
        lines += ["", "most different strokes"]
        top = sorted(self.strokes, key=lambda one: -one.divergence)[:MOST]
        for one in sorted(top, key=lambda one: one.onset_s):
            if one.where == "both":
                how = f"{_signed(one.late_ms, 6)} ms  {_signed(one.louder_db, 5)} dB"
            else:
                how = f"only in the {one.where} part"
            lines.append(
                f"  {one.onset_s:8.3f} s  bar {one.bar:3d}, beat {one.beat:4.2f}  "
                f"{one.drum or 'stroke':24} {how:24}  {self._short_title()} {one.divergence:.2f}"
            )
        return "\n".join(lines)

    def _title(self) -> str:
        return MEASURES[self.measure][0]

    def _short_title(self) -> str:
        return self._title().partition("(")[0]

    def _unit(self) -> str:
        return MEASURES[self.measure][1]

    # pictures --------------------------------------------------------------------

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw both waveforms, the curve and the strokes; of long parts, where they differ most."""
        from groove_core.values import INK, PALETTE, panel, sheet

        long = self.duration_s > SHOWN_S
        title = f"{self._title()}, {self._unit()}"
        ax = sheet(ax, 11, 6.4 if long else 4.8, title, fontsize=10)
        start, end = self._most_different() if long else (0.0, self.duration_s)
        boxes = [(0.82, 0.14), (0.40, 0.30), (0.0, 0.34)] if long else [(0.5, 0.5), (0.0, 0.42)]
        panels = [
            panel(ax, (0, bottom, 1, height), size=8, framed=False) for bottom, height in boxes
        ]
        if long:
            overview = panels[0]
            rows = self.by_bar()
            numbers = [row["bar"] for row in rows]
            shown = [start - 0.1 <= row["start_s"] < end - 0.1 for row in rows]
            colors = [PALETTE[1] if one else "#aab2bf" for one in shown]
            overview.bar(numbers, [row["divergence"] for row in rows], 0.8, color=colors)
            overview.locator_params(axis="x", integer=True)
            overview.set_xlim(numbers[0] - 0.6, numbers[-1] + 0.6)
            overview.set_title("by bar; below, the coloured ones", fontsize=8, loc="left")
        sound, curve = panels[-2:]
        time_s = np.linspace(0, self.duration_s, self.outlines.shape[1], endpoint=False)
        for outline, sign, color, name in (
            (self.outlines[0], 1, PALETTE[0], "played"),
            (self.outlines[1], -1, PALETTE[4], "programmed"),
        ):
            sound.fill_between(time_s, 0, sign * outline, color=color, lw=0, label=name, step="mid")
        sound.set(xlim=(start, end), ylim=(-1.05, 1.05), yticks=[], xticks=[])
        sound.legend(fontsize=8, frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
        at = np.arange(len(self.curve)) * self.step_s
        curve.fill_between(at, 0, self.curve, color=INK, alpha=0.75, lw=0)
        inside = (at >= start) & (at < end)
        # Rounding alone shall not fill the picture.
        top = max(0.01, float(self.curve[inside].max(initial=0.0)))
        curve.set(xlim=(start, end), ylim=(0, 1.18 * top), xlabel="seconds")
        curve.set_ylabel(self._unit(), fontsize=8)
        for beat_s, number in zip(self.beats.onset_s, self.beats.number, strict=True):
            if start <= beat_s <= end:
                for axes in (sound, curve):
                    axes.axvline(beat_s, color="#c8ccd4", lw=1.2 if number == 1 else 0.4, zorder=0)
        for stroke in self._labelled(start, end):
            curve.annotate(
                stroke[1], (stroke[0], 1.02 * top), fontsize=7, ha="center", rotation=0, color=INK
            )
        for one in self.strokes:
            if start <= one.onset_s < end:
                missing = one.where != "both"
                color = PALETTE[3] if missing else PALETTE[2]
                sound.axvline(one.onset_s, color=color, lw=0.7, alpha=0.8, ls=":")
        return ax

    def _most_different(self) -> tuple[float, float]:
        """Find the bars of the greatest divergence: where they begin and end."""
        rows = self.by_bar()
        size = min(SHOWN_BARS, len(rows))
        height = [row["divergence"] for row in rows]
        best = int(np.convolve(height, np.ones(size), "valid").argmax()) if rows else 0
        start = rows[best]["start_s"] if rows else 0.0
        end = rows[best + size]["start_s"] if best + size < len(rows) else self.duration_s
        return start, min(end, start + 2 * SHOWN_S)

    def _labelled(self, start: float, end: float) -> Iterator[tuple[float, str]]:
        """Say ms and dB of the most different strokes that are shown, not too close."""
        shown = [one for one in self.strokes if start <= one.onset_s < end]
        taken: list[float] = []
        for one in sorted(shown, key=lambda one: -one.divergence):
            if any(abs(one.onset_s - other) < (end - start) / 22 for other in taken):
                continue
            taken.append(one.onset_s)
            if one.where == "both":
                level = "" if one.louder_db is None else f"\n{one.louder_db:+.0f} dB"
                yield one.onset_s, f"{one.late_ms or 0:+.0f} ms{level}"
            else:
                yield one.onset_s, "added" if one.where == "played" else "missing"


def _short(value: Any) -> Any:
    """Four digits behind the point are enough for any of these."""
    return round(value, 4) if isinstance(value, float) else value


def _signed(value: float | None, width: int) -> str:
    return f"{'-' if value is None else format(value, '+.1f'):>{width}}"
