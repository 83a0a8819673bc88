"""Phrases for a map: those that come with the package, or out of MIDI files.

A phrase has at most eight bars, and a whole number of two-bar units; a longer one is heard in its
first eight, as a listener knows it by how it begins. All are moved to C major or A minor, the
nearer way, so that what lies between two of them is in their key, too. To be read by a network,
a shorter phrase is played again from its beginning, as a loop is; silence would say more of its
length than of its melody.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from groove_core.actions import each
from groove_core.console import note
from groove_core.drums import STEPS_PER_BAR
from groove_core.errors import InputError
from groove_core.values import (
    LeadSheet,
    Melody,
    Score,
    extract_melodies,
    find_key,
    key_name,
    key_sharps,
    transpose_sharps,
)
from music_vae.alphabets import (
    HIGHEST,
    LOWEST,
    NOTE,
    OFF_CLASS,
    melody_classes,
    without_lone_offs,
)
from music_vae.phrases import ROLES, PhraseSet
from music_vae.windows import of_melodies

__all__ = ["BARS", "OTHER", "Gathered", "from_scores", "from_set", "roles_of"]

BARS = 8
"""The longest phrase: 78 % of those of POP909 have four or eight bars."""
UNIT = 2
SHORTEST, FEWEST_NOTES = 4, 8
"""Bars and notes of what counts as a phrase in a song; labels also name single bars."""
MOST = 2500
"""Phrases on a map: as many as are told apart on a screen."""
OTHER = "phrase"
"""The role of what has no label."""
MARKERS = {
    "chorus": re.compile(r"\b(chorus|refrain|hook)", re.I),
    "bridge": re.compile(r"\b(bridge|middle.?(8|eight))", re.I),
    "verse": re.compile(r"\bverse", re.I),
}
"""How sections are named by the markers of a MIDI file; "pre-chorus" is none of them."""
BEFORE = re.compile(r"\b(pre|post)\W?", re.I)

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Gathered:
    """Phrases, each in C major or A minor.

    Parameters
    ----------
    rows : sequence of int arrays [each shape=(steps,)]
        As the classes of a melody: 2, 4, 6 or 8 bars.
    role : sequence of str
    source : sequence of str
        Name of the song or file of each.
    song : sequence of str
        What copies of a song share.
    first : int array [shape=(n,)]
        The bar with which each begins in its song, from 1.
    key : sequence of str
        Of the song; what it was moved from.
    tempo : float array [shape=(n,), beats a minute]
    """

    rows: tuple[Ints, ...]
    role: tuple[str, ...]
    source: tuple[str, ...]
    song: tuple[str, ...]
    first: Ints
    key: tuple[str, ...]
    tempo: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def bars(self) -> Ints:
        """How long each is."""
        return np.array([len(row) // STEPS_PER_BAR for row in self.rows])

    def looped(self, bars: int) -> Ints:
        """Return phrases so long, each repeated from its beginning [shape=(n, 16 * bars)]."""
        return np.stack([_looped(row, bars * STEPS_PER_BAR) for row in self.rows])


@dataclass(frozen=True)
class _Phrase:
    row: Ints
    role: str
    source: str
    song: str
    first: int
    key: str
    tempo: float


def from_set(phrases: PhraseSet) -> Gathered:
    """Gather the labelled phrases of songs, each letter of a song once: repeats are its copies."""
    found, seen = list[_Phrase](), set[tuple[int, str]]()
    song_of = functools.lru_cache(1)(phrases.song)  # its phrases follow each other
    for phrase in phrases.phrases:
        if phrase.bars < SHORTEST or (phrase.song, phrase.letter) in seen:
            continue
        song, head = song_of(phrase.song), phrases.tunes.heads[phrase.song]
        row = _row(song, phrase.bar, min(phrase.bars, BARS))
        if (row >= NOTE).sum() < FEWEST_NOTES:
            continue
        seen.add((phrase.song, phrase.letter))
        name = f"{head.corpus.upper()} {head.name}"
        found.append(
            _Phrase(row, phrase.role, name, head.group, phrase.bar + 1, song.key, song.tempo_bpm)
        )
    return _gathered(found)


def from_scores(scores: Sequence[Score]) -> Gathered:
    """Gather phrases out of scores: eight bars each, section by section where markers name some.

    Raises
    ------
    InputError
        If no score has one.
    """
    found = [phrase for some in each(scores, _of_score) for phrase in some]
    if not found:
        raise InputError("There is no melody to put on a map.", hint="Give MIDI files in 4/4.")
    if len(found) > MOST:
        note(f"{len(found):,} phrases are too many for a map; {MOST:,} of them, evenly, are on it")
        found = [found[k] for k in np.linspace(0, len(found) - 1, MOST).astype(int)]
    return _gathered(found)


def _row(song: LeadSheet, bar: int, bars: int) -> Ints:
    """Return the classes of some bars of a song."""
    return _ended(melody_classes(song.events)[STEPS_PER_BAR * bar : STEPS_PER_BAR * (bar + bars)])


def _ended(row: Ints) -> Ints:
    """Fill bars up with silence to units; what sounds at the end ends there."""
    rest = np.zeros(-len(row) % (UNIT * STEPS_PER_BAR), np.int64)
    rest[:1] = OFF_CLASS
    return without_lone_offs(np.append(row, rest))


def _of_score(score: Score, name: str) -> list[_Phrase]:
    """Return the phrases of a score; equal ones once.

    Raises
    ------
    InputError
        If it has none.
    """
    found, known = list[_Phrase](), set[bytes]()
    for role, start, end in _sections(score):
        part = score.slice_ticks(start, end) if role else score
        for bar, row in _cuts(part):
            if row.tobytes() in known or (row >= NOTE).sum() < 2:
                continue
            known.add(row.tobytes())
            before = round(start / score.ticks_per_quarter / 4) if role else 0
            tempo = float(score.tempo_at(start))
            found.append(_Phrase(row, role or OTHER, name, name, before + bar, "", tempo))
    if not found:
        raise InputError(
            f"{name} has no melody in 4/4 and sixteenths.",
            hint="Give a piece in 4/4 with a line of single notes.",
        )
    key = _key([one.row for one in found])
    return [replace(one, key=key) for one in found]


def _cuts(score: Score) -> Iterator[tuple[int, Ints]]:
    """Cut the melodies of a score from the first bar with a note on: bar, from 1, and classes."""
    try:
        melodies = list(extract_melodies(Melody, score, steps_per_quarter=4))
    except InputError:
        return  # a section in which nothing but drums plays
    size = BARS * STEPS_PER_BAR
    for start, melody in melodies:
        song = of_melodies("", [melody])
        if not song.stretches or not len(melody.notes):
            continue
        [row] = song.stretches[0]
        lead = -melody.pickup % STEPS_PER_BAR
        bar = round((start * 4 / score.ticks_per_quarter - lead) / STEPS_PER_BAR) + 1
        first = int((row >= NOTE).argmax()) // STEPS_PER_BAR
        for at in range(STEPS_PER_BAR * first, len(row), size):
            yield bar + at // STEPS_PER_BAR, _trimmed(_ended(row[at : at + size]))


def _sections(score: Score) -> Iterator[tuple[str, int, int]]:
    """List role, first and last tick of the sections that markers name; else "" for the whole."""
    marks = [(tick, text) for tick, text in score.markers if not text.startswith("groove:")]
    named = [(tick, _role(text)) for tick, text in sorted(marks)]
    if not any(role for _, role in named):
        yield "", 0, score.end_tick
        return
    ends = [tick for tick, _ in named[1:]] + [score.end_tick]
    for (start, role), end in zip(named, ends, strict=True):
        if end > start:
            yield role or OTHER, start, end


def _role(text: str) -> str:
    if BEFORE.search(text):
        return ""
    return next((role for role, pattern in MARKERS.items() if pattern.search(text)), "")


def _trimmed(row: Ints) -> Ints:
    """Leave silent bars at the end out, by units."""
    unit = UNIT * STEPS_PER_BAR
    sounds = np.maximum.accumulate(np.where(row > 0, np.arange(len(row)), 0))
    held = row[sounds] >= NOTE
    last = int(np.flatnonzero(held).max(initial=0))
    return row[: -(-(last + 1) // unit) * unit]


def _key(rows: Sequence[Ints]) -> str:
    """Return the key in which phrases of a piece sound, by how long each pitch class does."""
    row = np.concatenate(rows)
    sounding = row[np.maximum.accumulate(np.where(row > 0, np.arange(len(row)), 0))]
    pitch_class = (sounding[sounding >= NOTE] - NOTE + LOWEST) % 12
    tonic, minor = find_key(np.bincount(pitch_class, minlength=12))
    return key_name(transpose_sharps(0, tonic + 3 * minor), bool(minor))


def _to_c(row: Ints, key: str) -> Ints:
    """Move a melody to C major or A minor, the nearer way; what no piano has, by an octave."""
    sharps = key_sharps(key)[0] if key else 0
    by = (5 * sharps + 5) % 12 - 5
    pitches = row[row >= NOTE] - NOTE + LOWEST + by
    by += 12 * int((pitches < LOWEST).any()) - 12 * int((pitches > HIGHEST).any())
    return np.where(row >= NOTE, row + by, row)


def _gathered(found: Sequence[_Phrase]) -> Gathered:
    return Gathered(
        tuple(_to_c(one.row, one.key) for one in found),
        tuple(one.role for one in found),
        tuple(one.source for one in found),
        tuple(one.song for one in found),
        np.array([one.first for one in found]),
        tuple(one.key for one in found),
        np.array([one.tempo for one in found]),
    )


def _looped(row: Ints, steps: int) -> Ints:
    again = row.copy()
    again[0] = again[0] or OFF_CLASS  # what sounds at the end ends there
    return without_lone_offs(np.append(row, np.tile(again, -(-steps // len(row))))[:steps])


def roles_of(gathered: Gathered) -> tuple[str, ...]:
    """List the roles that occur: choruses, verses and bridges, and then what has none."""
    counts = Counter(gathered.role)
    return tuple(role for role in (*ROLES, OTHER) if counts[role])
