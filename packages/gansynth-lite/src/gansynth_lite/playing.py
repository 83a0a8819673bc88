"""Scores played by a model: each note is generated, held, faded and mixed.

As in the demonstration of Engel et al., "GANSynth", ICLR 2019 (1902.08710), instruments are places
of the latent space that may move while the piece goes on. Unlike there, notes may be longer than
those the model draws, what repeats is generated once, and pedal, bends and controllers are heard.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gansynth_lite.envelope import finished, parted
from gansynth_lite.holding import frames_of, locked
from gansynth_lite.layout import Layout
from gansynth_lite.parallel import BATCH, seeds_of, side_by_side
from gansynth_lite.pitch import note_name
from groove_core.console import note, track
from groove_core.errors import InputError, UsageError
from groove_core.render import render as render_with_soundfont
from groove_core.render.soundfont import TAIL_S
from groove_core.values import Audio, Score, Track
from groove_core.values.midi.files import MAX_TICK
from groove_core.values.sound.soundfiles import check_resampling

__all__ = ["Instruments", "Path", "Player", "render", "slerp"]

MAX_MINUTES = 30
"""Longer scores are refused: in stereo they take gigabytes."""
LONGEST_S = 60.0
"""Longer notes end then; they are stuck keys far more often than music."""
FADE_S, RELEASE_S, DAMPED_S = 0.003, 0.3, 0.03
"""Into a note; after its key is released; and when the same key is struck again."""
DRUMS_DB = -3.0
"""Peak of the drums relative to that of the rest."""
BLOCK_S = 0.01
"""How often controllers and bends are looked at."""
BEND_SEMITONES = 2
"""Of a full bend, unless the track says otherwise (registered parameter 0)."""
VOLUME, PAN, EXPRESSION, PEDAL, SILENCE, RESET = 7, 10, 11, 64, 120, 121
KEYS_UP = range(123, 128)
"""All notes off, and changes of mode, which say so, too."""
DATA, DATA_LOW, OTHER_LOW, OTHER_HIGH, PARAMETER_LOW, PARAMETER_HIGH = 6, 38, 98, 99, 100, 101
SETTING = (DATA, DATA_LOW, OTHER_LOW, OTHER_HIGH, PARAMETER_LOW, PARAMETER_HIGH, RESET)
"""Controllers that set a parameter: what it is set to, and which one, registered or another."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Samples = npt.NDArray[np.float32]
Instruments = Callable[[int, Floats], Tensor]
"""Give the instruments w [shape=(n, code)] of a track at some times [shape=(n,), seconds]."""
Curve = Callable[[Floats], Floats]
"""Give a value at each of some times [seconds]."""


class Player(Protocol):
    """What draws notes, as `gansynth_lite.model.GANSynth` does."""

    layout: Layout
    code: int
    """Numbers of an instrument's code; what an instrument has beyond is its envelope."""
    low: int
    high: int
    """Range of pitches [MIDI]."""

    def __call__(
        self,
        w: Tensor,
        pitch: Tensor,
        generator: torch.Generator | None = None,
        frames: int | None = None,
    ) -> Tensor:
        """Draw the beginnings of notes [shape=(n, 2, bins, frames)]."""


def slerp(a: Tensor, b: Tensor, t: Tensor, code: int | None = None) -> Tensor:
    """Go from instruments `a` to `b` [shape=(n, code)] along the sphere they lie on.

    Shoemake, "Animating Rotation with Quaternion Curves", 1985. Lengths are mixed evenly, and so
    are envelopes.

    Parameters
    ----------
    t : Tensor [shape=(n,), 0 at a, 1 at b]
    code : int, optional
        Numbers that are of the code; what follows is an envelope (default: all are of the code).
    """
    if code is not None and a.shape[1] > code:
        (a, e), (b, f) = parted(a, code), parted(b, code)
        return torch.cat([slerp(a, b, t), torch.lerp(e, f, t[:, None])], dim=1)
    t = t[:, None]
    length_a, length_b = a.norm(dim=1, keepdim=True), b.norm(dim=1, keepdim=True)
    u, v = a / length_a, b / length_b
    # More exact than the arc cosine where the two are close.
    angle = 2 * torch.atan2((u - v).norm(dim=1, keepdim=True), (u + v).norm(dim=1, keepdim=True))
    # sin(t angle) / sin(angle), which is t where the angle is 0.
    whole = torch.sinc(angle / math.pi).clamp_min(1e-6)
    to_a = (1 - t) * torch.sinc((1 - t) * angle / math.pi) / whole
    to_b = t * torch.sinc(t * angle / math.pi) / whole
    w: Tensor = (to_a * u + to_b * v) * torch.lerp(length_a, length_b, t)
    return w


