"""How steady a drummer is: how far each drum changes from one bar to the next.

Histograms cannot tell a drummer from dice: whoever shuffles the hits of a performance keeps
them. Here each hit is compared with that of the same drum and step 1, 2 and 4 bars before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from groove_core.console import track
from groove_core.drums import KIT_DRUMS
from groove_core.errors import InputError
from groove_core.learning import about_intervals, bootstrap, interval
from groove_core.storage import checkpoints
from groove_core.values import Estimate, Report
from groove_vae.feel import mean_bar, spread
from groove_vae.performances import Performance, as_learnt, held_out, load
from groove_vae.symbolic import STEPS_PER_BAR, Grid, centred, performance_grid
from groove_vae.twin import Twin, play

__all__ = [
    "COLUMNS", "LAGS", "WAYS", "Changes", "changes", "evaluate", "evaluate_steadiness", "shuffled",
]  # fmt: skip

LAGS = 1, 2, 4
"""Bars between the hits that are compared."""
DRAWS = 4
"""How often humanize plays each performance."""
WAYS = "played", "humanize", "template", "bars shuffled"
COLUMNS = tuple(
    f"{what}, {lag} bar{'s' * (lag > 1)}"
    for what in ("velocity change", "velocity r", "ms change", "ms r")
    for lag in (LAGS[:1] if what.endswith("change") else LAGS)
)
EVERY = "every drum"

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Changes:
    """Sums over the pairs of hits of a drum and step that are so many bars apart.

    Parameters
    ----------
    sums : float array [shape=(performances, lags, 9, 2, 4)]
        Of each performance, lag, drum, and velocity (0 to 127) or timing (ms): pairs, absolute
        differences, products and mean squares. The last two are of distances to the mean of the
        drum in the performance.
    """

    sums: Floats

    def rounds(self, draws: Floats) -> tuple[Floats, Floats]:
        """Return mean change and correlation [shape=(rounds, lags, 10, 2)]; NaN without a pair.

        The last drum is all nine together.

        Parameters
        ----------
        draws : float array [shape=(rounds, performances)]
            Of `bootstrap`.
        """
        total = np.tensordot(draws, self.sums, axes=1)
        total = np.concatenate([total, total.sum(axis=2, keepdims=True)], axis=2)
        pairs, change, product, square = np.moveaxis(total, -1, 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            return change / pairs, product / square


def changes(grids: Sequence[Grid], tempo_bpm: Sequence[float]) -> Changes:
    """Compare the hits of each drum and step with those some bars before.

    Parameters
    ----------
    grids : sequence of Grid
        One per performance.
    tempo_bpm : sequence of float
    """
    shape = -1, STEPS_PER_BAR, len(KIT_DRUMS)
    bars = np.array([len(grid.hit) // STEPS_PER_BAR for grid in grids])
    owner = np.repeat(np.arange(len(grids)), bars)
    hit = np.concatenate([grid.hit for grid in grids]).reshape(shape)
    half_sixteenth_ms = (7500 / np.asarray(tempo_bpm))[owner][:, None, None]
    velocity = 127 * np.concatenate([grid.velocity for grid in grids]).reshape(shape)
    late_ms = np.concatenate([grid.offset for grid in grids]).reshape(shape) * half_sixteenth_ms
    value = np.stack([velocity, late_ms], axis=-1)
    start = np.cumsum(bars) - bars
    count = np.add.reduceat(hit.sum(axis=1), start)[..., None]
    mean = np.add.reduceat((value * hit[..., None]).sum(axis=1), start) / np.maximum(count, 1)
    beside = (value - mean[owner][:, None]) * hit[..., None]
    sums = np.zeros((len(grids), len(LAGS), len(KIT_DRUMS), 2, 4))
    for index, lag in enumerate(LAGS):
        same = np.nonzero(owner[lag:] == owner[:-lag])[0]
        if not len(same):
            continue
        both = (hit[same] & hit[same + lag])[..., None]
        first, second = beside[same], beside[same + lag]
        found = np.stack(
            [
                np.broadcast_to(both, first.shape),
                np.abs(value[same + lag] - value[same]) * both,
                first * second * both,
                0.5 * (first**2 + second**2) * both,
            ],
            axis=-1,
        ).sum(axis=1)
        np.add.at(sums[:, index], owner[same], found)
    return Changes(sums)


def evaluate(
    *, checkpoint: str, data: Path | None, count: int | None, seed: int, device: str
) -> Report:
    """Measure a checkpoint; see `groove_vae.actions.evaluate`."""
    model, card = checkpoints.load("groove-vae", checkpoint, Twin, device=device)
    performances = as_learnt(card, load(data=data))
    if not any(one.split == "train" for one in performances):  # of which the template is made
        known = as_learnt(card, load())
        performances += [one for one in known if one.split == "train"]
    return evaluate_steadiness(model, performances, count=count, seed=seed)


def evaluate_steadiness(
    model: Twin, performances: Sequence[Performance], *, count: int | None = None, seed: int
) -> Report:
    """Measure how steady test performances are, and the same notes played in other ways.

    Parameters
    ----------
    count : int, optional
        Performances to measure on, spread evenly; all by default.

    Raises
    ------
    InputError
        If there are not two performances in the test split and one to learn from, or none in
        which a drum is hit twice on a step.
    """
    learnt = [performance_grid(one) for one in performances if one.split == "train"]
    test = held_out(performances, count)
    if not learnt:
        raise InputError("The data has no training split to compare with.", hint="Give more files.")
    template = mean_bar(learnt)
    real = [performance_grid(one) for one in test]
    tempos = [one.bpm for one in test]
    found = {
        "played": changes(real, tempos),
        "template": changes([spread(template, grid.hit) for grid in real], tempos),
        "bars shuffled": changes(
            [shuffled(grid, np.random.default_rng([seed, i])) for i, grid in enumerate(real)],
            tempos,
        ),
    }
    if not found["played"].sums.any():
        raise InputError(
            "No test performance hits a drum twice on the same step.", hint="Give longer files."
        )

    def humanized(number: int) -> Floats:
        made = []
        for index, (grid, bpm) in enumerate(zip(real, tempos, strict=True)):
            tempo_bpm = np.full(len(grid.hit) // STEPS_PER_BAR, bpm)
            feel = play(model, grid.hit, tempo_bpm, seed=(seed + number) * 100_003 + index)
            made.append(centred(feel, tempo_bpm))
        return changes(made, tempos).sums

    sums = [humanized(number) for number in track(range(DRAWS), "measuring", total=DRAWS)]
    found["humanize"] = Changes(np.mean(sums, axis=0))
    draws = bootstrap(len(test))
    names = [*(drum.name for drum in KIT_DRUMS), EVERY]
    cells = {name: _estimates(one.rounds(draws)) for name, one in found.items()}
    order = [len(KIT_DRUMS), *range(len(KIT_DRUMS))]
    known = [drum for drum in order if _known(cells["played"][drum])]
    rows = [(f"{names[drum]}: {way}", *cells[way][drum]) for drum in known for way in WAYS]
    outside = [
        f"{names[drum]}, {column}: {mine.value:.2f} ({theirs.low:.2f} to {theirs.high:.2f})"
        for drum in known
        for column, mine, theirs in zip(
            COLUMNS, cells["humanize"][drum], cells["played"][drum], strict=True
        )
        if not theirs.low <= mine.value <= theirs.high
    ]
    compared = len(known) * len(COLUMNS)
    count_of = [int(found["played"].sums[:, 0, drum, 0, 0].sum()) for drum in range(len(KIT_DRUMS))]
    return Report(
        title=f"groove-vae: steadiness from bar to bar in {len(test)} held-out performances",
        columns=("", *COLUMNS),
        rows=tuple(rows),
        notes=(
            "change: mean absolute difference of hits of a drum on one step, a bar apart. r: their "
            "correlation 1, 2 and 4 bars apart, after the mean of the drum in the performance.",
            "played: as it was; humanize: at its defaults, "
            f"{DRAWS} draws of each; template: the mean of each "
            "drum and step over the training split; bars shuffled: as played, its bars in another "
            "order.",
            "Pairs of hits a bar apart: "
            + ", ".join(f"{names[i]} {n}" for i, n in enumerate(count_of)) + ".",
            f"humanize lies inside the interval of what was played in {compared - len(outside)} "
            f"of {compared} figures"
            + (f"; outside: {'; '.join(outside)}." if outside else "."),
            about_intervals("performances"),
        ),
    )  # fmt: skip


def shuffled(grid: Grid, rng: np.random.Generator) -> Grid:
    """Return a grid with its bars in another order."""
    order = rng.permutation(len(grid.hit) // STEPS_PER_BAR)
    step = (order[:, None] * STEPS_PER_BAR + np.arange(STEPS_PER_BAR)).ravel()
    return Grid(grid.hit[step], grid.velocity[step], grid.offset[step])


def _estimates(rounds: tuple[Floats, Floats]) -> list[list[Estimate]]:
    """Return the cells of each drum, in the order of `COLUMNS`."""
    change, r = rounds
    columns = np.concatenate([change[:, :1], r], axis=1)  # [rounds, 1 + lags, drums, 2]
    return [
        [interval(columns[:, at, drum, kind]) for kind in (0, 1) for at in range(1 + len(LAGS))]
        for drum in range(columns.shape[2])
    ]


def _known(cells: Sequence[Estimate]) -> bool:
    """Return whether a drum has pairs at every lag."""
    return all(np.isfinite(cell.value) for cell in cells)
