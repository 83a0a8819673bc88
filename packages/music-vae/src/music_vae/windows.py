"""What networks learn from: windows of 2 or 16 bars, cut out of songs bar by bar.

A song is one or more stretches of 4/4 in sixteenths, each beginning with a bar, as the classes of
`music_vae.alphabets`; 2/2, whose bars are as long, is read as 4/4. A window is kept if enough
happens in each of its voices:

| voice | 2 bars | 16 bars |
| --- | --- | --- |
| melody | 5 onsets, 3 pitches | 24 onsets, 5 pitch classes |
| bass | 2 onsets | 16 onsets, in at least 14 bars |
| drums | 4 onsets | 32 onsets, in at least 14 bars |

A melody has no silence of a bar, and a range of at most 35 semitones; in a trio it may pause, but
has onsets in at least 14 of 16 bars. Windows of a song that are equal are one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from groove_core.drums import KIT_DRUMS, STEPS_PER_BAR, DrumPattern
from groove_core.errors import InputError, UsageError
from groove_core.learning import PARTS, Split, as_learnt
from groove_core.values import Melody
from music_vae.alphabets import (
    HIGHEST,
    LOWEST,
    NOTE,
    OFF_CLASS,
    drum_classes,
    drum_hits,
    melody_classes,
    outside,
    without_lone_offs,
)

__all__ = [
    "BY_SONG", "Song", "WindowSet", "cut", "moves", "of_drums", "of_melodies", "transposed",
]  # fmt: skip

BY_SONG = Split("song")
METRES = ((4, 4), (2, 2))
"""Metres of melodies: their bars have 16 sixteenths, and none is stressed otherwise by a grid."""
RANGE = 35
"""Semitones between the lowest and the highest note of a melody."""
BUSY_BARS = 14
"""Bars of 16 in which each voice of a trio, bass and drums begin a note."""
ONSETS = {2: {"melody": 5, "bass": 2, "drums": 4}, 16: {"melody": 24, "bass": 16, "drums": 32}}
PITCHES, PITCH_CLASSES = 3, 5
"""Of melodies of two bars, and of sixteen."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Song:
    """Stretches of one song.

    Parameters
    ----------
    group : str
        What must not stand in two parts: the name of the song, the same for its copies.
    stretches : sequence of int arrays [each shape=(voices, steps)]
    part : ``train``, ``validation`` or ``test``, optional
        Where the data itself says so.
    left_out : mapping of str to int
        What could not be read, by reason.
    """

    group: str
    stretches: Sequence[Ints]
    part: str | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)


def of_melodies(group: str, melodies: Iterable[Melody], part: str | None = None) -> Song:
    """Return the song of some melodies; what is not in 4/4 and sixteenths is left out.

    A pickup and a last bar that is cut short are filled up to whole bars with silence.
    """
    stretches, left_out = [], Counter[str]()
    for melody in melodies:
        if melody.metre not in METRES or melody.steps_per_quarter != 4:
            left_out["melodies not in 4/4 and sixteenths"] += 1
        elif outside(melody.events):
            left_out["melodies that leave the piano"] += 1
        else:
            lead = -melody.pickup % STEPS_PER_BAR
            rest = -(lead + melody.length) % STEPS_PER_BAR
            # A longer melody has a note off where the last note would else sound into the rest.
            whole = replace(melody, length=melody.length + rest)
            stretches.append(np.pad(melody_classes(whole.events), (lead, 0))[None])
    return Song(group, stretches, part, left_out)


def of_drums(group: str, patterns: Iterable[DrumPattern], part: str | None = None) -> Song:
    """Return the song of some beats; hits of other than the nine drums of a kit are left out."""
    patterns = list(patterns)
    percussion = sum(int(pattern.hits[:, len(KIT_DRUMS) :].sum()) for pattern in patterns)
    left_out = {"hits of percussion": percussion} if percussion else {}
    return Song(group, [drum_classes(p.hits)[None] for p in patterns], part, left_out)


