"""Play a beat: loudness and timing as a player of the table would give them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from drum_space.playing.players import DRUMS, LEVELS, MS_PER_TICK, NORMAL, Players, open_players
from groove_core.drums import DEFAULT_VELOCITY, STEPS_PER_BAR, TICKS_PER_STEP, DrumPattern
from groove_core.drums import DRUMS as ALL_DRUMS

__all__ = ["Feel", "play"]

SOFTNESS = 3.0
"""Players whose log-likelihood of a beat is so much lower are chosen e times less often."""
ALIKE_SOFTNESS = 30.0
"""The same, of whom phrases repeat as much as. How much a performance of the validation split
repeats correlates with what players so chosen do by .66; with what those of `SOFTNESS` do, .49."""
BEAT_MEMORY = 0.9
"""How alike loudness stays from one beat to the next, in its steady share."""
DRIFT_STEPS = 13
"""How long a drift of the timing lasts."""
LIVELY, LATE_LIVELY = 0.8, 1.2
"""How much velocity and timing vary, against what was measured: so that the hi-hat is as steady
from bar to bar, and two bars as loose, as in the validation split."""
FASTEST_BPM = 240.0
"""One of the players was heard to play faster; beyond it, the timing keeps its share of a step."""
AS_HAT = np.array([*range(DRUMS), *[2] * (len(ALL_DRUMS) - DRUMS)])
"""Percussion, which the players do not have, is played as a closed hi-hat."""
LIMITS = {"velocity": (1, 127), "offset_ticks": (-TICKS_PER_STEP // 2, TICKS_PER_STEP // 2 - 1)}
"""What a drum pattern can hold."""

Floats = npt.NDArray[np.float64]
Bits = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Feel:
    """How beats are to be played.

    Parameters
    ----------
    name : str or None
        Genre or style of the player. None: whoever fits the beat.
    swing : float or None [50 to 70, percent]
        Where the second sixteenth of each pair falls: 50 is straight, 67 a triplet. None: as
        the player does.
    flat : bool
        All hits alike and on the grid, but for the swing.
    seed : int
        Of all that is drawn.
    """

    name: str | None = None
    swing: float | None = None
    flat: bool = False
    seed: int = 0

    @classmethod
    def of(cls, name: str | None, genre: str | None = None, **more: Any) -> Feel:
        """Return the feel of a name, or of a genre if there are players of it.

        Raises
        ------
        UsageError
            If there is no feel of the name.
        """
        if name is not None:
            open_players().named(name)
        elif genre is not None and genre in open_players().genres():
            name = genre
        return cls(name, **more)

    def play(self, hits: Bits, tempo_bpm: float, *, number: int = 0) -> DrumPattern:
        """Play hits [shape=(16 * bars, 14)]; other numbers are played by other draws."""
        if self.flat:
            late = np.zeros(hits.shape, np.int64)
            if self.swing is not None:
                late[1::2] = round(_swing_ticks(self.swing))
            return DrumPattern(hits, offset_ticks=late, tempo_bpm=tempo_bpm)
        player = self.player(hits, number)
        rng = np.random.default_rng([self.seed, number, 1])
        return play(open_players(), player, hits, tempo_bpm, rng, swing=self.swing)

    def alike(self, hits: Bits, number: int = 0) -> float:
        """Return how much alike neighbouring groups of two bars are with players of such beats."""
        return float(open_players().alike[self.player(hits, number, ALIKE_SOFTNESS)])

    def player(self, hits: Bits, number: int = 0, softness: float = SOFTNESS) -> int:
        """Choose a player whose own beat is like hits [shape=(16 * bars, 14)]."""
        players = open_players()
        likely = players.fit(hits)
        if self.name is not None:
            likely = np.where(_plays(self.name), likely, -np.inf)
        weight = np.exp((likely - likely.max()) / softness)
        rng = np.random.default_rng([self.seed, number])
        return int(rng.choice(len(players), p=weight / weight.sum()))

    def bring_to_life(self, beat: DrumPattern) -> DrumPattern:
        """Play a beat that has one velocity and is on the grid; keep one that was played."""
        return beat if _is_played(beat) or self.flat else self.play(beat.hits, beat.tempo_bpm)

    def like(self, beat: DrumPattern, hits: Bits, *, number: int = 0) -> DrumPattern:
        """Play hits as they are in a beat that was played; others as `play` does."""
        made = self.play(hits, beat.tempo_bpm, number=number)
        if not _is_played(beat) or self.flat:
            return made
        return _mixed(made, [(beat, 1.0)])

    def between(
        self, start: DrumPattern, end: DrumPattern, hits: Bits, place: float
    ) -> DrumPattern:
        """Play hits on the way from one beat (0) to another (1)."""
        made = self.play(hits, start.tempo_bpm)
        return made if self.flat else _mixed(made, [(start, 1 - place), (end, place)])


@functools.lru_cache(maxsize=64)
def _plays(feel: str) -> Bits:
    """Return which of the shipped players play in a feel [shape=(n,)]."""
    players = open_players()
    return np.isin(np.arange(len(players)), players.named(feel))


def _is_played(beat: DrumPattern) -> bool:
    return beat.velocity is not None or beat.offset_ticks is not None


def _mixed(made: DrumPattern, beats: Sequence[tuple[DrumPattern, float]]) -> DrumPattern:
    """Play what some beats hit, too, as they do, by their weights.

    The other hits are as loud and as late against these as they were made.
    """
    weights = np.sum([weight * beat.hits for beat, weight in beats], axis=0)
    known = made.hits & (weights > 0)
    grids = {}
    for name, limits in LIMITS.items():
        total = np.sum([weight * beat.hits * _grid(beat, name) for beat, weight in beats], axis=0)
        own = _grid(made, name).astype(float)
        wanted = total / np.maximum(weights, 1e-9)
        level = (wanted - own)[known].mean() if known.any() else 0.0
        grids[name] = np.round(np.where(known, wanted, own + level)).clip(*limits)
    late = grids["offset_ticks"]
    late[0] = np.where(known[0], late[0], late[0].clip(min=0))
    return replace(made, **grids)


def _grid(beat: DrumPattern, name: str) -> Any:
    grid = getattr(beat, name)
    if grid is not None:
        return grid
    return np.full(beat.hits.shape, DEFAULT_VELOCITY if name == "velocity" else 0)


def play(
    players: Players,
    player: int,
    hits: Bits,
    tempo_bpm: float,
    rng: np.random.Generator,
    *,
    swing: float | None = None,
) -> DrumPattern:
    """Play a beat like one of the players.

    Loudness is the player's mean at each drum and step, and varies around it as loudness does in
    performances, partly from beat to beat. The timing drifts slowly, all drums together, and each
    hit by itself; a loop closes, and stays with the click.

    Parameters
    ----------
    players : Players
    player : int
        Number of the player.
    hits : bool array [shape=(16 * bars, 14)]
    tempo_bpm : float
    rng : numpy Generator
    swing : float, optional
        See `Feel`.
    """
    bars = len(hits) // STEPS_PER_BAR
    mean = np.tile(players.mean_velocity[player], (bars, 1))[:, AS_HAT]
    late = np.tile(players.mean_late[player], (bars, 1))[:, AS_HAT]
    if swing is not None:
        late[1::2] += _swing_ticks(swing) - _mean_swing(late, hits)
    white = rng.standard_normal((2, *hits.shape))
    beats = rng.standard_normal((len(hits) // 4, 4 * len(ALL_DRUMS)))
    steady = _remembering(beats, BEAT_MEMORY).reshape(hits.shape)
    share = players.steady[AS_HAT]
    z = np.sqrt(share) * steady + np.sqrt(1 - share) * white[0]
    loose, late_loose = (one[player, AS_HAT] / 100 for one in (players.loose, players.late_loose))
    velocity = mean + LIVELY * loose * _varied(players, mean, z)
    drift = _remembering(rng.standard_normal((len(hits), 1)), np.exp(-1 / DRIFT_STEPS), closed=True)
    share = players.shared[AS_HAT]
    moved = np.sqrt(share) * drift + np.sqrt(1 - share) * white[1]
    late_ms = LATE_LIVELY * late_loose * players.late_ms[AS_HAT]
    late = late + moved * late_ms * min(tempo_bpm, FASTEST_BPM) / MS_PER_TICK
    late = np.round(late).clip(*LIMITS["offset_ticks"])
    late[0] = late[0].clip(min=0)  # a file begins with the first beat, not before it
    return DrumPattern(hits, np.round(velocity).clip(*LIMITS["velocity"]), late, tempo_bpm)


def _swing_ticks(swing: float) -> float:
    """Return how late the second sixteenth of a pair is, in ticks."""
    return (swing / 50 - 1) * TICKS_PER_STEP


def _mean_swing(late: Floats, hits: Bits) -> float:
    odd, even = hits[1::2], hits[::2]
    if not odd.any() or not even.any():
        return 0.0
    return float(late[1::2][odd].mean() - late[::2][even].mean())


def _remembering(white: Floats, memory: float, *, closed: bool = False) -> Floats:
    """Let noise remember what came before, around a loop; its variance stays 1.

    Parameters
    ----------
    white : float array [shape=(n, m)]
    memory : float
        Correlation of one value with the next.
    closed : bool
        Without a mean over the loop.
    """
    gain = _gain(len(white), memory, closed)
    return np.fft.irfft(np.fft.rfft(white, axis=0) * gain[:, None], len(white), axis=0)


@functools.lru_cache(maxsize=64)
def _gain(n: int, memory: float, closed: bool) -> npt.NDArray[np.complex128]:
    """Return the gain of noise that remembers, at each frequency of a loop of n values."""
    turn = np.exp(-2j * np.pi * np.arange(n) / n)
    gain: npt.NDArray[np.complex128] = 1 / (1 - memory * turn)
    gain /= np.sqrt(np.square(np.abs(gain)).mean())
    if closed:
        gain[0] = 0
    return gain[: n // 2 + 1]


def _varied(players: Players, mean: Floats, z: Floats) -> Floats:
    """Return what velocities are above their means, for normal noise."""
    level = np.digitize(mean, LEVELS)
    at = ((z - NORMAL[0]) / (NORMAL[1] - NORMAL[0])).clip(0, len(NORMAL) - 1.001)
    below = at.astype(np.int64)
    quantiles = players.noise[AS_HAT[None], level].astype(float)
    low, high = (
        np.take_along_axis(quantiles, (below + more)[..., None], axis=2)[..., 0] for more in (0, 1)
    )
    varied: Floats = low + (at - below) * (high - low)
    return varied
