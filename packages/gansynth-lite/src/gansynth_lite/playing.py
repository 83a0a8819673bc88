"""Scores played by a model: each note is generated, held, faded and mixed.

As in the demonstration of Engel et al., "GANSynth", ICLR 2019 (1902.08710), instruments are places
of the latent space that may move while the piece goes on. Unlike there, notes may be longer than
those the model draws, what repeats is generated once, and pedal, bends and controllers are heard.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gansynth_lite.controllers import BLOCK_S, Curve, bends_of, blocks, gains_of, sounding
from gansynth_lite.envelope import finished, parted
from gansynth_lite.holding import frames_of, locked
from gansynth_lite.layout import Layout
from gansynth_lite.mixing import mixed, stem_names
from gansynth_lite.model import MARGIN
from gansynth_lite.parallel import BATCH, seeds_of, side_by_side
from gansynth_lite.pitch import note_name
from groove_core.console import duration_text, note, track
from groove_core.errors import InputError, UsageError
from groove_core.render import render as render_with_soundfont
from groove_core.render.soundfont import TAIL_S
from groove_core.values import Audio, Score
from groove_core.values.sound.soundfiles import check_resampling

__all__ = ["Instruments", "Path", "Player", "render", "slerp"]

MAX_MINUTES = 30
"""Longer scores are refused: in stereo they take gigabytes."""
MAX_STEM_MINUTES = 60
"""Of all stems together."""
FADE_S = 0.003
"""Into a note."""
DRUMS_DB = -3.0
"""Peak of the drums relative to that of the rest."""
Floats = npt.NDArray[np.float64]
Samples = npt.NDArray[np.float32]
Instruments = Callable[[int, Floats], Tensor]
"""Give the instruments w [shape=(n, code)] of a track at some times [shape=(n,), seconds]."""


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
    stems: bool = False,
    announce: bool = False,
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
    stems : bool
        Whether each track is wanted alone, too: then the result is a `gansynth_lite.mixing.Mix`.
        Drums are one stem, whatever the number of their tracks.
    announce : bool
        Whether to say first how many notes there are to draw, and for how long.

    Returns
    -------
    Audio
        Stereo; as long as the score, and `TAIL_S` seconds of ringing.

    Raises
    ------
    InputError
        If there are no notes, or they last longer than `MAX_MINUTES`; with stems, that is shared
        by the tracks.
    UsageError
        If the model's range is less than an octave.
    """
    _check(score, model, stems)
    check_resampling(sample_rate)
    heard = [i for i, one in enumerate(score.tracks) if len(one.notes)]
    played = [i for i in heard if not score.tracks[i].is_drum]
    drummed = [i for i in heard if score.tracks[i].is_drum]
    mixes: dict[int, Samples] = {}
    if played:
        jobs = _jobs(score, model, instruments)
        if announce:
            _announce(jobs, model, refine)
        shape = 2, _frames(score, model.layout.sample_rate)
        first = np.zeros(shape, np.float32)
        mixes = {i: np.zeros(shape, np.float32) if stems else first for i in played}
        _play(jobs, model, mixes, [gains_of(score, one) for one in score.tracks], seed, refine)
    else:
        note("There are only drums, which the soundfont plays.")
    length = round((score.duration_s + TAIL_S) * sample_rate)
    names = stem_names(score)
    found = {
        names[i]: _resampled(mixes.pop(i), model.layout.sample_rate, sample_rate, length)
        for i in (played if stems else played[:1])
    }
    if drummed:
        whole = functools.reduce(np.add, found.values()) if found else np.ones(1, np.float32)
        drums = replace(score, tracks=tuple(score.tracks[i] for i in drummed))
        peak = float(max(whole.max(), -whole.min())) or 1.0
        found[names[drummed[0]]] = _drums(drums, peak, sample_rate, length)
    if stems:
        return mixed(found, sample_rate, peak_dbfs)
    samples = next(iter(found.values()))
    for more in [*found.values()][1:]:
        samples += more
    loudest = max(samples.max(), -samples.min())
    if loudest > 0:
        samples *= np.float32(10 ** (peak_dbfs / 20) / loudest)
    samples.flags.writeable = False  # so that it is not copied
    return Audio(samples, sample_rate)


