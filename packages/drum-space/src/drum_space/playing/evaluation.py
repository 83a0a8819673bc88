"""How drawn beats are played, beside performances that the players did not come from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from drum_space.playing.players import MS_PER_TICK, Performance, performances
from groove_core.console import track
from groove_core.drums import DEFAULT_VELOCITY, DRUMS, STEPS_PER_BAR, DrumPattern
from groove_core.errors import InputError
from groove_core.learning import PARTS, about_intervals, means
from groove_core.values import Cell, Estimate, Report

__all__ = ["COLUMNS", "DISTANCES", "Played", "distances", "evaluate_playing", "measure"]

COLUMNS = (
    "velocity", "velocity inside", "velocity, KL", "timing, ms", "timing inside", "swing, %",
    "swing, spread", "hat, jump", "hat, steady", "overlap", "overlap, far", "fourth bars differ",
    "toms, fourth bars", "toms, other bars",
)  # fmt: skip
SINGLE = tuple(
    name for name in COLUMNS
    if name not in ("velocity", "velocity inside", "velocity, KL", "timing inside", "swing, spread")
)  # fmt: skip
"""Figures of which the real ones have an interval."""
DISTANCES = ("inside", "velocities", "timings", *SINGLE)
NAMED = {"kick": (0,), "snare": (1,), "hi-hat": (2,), "ride": (8,)}
"""The drums that are hit often enough to be measured by their place."""
PLACES = {"beats": (0, 4, 8, 12), "eighths": (2, 6, 10, 14), "sixteenths": tuple(range(1, 16, 2))}
BINS = np.arange(0, 129, 16)
TOMS = [i for i, drum in enumerate(DRUMS) if "tom" in drum.name]
LEAST_HITS = 100
"""A cell with fewer hits in the real performances is not compared."""
LEAST_PERFORMANCES = 3
"""A genre needs so many in a split to be measured beside them."""
BEATS, PHRASES, PHRASE_BARS = 200, 50, 16

Floats = npt.NDArray[np.float64]
Draw = Callable[..., Iterable[DrumPattern]]
"""Draws `count` beats of a `genre`, of so many `bars`."""


@dataclass(frozen=True)
class Played:
    """What was played: short beats or performances, and phrases, which may be the same.

    Parameters
    ----------
    beats : sequence of Performance
        For loudness and timing.
    phrases : sequence of Performance
        For what changes from bar to bar.
    """

    beats: Sequence[Performance]
    phrases: Sequence[Performance]

    @classmethod
    def real(cls, beats: Sequence[Performance]) -> Played:
        """Take the first bars of performances as their phrases."""
        return cls(beats, [one.first(PHRASE_BARS) for one in beats])

    @classmethod
    def drawn(cls, draw: Draw, genre: str) -> Played:
        """Draw beats and phrases of a genre."""
        return cls(
            *(
                [_performance(beat, genre) for beat in draw(genre=genre, count=count, bars=bars)]
                for count, bars in ((BEATS, 2), (PHRASES, PHRASE_BARS))
            )
        )

    def genres(self) -> list[str]:
        """Return the genres with enough performances, the most frequent first."""
        counts = Counter(one.genre for one in self.beats)
        return [genre for genre, n in counts.most_common() if n >= LEAST_PERFORMANCES]

    def of(self, genre: str) -> Played:
        """Return what is of a genre."""
        return Played(
            *([one for one in part if one.genre == genre] for part in (self.beats, self.phrases))
        )


def evaluate_playing(folder: Path, draws: Mapping[str, Draw], *, by_genre: bool = False) -> Report:
    """Measure drawn beats beside the test split of the Groove MIDI Dataset.

    Parameters
    ----------
    folder : path
        The data set, unpacked.
    draws : mapping of str to callable
        By the name of its rows, what draws `count` beats of a `genre`, of so many `bars`.
    by_genre : bool
        A row for each genre: how far its beats are outside the intervals of real ones.

    Returns
    -------
    Report
        What was really played, and what was drawn; the drawn hits without loudness and timing;
        and the performances of the other splits, which are no more like those of the test.

    Raises
    ------
    InputError
        If there is no such data.
    """
    found: dict[str, list[Performance]] = {}
    for one in track(performances(folder), "reading performances"):
        found.setdefault(one.split, []).append(one)
    if "test" not in found:
        raise InputError(f"{folder} has no test split.", hint="Give the Groove MIDI Dataset.")
    real = {split: Played.real(found[split]) for split in PARTS[::-1] if split in found}
    return (_genre_report if by_genre else _report)(real, draws)


def _report(real: Mapping[str, Played], draws: Mapping[str, Draw]) -> Report:
    test = real["test"]
    groups = Counter[str]()
    for one in test.beats:
        groups[one.genre] += len(one.velocity)
    genres = test.genres()
    most = max(groups[genre] for genre in genres)
    whole = Played(test.beats, test.beats)
    rows: list[tuple[Cell, ...]] = [
        *((f"real, {split}", *measure(part, test)) for split, part in real.items()),
        ("real, test, whole", *measure(whole, whole)),
    ]
    for name, draw in draws.items():
        pooled: tuple[list[Performance], list[Performance]] = ([], [])
        for genre in track(genres, f"drawing {name} beats"):
            drawn = Played.drawn(draw, genre)
            for part, more in zip(pooled, (drawn.beats, drawn.phrases), strict=True):
                part += more[: round(len(more) * groups[genre] / most)]  # as often as in the test
        flat = Played(*([_flat(one) for one in part] for part in pooled))
        rows += [(name, *measure(Played(*pooled), test)), (f"{name}, flat", *measure(flat, test))]
    return Report(
        title=f"playing: {BEATS} beats and {PHRASES} phrases of {PHRASE_BARS} bars of each of "
        f"{len(genres)} genres, beside {len(test.beats)} test performances",
        columns=("", *COLUMNS),
        rows=tuple(rows),
        notes=(
            "velocity: mean; inside: share of means, of kick, snare, hi-hat and ride on beats, "
            "eighths and sixteenths, that lie in the interval of the real ones; KL: from the real "
            "histograms of these, mean over hits, in nats.",
            "timing: standard deviation within two bars; inside: as above, of the mean timing. "
            "Timing is centred: the mean over a performance is 0.",
            *PHRASE_NOTES,
            "whole: of all bars of performances. Their sections differ, so that one bar says more "
            "of the next.",
            f"{about_intervals('performances')} Defaults were chosen on the validation split.",
        ),
    )


PHRASE_NOTES = (
    "swing: where the second sixteenth of a pair falls, 50 is straight; spread: standard "
    "deviation between two-bar groups.",
    f"From here on, of phrases; of real performances, these are the first {PHRASE_BARS} bars.",
    "hat: change of its velocity from one bar to the next, and the correlation of both.",
    "overlap: F1 of neighbouring two-bar groups, and of groups eight bars apart.",
    "fourth bars differ: how much less of what is usual every fourth bar plays than the "
    "others; toms: hits a bar.",
)


def _genre_report(real: Mapping[str, Played], draws: Mapping[str, Draw]) -> Report:
    """Measure each genre beside its test performances, or those learnt from if they are few."""
    beside = dict.fromkeys(real["test"].genres(), "test")
    if "train" in real:
        known = [genre for genre in real["train"].genres() if genre not in beside]
        beside |= dict.fromkeys(known, "train")
    rows: list[tuple[Cell, ...]] = []
    for genre, split in track(beside.items(), "drawing beats", total=len(beside)):
        wanted = real[split].of(genre)
        there = f"{len(wanted.beats)} of {split}"
        for name, draw in draws.items():
            drawn = Played.drawn(draw, genre)
            rows.append((f"{genre}, {name}", there, *distances(drawn, wanted)))
        if split == "test" and "train" in real and (other := real["train"].of(genre)).beats:
            rows.append((f"{genre}, real, train", there, *distances(other, wanted)))
    return Report(
        title=f"playing by genre: how far {BEATS} beats and {PHRASES} phrases of {PHRASE_BARS} "
        "bars lie outside the intervals of real performances",
        columns=("", "beside", *DISTANCES),
        rows=tuple(rows),
        notes=(
            "0 is inside the 95 % bootstrap interval over the real performances; above it, or "
            "below (negative), by so much.",
            f"beside: how many performances of which split. Genres with fewer than "
            f"{LEAST_PERFORMANCES} in the test are beside those of the training, which the "
            "players were learnt from: that shows how well they are met, not how well they are "
            "foreseen. An interval of three or four performances is too narrow.",
            "real, train: performances of the training beside those of the test.",
            "inside: share of all figures; velocities, timings (ms): of the means of kick, snare, "
            "hi-hat and ride on beats, eighths and sixteenths, mean distance.",
            "timing, ms: standard deviation within two bars.",
            *PHRASE_NOTES,
        ),
    )


def _performance(beat: DrumPattern, genre: str) -> Performance:
    velocity = np.where(beat.hits, DEFAULT_VELOCITY if beat.velocity is None else beat.velocity, 0)
    late = (
        np.zeros(beat.hits.shape) if beat.offset_ticks is None else beat.offset_ticks.astype(float)
    )
    late_ms = late * MS_PER_TICK / beat.tempo_bpm
    late_ms = np.where(beat.hits, late_ms - late_ms[beat.hits].mean(), 0)
    shape = (-1, STEPS_PER_BAR, len(DRUMS))
    return Performance(
        "", genre, "", beat.tempo_bpm, velocity.reshape(shape), late_ms.reshape(shape)
    )


def _flat(one: Performance) -> Performance:
    """Return the same hits on the grid, at one velocity."""
    return replace(one, velocity=DEFAULT_VELOCITY * one.hits, late_ms=0 * one.late_ms)


def measure(played: Played, real: Played) -> list[Cell]:
    """Measure what was played, beside what was really played; the `COLUMNS`."""
    velocity_inside, timing_inside = (
        float((away == 0).mean()) if len(away) else None for away in _by_cell(played, real)
    )
    all_hits = _collected(played.beats, lambda one: [one.velocity[one.hits]])
    timing = _collected(played.beats, lambda one: [_within(pair) for pair in _pairs(one)])
    swing = _collected(played.beats, lambda one: [[_swing(pair)] for pair in _pairs(one)])
    hats = [_bar_to_bar(one) for one in played.phrases]
    jump = _collected_of([[np.abs(after - before)] for before, after in hats])
    overlap = _collected(played.phrases, lambda one: [one.overlap()])
    far = _collected(played.phrases, lambda one: [one.overlap(4)])
    fourth = [_fourth_bars(one) for one in played.phrases]
    toms = [one.hits[..., TOMS].sum(axis=(1, 2)) for one in played.phrases]
    is_fourth = [np.arange(len(one)) % 4 == 3 for one in toms]
    timing_sd = _root(timing)
    return [
        _mean(all_hits),
        velocity_inside,
        _divergence(played.beats, real.beats),
        timing_sd,
        timing_inside,
        _mean(swing),
        float(np.nanstd(swing[0])) if len(swing[0]) else None,
        _mean(jump),
        _steadiness(hats),
        _mean(overlap),
        _mean(far),
        _mean(_collected_of([[one] for one in fourth])),
        _mean(_collected_of([[one[at]] for one, at in zip(toms, is_fourth, strict=True)])),
        _mean(_collected_of([[one[~at]] for one, at in zip(toms, is_fourth, strict=True)])),
    ]


Items = tuple[Floats, npt.NDArray[np.int64]]
"""Values, and the performance of each."""


def _collected(
    played: Sequence[Performance], values: Callable[[Performance], Iterable[npt.ArrayLike]]
) -> Items:
    return _collected_of([values(one) for one in played])


def _collected_of(parts: Iterable[Iterable[npt.ArrayLike]]) -> Items:
    found = [np.concatenate([np.zeros(0), *map(np.ravel, part)]) for part in parts]
    kept = [one[np.isfinite(one)] for one in found]
    owner = np.repeat(np.arange(len(kept)), [len(one) for one in kept])
    return np.concatenate([np.zeros(0), *kept]), owner


def _mean(items: Items) -> Estimate | None:
    values, owner = items
    return means([values], owner)[0] if len(values) else None


def _root(items: Items) -> Estimate | None:
    found = _mean(items)
    if found is None:
        return None
    return Estimate(*(float(np.sqrt(x)) for x in (found.value, found.low, found.high)))


def _cells(one: Performance, values: Floats) -> Iterator[tuple[str, Floats]]:
    for drum, rows in NAMED.items():
        for place, steps in PLACES.items():
            at = np.ix_(range(len(values)), steps, rows)
            yield f"{drum}, {place}", values[at][one.hits[at]]


def _by_cell(played: Played, real: Played) -> tuple[Floats, Floats]:
    """Return how far means of velocity and timing, by drum and place, are outside the real."""
    away: tuple[list[float], list[float]] = ([], [])
    for values, found in zip((_velocity, _late_ms), away, strict=True):
        tables = [
            [dict(_cells(one, values(one))) for one in part] for part in (played.beats, real.beats)
        ]
        for cell in tables[1][0] if tables[1] else ():
            mine, theirs = ([one[cell] for one in part] for part in tables)
            if sum(map(len, theirs)) < LEAST_HITS or not sum(map(len, mine)):
                continue
            got, wanted = (_mean(_collected_of([one] for one in part)) for part in (mine, theirs))
            assert got is not None
            assert wanted is not None
            found.append(_outside(got, wanted))
    return np.array(away[0]), np.array(away[1])


def _velocity(one: Performance) -> Floats:
    return one.velocity.astype(float)


def _late_ms(one: Performance) -> Floats:
    return one.late_ms


def _outside(got: Estimate, wanted: Estimate) -> float:
    """Return how far a value is above an interval (below it: negative); 0 inside."""
    return got.value - min(max(got.value, wanted.low), wanted.high)


def distances(played: Played, real: Played) -> list[Cell]:
    """Measure how far what was played is outside the intervals of the real; the `DISTANCES`."""
    by_cell = _by_cell(played, real)
    single: list[float | None] = []
    for name, got, wanted in zip(COLUMNS, measure(played, real), measure(real, real), strict=True):
        if name in SINGLE:
            if isinstance(got, Estimate) and isinstance(wanted, Estimate):
                single.append(_outside(got, wanted))
            else:
                single.append(None)
    every = np.concatenate([*by_cell, [one for one in single if one is not None]])
    means = [float(np.abs(away).mean()) if len(away) else None for away in by_cell]
    return [float((every == 0).mean()), *means, *single]


def _divergence(played: Sequence[Performance], real: Sequence[Performance]) -> float | None:
    """Return the KL divergence of the velocities by drum and place from the real ones."""
    histograms = []
    for part in (real, played):
        total: dict[str, Floats] = {}
        for one in part:
            for cell, values in _cells(one, one.velocity):
                counts = np.histogram(values, BINS)[0].astype(float)
                total[cell] = total.get(cell, np.zeros(len(BINS) - 1)) + counts
        histograms.append(total)
    found, weights = [], []
    for cell, p in histograms[0].items():
        q = histograms[1].get(cell, np.zeros(len(p)))
        if p.sum() < LEAST_HITS or not q.sum():
            continue
        p_share, q_share = (p + 1) / (p + 1).sum(), (q + 1) / (q + 1).sum()
        found.append((p_share * np.log(p_share / q_share)).sum())
        weights.append(p.sum())
    return float(np.average(found, weights=weights)) if found else None


def _pairs(one: Performance) -> Iterator[tuple[Floats, npt.NDArray[np.bool_], float]]:
    """Cut into groups of two bars: timing in ms, hits, and the length of a step."""
    for bar in range(0, len(one.velocity) - 1, 2):
        hits = one.hits[bar : bar + 2].reshape(2 * STEPS_PER_BAR, -1)
        if hits.sum() >= 4:
            yield one.late_ms[bar : bar + 2].reshape(hits.shape), hits, 15_000 / one.tempo_bpm


def _within(pair: tuple[Floats, npt.NDArray[np.bool_], float]) -> Floats:
    """Return squared deviations of the timing from its mean in two bars."""
    late_ms, hits, _ = pair
    away = late_ms[hits] - late_ms[hits].mean()
    squares: Floats = np.square(away) * len(away) / (len(away) - 1)
    return squares


def _swing(pair: tuple[Floats, npt.NDArray[np.bool_], float]) -> float:
    late_ms, hits, step_ms = pair
    odd, even = hits[1::2], hits[::2]
    if odd.sum() < 3 or even.sum() < 3:
        return np.nan
    return 50 * (1 + float(late_ms[1::2][odd].mean() - late_ms[::2][even].mean()) / step_ms)


def _bar_to_bar(one: Performance) -> tuple[Floats, Floats]:
    """Return velocities of the hi-hat in one bar and at the same step of the next."""
    before, after = one.velocity[:-1, :, 2].astype(float), one.velocity[1:, :, 2].astype(float)
    both = (before > 0) & (after > 0)
    return before[both], after[both]


def _steadiness(hats: Sequence[tuple[Floats, Floats]]) -> Estimate | None:
    """Return the mean correlation of one bar with the next, of who plays enough."""
    found = [
        float(np.corrcoef(before, after)[0, 1])
        for before, after in hats
        if len(before) >= 16 and before.std() > 0 and after.std() > 0
    ]
    return means([found])[0] if found else None


def _f1(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> Floats:
    both, each = (a & b).sum(axis=1), a.sum(axis=1) + b.sum(axis=1)
    return np.where(each > 0, 2 * both / np.maximum(each, 1), np.nan)


def _fourth_bars(one: Performance) -> Floats:
    """Return how much less of the usual bar every fourth bar plays than the others do."""
    hits = one.hits.reshape(len(one.hits), -1)
    usual = np.broadcast_to(np.median(hits, axis=0) > 0, hits.shape)
    like = _f1(hits, usual)
    fourth = np.arange(len(like)) % 4 == 3
    if len(like) < 8:
        return np.zeros(0)
    return np.array([np.nanmean(like[~fourth]) - np.nanmean(like[fourth])])
