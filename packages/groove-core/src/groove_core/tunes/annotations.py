"""Put played songs on their beats.

The ticks of POP909 are not its beats: beats, bars, chords and keys are read from the text files
that come with it (Z. Wang et al., "POP909: A Pop-song Dataset for Music Arrangement Generation",
ISMIR 2020).
"""

from __future__ import annotations

import contextlib
import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from groove_core.errors import InputError
from groove_core.values import Chord, Score, Track, pitch_class, transpose_sharps
from groove_core.values.scores.symbols import CHORDS

__all__ = ["annotated"]

TICKS = 480
Floats = npt.NDArray[np.float64]
Row = tuple[float, float, str]
KEY = re.compile(r"([A-G][#b]?):(maj|min)")


def annotated(score: Score, beats: str, chords: str, keys: str, *, name: str) -> Score:
    """Move a played song onto its beats.

    Parameters
    ----------
    score : Score
        As it was played.
    beats : str
        A line a beat: its second, and whether a bar begins (third column).
    chords, keys : str
        A line each: first and last second, and the name.

    Returns
    -------
    Score
        A quarter note is a beat, and a bar goes from one downbeat to the next.

    Raises
    ------
    InputError
        If a line cannot be read, or the beats are not in order.
    """
    rows_of_beats = _rows(beats, f"beats of {name}")
    at = np.array([second for second, _, _ in rows_of_beats])
    if len(at) < 2 or (np.diff(at) <= 0).any():
        raise InputError(f"The beats of {name} are not in order.", hint="Give its beat_midi.txt.")

    def ticks(seconds: npt.ArrayLike) -> npt.NDArray[np.int64]:
        return np.round(TICKS * _beat(at, np.asarray(seconds, np.float64))).astype(np.int64)

    tracks = []
    for one in score.tracks:
        begins = ticks(score.seconds(one.notes[:, 0]))
        ends = ticks(score.seconds(one.notes[:, 0] + one.notes[:, 1]))
        rows = np.stack([begins, np.maximum(ends - begins, 1), *one.notes[:, 2:].T], axis=1)
        tracks.append(Track(rows[begins >= 0], name=one.name, program=one.program))
    down = [n for n, (_, _, begins) in enumerate(rows_of_beats) if begins.startswith("1")]
    edges = sorted({0, *down, len(at) - 1})
    metres = [(first * TICKS, end - first, 4) for first, end in itertools.pairwise(edges)]
    return Score(
        tuple(tracks),
        ticks_per_quarter=TICKS,
        tempos=np.array([[0, round(1e6 * float(np.median(np.diff(at))))]]),
        time_signatures=np.array(metres),
        key_signatures=_key(_rows(keys, f"keys of {name}")),
        markers=((0, CHORDS), *_chords(_rows(chords, f"chords of {name}"), ticks)),
        name=name,
    )


def _rows(text: str, what: str) -> list[Row]:
    """Read lines of two numbers and a word."""
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            one, two, word = line.split()
            rows.append((float(one), float(two), word))
            if not math.isfinite(sum(rows[-1][:2])):
                raise ValueError("not a time")
        except ValueError as error:
            raise InputError(
                f"Line {number} of the {what} cannot be read: {line.strip()!r}.",
                hint="Give two times in seconds and a word in each line, as POP909 does.",
            ) from error
    return rows


def _key(rows: Sequence[Row]) -> npt.NDArray[np.int64]:
    """Return the key that holds for the longest time, as a key signature."""
    held: Counter[tuple[int, bool]] = Counter()
    for start, end, name in rows:
        if known := KEY.fullmatch(name):
            held[pitch_class(known[1]), known[2] == "min"] += round(1000 * (end - start))
    if not held:
        return np.zeros((0, 3), np.int64)
    (tonic, minor), _ = held.most_common(1)[0]
    # By its pitch class, since nothing else can write D flat minor.
    return np.array([[0, transpose_sharps(0, tonic + 3 * minor), minor]])


def _chords(
    rows: Sequence[Row], ticks: Callable[[Floats], npt.NDArray[np.int64]]
) -> Iterator[tuple[int, str]]:
    for start, _, name in rows:
        tick = int(ticks(np.array([start]))[0])
        with contextlib.suppress(InputError):
            yield max(tick, 0), str(Chord.parse(name))


def _beat(at: Floats, seconds: Floats) -> Floats:
    """Return the beat, with its fraction, of moments; outside, the next beat's tempo goes on."""
    which = np.clip(np.searchsorted(at, seconds, side="right") - 1, 0, len(at) - 2)
    found: Floats = which + (seconds - at[which]) / (at[which + 1] - at[which])
    return found
