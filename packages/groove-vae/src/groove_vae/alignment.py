"""Two versions of a part on one clock: tempo, start, beats, and which stroke is which."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from groove_core.drums import meters
from groove_core.errors import InputError
from groove_core.render.kits import LEAD_S, RATE, Samples
from groove_core.values import Score

__all__ = [
    "Alignment",
    "Beats",
    "Onsets",
    "align",
    "beats_of_score",
    "find_beats",
    "match",
    "retimed",
]

WITHIN_S = 0.06
"""Onsets of two versions that are further apart are not the same."""
ALIGNED_S, ALIGNED_SPEED = 0.06, 5e-4
"""Files that start within 60 ms at the same tempo are taken as one recording's: what is left
is feel."""
AS_IS = 0.05
"""Files are left where they are unless so much more can be made to fall together."""
MOST = 0.75
"""The share of strokes with a partner that is enough for files which begin together."""
ALIKE, SURELY_ALIKE = 0.35, 0.5
"""The least correlation of the sounds of what falls together."""
ENOUGH = 0.45
"""How much of the way from what parts share by chance to all of their strokes."""
SLOWEST_BPM, FASTEST_BPM = 40.0, 240.0
LIKELY_BPM, LIKELY_OCTAVES = 100.0, 0.8
EXCERPT_S = 20.0
FEWEST = 8
"""Onsets, below which neither beats nor a common clock can be found."""
FADE_S = 0.004

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Beats:
    """Where the beats are.

    Parameters
    ----------
    onset_s : float array [shape=(n,), ascending, n >= 2]
    bar : int array [shape=(n,), from 1]
    number : int array [shape=(n,), from 1]
        Place in the bar.
    quarters : float
        Length of a beat in quarter notes: a half where eighths are counted.
    """

    onset_s: Floats
    bar: Ints
    number: Ints
    quarters: float = 1.0

    @property
    def tempo_bpm(self) -> float:
        """The usual tempo, in quarter notes per minute."""
        return float(60 * self.quarters / np.median(np.diff(self.onset_s)))

    def at(self, time_s: Floats) -> tuple[Ints, Floats]:
        """Give bar and place in the bar, such as 2.5, of moments.

        What is less than an eighth of a beat early belongs to the beat: at 0.95 or 1.95.
        """
        length = np.diff(self.onset_s, append=2 * self.onset_s[-1] - self.onset_s[-2])
        index = np.searchsorted(self.onset_s - length / 8, time_s, side="right") - 1
        index = index.clip(0, len(self.onset_s) - 1)
        return self.bar[index], self.number[index] + (time_s - self.onset_s[index]) / length[index]

    def until(self, time_s: float) -> Beats:
        """Go on counting, at the last tempo and metre, to a moment."""
        length = float(self.onset_s[-1] - self.onset_s[-2])
        more = np.arange(1, 1 + max(0, int((time_s - self.onset_s[-1]) / length)))
        top = int(self.number[self.bar == self.bar.max() - 1].max(initial=self.number.max()))
        place = self.number[-1] - 1 + more
        return replace(
            self,
            onset_s=np.concatenate([self.onset_s, self.onset_s[-1] + length * more]),
            bar=np.concatenate([self.bar, self.bar[-1] + place // top]),
            number=np.concatenate([self.number, 1 + place % top]),
        )

    def mapped(self, alignment: Alignment) -> Beats:
        """Bring beats of the programmed part onto the clock of the played one."""
        return replace(self, onset_s=alignment.to_played(self.onset_s))


@dataclass(frozen=True)
class Onsets:
    """When strokes are and what they sound like.

    Parameters
    ----------
    onset_s : float array [shape=(n,), ascending]
    sound : float array [shape=(n, bands)]
    """

    onset_s: Floats
    sound: Floats


@dataclass(frozen=True)
class Alignment:
    """How the clock of the programmed part runs on that of the played one.

    Parameters
    ----------
    stretch : float
        How many seconds of the programmed part pass in one of the played.
    offset_s : float
        When, in the played part, the programmed one begins.
    matched : float
        Share of strokes that have a partner.
    """

    stretch: float = 1.0
    offset_s: float = 0.0
    matched: float = 1.0

    @property
    def moved(self) -> bool:
        """Whether the clocks differ."""
        return (self.stretch, self.offset_s) != (1.0, 0.0)

    def to_played(self, time_s: Floats) -> Floats:
        """Give when moments of the programmed part are in the played one."""
        return time_s / self.stretch + self.offset_s


def match(played_s: Floats, programmed_s: Floats, within_s: float = WITHIN_S) -> tuple[Ints, Ints]:
    """Match onsets that are each other's nearest; give the indices of both."""
    if not len(played_s) or not len(programmed_s):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    there = _nearest(played_s, programmed_s)
    back = _nearest(programmed_s, played_s)
    index = np.arange(len(played_s))
    mutual = (back[there] == index) & (np.abs(programmed_s[there] - played_s) <= within_s)
    return index[mutual], there[mutual]


