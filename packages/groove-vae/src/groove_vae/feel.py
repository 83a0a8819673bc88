"""The feel of a part without any model: on the grid, on average, on other notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from groove_core.drums import KIT_DRUMS, drum_tracks, meters, no_drums
from groove_core.storage import csv_text, write_text
from groove_core.values import Record, Score
from groove_vae.overview import overview
from groove_vae.performances import TICKS_PER_QUARTER
from groove_vae.symbolic import STEPS_PER_BAR, Grid, Part, loudest, nearest

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Fingerprint", "cell_means", "fingerprint_of", "mean_bar", "on_grid", "spread"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SCALE_MS, SCALE_VELOCITY = 20.8, 26.8
"""How much the mean of a cell differs between the beats of the training split (standard
deviation), so that a difference in timing and one in velocity can be added."""
MIN_HITS = 4
"""Cells with fewer hits in one of two fingerprints are not compared."""


def on_grid(score: Score, *, per_beat: int, strength: float = 1.0, evenness: float = 0.0) -> Score:
    """Move the drums of a score to a grid, in any metre; all else stays as it is.

    Parameters
    ----------
    per_beat : int
        Lines of the grid per quarter note.
    strength : float
        How far to move: 1 all the way.
    evenness : float
        How far to bring velocities to the mean of their pitch: 1 all the way.

    Raises
    ------
    InputError
        If there are no drums.
    """
    if strength:  # ticks for every line of the grid, and for what is moved part of the way
        least = TICKS_PER_QUARTER if strength < 1 else 1
        score = score.at_resolution(least, multiple_of=per_beat)
    drums = drum_tracks(score)
    if not drums:
        raise no_drums(score.name, 0)
    begins = np.array([span[0] for span in meters(score)])
    quarter = score.ticks_per_quarter

    def quantized(notes: Ints) -> Ints:
        tick, velocity = notes[:, 0], notes[:, 3]
        begin = begins[np.searchsorted(begins, tick, side="right") - 1]
        line = np.floor((tick - begin) * per_beat / quarter + 0.5)
        target = begin + line * quarter / per_beat
        pitch = notes[:, 2]
        mean = np.bincount(pitch, velocity, 128)[pitch] / np.bincount(pitch, minlength=128)[pitch]
        new = notes.copy()
        new[:, 0] = np.floor(tick + strength * (target - tick) + 0.5)
        new[:, 3] = np.round(velocity + evenness * (mean - velocity)).clip(1, 127)
        return new

    chosen = {id(track) for track in drums}
    tracks = tuple(
        replace(track, notes=quantized(track.notes)) if id(track) in chosen else track
        for track in score.tracks
    )
    return replace(score, tracks=tracks)


def cell_means(values: Floats, hit: npt.NDArray[np.bool_]) -> Floats:
    """Average over bars, and fill what is never hit from what is like it.

    A step and drum without a hit gets the mean of, in this order: the drum on the steps
    at the same place in their beat; the drum on any step; any drum on the step; any drum
    at that place of the beat; all hits.

    Parameters
    ----------
    values : float array [shape=(16 * bars, 9)]
    hit : bool array [shape=(16 * bars, 9), at least one hit]

    Returns
    -------
    float array [shape=(16, 9)]
    """
    bars = (-1, STEPS_PER_BAR, values.shape[1])
    total = np.where(hit, values, 0.0).reshape(bars).sum(axis=0)
    count = hit.reshape(bars).sum(axis=0).astype(np.float64)

    def same_place(cells: Floats) -> Floats:
        return np.tile(cells.reshape(4, 4, -1).sum(axis=0), (4, 1))

    levels = [
        (total, count),
        (same_place(total), same_place(count)),
        (total.sum(axis=0), count.sum(axis=0)),
        (total.sum(axis=1, keepdims=True), count.sum(axis=1, keepdims=True)),
        (
            same_place(total).sum(axis=1, keepdims=True),
            same_place(count).sum(axis=1, keepdims=True),
        ),
        (total.sum(), count.sum()),
    ]
    filled = np.full(total.shape, np.nan)
    for sums, counts in levels:
        mean = np.broadcast_to(sums / np.maximum(counts, 1), filled.shape)
        filled = np.where(np.isnan(filled) & (counts > 0), mean, filled)
    return filled


def spread(feel: Grid, hit: npt.NDArray[np.bool_]) -> Grid:
    """Give the mean feel of one part to the hits of another [shape=(16 * bars, 9)]."""
    bars = len(hit) // STEPS_PER_BAR
    velocity = np.tile(cell_means(feel.velocity, feel.hit), (bars, 1))
    offset = np.tile(cell_means(feel.offset, feel.hit), (bars, 1))
    return Grid(hit, velocity * hit, offset * hit)


def mean_bar(grids: Sequence[Grid]) -> Grid:
    """Return one bar in which every drum is hit on every step, with the mean feel of parts."""
    names = "hit", "velocity", "offset"
    whole = Grid(*(np.concatenate([getattr(grid, name) for grid in grids]) for name in names))
    return spread(whole, np.ones((STEPS_PER_BAR, len(KIT_DRUMS)), dtype=bool))


@dataclass(frozen=True, eq=False, repr=False)
class Fingerprint(Record):
    """The mean feel of one or more parts, by drum and sixteenth of the bar.

    Parameters
    ----------
    names : sequence of str
        What each part is called.
    count : int array [shape=(parts, 16, 9)]
        Hits; of several on one drum and step, the loudest.
    late_ms, late_ms_sd : float arrays [shape=(parts, 16, 9)]
        Mean and standard deviation of the distance to the grid; positive is late.
    velocity, velocity_sd : float arrays [shape=(parts, 16, 9), 0 to 127]
        All 0 where there is no hit.
    """

    kind: ClassVar[str] = "fingerprint"
    default_formats: ClassVar[tuple[str, ...]] = ("json", "png", "csv")

    keys = "names drums count late_ms late_ms_sd velocity velocity_sd distances"
    arrays = "count", "late_ms", "late_ms_sd", "velocity", "velocity_sd"
    digits: ClassVar = dict.fromkeys(arrays[1:], 4)

    names: tuple[str, ...]
    count: Ints
    late_ms: Floats
    late_ms_sd: Floats
    velocity: Floats
    velocity_sd: Floats

    def __post_init__(self) -> None:
        super().__post_init__()
        shape = (len(self.names), STEPS_PER_BAR, len(KIT_DRUMS))
        for name in self.arrays:
            object.__setattr__(self, name, getattr(self, name).reshape(shape))

    def drums(self) -> list[str]:
        """Return the names of the drums."""
        return [drum.name for drum in KIT_DRUMS]

    def distances(self) -> list[list[float | None]]:
        """Return the `distance` of each part to each, None where they share no cell."""
        return [
            [None if np.isnan(one) else round(float(one), 4) for one in row]
            for row in self.distance(self)
        ]

    def margin(self, name: str) -> Floats:
        """Give half the 95 % interval of a mean: 1.96 standard errors; NaN below two hits."""
        sd: Floats = getattr(self, f"{name}_sd")
        return np.where(self.count > 1, 1.96 * sd / np.sqrt(np.maximum(self.count - 1, 1)), np.nan)

    def part(self, index: Sequence[int]) -> Fingerprint:
        """Take some of the parts."""
        chosen = list(index)
        names = tuple(self.names[i] for i in chosen)
        return Fingerprint(names, *(getattr(self, key)[chosen] for key in self.arrays))

    def merged(self, name: str) -> Fingerprint:
        """Pool all parts into one, as if they were one performance."""
        n = self.count.sum(axis=0)
        arrays: list[npt.NDArray[Any]] = [n]
        for key in ("late_ms", "velocity"):
            mean, sd = getattr(self, key), getattr(self, f"{key}_sd")
            first = (self.count * mean).sum(axis=0) / np.maximum(n, 1)
            second = (self.count * (mean**2 + sd**2)).sum(axis=0) / np.maximum(n, 1)
            arrays += [first, np.sqrt(np.maximum(0, second - first**2))]
        return Fingerprint((name,), *arrays)

    def by_folder(self) -> Fingerprint:
        """Pool the parts of each folder; parts are called by the paths of their files."""
        folders: dict[Path, list[int]] = {}
        for index, name in enumerate(self.names):
            folders.setdefault(Path(name).parent, []).append(index)
        merged = [
            self.part(parts).merged(f"{folder.as_posix()} ({len(parts)} files)")
            for folder, parts in sorted(folders.items())
        ]
        arrays = (np.concatenate([getattr(one, key) for one in merged]) for key in self.arrays)
        return Fingerprint(tuple(one.names[0] for one in merged), *arrays)

    def distance(
        self, other: Fingerprint, *, by: Sequence[str] = ("late_ms", "velocity")
    ) -> Floats:
        """Compare each part with each of another fingerprint.

        The root mean square difference of the means of shared cells (at least four hits in
        both), in units of how much drummers differ there, each cell weighted with the
        smaller number of hits.

        Returns
        -------
        float array [shape=(parts, parts of the other)]
            NaN where two parts share no cell.
        """
        scale = {"late_ms": SCALE_MS, "velocity": SCALE_VELOCITY}
        fewer = np.minimum(self.count[:, None], other.count[None])
        weight = np.where(fewer >= MIN_HITS, fewer, 0)
        square = np.mean(
            [
                ((getattr(self, key)[:, None] - getattr(other, key)[None]) / scale[key]) ** 2
                for key in by
            ],
            axis=0,
        )
        total = weight.sum(axis=(2, 3))
        mean = (weight * square).sum(axis=(2, 3)) / np.maximum(total, 1)
        return np.where(total > 0, np.sqrt(mean), np.nan)

    def to_text(self) -> str:
        if len(self.names) > 3:  # more would not fit a screen
            distance = self.distance(self)
            return overview(self.names, self.count, self.late_ms, self.velocity, distance)
        lines = []
        for part, name in enumerate(self.names):
            lines += [
                name,
                "  drum            hits   late (ms)    velocity    ms late on each 16th",
            ]
            whole = self._by_drum(part)
            for drum in np.nonzero(self.count[part].any(axis=0))[0]:
                steps = (
                    f"{late:4.0f}" if n else "   ."
                    for late, n in zip(
                        self.late_ms[part, :, drum], self.count[part, :, drum], strict=True
                    )
                )
                n, late, late_margin, loud, loud_margin = whole[drum]
                lines.append(
                    f"  {KIT_DRUMS[drum].name:14}{n:6.0f}  {late:5.1f} ±{late_margin:3.1f}"
                    f"  {loud:6.1f} ±{loud_margin:3.1f}  {''.join(steps)}"
                )
        if len(self.names) > 1:
            lines.append("distances")
            for name, row in zip(self.names, self.distance(self), strict=True):
                cells = "".join("     -" if np.isnan(one) else f"{one:6.2f}" for one in row)
                lines.append(f"  {name[-30:]:30}{cells}")
        return "\n".join(lines)

    def _by_drum(self, part: int) -> list[tuple[float, ...]]:
        """Give hits, mean and margin of lateness and velocity of each drum over all steps."""
        rows = []
        for drum in range(len(KIT_DRUMS)):
            count = self.count[part, :, drum]
            n = int(count.sum())
            row: list[float] = [n]
            for key in ("late_ms", "velocity"):
                mean, sd = (getattr(self, key + end)[part, :, drum] for end in ("", "_sd"))
                first = float((count * mean).sum()) / max(1, n)
                second = float((count * (mean**2 + sd**2)).sum()) / max(1, n)
                row += [first, 1.96 * max(0.0, second - first**2) ** 0.5 / max(1, n - 1) ** 0.5]
            rows.append(tuple(row))
        return rows

    def __repr__(self) -> str:
        return f"Fingerprint({len(self.names)} parts, {self.count.sum()} hits)"

    def _save_csv(self, path: Path) -> None:
        rows: list[list[Any]] = [
            ["part", "drum", "step", "hits", "late_ms", "late_ms_margin", "velocity",
             "velocity_margin"]
        ]  # fmt: skip
        late_margin, loud_margin = self.margin("late_ms"), self.margin("velocity")
        for at in zip(*np.nonzero(self.count), strict=True):
            part, step, drum = at
            numbers = (self.late_ms[at], late_margin[at], self.velocity[at], loud_margin[at])
            cells = ["" if np.isnan(one) else round(float(one), 3) for one in numbers]
            rows.append([self.names[part], KIT_DRUMS[drum].name, step + 1, self.count[at], *cells])
        write_text(path, csv_text(rows))

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw two heat maps a part: how late, and how hard. At most eight parts."""
        from groove_core.values import panel, sheet

        parts = min(8, len(self.names))
        drums = np.nonzero(self.count[:parts].any(axis=(0, 1)))[0]
        ax = sheet(ax, 11, 0.9 + parts * (0.6 + 0.3 * len(drums)), "")
        widest = max(10.0, float(np.abs(self.late_ms[:parts]).max()))
        for part in range(parts):
            bottom, height = 1 - (part + 0.88) / parts, 0.72 / parts
            for left, values, words, colors, low, high in (
                (0.09, self.late_ms, "ms late", "PuOr", -widest, widest),
                (0.58, self.velocity, "velocity", "viridis", 0.0, 127.0),
            ):
                inner = panel(ax, (left, bottom, 0.36, height), self.names[part], loc="left")
                shown = np.where(self.count[part] > 0, values[part], np.nan)[:, drums].T
                image = inner.imshow(shown, aspect="auto", cmap=colors, vmin=low, vmax=high)
                bar = ax.inset_axes((left + 0.37, bottom, 0.01, height))
                ax.figure.colorbar(image, cax=bar, label=words)
                inner.set_xticks(range(0, STEPS_PER_BAR, 4), ["1", "2", "3", "4"])
                labels = [KIT_DRUMS[drum].name if left < 0.5 else "" for drum in drums]
                inner.set_yticks(range(len(drums)), labels)
                bar.tick_params(labelsize=7)
        return ax


def fingerprint_of(parts: Sequence[Part]) -> Fingerprint:
    """Measure the mean feel of parts."""
    rows = []
    for part in parts:
        step, _ = nearest(part.beats)
        at = loudest(step, part.drum, part.velocity)
        shape = STEPS_PER_BAR, len(KIT_DRUMS)
        cell = step[at] % STEPS_PER_BAR * len(KIT_DRUMS) + part.drum[at]
        size = shape[0] * shape[1]
        count = np.bincount(cell, minlength=size)
        row: list[npt.NDArray[Any]] = [count]
        for values in (part.late_ms[at], part.velocity[at].astype(np.float64)):
            mean = np.bincount(cell, values, size) / np.maximum(count, 1)
            variance = np.bincount(cell, (values - mean[cell]) ** 2, size) / np.maximum(count, 1)
            row += [mean, np.sqrt(variance)]
        rows.append([one.reshape(shape) for one in row])
    arrays = [np.stack(column) for column in zip(*rows, strict=True)]
    return Fingerprint(tuple(part.score.name for part in parts), *arrays)