def cut(stretch: Ints, voices: Sequence[str], bars: int) -> tuple[list[Ints], Counter[str]]:
    """Cut the windows out of a stretch, one beginning with each bar.

    Parameters
    ----------
    stretch : int array [shape=(voices, steps)]
    voices : sequence of str
        Names of its rows.
    bars : 2 or 16

    Returns
    -------
    list of int arrays [each shape=(voices, 16 * bars)]
        A note that begins before its window is left out.
    Counter
        How many windows were left out, by reason.
    """
    size = bars * STEPS_PER_BAR
    kept, left_out = [], Counter[str]()
    for first in range(0, stretch.shape[1] - size + 1, STEPS_PER_BAR):
        rows = [
            row if voice == "drums" else without_lone_offs(row)
            for voice, row in zip(voices, stretch[:, first : first + size], strict=True)
        ]
        reason = next(
            (why for voice, row in zip(voices, rows, strict=True)
             if (why := _refused(row, voice, bars, alone=len(voices) == 1))),
            "",
        )  # fmt: skip
        if reason:
            left_out[reason] += 1
        else:
            kept.append(np.stack(rows))
    return kept, left_out


def _refused(row: Ints, voice: str, bars: int, *, alone: bool) -> str:
    """Return why a window is not kept; empty if it is."""
    begins = row > 0 if voice == "drums" else row >= NOTE
    hits = drum_hits(row).sum() if voice == "drums" else begins.sum()
    if hits < ONSETS[bars][voice]:
        return f"too few onsets of {voice}"
    busy = begins.reshape(bars, STEPS_PER_BAR).any(axis=1).sum()
    if bars == 16 and busy < BUSY_BARS and not (alone and voice == "melody"):
        return f"too many empty bars of {voice}"
    if voice != "melody":
        return ""
    pitches = row[begins]
    if bars == 2 and len(set(pitches)) < PITCHES:
        return "too few pitches"
    if bars == 16 and len(set((pitches % 12).tolist())) < PITCH_CLASSES:
        return "too few pitch classes"
    if np.ptp(pitches) > RANGE:
        return "too wide a range"
    return "a bar of silence" if alone and longest_silence(row) >= STEPS_PER_BAR else ""


def longest_silence(row: Ints) -> int:
    """Return the steps of the longest silence in a melody.

    >>> longest_silence(np.array([0, 0, 41, 0, 1, 0, 0, 42]))
    3
    """
    changes = np.flatnonzero(row)
    ends = np.append(changes[1:], len(row))
    silent = (ends - changes)[row[changes] == OFF_CLASS]
    before = changes[0] if len(changes) else len(row)
    return max(int(silent.max(initial=0)), int(before))