def _nearest(wanted: Floats, among: Floats) -> Ints:
    order = np.argsort(among, kind="stable")
    sorted_ = among[order]
    right = np.searchsorted(sorted_, wanted).clip(1, max(1, len(among) - 1))
    left = right - 1
    right = np.minimum(right, len(among) - 1)
    nearer = np.abs(sorted_[left] - wanted) <= np.abs(sorted_[right] - wanted)
    found: Ints = order[np.where(nearer, left, right)]
    return found


def align(played: Onsets, programmed: Onsets) -> Alignment:
    """Find tempo and start at which the strokes of two versions agree.

    In time, and in what they sound like: eighths on a hi-hat fall together at any eighth,
    with kick on kick and snare on snare at one.

    Raises
    ------
    InputError
        If they do not agree at any.
    """
    played_s, programmed_s = played.onset_s, programmed.onset_s

    def worth(one: Alignment) -> float:
        """Prefer what sounds alike and lets more of the two overlap: loops match themselves."""
        placed = one.to_played(programmed_s)
        sound = 0.5 + 0.5 * _likeness(played, replace(programmed, onset_s=placed))
        return one.matched * sound * (0.8 + 0.2 * _overlap(played_s, placed))

    as_is = Alignment(matched=_share(played_s, programmed_s))
    offsets = [0.0, *_offsets(played_s, programmed_s, 1.0)]
    found = [_refined(played_s, programmed_s, 1.0, offset) for offset in offsets]
    best = max(found, key=worth)
    if worth(best) < 0.7:
        middle = np.median(played_s)
        some = played_s[np.abs(played_s - middle) <= EXCERPT_S / 2]
        rough = [
            (strength, stretch, offset)
            for stretch in np.geomspace(0.5, 2.0, 700)
            for offset, strength in _offsets(some, programmed_s, float(stretch), count=1).items()
        ]
        rough.sort(reverse=True)
        for _, stretch, offset in rough[:12]:
            one = _refined(played_s, programmed_s, stretch, offset)
            # From the tempo that fits, every start.
            starts = _offsets(played_s, programmed_s, one.stretch)
            found += [one, *(_refined(played_s, programmed_s, one.stretch, at) for at in starts)]
        best = max(found, key=worth)
    small = abs(best.offset_s) <= ALIGNED_S and abs(best.stretch - 1) <= ALIGNED_SPEED
    both = len(played_s) + len(programmed_s)

    def missed(one: Alignment) -> float:
        """Give the share of all strokes that have no partner."""
        return 1 - 2 * len(match(played_s, one.to_played(programmed_s))[0]) / both

    if small or max(worth(best) - worth(as_is), missed(as_is) - missed(best)) <= AS_IS:
        best = as_is
    placed = best.to_played(programmed_s)
    # By irrational steps, which no pulse keeps to.
    shifts = (np.arange(1, 14) * 0.618034) % 1 - 0.5
    chance = float(np.mean([_share(played_s, placed + shift) for shift in shifts]))
    likeness = _likeness(played, replace(programmed, onset_s=placed))
    # Of dense parts most strokes fall together by chance; then what they sound like decides.
    enough = chance + ENOUGH * (1 - chance)
    if best is as_is:  # files that begin together are hardly strangers
        enough = min(enough, MOST)
    if best.matched < enough and likeness < SURELY_ALIKE:
        raise InputError(
            f"The two parts do not agree: at best {100 * best.matched:.0f} % of their strokes "
            "fall together.",
            hint="Give two versions of one part; --no-align if they begin together.",
        )
    if likeness < ALIKE:
        raise InputError(
            "The two parts keep one time, but what is hit then does not sound alike.",
            hint="Give two versions of one part; --no-align if they begin together.",
        )
    return best


