"""Drum parts as hits, velocities and offsets per sixteenth.

The representation of J. Gillick, A. Roberts, J. Engel, D. Eck and D. Bamman, "Learning
to Groove with Inverse Sequence Transformations", ICML 2019 (arXiv:1905.06118): for each
sixteenth and each of nine drums whether it is hit, how hard (0 to 1), and how far from
the grid (-1 to 1 half sixteenths). Several hits of a drum in a step: the loudest is kept.

**Sign.** Here a *positive offset is late*, as drummers say it. (The code published with
the paper has it the other way round.)

Positions are counted in beats, so a changing tempo is followed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from groove_core.console import note
from groove_core.drums import (
    KIT_DRUMS,
    NoDrumsError,
    check_steps,
    drum_tracks,
    is_triplet,
    meters,
    no_drums,
)
from groove_core.errors import InputError
from groove_core.values import Score, Track
from groove_vae.performances import Performance, drum_of_pitch

__all__ = [
    "BARS",
    "INSIDE",
    "STEPS",
    "STEPS_PER_BAR",
    "Grid",
    "Part",
    "centred",
    "loudest",
    "nearest",
    "performance_grid",
    "straight",
    "windows",
]

STEPS_PER_BAR = 16
BARS = 2
"""Bars of the windows that models see."""
STEPS = BARS * STEPS_PER_BAR
INSIDE = -1, 0.99
"""Range of offsets, in half sixteenths; what is rounded to 1 belongs to the next step."""
CENTRINGS = 8
"""How often a part is moved to its mean, since hits at the edge of their step cannot follow."""
FINE_TICKS = 960
"""Ticks to the quarter note of parts whose notes move: at 120 bpm, half a millisecond each."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def nearest(beats: Floats) -> tuple[Ints, Floats]:
    """Give the nearest sixteenth of onsets, and the offset from it in half sixteenths.

    >>> nearest(np.array([0.0, 0.26, 0.49]))
    (array([0, 1, 2]), array([ 0.  ,  0.08, -0.08]))
    """
    step = np.floor(beats * 4 + 0.5).astype(np.int64)
    return step, (beats * 4 - step) * 2


