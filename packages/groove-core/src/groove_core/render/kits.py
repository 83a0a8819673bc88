"""Drum kits of single strokes, so that hits sound where they should to the sample.

A renderer of General MIDI starts notes on a grid of its own of a millisecond or more. Whoever
measures timing, or learns it, needs more. So each drum is rendered once, cut at its attack, and
mixed in wherever it is hit.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from groove_core.console import note
from groove_core.drums.grid import KIT_DRUMS
from groove_core.errors import InputError
from groove_core.render.soundfont import render
from groove_core.storage import list_files
from groove_core.values.scores.score import Score, Track
from groove_core.values.sound import soundfiles
from groove_core.values.sound.audio import Audio

__all__ = [
    "RATE", "Hits", "Kit", "Strength", "general_midi", "mixed", "play", "recorded",
    "room", "synthetic", "varied",
]  # fmt: skip

RATE = 22_050
"""Hz; nothing that tells when or how hard a drum was hit lies above 11 kHz."""
SHOT_S = 1.2
"""Longest stroke; cymbals are faded out."""
LEAD_S = 0.002
"""Silence of a stroke before its attack."""
ATTACK = 0.1
"""Share of the peak, -20 dB, at which a stroke begins."""
DB_PER_DECADE = 40.0
"""General MIDI: amplitude is the square of the velocity."""
LOUD_S = 0.045
"""How much of a stroke says how hard it was."""
ALIKE_DB = 3.0
"""Recorded strokes so near in level take turns."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Samples = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Hits:
    """Drum hits: when, which drum, how hard.

    Parameters
    ----------
    onset_s : float array [shape=(n,), seconds]
    drum : int array [shape=(n,), index into `groove_core.drums.KIT_DRUMS`]
    level_db : float array [shape=(n,)]
        0 is the hardest stroke that MIDI knows.
    """

    onset_s: Floats
    drum: Ints
    level_db: Floats

    @classmethod
    def of_velocity(cls, onset_s: Floats, drum: Ints, velocity: npt.ArrayLike) -> Hits:
        """Return hits with MIDI velocities, 1 to 127."""
        loud = np.asarray(velocity, dtype=np.float64)
        return cls(onset_s, drum, DB_PER_DECADE * np.log10(np.maximum(loud, 1) / 127))

    def __len__(self) -> int:
        return len(self.onset_s)

    def __getitem__(self, chosen: npt.NDArray[np.bool_] | Ints) -> Hits:
        return Hits(self.onset_s[chosen], self.drum[chosen], self.level_db[chosen])

    def between(self, start_s: float, stop_s: float) -> Hits:
        """Return the hits of an excerpt; its time begins at 0."""
        inside = self[(self.onset_s >= start_s) & (self.onset_s < stop_s)]
        return replace(inside, onset_s=inside.onset_s - start_s)

    def strokes(self, gap_s: float = 0.025) -> Ints:
        """Return the stroke of each hit [shape=(n,)]; hits within the gap of another share one."""
        order = np.argsort(self.onset_s, kind="stable")
        number = np.empty(len(self), dtype=np.int64)
        number[order] = np.cumsum(np.diff(self.onset_s[order], prepend=-np.inf) > gap_s) - 1
        return number

    def stroke_onsets_s(self) -> Floats:
        """Return the onsets of strokes: the mean of their hits, weighted with their power."""
        number, power = self.strokes(), 10 ** (self.level_db / 10)
        onset_s: Floats = np.bincount(number, power * self.onset_s) / np.bincount(number, power)
        return onset_s


@dataclass(frozen=True)
class Strength:
    """A drum struck so hard.

    Parameters
    ----------
    level_db : float
        Against the hardest stroke of the drum, over the first 45 ms.
    shot : float32 array [shape=(n,), 22,050 Hz]
        As loud as that; it begins `LEAD_S` before its attack.
    """

    level_db: float
    shot: Samples