def _likeness(played: Onsets, programmed: Onsets) -> float:
    """Correlate the sounds of strokes that fall together: 1 for the same, about 0 for others.

    Each band is taken against its mean in its own version, so that kits may differ.
    """
    left, right = match(played.onset_s, programmed.onset_s)
    if len(left) < 4:
        return 0.0
    first, second = played.sound[left], programmed.sound[right]
    first, second = first - first.mean(axis=0), second - second.mean(axis=0)
    size = np.sqrt((first**2).sum() * (second**2).sum())
    if min((first**2).mean(), (second**2).mean()) < 1e-4:
        return ALIKE  # one sound throughout says nothing
    return max(0.0, float((first * second).sum() / size))


def _overlap(played_s: Floats, programmed_s: Floats) -> float:
    """Give how much of the shorter one, in time, overlaps with the other."""
    both = min(played_s[-1], programmed_s[-1]) - max(played_s[0], programmed_s[0])
    shorter = min(np.ptp(played_s), np.ptp(programmed_s))
    return float(np.clip(both / max(shorter, 1e-9), 0, 1))


def _share(played_s: Floats, programmed_s: Floats) -> float:
    """Give the share of strokes that have a partner, where the two overlap.

    An overlap of less than a third of the shorter one is none.
    """
    low = max(played_s[0], programmed_s[0]) - WITHIN_S
    high = min(played_s[-1], programmed_s[-1]) + WITHIN_S
    mine, theirs = (one[(one >= low) & (one <= high)] for one in (played_s, programmed_s))
    fewest = max(4, min(len(played_s), len(programmed_s)) / 3)
    if min(len(mine), len(theirs)) < fewest:
        return 0.0
    return 2 * len(match(mine, theirs)[0]) / (len(mine) + len(theirs))


def _offsets(
    played_s: Floats, programmed_s: Floats, stretch: float, *, count: int = 8
) -> dict[float, float]:
    """Give the offsets at which most onsets fall together, and how well: a cross-correlation."""
    rate = 100
    moved = programmed_s / stretch
    kernel = np.exp(-0.5 * (np.arange(-6, 7) / 2.0) ** 2)
    first = int(np.floor((played_s[0] - moved[-1]) * rate)) - 1
    length = int(np.ceil((played_s[-1] - moved[0]) * rate)) + 2 - first
    if len(played_s) * len(moved) < 2_000_000:
        apart = np.round((played_s[:, None] - moved) * rate).astype(int).ravel() - first
        together = np.bincount(apart, minlength=length).astype(np.float64)
    else:  # as many pairs take longer than a Fourier transform
        size = 1 << (2 * length).bit_length()
        mine, theirs = (
            np.bincount(np.round((one - one[0]) * rate).astype(int)) for one in (played_s, moved)
        )
        product = np.fft.rfft(mine, size) * np.fft.rfft(theirs, size).conj()
        shift = round((played_s[0] - moved[0]) * rate) - first
        together = np.roll(np.fft.irfft(product, size), shift)[:length]
    together = np.convolve(together, np.convolve(kernel, kernel), "same")
    offsets: dict[float, float] = {}
    for _ in range(count):
        top = int(together.argmax())
        offsets[(top + first) / rate] = float(together[top])
        together[max(0, top - 5) : top + 6] = -np.inf
    return offsets


