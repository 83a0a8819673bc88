"""The performances of the Groove MIDI Dataset: who played what, when and how hard.

Nine drums are told apart, as in J. Gillick, A. Roberts, J. Engel, D. Eck and D. Bamman,
"Learning to Groove with Inverse Sequence Transformations", ICML 2019 (arXiv:1905.06118):
the first nine of `groove_core.drums.grid.DRUMS`, in that order.

>>> performance = load("test")[0]
>>> performance.id, performance.drummer, performance.style, performance.bpm
('drummer1/eval_session/1', 'drummer1', 'funk', 138.0)
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from groove_core.actions import each
from groove_core.drums import FOLD, KIT_DRUMS, drum_tracks, meters
from groove_core.errors import InputError
from groove_core.learning import splits
from groove_core.storage import list_files, member, read_arrays, read_table, write_arrays
from groove_core.values import Score, Track

__all__ = [
    "CORPUS",
    "SPLITS",
    "Performance",
    "Split",
    "as_learnt",
    "build",
    "drum_of_pitch",
    "held_out",
    "load",
    "long_enough",
    "open_performances",
    "save",
    "split_of",
]

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
BY_HASH = splits.Split("performance")
"""How performances are divided where no table says it."""
TICKS_PER_QUARTER = 480
LENGTH_TICKS = 60
"""Drum hits have no length; written to MIDI, they last a thirty-second."""
CORPUS = "groove-midi", "CC-BY-4.0"
"""Name and licence of the shipped performances."""
SHIPPED = Path(__file__).with_name("data") / "performances.npz"

Ints = npt.NDArray[np.int64]

_CLASS_OF_PITCH = np.full(128, -1, dtype=np.int64)
for _pitch, _drum in FOLD.items():
    if _drum < len(KIT_DRUMS):
        _CLASS_OF_PITCH[_pitch] = _drum


def drum_of_pitch(pitch: npt.ArrayLike) -> Ints:
    """Give the index into `KIT_DRUMS` of MIDI pitches; -1 for those of no class."""
    found: Ints = _CLASS_OF_PITCH[np.asarray(pitch, dtype=np.int64)]
    return found


@dataclass(frozen=True, eq=False)
class Performance:
    """What one drummer played to a metronome, with a tempo that does not change.

    Parameters
    ----------
    id : str
        For example ``drummer1/eval_session/1``; in a folder of yours, the path of the file.
    drummer, session : str
    styles : str
        As the data set has it, for example ``funk/groove1``; `style` is its first word.
    bpm : float [quarter notes per minute]
    beat_type : ``beat`` or ``fill``
    time_signature : str
        For example ``4-4``.
    split : ``train``, ``validation`` or ``test``
    tick : int array [shape=(n,), 480 per quarter note, ascending]
        Onsets; tick 0 is on the metronome's grid.
    pitch, velocity : int arrays [shape=(n,), 0 to 127]
        Only of notes that are one of the nine drums.
    dropped : int
        Notes that are not of the nine drums and were left out.
    """

    id: str
    drummer: str
    session: str
    styles: str
    bpm: float
    beat_type: str
    time_signature: str
    split: str
    tick: Ints
    pitch: Ints
    velocity: Ints
    dropped: int = 0

    @property
    def group(self) -> str:
        """What is the same wherever the performance is read from: its notes."""
        columns = (self.tick.astype("<i8"), self.pitch.astype("u1"), self.velocity.astype("u1"))
        return splits.content_name(b"".join(column.tobytes() for column in columns))

    @property
    def style(self) -> str:
        """The first word of the style."""
        return self.styles.partition("/")[0]

    @property
    def beats(self) -> npt.NDArray[np.float64]:
        """Onsets in quarter notes [shape=(n,)]."""
        return self.tick / TICKS_PER_QUARTER

    @property
    def onset_s(self) -> npt.NDArray[np.float64]:
        """Onsets in seconds from tick 0 [shape=(n,)]."""
        return self.beats * (60 / self.bpm)

    @property
    def drum(self) -> Ints:
        """Index into `KIT_DRUMS` of each note [shape=(n,)]."""
        return drum_of_pitch(self.pitch)

    def to_score(self) -> Score:
        """Give the performance as a score."""
        length = np.full(len(self.tick), LENGTH_TICKS)
        for pitch in np.unique(self.pitch):
            # MIDI cannot tell overlapping notes of one pitch apart.
            same = np.nonzero(self.pitch == pitch)[0]
            length[same[:-1]] = np.clip(np.diff(self.tick[same]), 1, LENGTH_TICKS)
        notes = np.stack([self.tick, length, self.pitch, self.velocity], axis=1)
        top, bottom = map(int, self.time_signature.split("-"))
        return Score(
            (Track(notes, name=self.drummer, is_drum=True),),
            ticks_per_quarter=TICKS_PER_QUARTER,
            tempos=np.array([[0, round(6e7 / self.bpm)]]),
            time_signatures=np.array([[0, top, bottom]]),
            name=self.id,
        )


def load(
    split: Split | None = None, time_signature: str | None = "4-4", *, data: Path | None = None
) -> list[Performance]:
    """Give the performances of a split and a metre; None stands for all of them.

    Parameters
    ----------
    data : path, optional
        A folder of MIDI files (see `build`) or a file that `save` wrote; the shipped
        performances when left out.
    """
    path = data or SHIPPED
    performances = _read(path) if path.suffix == ".npz" else build(path)
    return [
        one
        for one in performances
        if split in (None, one.split) and time_signature in (None, one.time_signature)
    ]


def long_enough(performances: Iterable[Performance]) -> list[Performance]:
    """Leave out what is shorter than 3 s or has fewer than nine hits, such as most fills."""
    return [one for one in performances if len(one.tick) > 8 and one.onset_s[-1] > 3]


def held_out(performances: Iterable[Performance], count: int | None) -> list[Performance]:
    """Return the test split, or so many of it, spread evenly.

    Raises
    ------
    InputError
        If it does not hold two performances.
    """
    test = [one for one in performances if one.split == "test"]
    if len(test) < 2:
        raise InputError(
            "The data has no test split to measure on.", hint="Give more files: one in ten is kept."
        )
    if count is None or count >= len(test):
        return test
    return [test[i] for i in np.linspace(0, len(test) - 1, count).astype(int)]


def open_performances(root: str | Path | None = None) -> list[Performance]:
    """Give all performances: of a folder of MIDI files, or the shipped ones."""
    return load(None, None, data=None if root is None else Path(root))


_TEXTS = (
    "id", "drummer", "session", "styles", "beat_type", "time_signature", "split",
)  # fmt: skip
_COLUMNS = (
    "id", "drummer", "session", "style", "bpm", "beat_type", "time_signature", "midi_filename",
    "split",
)  # fmt: skip


def save(performances: Iterable[Performance], path: Path) -> Path:
    """Write performances to one compressed ``.npz`` file without pickles."""
    every = list(performances)
    arrays: dict[str, Any] = {
        name: np.array([getattr(one, name) for one in every], dtype=np.str_) for name in _TEXTS
    }
    arrays["bpm"] = np.array([one.bpm for one in every])
    arrays["dropped"] = np.array([one.dropped for one in every], dtype=np.uint32)
    arrays["notes"] = np.array([len(one.tick) for one in every], dtype=np.uint32)
    # Distances rather than onsets: small numbers compress well.
    steps = [np.diff(one.tick, prepend=0) for one in every]
    arrays["tick_step"] = np.concatenate(steps).astype(np.uint32)
    for name in ("pitch", "velocity"):
        arrays[name] = np.concatenate([getattr(one, name) for one in every]).astype(np.uint8)
    return write_arrays(path, arrays)


@functools.lru_cache(maxsize=2)
def _read(path: Path) -> tuple[Performance, ...]:
    arrays = read_arrays(path, what="a file of performances (.npz)")
    try:
        return tuple(_unpacked(arrays))
    except (ValueError, LookupError, TypeError) as error:
        raise InputError(
            f"{path} is not a file of performances: {error}.",
            hint="groove_vae.performances.save makes one; or give a folder of MIDI files.",
        ) from error


def _unpacked(arrays: dict[str, npt.NDArray[Any]]) -> Iterator[Performance]:
    ends = np.cumsum(arrays["notes"].astype(np.int64))
    parts = {
        name: np.split(arrays[name].astype(np.int64), ends[:-1])
        for name in ("tick_step", "pitch", "velocity")
    }
    for i in range(len(ends)):
        yield Performance(
            **{name: str(arrays[name][i]) for name in _TEXTS},
            bpm=float(arrays["bpm"][i]),
            dropped=int(arrays["dropped"][i]),
            tick=np.cumsum(parts["tick_step"][i]),
            pitch=parts["pitch"][i],
            velocity=parts["velocity"][i],
        )


def build(folder: Path) -> list[Performance]:
    """Read the performances of a folder of MIDI files.

    A folder with the ``info.csv`` of the Groove MIDI Dataset has its drummers, styles
    and splits. Elsewhere the first folder is the style, the drummer is unknown, and
    10 % of the performances each are kept for validation and test, by a hash of their notes.

    Raises
    ------
    InputError
        If there is no readable MIDI file with drums.
    """
    table = folder / "info.csv"
    if table.is_file():
        rows = list(read_table(table, _COLUMNS))
    else:
        rows = [_row(folder, path) for path in list_files(folder, ("mid", "midi"))]
    files = [os.path.join(folder, row["midi_filename"]) for row in rows]  # noqa: PTH118
    read = each(
        rows,
        lambda row, _: _performance(row, Score.read(member(folder, row["midi_filename"]))),
        "reading performances",
        files=files,
    )
    found = [one for one in read if len(one.tick)]
    if not found:
        raise InputError(
            f"{folder} holds no drum performance.",
            hint="Give a folder of MIDI files with notes on channel 10.",
        )
    parts = BY_HASH.parts([one.group for one in found])
    part = {i: name for name in SPLITS for i in parts[name].tolist()}
    return [
        one if one.split in SPLITS else replace(one, split=part[i]) for i, one in enumerate(found)
    ]


def _divided(performances: Sequence[Performance]) -> dict[str, list[int]]:
    return {part: [i for i, p in enumerate(performances) if p.split == part] for part in SPLITS}


def as_learnt(card: dict[str, Any], performances: Sequence[Performance]) -> list[Performance]:
    """Give performances the split that a checkpoint remembers: what it does not know is a test.

    Raises
    ------
    InputError
        If it has learnt from all of them.
    """
    parts = splits.parts_for(
        card,
        [one.group for one in performances],
        names=[one.id for one in performances],
        otherwise=_divided(performances),
    )
    part = {i: name for name in SPLITS for i in parts[name].tolist()}
    return [replace(one, split=part[i]) for i, one in enumerate(performances)]


def split_of(performances: Sequence[Performance]) -> dict[str, Any]:
    """Return what the card of a model remembers of the performances that it learnt from."""
    groups, parts = [one.group for one in performances], _divided(performances)
    return BY_HASH.or_published(groups, parts).card(groups, parts)


def _row(folder: Path, path: Path) -> dict[str, str]:
    """Make up what the table of the data set would say of a file."""
    inside = path.relative_to(folder)
    return {
        "id": inside.as_posix(),
        "drummer": "",
        "session": "",
        "style": inside.parts[0] if len(inside.parts) > 1 else "",
        "bpm": "",
        "beat_type": "beat",
        "time_signature": "",
        "midi_filename": str(inside),
        "split": "",
    }


def _number(text: str, otherwise: float) -> float:
    """Return the number in a cell, or another where there is none."""
    try:
        number = float(text)
    except ValueError:
        return otherwise
    return number if math.isfinite(number) else otherwise


def _performance(row: dict[str, str], score: Score) -> Performance:
    tracks = drum_tracks(score)
    notes = np.concatenate([t.notes for t in tracks]) if tracks else np.zeros((0, 4), np.int64)
    known = (drum_of_pitch(notes[:, 2]) >= 0) & (notes[:, 3] > 0)
    tick = np.round(notes[:, 0] * (TICKS_PER_QUARTER / score.ticks_per_quarter)).astype(np.int64)
    order = np.lexsort((notes[:, 2], tick))
    order = order[known[order]]
    metres = dict.fromkeys(f"{top}-{bottom}" for _, _, top, bottom in meters(score))
    return Performance(
        id=row["id"],
        drummer=row["drummer"],
        session=row["session"].rpartition("/")[2],
        styles=row["style"],
        bpm=_number(row["bpm"], float(score.tempo_at(0))),
        beat_type=row["beat_type"],
        time_signature=row["time_signature"] or ", ".join(metres),
        split=row["split"],
        tick=tick[order],
        pitch=notes[order, 2],
        velocity=notes[order, 3],
        dropped=int((~known).sum()),
    )