@dataclass(frozen=True)
class Kit:
    """Strokes for each of the nine drums.

    Parameters
    ----------
    name : str
    shots : sequence of nine float32 arrays [shape=(n,), 22,050 Hz]
        The hardest stroke of each; it begins `LEAD_S` before its attack.
    strengths : sequence of nine sequences of Strength, optional
        Where a soft stroke is more than a quiet hard one. Without them, every stroke is that
        of `shots`, made softer.
    """

    name: str
    shots: tuple[Samples, ...]
    strengths: tuple[tuple[Strength, ...], ...] = ()

    def stroke(self, drum: int, level_db: float, turn: int = 0) -> tuple[Samples, float]:
        """Return the sound that comes nearest to a level, and by how many dB to raise it.

        Parameters
        ----------
        turn : int
            Sounds within `ALIKE_DB` of the level take turns: no two strokes are quite alike.
        """
        if not self.strengths:
            return self.shots[drum], level_db
        away = [abs(one.level_db - level_db) for one in self.strengths[drum]]
        reach = max(min(away), ALIKE_DB)
        near = [one for one, far in zip(self.strengths[drum], away, strict=True) if far <= reach]
        chosen = near[turn % len(near)]
        return chosen.shot, level_db - chosen.level_db


def play(hits: Hits, kit: Kit, duration_s: float, *, take: int = 0) -> Samples:
    """Mix the strokes of hits [shape=(n,), 22,050 Hz], each at its own sample.

    Parameters
    ----------
    take : int
        Where a kit has several sounds for a strength, those of another take are others.
    """
    out = np.zeros(round(duration_s * RATE), np.float32)
    lead = round(LEAD_S * RATE)
    turn = np.full(len(hits), take)
    for drum in range(len(KIT_DRUMS)):
        mine = np.nonzero(hits.drum == drum)[0]
        turn[mine[np.argsort(hits.onset_s[mine], kind="stable")]] += np.arange(len(mine))
    for onset, drum, level_db, number in zip(
        np.round(hits.onset_s * RATE), hits.drum, hits.level_db, turn, strict=True
    ):
        shot, gain_db = kit.stroke(int(drum), float(level_db), int(number))
        loud = np.float32(10 ** (gain_db / 20))
        start = int(onset) - lead
        first, last = max(0, -start), min(len(shot), len(out) - start)
        if last > first:
            out[start + first : start + last] += loud * shot[first:last]
    return out


@functools.lru_cache(maxsize=32)
def general_midi(program: int = 0, soundfont: Path | None = None) -> Kit:
    """Cut the strokes of a drum kit of a soundfont: 0 standard, 8 room, 16 power and so on.

    Parameters
    ----------
    program : int [0 to 127]
    soundfont : path of an .sf2 file, optional
        That of `find_soundfont` by default.
    """
    spacing = 4  # quarter notes of half a second
    notes = [[spacing * 480 * i, 480, drum.note, 120] for i, drum in enumerate(KIT_DRUMS)]
    score = Score((Track(np.array(notes), program=program, is_drum=True),))
    sound = render(score, soundfont=soundfont)
    mono = sound.to_mono().resampled(RATE).samples[0]
    size = round(spacing * 0.5 * RATE)
    shots = [_cut(mono[max(0, i * size - 64) :][:size]) for i in range(len(KIT_DRUMS))]
    name = "gm" if soundfont is None else Path(soundfont).stem
    return Kit(f"{name}-{program}", tuple(shots))