def _refined(played_s: Floats, programmed_s: Floats, stretch: float, offset_s: float) -> Alignment:
    """Fit a line through the onsets that match, first in the middle and then further out."""
    slope, at = 1 / stretch, offset_s
    middle = np.median(played_s)
    span_s = EXCERPT_S / 2
    # A tempo that is off by a thousandth is right near the middle and a beat off at the ends.
    while True:
        some = played_s[np.abs(played_s - middle) <= span_s]
        left, right = match(some, slope * programmed_s + at, WITHIN_S if span_s > 40 else 0.1)
        if len(left) < 4:
            return Alignment(stretch, offset_s, 0.0)
        x, y = programmed_s[right], some[left]
        slope, at = np.polyfit(x, y, 1)
        if not 0.4 < slope < 2.5:
            return Alignment(stretch, offset_s, 0.0)
        if len(some) == len(played_s) and span_s > 40:
            break
        span_s *= 1.5
    # What a short excerpt cannot tell from one tempo is one tempo, and the rest is feel.
    error = np.std(y - slope * x - at) / max(1e-9, float(np.std(x)) * np.sqrt(len(x)))
    if abs(slope - 1) < max(ALIGNED_SPEED, 3 * error):
        left, right = match(played_s, programmed_s + np.median(y - x))
        if len(left):
            slope, at = 1.0, float(np.median(played_s[left] - programmed_s[right]))
    share = _share(played_s, slope * programmed_s + at)
    return Alignment(float(1 / slope), float(at), share)