@dataclass(frozen=True)
class Path:
    """Instruments that go from key to key as time goes on, and stay at the last.

    Parameters
    ----------
    keys : Tensor [shape=(tracks, keys, code)]
        Those of one track serve all tracks; one key serves all times.
    every_s : float [seconds]
        From one key to the next.
    steps : int
        Stops from one key to the next: notes near in time share one and are generated once.
    code : int, optional
        See `slerp`.
    """

    keys: Tensor
    every_s: float = math.inf
    steps: int = 16
    code: int | None = None

    def __call__(self, track: int, seconds: Floats) -> Tensor:
        """Give the instruments of a track at some times."""
        keys = self.keys[track if len(self.keys) > 1 else 0]
        last = len(keys) - 1
        at = np.round(np.clip(seconds / self.every_s, 0, last) * self.steps) / self.steps
        key = np.minimum(at.astype(np.int64), max(last - 1, 0))
        t = torch.from_numpy(at - key).to(keys)
        return slerp(keys[key], keys[np.minimum(key + 1, last)], t, self.code)


class _Note(NamedTuple):
    """A note as it is to sound, in samples."""

    track: int
    start: int
    length: int
    release: int
    gain: float
    speed: Floats | None
    """How fast the generated note is read, block by block; None is as it is."""

    @property
    def needed(self) -> int:
        """How much of the generated note is read."""
        whole = self.length + self.release
        return whole if self.speed is None else math.ceil(whole * max(1.0, self.speed.max())) + 1


def render(
    score: Score,
    model: Player,
    instruments: Instruments,
    *,
    seed: int = 0,
    refine: int = 0,
    sample_rate: int = 44_100,
    peak_dbfs: float = -1.0,
) -> Audio:
    """Play a score.

    All notes are brought to one peak. Then velocity, volume (controller 7) and expression (11)
    count as General MIDI recommends, each with a gain of (value / 127)^2; pan (10) keeps the power.
    The sustain pedal (64) holds notes. A reset of all controllers (121) frees pedal, expression and
    bend, but neither volume nor pan (RP-015). A note is drawn at the pitch of its key and its bend;
    where the bend moves, it is read faster and slower, as samplers do. Drums are left to the
    soundfont, with a peak `DRUMS_DB` relative to that of the rest.

    Parameters
    ----------
    score : Score
    model : GANSynth
        Notes beyond its range are transposed by octaves, and a message says how many.
    instruments : callable
        For example a `Path`. Asked once for each track, at the times when its notes begin.
    seed : int
        Of the noise in notes.
    refine : int
        Rounds of Griffin-Lim for each generated note.
    sample_rate : int [Hz]
    peak_dbfs : float [dBFS]
        Level of the loudest sample.

    Returns
    -------
    Audio
        Stereo; as long as the score, and `TAIL_S` seconds of ringing.

    Raises
    ------
    InputError
        If there are no notes, or they last longer than `MAX_MINUTES`.
    UsageError
        If the model's range is less than an octave.
    """
    import soxr

    _check(score, model)
    check_resampling(sample_rate)
    length = round((score.duration_s + TAIL_S) * sample_rate)
    samples = np.zeros((2, length), np.float32)
    if any(len(one.notes) and not one.is_drum for one in score.tracks):
        jobs = _jobs(score, model, instruments)
        mix = np.zeros((2, _frames(score, model.layout.sample_rate)), np.float32)
        _play(jobs, model, mix, [_gains(score, one) for one in score.tracks], seed, refine)
        for channel, mixed in zip(samples, mix, strict=True):  # one by one: half the memory
            made = soxr.resample(mixed, model.layout.sample_rate, sample_rate)
            channel[: len(made)] = made[:length]
    else:
        note("There are only drums, which the soundfont plays.")
    drums = tuple(one for one in score.tracks if len(one.notes) and one.is_drum)
    if drums:
        peak = max(samples.max(), -samples.min()) or 1.0
        beat = render_with_soundfont(
            replace(score, tracks=drums), peak_dbfs=0, sample_rate=sample_rate
        ).samples[:, :length]
        samples[:, : beat.shape[1]] += np.float32(peak * 10 ** (DRUMS_DB / 20)) * beat
    peak = max(samples.max(), -samples.min())
    if peak > 0:
        samples *= np.float32(10 ** (peak_dbfs / 20) / peak)
    samples.flags.writeable = False  # so that it is not copied
    return Audio(samples, sample_rate)