def _cut(sound: Samples) -> Samples:
    """Cut a stroke at its attack; its end fades."""
    loud = np.nonzero(np.abs(sound) >= ATTACK * max(float(np.abs(sound).max()), 1e-9))[0]
    start = int(loud[0]) if len(loud) else 0
    lead = round(LEAD_S * RATE)
    padded = np.concatenate([np.zeros(lead, np.float32), sound])
    shot = padded[start : start + round(SHOT_S * RATE)].copy()
    fade = len(shot) // 5
    shot[len(shot) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    return shot


def recorded(folder: str | os.PathLike[str]) -> Kit:
    """Read a kit of recorded single strokes, of one or more strengths for each drum.

    A file is called after its drum and ends with a number, in any order: ``kick-1.wav``,
    ``closed-hi-hat-03.flac``. How hard a stroke is, its level says.

    Raises
    ------
    InputError
        If one of the nine drums has no stroke.
    """
    sounds: dict[str, list[Samples]] = {}
    for path in list_files(folder, soundfiles.SUFFIXES):
        name = re.sub(r"[\W\d_]+$", "", path.stem).lower()
        sounds.setdefault(re.sub(r"[\W_]+", " ", name), []).append(
            _cut(Audio.read(path, sample_rate=RATE, mono=True).samples[0])
        )
    wanted = {re.sub(r"\W+", " ", drum.name): drum.name for drum in KIT_DRUMS}
    missing = [name for name in wanted if name not in sounds]
    if missing:
        raise InputError(
            f"{folder} has no stroke of: {', '.join(wanted[name] for name in missing)}.",
            hint="Name the files after the drums, for example "
            f"{missing[0].replace(' ', '-')}-1.wav.",
        )
    others = sorted(sounds.keys() - wanted.keys())
    if others:
        note(f"{folder}: {', '.join(others)} are not among the nine drums and are left out")
    loudest = max(float(np.abs(one).max()) for name in wanted for one in sounds[name])
    return with_strengths(
        Path(folder).name, [[one / max(loudest, 1e-9) for one in sounds[name]] for name in wanted]
    )


def with_strengths(name: str, strokes: Sequence[Sequence[Samples]]) -> Kit:
    """Make a kit of the strokes of each drum, and measure how hard each is."""
    drums = []
    for sounds in strokes:
        level = [_level_db(one) for one in sounds]
        order = np.argsort(level, kind="stable")
        drums.append(tuple(Strength(level[i] - max(level), sounds[i]) for i in order))
    return Kit(name, tuple(drum[-1].shot for drum in drums), tuple(drums))


def _level_db(shot: Samples) -> float:
    """Return the level of the first 45 ms of a stroke, in dB of full scale."""
    power = np.square(shot[: round((LEAD_S + LOUD_S) * RATE)], dtype=np.float64).mean()
    return float(10 * np.log10(power + 1e-12))


def synthetic(seed: int) -> Kit:
    """Synthesize a kit: bodies that fall in pitch, noise, clusters of partials for metal."""
    rng = np.random.default_rng([seed, 9])
    t = np.arange(round(SHOT_S * RATE)) / RATE

    def decay(time_s: float) -> Floats:
        return np.exp(-t / time_s)

    def body(hz: float, drop: float, time_s: float) -> Floats:
        sweep = hz * (1 + drop * np.exp(-t / rng.uniform(0.01, 0.05)))
        tone: Floats = np.sin(2 * np.pi * np.cumsum(sweep) / RATE) * decay(time_s)
        return tone

    def noise(low_hz: float, high_hz: float, time_s: float) -> Floats:
        spectrum = np.fft.rfft(rng.standard_normal(len(t)))
        hz = np.fft.rfftfreq(len(t), 1 / RATE)
        spectrum *= 1 / (1 + (low_hz / np.maximum(hz, 1)) ** 4) / (1 + (hz / high_hz) ** 4)
        wide = np.fft.irfft(spectrum, len(t))
        made: Floats = wide / np.abs(wide).max() * decay(time_s)
        return made

    def metal(low_hz: float, time_s: float) -> Floats:
        hz = low_hz * rng.uniform(1, 4, 12)
        partials = np.sin(2 * np.pi * hz[:, None] * t + rng.uniform(0, 6, (12, 1))).mean(axis=0)
        made: Floats = rng.uniform(0.3, 1) * partials * decay(time_s)
        return made + noise(low_hz, rng.uniform(7e3, 2e4), time_s)

    u = rng.uniform
    toms = [body(u(60, 110) * k, u(0.2, 1.5), u(0.1, 0.4)) for k in (1.0, 1.4, 2.0)]
    toms = [tom + u(0, 0.4) * noise(200, u(2e3, 8e3), u(0.01, 0.05)) for tom in toms]
    sounds = [
        body(u(40, 70), u(1, 5), u(0.08, 0.35)) + u(0, 0.5) * noise(1e3, 8e3, u(0.003, 0.015)),
        u(0.3, 1) * body(u(150, 260), u(0.1, 1), u(0.04, 0.15))
        + u(0.5, 1) * noise(u(300, 1500), u(6e3, 2e4), u(0.05, 0.2)),
        metal(u(3e3, 7e3), u(0.015, 0.08)),
        toms[0],
        toms[1],
        metal(u(3e3, 7e3), u(0.15, 0.5)),
        toms[2],
        metal(u(2e3, 4e3), u(0.4, 1.0)),
        metal(u(2e3, 5e3), u(0.2, 0.8)) + u(0, 0.5) * noise(2e3, 2e4, u(0.005, 0.02)),
    ]
    levels = 10 ** (rng.uniform(-8, 0, len(sounds)) / 20) * _BALANCE
    shots = [
        _cut((level * sound / np.abs(sound).max()).astype(np.float32))
        for level, sound in zip(levels, sounds, strict=True)
    ]
    return Kit(f"synthetic-{seed}", tuple(shots))


_BALANCE = np.array([1.0, 0.8, 0.3, 0.7, 0.7, 0.35, 0.7, 0.5, 0.35])


def mixed(kits: Sequence[Kit], rng: np.random.Generator) -> Kit:
    """Draw a kit for each drum, and return what they make together."""
    chosen = rng.integers(len(kits), size=len(KIT_DRUMS))
    return Kit("mixed", tuple(kits[k].shots[drum] for drum, k in enumerate(chosen)))


def varied(kit: Kit, rng: np.random.Generator) -> Kit:
    """Augment a kit: tune, damp, colour and balance each of its drums anew."""
    shots = []
    for shot in kit.shots:
        speed = 2 ** rng.uniform(-0.3, 0.3)
        at = np.arange(0, len(shot) - 1, speed)
        tuned = np.interp(at, np.arange(len(shot)), shot)
        tuned *= np.exp(-np.arange(len(tuned)) / RATE * rng.exponential(4.0))
        tuned = _tilted(tuned, rng.uniform(-0.6, 0.6))
        peak = np.abs(tuned).max()
        level = np.abs(shot).max() * 10 ** (rng.uniform(-6, 6) / 20)
        shots.append(_cut((tuned * (level / max(peak, 1e-9))).astype(np.float32)))
    return Kit(kit.name, tuple(shots))


def _tilted(sound: Floats, tilt: float) -> Floats:
    """Tilt the spectrum gently, towards highs or lows: a filter with one zero."""
    return sound - tilt * np.concatenate([[0.0], sound[:-1]])


def room(samples: Samples, rng: np.random.Generator) -> Samples:
    """Put a sound into a room, near or far (25 to 3 dB of direct sound), at another level."""
    time_s, near_db = rng.uniform(0.03, 0.12), rng.uniform(3, 25)
    t = np.arange(round(6.9 * time_s * RATE)) / RATE
    impulse = rng.standard_normal(len(t)) * np.exp(-t / time_s)
    impulse[: round(rng.uniform(0.001, 0.02) * RATE)] = 0
    impulse *= 10 ** (-near_db / 20) / np.sqrt((impulse**2).sum())
    impulse[0] = 1.0
    size = 1 << (len(samples) + len(impulse) - 1).bit_length()
    wide = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(impulse, size), size)
    wide = _tilted(wide[: len(samples)], rng.uniform(-0.5, 0.5))
    level = 10 ** (rng.uniform(-30, -1) / 20)
    placed: Samples = (wide * (level / max(float(np.abs(wide).max()), 1e-9))).astype(np.float32)
    return placed