def beats_of_score(score: Score, until_tick: int) -> Beats:
    """Give the beats of a score in any metre, as its tempo and metre say; two at least."""
    ticks: list[float] = []
    bar: list[int] = []
    number: list[int] = []
    for start, end, top, bottom in meters(score):
        beat = score.ticks_per_quarter * 4 / bottom
        before = bar[-1] if bar else 0
        count = int(max(0, np.ceil((min(end, max(until_tick, beat) + 1) - start) / beat)))
        ticks += [start + beat * i for i in range(count)]
        bar += [before + 1 + i // top for i in range(count)]
        number += [1 + i % top for i in range(count)]
    quarters = float(np.median([4 / bottom for _, _, _, bottom in meters(score)]))
    return Beats(score.seconds(np.array(ticks)), np.array(bar), np.array(number), quarters)


def find_beats(
    onset_s: Floats, loudness: Floats, until_s: float, *, tempo_bpm: float | None = None
) -> Beats:
    """Find the beats of strokes that keep one tempo.

    The Fourier transform of the strokes says how well they keep to each rate. A tempo is
    that of the beats if strokes keep to it, to twice and four times it, or to three times,
    loud ones above all.

    Parameters
    ----------
    onset_s, loudness : float arrays [shape=(n,), ascending onsets]
    until_s : float [seconds]
        How far to count.
    tempo_bpm : float, optional
        Where it is known, within 2 %.

    Raises
    ------
    InputError
        If there is no such tempo.
    """
    if tempo_bpm is None:
        low, high = SLOWEST_BPM, FASTEST_BPM
    else:
        low, high = 0.98 * tempo_bpm, 1.02 * tempo_bpm
    start = float(onset_s[0]) if len(onset_s) else 0.0
    rate = 200
    train = np.bincount(np.round((onset_s - start) * rate).astype(int), loudness, minlength=2)
    size = 8 << len(train).bit_length()
    spectrum = np.abs(np.fft.rfft(train, size)) / max(1e-9, float(loudness.sum()))

    def kept(rate_bpm: Floats) -> Floats:
        """How well strokes keep to a rate: 1 if each is on it, about 0 if they ignore it."""
        found: Floats = spectrum[np.round(rate_bpm / 60 / rate * size).astype(int)]
        return found

    tempos = np.arange(low, high, min(0.2, 0.3 * 60 * rate / size))
    beat, half, quarter, third = (kept(tempos * n) for n in (1, 2, 4, 3))
    straight = 0.3 * beat + 0.3 * half + 0.4 * quarter
    # Three times 4/3 of a tempo is four times it, so that three must explain more.
    shuffled = 0.65 * (0.3 * beat + 0.7 * third)
    usual = np.exp(-0.5 * (np.log2(tempos / LIKELY_BPM) / LIKELY_OCTAVES) ** 2)
    best = int((np.maximum(straight, shuffled) * usual).argmax())
    per_beat = 3 if shuffled[best] > straight[best] else 4
    grid = float((third if per_beat == 3 else quarter)[best])
    # What strokes at random would reach at the best of the tempos that can be told apart.
    apart = 1 + (high - low) / 60 * 4 * (len(train) / rate)
    chance = np.sqrt(np.log(apart) / max(1, len(onset_s)))
    if len(onset_s) < FEWEST or grid < max(0.3, min(0.8, 1.2 * chance)):
        if tempo_bpm is None:
            raise InputError(
                "No beat can be found in the strokes.",
                hint="--tempo-bpm 120, or give a MIDI file as the programmed part.",
            )
        raise InputError(
            f"The strokes do not keep to {tempo_bpm:g} bpm.",
            hint="Cut out a stretch of one tempo, or give a MIDI file as the programmed part.",
        )
    step = 60 / float(tempos[best]) / per_beat
    shift = start + float(np.angle(np.exp(2j * np.pi / step * (onset_s - start)).mean())) / (
        2 * np.pi / step
    )
    # A line through the strokes says the tempo to a hundredth.
    for _ in range(2):
        index = np.round((onset_s - shift) / step)
        step, shift = np.polyfit(index, onset_s, 1)
    place = np.round((onset_s - shift) / step).astype(int)
    # Of the steps of a beat, the loudest one is the beat itself.
    on_beat = int(np.bincount(place % per_beat, loudness, minlength=per_beat).argmax())
    beat_s = per_beat * step
    first = shift + on_beat * step
    first += beat_s * np.ceil((start - step / 2 - first) / beat_s)
    count = np.arange(max(2, int(np.ceil((until_s - first) / beat_s))))
    return Beats(first + beat_s * count, count // 4 + 1, count % 4 + 1)


def retimed(samples: Samples, onset_s: Floats, target_s: Floats, duration_s: float) -> Samples:
    """Move the strokes of a sound: cut before each one, and put the slices elsewhere.

    A slice that has no room for its end fades out; nothing is stretched, so that every
    attack sounds as it did.

    Parameters
    ----------
    samples : float32 array [shape=(n,), 22,050 Hz]
    onset_s, target_s : float arrays [shape=(strokes,), ascending]
    duration_s : float
    """
    out = np.zeros(round(duration_s * RATE), np.float32)
    lead = round(2 * LEAD_S * RATE)
    cut = np.append(np.maximum(0, np.round(onset_s * RATE).astype(int) - lead), len(samples))
    place = np.append(np.round(target_s * RATE).astype(int) - lead, len(out))
    fade = round(FADE_S * RATE)
    for i in range(len(onset_s)):
        room = max(0, place[i + 1] - place[i])
        piece = samples[cut[i] : min(cut[i + 1], cut[i] + room + fade)].copy()
        size = min(fade, len(piece))
        piece[len(piece) - size :] *= np.linspace(1, 0, size, dtype=np.float32)
        if i:
            rise = min(fade, lead, len(piece))
            piece[:rise] *= np.linspace(0, 1, rise, dtype=np.float32)
        first, last = max(0, -place[i]), min(len(piece), len(out) - place[i])
        if last > first:
            out[place[i] + first : place[i] + last] += piece[first:last]
    return out
