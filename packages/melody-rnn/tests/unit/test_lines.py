"""Melodies as classes of events, and back; windows of lines."""

from __future__ import annotations

import numpy as np
import pytest

from groove_core.tunes import METRES
from groove_core.values import LeadSheet
from melody_rnn.lines import (
    CLASSES,
    HIGHEST,
    HOLD,
    LOWEST,
    MAJOR,
    MINOR,
    NO_ROOT,
    NOTE,
    OFF,
    OPEN,
    OPEN_ROOT,
    Line,
    encode,
    shift_of,
    windows,
)
from melody_rnn.tunes import shipped

EVERY = 12
"""Each so many shipped melodies are tried. With 1, all: 11,861 in a quarter of a minute."""


def tune(text: str) -> LeadSheet:
    return LeadSheet.from_text(text)


def decoded(line: Line, like: LeadSheet) -> LeadSheet:
    """Read a line back without the package: events in note-seq's alphabet, moved back."""
    events = [
        {HOLD: -2, OFF: -1}.get(int(c), int(c) - NOTE + LOWEST - line.shift)
        for c in line.events[line.lead :]
    ]
    return LeadSheet.from_events(
        events, steps_per_quarter=like.steps_per_quarter, metre=like.metre, pickup=like.pickup
    )


def test_shipped_melodies_come_back_as_they_were():
    tunes, unfolded = shipped(), 0
    for number in range(0, len(tunes.about), EVERY):
        melody = tunes.melody(number)
        line = encode(melody)
        assert (line.events[: line.lead] == HOLD).all()
        assert len(line) == line.lead + melody.length
        assert (line.lead + melody.pickup) % line.bar == 0
        back = decoded(line, melody)
        assert back.notes[:, :2].tolist() == melody.notes[:, :2].tolist()
        moved = back.notes[:, 2] - melody.notes[:, 2]
        assert not (moved % 12).any()
        assert np.count_nonzero(moved) == line.folded
        unfolded += not line.folded
    assert unfolded > 0.9 * len(tunes.about) / EVERY


def test_a_melody_by_hand():
    line = encode(tune("M:3/4 L:1/16 K:D D4 | E4 - . G4 - - - . . . . . | A4"))
    # D major is a whole tone above C; by octaves it comes near the middle of 48 to 83.
    assert line.shift % 12 == 10
    middle = (LOWEST + HIGHEST) / 2
    mean = (62 + 64 + 67 + 69) / 4
    assert abs(mean + line.shift - middle) == min(abs(mean + s - middle) for s in (-14, -2, 10, 22))
    classes = [p + line.shift - LOWEST + NOTE for p in (62, 64, 67, 69)]
    d, e, g, a = classes
    assert line.lead == 11
    assert line.events[line.lead :].tolist() == [d, e, HOLD, OFF, g, HOLD, HOLD, HOLD, OFF,
                                                 HOLD, HOLD, HOLD, HOLD, a]  # fmt: skip
    assert (line.bar, line.grid, METRES[line.metre], line.mode) == (12, 4, (3, 4), MAJOR)
    assert not line.for_originals


@pytest.mark.parametrize(
    ("key", "mode", "down"),
    [("C", MAJOR, 0), ("Am", MINOR, 0), ("Eb", MAJOR, 9), ("Cm", MINOR, 9), ("", OPEN, 0),
     ("F#", MAJOR, 6), ("Gb", MAJOR, 6), ("C#m", MINOR, 8)],
)  # fmt: skip
def test_keys_are_moved_to_the_one_without_sharps_and_flats(key, mode, down):
    melody = LeadSheet(np.array([[0, 4, 66, 90]]), key=key, length=16)
    line = encode(melody)
    assert line.shift % 12 == down
    assert line.mode == mode


def test_notes_come_into_the_36():
    rng = np.random.default_rng(4)
    for _ in range(200):
        low = int(rng.integers(0, 92))
        pitches = low + rng.integers(0, 36, size=9)
        notes = np.stack([np.arange(9), np.ones(9), pitches, np.full(9, 80)], axis=1)
        melody = LeadSheet(notes.astype(np.int64), key=rng.choice(["", "C", "E", "Bbm"]))
        line = encode(melody)
        shift = shift_of(melody)
        assert line.shift == shift
        assert (line.events >= NOTE).all()
        assert (line.events < CLASSES).all()
        # No other octave leaves fewer notes outside.
        octaves = pitches + shift + 12 * np.arange(-8, 9)[:, None]
        outside = ((octaves < LOWEST) | (octaves > HIGHEST)).sum(axis=1).tolist()
        assert line.folded == outside[8] == min(outside)
        assert ((line.events - NOTE + LOWEST - pitches - shift) % 12 == 0).all()


