"""How drummers of the Groove MIDI Dataset play: loudness and timing by drum and step of the bar.

Each player is one performance of the training split: how often it hits each drum on each step,
how hard, and how far from the grid. A beat is played like the performance whose beat is most like
it. What a performance varies from bar to bar is measured over all of them.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from statistics import NormalDist
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from groove_core.drums import KIT_DRUMS, STEPS_PER_BAR, find_onsets, is_triplet, to_grid
from groove_core.errors import InputError, UsageError, did_you_mean
from groove_core.storage import read_arrays, read_table, write_arrays
from groove_core.values.scores.score import Score

__all__ = ["Performance", "Players", "build", "feels", "open_players", "performances"]

SHIPPED = Path(__file__).parents[1] / "patterns" / "players.npz"
WANTED = "midi_filename", "style", "split", "beat_type", "time_signature"
DRUMS = len(KIT_DRUMS)
SECTION_BARS = 8
"""What varies is measured around the mean of so many bars: later ones may be another section."""
LEAST_BARS, PHRASE_BARS = 8, 16
"""A player has to be heard for so long; and how long a phrase is, in which groups are compared."""
NORMAL = np.linspace(-2.5, 2.5, 11)
"""Where the quantiles of a normal distribution are kept that say how velocities vary."""
LEVELS = (50, 90)
"""Velocities vary otherwise around a soft, a middle and a loud mean."""
LEAST_HITS = 50
"""So many hits say how a drum varies."""
TRUST = 2.0
"""Hits that weigh as much as what is known of a step from others."""
MS_PER_TICK = 125
"""Milliseconds of a tick at one beat per minute: 60,000 over four steps of 120 ticks."""

Floats = npt.NDArray[np.float64]
Grid = npt.NDArray[Any]


@dataclass(frozen=True)
class Performance:
    """A performance in 4/4 on the grid of sixteenths.

    Parameters
    ----------
    name, style, split : str
        As the data set names them.
    tempo_bpm : float
    velocity : uint8 array [shape=(bars, 16, 14)]
        0 where nothing is hit.
    late_ms : float array [shape=(bars, 16, 14)]
        How late each hit is; the mean over all hits is 0.
    """

    name: str
    style: str
    split: str
    tempo_bpm: float
    velocity: Grid
    late_ms: Floats

    @property
    def genre(self) -> str:
        """The first word of the style."""
        return self.style.partition("/")[0]

    @property
    def hits(self) -> npt.NDArray[np.bool_]:
        """What is hit [shape=(bars, 16, 14)]."""
        hits: npt.NDArray[np.bool_] = self.velocity > 0
        return hits

    def first(self, bars: int = PHRASE_BARS) -> Performance:
        """Return the first bars."""
        return replace(self, velocity=self.velocity[:bars], late_ms=self.late_ms[:bars])

    def overlap(self, apart: int = 1) -> Floats:
        """Return F1 of the hits of two-bar groups so many groups apart; NaN for silence."""
        groups = self.hits[: len(self.velocity) // 2 * 2].reshape(len(self.velocity) // 2, -1)
        before, after = groups[:-apart], groups[apart:]
        each = before.sum(axis=1) + after.sum(axis=1)
        same = 2.0 * (before & after).sum(axis=1)
        return np.where(each > 0, same / np.maximum(each, 1), np.nan)


def performances(folder: Path, *, bars: int = LEAST_BARS) -> Iterator[Performance]:
    """Read the performances of beats of the Groove MIDI Dataset that fit the grid.

    Left out are other metres, triplets, fills, and what is shorter than so many bars.

    Raises
    ------
    InputError
        If the folder does not hold the data set.
    """
    for row in read_table(folder / "info.csv", WANTED):
        if row["beat_type"] != "beat" or row["time_signature"] != "4-4":
            continue
        score = Score.read(folder / row["midi_filename"])
        onsets = find_onsets(score)
        quarter = score.ticks_per_quarter
        if not len(onsets.tick) or is_triplet(onsets.tick / quarter):
            continue
        grid = to_grid(onsets.tick, onsets.drum, onsets.velocity, quarter)
        velocity = grid.velocity.reshape(-1, STEPS_PER_BAR, grid.velocity.shape[1])
        if len(velocity) < bars:
            continue
        tempo, hit = float(score.tempo_at(0)), velocity > 0
        late = grid.offset_ticks.reshape(velocity.shape) * (MS_PER_TICK / tempo)
        late_ms = np.where(hit, late - late[hit].mean(), 0.0)
        yield Performance(
            row["midi_filename"], row["style"], row["split"], tempo, velocity, late_ms
        )


@dataclass(frozen=True, eq=False, repr=False)
class Players:
    """What is known of players, by drum of a kit and step of the bar.

    Parameters
    ----------
    names : sequence of str
        File of each performance.
    styles : sequence of str
        Style of each, such as ``funk/groove1``.
    bars : int array [shape=(n,)]
    alike : float array [shape=(n,)]
        F1 of the hits of neighbouring two-bar groups in the first 16 bars, on average.
    share : uint8 array [shape=(n, 16, 9)]
        How often a step is hit, in 255ths of the bars.
    velocity : uint8 array [shape=(n, 16, 9)]
        Mean where it is hit.
    late_ticks : int8 array [shape=(n, 16, 9), 120ths of a step]
        Mean distance to the grid; late is positive.
    loose, late_loose : uint8 arrays [shape=(n, 9), percent]
        How much more than usual the player's velocity and timing vary.
    noise : int8 array [shape=(9, 3, 11)]
        What velocities are above their mean, at the normal quantiles `NORMAL`, for a soft, a
        middle and a loud mean.
    steady : float array [shape=(9,)]
        Share of that (of the variance) which lasts from beat to beat.
    late_ms : float array [shape=(9,)]
        Standard deviation of the timing around its mean.
    shared : float array [shape=(9,)]
        Share of that (of the variance) which is a slow drift of all drums.
    """

    names: tuple[str, ...]
    styles: tuple[str, ...]
    bars: Grid
    alike: Floats
    share: Grid
    velocity: Grid
    late_ticks: Grid
    loose: Grid
    late_loose: Grid
    noise: Grid
    steady: Floats
    late_ms: Floats
    shared: Floats

    def __len__(self) -> int:
        return len(self.styles)

    def __repr__(self) -> str:
        return f"Players({len(self)} performances, {', '.join(self.genres())})"

    def genres(self) -> list[str]:
        """Return the genres, the most frequent first."""
        names = [style.partition("/")[0] for style in self.styles]
        return sorted(set(names), key=lambda name: (-names.count(name), name))

    def named(self, feel: str) -> npt.NDArray[np.int64]:
        """Return who plays a genre (``funk``) or a style (``bossa``, ``jazz/swing``), in any case.

        Raises
        ------
        UsageError
            If nobody does.
        """
        wanted, *_ = _words([feel])
        words = _words(self.styles)
        found = [i for i, own in enumerate(words) if wanted and wanted <= own]
        if not found:
            known = sorted(set().union(*words))
            raise UsageError(
                f"There is no feel {feel!r}.",
                hint=did_you_mean(feel.lower(), known, form="--feel {}")
                or f"Feels: {', '.join(self.genres())}.",
            )
        return np.array(found)

    @functools.cached_property
    def mean_velocity(self) -> Floats:
        """Mean velocity, guessed from like steps where little is heard [shape=(n, 16, 9)]."""
        return _guessed(self.velocity, self._count)

    @functools.cached_property
    def mean_late(self) -> Floats:
        """Mean distance to the grid in ticks, guessed likewise [shape=(n, 16, 9)]."""
        return _guessed(self.late_ticks, self._count)

    @property
    def _count(self) -> Floats:
        count: Floats = self.share / 255 * self.bars[:, None, None]
        return count

    @functools.cached_property
    def _odds(self) -> tuple[Floats, Floats]:
        """Logarithms of how likely a hit is, and none [shape=(n, 16 * 9)]."""
        bars = self.bars[:, None, None].astype(float)
        usual = self._count.sum(axis=0) / bars.sum()
        rate = ((self._count + 0.3 * usual + 0.02) / (bars + 0.36)).clip(0.004, 0.996)
        flat = rate.reshape(len(self), -1)
        return np.log(flat), np.log1p(-flat)

    def odds(self) -> tuple[Floats, Floats]:
        """Return the log-odds of a hit [shape=(n, 16 * 9)], and the likelihood of a silent bar.

        The latter is a logarithm, too [shape=(n,)].
        """
        hit, rest = self._odds
        return hit - rest, rest.sum(axis=1)

    def fit(self, hits: npt.NDArray[np.bool_]) -> Floats:
        """Return how likely each player would hit what a beat hits.

        Parameters
        ----------
        hits : bool array [shape=(16 * bars, 14)]

        Returns
        -------
        float array [shape=(n,)]
            Log-likelihood of two bars.
        """
        rate = hits[:, :DRUMS].reshape(-1, STEPS_PER_BAR * DRUMS).mean(axis=0)
        hit, rest = self._odds
        likely: Floats = 2 * (hit @ rate + rest @ (1 - rate))
        return likely

    # files -----------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write the table to an ``.npz`` file."""
        arrays = {one.name: np.asarray(getattr(self, one.name)) for one in fields(self)}
        write_arrays(Path(path), arrays)

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a table that `save` wrote.

        Raises
        ------
        InputError
            If it is something else.
        """
        arrays = read_arrays(Path(path), what="a table of players (.npz)")
        try:
            names, styles, *rest = (arrays[one.name] for one in fields(cls))
        except LookupError as error:
            raise InputError(
                f"{path} is not a table of players: {error}.",
                hint="drum_space.playing.players.build makes one.",
            ) from error
        return cls(tuple(map(str, names)), tuple(map(str, styles)), *rest)


def _words(styles: Sequence[str]) -> list[set[str]]:
    """Split styles such as ``latin/brazilian-bossa`` into their words."""
    return [set(re.findall(r"[a-z]+", style.lower())) for style in styles]


def _guessed(mean: Grid, count: Floats) -> Floats:
    """Fill steps of which little was heard: with the place in the beat, the drum, all players."""
    total = mean * count
    all_count = count.sum(axis=0)
    drum = total.sum(axis=(0, 1)) / np.maximum(count.sum(axis=(0, 1)), 1)
    usual = (total.sum(axis=0) + 20 * drum) / (all_count + 20)
    own = (total.sum(axis=1) + TRUST * drum) / (count.sum(axis=1) + TRUST)
    guess = own[:, None] + usual - drum

    def same_place(cells: Floats) -> Floats:
        return np.tile(cells.reshape(-1, 4, 4, DRUMS).sum(axis=1), (1, 4, 1))

    guess = (same_place(total) + TRUST * guess) / (same_place(count) + TRUST)
    filled: Floats = (total + TRUST * guess) / (count + TRUST)
    return filled


@functools.lru_cache(maxsize=1)
def open_players() -> Players:
    """Open the shipped players."""
    return Players.read(SHIPPED)


def feels(checkpoint: str | None = None) -> list[str]:
    """List the genres and styles that somebody plays; they are the same for all checkpoints."""
    return sorted(set().union(*_words(open_players().styles)))


def build(folder: str | Path) -> Players:
    """Learn players from the training split of the Groove MIDI Dataset, unpacked in a folder.

    Raises
    ------
    InputError
        If the folder does not hold the data set.
    """
    chosen = [one for one in performances(Path(folder)) if one.split == "train"]
    if not chosen:
        raise InputError(f"{folder} has no performance to learn from.", hint="Check the folder.")
    shares, velocities, lates, varied, moved = [], [], [], [], []
    for one in chosen:
        hit = one.hits[..., :DRUMS]
        loud, late = one.velocity[..., :DRUMS].astype(float), one.late_ms[..., :DRUMS]
        count = hit.sum(axis=0)
        share = np.round(255 * count / len(hit))
        shares.append(np.where(count > 0, np.maximum(share, 1), 0))
        mean, mean_late = (values.sum(axis=0) / np.maximum(count, 1) for values in (loud, late))
        velocities.append(np.round(mean))
        lates.append(np.round(mean_late * one.tempo_bpm / MS_PER_TICK).clip(-60, 59))
        varied.append(_around_mean(loud, hit))
        moved.append(_around_mean(late, hit)[0])
    level = [np.digitize(mean, LEVELS) for _, mean in varied]
    away = [above for above, _ in varied]
    above = _noise(away, level, np.ones((len(chosen), DRUMS)))
    spread = np.sqrt(np.average(np.square(above), axis=2, weights=np.exp(-np.square(NORMAL) / 2)))
    loose = _looseness(away, [spread[np.arange(DRUMS), one] for one in level])
    squares = np.square(np.concatenate(moved)).reshape(-1, DRUMS)
    late_ms = np.sqrt(np.nansum(squares, axis=0) / np.isfinite(squares).sum(axis=0).clip(1))
    late_loose = _looseness(moved, [np.broadcast_to(late_ms, one.shape) for one in moved])
    return Players(
        tuple(one.name for one in chosen),
        tuple(one.style for one in chosen),
        np.array([len(one.velocity) for one in chosen], "<u2"),
        np.array([np.nanmean(one.first().overlap()) for one in chosen]).round(3),
        np.array(shares, "u1"),
        np.array(velocities, "u1"),
        np.array(lates, "i1"),
        np.round(100 * loose).clip(0, 255).astype("u1"),
        np.round(100 * late_loose).clip(0, 255).astype("u1"),
        np.round(_noise(away, level, loose)).clip(-127, 127).astype("i1"),
        _correlations(away, 4),
        late_ms.round(1),
        _correlations(moved, 2),
    )


def _noise(away: list[Floats], level: list[Grid], loose: Floats) -> Floats:
    """Return quantiles of what velocities are above their mean [shape=(9, 3, 11)]."""
    at = [NormalDist().cdf(z) for z in NORMAL]
    values = np.concatenate([one / scale for one, scale in zip(away, loose, strict=True)])
    levels = np.concatenate(level)
    noise = np.zeros((DRUMS, len(LEVELS) + 1, len(NORMAL)))
    for drum in range(DRUMS):
        known = np.isfinite(values[..., drum])
        for number in range(len(LEVELS) + 1):
            these = values[..., drum][known & (levels[..., drum] == number)]
            if len(these) < LEAST_HITS:  # as those of all drums
                these = values[np.isfinite(values)]
            noise[drum, number] = np.quantile(these, at)
    return noise


def _looseness(away: list[Floats], usual: list[Floats]) -> Floats:
    """Return by how much each player varies more than usual [shape=(n, 9)]."""
    found = []
    for one, expected in zip(away, usual, strict=True):
        known = np.isfinite(one)
        got = np.where(known, np.square(one), 0).sum(axis=(0, 1))
        wanted = np.where(known, np.square(expected), 0).sum(axis=(0, 1))
        few = 20 * np.square(expected).mean(axis=(0, 1))
        overall = (got.sum() + few.sum()) / (wanted.sum() + few.sum())
        found.append(np.sqrt((got + few * overall) / np.maximum(wanted + few, 1e-9)))
    return np.array(found)


def _around_mean(values: Floats, hit: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return what hits are above the mean of their drum and step in a section, and that mean.

    Scaled for what a mean takes away of few hits; NaN where a section has fewer than three.

    Parameters
    ----------
    values, hit : arrays [shape=(bars, 16, 9)]
    """
    away, means = np.full(values.shape, np.nan), np.zeros(values.shape)
    for start in range(0, len(values), SECTION_BARS):
        part = slice(start, start + SECTION_BARS)
        count = hit[part].sum(axis=0)
        mean = (values[part] * hit[part]).sum(axis=0) / np.maximum(count, 1)
        scale = np.sqrt(count / np.maximum(count - 1, 1))
        away[part] = np.where(hit[part] & (count >= 3), (values[part] - mean) * scale, np.nan)
        means[part] = mean
    return away, means


def _correlations(parts: list[Floats], lag: int) -> Floats:
    """Correlate what is so many steps apart, by drum, where both are hit; 0 to 1 [shape=(9,)]."""
    flat = [one.reshape(-1, DRUMS) for one in parts]
    before = np.concatenate([one[:-lag] for one in flat])
    after = np.concatenate([one[lag:] for one in flat])
    found = np.zeros(DRUMS)
    for drum in range(DRUMS):
        both = np.isfinite(before[:, drum]) & np.isfinite(after[:, drum])
        if both.sum() >= LEAST_HITS:
            found[drum] = np.corrcoef(before[both, drum], after[both, drum])[0, 1]
    return found.clip(0).round(2)
