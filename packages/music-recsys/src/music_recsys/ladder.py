"""The source's ladder: eight data sets of rising difficulty, made by code and by instruments.

Each clip has eight seconds and is liked or not for one reason, which the data set names. The
source names the steps and not the reasons; those are ours.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from groove_core.render import render
from groove_core.values import Score, Track
from music_recsys.features import PER_SECOND, SAMPLE_RATE, WINDOW, Columns
from music_recsys.windows import WINDOW_S

__all__ = ["LADDER", "NEGATIVES", "Step", "event", "make", "notes", "order", "to_windows"]

Samples = npt.NDArray[np.float32]
FLUTE, GUITAR, OTHERS = 73, 24, (11, 40, 56, 71)
"""General MIDI programs: what is liked, what is not, and what plays beside them."""
PITCHES = tuple(range(60, 80))
"""Those of even index are learnt from, the others are for tests."""
NOTE_S, SPACING_S = 1.0, 1.5
EVENT_S = 0.2
FIRST_S, GAP_S = 2.0, 1.3
"""When the first of two events begins, and the silence between them, in training."""
NOISE = 1e-3
NEGATIVES = ("B A", "A A", "B B", "A", "B")
"""What is not "A, then B", and holds as much as it can of it."""


@functools.cache
def notes(program: int) -> dict[int, Samples]:
    """Render every pitch of an instrument, one second each, scaled to the same peak."""
    per_second = 960  # ticks, at 120 bpm
    rows = [
        [int(i * SPACING_S * per_second), int(NOTE_S * per_second), pitch, 100]
        for i, pitch in enumerate(PITCHES)
    ]
    score = Score((Track(np.array(rows), program=program),))
    sound = render(score, sample_rate=SAMPLE_RATE).to_mono()
    found = {}
    for i, pitch in enumerate(PITCHES):
        start = int(i * SPACING_S * SAMPLE_RATE)
        cut = sound.samples[0, start : start + int(NOTE_S * SAMPLE_RATE)]
        found[pitch] = (0.5 * cut / max(1e-6, float(np.abs(cut).max()))).astype(np.float32)
    return found


def _pitches(test: bool) -> tuple[int, ...]:
    return PITCHES[1::2] if test else PITCHES[::2]


def event(program: int, pitch: int, duration_s: float) -> Samples:
    """Give a note of an instrument, cut after some time, without a click."""
    sound = notes(program)[pitch][: int(duration_s * SAMPLE_RATE)].copy()
    fade = int(0.01 * SAMPLE_RATE)
    sound[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    return sound


def _tone(pitch: float, duration_s: float = WINDOW_S) -> Samples:
    time_s = np.arange(int(duration_s * SAMPLE_RATE)) / SAMPLE_RATE
    wave: Samples = np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * time_s).astype(np.float32)
    return 0.3 * wave


def _clip(parts: Sequence[tuple[float, Samples]], rng: np.random.Generator) -> Samples:
    """Lay sounds into eight seconds of faint noise, each at its second."""
    clip = rng.normal(0, NOISE, WINDOW_S * SAMPLE_RATE).astype(np.float32)
    for start_s, sound in parts:
        heard = clip[int(start_s * SAMPLE_RATE) :][: len(sound)]
        heard += sound[: len(heard)]
    return clip


def order(
    what: str,
    rng: np.random.Generator,
    *,
    test: bool = False,
    first_s: float = FIRST_S,
    gap_s: float = GAP_S,
    duration_s: float = EVENT_S,
) -> Samples:
    """Give a clip of events, for example ``A B``: flute, then guitar, each at a pitch of its own.

    Parameters
    ----------
    what : str
        Events in order, ``A`` or ``B``, apart by blanks.
    rng : numpy Generator
    test : bool
        Play pitches that were not learnt from.
    first_s, gap_s, duration_s : float [s]
        Start of the first event, silence between two, length of each.
    """
    parts = []
    for place, name in enumerate(what.split()):
        program = FLUTE if name == "A" else GUITAR
        sound = event(program, int(rng.choice(_pitches(test))), duration_s)
        level = np.float32(rng.uniform(0.5, 1))
        parts.append((first_s + place * (duration_s + gap_s), level * sound))
    return _clip(parts, rng)


def _single(test: bool, liked: bool, rng: np.random.Generator) -> Samples:
    pitch = rng.uniform(70, 82) if liked else rng.uniform(57, 69)
    return _clip([(0, _tone(pitch))], rng)


def _chord(test: bool, liked: bool, rng: np.random.Generator) -> Samples:
    root = rng.uniform(55, 70)
    return _clip([(0, _triad(root, major=liked))], rng)


def _triad(root: float, *, major: bool, duration_s: float = WINDOW_S) -> Samples:
    above = (0, 4 if major else 3, 7)
    tones = [_tone(root + step, duration_s) for step in above]
    mean: Samples = np.mean(tones, axis=0, dtype=np.float32)
    return mean


def _phrase(program: int, test: bool, rng: np.random.Generator) -> list[tuple[float, Samples]]:
    parts, at = [], 0.0
    while at < WINDOW_S:
        length = float(rng.choice([0.25, 0.5, 1.0]))
        parts.append((at, event(program, int(rng.choice(_pitches(test))), length)))
        at += length
    return parts


def _instrument(test: bool, liked: bool, rng: np.random.Generator) -> Samples:
    return _clip(_phrase(FLUTE if liked else GUITAR, test, rng), rng)


def _several(test: bool, liked: bool, rng: np.random.Generator) -> Samples:
    others = rng.choice(OTHERS, size=2, replace=False)
    programs = [FLUTE if liked else GUITAR, *others.tolist()]
    return _clip([part for p in programs for part in _phrase(p, test, rng)], rng)


def _melody(test: bool, liked: bool, rng: np.random.Generator) -> Samples:
    start, steps = rng.uniform(60, 70), np.arange(8)
    pitches = start + (steps if liked else steps[::-1])
    return _clip([(float(i), _tone(p, 1.0)) for i, p in enumerate(pitches)], rng)


def _progression(test: bool, liked: bool, rng: np.random.Generator) -> Samples:
    root, half = rng.uniform(55, 70), WINDOW_S / 2
    pair = [_triad(root, major=major, duration_s=half) for major in (liked, not liked)]
    return _clip([(0, pair[0]), (half, pair[1])], rng)


def _change(test: bool, liked: bool, rng: np.random.Generator) -> Samples:
    return order("A B" if liked else str(rng.choice(NEGATIVES)), rng, test=test)


def _song(test: bool, liked: bool, rng: np.random.Generator) -> Samples:
    """Give chords and a beat, over which the flute takes the lead from the guitar, or gives it."""
    beat_s = float(rng.uniform(0.4, 0.6))
    change = WINDOW_S / 2
    first, second = (GUITAR, FLUTE) if liked else (FLUTE, GUITAR)
    lead = [part for part in _phrase(first, test, rng) if part[0] < change - 1]
    lead += [(change + at, sound) for at, sound in _phrase(second, test, rng)]
    root = rng.uniform(45, 57)
    chords = [
        (float(at), 0.4 * _triad(root + float(rng.choice([0, 5, 7])), major=True, duration_s=2.0))
        for at in range(0, WINDOW_S, 2)
    ]
    hit = rng.normal(0, 0.2, int(0.05 * SAMPLE_RATE)).astype(np.float32)
    beats = [(float(at), hit) for at in np.arange(0, WINDOW_S, beat_s)]
    return _clip([*lead, *chords, *beats], rng)


@dataclass(frozen=True, slots=True)
class Step:
    """One data set of the ladder."""

    name: str
    liked: str
    clip: Callable[[bool, bool, np.random.Generator], Samples]
    """Of (test, liked, rng)."""


LADDER = (
    Step("single tone", "above the middle", _single),
    Step("chord", "major", _chord),
    Step("one instrument", "flute, not guitar", _instrument),
    Step("several instruments", "flute among them, not guitar", _several),
    Step("tone changing in time", "rising", _melody),
    Step("chord changing in time", "major, then minor", _progression),
    Step("instrument changing in time", "flute, then guitar", _change),
    Step("song", "the flute takes over", _song),
)


def to_windows(clips: Sequence[Samples], columns: Columns) -> Tensor:
    """Give what a network sees of clips [shape=(n, rows, WINDOW)]."""
    batch = torch.from_numpy(np.stack(clips))
    with torch.no_grad():
        found = torch.cat([columns.feature(some) for some in batch.split(32)])
    return torch.stack([columns.levelled(one) for one in found])[..., :WINDOW]


def make(
    clip: Callable[[bool, np.random.Generator], Samples],
    count: int,
    columns: Columns,
    *,
    seed: Sequence[int],
) -> tuple[Tensor, Tensor]:
    """Make a data set, every other clip liked.

    Parameters
    ----------
    clip : callable of (liked, rng)
    count : int
    columns : Columns
    seed : sequence of int

    Returns
    -------
    windows : Tensor [shape=(count, rows, WINDOW)]
    liked : Tensor [shape=(count,), 0 or 1]
    """
    rng = np.random.default_rng(list(seed))
    clips: list[Any] = [clip(i % 2 == 0, rng) for i in range(count)]
    return to_windows(clips, columns), (torch.arange(count) % 2 == 0).float()


def shifted_s(frames: int) -> float:
    """Give the gap that is shorter by so many columns of 20 ms."""
    return GAP_S - frames / PER_SECOND
