"""From a song at twelve steps per quarter to melodies on one grid."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from groove_core.tunes.cutting import FINE, METRES, cut
from groove_core.values import LeadSheet

SIXTEENTH, TRIPLET = 3, 4
"""Fine steps of a sixteenth, and of an eighth triplet."""
BAR = 48
"""Fine steps of a bar of 4/4."""


def song(onsets: Iterable[int], **settings) -> LeadSheet:
    """Make a song of notes that last until the next one, of changing pitch."""
    starts = list(onsets)
    ends = [*starts[1:], starts[-1] + SIXTEENTH]
    rows = [
        (start, end - start, 60 + number % 7, 90)
        for number, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]
    return LeadSheet(np.array(rows), FINE, **{"metre": (4, 4), **settings})


def onsets_of(melody: LeadSheet) -> list[int]:
    return melody.notes[:, 0].tolist()


WHOLE = [(metre, grid) for metre in METRES for grid in (4, 3) if not 4 * grid * metre[0] % metre[1]]
"""Metres of which a bar has a whole number of steps."""


@pytest.mark.parametrize(("metre", "grid"), WHOLE)
def test_metres_and_grids(metre, grid):
    """Four bars; each has a note on every beat and one on the second step."""
    bar = 4 * FINE * metre[0] // metre[1]
    step = FINE // grid
    onsets = [bar * n + at for n in range(4) for at in sorted([*range(0, bar, FINE), step])]
    found, counts = cut(song(onsets, metre=metre, length=4 * bar, key="D", tempo_bpm=90.0))
    [melody] = found
    assert melody.steps_per_quarter == grid
    assert (melody.metre, melody.bars, melody.key, melody.tempo_bpm) == (metre, 4, "D", 90.0)
    assert onsets_of(melody) == [at // step for at in onsets]
    assert melody.length == 4 * melody.steps_per_bar
    assert +counts == {}


def test_a_bar_without_whole_steps_is_left_out():
    """Bars of 3/8 have four and a half triplets."""
    onsets = range(0, 4 * 18, TRIPLET)
    assert cut(song(onsets, metre=(3, 8), length=4 * 18)) == ([], {"notes off the grid": 18})


def test_lengths_are_kept():
    rows = [[0, 3, 60, 90], [6, 6, 62, 80], [12, 24, 64, 70], [48, 3, 65, 60], [60, 36, 60, 50]]
    [melody], _ = cut(LeadSheet(np.array(rows), FINE, length=2 * BAR))
    assert melody.notes.tolist() == [
        [0, 1, 60, 90], [2, 2, 62, 80], [4, 8, 64, 70], [16, 1, 65, 60], [20, 12, 60, 50]
    ]  # fmt: skip


def test_another_metre_is_left_out():
    found, counts = cut(song(range(0, 240, 6), metre=(5, 4), length=240))
    assert found == []
    assert counts == {"notes in 5/4": 40}


def test_a_line_is_cut_where_a_bar_lies_off_its_grid():
    """Bar 3 is in triplets; the song is in sixteenths."""
    even = [bar * BAR + at for bar in (0, 1, 3, 4) for at in range(0, BAR, 6)]
    triplets = [2 * BAR + at for at in range(0, BAR, TRIPLET)]
    found, counts = cut(song(sorted(even + triplets), length=5 * BAR))
    assert [melody.length for melody in found] == [32, 32]
    assert [onsets_of(melody) for melody in found] == [list(range(0, 32, 2))] * 2
    assert counts["notes off the grid"] == len(triplets)
    # Nothing of the bar that was cut out sounds on, and nothing sounds into it.
    assert found[0].notes[-1].tolist()[:2] == [30, 2]


def test_few_notes_beside_the_grid_are_moved_onto_it():
    onsets = [0, 12, 25, 36, 48, 60, 72, 83]
    [melody], counts = cut(song(onsets, length=2 * BAR))
    assert onsets_of(melody) == [0, 4, 8, 12, 16, 20, 24, 28]
    assert +counts == {"notes moved to the grid": 2}


def test_two_notes_on_one_step_do_not_fit():
    onsets = [*range(0, BAR, 6), *(BAR + at for at in (0, 1, *range(6, BAR, 6))),
              *range(2 * BAR, 4 * BAR, 6)]  # fmt: skip
    found, counts = cut(song(onsets, length=4 * BAR))
    assert counts["notes off the grid"] == 9
    assert [melody.length for melody in found] == [32]


def test_a_line_is_cut_at_a_silent_bar():
    bars = (1, 2, 4, 5)  # the first is silent, too
    onsets = [bar * BAR + at for bar in bars for at in range(0, BAR, 6)]
    sheet = song(onsets, length=7 * BAR)
    rows = sheet.notes.copy()
    rows[15, 1] = 6  # the last note before the silence
    found, counts = cut(LeadSheet(rows, FINE, length=7 * BAR))
    assert [onsets_of(melody) for melody in found] == [list(range(0, 32, 2))] * 2
    assert [melody.length for melody in found] == [32, 32]
    assert +counts == {}


def test_a_note_that_is_held_over_bars_is_no_silence():
    rows = [[at, 6, 60 + at // 6 % 5, 90] for at in range(0, BAR, 6)]
    rows[-1][1] = 2 * BAR
    rows += [[3 * BAR + at, 6, 62, 90] for at in range(0, BAR, 6)]
    [melody], _ = cut(LeadSheet(np.array(rows), FINE, length=4 * BAR))
    assert melody.length == 64
    assert melody.notes[7].tolist() == [14, 32, 62, 90]


def test_a_pickup_is_kept():
    onsets = [*range(3, 12, 3), *range(12, 12 + 2 * BAR, 6)]
    [melody], _ = cut(song(onsets, pickup=12, length=12 + 2 * BAR))
    assert (melody.pickup, melody.length, melody.bars) == (4, 36, 2)
    assert onsets_of(melody) == [1, 2, 3, *range(4, 36, 2)]


def test_a_pickup_of_a_broken_step_is_filled_up():
    onsets = [0, 2, 5, 8, *range(11, 11 + 2 * BAR, 6)]
    [melody], counts = cut(song(onsets, pickup=11, length=11 + 2 * BAR))
    assert (melody.pickup, melody.bars) == (4, 2)
    assert onsets_of(melody)[:6] == [0, 1, 2, 3, 4, 6]
    assert counts["notes moved to the grid"] == 1


def test_a_silent_pickup_is_left_out():
    onsets = range(12, 12 + 2 * BAR, 6)
    [melody], _ = cut(song(onsets, pickup=12, length=12 + 2 * BAR))
    assert (melody.pickup, melody.length) == (0, 32)


def test_only_the_first_melody_of_a_song_has_its_pickup():
    onsets = [0, 6, *(12 + bar * BAR + at for bar in (0, 1, 3, 4) for at in range(0, BAR, 6))]
    sheet = song(onsets, pickup=12, length=12 + 5 * BAR)
    rows = sheet.notes.copy()
    rows[17, 1] = 6
    found, _ = cut(LeadSheet(rows, FINE, length=12 + 5 * BAR, pickup=12))
    assert [melody.pickup for melody in found] == [4, 0]
    assert [melody.length for melody in found] == [36, 32]


def test_chords_stand_where_they_stood():
    onsets = [bar * BAR + at for bar in (0, 1, 3, 4) for at in range(0, BAR, 6)]
    sheet = song(onsets, length=5 * BAR)
    rows = sheet.notes.copy()
    rows[15, 1] = 6
    chords = ((24, "C"), (BAR, "F"), (2 * BAR + 12, "G7"), (4 * BAR, "Am"))
    found, _ = cut(LeadSheet(rows, FINE, length=5 * BAR, chords=chords))
    assert [[(at, str(chord)) for at, chord in melody.chords] for melody in found] == [
        [(0, "N.C."), (8, "C"), (16, "F")], [(0, "G7"), (16, "Am")]
    ]  # fmt: skip


def test_chords_in_a_pickup():
    onsets = [*range(0, 12, 3), *range(12, 12 + 2 * BAR, 6)]
    sheet = song(onsets, pickup=12, length=12 + 2 * BAR, chords=((0, "D"), (12, "G")))
    [melody], _ = cut(sheet)
    assert [(at, str(chord)) for at, chord in melody.chords] == [(0, "D"), (4, "G")]
    plain = song(onsets, pickup=12, length=12 + 2 * BAR)
    assert cut(plain)[0][0].chords == ()


def reasons(sheet: LeadSheet) -> dict[str, int]:
    """Return why nothing of a song is left."""
    found, counts = cut(sheet)
    assert found == []
    return +counts


def test_what_is_too_short_or_on_too_few_pitches():
    short = song(range(0, BAR, 6), length=BAR)
    assert reasons(short) == {"notes of too short lines": 8}
    few = song([0, BAR, BAR + 12, BAR + 24], length=2 * BAR)
    assert reasons(few) == {"notes of too short lines": 4}
    sheet = song(range(0, 2 * BAR, 6), length=2 * BAR)
    rows = sheet.notes.copy()
    rows[:, 2] = np.resize([60, 67, 72], len(rows))
    two = LeadSheet(rows, FINE, length=2 * BAR)
    assert reasons(two) == {"notes of lines on one or two pitches": 16}


def test_every_note_is_in_a_melody_or_counted():
    """Of songs drawn at random, in any metre."""
    rng = np.random.default_rng(5)
    for _ in range(60):
        starts = np.unique(rng.choice([3, 4, 6, 12], 80).cumsum() * (rng.random(80) < 0.8))
        metre = METRES[rng.integers(len(METRES))]
        sheet = song(starts.tolist(), metre=metre, pickup=int(rng.choice([0, 6, 12])))
        found, counts = cut(sheet)
        kept = sum(len(melody.notes) for melody in found)
        lost = sum(n for reason, n in counts.items() if reason != "notes moved to the grid")
        assert kept + lost == len(sheet.notes)
        for melody in found:
            assert melody.steps_per_quarter in (3, 4)
            assert melody.metre == metre
