"""Music that has both: the drums of a piece on the grid, and the lines played over them.

A line is one track made monophonic: what starts on each sixteenth, by its highest note
(for a bass its lowest). Pieces are moved to a tonic of C, so that a network learns degrees
of the scale rather than keys, of which a small corpus has few examples each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from drum_space.data import reasons, sources
from groove_core.actions import given, leave_out
from groove_core.console import track
from groove_core.drums import (
    DRUMS,
    STEPS_PER_BAR,
    find_onsets,
    is_triplet,
    marked_span,
    meters,
    to_grid,
)
from groove_core.errors import InputError
from groove_core.learning import Split, content_name, divide, or_own, parts_for
from groove_core.storage import read_arrays, write_arrays
from groove_core.values import Score, Track, find_key

__all__ = [
    "FOLDS",
    "HOLD",
    "INSTRUMENTS",
    "LOWEST",
    "NO_BASS",
    "OCTAVES",
    "REST",
    "Instrument",
    "Piece",
    "Songbook",
    "build",
    "open_songbook",
    "pieces_of",
    "sounding",
]

Steps = npt.NDArray[np.int8]

REST, HOLD = -1, -2
"""What a step of a line is where no note starts: silence, or the note before goes on."""
LOWEST, OCTAVES = 24, 7
"""Pitches are MIDI 24 to 107; what lies beyond is moved by octaves."""
NO_BASS = 12
"""Pitch class of the bass where there is none."""
BY_HASH = Split("piece", shares=(0.8, 0.0, 0.2))
FOLDS = 5
"""The first is the test split, which is never learnt; the others serve cross-validation."""
MAX_MISFIT_STEPS = 0.15
"""Mean distance of onsets from the grid; a piece beyond was not written on it."""
MIN_ONSETS = 16
SHIPPED = Path(__file__).parents[1] / "patterns" / "lines.npz"


@dataclass(frozen=True, slots=True)
class Instrument:
    """A kind of voice: General MIDI programs that belong to it, and how it is played here."""

    name: str
    programs: tuple[int, ...]
    program: int
    """What its melodies are played with; zero-based, as in a MIDI file."""
    low: int
    high: int
    """MIDI pitches that it is given when nobody says otherwise."""


INSTRUMENTS = (
    Instrument("keys", (*range(8), *range(16, 24)), 4, 55, 84),
    Instrument("mallets", (*range(8, 16), 46, 47, *range(112, 118)), 11, 60, 89),
    Instrument("guitar", (*range(24, 32), *range(104, 112)), 27, 45, 79),
    Instrument("bass", tuple(range(32, 40)), 33, 28, 55),
    Instrument("strings", tuple(i for i in range(40, 56) if i not in (46, 47)), 48, 48, 84),
    Instrument("winds", tuple(range(56, 80)), 65, 52, 81),
    Instrument("lead", tuple(range(80, 88)), 80, 55, 84),
    Instrument("pad", tuple(range(88, 104)), 89, 48, 79),
)
BASS = next(i for i, one in enumerate(INSTRUMENTS) if one.name == "bass")
_OF_PROGRAM = {program: i for i, one in enumerate(INSTRUMENTS) for program in one.programs}


@dataclass(frozen=True)
class Piece:
    """A stretch of 4/4 with drums and what is played over them; the tonic is moved to C.

    Parameters
    ----------
    name : str
    fold : int
        0 is for tests.
    tonic, mode : int
        As `find_key` found them, before the piece was moved.
    drums : bool array [shape=(steps, 14)]
    bass : int8 array [shape=(steps,)]
        Pitch class that the bass sounds on each step, or `NO_BASS`.
    instruments : int array [shape=(lines,)]
        Index into `INSTRUMENTS`.
    lines : int8 array [shape=(lines, steps)]
        A MIDI pitch where a note starts, else `REST` or `HOLD`.
    group : str
        What a split knows it by: the content of its file, wherever that is. Default: `name`.
    """

    name: str
    fold: int
    tonic: int
    mode: int
    drums: npt.NDArray[np.bool_]
    bass: Steps
    instruments: npt.NDArray[np.int64]
    lines: Steps
    group: str = ""

    def __post_init__(self) -> None:
        if not self.group:
            object.__setattr__(self, "group", self.name)


def _line(track: Track, start: int, quarter: int, steps: int, *, lowest: bool) -> Steps:
    """Make the part of a track that begins at a tick monophonic, on the grid."""
    line = np.full(steps, REST, dtype=np.int8)
    begin = np.floor((track.notes[:, 0] - start) * 4 / quarter + 0.5).astype(np.int64)
    end = np.floor((track.notes[:, :2].sum(axis=1) - start) * 4 / quarter + 0.5).astype(np.int64)
    pitch = track.notes[:, 2]
    inside = (begin >= 0) & (begin < steps) & (track.notes[:, 3] > 0)
    # Of notes that start together the outer one is written last, and stays.
    order = np.lexsort((-pitch if lowest else pitch, begin))
    for at in order[inside[order]]:
        until = min(max(int(end[at]), int(begin[at]) + 1), steps)
        line[begin[at]] = pitch[at]
        line[begin[at] + 1 : until] = HOLD
        # A longer note before it ends here, and does not come back.
        rest = line[until:]
        over = len(rest) if (rest == HOLD).all() else int(np.argmax(rest != HOLD))
        rest[:over] = REST
    return line


def _within(line: Steps) -> Steps:
    """Move pitches beyond the range by octaves."""
    pitch = line.astype(np.int64)
    high = LOWEST + 12 * OCTAVES - 1
    pitch = np.where(pitch > high, high - (high - pitch) % 12, pitch)
    low = (line >= 0) & (pitch < LOWEST)
    return np.where(low, LOWEST + (pitch - LOWEST) % 12, pitch).astype(np.int8)


def sounding(line: npt.NDArray[Any]) -> Steps:
    """Give the pitch that sounds on each step of a line, or `REST`."""
    at = np.where(line == HOLD, -1, np.arange(len(line)))
    at = np.maximum.accumulate(at)
    held: Steps = np.where(at >= 0, line[np.maximum(at, 0)], REST).astype(np.int8)
    return held


def pieces_of(score: Score, *, name: str, group: str, dropped: Counter[str]) -> list[Piece]:
    """Cut the stretches of a score that are in 4/4, have drums, and were written on a grid."""
    onsets = find_onsets(score)
    quarter = score.ticks_per_quarter
    pitched = [t for t in score.tracks if not t.is_drum and t.program in _OF_PROGRAM]
    notes = [t.notes for t in pitched if len(t.notes)]
    if not len(onsets.tick) or not notes:
        dropped["files without drums" if notes else "files of nothing but drums"] += 1
        return []
    every = np.concatenate([onsets.tick, *(n[:, 0] for n in notes)]) / quarter * 4
    if np.abs(every - np.round(every)).mean() > MAX_MISFIT_STEPS or is_triplet(every / 4):
        dropped["files that are not on a grid of sixteenths"] += 1
        return []
    heard = np.concatenate([np.stack([n[:, 2] % 12, n[:, 1]]) for n in notes], axis=1)
    tonic, mode = find_key(np.bincount(heard[0], heard[1], minlength=12))
    shift = -tonic if tonic <= 6 else 12 - tonic
    marked, _ = marked_span(score)
    last = score.last_note_tick
    found = []
    for start, end, top, bottom in meters(score):
        start = max(start, marked)
        # The last bar of a piece may be left before its end; that of a metre may not.
        whole = np.floor if end < last else np.ceil
        steps = STEPS_PER_BAR * int(whole((min(end, last) - start) / quarter / 4))
        if top != bottom:
            dropped[f"stretches in {top}/{bottom}"] += 1
            continue
        if steps < 2 * STEPS_PER_BAR:
            continue
        grid = to_grid(onsets.tick - start, onsets.drum, onsets.velocity, quarter, steps)
        lines: list[Steps] = []
        instruments: list[int] = []
        bass = np.full(steps, NO_BASS, dtype=np.int8)
        for one in pitched:
            instrument = _OF_PROGRAM[one.program]
            line = _line(one, start, quarter, steps, lowest=instrument == BASS)
            if (line >= 0).sum() < MIN_ONSETS:
                continue
            line = _within(np.where(line >= 0, line + shift, line).astype(np.int8))
            if any((line == other).all() for other in lines):
                dropped["lines that double another"] += 1
                continue
            lines.append(line)
            instruments.append(instrument)
            if instrument == BASS:
                sounds = sounding(line)
                bass = np.where(sounds >= 0, sounds % 12, bass).astype(np.int8)
        if not lines or not grid.velocity.any():
            continue
        found.append(
            Piece(
                name, 0, tonic, mode, grid.velocity > 0, bass,
                np.array(instruments), np.stack(lines), group,
            )
        )  # fmt: skip
    return found


@dataclass(frozen=True)
class Songbook:
    """Pieces to learn from, and what was left out of the files they come from."""

    pieces: tuple[Piece, ...]
    dropped: dict[str, int] = field(default_factory=dict)

    def part(self, folds: Iterable[int]) -> list[Piece]:
        """Give the pieces of some folds."""
        wanted = set(folds)
        return [piece for piece in self.pieces if piece.fold in wanted]

    def split_card(self, held_out: int = 0) -> dict[str, Any]:
        """Return what the card of a network says of the pieces, of which one fold is a test."""
        folds = {piece.group: piece.fold for piece in self.pieces}
        parts = _parts(list(folds.values()), held_out)
        return BY_HASH.or_published([*folds], parts).card([*folds], parts)

    def as_learnt(self, card: Mapping[str, Any]) -> Songbook:
        """Put what a network has not learnt from into the first fold, the rest into the second.

        If it learnt from none, the first fold stays as it is, see `groove_core.learning.or_own`.

        Raises
        ------
        InputError
            If it learnt from all of them.
        """
        own = _parts([piece.fold for piece in self.pieces], 0)
        parts = parts_for(
            card,
            [piece.group for piece in self.pieces],
            names=[piece.name for piece in self.pieces],
            otherwise=own,
        )
        new = set(or_own(parts, own, name=card["name"])["test"].tolist())
        return replace(
            self,
            pieces=tuple(replace(p, fold=int(i not in new)) for i, p in enumerate(self.pieces)),
        )

    def to_text(self) -> str:
        """Count pieces, lines and bars."""
        bars = sum(len(p.drums) for p in self.pieces) // STEPS_PER_BAR
        played = Counter(
            INSTRUMENTS[i].name for p in self.pieces for i in p.instruments.tolist()
        ).most_common()
        lines = [
            f"{len({p.name for p in self.pieces})} pieces, {bars} bars, "
            f"{sum(len(p.lines) for p in self.pieces)} lines",
            "  " + ", ".join(f"{name} {count}" for name, count in played),
        ]
        lines += [f"  left out: {count} {reason}" for reason, count in self.dropped.items()]
        return "\n".join(lines)

    def save(self, path: Path) -> Path:
        """Write everything to a ``.npz`` file."""
        steps = np.array([len(p.drums) for p in self.pieces])
        return write_arrays(
            path,
            {
                "names": np.array([p.name for p in self.pieces], dtype=np.str_),
                "about": np.array([(p.fold, p.tonic, p.mode) for p in self.pieces], dtype=np.uint8),
                "steps": steps,
                "drums": np.packbits(np.concatenate([p.drums for p in self.pieces]), axis=1),
                "bass": np.concatenate([p.bass for p in self.pieces]),
                "counts": np.array([len(p.lines) for p in self.pieces]),
                "instruments": np.concatenate([p.instruments for p in self.pieces]).astype(
                    np.uint8
                ),
                "lines": np.concatenate([p.lines.ravel() for p in self.pieces]),
                "groups": np.array([p.group for p in self.pieces], dtype=np.str_),
                "dropped": np.array([f"{k}={v}" for k, v in self.dropped.items()], dtype=np.str_),
            },
        )

    @classmethod
    def read(cls, path: Path) -> Songbook:
        """Read what `save` wrote.

        Raises
        ------
        InputError
            If the file is something else.
        """
        arrays = read_arrays(path, what="prepared lines (.npz)")
        try:
            return cls._from_arrays(arrays)
        except (ValueError, LookupError, TypeError) as error:
            raise InputError(
                f"{path} holds no prepared lines: {error}.", hint="Give a folder of MIDI files."
            ) from error

    @classmethod
    def _from_arrays(cls, arrays: Any) -> Songbook:
        ends = np.cumsum(arrays["steps"])[:-1]
        hits = np.unpackbits(arrays["drums"], axis=1)[:, : len(DRUMS)].astype(bool)
        drums, bass = np.split(hits, ends), np.split(arrays["bass"], ends)
        sizes = arrays["steps"] * arrays["counts"]
        lines = np.split(arrays["lines"], np.cumsum(sizes)[:-1])
        instruments = np.split(arrays["instruments"], np.cumsum(arrays["counts"])[:-1])
        groups = arrays["groups"] if "groups" in arrays else arrays["names"]
        pieces = []
        for number, (fold, tonic, mode) in enumerate(arrays["about"].tolist()):
            beat = drums[number]
            pieces.append(
                Piece(
                    str(arrays["names"][number]), fold, tonic, mode, beat,
                    bass[number],
                    instruments[number].astype(np.int64),
                    lines[number].reshape(-1, len(beat)),
                    str(groups[number]),
                )
            )  # fmt: skip
        dropped = (str(entry).rpartition("=") for entry in arrays["dropped"])
        return cls(tuple(pieces), {name: int(count) for name, _, count in dropped})


def _parts(folds: Sequence[int], held_out: int) -> dict[str, npt.NDArray[np.int64]]:
    test = np.array(folds) == held_out
    return {
        "train": np.flatnonzero(~test),
        "validation": np.flatnonzero(test[:0]),
        "test": np.flatnonzero(test),
    }


def build(folders: Sequence[Path]) -> Songbook:
    """Read music with drums and lines from folders, zip files or files of MIDI.

    Raises
    ------
    InputError
        If nothing in them has both.
    """
    dropped: Counter[str] = Counter()
    pieces: list[Piece] = []
    files = list(sources(folders))
    given(source.name for source in files)
    for source in track(files, "reading MIDI files"):
        try:
            content = source.content()
            score = Score.from_midi(content, name=source.name)
        except InputError as error:
            dropped["files that cannot be read"] += 1
            leave_out(source.name, error)
            continue
        group = content_name(content)
        pieces += pieces_of(score, name=source.name, group=group, dropped=dropped)
    if not pieces:
        where = ", ".join(str(folder) for folder in folders)
        raise InputError(
            f"No file in {where} has drums and a line over them in 4/4"
            + (f" ({reasons(dropped)})." if dropped else "."),
            hint="Give MIDI files with drums on channel 10 and other instruments.",
        )
    groups = [piece.group for piece in pieces]
    folds = 1 + divide(groups, [1] * (FOLDS - 1), salt="folds")
    folds[BY_HASH.parts(groups)["test"]] = 0
    divided = tuple(
        replace(piece, fold=fold) for piece, fold in zip(pieces, folds.tolist(), strict=True)
    )
    return Songbook(divided, dict(sorted(dropped.items())))


def open_songbook(root: str | Path | None = None) -> Songbook:
    """Open prepared lines (``.npz``), a folder of MIDI files, or the shipped lines.

    Raises
    ------
    InputError
        If there is nothing usable in it.
    """
    if root is None:
        return Songbook.read(SHIPPED)
    path = Path(root)
    return Songbook.read(path) if path.suffix == ".npz" else build([path])