def _drums(score: Score, peak: float, sample_rate: int, length: int) -> Samples:
    """Let the soundfont play drums, beside what has some peak [shape=(2, length)]."""
    beat = render_with_soundfont(score, peak_dbfs=0, sample_rate=sample_rate).samples[:, :length]
    samples = np.zeros((2, length), np.float32)
    samples[:, : beat.shape[1]] = np.float32(peak * 10 ** (DRUMS_DB / 20)) * beat
    return samples


def _resampled(mix: Samples, rate: int, wanted: int, length: int) -> Samples:
    import soxr

    samples = np.zeros((2, length), np.float32)
    for channel, one in zip(samples, mix, strict=True):  # one by one: half the memory
        made = soxr.resample(one, rate, wanted)
        channel[: len(made)] = made[:length]
    return samples


def _check(score: Score, model: Player, stems: bool) -> None:
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
    count = sum(len(one.notes) > 0 for one in score.tracks)
    if stems and count * score.duration_s > 60 * MAX_STEM_MINUTES:
        raise InputError(
            f"{count} stems of {score.duration_s / 60:.0f} minutes are more than memory holds.",
            hint="Cut the score into pieces, or leave --stems out.",
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
        rows, start_s, end_s, release_s = sounding(score, one)
        # As many octaves up, or down, as bring a key into the range.
        up, down = (model.low - rows[:, 0] + 11) // 12, (rows[:, 0] - model.high + 11) // 12
        octaves = up.clip(0) - down.clip(0)
        count, away = count + len(rows), away + int(np.count_nonzero(octaves))
        columns = rows[:, 0] + 12 * octaves, rows[:, 1], start_s, end_s, release_s
        bends, codes = bends_of(score, one), instruments(index, start_s)
        for w, *times in zip(codes, *(column.tolist() for column in columns), strict=True):
            key, velocity, start, end, release = times
            bend = bends(blocks(start, end + release))
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


# sound -------------------------------------------------------------------------------


def _play(
    jobs: list[_Job],
    model: Player,
    mixes: Mapping[int, Samples],
    gains: list[Curve],
    seed: int,
    refine: int,
) -> None:
    """Generate notes and add them to the mix of their track [shape=(2, samples)]."""
    batches = [jobs[at : at + BATCH] for at in range(0, len(jobs), BATCH)]
    seeds = seeds_of(len(batches), seed)
    made = side_by_side(
        lambda one: _generated(batches[one], model, seeds[one], refine), len(batches)
    )
    for batch, sounds in zip(batches, track(made, "playing", len(batches)), strict=True):
        for job, sound in zip(batch, sounds, strict=True):
            for one in job.notes:
                _add(mixes[one.track], sound, one, gains[one.track], model.layout.sample_rate)


def _announce(jobs: list[_Job], model: Player, refine: int) -> None:
    """Say how many notes there are to draw, and for how long: the shortest one is drawn to see."""
    layout = model.layout
    trial = jobs[-1]
    _generated([trial], model, 0, refine)  # the first time is slower
    before = time.perf_counter()
    _generated([trial], model, 0, refine)
    one_s = time.perf_counter() - before
    # A note costs as much as its frames; those beyond what is drawn cost little.
    frames = [min(frames_of(job.needed, layout), layout.frames) + MARGIN for job in jobs]
    workers = min(torch.get_num_threads(), -(-len(jobs) // BATCH))
    count = sum(len(job.notes) for job in jobs)
    note(
        f"Notes to draw: {len(jobs)}, for {count} of the score; about "
        f"{duration_text(one_s * sum(frames) / frames[-1] / workers)}."
    )


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
    level = gains(blocks(start_s, start_s + length / rate)).astype(np.float32)
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
