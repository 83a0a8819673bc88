"""From notes in ticks to drums on a grid of sixteenths."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from groove_core.errors import InputError
from groove_core.values.scores.score import Score, Track

__all__ = [
    "DRUMS",
    "FOLD",
    "KIT_DRUMS",
    "MARKER",
    "STEPS_PER_BAR",
    "TICKS_PER_STEP",
    "Drum",
    "Grid",
    "NoDrumsError",
    "Onsets",
    "check_steps",
    "drum_tracks",
    "find_onsets",
    "is_triplet",
    "marked_span",
    "meters",
    "no_drums",
    "to_grid",
    "triplets",
    "whole_grid",
]

STEPS_PER_BAR = 16
MAX_STEPS = 2**18
"""Of a grid, which holds silence, too: nine hours at 120 beats a minute."""
TICKS_PER_STEP = 120
"""Resolution of micro-timing: 480 ticks per quarter note."""
TEMPOS_BPM = (3.58, 60_000)
"""What MIDI can hold."""
MARKER = "groove:steps="
"""MIDI marker at the first step of a pattern that we wrote, with its length."""


@dataclass(frozen=True, slots=True)
class Drum:
    """One row of a pattern."""

    name: str
    note: int
    """General MIDI note it is played with."""
    folded: tuple[int, ...]
    """Notes that are read as this drum."""


# One table for the whole product. It folds General MIDI percussion and the extra
# notes of Roland kits (22, 26, 58) onto 14 drums; notes outside it are counted
# and left out. No published pattern uses bit 9; it takes the small percussion.
DRUMS = (
    Drum("kick", 36, (35, 36)),
    Drum("snare", 38, (37, 38, 39, 40)),
    Drum("closed hi-hat", 42, (22, 42, 44)),
    Drum("floor tom", 41, (41, 43, 58)),
    Drum("low tom", 45, (45, 47)),
    Drum("open hi-hat", 46, (26, 46)),
    Drum("high tom", 48, (48, 50)),
    Drum("crash", 49, (49, 52, 55, 57)),
    Drum("ride", 51, (51, 53, 59)),
    Drum("cowbell", 56, (54, 56, 69, 70, 80, 81)),
    Drum("high bongo", 60, (60,)),
    Drum("low bongo", 61, (61,)),
    Drum("mute conga", 62, (62, 63)),
    Drum("low conga", 64, (64,)),
)
KIT_DRUMS = DRUMS[:9]
"""Those of a drum kit: kick, snare, hi-hats, toms and cymbals, without percussion."""
FOLD = {note: index for index, drum in enumerate(DRUMS) for note in drum.folded}

_DRUM_OF_NOTE = np.full(128, -1)
_DRUM_OF_NOTE[list(FOLD)] = list(FOLD.values())

# A window is in triplets when sixteenths explain its onsets badly, and thirds or
# sixths of a beat clearly better; see `is_triplet`.
_TRIPLET_FLOOR = 0.5
_TRIPLET_RATIO = 0.8


@dataclass(frozen=True)
class Onsets:
    """Drum notes of a score: ticks, drum index, velocity; and how many were unknown."""

    tick: npt.NDArray[np.int64]
    drum: npt.NDArray[np.int64]
    velocity: npt.NDArray[np.int64]
    unknown: int


_DRUM_NAMES = re.compile(
    r"(?<![^\W\d_])(?:drum(?:s|set|kit)?|drum ?machine|percussions?|perc|(?<!off[ -])beats?|kit"
    r"|snares?|kicks?|bass ?drum|hi[ -]?hats?|cymbals?|toms?"
    r"|schlagzeug|trommeln?|schlagwerk|perkussion|batterie|percussioni|batteria|tamburi|bater[ií]a"
    r"|percusi[oó]n|percuss[aã]o|tambores|slagwerk|drumstel|slagverk|trumset|trummor|trommer|slagtøj"
    r"|rummut|perkus(?:ja|e|i)|bic[ií]|b[eę]bny|baterie|dobok|davul|ударн(?:ые|ая|і)|барабан(?:ы|и)?"
    r"|ντραμς|κρουστά)(?![^\W\d_]|['’]s)"
    r"|ドラム|パーカッション|打楽器|鼓|打击乐|打擊樂|드럼|타악기|퍼커션",
    re.IGNORECASE,
)
_NOT_DRUMS = re.compile(
    r"(?<![^\W\d_])(?:organ|piano|guitar|(?:bass|synth)(?![ -]?drum)|pad|strings?|steel|vocals?"
    r"|melod(?:y|ic))(?![^\W\d_])",
    re.IGNORECASE,
)
_PERCUSSION = (22, 87)
"""Pitches that General MIDI, GS and Roland's kits have drums on."""