@dataclass(frozen=True)
class WindowSet:
    """Windows of songs, divided by song.

    Parameters
    ----------
    events : int16 array [shape=(n, voices, steps)]
    song : int array [shape=(n,)]
        Number of the song of each window.
    groups : sequence of str
        Group of each song.
    voices : sequence of str
    parts : dict of str to int array
        Windows of ``train``, ``validation`` and ``test``.
    left_out : mapping of str to int
        What was not kept, by reason.
    """

    events: npt.NDArray[np.int16]
    song: Ints
    groups: tuple[str, ...]
    voices: tuple[str, ...]
    parts: Mapping[str, Ints]
    left_out: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, songs: Iterable[Song], voices: Sequence[str], bars: int) -> WindowSet:
        """Cut songs into windows.

        Songs go where they say; if none does, they are divided by a hash of their group.

        Raises
        ------
        UsageError
            If some songs say where they go and others do not, or one is in two parts.
        InputError
            If no window is kept; the message counts what was left out.
        """
        if bars not in ONSETS:
            raise UsageError(f"There are no windows of {bars} bars.", hint="Use 2 or 16 bars.")
        events, owner, left_out, longest = list[Ints](), list[int](), Counter[str](), 0
        groups: dict[str, int] = {}
        told: dict[str, str | None] = {}
        seen: dict[int, set[bytes]] = {}
        for song in songs:
            number = groups.setdefault(song.group, len(groups))
            if told.setdefault(song.group, song.part) != song.part:
                raise UsageError(
                    f"The song {song.group} stands in two parts.", hint="Put it into one."
                )
            left_out.update(song.left_out)
            known = seen.setdefault(number, set())
            for stretch in song.stretches:
                longest = max(longest, stretch.shape[1] // STEPS_PER_BAR)
                kept, reasons = cut(stretch, voices, bars)
                left_out.update(reasons)
                for window in kept:
                    mark = window.astype(np.int16).tobytes()
                    if mark in known:
                        left_out["repetitions in one song"] += 1
                        continue
                    known.add(mark)
                    events.append(window)
                    owner.append(number)
        if not events:
            why = ", ".join(f"{count:,} {reason}" for reason, count in left_out.most_common(4))
            short = f"no song has so many bars of 4/4 at a stretch (the longest has {longest})"
            raise InputError(
                f"No window of {bars} bars is left: "
                + (short + (f"; {why}" if why else "") if longest < bars else why)
                + ".",
                hint=f"Give songs in 4/4 with {bars} bars of {' and '.join(voices)}.",
            )
        names, song_of = tuple(groups), np.array(owner)
        return cls(
            np.stack(events).astype(np.int16), song_of, names, tuple(voices),
            _parts([names[i] for i in owner], told), left_out,
        )  # fmt: skip

    @property
    def bars(self) -> int:
        """Length of a window."""
        return int(self.events.shape[2]) // STEPS_PER_BAR

    def __len__(self) -> int:
        return len(self.events)

    def part(self, name: str) -> tuple[npt.NDArray[np.int16], Ints]:
        """Return the windows of a part, and the number of the song of each."""
        which = self.parts[name]
        return self.events[which], self.song[which]

    def as_learnt(self, card: Mapping[str, Any]) -> WindowSet:
        """Divide the windows by what a checkpoint has learnt: what it does not know is a test.

        Windows of which it learnt nothing keep their parts, see `groove_core.learning.as_learnt`.

        Raises
        ------
        InputError
            If it knows all of them.
        """
        groups = [self.groups[number] for number in self.song.tolist()]
        return replace(self, parts=as_learnt([card], groups, own=self.parts))

    def check_size(self, batch_size: int) -> None:
        """Check that a training has a batch of windows.

        Raises
        ------
        InputError
            If it has fewer.
        """
        count = len(self.parts["train"])
        if count < batch_size:
            songs = len(set(self.song[self.parts["train"]].tolist()))
            raise InputError(
                f"The training split has {count} windows of {self.bars} bars, of {songs} songs; "
                f"a batch takes {batch_size}.",
                hint=f"Give more songs, or --batch-size {count}."
                if count > 1
                else "Give more songs.",
            )

    def card(self) -> dict[str, Any]:
        """Return what the card of a checkpoint remembers of the split."""
        groups = [self.groups[number] for number in self.song.tolist()]
        return BY_SONG.or_published(groups, self.parts).card(groups, self.parts)


def _parts(groups: Sequence[str], told: Mapping[str, str | None]) -> dict[str, Ints]:
    """Divide windows by where their songs say, or by a hash of the songs."""
    if all(part is None for part in told.values()):
        return BY_SONG.parts(groups)
    if wrong := sorted({str(part) for part in told.values()} - set(PARTS)):
        raise UsageError(
            f"Some songs are in the part {wrong[0]}, others in train, validation or test.",
            hint="State the part of all songs, or of none.",
        )
    each = np.array([told[group] for group in groups])
    return {part: np.flatnonzero(each == part) for part in PARTS}


def moves(events: Ints, voices: Sequence[str], most: int) -> tuple[Ints, Ints]:
    """Return how far windows can be transposed down and up: as far as the piano goes, and `most`.

    Parameters
    ----------
    events : int array [shape=(n, voices, steps)]

    Returns
    -------
    low, high : int array [each shape=(n,), semitones]
    """
    pitched = events[:, [voice != "drums" for voice in voices]].reshape(len(events), -1)
    notes = pitched >= NOTE
    top = HIGHEST - LOWEST + NOTE
    lowest = np.where(notes, pitched, top).min(axis=1, initial=top)
    highest = np.where(notes, pitched, NOTE).max(axis=1, initial=NOTE)
    return np.maximum(NOTE - lowest, -most), np.minimum(top - highest, most)


def transposed(events: Ints, voices: Sequence[str], semitones: Ints) -> Ints:
    """Transpose melody and bass of windows [shape=(n, voices, steps)], each by its semitones."""
    pitched = np.array([voice != "drums" for voice in voices])[None, :, None]
    return np.where(pitched & (events >= NOTE), events + semitones[:, None, None], events)
