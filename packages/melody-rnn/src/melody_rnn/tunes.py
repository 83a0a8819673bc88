"""The tunes that networks learn from: melodies, with where each came from and its part."""

from __future__ import annotations

import functools
import io
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from groove_core.storage import read_arrays, write_bytes
from groove_core.values import Chord, LeadSheet, key_name, key_sharps

__all__ = ["PARTS", "SHIPPED", "Book", "Head", "Tune", "group_tunes", "load", "parts_of", "save", "shipped"]

PARTS = ("train", "validation", "test")
SHIPPED = Path(__file__).with_name("data") / "tunes.npz"
NO_KEY = 99
WINDOW_BARS = 4
"""Tunes are compared by their windows of so many bars."""
SAME = 0.5
"""Two tunes are one if more than this share of the windows of the shorter is in the other."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Head:
    """What is known of a song.

    Parameters
    ----------
    name : str
        The file, within its corpus.
    corpus : str
    group : str
        Equal for tunes that are one tune.
    part : str
        ``train``, ``validation`` or ``test``.
    """

    name: str
    corpus: str
    group: str
    part: str


@dataclass(frozen=True)
class Tune(Head):
    """A song, as the melodies that were cut out of its line.

    Parameters
    ----------
    melodies : tuple of LeadSheet
        In the order of the song, with 4 or 3 steps per quarter.
    """

    melodies: tuple[LeadSheet, ...]


def windows(melody: LeadSheet, bars: int = WINDOW_BARS) -> Iterator[bytes]:
    """Return the intervals and onsets of each window of bars, transposed or not the same."""
    notes, size = melody.notes, bars * melody.steps_per_bar
    quarter = melody.steps_per_quarter
    for first in range(melody.pickup, melody.length - size + 1, melody.steps_per_bar):
        here = notes[(notes[:, 0] >= first) & (notes[:, 0] < first + size)]
        if len(here) < 2 * bars:
            continue
        onsets = (here[:, 0] - first) * 12 // quarter
        yield np.stack([onsets, here[:, 2] - here[0, 2]]).astype("<i2").tobytes()


def group_tunes(names: Sequence[str], songs: Sequence[Sequence[LeadSheet]]) -> list[str]:
    """Return the group of each song: the first name among those that are the same tune.

    Songs are one tune if more than half of the four-bar windows of the shorter stand in the
    longer, transposed or not, or if it is too short for a window and all its notes are the same.
    """
    sets = [{w for m in melodies for w in windows(m)} or _whole(melodies) for melodies in songs]
    where: dict[bytes, list[int]] = defaultdict(list)
    for number, some in enumerate(sets):
        for window in some:
            where[window].append(number)
    shared: Counter[tuple[int, int]] = Counter()
    for numbers in where.values():
        shared.update(itertools.combinations(numbers, 2))
    root = list(range(len(songs)))

    def find(number: int) -> int:
        while root[number] != number:
            number = root[number]
        return number

    for (one, other), count in shared.items():
        if count > SAME * min(len(sets[one]), len(sets[other])):
            low, high = sorted((find(one), find(other)))
            root[high] = low
    return [names[find(number)] for number in range(len(songs))]


def _whole(melodies: Sequence[LeadSheet]) -> set[bytes]:
    return {
        np.stack([m.notes[:, 0], m.notes[:, 2] - m.notes[0, 2]]).astype("<i2").tobytes()
        for m in melodies
        if len(m.notes)
    }


def parts_of(tunes: Sequence[Tune]) -> dict[str, list[int]]:
    """Return the numbers of the tunes of each part."""
    return {part: [i for i, tune in enumerate(tunes) if tune.part == part] for part in PARTS}


def save(tunes: Sequence[Tune], path: Path) -> None:
    """Write tunes to a compact file of arrays."""
    melodies = [m for tune in tunes for m in tune.melodies]
    chords = [(i, at, str(chord)) for i, m in enumerate(melodies) for at, chord in m.chords]
    symbols = sorted({text for _, _, text in chords})
    number = {text: i for i, text in enumerate(symbols)}
    notes = [m.notes for m in melodies]
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        tunes=_texts("\t".join([t.name, t.corpus, t.group, t.part]) for t in tunes),
        melodies_of_tune=np.array([len(t.melodies) for t in tunes], np.int32),
        # What a melody is: grid, metre, length, pickup, tempo in hundredths, key, notes, chords.
        about=np.array(
            [
                (m.steps_per_quarter, *m.metre, m.length, m.pickup, round(100 * m.tempo_bpm),
                 *(key_sharps(m.key) if m.key else (NO_KEY, 0)), len(m.notes), len(m.chords))
                for m in melodies
            ],
            np.int32,
        ).reshape(-1, 10),
        # Differences pack well.
        wait=np.concatenate([_steps_before(rows) for rows in notes] or [()]).astype(np.uint16),
        length=np.concatenate([rows[:, 1] for rows in notes] or [()]).astype(np.uint16),
        pitch=np.concatenate([rows[:, 2] for rows in notes] or [()]).astype(np.uint8),
        symbols=_texts(symbols),
        chord_at=np.array([at for _, at, _ in chords], np.uint16),
        chord=np.array([number[text] for _, _, text in chords], np.uint16),
    )  # fmt: skip
    write_bytes(path, buffer.getvalue())


def _texts(lines: Iterable[str]) -> npt.NDArray[np.uint8]:
    return np.frombuffer("\n".join(lines).encode(), np.uint8)


def _steps_before(rows: Ints) -> Ints:
    return np.diff(rows[:, 0], prepend=0)


class Book(Sequence[Tune]):
    """Tunes in a file of arrays; melodies are made when they are asked for.

    Parameters
    ----------
    arrays : dict of arrays
        As `save` writes them.
    """

    def __init__(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        self.heads = [Head(*line.split("\t")) for line in _lines(arrays["tunes"])]
        self.chords = [Chord.parse(text) for text in _lines(arrays["symbols"])]
        self.about: Ints = arrays["about"].astype(np.int64)
        self.melody_ends = np.cumsum(arrays["melodies_of_tune"])
        self.tune_of = np.repeat(np.arange(len(self.heads)), arrays["melodies_of_tune"])
        self.note_ends, self.chord_ends = np.cumsum(self.about[:, 8]), np.cumsum(self.about[:, 9])
        waits = np.cumsum(arrays["wait"], dtype=np.int64)
        first = np.append(0, self.note_ends[:-1])
        before = np.append(0, waits)[first]
        self.starts: Ints = waits - np.repeat(before, self.about[:, 8])
        self.lengths, self.pitches = arrays["length"], arrays["pitch"]
        self.chord_at, self.chord = arrays["chord_at"], arrays["chord"]

    def __len__(self) -> int:
        return len(self.heads)

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, slice):
            return [self[i] for i in range(*number.indices(len(self)))]
        first = int(self.melody_ends[number - 1]) if number % len(self) else 0
        melodies = (self.melody(i) for i in range(first, int(self.melody_ends[number])))
        return Tune(**vars(self.heads[number]), melodies=tuple(melodies))

    def of(self, *parts: str) -> Ints:
        """Return the numbers of the melodies of some parts."""
        return np.flatnonzero(np.array([h.part in parts for h in self.heads])[self.tune_of])

    def melody(self, number: int) -> LeadSheet:
        """Return a melody."""
        grid, top, bottom, length, pickup, tempo, sharps, minor, notes, chords = (
            self.about[number].tolist()
        )
        of = slice(int(self.note_ends[number]) - notes, int(self.note_ends[number]))
        at = slice(int(self.chord_ends[number]) - chords, int(self.chord_ends[number]))
        columns = [self.starts[of], self.lengths[of], self.pitches[of], np.full(notes, 80)]
        cues = zip(self.chord_at[at].tolist(), self.chord[at].tolist(), strict=True)
        return LeadSheet(
            np.stack(columns, axis=1), grid, (top, bottom), length, pickup, tempo / 100,
            key_name(sharps, bool(minor)) if sharps != NO_KEY else "",
            self.heads[self.tune_of[number]].name,
            chords=tuple((step, self.chords[which]) for step, which in cues),
        )  # fmt: skip


def _lines(text: npt.NDArray[np.uint8]) -> list[str]:
    return text.tobytes().decode().split("\n") if len(text) else []


def load(path: Path) -> Book:
    """Read tunes."""
    return Book(read_arrays(path, what="a file of tunes"))


@functools.cache
def shipped() -> Book:
    """Read the shipped tunes."""
    return load(SHIPPED)