def drum_tracks(score: Score) -> Sequence[Track]:
    """Find the tracks that play drums.

    That which the score is told of; else the drum channel; and where a file does not use
    that, tracks whose name says so in whole words, and whose pitches lie in the range of
    percussion.

    Raises
    ------
    UsageError
        If the score has no such track as it is told of.
    """
    if score.drum_track:
        return score.find_tracks(score.drum_track)
    tracks = [t for t in score.tracks if len(t.notes)]
    low, high = _PERCUSSION
    return [t for t in tracks if t.is_drum] or [
        t
        for t in tracks
        if _names_drums(t.name) and t.notes[:, 2].min() >= low and t.notes[:, 2].max() <= high
    ]


def _names_drums(name: str) -> bool:
    # Letters of half or full width, and accents apart from their letters, are common in names.
    name = unicodedata.normalize("NFKC", name)
    return bool(_DRUM_NAMES.search(name)) and not _NOT_DRUMS.search(name)


def find_onsets(score: Score) -> Onsets:
    """Collect the drum notes of a score, folded onto the 14 drums."""
    tracks = drum_tracks(score)
    notes = np.concatenate([t.notes for t in tracks]) if tracks else np.zeros((0, 4), np.int64)
    drum = _DRUM_OF_NOTE[notes[:, 2] & 127]
    known = (drum >= 0) & (notes[:, 3] > 0)
    return Onsets(notes[known, 0], drum[known], notes[known, 3], int((~known).sum()))


def meters(score: Score) -> list[tuple[int, float, int, int]]:
    """List the stretches of one metre: start and end tick, numerator, denominator."""
    spans: list[tuple[int, float, int, int]] = []
    for start, end, top, bottom in score.metre_spans():
        if spans and spans[-1][2:] == (top, bottom):  # the same metre written again
            start, *_ = spans.pop()
        spans.append((start, end, top, bottom))
    return [*spans[:-1], (spans[-1][0], np.inf, *spans[-1][2:])]


def is_triplet(beats: npt.NDArray[np.float64]) -> bool:
    """Return whether onsets follow thirds or sixths of a beat rather than quarters.

    For each grid take the mean distance of the onsets to it, as a share of what
    onsets at random would have (a quarter of its spacing), so that a finer grid
    has no advantage. Triplets are called when the sixteenth grid is worse than
    half random, and a triplet grid better than four fifths of it. The first
    condition is for loosely played straight beats, where a coarse grid looks better
    merely because it is coarse.

    Parameters
    ----------
    beats : float array [shape=(n,), quarter notes]
        Onset times; only their place inside the beat matters.
    """
    if not len(beats):
        return False
    return bool(triplets(*(_misfit(beats, n).mean() for n in (4, 3, 6))))


def triplets(sixteenths: Any, thirds: Any, sixths: Any) -> Any:
    """Decide from mean misfits to the three grids; see `is_triplet`."""
    better = np.minimum(thirds, sixths) < _TRIPLET_RATIO * sixteenths
    return better & (sixteenths > _TRIPLET_FLOOR)


def _misfit(beats: npt.NDArray[np.float64], per_beat: int) -> npt.NDArray[np.float64]:
    at = beats * per_beat
    misfit: npt.NDArray[np.float64] = np.abs(at - np.round(at)) * 4
    return misfit


@dataclass(frozen=True)
class Grid:
    """A stretch of 4/4 on the grid, with what is needed to judge windows of it."""

    velocity: npt.NDArray[np.uint8]
    offset_ticks: npt.NDArray[np.int8]
    misfits: npt.NDArray[np.float64]
    """Running sums over steps: misfit to quarters, thirds, sixths of a beat; onsets."""


def check_steps(steps: float) -> None:
    """Check that a grid of so many steps is no larger than `MAX_STEPS`.

    Raises
    ------
    InputError
        If it is: a few bytes of MIDI can last for ever.
    """
    if steps > MAX_STEPS:
        raise InputError(
            f"It lasts {steps:,.0f} sixteenths; a grid has {MAX_STEPS:,} at most.",
            hint="Cut it into pieces, or look for a stray note at its end.",
        )


