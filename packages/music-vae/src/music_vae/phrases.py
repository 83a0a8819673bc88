"""Phrases of songs: choruses, verses and bridges, by what a listener heard to return.

POP909 has labels of its phrases: a letter and a length in bars each, as in ``i4A8B8A8B8o4``. Equal
letters are repeats, lower case has no sung line, and X is a phrase that does not return. By them:

| role | phrases |
| --- | --- |
| chorus | of the upper-case letter that returns most; of two, the one that comes in later |
| verse | of the other upper-case letters that return |
| bridge | in upper case, and heard once |

S. Dai, H. Zhang and R. B. Dannenberg, "Automatic Analysis and Influence of Hierarchical Structure
on Melody, Rhythm and Harmony in Popular Music", 2020.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, get_args

import numpy as np

from groove_core.drums import STEPS_PER_BAR
from groove_core.errors import InputError
from groove_core.storage import read_arrays, read_members, write_arrays
from groove_core.tunes import Tune, TuneSet
from groove_core.values import Chord, LeadSheet, Value, key_name, pitch_class, transpose_sharps
from music_vae.windows import BY_SONG

__all__ = ["CORPUS", "ROLES", "Phrase", "PhraseSet", "Role", "read_structure", "roles"]

Role = Literal["chorus", "verse", "bridge"]
ROLES: tuple[Role, ...] = get_args(Role)
CORPUS = "pop909"
FOLDER = f"{CORPUS}/POP909"
"""Where groups of songs stand: as in the shipped melodies, so that what a network learnt is known.
"""
FILES = ("human_label1", "finalized_chord", "melody", "analyzed_key", "tempo")
LABEL = re.compile(r"([A-Za-z])(\d+)")
KEY = re.compile(r"([A-G][#b]?):(maj|min)")
ONCE = "X"
"""Label of a phrase that does not return."""
APART = 1
"""Bars by which the labels and the chords of a song may differ."""
VELOCITY = 80


@dataclass(frozen=True)
class Phrase:
    """A phrase with a sung line.

    Parameters
    ----------
    song : int
        Its number in the set.
    letter : str
    role : ``chorus``, ``verse`` or ``bridge``
    bar, bars : int
        Where it begins in the song, from 0, and how long it is.
    """

    song: int
    letter: str
    role: Role
    bar: int
    bars: int


def labels(text: str) -> list[tuple[str, int]]:
    """Read the labels of a song.

    Raises
    ------
    InputError
        If they are not letters with lengths.

    Examples
    --------
    >>> labels("i4A4B8")
    [('i', 4), ('A', 4), ('B', 8)]
    """
    found = LABEL.findall(text)
    if not found or "".join(letter + bars for letter, bars in found) != text:
        raise InputError(
            f"{text[:40]!r} are no labels of phrases.",
            hint="Give a letter and a number of bars for each phrase, such as i4A8B8.",
        )
    return [(letter, int(bars)) for letter, bars in found]


def roles(letters: Sequence[str]) -> dict[str, Role]:
    """Return the role of each upper-case letter of a song.

    Examples
    --------
    >>> roles(["i", "A", "B", "A", "B", "C", "b", "o"])
    {'A': 'verse', 'B': 'chorus', 'C': 'bridge'}
    """
    times = Counter(letter for letter in letters if letter.isupper())
    returning = [letter for letter, count in times.items() if count > 1 and letter != ONCE]
    # A Counter keeps the order of the song, so that the last of the most frequent comes in latest.
    chorus = max(reversed(returning), key=times.__getitem__, default="")
    return {
        letter: "chorus" if letter == chorus else "verse" if letter in returning else "bridge"
        for letter in times
    }


class PhraseSet(Value):
    """Songs with the labels of their phrases.

    Parameters
    ----------
    tunes : TuneSet
        Each song is one melody in 4/4 and sixteenths, from its first bar to its last, with chords.
    labels : sequence of str
        Of the phrases of each song, such as ``i4A8B8A8B8o4``.

    Raises
    ------
    ValueError
        If they do not fit together.
    """

    kind: ClassVar[str] = "phrase-set"
    suffixes: ClassVar[tuple[str, ...]] = ("npz", "json")
    default_formats: ClassVar[tuple[str, ...]] = ("npz", "txt")

    def __init__(self, tunes: TuneSet, labels: Sequence[str]) -> None:
        self.tunes, self.labels = tunes, tuple(labels)
        grid, top, bottom, length, pickup = tunes.about[:, :5].T
        bars = [sum(bars for _, bars in self._labels(number)) for number in range(len(labels))]
        if len(tunes) != len(labels) or (tunes.counts != 1).any():
            raise ValueError(f"{len(labels)} labels are not those of {len(tunes)} songs")
        if ((grid != 4) | (top != bottom) | (pickup != 0)).any():
            raise ValueError("a song is not in 4/4 and sixteenths")
        if (length != STEPS_PER_BAR * np.array(bars)).any():
            raise ValueError("a song is longer or shorter than its phrases")

    def _labels(self, song: int) -> list[tuple[str, int]]:
        return labels(self.labels[song])

    def __len__(self) -> int:
        return len(self.labels)

    def song(self, number: int) -> LeadSheet:
        """Return the melody and the chords of a song."""
        return self.tunes.melody(number)

    @functools.cached_property
    def phrases(self) -> list[Phrase]:
        """All phrases with a sung line, song by song."""
        found = []
        for song in range(len(self)):
            some, bar = self._labels(song), 0
            role = roles([letter for letter, _ in some])
            for letter, bars in some:
                if letter in role:
                    found.append(Phrase(song, letter, role[letter], bar, bars))
                bar += bars
        return found

    def of_part(self, *parts: str) -> list[Phrase]:
        """Return the phrases of the songs of some parts: ``train``, ``validation``, ``test``."""
        return [one for one in self.phrases if self.tunes.heads[one.song].part in parts]

    def as_learnt(self, cards: Iterable[Mapping[str, Any]]) -> Self:
        """Divide the songs by what checkpoints learnt from, see `TuneSet.as_learnt`."""
        return type(self)(self.tunes.as_learnt(cards), self.labels)

    def melody(self, phrase: Phrase) -> LeadSheet:
        """Return a phrase alone, without a note that begins before it."""
        return self.song(phrase.song).slice_bars(phrase.bar, phrase.bars)

    @property
    def arrays(self) -> dict[str, np.ndarray[Any, Any]]:
        """What is stored: the tunes, and the labels as lines of text."""
        text = np.frombuffer("\n".join(self.labels).encode(), "u1")
        return {**self.tunes.arrays, "labels": text}

    @classmethod
    def _of_arrays(cls, arrays: Mapping[str, np.ndarray[Any, Any]]) -> Self:
        text = arrays["labels"].astype("u1").tobytes().decode()
        return cls(TuneSet(arrays), text.splitlines())

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "tunes": self.tunes.to_json(), "labels": list(self.labels)}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        return cls(TuneSet.from_json(document["tunes"]), document["labels"])

    def to_document(self) -> dict[str, Any]:
        return {**self.tunes.to_document(), "kind": self.kind, "phrases": self._counts()}

    def _counts(self) -> dict[str, int]:
        return dict(Counter(phrase.role for phrase in self.phrases))

    def _save_npz(self, path: Path) -> None:
        write_arrays(path, self.arrays)

    @classmethod
    def _read_file(cls, path: Path) -> Self:
        arrays = read_arrays(path, what="a set of phrases (.npz)")
        try:
            return cls._of_arrays(arrays)
        except (InputError, ValueError, LookupError, TypeError) as error:
            raise InputError(
                f"{path} is not a set of phrases: {str(error).rstrip('.')}.",
                hint="Make one of POP909's structure.zip, with the action dataset.",
            ) from error

    def to_text(self) -> str:
        counts = ", ".join(f"{self._counts().get(role, 0):,} of a {role}" for role in ROLES)
        return f"{len(self):,} songs, {len(self.phrases):,} phrases: {counts}\n" + (
            self.tunes.to_text()
        )


def read_structure(path: Path, table: Mapping[str, Mapping[str, str]] | None = None) -> PhraseSet:
    """Read POP909's ``structure.zip``.

    Parameters
    ----------
    path : path
    table : dict of dict, optional
        ``split`` and ``group`` of each song; what it does not name is left out. Default: parts by
        a hash of the names.

    Raises
    ------
    InputError
        If it has no song that can be used.
    """
    found: dict[str, dict[str, str]] = {}
    for name, content in read_members(path, lambda name: name.endswith(".txt")):
        song, _, file = name.removesuffix(".txt").rpartition("/")
        found.setdefault(song, {})[file] = content.decode("utf-8", errors="replace")
    if table is None:
        groups = {name: f"{FOLDER}/{name}" for name in found}
        parts = BY_SONG.parts(list(groups.values()))
        split = {i: part for part, some in parts.items() for i in some.tolist()}
        table = {name: {"split": split[i], "group": ""} for i, name in enumerate(groups)}
    tunes, known, counts = [], [], Counter[str]()
    for name, files in sorted(found.items()):
        if any(file not in files for file in FILES):
            counts["songs without labels, chords or melody"] += 1
            continue
        row = table.get(name)
        if row is None:
            counts["songs that the split does not name"] += 1
            continue
        melody = _song(name, files, counts)
        if melody is not None:
            group = row["group"] or f"{FOLDER}/{name}"
            tunes.append(Tune(name, CORPUS, group, row["split"], (melody,)))
            known.append(files["human_label1"].strip())
    if not tunes:
        raise InputError(f"{path} has no labelled songs.", hint="Give POP909's structure.zip.")
    return PhraseSet(TuneSet.of(tunes, dict((+counts).most_common())), known)


def _song(name: str, texts: Mapping[str, str], counts: Counter[str]) -> LeadSheet | None:
    """Return the melody of a song, as long as its phrases; None where these are in doubt."""
    try:
        bars = sum(bars for _, bars in labels(texts["human_label1"].strip()))
        chords = [(symbol, int(beats)) for symbol, *_, beats in _rows(texts["finalized_chord"])]
        notes = [(int(pitch), int(steps)) for pitch, steps in _rows(texts["melody"])]
        tempo = float(texts["tempo"])
    except (ValueError, InputError):
        counts["songs that cannot be read"] += 1
        return None
    if abs(bars - sum(beats for _, beats in chords) / 4) > APART:
        counts["songs whose labels and chords differ by over a bar"] += 1
        return None
    length = STEPS_PER_BAR * bars
    rows, at = [], 0
    for pitch, steps in notes:
        if pitch and at < length:
            rows.append((at, min(steps, length - at), pitch, VELOCITY))
        counts["notes behind the last phrase"] += bool(pitch) and at >= length
        at += steps
    if not rows:
        counts["songs without a melody"] += 1
        return None
    cues, beat = [], 0
    for symbol, beats in chords:
        if 4 * beat < length:
            cues.append((4 * beat, _chord(symbol, counts)))
        beat += beats
    return LeadSheet(
        np.array(rows), 4, (4, 4), length, 0, tempo, _key(texts["analyzed_key"]), name,
        chords=tuple(cues),
    )  # fmt: skip


def _rows(text: str) -> Iterable[list[str]]:
    return (line.split() for line in text.splitlines() if line.strip())


def _chord(symbol: str, counts: Counter[str]) -> Chord:
    try:
        return Chord.parse(symbol)
    except InputError:
        counts["chords that cannot be read"] += 1
        return Chord("")


def _key(text: str) -> str:
    """Return the first key of a song, as a signature has it."""
    known = KEY.search(text)
    if known is None:
        return ""
    minor = known[2] == "min"
    return key_name(transpose_sharps(0, pitch_class(known[1]) + 3 * minor), minor)
