"""Two versions of a part, from files of any kind to one comparison."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from groove_core.errors import InputError
from groove_core.values.audio import Audio
from groove_core.values.grid import is_triplet, no_drums
from groove_core.values.score import Score, drum_tracks
from groove_vae import kits
from groove_vae.alignment import (
    Alignment,
    Beats,
    Strokes,
    align,
    beats_of_score,
    find_beats,
    pairs,
    retimed,
)
from groove_vae.comparison import EARLY_S, Comparison, Stroke
from groove_vae.feel import on_grid
from groove_vae.frames import HOP, HOP_S
from groove_vae.kits import RATE, Hits, Kit, Samples
from groove_vae.listening import AROUND, Heard, alike, divergence_curve, frames_of, listen, sound_of
from groove_vae.model import FeelVAE, Measure
from groove_vae.performances import CLASSES, drum_of_pitch
from groove_vae.raw import RAW_RATE, raw_curve
from groove_vae.symbolic import loudest

__all__ = ["Version", "compare_versions", "of_audio", "of_score", "quantized"]

MAX_S = 3600.0
TAIL_S = 1.0
FEWEST = 4
"""Strokes that make a part."""
SOFTEST_DB = -24.0
LOUD_S = 0.045
OUTLINE_POINTS = 6000

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Version:
    """A part as sound and, where they are known, as hits and beats.

    Parameters
    ----------
    name : ``played`` or ``programmed``
    samples : float32 array [shape=(n,), 22,050 Hz]
    hits : Hits, optional
    beats : Beats, optional
    follows : bool
        Whether it was made from the other version, so that their clocks are one.
    """

    name: str
    samples: Samples
    hits: Hits | None = None
    beats: Beats | None = None
    follows: bool = False

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / RATE


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
        raise no_drums(score.name, len(notes))
    tick, drum, velocity = notes[known, 0], drum[known], notes[known, 3]
    # One drum cannot be hit twice at once: a flam that was quantized is one stroke.
    one = loudest(tick, drum, velocity)
    onset_s = score.seconds(tick[one])
    hits = Hits.of_velocity(onset_s, drum[one], velocity[one])
    duration_s = float(onset_s.max()) + TAIL_S
    _check_length(duration_s, name)
    beats = beats_of_score(score, int(tick.max()))
    return Version(name, kits.play(hits, kit, duration_s), hits, beats)


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
    return Version("programmed", samples, follows=True)


def _beats(version: Version, onset_s: Floats, tempo_bpm: float | None) -> Beats:
    """Find the beats of strokes in sound."""
    # Between what is loud and how many strokes there are.
    loudness = _power(version.samples, onset_s) ** 0.25
    return find_beats(onset_s, loudness, version.duration_s, tempo_bpm=tempo_bpm)


def _loud(version: Version, heard: Heard) -> Strokes:
    """Give the strokes to align by: of known hits those that a recording lets hear."""
    hits = version.hits
    if hits is None:
        onset_s = heard.onset_s
    else:
        onset_s = _as_strokes(hits[hits.level_db >= hits.level_db.max() + SOFTEST_DB])[0]
    sound = sound_of(heard.bands, frames_of(onset_s))
    return Strokes(onset_s, sound.numpy().astype(np.float64))


def _strokes(version: Version, heard: Heard) -> Floats:
    """Give the onsets of a version: those of its hits, or what is heard.

    Raises
    ------
    InputError
        If there are too few to be a part.
    """
    if version.hits is not None:
        return _as_strokes(version.hits)[0]
    found = heard.onset_s
    if len(found) < FEWEST:
        raise InputError(
            f"No drums can be heard in the {version.name} part.",
            hint="Give a recording of drums alone; a stem rather than a mix.",
        )
    return found


def _as_strokes(hits: Hits) -> tuple[Floats, list[str]]:
    """Give onset and drums of what is hit together."""
    number = hits.strokes()
    power = 10 ** (hits.level_db / 10)
    count = int(number.max()) + 1
    onset = np.bincount(number, power * hits.onset_s, count) / np.bincount(number, power, count)
    names = [
        " + ".join(dict.fromkeys(CLASSES[d].name for d in np.sort(hits.drum[number == one])))
        for one in range(count)
    ]
    return onset, names


def compare_versions(
    model: FeelVAE,
    played: Version,
    programmed: Version | None,
    *,
    measure: Measure = "kl",
    tempo_bpm: float | None = None,
    same_tone: bool | None = None,
    aligned: bool = False,
    raw_seed: int | None = None,
) -> Comparison:
    """Compare two versions of a part, or a recording with its own quantized version.

    Parameters
    ----------
    tempo_bpm : float, optional
        Where beats must be found in sound, the tempo to look for.
    same_tone : bool, optional
        Whether both sound the same, so that any difference counts; told from where they
        come when left out.
    aligned : bool
        Whether both begin together at one tempo.
    raw_seed : int, optional
        Compare sample by sample, as `groove_vae.raw` does.

    Raises
    ------
    InputError
        If there are no drums, no beats, or two parts that do not agree.
    """
    heard = listen(model, played.samples)
    onset_s = _strokes(played, heard)
    alignment = Alignment()
    made = programmed is None
    if programmed is None:
        beats = _beats(played, onset_s, tempo_bpm)
        programmed = quantized(played, onset_s, beats)
        other, other_s = listen(model, programmed.samples), None
    else:
        other = listen(model, programmed.samples)
        other_s = _strokes(programmed, other)
        if not (programmed.follows or aligned):
            alignment = align(_loud(played, heard), _loud(programmed, other))
        if alignment.moved:
            programmed = _moved(programmed, other_s, alignment, played.duration_s)
            other = listen(model, programmed.samples)
        beats = (
            played.beats
            or programmed.beats
            or _beats(programmed, _strokes(programmed, other), tempo_bpm)
        )
    if same_tone is None:
        same_tone = made or (played.hits is not None and programmed.hits is not None)
    frames = min(len(heard.envelopes), len(other.envelopes))
    heard, other = _cut(heard, frames), _cut(other, frames)
    start_s = max(0.0, float(alignment.to_played(np.zeros(1))[0]))
    end_s = min(frames * HOP_S, programmed.duration_s)
    each = played.hits is not None and programmed.hits is not None
    mine = _events(played, heard, start_s, end_s, each=each)
    theirs = _events(programmed, other, start_s, end_s, each=each)
    at_s = _strokes(programmed, other)
    at_s = at_s[at_s < end_s]
    if raw_seed is None:
        step_s = HOP_S
        curve = divergence_curve(heard, other, at_s, measure=measure, same_tone=same_tone)
    else:
        step_s = 1 / RAW_RATE
        size = round(end_s * RATE)
        curve = raw_curve(
            played.samples[:size], programmed.samples[:size], measure=measure, seed=raw_seed
        )
    # Before the programmed part begins there is nothing to compare with.
    curve[: int(max(0.0, start_s - EARLY_S) / step_s)] = 0.0
    neighbours = None if same_tone else alike(other.bands, frames_of(theirs.onset_s)).numpy()
    strokes = _table(mine, theirs, curve, step_s, beats, (played, programmed), neighbours)
    about = {
        "tempo_bpm": round(beats.tempo_bpm, 3),
        "alignment": {
            "speed": alignment.speed,
            "offset_s": alignment.offset_s,
            "matched": alignment.matched,
            "from_s": start_s,
            "until_s": end_s,
        },
        "same_tone": same_tone,
        "quantized": made,
        "raw": raw_seed is not None,
        "remarks": _remarks(alignment, beats, made=made, same_tone=same_tone),
    }
    outlines = np.stack([_outline(one.samples, frames) for one in (played, programmed)])
    return Comparison(measure, step_s, curve, tuple(strokes), beats, outlines, about)


@dataclass(frozen=True)
class _Events:
    onset_s: Floats
    label: list[str]
    level_db: Floats | None


def _events(version: Version, heard: Heard, start_s: float, end_s: float, *, each: bool) -> _Events:
    """Give every hit where those of both versions are known, else strokes, within a span."""
    hits = version.hits
    if hits is not None and each:
        hits = hits[(hits.onset_s >= start_s - EARLY_S) & (hits.onset_s < end_s)]
        return _Events(hits.onset_s, [CLASSES[d].name for d in hits.drum], hits.level_db)
    onset_s, label = (heard.onset_s, None) if hits is None else _as_strokes(hits)
    inside = np.nonzero((onset_s >= start_s - EARLY_S) & (onset_s < end_s))[0]
    return _Events(onset_s[inside], ["" if label is None else label[i] for i in inside], None)


def _table(
    mine: _Events,
    theirs: _Events,
    curve: Floats,
    step_s: float,
    beats: Beats,
    versions: tuple[Version, Version],
    neighbours: Ints | None,
) -> list[Stroke]:
    """Match the strokes of two versions and say what became of each."""
    left, right = _matched(mine, theirs)
    if mine.level_db is not None and theirs.level_db is not None:
        louder = mine.level_db[left] - theirs.level_db[right]
    else:
        among: list[Ints] | None = None
        if neighbours is not None:
            # Of those that sound alike, the ones that have a partner.
            place = np.full(len(theirs.onset_s), -1)
            place[right] = np.arange(len(right))
            among = [near[near >= 0] for near in place[neighbours[right]]]
        louder = _louder(versions, mine.onset_s[left], theirs.onset_s[right], among)
    at = np.concatenate(
        [
            theirs.onset_s[right],
            np.delete(mine.onset_s, left),
            np.delete(theirs.onset_s, right),
        ]
    )
    label = [
        *(theirs.label[j] or mine.label[i] for i, j in zip(left, right, strict=True)),
        *(mine.label[i] for i in np.delete(np.arange(len(mine.label)), left)),
        *(theirs.label[j] for j in np.delete(np.arange(len(theirs.label)), right)),
    ]
    alone = len(mine.onset_s) - len(left), len(theirs.onset_s) - len(right)
    where = ["both"] * len(left) + ["played"] * alone[0] + ["programmed"] * alone[1]
    late = [*(1000 * (mine.onset_s[left] - theirs.onset_s[right])), *[None] * sum(alone)]
    level = [*louder, *[None] * sum(alone)]
    # Over 46 ms on either side.
    total = np.concatenate([[0.0], np.cumsum(curve)])
    reach = AROUND * HOP_S
    first = np.round((at - reach) / step_s).astype(int).clip(0, len(curve) - 1)
    last = (np.round((at + reach) / step_s).astype(int) + 1).clip(1, len(curve))
    mean = (total[last] - total[first]) / (last - first)
    shown = np.concatenate([mine.onset_s[left], at[len(left) :]])
    bar, place = beats.at(at)
    strokes = [
        Stroke(
            float(shown[i]),
            int(bar[i]),
            float(place[i]),
            label[i],
            where[i],
            None if late[i] is None else float(late[i]),
            None if level[i] is None else float(level[i]),
            float(mean[i]),
        )
        for i in range(len(at))
    ]
    return sorted(strokes, key=lambda one: (one.onset_s, one.drum))


def _matched(mine: _Events, theirs: _Events) -> tuple[Any, Any]:
    """Match events, drum by drum where both are known."""
    names = set(mine.label) | set(theirs.label)
    if "" in names:
        return pairs(mine.onset_s, theirs.onset_s)
    found: list[tuple[Any, Any]] = []
    for name in sorted(names):
        here, there = (
            np.array([i for i, one in enumerate(events.label) if one == name], dtype=np.int64)
            for events in (mine, theirs)
        )
        left, right = pairs(mine.onset_s[here], theirs.onset_s[there])
        found.append((here[left], there[right]))
    left, right = (np.concatenate(side) for side in zip(*found, strict=True))
    order = np.argsort(mine.onset_s[left], kind="stable")
    return left[order], right[order]


def _power(samples: Samples, onset_s: Floats) -> Floats:
    """Give the mean power of 45 ms from each onset [shape=(n,)]."""
    first = np.round(onset_s * RATE).astype(int).clip(0, len(samples) - 1)
    total = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    last = (first + round(LOUD_S * RATE)).clip(max=len(samples))
    power: Floats = np.divide(total[last] - total[first], last - first)
    return power


def _louder(
    versions: tuple[Version, Version],
    mine_s: Floats,
    theirs_s: Floats,
    neighbours: list[Ints] | None,
) -> Floats:
    """Give by how many dB strokes of the first version are louder, as sound.

    Parameters
    ----------
    neighbours : sequence of int arrays, optional
        For each stroke those that sound alike: another kit is louder here and softer there,
        which is nobody's dynamics.
    """
    first = _power(versions[0].samples, mine_s)
    second = _power(versions[1].samples, theirs_s)
    louder: Floats = 10 * np.log10((first + 1e-12) / (second + 1e-12))
    if not len(louder):
        return louder
    volume = float(np.median(louder))
    if neighbours is None:
        return louder - volume
    usual = [float(np.median(louder[one])) if len(one) else volume for one in neighbours]
    against: Floats = louder - np.array(usual)
    return against


def _moved(version: Version, onset_s: Floats, alignment: Alignment, duration_s: float) -> Version:
    """Bring the programmed part onto the clock of the played one."""
    target_s = alignment.to_played(onset_s)
    beats = None if version.beats is None else version.beats.mapped(alignment)
    hits = None
    if version.hits is not None:
        hits = replace(version.hits, onset_s=alignment.to_played(version.hits.onset_s))
    end_s = min(duration_s, float(alignment.to_played(np.array([version.duration_s]))[0]))
    if abs(alignment.speed - 1) * version.duration_s < 0.001:
        start = round(alignment.offset_s * RATE)
        samples = np.pad(version.samples, (max(0, start), 0))[max(0, -start) :]
        samples = samples[: max(1, round(end_s * RATE))]
    else:
        inside = (target_s > 0) & (target_s < end_s)
        samples = retimed(version.samples, onset_s[inside], target_s[inside], end_s)
    return Version(version.name, samples, hits, beats)


def _cut(heard: Heard, frames: int) -> Heard:
    return Heard(heard.latent.at(slice(0, frames)), heard.bands[:frames], heard.envelopes[:frames])


def _remarks(alignment: Alignment, beats: Beats, *, made: bool, same_tone: bool) -> list[str]:
    words = [f"{beats.tempo_bpm:.1f} bpm"]
    if made:
        words.append("compared with its own strokes on the grid: timing differs, dynamics do not")
    elif alignment.moved:
        words.append(
            f"the programmed part begins {abs(alignment.offset_s):.3f} s "
            f"{'later' if alignment.offset_s > 0 else 'earlier'}, at {alignment.speed:.4f} times "
            f"the tempo; aligned by {100 * alignment.matched:.0f} % of the strokes, so that none "
            "is early or late on the whole"
        )
    else:
        words.append("both begin together and keep one tempo")
    if not same_tone:
        words.append("what sets strokes that sound alike apart from the other kit is taken out")
    return words


def _outline(samples: Samples, frames: int) -> Floats:
    """Give the peaks of a sound, for drawing: at most 6,000 points [shape=(n,), 0 to 1]."""
    points = min(frames, OUTLINE_POINTS)
    length = frames * HOP
    whole = np.zeros(length, np.float32)
    whole[: min(length, len(samples))] = np.abs(samples[:length])
    edges = np.linspace(0, length, points + 1).astype(int)[:-1]
    peaks = np.maximum.reduceat(whole, edges)
    outline: Floats = (peaks / max(float(peaks.max()), 1e-9)).astype(np.float64)
    return outline