def to_grid(
    ticks: npt.NDArray[Any],
    drum: npt.NDArray[Any],
    velocity: npt.NDArray[Any],
    ticks_per_quarter: int,
    steps: int | None = None,
) -> Grid:
    """Round onsets of a stretch of 4/4 that starts at tick 0 to the grid.

    Parameters
    ----------
    ticks, drum, velocity : int arrays [shape=(n,)]
    ticks_per_quarter : int
    steps : int, optional
        Length (default: up to the end of the bar of the last onset).

    Raises
    ------
    InputError
        If that is more than `MAX_STEPS`.
    """
    beats = ticks / ticks_per_quarter
    step = np.floor(beats * 4 + 0.5).astype(np.int64)
    bars = -(-(int(step.max(initial=-1)) + 1) // STEPS_PER_BAR)
    steps = bars * STEPS_PER_BAR if steps is None else steps
    check_steps(steps)
    inside = (step >= 0) & (step < steps)
    beats, step, drum, velocity = beats[inside], step[inside], drum[inside], velocity[inside]

    # Where two notes fall on one drum and step, the louder one stays.
    loudest_last = np.argsort(velocity.astype(np.uint8), kind="stable")  # of bytes: much faster
    at = step[loudest_last], drum[loudest_last]
    grid_velocity = np.zeros((steps, len(DRUMS)), np.uint8)
    grid_velocity[at] = velocity[loudest_last]
    half = TICKS_PER_STEP // 2
    late = np.round((beats * 4 - step) * TICKS_PER_STEP)
    grid_offset = np.zeros((steps, len(DRUMS)), np.int8)
    grid_offset[at] = np.minimum(np.maximum(late, -half), half - 1)[loudest_last]

    parts = [_misfit(beats, n) for n in (4, 3, 6)] + [np.ones(len(beats))]
    misfits = np.zeros((steps + 1, 4))
    for column, part in enumerate(parts):
        misfits[1:, column] = np.bincount(step, part, minlength=steps).cumsum()
    return Grid(grid_velocity, grid_offset, misfits)


def marked_span(score: Score) -> tuple[int, int | None]:
    """Return the tick at which a pattern that we wrote begins, and its steps; else 0 and None."""
    for tick, text in score.markers:
        steps = text.removeprefix(MARKER)
        if text.startswith(MARKER) and steps.isdecimal() and len(steps) <= 6:
            length = int(steps)
            if length and length % STEPS_PER_BAR == 0:
                return tick, length
    return 0, None


def whole_grid(
    score: Score,
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any], float]:
    """Put the whole of a score on the grid: hits, velocity, offset in ticks, tempo.

    Raises
    ------
    InputError
        If there are no drums, or they are not in 4/4, in triplets, or at no tempo for them.
    """
    name = score.name
    onsets = find_onsets(score)
    start, steps = marked_span(score)
    if not len(onsets.tick) and steps is None:
        raise no_drums(name, onsets.unknown)
    quarter = score.ticks_per_quarter
    if steps is None:
        played = [
            span
            for span in meters(score)
            if ((onsets.tick >= span[0]) & (onsets.tick < span[1])).any()
        ]
        odd = sorted({f"{top}/{bottom}" for _, _, top, bottom in played if top != bottom})
        if odd or len(played) > 1:
            raise InputError(
                f"{name} is in {' and '.join(odd) or 'several metres'}; drum patterns are in 4/4.",
                hint="Give a beat in 4/4, or cut the 4/4 part out.",
            )
        start = played[0][0]
    ticks = onsets.tick - start
    if steps is None and is_triplet(ticks / quarter):
        raise InputError(
            f"{name} is played in triplets; drum patterns have sixteenths.",
            hint="Give a straight beat; a shuffle has no place on this grid.",
        )
    grid = to_grid(ticks, onsets.drum, onsets.velocity, quarter, steps)
    tempo = float(score.tempo_at(start))
    if not TEMPOS_BPM[0] <= tempo <= TEMPOS_BPM[1]:
        raise InputError(
            f"{name} plays at {tempo:,.2f} beats per minute; drum patterns, at "
            f"{TEMPOS_BPM[0]} to {TEMPOS_BPM[1]:,}.",
            hint="Set another tempo in the program that made it.",
        )
    return grid.velocity > 0, grid.velocity, grid.offset_ticks, tempo


class NoDrumsError(InputError):
    """A score without drums."""


def no_drums(name: str, unknown: int, *, of: int = len(DRUMS)) -> NoDrumsError:
    """Say that a score has no drums, or none of so many that are known."""
    if unknown:
        return NoDrumsError(
            f"{name} has {unknown} drum notes, none of them one of the {of} drums.",
            hint="Use General MIDI percussion notes (kick 36, snare 38, hi-hat 42 ...).",
        )
    return NoDrumsError(
        f"{name} has no drums.",
        hint="Export the drums on MIDI channel 10, or pass --drum-track NAME.",
    )
