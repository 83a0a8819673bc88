"""Finding the same recording again: in another codec, rate or level, or cut a little.

Source: J. Haitsma and T. Kalker, "A Highly Robust Audio Fingerprinting System",
ISMIR 2002. Every frame of sound gives a word of 32 bits, the signs of energy
differences along time and frequency (their equation 1). Equal words in two
files propose an offset; the two are the same recording if few bits differ when
they are laid over each other so (their section 4.2).

Four things differ from the paper, each as measured on excerpts of recorded music and on
rendered drum loops:

- The hop is twice as long, which halves what is stored. Over a shift of half a hop, the lowest
  quality of MP3 and half the rate together, 1 of 41 excerpts of 3 s shared no word with its
  copy, and none of 10 s; with four times the hop it was 9 of 41.
- The bands begin at 150 Hz instead of 300, so that kick drums and basses are heard, too.
- Frames that are silent or stand still have no word: all of them look alike, or are noise.
- 20 % of all bits may differ instead of 35 %, and in no stretch of 0.7 s more than 25 %: loops on
  one kit share every sound, and loops of a piece every bar, but somewhere they differ. Copies
  in the lowest quality had at most 18 % and 20 %. Of 1,770 pairs of loops with different rhythms on
  one kit, 2 were taken for copies; they differ in a few soft hits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = [
    "HOP_S",
    "MAX_BIT_ERRORS",
    "SAMPLE_RATE",
    "START_S",
    "Match",
    "Words",
    "duplicates",
    "fingerprint",
    "matches",
]

SAMPLE_RATE = 5512
"""Hz; the bands end at 2 kHz."""
FRAME = 2048
"""Samples: 0.37 s."""
HOP = 128
"""Samples: 23 ms."""
HOP_S = HOP / SAMPLE_RATE
BANDS_HZ = 150 * (2000 / 150) ** (np.arange(34) / 33)
"""Edges of 33 bands of equal width on a logarithmic axis."""
START_S = 60.0
"""Only the beginning of a file is compared: 10 kB then stand for any length."""
MAX_BIT_ERRORS = 0.2
STRETCH = 32
"""Words: 0.7 s."""
MAX_STRETCH_ERRORS = 0.25
MIN_WORDS = 64
"""Least overlap with words in both files: 1.9 s of sound."""
MIN_SHARE = 0.75
"""Least overlap as a share of the shorter file. What was cut from one of two files does not
count; pieces of one piece of music that repeats itself overlap less."""
MIN_VOTES = 0.004
"""Equal words per word of overlap. The worst excerpt of 10 s above had 0.037; chance
gives one pair of equal words here and there, whatever the overlap."""
STILL = 1e-3
"""Change between frames, relative to their energy, of a tone that is held; music has 0.01."""
SILENT = 1e-6
"""Energy relative to the loudest frame (-60 dB)."""
NEIGHBOURS = 4
"""Files that every file is compared with for one word; each of many copies is near some other."""
OFFSETS = 3
"""Offsets tried for two files, those with most equal words first."""

Words = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Match:
    """Two files, by number, with the same recording."""

    first: int
    second: int
    offset: int
    """Hops by which a moment comes later in the second file than in the first."""
    bit_errors: float
    """Share of bits that differ, from 0 to `MAX_BIT_ERRORS`."""


def fingerprint(samples: npt.NDArray[np.floating]) -> Words:
    """Return one word per hop of sound; 0 where there is none.

    Parameters
    ----------
    samples : float array [shape=(frames,), mono, at `SAMPLE_RATE`]

    Returns
    -------
    uint32 array [shape=(words,), one each `HOP_S`]
        Empty for less than 0.4 s of sound.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> noise = rng.standard_normal(SAMPLE_RATE * 4)
    >>> words = fingerprint(noise)
    >>> bool((words == fingerprint(0.1 * noise)).all() and words.all())
    True
    >>> bool(fingerprint(0 * noise).any())
    False
    """
    if len(samples) < FRAME + HOP:
        return np.zeros(0, np.uint32)
    frames = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float32), FRAME)[::HOP]
    window = np.hanning(FRAME).astype(np.float32)
    edges = np.rint(BANDS_HZ * FRAME / SAMPLE_RATE).astype(int)
    energy = np.concatenate(
        [
            np.add.reduceat(
                np.abs(np.fft.rfft(some * window)[:, : edges[-1]]) ** 2, edges[:-1], axis=1
            )
            for some in np.array_split(frames, len(frames) // 256 + 1)  # a few MB at a time
        ]
    )
    # Equation 1: the sign of how the slope between neighbouring bands changes over time.
    change = np.diff(energy[:, :-1] - energy[:, 1:], axis=0)
    bits = (change > 0).astype(np.uint32) << np.arange(32, dtype=np.uint32)
    words = np.bitwise_or.reduce(bits, axis=1)
    total = energy[1:].sum(axis=1)
    heard = total > SILENT * total.max()
    moving = np.abs(change).sum(axis=1) > STILL * total
    return np.where(heard & moving, words, 0).astype(np.uint32)


def matches(prints: Sequence[Words]) -> list[Match]:
    """Find the pairs of files that hold the same recording.

    Of many copies every one is paired with some others, not with all: the work
    grows with the number of words times its logarithm. `duplicates` puts them together.

    Parameters
    ----------
    prints : sequence of uint32 arrays, as `fingerprint` gives them
    """
    found: dict[tuple[int, int], Match] = {}
    for first, second, offset in _proposed(prints):
        errors = _bit_errors(prints[first], prints[second], offset)
        best = found.get((first, second))
        if errors < (best.bit_errors if best else MAX_BIT_ERRORS):
            found[first, second] = Match(first, second, offset, errors)
    return list(found.values())


def duplicates(prints: Sequence[Words], order: Iterable[int] | None = None) -> dict[int, int]:
    """Return for every copy the file it is a copy of.

    Parameters
    ----------
    prints : sequence of uint32 arrays
    order : iterable of int, optional
        All numbers of files; of two copies, the one that comes first is the original.

    Returns
    -------
    dict of int to int
        An original is never itself a copy.
    """
    near: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for match in matches(prints):
        near[match.first].append((match.second, match.offset))
        near[match.second].append((match.first, -match.offset))
    order = list(range(len(prints)) if order is None else order)
    place = {number: n for n, number in enumerate(order)}
    copies: dict[int, tuple[int, int]] = {}  # of which file, at which offset
    for number in order:
        for other, offset in sorted(near[number], key=lambda pair: place[pair[0]]):
            if place[other] > place[number]:
                break
            # A copy of a copy is compared with the original: two pieces of one
            # long file are no copies of each other.
            original, further = copies.get(other, (other, 0))
            errors = _bit_errors(prints[number], prints[original], offset + further)
            if errors < MAX_BIT_ERRORS:
                copies[number] = original, offset + further
                break
    return {number: original for number, (original, _) in copies.items()}


def _bit_errors(first: Words, second: Words, offset: int) -> float:
    """Return the share of bits that differ; 1 if the overlap is short or differs too much."""
    start, end = _overlap(len(first), len(second), offset)
    if end - start < max(MIN_WORDS, MIN_SHARE * min(len(first), len(second))):
        return 1.0
    here, there = first[start:end], second[start + offset : end + offset]
    both = (here != 0) & (there != 0)
    count = int(both.sum())
    if count < MIN_WORDS:
        return 1.0
    bits = np.unpackbits((here ^ there)[both].view(np.uint8))
    errors = np.concatenate([[0], np.cumsum(bits.reshape(-1, 32).sum(axis=1))])
    if (errors[STRETCH:] - errors[:-STRETCH]).max() > MAX_STRETCH_ERRORS * 32 * STRETCH:
        return 1.0
    return float(errors[-1]) / (32 * count)


def _overlap(first: int, second: int, offset: int) -> tuple[int, int]:
    """Return the words of the first file that lie over words of the second."""
    return max(0, -offset), min(first, second - offset)


def _proposed(prints: Sequence[Words]) -> list[tuple[int, int, int]]:
    """Return pairs of files with an offset at which enough words are equal."""
    if not sum(map(len, prints)):
        return []
    lengths = np.array([len(one) for one in prints])
    words = np.concatenate(prints)
    file = np.repeat(np.arange(len(prints)), lengths)
    position = np.concatenate([np.arange(n) for n in lengths])
    order = np.argsort(words, kind="stable")  # equal words together, by file
    order = order[np.searchsorted(words[order], 1) :]  # without those that are none
    words, file, position = words[order], file[order], position[order]
    pairs = []
    for step in range(1, NEIGHBOURS + 1):
        (at,) = np.nonzero((words[:-step] == words[step:]) & (file[:-step] != file[step:]))
        offset = position[at + step] - position[at]
        pairs.append(np.stack([file[at], file[at + step], offset], axis=1))
    ways, votes = _count(np.concatenate(pairs))
    first, second, offset = ways.T
    overlap = np.minimum(lengths[first], lengths[second] - offset) - np.maximum(0, -offset)
    short = np.minimum(lengths[first], lengths[second])
    enough = (votes >= MIN_VOTES * overlap) & (overlap >= np.maximum(MIN_WORDS, MIN_SHARE * short))
    ways, votes = ways[enough], votes[enough]
    best = np.lexsort((-votes, ways[:, 1], ways[:, 0]))
    ways = ways[best]
    # The rank of each way among those of the same two files.
    new = np.r_[True, (ways[1:, :2] != ways[:-1, :2]).any(axis=1)][: len(ways)]
    starts = np.nonzero(new)[0]
    rank = np.arange(len(ways)) - np.repeat(starts, np.diff(np.r_[starts, len(ways)]))
    return [(int(a), int(b), int(o)) for a, b, o in ways[rank < OFFSETS]]


def _count(rows: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the different rows and how often each is there."""
    if not len(rows):
        return rows, np.zeros(0, np.int64)
    rows = rows[np.lexsort(rows.T)]
    (starts,) = np.nonzero(np.r_[True, (rows[1:] != rows[:-1]).any(axis=1)])
    return rows[starts], np.diff(np.r_[starts, len(rows)])
