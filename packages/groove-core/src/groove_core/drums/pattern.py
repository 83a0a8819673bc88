"""Drum patterns: 14 drums on a grid of sixteenths.

The order of the drums is the published bit map of A. Tikhonov and I. P.
Yamshchikov, "Drum Beats and Where To Find Them", ICCC 2020: bit *k* of a step's
mask is drum *k* below.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from groove_core.drums.grid import (
    DRUMS,
    FOLD,
    MARKER,
    STEPS_PER_BAR,
    TEMPOS_BPM,
    TICKS_PER_STEP,
    Drum,
    whole_grid,
)
from groove_core.errors import UsageError
from groove_core.values.base import Value
from groove_core.values.scores.score import Score, Track

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "DEFAULT_VELOCITY",
    "DRUMS",
    "FOLD",
    "STEPS_PER_BAR",
    "TICKS_PER_STEP",
    "Drum",
    "DrumPattern",
]

DEFAULT_VELOCITY = 100

Grid = npt.NDArray[Any]


@dataclass(frozen=True, eq=False, repr=False)
class DrumPattern(Value):
    """A beat of whole 4/4 bars; two bars unless it was made longer or shorter.

    Parameters
    ----------
    hits : bool array [shape=(steps, 14)]
        Steps are sixteenths, a multiple of 16; drums in the order of `DRUMS`.
    velocity : uint8 array [shape=(steps, 14), 1 to 127] or None
        Loudness of each hit. None: all `DEFAULT_VELOCITY`.
    offset_ticks : int8 array [shape=(steps, 14), -60 to 59] or None
        How late (early: negative) each hit is, in 120ths of a step. None: on the grid.
    tempo_bpm : float, 3.58 to 60,000 [quarter notes per minute]
        Kept to a hundredth, or to what MIDI can hold: whole microseconds per quarter note.

    Raises
    ------
    UsageError
        If a shape or a value is out of range.

    Examples
    --------
    >>> beat = DrumPattern.from_masks([5, 0, 4, 0, 6, 0, 4, 0] * 4)
    >>> print(beat.to_text())
    kick           x.......x....... x.......x.......
    snare          ....x.......x... ....x.......x...
    closed hi-hat  x.x.x.x.x.x.x.x. x.x.x.x.x.x.x.x.
    """

    kind: ClassVar[str] = "drum-pattern"
    suffixes: ClassVar[tuple[str, ...]] = ("mid", "midi", "json")
    default_formats: ClassVar[tuple[str, ...]] = ("mid", "wav")

    hits: Grid
    velocity: Grid | None = None
    offset_ticks: Grid | None = None
    tempo_bpm: float = 120.0

    def __post_init__(self) -> None:
        hits = np.array(self.hits, dtype=bool)
        if (
            hits.ndim != 2
            or hits.shape[1] != len(DRUMS)
            or not len(hits)
            or len(hits) % STEPS_PER_BAR
        ):
            raise UsageError(
                f"A drum pattern has whole bars of 16 steps by 14 drums, not shape {hits.shape}.",
                hint="Give hits of shape (32, 14) for two bars.",
            )
        tempo = self.tempo_bpm
        low, high = TEMPOS_BPM
        if not isinstance(tempo, (int, float, np.number)) or not low <= tempo <= high:
            raise UsageError(
                f"tempo_bpm must be {low} to {high}, not {tempo!r}.", hint="tempo_bpm=120"
            )
        # The canonical form has None for what says nothing, so that what was
        # saved and loaded is equal to what there was.
        velocity = _per_hit(self.velocity, hits, "velocity", 1, 127)
        if velocity is not None and (velocity[hits] == DEFAULT_VELOCITY).all():
            velocity = None
        half = TICKS_PER_STEP // 2
        offset = _per_hit(self.offset_ticks, hits, "offset_ticks", -half, half - 1)
        if offset is not None and not offset.any():
            offset = None
        values = {
            "hits": hits,
            "velocity": velocity if velocity is None else velocity.astype(np.uint8),
            "offset_ticks": offset if offset is None else offset.astype(np.int8),
            "tempo_bpm": round(6e7 / round(6e7 / self.tempo_bpm), 2),
        }
        for name, value in values.items():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
            object.__setattr__(self, name, value)

    # masks -----------------------------------------------------------------------

    @classmethod
    def from_masks(cls, masks: npt.ArrayLike, **kwargs: Any) -> Self:
        """Make a pattern from one 14-bit integer per step; bit *k* is drum *k*."""
        steps = np.asarray(masks)
        if steps.dtype.kind in "iu":
            steps = steps.astype(np.int64)
        bad = steps.dtype.kind != "i" or steps.ndim != 1
        if bad or (steps < 0).any() or (steps >= 2 ** len(DRUMS)).any():
            raise UsageError(
                "Masks are integers from 0 to 16383, one per step.",
                hint="Give 32 masks for two bars.",
            )
        return cls((steps[:, None] >> np.arange(len(DRUMS))) & 1, **kwargs)

    @property
    def masks(self) -> npt.NDArray[np.int64]:
        """One 14-bit integer per step [shape=(steps,)]; bit *k* is drum *k*."""
        masks: npt.NDArray[np.int64] = self.hits @ (1 << np.arange(len(DRUMS)))
        return masks

    @property
    def bars(self) -> int:
        """Number of 4/4 bars."""
        return len(self.hits) // STEPS_PER_BAR

    def slice_bars(self, start: int, bars: int = 2) -> DrumPattern:
        """Cut whole bars out, counted from 0."""
        if start < 0 or bars < 1 or start + bars > self.bars:
            raise UsageError(
                f"Bars {start} to {start + bars} are not in a pattern of {self.bars}.",
                hint="Count bars from 0.",
            )
        at = slice(start * STEPS_PER_BAR, (start + bars) * STEPS_PER_BAR)
        return DrumPattern(
            self.hits[at],
            None if self.velocity is None else self.velocity[at],
            None if self.offset_ticks is None else self.offset_ticks[at],
            self.tempo_bpm,
        )

    @classmethod
    def join(cls, patterns: list[DrumPattern]) -> DrumPattern:
        """Put patterns one after the other, at the tempo of the first."""
        if not patterns:
            raise UsageError("There is nothing to join.", hint="Give at least one pattern.")

        def stack(name: str, fill: int) -> Grid | None:
            parts = [getattr(p, name) for p in patterns]
            if all(part is None for part in parts):
                return None
            return np.concatenate(
                [
                    np.where(p.hits, fill, 0) if part is None else part
                    for p, part in zip(patterns, parts, strict=True)
                ]
            )

        return DrumPattern(
            np.concatenate([p.hits for p in patterns]),
            stack("velocity", DEFAULT_VELOCITY),
            stack("offset_ticks", 0),
            patterns[0].tempo_bpm,
        )

    # MIDI ------------------------------------------------------------------------

    def to_score(self) -> Score:
        """Return the pattern as a score with one drum track.

        A hit before the first beat cannot have a negative time, so a pattern that
        starts early is written one bar later. A marker tells where it starts and
        how long it is, since silence at the end leaves no note.
        """
        step, drum = np.nonzero(self.hits)
        ticks = step * TICKS_PER_STEP
        if self.offset_ticks is not None:
            ticks = ticks + self.offset_ticks[step, drum]
        start = STEPS_PER_BAR * TICKS_PER_STEP if len(ticks) and ticks.min() < 0 else 0
        velocity = (
            np.full(len(step), DEFAULT_VELOCITY)
            if self.velocity is None
            else self.velocity[step, drum]
        )
        notes = np.array([drum.note for drum in DRUMS])[drum]
        # Shorter than the closest that two hits of one drum can come: 1 tick apart
        # when one is as late and the next as early as can be.
        order = np.lexsort((ticks, drum))
        gap = np.full(len(ticks), TICKS_PER_STEP // 2)
        same = drum[order][1:] == drum[order][:-1]
        gap[order[:-1]] = np.where(same, np.diff(ticks[order]), gap[order[:-1]])
        length = np.clip(gap, 1, TICKS_PER_STEP // 2)
        return Score(
            tracks=(
                Track(
                    np.stack([ticks + start, length, notes, velocity], axis=1),
                    name="drums",
                    is_drum=True,
                ),
            ),
            ticks_per_quarter=4 * TICKS_PER_STEP,
            tempos=np.array([[0, round(6e7 / self.tempo_bpm)]]),
            time_signatures=np.array([[0, 4, 4]]),
            markers=((start, f"{MARKER}{len(self.hits)}"),),
            # So that the file is as long as the beat, and loops in a sequencer.
            end_tick=start + len(self.hits) * TICKS_PER_STEP,
        )

    @classmethod
    def from_score(cls, score: Score) -> Self:
        """Read the whole of a score as one pattern.

        Raises
        ------
        InputError
            If it has no drums, is not in 4/4, or is played in triplets.
        """
        return cls(*whole_grid(score))

    @classmethod
    def _read_file(cls, path: Path) -> Self:
        return cls.from_score(Score.read(path))

    # JSON ------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "kind": self.kind,
            "tempo_bpm": self.tempo_bpm,
            "masks": self.masks.tolist(),
        }
        # One number per hit, step by step and drum by drum.
        for name in ("velocity", "offset_ticks"):
            grid = getattr(self, name)
            if grid is not None:
                document[name] = grid[self.hits].tolist()
        return document

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        plain = cls.from_masks(document["masks"])

        def spread(name: str) -> Grid | None:
            if name not in document:
                return None
            grid = np.zeros(plain.hits.shape, dtype=np.int64)
            grid[plain.hits] = document[name]
            return grid

        return cls(plain.hits, spread("velocity"), spread("offset_ticks"), document["tempo_bpm"])

    # showing ---------------------------------------------------------------------

    def to_text(self) -> str:
        """Draw the pattern; ``X`` is a loud hit, ``x`` a normal and ``o`` a soft one.

        More than two bars are drawn below each other, as on a sheet of music.
        """
        if self.bars > 2:
            parts = range(0, self.bars, 2)
            drawn = [self.slice_bars(at, min(2, self.bars - at)).to_text() for at in parts]
            return "\n\n".join(
                f"bar {at + 1}\n{text}" for at, text in zip(parts, drawn, strict=True)
            )
        letters = np.where(self.hits, "x", ".")
        if self.velocity is not None:
            letters = np.where(self.hits & (self.velocity >= 112), "X", letters)
            letters = np.where(self.hits & (self.velocity < 64), "o", letters)
        lines = []
        for index, drum in enumerate(DRUMS):
            if self.hits[:, index].any():
                row = "".join(letters[:, index])
                bars = [row[i : i + STEPS_PER_BAR] for i in range(0, len(row), STEPS_PER_BAR)]
                lines.append(f"{drum.name:14} {' '.join(bars)}")
        return "\n".join(lines) or "(silent)"

    def __repr__(self) -> str:
        bars = "bar" if self.bars == 1 else "bars"
        return f"DrumPattern({self.bars} {bars}, {self.hits.sum()} hits, {self.tempo_bpm:g} bpm)"

    def _repr_html_(self) -> str:
        return f"{self.to_score()._repr_html_()}<pre>{self.to_text()}</pre>"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the grid: darker is louder, shifted is early or late."""
        from groove_core.values.plots import INK, PALETTE, new_axes

        rows = [i for i in range(len(DRUMS)) if self.hits[:, i].any()] or [0, 1, 2]
        ax = ax or new_axes(max(4.0, 1.2 + 0.16 * len(self.hits)), 0.7 + 0.26 * len(rows))
        for y, index in enumerate(rows):
            steps = np.nonzero(self.hits[:, index])[0]
            at = steps.astype(float)
            if self.offset_ticks is not None:
                at += self.offset_ticks[steps, index] / TICKS_PER_STEP
            loud = np.full(len(steps), DEFAULT_VELOCITY / 127)
            if self.velocity is not None:
                loud = self.velocity[steps, index] / 127
            colors = [(PALETTE[index % len(PALETTE)], 0.25 + 0.75 * float(v)) for v in loud]
            ax.barh(y, 0.86, left=at - 0.43, height=0.74, color=colors)
        for step in range(0, len(self.hits) + 1, 4):
            ax.axvline(step - 0.5, color=INK, lw=1.0 if step % 16 == 0 else 0.3, zorder=0)
        ax.set_yticks(range(len(rows)), [DRUMS[i].name for i in rows])
        beats = range(0, len(self.hits), 4)
        ax.set_xticks(list(beats), [f"{s // 16 + 1}.{s % 16 // 4 + 1}" for s in beats])
        ax.set(xlim=(-0.5, len(self.hits) - 0.5), ylim=(len(rows) - 0.5, -0.5))
        ax.tick_params(length=0, labelsize=8)
        for side in ax.spines.values():
            side.set_visible(False)
        return ax


def _per_hit(values: Grid | None, hits: Grid, name: str, low: int, high: int) -> Grid | None:
    """Check a grid of numbers and blank what is not a hit."""
    if values is None:
        return None
    grid = np.array(values)
    if grid.shape != hits.shape:
        raise UsageError(
            f"{name} has shape {grid.shape} where hits has {hits.shape}.",
            hint=f"Give {name} for every step and drum, or None.",
        )
    grid = np.where(hits, grid, 0)
    if (grid[hits] < low).any() or (grid[hits] > high).any() or (grid != np.floor(grid)).any():
        raise UsageError(
            f"{name} must be whole numbers from {low} to {high}.", hint=f"Round and clip {name}."
        )
    return grid.astype(np.int64)