def _check(score: Score, model: Player) -> None:
    if not any(len(one.notes) for one in score.tracks):
        raise InputError(
            f"There are no notes in {score.name}.", hint="Give a MIDI file that has some."
        )
    if score.duration_s > 60 * MAX_MINUTES:
        raise InputError(
            f"{score.name} lasts {score.duration_s / 60:.0f} minutes; the longest that is played "
            f"is {MAX_MINUTES}.",
            hint="Cut it into pieces, or look for a stray note at its end.",
        )
    if model.high - model.low < 11:
        raise UsageError(
            f"The model plays {_range(model)} only, less than an octave.",
            hint="Use a model of more pitches, such as the packaged one.",
        )


def _range(model: Player) -> str:
    return f"{note_name(model.low)} to {note_name(model.high)}"


def _frames(score: Score, rate: int) -> int:
    return math.ceil((score.duration_s + TAIL_S) * rate)


# when and how notes sound ------------------------------------------------------------


class _Job(NamedTuple):
    """A note to generate, and where it is heard."""

    w: Tensor
    pitch: float
    notes: list[_Note]

    @property
    def needed(self) -> int:
        return max(one.needed for one in self.notes)


def _jobs(score: Score, model: Player, instruments: Instruments) -> list[_Job]:
    """List what is to be generated, the longest first; what sounds the same only once."""
    rate = model.layout.sample_rate
    jobs: dict[tuple[bytes, float], _Job] = {}
    count = away = 0
    for index, one in enumerate(score.tracks):
        if one.is_drum or not len(one.notes):
            continue
        rows, start_s, end_s, release_s = _sounding(score, one)
        # As many octaves up, or down, as bring a key into the range.
        up, down = (model.low - rows[:, 0] + 11) // 12, (rows[:, 0] - model.high + 11) // 12
        octaves = up.clip(0) - down.clip(0)
        count, away = count + len(rows), away + int(np.count_nonzero(octaves))
        columns = rows[:, 0] + 12 * octaves, rows[:, 1], start_s, end_s, release_s
        bends, codes = _bends(score, one), instruments(index, start_s)
        for w, *times in zip(codes, *(column.tolist() for column in columns), strict=True):
            key, velocity, start, end, release = times
            bend = bends(_blocks(start, end + release))
            moves = bend.min() != bend.max()
            # While a bend moves, a whole key is generated, which notes can share.
            pitch = float(key + (np.round(bend.mean()) if moves else bend[0]))
            played = _Note(
                index,
                round(start * rate),
                round((end - start) * rate),
                round(release * rate),
                (velocity / 127) ** 2,
                2 ** ((key + bend - pitch) / 12) if moves else None,
            )
            place = w.cpu().numpy().tobytes(), pitch
            jobs.setdefault(place, _Job(w, pitch, [])).notes.append(played)
    if away:
        note(
            f"{away} of {count} notes are beyond {_range(model)}, what the model plays, and sound "
            "in another octave."
        )
    return sorted(jobs.values(), key=lambda job: -job.needed)


