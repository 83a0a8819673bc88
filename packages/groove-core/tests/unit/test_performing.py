"""A melody as it is played: the stated rules, and no note in another's way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groove_core.tunes.performing import performed, phrases
from groove_core.values import LeadSheet

GRIDS = [1, 3, 4, 12, 96]


@st.composite
def melodies(draw: st.DrawFn) -> LeadSheet:
    grid = draw(st.sampled_from(GRIDS))
    note = st.tuples(
        st.integers(1, 5 * grid), st.integers(0, 2 * grid), st.integers(0, 127), st.integers(1, 127)
    )
    rows, at = [], draw(st.integers(0, 9))
    for length, rest, pitch, velocity in draw(st.lists(note, max_size=30)):
        rows.append((at, length, pitch, velocity))
        at += length + rest
    metre = draw(st.sampled_from([(4, 4), (3, 4), (2, 2)]))
    return LeadSheet(np.array(rows).reshape(-1, 4), grid, metre, pickup=draw(st.integers(0, 2)),
                     chords=((0, "C"),) if rows else ())  # fmt: skip


@settings(deadline=None, max_examples=80)
@given(melodies())
def test_no_note_is_in_the_way_of_another(melody):
    typed, played = melody.to_score(), performed(melody)
    before, notes = typed.tracks[0].notes, played.tracks[0].notes
    if not len(melody.notes):
        assert played == typed
        return
    assert notes[:, 2].tolist() == before[:, 2].tolist()
    assert (np.diff(notes[:, 0]) > 0).all()
    assert (notes[:-1, :2].sum(axis=1) <= notes[1:, 0]).all()
    assert notes[:, 1].min() >= 1
    assert notes[:, 3].min() >= 1
    assert notes[:, 3].max() <= 127
    # Each phrase begins in time and its last note, too, so that chords and bars stay with it.
    number = phrases(melody)
    first = np.append(True, np.diff(number) > 0)
    last = np.append(np.diff(number) > 0, True)
    assert np.array_equal(notes[first | last, 0], before[first | last, 0])
    assert replace(played, tracks=(typed.tracks[0], *played.tracks[1:])) == typed
    assert performed(melody) == played


def line(*rows: tuple[int, int, int]) -> LeadSheet:
    """Make a melody of onsets, lengths and pitches in sixteenths."""
    return LeadSheet(np.array([(*row, 80) for row in rows]))


def test_phrases_end_at_rests_and_at_long_notes():
    """A rest of a sixteenth doesn't end one, nor a long note among long ones."""
    melody = line((0, 2, 60), (2, 1, 60), (4, 2, 62), (8, 4, 64), (12, 8, 65), (20, 8, 65),
                  (28, 4, 60), (32, 7, 60), (40, 1, 60))  # fmt: skip
    # Behind the third a rest of an eighth, behind the fifth since it is twice as long as before.
    assert phrases(melody).tolist() == [0, 0, 0, 1, 1, 2, 2, 2, 2]
    assert phrases(line((0, 16, 60), (16, 2, 60), (18, 2, 60))).tolist() == [0, 0, 0]
    assert phrases(LeadSheet(np.zeros((0, 4), np.int64))).tolist() == []


def notes_of(melody: LeadSheet) -> np.ndarray:
    return performed(melody).tracks[0].notes


def test_a_repeated_note_and_the_end_of_a_phrase_are_set_off():
    melody = line((0, 4, 60), (4, 4, 60), (8, 4, 62), (12, 4, 64), (20, 4, 60), (24, 4, 62))
    lengths = notes_of(melody)[:, 1]
    step = 120
    assert lengths[0] == 4 * step * 11 / 12
    assert lengths[3] == 4 * step * 7 / 8
    assert lengths[5] == 4 * step * 7 / 8
    assert lengths[1] > 0.97 * 4 * step


def test_the_middle_of_a_phrase_is_faster_than_its_ends():
    waits = np.diff(notes_of(line(*((2 * i, 2, 60 + i % 3) for i in range(17))))[:, 0]) / 240
    assert waits[:3].min() > 1 > waits[7:10].max()
    assert waits.min() > 0.96
    assert waits.max() < 1.04
    assert waits.sum() == 16


@pytest.mark.parametrize(
    ("rows", "louder", "softer"),
    [
        ([(i * 4, 4, 60 + 12 * (i == 2)) for i in range(8)], 2, 6),  # the same place of a beat
        ([(i * 4, 4, 60) for i in range(16)], 8, 5),  # the first beat of a bar
        ([(i * 2, 2, 60) for i in range(16)], 6, 5),  # a beat
        ([(i * 8, 8 - 4 * (i == 4), 60) for i in range(8)], 3, 4),  # a short note
    ],
    ids=["high", "bar", "beat", "short"],
)
def test_what_is_louder(rows, louder, softer):
    velocity = notes_of(line(*rows))[:, 3]
    assert velocity[louder] > velocity[softer]


def test_equal_melodies_are_played_equally():
    rows = [(0, 2, 60), (2, 2, 64), (4, 4, 67)]
    assert performed(line(*rows)) == performed(line(*rows))
