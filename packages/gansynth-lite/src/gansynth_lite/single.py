"""Whether a sound is one note: it is cut before a second one, and chords and speech are refused."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from gansynth_lite.pitch import detect_f0
from groove_core.errors import InputError

__all__ = ["end_of", "one_note"]

LEVEL_S = 0.01
LONGEST_S = 6.0
"""Looked at; a model's note is shorter."""
SHORTEST_S = 0.25
"""Of a note before the next one, and before an onset is looked for: attacks are uneven."""
RISE_DB, FAINT_DB = 10.0, -22.0
"""An onset: louder by so much than within the 60 ms before it, and so near to the loudest."""
PITCH_S, EVERY_S = 0.2, 0.05
"""Excerpts whose pitch is measured."""
SEMITONES = 0.8
"""Farther away is another note; octaves do not count, which are often mistaken."""
LASTING = 3
"""Excerpts in a row that are of another pitch before it is another note."""
STEADY = 0.6
"""Share of a note's excerpts in which its pitch must be heard."""
PARTIAL_DB, FUNDAMENTAL_DB, OTHER_DB = -35.0, -30.0, -15.0
"""Peaks of a spectrum that are looked at; a fundamental; power of a second note of a chord."""
DENSE = 0.85
"""Share of the harmonics between the lowest and the highest that a note without fundamental has."""
MISTUNED, STIFF, NEXT = 0.012, 1.5e-4, 0.35
"""Of a partial, relative; the more the higher it is, since strings are stiff; but not so far that
it could be the next one."""
RELEASE_DB, RELEASE_S, FADED_S = 20.0, 0.25, 0.1
"""A fall that is the end of a note; what is left out at the end of a file."""

Floats = npt.NDArray[np.float64]
Samples = npt.NDArray[np.float32]
HINT = "Give the sound of one note, or say which it is with --pitch, such as C4."


def one_note(sound: Samples, rate: int, name: str, *, known: bool = False) -> tuple[Samples, bool]:
    """Cut a sound before its second note.

    Parameters
    ----------
    sound : array [shape=(samples,)]
        From its onset.
    rate : int [Hz]
    name : str
        For messages.
    known : bool
        Whether the user says which pitch it has: then nothing is refused.

    Returns
    -------
    sound : array [shape=(at most samples,)]
    cut : bool
        Whether there is another note behind it.

    Raises
    ------
    InputError
        If it is a chord, or its pitch moves as that of speech does.
    """
    looked = sound[: round(LONGEST_S * rate)]
    levels = _levels(looked, rate)
    end_s = min([_onset(levels), len(looked) / rate])
    if not known:
        end_s = min(end_s, _moved(looked, rate, levels, name))
        _refuse_chord(looked[: round(end_s * rate)], rate, name)
    if end_s < SHORTEST_S and end_s < len(looked) / rate - EVERY_S:
        raise InputError(f"{name} is not one note: another begins after {end_s:.2f} s.", hint=HINT)
    if end_s >= len(looked) / rate - EVERY_S:
        return sound, False
    return sound[: round(end_s * rate)], True


def end_of(sound: Samples, rate: int) -> float:
    """Return until when the key of a note is held [seconds].

    A fall that is too fast for a sound that dies away is the release of the key.
    """
    levels = _levels(sound, rate)
    # Mean of 50 ms, so that a beat between strings is no release.
    smooth = 10 * np.log10(np.convolve(10 ** (levels / 10), np.ones(5) / 5, "same") + 1e-12)
    last = len(sound) / rate - FADED_S
    ahead = round(RELEASE_S / LEVEL_S)
    after = np.maximum.accumulate(smooth[::-1])[::-1]
    fallen = smooth[: -ahead or None][: max(len(smooth) - ahead, 0)] - after[ahead:]
    found = np.flatnonzero(fallen[round(0.15 / LEVEL_S) :] > RELEASE_DB)
    if len(found):
        last = min(last, (found[0] + round(0.15 / LEVEL_S)) * LEVEL_S)
    return float(max(last, 0.1))


