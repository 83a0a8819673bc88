"""What a recording has and a model does not draw: how loud each part of a note is, over time.

A code says which instrument sounds. How its notes begin and die away, it says only roughly: the
piano that a model draws may be an organ's after three seconds. So an instrument that was encoded
carries an envelope beside its code, in dB by which a drawn note is corrected: for some harmonics,
at some times, and finer in time for the attack. Harmonics count from whatever pitch is played, so
that an envelope measured at C4 serves E4; that is also how it is mixed in a morph, evenly in dB.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gansynth_lite.holding import frames_of, held
from gansynth_lite.layout import Layout
from gansynth_lite.pitch import hz

__all__ = ["ATTACK_S", "HARMONICS", "SIZE", "TIMES_S", "fine_levels", "finished", "measured"]

HARMONICS = (*range(1, 17), 18, 20, 22, 24, 28, 32, 40, 48, 64, 96, 128, 192)
TIMES_S = (
    0.0, 0.032, 0.064, 0.096, 0.128, 0.192, 0.256, 0.384, 0.512, 0.768, 1.152, 1.536, 2.048, 3.008,
    4.0,
)  # fmt: skip
"""From the middle of a picture's first frame, which is half a window before the note.

Harmonics, times and `MOST_DB` were chosen on notes of 17 programs of the soundfont TimGM6mb, from
which the shipped model has not learnt."""
ATTACK_S = (0.0, 0.004, 0.008, 0.012, 0.016, 0.024, 0.032, 0.048, 0.064, 0.096, 0.128, 0.192, 0.256)
"""From the beginning of the note; at the last nothing is corrected any more."""
BODY = len(HARMONICS) * len(TIMES_S)
SIZE = BODY + len(ATTACK_S)
"""Numbers of an envelope [dB]: times of the first harmonic, of the second ..., then the attack."""
MOST_DB, MOST_RISE_DB = 40.0, 12.0
"""By which a harmonic is corrected, and by which an attack is lifted."""
ROUNDS = 3
"""In which an envelope is measured: what a correction does to a sound is not quite what it says."""
FLOOR_DB = -70.0
"""Below the loudest frame; what is softer is as good as silent."""
RIDGE = 1e-2
WINDOW_S, PERIODS = 0.008, 2.5
"""Over which the level of an attack is taken: so long, or so many periods."""
HOP_S = 0.002


def finished(
    pictures: Tensor,
    layout: Layout,
    frames: int,
    *,
    hold: bool,
    pitches: Tensor,
    envelopes: Tensor,
    refine: int = 0,
) -> Tensor:
    """Turn drawn notes into samples: hold them, correct them by their envelopes.

    Parameters
    ----------
    pictures : Tensor [shape=(n, 2, bins, at least the steady part or `frames`)]
    layout : Layout
    frames : int
        As many as are wanted.
    hold : bool
        Whether the keys are still down at the end. Keys of corrected notes always are: what was
        measured has no release.
    pitches : Tensor [shape=(n,), MIDI]
    envelopes : Tensor [shape=(n, SIZE or 0), dB]
        Without numbers, or with zeros, notes stay as they are drawn.
    refine : int
        Rounds of Griffin-Lim.

    Returns
    -------
    Tensor [shape=(n, samples)]
    """
    corrects = bool(envelopes.any())
    whole = held(pictures, frames, layout) if hold or corrects else pictures[..., :frames]
    if not corrects:
        return layout.to_samples(whole, refine=refine)
    made = layout.to_samples(_corrected(whole, layout, pitches, envelopes), refine=refine)
    at = torch.arange(made.shape[1], device=made.device) / layout.sample_rate
    gain = envelopes[:, BODY:] @ _weights(torch.tensor(ATTACK_S).to(at), at)
    return made * 10 ** (gain / 20)


def _corrected(pictures: Tensor, layout: Layout, pitches: Tensor, envelopes: Tensor) -> Tensor:
    body = envelopes[:, :BODY].unflatten(1, (len(HARMONICS), len(TIMES_S)))
    spread = torch.stack([_by_harmonic(layout, float(pitch)) for pitch in pitches]).to(pictures)
    gain = spread.mT @ body @ _by_time(layout, pictures.shape[-1]).to(pictures)
    # What goes on falling behind the last time falls as it did before; it never rises.
    seconds = torch.arange(pictures.shape[-1]).to(pictures) * layout.hop_samples
    beyond = (seconds / layout.sample_rate - TIMES_S[-1]).clamp_min(0)
    trend = ((body[..., -1] - body[..., -2]) / (TIMES_S[-1] - TIMES_S[-2])).clamp_max(0)
    gain = gain + (spread.mT @ trend[..., None]) * beyond
    magnitude, frequency = pictures.unbind(dim=1)
    louder = layout.louder(magnitude, gain).clamp(-1, 1)
    # What is too soft to have a frequency, and does not get one later, is noise when it is heard:
    # with one frequency in all bins it would be a train of clicks.
    generator = torch.Generator().manual_seed(0)
    noise = 2 * torch.rand(frequency.shape, generator=generator) - 1
    later = layout.has_phase(magnitude).flip(-1).cummax(dim=-1).values.flip(-1)
    frequency = torch.where(later, frequency, noise.to(frequency))
    return torch.stack([louder, frequency], dim=1)


def _by_harmonic(layout: Layout, pitch: float) -> Tensor:
    """Return how much each harmonic counts in each bin [shape=(harmonics, bins)]."""
    places = (layout.frequencies() / hz(pitch)).log2()
    return _weights(torch.tensor(HARMONICS, dtype=torch.float64).log2(), places).float()


def _by_time(layout: Layout, frames: int) -> Tensor:
    """Return how much each time counts in each frame [shape=(times, frames)]."""
    at = torch.arange(frames, dtype=torch.float64) * layout.hop_samples / layout.sample_rate
    return _weights(torch.tensor(TIMES_S, dtype=torch.float64), at).float()


def _weights(knots: Tensor, at: Tensor) -> Tensor:
    """Return the weights of knots in straight lines between them, level beyond [shape=(k, n)]."""
    right = torch.searchsorted(knots, at.contiguous()).clamp(1, len(knots) - 1)
    part = ((at - knots[right - 1]) / (knots[right] - knots[right - 1])).clamp(0, 1)
    weights = at.new_zeros(len(knots), len(at))
    weights.scatter_(0, right[None] - 1, 1 - part[None])
    return weights.scatter_(0, right[None], part[None])


@torch.inference_mode()
def measured(
    picture: Tensor, samples: Tensor, layout: Layout, pitch: float, *, end_s: float
) -> Tensor:
    """Measure by which envelope a drawn note becomes a recorded one.

    Parameters
    ----------
    picture : Tensor [shape=(2, bins, frames)]
        As the model draws the note.
    samples : Tensor [shape=(samples,)]
        The recorded note, from its onset, as long as the layout's.
    layout : Layout
    pitch : float [MIDI]
    end_s : float [seconds]
        Until then the key is held; behind it the envelope goes on as it did before.

    Returns
    -------
    Tensor [shape=(SIZE,), dB]
    """
    real = layout.power(layout.magnitudes(samples[None]))[0]
    spread, steps = _by_harmonic(layout, pitch).to(real), _by_time(layout, layout.frames).to(real)
    known = max(4, min(layout.frames, int(end_s * layout.sample_rate / layout.hop_samples) + 1))
    # Least squares over the frames that are known, the later times with some pull to zero change.
    times = torch.tensor(TIMES_S).to(real)
    inside = times <= (known - 1) * layout.hop_samples / layout.sample_rate
    inside[:2] = True
    steps = torch.cat([steps[inside][:-1], steps[inside.nonzero()[-1, 0] :].sum(0, keepdim=True)])
    fit = steps[:, :known].mT
    solve = torch.linalg.inv(fit.mT @ fit + RIDGE * torch.eye(fit.shape[1]).to(fit)) @ fit.mT
    quiet = 10 ** (FLOOR_DB / 10) * real.sum(dim=0).max()
    wanted = 10 * ((spread @ real) + quiet).log10()
    envelope = torch.zeros(1, SIZE).to(real)
    at = torch.tensor([pitch]).to(real)
    frames = frames_of(layout.samples, layout)
    body = torch.zeros(len(HARMONICS), len(TIMES_S)).to(real)
    made = samples[None]
    for _ in range(ROUNDS):
        made = finished(picture[None], layout, frames, hold=True, pitches=at, envelopes=envelope)[
            :, : layout.samples
        ]
        drawn = layout.power(layout.magnitudes(made))[0]
        drawn = drawn * (real.sum(dim=0).max() / drawn.sum(dim=0).max().clamp_min(1e-12))
        away = wanted - 10 * ((spread @ drawn) + quiet).log10()
        found = away[:, :known] @ solve.mT
        body[:, : found.shape[1]] += found
        body = _continued(body.clamp(-MOST_DB, MOST_DB), times, found.shape[1])
        envelope[:, :BODY] = body.flatten()
    made = finished(picture[None], layout, frames, hold=True, pitches=at, envelopes=envelope)
    envelope[0, BODY:] = _attack(samples, made[0, : layout.samples], layout.sample_rate, pitch)
    return envelope[0]


def _continued(body: Tensor, times: Tensor, known: int) -> Tensor:
    """Go on behind the times that are known, as it fell over the last second of them."""
    if known == len(times):
        return body
    before = int((times[:known] <= (times[known - 1] - 1).clamp_min(times[known - 2])).sum()) - 1
    span = times[known - 1] - times[before]
    trend = ((body[:, known - 1] - body[:, before]) / span).clamp_max(0)
    more = body[:, known - 1 : known] + trend[:, None] * (times[known:] - times[known - 1])
    return torch.cat([body[:, :known], more.clamp_min(-MOST_DB)], dim=1)


def _attack(real: Tensor, made: Tensor, sample_rate: int, pitch: float) -> Tensor:
    """Return by how much the attack of a note is to be louder [shape=(len(ATTACK_S),), dB]."""
    count = round(2 * ATTACK_S[-1] / HOP_S)
    wanted, drawn = (fine_levels(one, sample_rate, pitch)[:count] for one in (real, made))
    away = wanted - drawn
    away = away - away[count // 2 :].mean()
    fit = _weights(torch.tensor(ATTACK_S), torch.arange(count // 2 + 1) * HOP_S).to(away)
    fit, away = fit[:-1].mT, away[: count // 2 + 1]
    gain = torch.linalg.inv(fit.mT @ fit + RIDGE * torch.eye(fit.shape[1]).to(fit)) @ (
        fit.mT @ away
    )
    # Where nothing is drawn, nothing becomes louder.
    return torch.cat([gain.clamp(-MOST_DB, MOST_RISE_DB), gain.new_zeros(1)])


def fine_levels(sound: Tensor, sample_rate: int, pitch: float) -> Tensor:
    """Return the level of the first second of a note every two milliseconds [dB]."""
    width = round(max(WINDOW_S, PERIODS / hz(pitch)) * sample_rate) // 2 * 2 + 1
    window = torch.hann_window(width + 2, periodic=False).to(sound)[1:-1]
    power = sound[:sample_rate].square()
    smooth = torch.nn.functional.conv1d(
        power[None, None], (window / window.sum())[None, None], padding=width // 2
    )[0, 0]
    at = (torch.arange(0, len(smooth) / sample_rate, HOP_S) * sample_rate).round().long()
    level: Tensor = 10 * (smooth[at.clamp_max(len(smooth) - 1)].clamp_min(0) + 1e-9).log10()
    return level


def parted(instruments: Tensor, code: int) -> tuple[Tensor, Tensor]:
    """Part instruments [shape=(n, code or code + SIZE)] into codes and envelopes.

    Returns
    -------
    codes : Tensor [shape=(n, code)]
    envelopes : Tensor [shape=(n, 0 or SIZE), dB]
    """
    return instruments[..., :code], instruments[..., code:]


def padded(instruments: Tensor, size: int) -> Tensor:
    """Add envelopes of zeros to instruments until they have so many numbers."""
    return torch.nn.functional.pad(instruments, (0, size - instruments.shape[-1]))