def _sounding(score: Score, one: Track) -> tuple[Integers, Floats, Floats, Floats]:
    """Give pitches and velocities [shape=(n, 2)], and when notes begin, end, and how they fade.

    A pedal holds notes, and the next note of a key ends the one before. The channel can be told to
    release all keys, or to be silent at once.
    """
    rows = one.notes[np.lexsort((-one.notes[:, 1], one.notes[:, 0], one.notes[:, 2]))]
    again = np.r_[False, (rows[1:, [0, 2]] == rows[:-1, [0, 2]]).all(axis=1)]
    rows = rows[~again]  # of notes at once on one key, the longest
    ends = np.minimum(rows[:, 0] + rows[:, 1], _first(one, KEYS_UP, rows[:, 0]))
    pedal = _settings(one, PEDAL, 0)
    down = pedal[:, 1] >= 64
    ups = np.r_[pedal[~down, 0], score.end_tick]
    is_down = np.r_[False, down][np.searchsorted(pedal[:, 0], ends, side="right")]
    up = ups[np.searchsorted(ups[:-1], ends, side="right")]
    ends = np.where(is_down, np.maximum(up, ends), ends)
    ends = np.minimum(ends, _first(one, (SILENCE,), rows[:, 0]))
    start_s, end_s = score.seconds(rows[:, 0]), score.seconds(ends)
    following: Floats = np.r_[np.where(rows[1:, 2] == rows[:-1, 2], start_s[1:], np.inf), np.inf]
    end_s = np.minimum(np.minimum(end_s, following), start_s + LONGEST_S)
    return rows[:, 2:], start_s, end_s, np.minimum(following + DAMPED_S - end_s, RELEASE_S)


def _first(one: Track, numbers: Sequence[int], ticks: Integers) -> Integers:
    """Find the first of some controllers behind ticks, or else the largest tick."""
    found = one.controls[np.isin(one.controls[:, 1], numbers), 0]
    first: Integers = np.r_[found, MAX_TICK][np.searchsorted(found, ticks, side="right")]
    return first


def _settings(one: Track, number: int, before: int) -> Integers:
    """List what a controller is set to [shape=(n, 2), tick and value]; a reset is `before`."""
    told = one.controls[np.isin(one.controls[:, 1], (number, RESET))]
    return np.stack([told[:, 0], np.where(told[:, 1] == RESET, before, told[:, 2])], axis=1)


def _blocks(start_s: float, end_s: float) -> Floats:
    """Give when the blocks of a stretch of time begin; there are two at least."""
    count = max(2, math.ceil((end_s - start_s) / BLOCK_S))
    return start_s + BLOCK_S * np.arange(count, dtype=np.float64)


def _steps(score: Score, events: Integers | Floats, before: int) -> Curve:
    """Give what holds at any time, after events [shape=(n, 2), tick and value]."""
    times, values = score.seconds(events[:, 0]) - 1e-6, np.r_[before, events[:, 1]].astype(float)
    return lambda seconds: values[np.searchsorted(times, seconds, side="right")]


def _bends(score: Score, one: Track) -> Curve:
    """Give the bend at any time, in semitones."""
    resets = one.controls[one.controls[:, 1] == RESET, 0]
    told = np.concatenate([np.stack([resets, 0 * resets], axis=1), one.pitch_bends])
    told = told[np.argsort(told[:, 0], kind="stable")]
    bent, widest = _steps(score, told, 0), _steps(score, _ranges(one), BEND_SEMITONES)
    return lambda seconds: widest(seconds) / 8192 * bent(seconds)


def _ranges(one: Track) -> Floats:
    """Return what the range of bends is set to [shape=(n, 2), tick and semitones].

    That is registered parameter 0, as long as it is selected, in semitones and cents.
    """
    ranges: list[tuple[float, float]] = []
    selected: dict[int, int] = {}
    semitones, cents = BEND_SEMITONES, 0
    for tick, number, value in one.controls[
        np.isin(one.controls[:, 1], (*SETTING, RESET))
    ].tolist():
        if number in (OTHER_LOW, OTHER_HIGH, RESET):
            selected = {}
        elif number in (PARAMETER_LOW, PARAMETER_HIGH):
            selected[number] = value
        elif selected == {PARAMETER_LOW: 0, PARAMETER_HIGH: 0}:
            if number == DATA:
                semitones = value
            else:
                cents = value
            ranges.append((tick, semitones + cents / 100))
    return np.array(ranges).reshape(-1, 2)