def _levels(sound: Samples, rate: int) -> Floats:
    """Return the level of every hundredth of a second, relative to the loudest [dB]."""
    width = round(LEVEL_S * rate)
    blocks = sound[: len(sound) // width * width].reshape(-1, width).astype(np.float64)
    power = np.square(blocks).mean(axis=1) if len(blocks) else np.ones(1)
    level: Floats = 10 * np.log10(power / max(power.max(), 1e-20) + 1e-9)
    return level


def _onset(levels: Floats) -> float:
    """Return when the next note begins [seconds]; never: infinity."""
    # Of three blocks: periods of low notes are longer than one.
    smooth = 10 * np.log10(np.convolve(10 ** (levels / 10), np.ones(3) / 3, "same") + 1e-12)
    before, first = round(0.06 / LEVEL_S), round(SHORTEST_S / LEVEL_S)
    for at in range(first, len(smooth) - 5):
        now = smooth[at + 2 : at + 6].min()
        if now > smooth.max() + FAINT_DB and now > smooth[at - before : at].min() + RISE_DB:
            return (at - 2) * LEVEL_S
    return np.inf


def _moved(sound: Samples, rate: int, levels: Floats, name: str) -> float:
    """Return when the pitch becomes another [seconds]; never: infinity."""
    width, hop = round(PITCH_S * rate), round(EVERY_S * rate)
    if len(sound) < 2 * width:
        return np.inf
    cuts = torch.from_numpy(np.ascontiguousarray(sound)).unfold(0, width, hop)
    f0 = detect_f0(cuts, rate, low_hz=30.0, high_hz=min(4_400.0, rate / 4)).numpy()
    starts = np.arange(len(f0)) * EVERY_S
    blocks = np.minimum((starts / LEVEL_S).astype(int), len(levels) - 1)
    heard = np.isfinite(f0) & (levels[blocks] > FAINT_DB - 5)
    if heard.sum() < LASTING:
        return np.inf  # noise, or a note too short: it is up to what hears the whole
    semitones = 12 * np.log2(np.where(np.isfinite(f0), f0, 1.0) / 440)
    first = semitones[heard & (starts < starts[heard][0] + 0.4)]
    middle = float(np.median(first))
    away = np.abs((semitones - middle + 6) % 12 - 6)
    far = heard & (away > SEMITONES)
    runs = np.convolve(far, np.ones(LASTING), "valid") == LASTING
    end_s = float(starts[np.argmax(runs)]) + PITCH_S / 2 if runs.any() else np.inf
    near = away[heard & (starts < end_s - PITCH_S / 2)] <= SEMITONES
    if end_s < SHORTEST_S + PITCH_S / 2 or near.mean() < STEADY:
        low, high = (440 * 2 ** (x / 12) for x in np.percentile(semitones[heard], (5, 95)))
        raise InputError(
            f"{name} is not one note: its pitch moves between {low:.0f} and {high:.0f} Hz.",
            hint=HINT,
        )
    return end_s


def _refuse_chord(sound: Samples, rate: int, name: str) -> None:
    """Find the partials of one note, and then a second note among what is left."""
    frequency, level = _partials(sound, rate)
    found = detect_f0(torch.from_numpy(np.ascontiguousarray(sound))[None], rate, low_hz=30.0)
    f0 = float(found[0])
    if not len(frequency) or not np.isfinite(f0):
        return
    number = np.maximum((frequency / f0).round(), 1)
    mine = np.abs(frequency / (f0 * number) - 1) < np.minimum(
        MISTUNED + STIFF * number**2, NEXT / number
    )
    if not mine.any():
        return
    strongest = level.max()
    present = {int(n) for n in number[mine & (level > strongest + FUNDAMENTAL_DB)]}
    if 1 not in present and present:
        span = range(min(present), min(max(present), 16) + 1)
        if sum(n in present for n in span) < DENSE * len(span) and len(span) > 3:
            raise InputError(f"{name} is a chord, not one note.", hint=HINT)
    rest = ~mine & (level > strongest + OTHER_DB)
    for other in frequency[rest & (frequency > 1.05 * f0)]:
        # A second note has harmonics, too, and not all of them are the first one's.
        harmonics = [np.abs(frequency / (n * other) - 1) < 0.01 for n in (2, 3, 4, 5)]
        own = sum((one & ~mine).any() for one in harmonics)
        if own and sum(one.any() for one in harmonics) >= 3:
            raise InputError(f"{name} is a chord, not one note.", hint=HINT)


def _partials(sound: Samples, rate: int) -> tuple[Floats, Floats]:
    """Return frequencies [Hz] and levels [dB] of the peaks of a spectrum behind the attack."""
    cut = sound[round(0.08 * rate) : round(1.08 * rate)].astype(np.float64)
    if len(cut) < 0.1 * rate:
        return np.zeros(0), np.zeros(0)
    size = 2 ** int(np.ceil(np.log2(4 * len(cut))))
    spectrum = np.abs(np.fft.rfft(cut * np.hanning(len(cut)), size))
    level = 20 * np.log10(spectrum + 1e-9)
    reach = max(1, round(2 * size / len(cut)))  # half of a lobe
    around = np.lib.stride_tricks.sliding_window_view(np.pad(level, reach), 2 * reach + 1)
    peak = (level >= around.max(axis=1)) & (level > level.max() + PARTIAL_DB)
    at = np.flatnonzero(peak)
    frequency = at * rate / size
    inside = (frequency > 30) & (frequency < 5_000)
    return frequency[inside], level[at[inside]]
