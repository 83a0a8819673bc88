"""The tunes that networks learn from: melodies, with where each came from and its part."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from groove_core.errors import InputError
from groove_core.learning import PARTS, as_learnt
from groove_core.storage import read_arrays, write_arrays
from groove_core.tunes.cutting import GRIDS, METRES
from groove_core.tunes.stretches import Stream
from groove_core.values import Chord, LeadSheet, Value, key_name, key_sharps
from groove_core.values.melodies.line import TEMPOS_BPM

__all__ = ["Head", "Tune", "TuneSet"]

VELOCITY = 80
NO_KEY = 99
ABOUT = 10
"""Columns of what is known of a melody: grid, metre, length, pickup, tempo, key, counts."""

Ints = npt.NDArray[np.int64]
Arrays = dict[str, npt.NDArray[Any]]


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


class TuneSet(Value):
    """Tunes as arrays; melodies are made when they are asked for.

    Parameters
    ----------
    arrays : dict of arrays
        As `of` makes them.

    Raises
    ------
    ValueError
        If they do not fit together.
    """

    kind: ClassVar[str] = "tune-set"
    suffixes: ClassVar[tuple[str, ...]] = ("npz", "json")
    default_formats: ClassVar[tuple[str, ...]] = ("npz", "txt")

    def __init__(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        self.arrays = {name: arrays[name] for name in KINDS}
        self.arrays["about"] = arrays["about"].reshape(-1, ABOUT)
        self.heads = [Head(*line.split("\t")) for line in _lines(arrays["tunes"])]
        self.chords = [Chord.parse(text) for text in _lines(arrays["symbols"])]
        self.about: Ints = self.arrays["about"].astype(np.int64)
        self.counts = arrays["melodies_of_tune"].astype(np.int64)
        self.note_ends, self.chord_ends = np.cumsum(self.about[:, 8]), np.cumsum(self.about[:, 9])
        self.lengths, self.pitches = arrays["length"].astype(np.int64), arrays["pitch"]
        self.chord_at, self.chord = arrays["chord_at"], arrays["chord"]
        self._check_counts(len(arrays["wait"]))
        self.tune_of = np.repeat(np.arange(len(self.heads)), self.counts)
        waits = np.cumsum(arrays["wait"], dtype=np.int64)
        firsts = self.note_ends - self.about[:, 8]
        before = np.append(0, waits)[firsts]
        self.starts: Ints = waits - np.repeat(before, self.about[:, 8])
        self._check_values()

    def _check_counts(self, notes: int) -> None:
        """Refuse arrays that are not as long as each other says."""
        if (self.counts < 0).any() or (self.about[:, 8:] < 0).any():
            raise ValueError("a count is below zero")
        for what, told, found in (
            ("tunes", len(self.heads), len(self.counts)),
            ("melodies", int(self.counts.sum()), len(self.about)),
            ("notes", int(self.about[:, 8].sum()), notes),
            ("lengths", notes, len(self.lengths)),
            ("pitches", notes, len(self.pitches)),
            ("chords", int(self.about[:, 9].sum()), len(self.chord_at)),
            ("symbols", len(self.chord_at), len(self.chord)),
        ):
            if told != found:
                raise ValueError(f"{told} {what}, not {found}")

    def _check_values(self) -> None:
        """Refuse what no melody can be made of, before one is asked for in a training."""
        grid, top, bottom, length, pickup, tempo, sharps, minor, notes, chords = self.about.T
        whole = (bottom > 0) & (4 * grid * top % np.maximum(bottom, 1) == 0)
        bar = 4 * grid * top // np.maximum(bottom, 1)
        low, high = TEMPOS_BPM
        ends = self.starts + self.lengths
        of = np.repeat(np.arange(len(self.about)), notes)
        # A note ends where the next one begins, the last one where its melody ends.
        limit = np.where(np.diff(of, append=-1) == 0, np.append(self.starts[1:], 0), length[of])
        for what, fine in (
            ("a part", np.isin([head.part for head in self.heads], PARTS)),
            ("a grid", np.isin(grid, GRIDS)),
            ("a metre", whole & np.isin(100 * top + bottom, [100 * a + b for a, b in METRES])),
            ("a pickup", (pickup >= 0) & (pickup < bar)),
            ("a tempo", (tempo >= 100 * low) & (tempo <= 100 * high)),
            ("a key", (sharps == NO_KEY) | (np.abs(sharps) <= 7) & np.isin(minor, (0, 1))),
            ("a pitch", (self.pitches >= 0) & (self.pitches <= 127)),
            ("the end of a note", (self.lengths > 0) & (ends <= limit)),
            ("the beginning of a chord", self.chord_at < np.repeat(length, chords)),
            ("a chord", self.chord < len(self.chords)),
        ):
            if not np.all(fine):
                raise ValueError(f"{what} is out of range")

    @classmethod
    def of(cls, tunes: Sequence[Tune], left_out: Mapping[str, int] | None = None) -> Self:
        """Pack tunes.

        Parameters
        ----------
        left_out : dict of str to int
            Notes and songs that could not be used, by reason.
        """
        melodies = [m for tune in tunes for m in tune.melodies]
        chords = [(at, str(chord)) for m in melodies for at, chord in m.chords]
        symbols = sorted({text for _, text in chords})
        number = {text: i for i, text in enumerate(symbols)}
        notes = [m.notes for m in melodies]
        about = [
            (m.steps_per_quarter, *m.metre, m.length, m.pickup, round(100 * m.tempo_bpm),
             *(key_sharps(m.key) if m.key else (NO_KEY, 0)), len(m.notes), len(m.chords))
            for m in melodies
        ]  # fmt: skip
        empty = np.zeros(0, np.int64)
        columns: dict[str, Any] = {
            "tunes": _packed(tunes),
            "melodies_of_tune": [len(t.melodies) for t in tunes],
            "about": np.array(about).reshape(-1, ABOUT),
            # Differences pack well.
            "wait": np.concatenate([np.diff(rows[:, 0], prepend=0) for rows in notes] or [empty]),
            "length": np.concatenate([rows[:, 1] for rows in notes] or [empty]),
            "pitch": np.concatenate([rows[:, 2] for rows in notes] or [empty]),
            "symbols": _text(symbols),
            "chord_at": [at for at, _ in chords],
            "chord": [number[text] for _, text in chords],
            "left_out": _text(f"{n}\t{why}" for why, n in (left_out or {}).items()),
        }
        return cls({name: np.asarray(columns[name]).astype(kind) for name, kind in KINDS.items()})

    @property
    def left_out(self) -> dict[str, int]:
        """Notes and songs that could not be used, by reason."""
        rows = [line.split("\t") for line in _lines(self.arrays["left_out"])]
        return {why: int(count) for count, why in rows}

    @property
    def corpora(self) -> list[str]:
        """Names of the corpora, in order."""
        return sorted({head.corpus for head in self.heads})

    def __len__(self) -> int:
        return len(self.heads)

    def tune(self, number: int) -> Tune:
        """Return a tune with its melodies."""
        melodies = (self.melody(int(i)) for i in np.flatnonzero(self.tune_of == number))
        return Tune(**vars(self.heads[number]), melodies=tuple(melodies))

    @property
    def groups(self) -> list[str]:
        """The group of each tune."""
        return [head.group for head in self.heads]

    @property
    def parts(self) -> dict[str, Ints]:
        """Numbers of the tunes of each part."""
        found = np.array([head.part for head in self.heads])
        return {part: np.flatnonzero(found == part) for part in PARTS}

    def as_learnt(self, cards: Iterable[Mapping[str, Any]]) -> Self:
        """Divide the tunes by what checkpoints learnt from: what none of them knows is a test.

        Tunes of which they learnt nothing keep their parts, see `groove_core.learning.as_learnt`.

        Raises
        ------
        InputError
            If one of them learnt from all of them.
        """
        names = [f"{head.corpus}/{head.name}" for head in self.heads]
        parts = as_learnt(cards, self.groups, names=names, own=self.parts)
        part = {number: name for name, some in parts.items() for number in some.tolist()}
        heads = [replace(head, part=part[number]) for number, head in enumerate(self.heads)]
        return type(self)({**self.arrays, "tunes": _packed(heads)})

    def of_part(self, *parts: str, corpus: str | None = None) -> Ints:
        """Return the numbers of the melodies of some parts, of one corpus or of all."""
        wanted = [h.part in parts and corpus in (None, h.corpus) for h in self.heads]
        return np.flatnonzero(np.array(wanted, bool)[self.tune_of])

    def stream(self, numbers: Sequence[int]) -> Stream:
        """Return the events of melodies of one grid, one behind the other."""
        chosen = np.asarray(numbers, np.int64)
        lengths, notes = self.about[chosen, 3], self.about[chosen, 8]
        starts = np.cumsum(np.append(0, lengths))
        of = _ranges(self.note_ends[chosen] - notes, notes)
        begins = self.starts[of] + np.repeat(starts[:-1], notes)
        ends = begins + self.lengths[of]
        events = np.full(int(starts[-1]), -2, np.int16)  # of millions of steps
        inside = ends < np.repeat(starts[1:], notes)
        events[ends[inside]] = -1
        events[begins] = self.pitches[of]
        return Stream(events, starts[:-1])

    def melody(self, number: int) -> LeadSheet:
        """Return a melody."""
        grid, top, bottom, length, pickup, tempo, sharps, minor, notes, chords = self.about[
            number
        ].tolist()
        of = slice(int(self.note_ends[number]) - notes, int(self.note_ends[number]))
        at = slice(int(self.chord_ends[number]) - chords, int(self.chord_ends[number]))
        columns = [self.starts[of], self.lengths[of], self.pitches[of], np.full(notes, VELOCITY)]
        cues = zip(self.chord_at[at].tolist(), self.chord[at].tolist(), strict=True)
        return LeadSheet(
            np.stack(columns, axis=1), grid, (top, bottom), length, pickup, tempo / 100,
            key_name(sharps, bool(minor)) if sharps != NO_KEY else "",
            self.heads[self.tune_of[number]].name,
            chords=tuple((step, self.chords[which]) for step, which in cues),
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        packed = {
            name: base64.b64encode(array.tobytes()).decode() for name, array in self.arrays.items()
        }
        return {"kind": self.kind, **packed}

    def to_document(self) -> dict[str, Any]:
        return {"kind": self.kind, "tunes": len(self), "left_out": self.left_out}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        return cls({
            name: np.frombuffer(base64.b64decode(document[name]), kind)
            for name, kind in KINDS.items()
        })  # fmt: skip

    def _save_npz(self, path: Path) -> None:
        write_arrays(path, self.arrays)

    @classmethod
    def _read_file(cls, path: Path) -> Self:
        arrays = read_arrays(path, what="a set of tunes (.npz)")
        try:
            return cls(arrays)
        except (InputError, ValueError, LookupError, TypeError) as error:
            raise InputError(
                f"{path} is not a set of tunes: {str(error).rstrip('.')}.",
                hint="Make one of a folder of songs, with the action dataset.",
            ) from error

    def to_text(self) -> str:
        lines = [f"{len(self):,} tunes, {len(self.about):,} melodies, {len(self.pitches):,} notes"]
        for corpus in self.corpora:
            counts = Counter(head.part for head in self.heads if head.corpus == corpus)
            lines.append(
                f"  {corpus:20} " + ", ".join(f"{counts[part]:,} {part}" for part in PARTS)
            )
        if self.left_out:
            lines.append("left out:")
            lines += [f"  {count:8,} {why}" for why, count in self.left_out.items()]
        return "\n".join(lines)


KINDS = {
    "tunes": "u1", "melodies_of_tune": "<i4", "about": "<i4", "wait": "<u2", "length": "<u2",
    "pitch": "u1", "symbols": "u1", "chord_at": "<u2", "chord": "<u2", "left_out": "u1",
}  # fmt: skip
"""Arrays of a set of tunes, as they are stored; texts are lines of UTF-8."""


def _ranges(firsts: Ints, counts: Ints) -> Ints:
    """Return the numbers from each first one on, so many each, one range behind the other."""
    before = np.cumsum(counts) - counts
    found: Ints = np.arange(int(counts.sum())) + np.repeat(firsts - before, counts)
    return found


def _packed(heads: Iterable[Head]) -> npt.NDArray[np.uint8]:
    return _text("\t".join([head.name, head.corpus, head.group, head.part]) for head in heads)


def _text(lines: Iterable[str]) -> npt.NDArray[np.uint8]:
    return np.frombuffer("\n".join(lines).encode(), np.uint8)


def _lines(text: npt.NDArray[np.uint8]) -> list[str]:
    return text.tobytes().decode().split("\n") if len(text) else []