def _gains(score: Score, one: Track) -> Curve:
    """Give how loud a track is left and right [shape=(2, n)] at any time."""
    volume, pan = (
        _steps(score, one.controls[one.controls[:, 1] == number][:, [0, 2]], before)
        for number, before in ((VOLUME, 100), (PAN, 64))
    )
    expression = _steps(score, _settings(one, EXPRESSION, 127), 127)

    def gains(seconds: Floats) -> Floats:
        level = (volume(seconds) * expression(seconds) / 127**2) ** 2
        angle = (pan(seconds) - 1).clip(0) / 126 * math.pi / 2  # 64 is the middle
        both: Floats = math.sqrt(2) * level * np.stack([np.cos(angle), np.sin(angle)])
        return both

    return gains


# sound -------------------------------------------------------------------------------


def _play(
    jobs: list[_Job], model: Player, mix: Samples, gains: list[Curve], seed: int, refine: int
) -> None:
    """Generate notes and add them to the mix [shape=(2, samples)]."""
    batches = [jobs[at : at + BATCH] for at in range(0, len(jobs), BATCH)]
    seeds = seeds_of(len(batches), seed)
    made = side_by_side(
        lambda one: _generated(batches[one], model, seeds[one], refine), len(batches)
    )
    for batch, sounds in zip(batches, track(made, "playing", len(batches)), strict=True):
        for job, sound in zip(batch, sounds, strict=True):
            for one in job.notes:
                _add(mix, sound, one, gains[one.track], model.layout.sample_rate)


@torch.inference_mode()
def _generated(batch: list[_Job], model: Player, seed: int, refine: int) -> list[Samples]:
    """Generate notes, each as long as it is needed and with a peak of 1."""
    layout = model.layout
    frames = [frames_of(job.needed, layout) for job in batch]
    codes, envelopes = parted(torch.stack([job.w for job in batch]), model.code)
    pitches = torch.tensor([job.pitch for job in batch], device=codes.device)
    drawn = model(
        codes,
        pitches,
        torch.Generator().manual_seed(seed),
        min(max(frames), layout.frames),
    )
    drawn = locked(drawn, layout)
    sounds = []
    parts = drawn.split(1), pitches.split(1), envelopes.split(1)
    for job, wanted, picture, pitch, envelope in zip(batch, frames, *parts, strict=True):
        longest = max(one.length for one in job.notes)
        hold = wanted > layout.frames or longest > layout.held_s * layout.sample_rate
        made = finished(
            picture, layout, wanted, hold=hold, pitches=pitch, envelopes=envelope, refine=refine
        )
        sound: Samples = made[0].float().cpu().numpy()
        peak = max(sound.max(), -sound.min())
        sounds.append(sound / peak if peak > 0 else sound)
    return sounds


def _add(mix: Samples, sound: Samples, one: _Note, gains: Curve, rate: int) -> None:
    """Fade a note and add it to the mix."""
    length = min(one.length + one.release, mix.shape[1] - one.start)
    at = np.arange(length) / (BLOCK_S * rate)
    if one.speed is not None:
        sound = _read(sound, np.interp(at, np.arange(len(one.speed)), one.speed))
    heard = np.zeros(length, np.float32)
    heard[: len(sound)] = one.gain * sound[:length]
    fade = min(round(FADE_S * rate), length)
    heard[:fade] *= np.linspace(0, 1, fade, dtype=np.float32)
    out = 0.5 + 0.5 * np.cos(np.linspace(0, math.pi, one.release, dtype=np.float32))
    heard[one.length :] *= out[: max(length - one.length, 0)]
    start_s = one.start / rate
    level = gains(_blocks(start_s, start_s + length / rate)).astype(np.float32)
    moves = (level != level[:, :1]).any()
    for channel, of_channel in zip(mix[:, one.start :], level, strict=True):
        gain = np.interp(at, np.arange(len(of_channel)), of_channel) if moves else of_channel[0]
        channel[:length] += gain * heard


def _read(sound: Samples, speed: Floats) -> Samples:
    """Read a sound at a speed that changes from sample to sample."""
    import soxr

    finer = 4  # so that straight lines between samples are exact enough
    at = finer * np.r_[0.0, np.cumsum(speed)[:-1]]
    fine = soxr.resample(sound, 1, finer)
    read: Samples = np.interp(at, np.arange(len(fine)), fine, right=0).astype(np.float32)
    return read
