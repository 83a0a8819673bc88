"""Put played songs on their beats.

The ticks of POP909 are not its beats: beats, bars, chords and keys are read from the text files
that come with it (Z. Wang et al., "POP909: A Pop-song Dataset for Music Arrangement Generation",
ISMIR 2020).
"""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from groove_core.errors import InputError
from groove_core.values import Chord, Score, Track, pitch_class, transpose_sharps
from groove_core.values.scores.symbols import CHORDS

__all__ = ["annotated"]

TICKS = 480
Floats = npt.NDArray[np.float64]


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
    """
    rows_of_beats = [line.split() for line in beats.splitlines() if line.strip()]
    at = np.array([float(row[0]) for row in rows_of_beats])
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
    down = [number for number, row in enumerate(rows_of_beats) if row[2].startswith("1")]
    edges = sorted({0, *down, len(at) - 1})
    metres = [(first * TICKS, end - first, 4) for first, end in itertools.pairwise(edges)]
    return Score(
        tuple(tracks),
        ticks_per_quarter=TICKS,
        tempos=np.array([[0, round(1e6 * float(np.median(np.diff(at))))]]),
        time_signatures=np.array(metres),
        key_signatures=_key(keys),
        markers=((0, CHORDS), *_chords(chords, ticks)),
        name=name,
    )


def _key(text: str) -> npt.NDArray[np.int64]:
    """Return the key that holds for the longest time, as a key signature."""
    held: Counter[tuple[int, bool]] = Counter()
    for line in text.splitlines():
        start, end, name = line.split()
        root, _, mode = name.partition(":")
        held[pitch_class(root), mode == "min"] += round(1000 * (float(end) - float(start)))
    if not held:
        return np.zeros((0, 3), np.int64)
    (tonic, minor), _ = held.most_common(1)[0]
    # By its pitch class, since nothing else can write D flat minor.
    return np.array([[0, transpose_sharps(0, tonic + 3 * minor), minor]])


def _chords(
    text: str, ticks: Callable[[Floats], npt.NDArray[np.int64]]
) -> Iterator[tuple[int, str]]:
    for line in text.splitlines():
        start, _, name = line.split()
        tick = int(ticks(np.array([float(start)]))[0])
        with contextlib.suppress(InputError):
            yield max(tick, 0), str(Chord.parse(name))


def _beat(at: Floats, seconds: Floats) -> Floats:
    """Return the beat, with its fraction, of moments; outside, the next beat's tempo goes on."""
    which = np.clip(np.searchsorted(at, seconds, side="right") - 1, 0, len(at) - 2)
    found: Floats = which + (seconds - at[which]) / (at[which + 1] - at[which])
    return found
