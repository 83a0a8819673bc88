"""What is written on: a melody alone, or the line of a song."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from groove_core.console import note
from groove_core.errors import InputError, UsageError
from groove_core.tunes.cutting import GRIDS
from groove_core.tunes.songs import Place
from groove_core.tunes.takes import Take
from groove_core.tunes.tracing import Tracer
from groove_core.values import LeadSheet, Score, choose_track, extract_melodies, is_melody

__all__ = ["Passage", "first_gap", "with_bars"]

OFF_GRID, CROWDED = "onsets off the grid", "notes closer than a step"
"""What `extract_melodies` counts of notes that are brought to a grid."""


@dataclass(frozen=True)
class Passage:
    """A melody to be written on, and where it stands.

    Parameters
    ----------
    melody : LeadSheet
        With 4 or 3 steps per quarter wherever its notes allow.
    place : Place, optional
        In a song; None for a melody alone.
    bars_before : int
        Bars of the song before its first one.
    """

    melody: LeadSheet
    place: Place | None = None
    bars_before: int = 0

    @classmethod
    def of(
        cls,
        given: Score | LeadSheet,
        track: str | None = None,
        *,
        alone: bool = False,
        quiet: bool = False,
        grid: int | None = None,
    ) -> list[Passage]:
        """Return the line of a song, cut where the metre changes; a melody is one passage.

        What of the track is not in the line, and what is not on the grid, is said.

        Parameters
        ----------
        given : Score or LeadSheet
        track : str, optional
            Name or number (from 1) of the track. Default: that which one would hum.
        alone : bool
            Leave the song away.
        quiet : bool
            Say nothing.
        grid : int, optional
            Steps per quarter. Default: 4 or 3, whichever more notes fit.

        Raises
        ------
        InputError
            If there are no notes but drums.
        UsageError
            If there is no such track.
        """
        if isinstance(given, LeadSheet):
            found = [cls._of_melody(given, track, grid)]
        else:
            found = cls._of_song(given, track, grid, quiet=quiet)
        return [replace(one, place=None) for one in found] if alone else found

    @classmethod
    def _of_melody(cls, melody: LeadSheet, track: str | None, grid: int | None) -> Passage:
        if track is not None:
            raise UsageError(
                f"{melody.name} is one melody and has no tracks.", hint="Leave --track out."
            )
        if isinstance(melody, Take):
            place = melody.place and replace(melody.place, song=melody.to_score())
            return cls(melody.alone(), place)
        grids = GRIDS if grid is None else (grid,)
        if melody.steps_per_quarter not in grids and len(melody.notes):
            found = _extracted(melody.to_score(), None, grid)
            _say_left_out(melody.name, found)
            [(_, melody)] = found
        return cls(melody)

    @classmethod
    def _of_song(
        cls, song: Score, track: str | None, grid: int | None, *, quiet: bool
    ) -> list[Passage]:
        # A melody that was saved with its chords is a melody still.
        own = {"melody", "chords"} >= {one.name for one in song.tracks if len(one.notes)}
        if track is None and is_melody(song) and own:
            return [cls(melody) for _, melody in extract_melodies(LeadSheet, song, None, grid)]
        chosen = choose_track(song, track)
        if chosen.is_drum:
            raise InputError(
                f"The track {chosen.name or track} of {song.name} plays drums.",
                hint="Choose a track with a melody.",
            )
        found = _extracted(song, track, grid)
        number = next(n for n, one in enumerate(song.tracks) if one is chosen)
        if not quiet:
            _say_left_out(song.name, found)
            _say_track(song, number, told=track is not None)
        bars = song.bar_ticks(np.arange(song.bars + 1))
        pickup = bool(found[0][1].pickup)
        return [
            cls(melody, Place(song, number, start),
                max(int(np.searchsorted(bars, start)) - pickup, 0))
            for start, melody in found
        ]  # fmt: skip

    def finished(self, takes: list[Take], tracer: Tracer) -> list[Take]:
        """Return melodies in their place, with what they copied of the tunes of a tracer."""
        return [
            replace(take, place=self.place, copied=tracer.copied(take, take.given))
            for take in takes
        ]


def with_bars(passages: list[Passage], bars: tuple[int, int]) -> tuple[Passage, tuple[int, int]]:
    """Find the passage with some bars of a song, and return their numbers in it.

    Raises
    ------
    UsageError
        If they are not in the line, or in several metres.
    """
    first, last = bars
    for one in passages:
        until = one.bars_before + one.melody.bars
        if one.bars_before < first <= until:
            if last <= until:
                return one, (first - one.bars_before, last - one.bars_before)
            break
    listed = [f"{p.bars_before + 1}-{p.bars_before + p.melody.bars}" for p in passages]
    metres = ", each in one metre" if len(passages) > 1 else ""
    raise UsageError(
        f"Bars {first}-{last} are not in {passages[0].melody.name}, whose line has the bars "
        f"{', '.join(listed)}{metres}.",
        hint=f"--bars {listed[0]}",
    )


def first_gap(passages: list[Passage]) -> tuple[int, int]:
    """Return the first and the last of the first bars of a song that are silent between notes.

    Where there are none, it is the bar in the middle, which is said.
    """
    for one in passages:
        melody, size = one.melody, one.melody.steps_per_bar
        sounds = np.zeros(melody.bars * size + melody.pickup, bool)
        for start, length, *_ in melody.notes.tolist():
            sounds[start : start + length] = True
        bars = sounds[melody.pickup :].reshape(-1, size).any(axis=1)
        playing = np.flatnonzero(bars)
        if len(gaps := np.flatnonzero(np.diff(playing) > 1)):
            first = one.bars_before + int(playing[gaps[0]]) + 2
            return first, one.bars_before + int(playing[gaps[0] + 1])
    one = max(passages, key=lambda one: one.melody.bars)
    middle = one.bars_before + (one.melody.bars + 1) // 2
    note(f"{one.melody.name} has no silent bar between its notes; bar {middle} is written anew, or "
         "others with --bars")  # fmt: skip
    return middle, middle


def _extracted(
    song: Score, track: str | None, grid: int | None = None
) -> list[tuple[int, LeadSheet]]:
    """Read a line on a grid, or on sixteenths or eighth triplets, whichever more notes fit."""
    found = extract_melodies(LeadSheet, song, track, grid)
    if grid is not None or found[0][1].steps_per_quarter in GRIDS:
        return found
    tried = []
    for grid in GRIDS:
        try:
            tried.append(extract_melodies(LeadSheet, song, track, grid))
        except InputError:  # no whole steps in a bar
            continue
    return min(tried, key=lambda one: _count(one, OFF_GRID, CROWDED), default=found)


def _count(found: list[tuple[int, LeadSheet]], *reasons: str) -> int:
    return sum(melody.left_out.get(reason, 0) for _, melody in found for reason in reasons)


def _say_left_out(name: str, found: list[tuple[int, LeadSheet]]) -> None:
    notes = sum(len(melody.notes) for _, melody in found)
    grid = "sixteenth" if found[0][1].steps_per_quarter == 4 else "eighth triplet"
    if chords := _count(found, "chord notes"):
        note(f"{name}: the top notes are taken as the line; {chords:,} notes below them are not "
             "part of it")  # fmt: skip
    if off := _count(found, OFF_GRID):
        note(f"{name}: {off:,} of {notes:,} notes do not begin on {grid}s; the network reads "
             "them there")  # fmt: skip
    if crowded := _count(found, CROWDED):
        note(f"{name}: {crowded:,} notes begin within the {grid} of another one; the network "
             "does not see them")  # fmt: skip


def _say_track(song: Score, number: int, *, told: bool) -> None:
    """Name the track if there was a choice that nobody made."""
    playing = [n for n, one in enumerate(song.tracks) if len(one.notes)]
    others = [n for n in playing if n != number and not song.tracks[n].is_drum]
    if told or not others:
        return

    def named(n: int) -> str:
        return f"{playing.index(n) + 1} {song.tracks[n].name or '(no name)'}"

    note(f"{song.name}: the line is that of track {named(number)}; --track chooses another: "
         + ", ".join(map(named, others)))  # fmt: skip
