"""Versions of a part: recordings, scores that are played, and what is made of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from groove_core.drums import KIT_DRUMS, drum_tracks, is_triplet, no_drums
from groove_core.errors import InputError
from groove_core.render import kits
from groove_core.render.kits import RATE, Hits, Kit, Samples
from groove_core.values import Audio, Score
from groove_vae.alignment import Alignment, Beats, beats_of_score, find_beats, retimed
from groove_vae.feel import on_grid
from groove_vae.performances import drum_of_pitch
from groove_vae.symbolic import loudest

__all__ = [
    "Version",
    "beats_of",
    "moved",
    "of_audio",
    "of_score",
    "power_db",
    "programmed_score",
    "quantized",
]

MAX_S = 3600.0
TAIL_S = 1.0
LOUD_S = 0.045
"""How long a stroke is listened to for its level."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Version:
    """A part as sound and, where they are known, as hits and beats.

    Parameters
    ----------
    name : ``played`` or ``programmed``
    samples : float32 array [shape=(n,), 22,050 Hz]
    hits : Hits, optional
    kit : Kit, optional
        What the hits are played on.
    beats : Beats, optional
    strokes_s : float array [shape=(strokes,)], optional
        Where the strokes of the other version were put to make this one.
    follows : bool
        Whether it was made from the other version, so that their clocks are one.
    """

    name: str
    samples: Samples
    hits: Hits | None = None
    kit: Kit | None = None
    beats: Beats | None = None
    strokes_s: Floats | None = None
    follows: bool = False

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / RATE

    @property
    def kit_name(self) -> str:
        """Name of the kit; empty for a recording."""
        return "" if self.kit is None else self.kit.name


def of_audio(audio: Audio, name: str) -> Version:
    """Take a recording.

    Raises
    ------
    InputError
        If it is silent or longer than an hour.
    """
    _check_length(audio.duration_s, name)
    mono = audio.to_mono()
    if mono.peak < 1e-5:
        raise InputError(f"The {name} part is silent.", hint="Give a recording of drums.")
    return Version(name, mono.resampled(RATE).samples[0])


def of_score(score: Score, name: str, kit: Kit) -> Version:
    """Play the drums of a score.

    Raises
    ------
    InputError
        If it has none, or lasts longer than an hour.
    """
    tracks = drum_tracks(score)
    notes = np.concatenate([t.notes for t in tracks]) if tracks else np.zeros((0, 4), np.int64)
    drum = drum_of_pitch(notes[:, 2])
    known = (drum >= 0) & (notes[:, 3] > 0)
    if not known.any():
        raise no_drums(score.name, len(notes), of=len(KIT_DRUMS))
    tick, drum, velocity = notes[known, 0], drum[known], notes[known, 3]
    # One drum cannot be hit twice at once: a flam that was quantized is one stroke.
    one = loudest(tick, drum, velocity)
    onset_s = score.seconds(tick[one])
    hits = Hits.of_velocity(onset_s, drum[one], velocity[one])
    duration_s = float(onset_s.max()) + TAIL_S
    _check_length(duration_s, name)
    beats = beats_of_score(score, int(tick.max()))
    return Version(name, kits.play(hits, kit, duration_s), hits, kit, beats)


def _check_length(duration_s: float, name: str) -> None:
    if duration_s > MAX_S:
        raise InputError(
            f"The {name} part lasts {duration_s / 60:.0f} minutes; at most an hour is compared.",
            hint="Cut out the stretch that matters.",
        )


def programmed_score(score: Score) -> Score:
    """Make the programmed version of a score: on the grid, each drum at its mean velocity."""
    ticks = np.concatenate([np.zeros(0), *(t.notes[:, 0] for t in drum_tracks(score))])
    per_beat = 6 if is_triplet(ticks / score.ticks_per_quarter) else 4
    return on_grid(score, per_beat=per_beat, evenness=1.0)


def quantized(played: Version, onset_s: Floats, beats: Beats) -> Version:
    """Make a programmed version of a recording: each stroke at the nearest sixteenth.

    Strokes keep their sound and so their level; what is programmed is the timing alone.
    """
    first = float(beats.onset_s[0])
    per_beat = 6 if is_triplet((onset_s - first) * beats.tempo_bpm / 60) else 4
    step_s = 60 / beats.tempo_bpm / per_beat
    target = first + step_s * np.round((onset_s - first) / step_s)
    # Two strokes of one sixteenth, as in a flam, keep their distance.
    for i in np.nonzero(np.diff(target) <= 0)[0] + 1:
        target[i] = target[i - 1] + (onset_s[i] - onset_s[i - 1])
    samples = retimed(played.samples, onset_s, target, played.duration_s)
    return Version("programmed", samples, strokes_s=target, follows=True)


def beats_of(version: Version, onset_s: Floats, tempo_bpm: float | None) -> Beats:
    """Find the beats of strokes in sound."""
    # Between what is loud and how many strokes there are.
    loudness = 10 ** (power_db(version, onset_s) / 40)
    return find_beats(onset_s, loudness, version.duration_s, tempo_bpm=tempo_bpm)


def power_db(version: Version, onset_s: Floats) -> Floats:
    """Give the level of 45 ms from each onset [shape=(n,), dB of full scale]."""
    samples = version.samples
    first = np.round(onset_s * RATE).astype(int).clip(0, len(samples) - 1)
    total = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    last = (first + round(LOUD_S * RATE)).clip(max=len(samples))
    level: Floats = 10 * np.log10((total[last] - total[first]) / (last - first) + 1e-12)
    return level


def moved(version: Version, onset_s: Floats, alignment: Alignment, duration_s: float) -> Version:
    """Bring the programmed part onto the clock of the played one.

    Known hits are played again; of a recording at another tempo, the strokes are moved.
    """
    beats = None if version.beats is None else version.beats.mapped(alignment)
    end_s = min(duration_s, float(alignment.to_played(np.array([version.duration_s]))[0]))
    if version.hits is not None and version.kit is not None:
        hits = replace(version.hits, onset_s=alignment.to_played(version.hits.onset_s))
        sound = kits.play(hits, version.kit, max(end_s, 1 / RATE))
        return replace(version, samples=sound, hits=hits, beats=beats)
    if alignment.stretch == 1:
        start = round(alignment.offset_s * RATE)
        samples = np.pad(version.samples, (max(0, start), 0))[max(0, -start) :]
        samples = samples[: max(1, round(end_s * RATE))]
    else:
        target_s = alignment.to_played(onset_s)
        inside = (target_s > 0) & (target_s < end_s)
        samples = retimed(version.samples, onset_s[inside], target_s[inside], end_s)
    return replace(version, samples=samples, beats=beats)