def loudest(step: Ints, drum: Ints, velocity: Ints) -> Ints:
    """Give the index of the loudest hit of each step and drum; of equals, the first."""
    order = np.lexsort((np.arange(len(step)), -velocity, drum, step))
    cell = np.stack([step, drum])[:, order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = (np.diff(cell, axis=1) != 0).any(axis=0)
    return order[first]


@dataclass(frozen=True, eq=False)
class Grid:
    """A drum part on the grid: one hit, or none, per sixteenth and drum.

    Parameters
    ----------
    hit : bool array [shape=(steps, 9)]
    velocity : float array [shape=(steps, 9), 0 to 1]
    offset : float array [shape=(steps, 9), -1 to 1 half sixteenths, positive is late]
        Velocity and offset are 0 where there is no hit.
    """

    hit: npt.NDArray[np.bool_]
    velocity: Floats
    offset: Floats

    @classmethod
    def of(cls, beats: Floats, drum: Ints, velocity: Ints) -> Self:
        """Put onsets on a grid of whole bars.

        Parameters
        ----------
        beats : float array [shape=(n,), quarter notes from a downbeat]
        drum : int array [shape=(n,), index into `KIT_DRUMS`]
        velocity : int array [shape=(n,), 1 to 127]
        """
        step, offset = nearest(beats)
        at = loudest(step, drum, velocity)
        shape = _whole_bars(step), len(KIT_DRUMS)
        hit, loud, late = np.zeros(shape, bool), np.zeros(shape), np.zeros(shape)
        cells = step[at], drum[at]
        hit[cells], loud[cells], late[cells] = True, velocity[at] / 127, offset[at]
        return cls(hit, loud, late)

    def to_score(self, *, tempo_bpm: float = 120.0, ticks_per_quarter: int = 480) -> Score:
        """Give the grid as a score, each hit with the first note of its drum."""
        step, drum = np.nonzero(self.hit)
        beats = (step + self.offset[step, drum] / 2) / 4
        length = np.full(len(step), ticks_per_quarter // 8)
        pitch = np.array([one.note for one in KIT_DRUMS])[drum]
        velocity = np.round(self.velocity[step, drum] * 127).clip(1, 127)
        tick = np.round(beats * ticks_per_quarter).clip(0)
        notes = np.stack([tick, length, pitch, velocity], axis=1).astype(np.int64)
        return Score(
            (Track(notes, name="drums", is_drum=True),),
            ticks_per_quarter=ticks_per_quarter,
            tempos=np.array([[0, round(6e7 / tempo_bpm)]]),
            time_signatures=np.array([[0, 4, 4]]),
        )


def _whole_bars(step: Ints) -> int:
    steps = STEPS_PER_BAR * (int(step.max(initial=0)) // STEPS_PER_BAR + 1)
    check_steps(steps)
    return steps


def windows(grid: Grid, *, stride_bars: int = 1) -> npt.NDArray[np.float32]:
    """Cut a grid into windows of two bars: hit, velocity and offset of each drum.

    A grid of one bar is filled up with silence; windows without a hit are left out.

    Returns
    -------
    float array [shape=(n, 32, 27)]
    """
    whole = np.concatenate([grid.hit, grid.velocity, grid.offset], axis=1).astype(np.float32)
    if len(whole) < STEPS:
        whole = np.pad(whole, ((0, STEPS - len(whole)), (0, 0)))
    starts = np.arange(0, len(whole) - STEPS + 1, stride_bars * STEPS_PER_BAR)
    cut: npt.NDArray[np.float32] = whole[starts[:, None] + np.arange(STEPS)]
    return cut[cut[:, :, : len(KIT_DRUMS)].any(axis=(1, 2))]


def centred(feel: Grid, tempo_bpm: Floats) -> Grid:
    """Move all hits of a feel alike, so that on average they are neither early nor late.

    Parameters
    ----------
    feel : Grid
        With at least one hit.
    tempo_bpm : float array [shape=(bars,)]
        The mean is over milliseconds, where the tempo changes.
    """
    half_sixteenth_ms = np.repeat(7500 / tempo_bpm, STEPS_PER_BAR)[:, None]
    offset = feel.offset
    for _ in range(CENTRINGS):
        late_ms = float((offset * half_sixteenth_ms)[feel.hit].mean())
        offset = (offset - late_ms / half_sixteenth_ms).clip(*INSIDE) * feel.hit
    return replace(feel, offset=offset)


def performance_grid(performance: Performance) -> Grid:
    """Put a performance on the grid."""
    return Grid.of(performance.beats, performance.drum, performance.velocity)


@dataclass(frozen=True, eq=False)
class Part:
    """The drum notes of a score, each with its place on the grid.

    Every note is here, also the softer ones of a step, so that changing the feel of a
    part keeps all of them. All arrays have one entry per note.

    Parameters
    ----------
    score : Score
    track, note : int arrays
        Where each note is: index of its track, and of its row there.
    beats : float array [quarter notes from the first downbeat]
    drum : int array [index into `KIT_DRUMS`]
    velocity : int array [1 to 127]
    start_tick : int
        Tick of the first downbeat.
    other : int
        Drum notes of other drums, which are left as they are.
    """

    score: Score
    track: Ints
    note: Ints
    beats: Floats
    drum: Ints
    velocity: Ints
    start_tick: int
    other: int

    @classmethod
    def of(cls, score: Score) -> Self:
        """Find the drum notes of a score in 4/4.

        Raises
        ------
        InputError
            If there are no drums, none of the nine, or they are not in 4/4.
        """
        drums = drum_tracks(score)
        rows = [
            (index, number, *row)
            for index, track in enumerate(score.tracks)
            if any(track is one for one in drums)
            for number, row in enumerate(track.notes[:, [0, 2, 3]].tolist())
        ]
        track, note, tick, pitch, velocity = np.array(rows, dtype=np.int64).reshape(-1, 5).T
        drum = drum_of_pitch(pitch)
        known = (drum >= 0) & (velocity > 0)
        if not known.any():
            if not len(known):
                raise no_drums(score.name, 0)
            raise NoDrumsError(
                f"{score.name} has {len(known)} drum notes, none of them one of the nine drums.",
                hint=f"The nine are {', '.join(one.name for one in KIT_DRUMS)}.",
            )
        start = _first_downbeat(score, tick[known])
        return cls(
            score,
            track[known],
            note[known],
            (tick[known] - start) / score.ticks_per_quarter,
            drum[known],
            velocity[known],
            start,
            int((~known).sum()),
        )

    @property
    def grid(self) -> Grid:
        """The part on the grid, with the loudest hit of each step and drum."""
        return Grid.of(self.beats, self.drum, self.velocity)

    @property
    def bar_tempos_bpm(self) -> Floats:
        """Tempo at the start of each bar of the grid [shape=(bars,)]."""
        bars = _whole_bars(nearest(self.beats)[0]) // STEPS_PER_BAR
        tick = self.start_tick + np.arange(bars) * 4 * self.score.ticks_per_quarter
        return self.score.tempo_at(tick)

    @property
    def late_ms(self) -> Floats:
        """How late each note is against its sixteenth, at the tempo there [shape=(n,)]."""
        step, _ = nearest(self.beats)
        quarter = self.score.ticks_per_quarter
        on_grid = self.score.seconds(np.round(self.start_tick + step / 4 * quarter))
        played = self.score.seconds(np.round(self.start_tick + self.beats * quarter))
        return 1000 * (played - on_grid)

    def moved(self, beats: Floats, velocity: Floats) -> Score:
        """Give the score with other onsets and velocities; all else stays as it is.

        No note starts before the score does, and none falls silent.
        """
        quarter = self.score.ticks_per_quarter
        tick = np.round(beats * quarter).astype(np.int64) + self.start_tick
        loud = np.round(velocity).astype(np.int64).clip(1, 127)
        tracks = list(self.score.tracks)
        for index in np.unique(self.track):
            here = self.track == index
            notes = tracks[index].notes.copy()
            notes[self.note[here], 0] = np.maximum(0, tick[here])
            notes[self.note[here], 3] = loud[here]
            tracks[index] = replace(tracks[index], notes=notes)
        return replace(self.score, tracks=tuple(tracks))

    def with_feel(
        self, feel: Grid, *, timing: float = 1.0, dynamics: float = 1.0, late_ms: float = 0.0
    ) -> Score:
        """Give the score with the velocities and offsets of a grid.

        The loudest note of a step and drum goes where the grid says. The others of that
        step and drum keep their distance to it in time and in velocity, so a flam stays
        a flam.

        Parameters
        ----------
        feel : Grid
            At least as long as the part.
        timing, dynamics : float
            How far to go: 0 leaves the part as it is, 1 goes all the way, more exaggerates.
        late_ms : float
            How much later all notes are then; early where it is negative.
        """
        step, offset = nearest(self.beats)
        at = loudest(step, self.drum, self.velocity)
        late = np.zeros(feel.offset.shape)
        louder = np.zeros(feel.offset.shape)
        cells = step[at], self.drum[at]
        late[cells] = feel.offset[cells] - offset[at]
        louder[cells] = feel.velocity[cells] * 127 - self.velocity[at]
        tick = self.start_tick + np.round(self.beats * self.score.ticks_per_quarter)
        quarter_ms = 60_000 / self.score.tempo_at(tick)
        beats = self.beats + timing * late[step, self.drum] / 8 + late_ms / quarter_ms
        return self.moved(beats, self.velocity + dynamics * louder[step, self.drum])


def straight(score: Score, *, moves: bool = False) -> Part:
    """Find the drums of a score that is in 4/4 and in sixteenths.

    Parameters
    ----------
    score : Score
    moves : bool
        Whether notes are to move: the score then gets ticks that are fine enough for it.

    Raises
    ------
    InputError
        If there are no drums, or they are not in 4/4 or in triplets.
    """
    part = Part.of(score.at_resolution(FINE_TICKS) if moves else score)
    if is_triplet(part.beats):
        raise InputError(
            f"{score.name} is played in triplets; feel is known for sixteenths.",
            hint="Give a straight part. (quantize --grid 12 puts triplets on their grid.)",
        )
    if part.other:
        note(f"{score.name}: {part.other} notes of other drums are left as they are")
    return part


def _first_downbeat(score: Score, tick: Ints) -> int:
    """Give the tick at which the 4/4 begins in which all drums play."""
    played = [span for span in meters(score) if ((tick >= span[0]) & (tick < span[1])).any()]
    other = sorted({f"{top}/{bottom}" for _, _, top, bottom in played if top != bottom})
    if other or len(played) > 1:
        raise InputError(
            f"{score.name} is in {' and '.join(other) or 'several metres'}; this needs 4/4.",
            hint="Give a part in 4/4, or cut the 4/4 part out.",
        )
    return played[0][0]
