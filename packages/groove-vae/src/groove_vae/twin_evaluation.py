"""The table of the symbolic twin: played notes beside simpler ways of playing them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from groove_core.console import track
from groove_core.errors import InputError
from groove_core.learning import about_intervals, bootstrap, interval, wilson
from groove_core.storage import checkpoints
from groove_core.values import Cell, Estimate, Report
from groove_vae.feel import Fingerprint, fingerprint_of, mean_bar, spread
from groove_vae.performances import Performance, as_learnt, held_out, load
from groove_vae.symbolic import STEPS_PER_BAR, Grid, Part, centred, performance_grid
from groove_vae.twin import Twin, play

__all__ = ["COLUMNS", "drummers_named", "evaluate", "evaluate_twin", "histogram_kl"]

COLUMNS = ("timing MAE, ms", "timing MSE, 16ths²", "timing KL", "velocity MAE", "velocity KL")
KL_OF_TIMING = COLUMNS.index("timing KL")
OFFSET_BINS = np.linspace(-1, 1, 41)
VELOCITY_BINS = np.linspace(0.5, 127.5, 33) / 127

Floats = npt.NDArray[np.float64]
Player = Callable[[int, Performance, Grid], Grid]
"""Gives the feel of the notes of a performance, whose index in the test split it knows."""


@dataclass(frozen=True)
class Errors:
    """What one way of playing makes of each performance; one row each."""

    sums: Floats
    """[shape=(n, 4)]: hits; sums of |ms|, squared sixteenths and |velocity|."""
    offsets: Floats
    velocities: Floats
    """Histograms [shape=(n, bins)]."""


def evaluate(
    *, checkpoint: str, data: Path | None, count: int | None, seed: int, device: str
) -> Report:
    """Measure a checkpoint; see `groove_vae.actions.evaluate`."""
    model, card = checkpoints.load("groove-vae", checkpoint, Twin, device=device)
    performances = as_learnt(card, load(data=data))
    if not any(one.split == "train" for one in performances):  # what it is compared with
        known = as_learnt(card, load())
        performances += [one for one in known if one.split == "train"]
    return evaluate_twin(model, performances, count=count, seed=seed)


def evaluate_twin(
    model: Twin, performances: Sequence[Performance], *, count: int | None = None, seed: int
) -> Report:
    """Measure the twin on the test split of performances in 4/4.

    Parameters
    ----------
    count : int, optional
        Measure on so many performances, spread evenly; on all when left out.

    Raises
    ------
    InputError
        If there are not two performances in the test split and one to learn from.
    """
    train = [one for one in performances if one.split == "train"]
    test = held_out(performances, count)
    if not train:
        raise InputError("The data has no training split to compare with.", hint="Give more files.")
    grids = [performance_grid(one) for one in test]
    learnt = [performance_grid(one) for one in train]
    real = _errors(grids, grids, test)

    def played(player: Player) -> list[Grid]:
        return [player(i, *pair) for i, pair in enumerate(zip(test, grids, strict=True))]

    def centred_errors(made: Sequence[Grid]) -> Errors:
        tempos = [
            np.full(len(grid.hit) // STEPS_PER_BAR, one.bpm)
            for grid, one in zip(grids, test, strict=True)
        ]
        return _errors([centred(*pair) for pair in zip(made, tempos, strict=True)], grids, test)

    def model_plays(temperature: float, *, told: bool) -> Player:
        def player(index: int, one: Performance, grid: Grid) -> Grid:
            known_style = told and one.style in model.styles
            known_drummer = told and one.drummer in model.drummers
            return play(
                model,
                grid.hit,
                np.full(len(grid.hit) // STEPS_PER_BAR, one.bpm),
                style=one.style if known_style else None,
                drummer=one.drummer if known_drummer else None,
                temperature=temperature,
                seed=seed * 100_003 + index,
            )

        return player

    template = mean_bar(learnt)
    loudness = sum(float(one.velocity.sum()) for one in learnt)
    loudness /= sum(int(one.hit.sum()) for one in learnt)

    def on_the_grid(_: int, __: Performance, grid: Grid) -> Grid:
        return Grid(grid.hit, np.where(grid.hit, loudness, 0.0), np.zeros(grid.hit.shape))

    def average(_: int, __: Performance, grid: Grid) -> Grid:
        return spread(template, grid.hit)

    def own_mean(_: int, __: Performance, grid: Grid) -> Grid:
        late, loud = (float(one[grid.hit].mean()) for one in (grid.offset, grid.velocity))
        return Grid(grid.hit, np.where(grid.hit, loud, 0.0), np.where(grid.hit, late, 0.0))

    def copied(index: int, one: Performance, grid: Grid) -> Grid:
        alike = [i for i, other in enumerate(train) if other.style == one.style] or [
            *range(len(train))
        ]
        rng = np.random.default_rng([seed, index])
        return spread(learnt[int(rng.choice(alike))], grid.hit)

    players: dict[str, Player] = {
        "model, sampled": model_plays(1.0, told=False),
        "model, mean": model_plays(0.0, told=False),
        "sampled, style and drummer told": model_plays(1.0, told=True),
        "mean, style and drummer told": model_plays(0.0, told=True),
        "quantized": on_the_grid,
        "mean per drum and step": average,
        "feel of a training performance": copied,
        "the performance's own mean": own_mean,
    }
    rows: list[tuple[Cell, ...]] = []
    errors = {}
    for name, player in track(players.items(), "measuring", total=len(players)):
        made = played(player)
        errors[name] = _errors(made, grids, test)
        if name == "model, sampled":
            there = _cells(centred_errors(made), centred_errors(grids))[KL_OF_TIMING]
        rows.append((name, *_cells(errors[name], real)))
    nearer = _nearer(errors["model, mean"], errors["quantized"])
    other = _errors(learnt, learnt, train)
    floor = [
        float(histogram_kl(_share(mine.sum(axis=0)), _share(theirs.sum(axis=0))))
        for mine, theirs in (
            (real.offsets, other.offsets),
            (real.velocities, other.velocities),
        )
    ]
    rows.append(("training split itself", None, None, floor[0], None, floor[1]))
    notes = [
        "timing MAE, MSE: of all hits, the loudest of each drum and sixteenth, against how they "
        "were played. MSE in squared sixteenths.",
        "KL: of the histogram of real offsets (40 bins from -1 to 1 half sixteenth) or velocities "
        "(32 bins of 4) from that of the made ones, in nats, half a hit added to each bin. The "
        "training split is as near as other music by the same drummers comes.",
        "sampled: one draw; mean: the average of all ways to play, which no drummer plays. "
        "humanize centres its parts: of centred draws from centred performances, the timing KL is "
        f"{there}.",
        "the performance's own mean: one offset and one velocity for all of it, known from the "
        "answer.",
        f"{about_intervals('performances')} On the same draws, "
        f"the model's mean is {nearer.value:.1f} ms ({nearer.low:.1f} to {nearer.high:.1f}) nearer "
        "than the grid.",
    ]
    found: dict[str, object] = {}
    for by, words in ((("late_ms", "velocity"), "timing and velocity"), (("late_ms",), "timing"),
                      (("velocity",), "velocity")):  # fmt: skip
        named = drummers_named(performances, by=by)
        if named is None:
            break
        right, total, drummers = named
        share = wilson(right, total)
        found[words] = {"right": right, "of": total, "low": share.low, "high": share.high}
        notes.append(
            f"The fingerprint by {words} names the drummer of {right} of {total} performances "
            f"({100 * share.value:.0f} %, {100 * share.low:.0f} to {100 * share.high:.0f}; chance "
            f"{100 / drummers:.0f} %), from what they play in the other grooves."
        )
    return Report(
        title=f"groove-vae: {int(real.sums[:, 0].sum())} hits of {len(test)} held-out performances",
        columns=("", *COLUMNS),
        rows=tuple(rows),
        notes=tuple(notes),
        data={"drummers": found},
    )


def _errors(
    made: Sequence[Grid], real: Sequence[Grid], performances: Sequence[Performance]
) -> Errors:
    sums, offsets, velocities = [], [], []
    for mine, theirs, one in zip(made, real, performances, strict=True):
        hit = theirs.hit
        sixteenths = (mine.offset[hit] - theirs.offset[hit]) / 2
        louder = np.abs(mine.velocity[hit] - theirs.velocity[hit]) * 127
        ms = np.abs(sixteenths) * 15_000 / one.bpm
        sums.append([hit.sum(), ms.sum(), (sixteenths**2).sum(), louder.sum()])
        offsets.append(np.histogram(mine.offset[hit], OFFSET_BINS)[0])
        velocities.append(np.histogram(mine.velocity[hit], VELOCITY_BINS)[0])
    return Errors(np.array(sums), np.array(offsets, float), np.array(velocities, float))


def _share(counts: Floats) -> Floats:
    """Make histograms [shape=(..., bins)] shares, with half a hit added to each bin."""
    more = counts + 0.5
    share: Floats = more / more.sum(axis=-1, keepdims=True)
    return share


def histogram_kl(real: Floats, made: Floats) -> Floats:
    """KL(real || made) of histograms of shares [shape=(..., bins)], in nats."""
    kl: Floats = (real * np.log(real / made)).sum(axis=-1)
    return kl


def _cells(mine: Errors, real: Errors) -> list[Cell]:
    """Give the cells of a row, with bootstrap intervals over performances."""
    drawn = bootstrap(len(mine.sums))
    sums = drawn @ mine.sums
    ms, square, louder = (sums[:, 1:] / sums[:, :1]).T

    def kl(made: Floats, theirs: Floats) -> Floats:
        return histogram_kl(_share(drawn @ theirs), _share(drawn @ made))

    columns = (
        ms,
        square,
        kl(mine.offsets, real.offsets),
        louder,
        kl(mine.velocities, real.velocities),
    )
    return [interval(one) for one in columns]


def _nearer(mine: Errors, other: Errors) -> Estimate:
    """Give by how many ms one way of playing is nearer than another, on the same draws."""
    drawn = bootstrap(len(mine.sums))
    return interval(drawn @ (other.sums[:, 1] - mine.sums[:, 1]) / (drawn @ mine.sums[:, 0]))


def drummers_named(
    performances: Sequence[Performance], *, by: Sequence[str] = ("late_ms", "velocity")
) -> tuple[int, int, int] | None:
    """Name drummers who played the same grooves, leaving one groove out at a time.

    Each performance of the groove goes to the drummer whose fingerprint over the other
    grooves is nearest.

    Returns
    -------
    right, total, drummers : int
        None where the data has no evaluation session of at least two drummers.
    """
    session = [one for one in performances if one.session == "eval_session"]
    drummers = sorted({one.drummer for one in session})
    if len(drummers) < 2:
        return None
    prints = fingerprint_of([Part.of(one.to_score()) for one in session])
    right = total = 0
    for groove in sorted({one.styles for one in session}):
        rest: list[Fingerprint] = []
        for name in drummers:
            chosen = [
                i for i, one in enumerate(session) if one.drummer == name and one.styles != groove
            ]
            rest.append(prints.part(chosen).merged(name))
        for index, one in enumerate(session):
            if one.styles == groove:
                mine = prints.part([index])
                distances = [float(mine.distance(other, by=by)[0, 0]) for other in rest]
                right += drummers[int(np.nanargmin(distances))] == one.drummer
                total += 1
    return right, total, len(drummers)