def test_a_range_of_four_octaves_is_folded():
    melody = tune("K:C C2 C3 C4 C5 C6 B6")
    line = encode(melody)
    played = line.events[line.events >= NOTE] - NOTE + LOWEST
    assert line.folded == (melody.notes[:, 2] + line.shift != played).sum() > 0
    assert (played % 12).tolist() == [0, 0, 0, 0, 0, 11]


def test_a_silent_melody():
    line = encode(LeadSheet(np.zeros((0, 4), np.int64), length=32, key="G"))
    assert (line.events == HOLD).all()
    assert line.shift == 5


def test_chords_are_moved_with_the_melody():
    sheet = LeadSheet(
        np.array([[4, 4, 62, 90]]), length=36, pickup=4, key="D",
        chords=((4, "D"), (12, "N.C."), (20, "F#m7")),
    )  # fmt: skip
    line = encode(sheet)
    assert line.lead == 12
    assert line.root.tolist() == [OPEN_ROOT] * 16 + [0] * 8 + [NO_ROOT] * 8 + [4] * 16
    bits = [{c for c in range(12) if mask >> c & 1} for mask in line.chord[[0, 16, 24, 32]]]
    assert bits == [set(), {0, 4, 7}, set(), {4, 7, 11, 2}]


def test_a_chosen_shift_counts():
    line = encode(tune("K:C C4"), shift=3)
    assert line.events[0] == 63 - LOWEST + NOTE


# --- windows ---------------------------------------------------------------------------------


def some_lines() -> list[Line]:
    tunes = shipped()
    return [encode(tunes.melody(i)) for i in range(0, len(tunes.about), 500)]


@pytest.mark.parametrize("rng", [None, np.random.default_rng(1)], ids=["in order", "random"])
@pytest.mark.parametrize("steps", [64, 256, 512])
def test_windows_cover_every_step_once(steps, rng):
    lines = some_lines()
    assert {line.lead for line in lines} > {0}
    found = windows(lines, steps, rng=rng)
    for number, line in enumerate(lines):
        mine = found.pick(np.flatnonzero(found.line == number))
        # A window ends with its bar: what is behind it is not known.
        joined = {name: np.concatenate([
            getattr(mine, name)[row, : known[-1] + 1]
            for row in range(len(mine)) if len(known := np.flatnonzero(mine.known[row]))
        ]) for name in ("events", "known", "root", "chord")}  # fmt: skip
        for name in ("events", "root", "chord"):
            assert joined[name].tolist() == getattr(line, name).tolist()
        assert joined["known"].tolist() == [False] * line.lead + [True] * (len(line) - line.lead)
        assert set(zip(mine.bar, mine.grid, mine.metre, mine.mode, strict=True)) == {
            (line.bar, line.grid, line.metre, line.mode)
        }


def test_windows_begin_at_bars():
    line = encode(LeadSheet(np.array([[0, 12, 60, 90]]), metre=(3, 4), length=12 * 50, key="C"))
    line.events[::12] = np.arange(50) % 36 + NOTE  # each bar can be told by its first note
    rng = np.random.default_rng(3)
    firsts = set()
    for _ in range(100):
        found = windows([line], 64, rng=rng)
        assert found.known.sum() == len(line)
        assert (found.events[:, 0] >= NOTE).all()
        firsts.add(int(found.known[0].sum()) // 12)
        whole = found.known.sum(axis=1)[1:-1]
        assert (whole == 60).all()
    assert firsts == {1, 2, 3, 4, 5}
    assert windows([line], 64).known.sum(axis=1).tolist() == [60] * 10


def test_windows_can_be_shortened():
    found = windows(some_lines(), 64)
    half = found.until(32)
    assert half.events.shape == half.chord.shape == (len(found), 32)
    assert np.array_equal(half.known, found.known[:, :32])
    assert np.array_equal(half.line, found.line)
