"""Chord symbols of a score: its markers, where one of them says that they are chords.

Markers of other programs that read like chords are the letters of parts: A, B, C.
"""

from __future__ import annotations

from collections.abc import Callable

from groove_core.errors import InputError
from groove_core.values.chords import Chord

__all__ = [
    "CHORDS", "MELODY", "chord_symbols", "cut_markers", "followed", "foreign", "together",
    "transposed",
]  # fmt: skip

MELODY = "groove:melody="
"""Begins the marker at the first step of a melody: the grid, the pickup and the length."""
CHORDS = "groove:chords"
"""Marker of a score that has chord symbols and is no melody."""
_OWN = "groove:"
"""Begins markers of Groove's own, which mostly tell where something begins and how long it is."""

Markers = tuple[tuple[int, str], ...]


def chord_symbols(markers: Markers) -> list[tuple[int, Chord]]:
    """List the ticks and chords of the symbols; none where no marker says that they are some."""
    if not any(text == CHORDS or text.startswith(MELODY) for _, text in markers):
        return []
    return [(tick, chord) for tick, text in markers if (chord := _chord(text)) is not None]


def transposed(markers: Markers, semitones: int, flats: Callable[[int], bool | None]) -> Markers:
    """Transpose chord symbols; `flats` says for each tick what `Chord.transpose` is told."""
    if not chord_symbols(markers):
        return markers
    return tuple(
        (tick, text)
        if (chord := _chord(text)) is None
        else (tick, str(chord.transpose(semitones, flats=flats(tick))))
        for tick, text in markers
    )


def foreign(markers: Markers, *, chords: bool | None = None) -> Markers:
    """Return markers without Groove's own, which tell the length of what is no more.

    Chords are still said to be some.
    """
    chords = bool(chord_symbols(markers)) if chords is None else chords
    others = tuple((tick, text) for tick, text in markers if not text.startswith(_OWN))
    return ((0, CHORDS), *others) if chords else others


def cut_markers(markers: Markers, start: int, end: int) -> Markers:
    """Cut markers; the chord of before the cut holds at it."""
    inside = tuple((tick - start, text) for tick, text in markers if start <= tick < end)
    symbols = chord_symbols(markers)
    held = [chord for tick, chord in symbols if tick <= start][-1:]
    if held and not any(tick == start for tick, _ in symbols):
        inside = ((0, str(held[0])), *inside)
    return foreign(inside, chords=any(tick < end for tick, _ in symbols))


def followed(markers: Markers, others: Markers, at: int, bar: int) -> Markers:
    """Put the markers of another score behind those of one that ends at a tick.

    The last chord does not sound on into a score whose first bar, of `bar` ticks, has none. Where
    only one has chords, and the other has letters that read like some, nothing is a chord.
    """
    before, behind = chord_symbols(markers), chord_symbols(others)
    chords = bool(before or behind) and not _has_letters(markers, others)
    held = before[-1][1] if before else Chord("")
    ends = chords and held.root and not any(tick <= bar for tick, _ in behind)
    silence = ((at, str(Chord(""))),) if ends else ()
    later = tuple((at + tick, text) for tick, text in foreign(others, chords=False))
    return foreign((*markers, *silence, *later), chords=chords)


def together(*all_markers: Markers) -> Markers:
    """Put the markers of scores that sound at the same time into one list.

    Where only some have chords, and others have letters that read like some, nothing is a chord.
    """
    both = tuple(one for markers in all_markers for one in markers)
    if chord_symbols(both) and _has_letters(*all_markers):
        return foreign(both, chords=False)
    return both


def _has_letters(*all_markers: Markers) -> bool:
    """Return whether markers that are no chords read like some."""
    return any(
        not chord_symbols(markers) and any(_chord(text) for _, text in markers)
        for markers in all_markers
    )


def _chord(text: str) -> Chord | None:
    try:
        return Chord.parse(text)
    except InputError:
        return None
