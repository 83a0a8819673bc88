"""Notes made ready for a sampler: they begin at once, hold, are in tune and equally loud.

A model draws four seconds at 16 kHz. A sampler needs a beginning without a click, an end that a
held key does not reach, and a softer layer for softer keys.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from gansynth_lite.kits import KitNote
from gansynth_lite.pitch import cents, detect_f0, hz

__all__ = ["RATE", "SOFT", "extended", "filled", "for_sampler", "looped", "softened"]

RATE = 44_100
LONGEST_S, QUIETEST_DB = 10.0, -66.0
"""A struck note ends then, or where it has faded."""
FADE_S = 0.002
"""Into a note; what is cut off at its end fades for ten times as long."""
STRUCK_DB = 5.0
"""Per second, from `LOOP_S` on: what falls faster is struck or plucked, and is not looped."""
ATTACK_S, LEVEL_S = 0.3, 0.004
"""Beginning in which levels are looked at, and how often."""
MOST_DB = 15.0
"""By which a dip behind an attack is filled."""
LOOP_S, SHORTEST_S, SEAM_S = 1.2, 1.0, 0.1
"""Where loops begin, how long they are at least (at most twice that), and their crossfade."""
SOFT, SOFT_DB = 79, -2.0
"""Softest layer: up to this velocity, by so many dB per octave above the fundamental. The medians
between the two layers of a recorded piano (17 notes) and of an alto saxophone (16) are -2.0 both.
"""
CUT = 0.45
"""Of the former rate: what a resampler keeps of it."""
SLOPES_DB, OCTAVE_DB = (-30.0, 0.0), 3.0
"""Per octave: falls of a spectrum in bands of a third of an octave, which grow wider with it."""
AROUND_S = 0.25
FOUND_CENTS = 45.0
"""A pitch that is found farther away is another partial."""
LOUD_S = 0.4
"""Stretch whose level is that of a note (the loudest one counts)."""
PEAK_DBFS = -1.0

Floats = npt.NDArray[np.float32]


def for_sampler(
    notes: Sequence[npt.NDArray[np.float32]], pitches: Sequence[int], sample_rate: int
) -> tuple[KitNote, ...]:
    """Make notes of one instrument ready for a sampler, in two layers.

    Parameters
    ----------
    notes : sequence of arrays [shape=(samples,), float32]
        Each held for `LONGEST_S` or as long as it sounds, at any level.
    pitches : sequence of int [MIDI]
    sample_rate : int [Hz]

    Returns
    -------
    tuple of KitNote
        At `RATE`; the softer layer of a note comes first.
    """
    import soxr

    f0 = detect_f0(torch.from_numpy(np.stack(notes)), sample_rate)
    away = cents(f0, torch.tensor(pitches)).tolist()
    struck = np.median([falling(one, sample_rate) for one in notes]) > STRUCK_DB
    made: list[tuple[int, int, float, Floats, tuple[int, int] | None]] = []
    for one, pitch, off in zip(notes, pitches, away, strict=True):
        tune = -off if abs(off) < FOUND_CENTS else 0.0  # NaN is not less
        tone = hz(pitch - tune / 100)
        sound = filled(begun(one, sample_rate), sample_rate, tone)
        sound = extended(soxr.resample(sound, sample_rate, RATE), RATE, tone, sample_rate)
        for velocity, layer in ((SOFT, softened(sound, RATE, tone)), (127, sound)):
            ready, loop = (ended(layer, RATE), None) if struck else looped(layer, RATE)
            ready[: round(FADE_S * RATE)] *= _rise(round(FADE_S * RATE))
            made.append((pitch, velocity, tune, ready / loudness(ready, RATE), loop))
    peak = max(float(np.abs(sound).max()) for *_, sound, _ in made) or 1.0
    gain = np.float32(10 ** (PEAK_DBFS / 20) / peak)
    return tuple(
        KitNote(pitch, gain * sound, velocity, loop, tune)
        for pitch, velocity, tune, sound, loop in made
    )


def falling(sound: Floats, rate: int) -> float:
    """Return by how many dB a second a sound falls behind its beginning."""
    first, last = (
        loudness(sound[round(at * rate) : round((at + LOUD_S) * rate)], rate)
        for at in (LOOP_S, LOOP_S + 1.5)
    )
    return 20 * math.log10(first / last) / 1.5


def loudness(sound: Floats, rate: int) -> float:
    """Return the level (root mean square) of the loudest `LOUD_S`; a little for silence."""
    width = min(round(LOUD_S * rate), len(sound))
    total = np.concatenate([[0.0], np.square(sound, dtype=np.float64).cumsum()])
    return math.sqrt(max((total[width:] - total[:-width]).max() / max(width, 1), 0.0)) + 1e-9


def begun(sound: Floats, rate: int) -> Floats:
    """Cut off what is silent before a note."""
    size = np.abs(sound)
    first = int(np.argmax(size > size.max() * 10 ** (-50 / 20)))
    return sound[max(first - round(FADE_S * rate), 0) :]


def filled(sound: Floats, rate: int, f0: float) -> Floats:
    """Fill dips of level behind an attack, which would be heard as a second attack.

    Up to the lower of the loudest before and the loudest after it: a closing, as in mathematical
    morphology. What swells or dies away has no dip and stays as it is.

    Parameters
    ----------
    sound : array [shape=(samples,)]
    rate : int [Hz]
    f0 : float [Hz]
        Levels are those of two and a half periods at least.
    """
    hop, count = round(LEVEL_S * rate), round(ATTACK_S * rate)
    width = round(max(4 * LEVEL_S, 2.5 / f0) * rate)
    window = np.hanning(width + 2)[1:-1]
    power = np.convolve(np.square(sound[: 2 * count], dtype=np.float64), window, "same")[::hop]
    level = 10 * np.log10(power + 1e-12 * power.max() + 1e-30)
    before = np.maximum.accumulate(level)
    after = np.maximum.accumulate(level[::-1])[::-1]
    gain = np.clip(np.minimum(before, after) - level, 0, MOST_DB)
    gain[len(gain) // 2 :] *= np.linspace(1, 0, len(gain) - len(gain) // 2)
    found = np.interp(np.arange(len(sound)), hop * np.arange(len(gain)), gain, right=0)
    mended: Floats = (sound * 10 ** (found / 20)).astype(np.float32)
    return mended


def softened(sound: Floats, rate: int, f0: float) -> Floats:
    """Make a sound darker by `SOFT_DB` for each octave above its fundamental."""
    spectrum, frequency = _spectrum(sound, rate)
    octaves = np.log2(np.maximum(frequency, f0) / f0)
    return _sound(spectrum * 10 ** (SOFT_DB * octaves / 20), len(sound))


def extended(sound: Floats, rate: int, f0: float, before: int = 16_000) -> Floats:
    """Go on with the spectrum of a sound above what its former rate held.

    Spectral band replication (Dietz et al., "Spectral Band Replication, a Novel Approach in Audio
    Coding", AES 112, 2002): what lies below is shifted up by whole multiples of the fundamental,
    so that partials meet partials, and falls on as steeply as it does there.

    Parameters
    ----------
    sound : array [shape=(samples,)]
    rate, before : int [Hz]
        As it is now, and as it was.
    f0 : float [Hz]
    """
    top = CUT * before
    if rate / 2 <= top:
        return sound
    spectrum, frequency = _spectrum(sound, rate)
    step = frequency[1]
    slope = _slope(np.square(np.abs(spectrum)), frequency, top)
    away = round(max(1, top / 2 // f0) * f0 / step)  # in bins
    added = np.zeros_like(spectrum)
    for copy in range(1, math.ceil((rate / 2 - top) / (away * step)) + 1):
        to = np.flatnonzero(np.ceil((frequency - top) / (away * step)) == copy)
        of = to - copy * away
        added[to] = spectrum[of] * 10 ** (slope * np.log2(to / of) / 20)
    spectrum[frequency > top] = 0
    return _sound(spectrum + added, len(sound))


def _spectrum(
    sound: Floats, rate: int
) -> tuple[npt.NDArray[np.complex128], npt.NDArray[np.float64]]:
    """Transform a sound and a silence, into which what rings before its beginning falls."""
    count = -(-(len(sound) + round(AROUND_S * rate)) // 1024) * 1024  # a length that is fast
    return np.fft.rfft(sound, count), np.fft.rfftfreq(count, 1 / rate).astype(np.float64)


def _sound(spectrum: npt.NDArray[np.complex128], count: int) -> Floats:
    """Invert `_spectrum`; its length is even."""
    sound: Floats = np.fft.irfft(spectrum)[:count].astype(np.float32)
    return sound


def _slope(power: npt.NDArray[np.float64], frequency: npt.NDArray[np.float64], top: float) -> float:
    """Fit the fall of a spectrum over its last two octaves [dB per octave]."""
    edges = top * 2 ** np.arange(-2, 0.1, 1 / 3)
    bands = np.add.reduceat(power, np.searchsorted(frequency, edges))[:-1]
    fitted = np.polyfit(np.arange(len(bands)) / 3, 10 * np.log10(bands + 1e-20), 1)[0]
    return float(np.clip(fitted, *SLOPES_DB)) - OCTAVE_DB


def looped(sound: Floats, rate: int) -> tuple[Floats, tuple[int, int]]:
    """Cut a sound behind a loop that goes on without a seam.

    The loop is as long as the sound there is most like itself, as loud at its end as at its
    beginning, and its end fades into what comes before its beginning.

    Returns
    -------
    sound : array [shape=(end,)]
    loop : (start, end) [samples]
        The sample behind the last one is the first one again.
    """
    start, seam, least = (round(at * rate) for at in (LOOP_S, SEAM_S, SHORTEST_S))
    start = min(start, len(sound) // 3)
    least = min(least, (len(sound) - start) // 2 - 1)
    seam = min(seam, start, least)
    template = sound[start - seam : start].astype(np.float64)
    field = sound[start - seam + least : start + 2 * least].astype(np.float64)
    size = 2 ** math.ceil(math.log2(len(field)))
    spectra = np.fft.rfft(field, size) * np.fft.rfft(template, size).conj()
    alike = np.fft.irfft(spectra, size)[: len(field) - seam + 1]
    power = np.concatenate([[0.0], np.square(field).cumsum()])
    energy = np.sqrt(np.maximum(power[seam:] - power[:-seam], 1e-12))
    best = int(np.argmax(alike / energy))
    end = start + least + best
    ready = sound[:end].copy()
    rise = math.sqrt(np.square(template).sum() + 1e-12) / (energy[best] + 1e-9)
    ready[start:] *= rise ** np.linspace(0, 1, end - start, dtype=np.float32)
    there, here = ready[end - seam :].astype(np.float64), template
    same = float(there @ here / math.sqrt((there @ there) * (here @ here) + 1e-12))
    fade = np.linspace(0, 1, seam)
    # As loud in the middle of the fade as at its ends, however alike the two are.
    whole = np.sqrt(fade**2 + (1 - fade) ** 2 + 2 * max(same, 0) * fade * (1 - fade))
    ready[end - seam :] = ((1 - fade) * there + fade * here) / whole
    return ready, (start, end)


def ended(sound: Floats, rate: int) -> Floats:
    """Cut a sound where it has faded, or is too long."""
    size = np.abs(sound[: round(LONGEST_S * rate)])
    last = int(np.flatnonzero(size > size.max() * 10 ** (QUIETEST_DB / 20))[-1]) + 1
    ready = sound[:last].copy()
    fade = min(round(10 * FADE_S * rate), last)
    ready[last - fade :] *= _rise(fade)[::-1]
    return ready


def _rise(count: int) -> Floats:
    rise: Floats = (0.5 - 0.5 * np.cos(np.linspace(0, math.pi, count))).astype(np.float32)
    return rise
