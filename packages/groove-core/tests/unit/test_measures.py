"""Measures of melodies against answers by hand, and the overlapped areas."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import pytest

from groove_core.tunes.measures import (
    HISTOGRAMS,
    HOLD,
    MEASURES,
    NOTE,
    Sheet,
    compression,
    described,
    durations,
    histograms,
    is_stuck,
    mean_of_known,
    phrase_bars,
    repetition,
)
from groove_core.values import LeadSheet

OFF = 1
C, D, E, G, HIGH = NOTE + 12, NOTE + 14, NOTE + 16, NOTE + 19, NOTE + 24


@dataclass
class Line:
    """Events of a melody in 4/4."""

    events: np.ndarray
    bar: int = 16
    grid: int = 4


def bars(*rows: dict[int, int], bar: int = 16) -> np.ndarray:
    """Make events from what happens at the steps of each bar."""
    events = np.full(len(rows) * bar, HOLD)
    for number, row in enumerate(rows):
        for step, event in row.items():
            events[number * bar + step] = event
    return events


A = {0: C, 4: D, 8: E, 12: OFF}
B = {0: G, 8: HIGH}
SILENCE: dict[int, int] = {}


# --- repetition ------------------------------------------------------------------------------


def test_bars_are_compared_with_those_before():
    events = bars(A, B, A, B, A, A)
    assert repetition(events, 1, 16) == pytest.approx(1 / 5)
    assert repetition(events, 2, 16) == pytest.approx(3 / 4)
    assert repetition(events, 4, 16) == pytest.approx(1 / 2)


def test_silent_bars_do_not_count_as_repeated():
    assert repetition(bars(A, SILENCE, SILENCE, A, A), 1, 16) == pytest.approx(1 / 2)
    assert np.isnan(repetition(bars(SILENCE, SILENCE), 1, 16))
    assert np.isnan(repetition(bars(A, B), 2, 16))


def test_what_is_behind_the_last_whole_bar_is_left_out_and_bars_may_be_of_three_quarters():
    three = bars({0: C, 8: D}, {0: C, 8: D}, bar=12)
    assert repetition(np.append(three, [G, G, G]), 1, 12) == 1
    assert repetition(three, 1, 16) != 1


def test_compression_is_that_of_deflate():
    events = bars(*[A] * 16)
    assert compression(events) == 256 / len(zlib.compress(events.astype("u1").tobytes(), 9))
    noise = np.random.default_rng(0).integers(0, 38, 256)
    assert compression(events) > 5 > 2 > compression(noise)


# --- durations and phrases -------------------------------------------------------------------


def test_notes_last_to_the_next_event_or_the_end():
    assert durations(bars(A, B)).tolist() == [4, 4, 4, 8, 8]
    assert durations(bars({3: C})).tolist() == [13]
    assert durations(bars(SILENCE)).tolist() == []


def test_phrases_end_with_rests_and_long_notes():
    # Behind E a quarter of rest, behind G two quarters of note; the last note ends the last one.
    assert phrase_bars(bars(A, B), 16, 4) == pytest.approx(2 / 3)
    assert phrase_bars(bars({0: C, 4: D, 8: E, 12: G}), 16, 4) == 1
    # A sixteenth of rest ends nothing, an eighth does.
    assert phrase_bars(bars({0: C, 3: OFF, 4: D}), 16, 4) == 1
    assert phrase_bars(bars({0: C, 2: OFF, 4: D}), 16, 4) == pytest.approx(1 / 2)
    assert phrase_bars(bars({0: C, 3: D}, bar=12), 12, 3) == 1
    assert phrase_bars(bars({0: C, 6: D}, bar=12), 12, 3) == pytest.approx(1 / 2)
    assert phrase_bars(bars(SILENCE, {4: C}), 16, 4) == 2


# --- stuck -----------------------------------------------------------------------------------

BUSY = [A, B] * 8


@pytest.mark.parametrize(
    ("what", "events", "stuck"),
    [
        ("a tune", bars(*BUSY), False),
        ("silence", bars(*[SILENCE] * 16), True),
        ("one note, held", bars({0: C}, *[SILENCE] * 15), True),
        ("silent at the beginning", bars(*[SILENCE] * 4, *BUSY[:12]), True),
        ("silent in the middle", bars(A, {0: OFF}, *[SILENCE] * 4, *BUSY[:10]), True),
        ("held at the end", bars(*BUSY[:11], {0: C}, *[SILENCE] * 4), True),
        ("three bars of rest", bars(*BUSY[:6], *[SILENCE] * 3, *BUSY[:7]), False),
        ("eleven times", bars(A, dict.fromkeys(range(1, 12), C), B, *BUSY[:13]), False),
        ("twelve times", bars(A, dict.fromkeys(range(1, 13), C), B, *BUSY[:13]), True),
        ("to the end", bars(*BUSY[:13], *[{0: C, 4: C, 8: C, 12: C}] * 3), True),
        ("two in turn", bars(*[{0: C, 4: D, 8: C, 12: D}] * 16), False),
    ],
)
def test_stuck(what, events, stuck):
    assert is_stuck(events) is stuck, what


def test_stuck_in_bars_of_three_quarters():
    still = bars({0: C}, *[SILENCE] * 3, {0: D}, {0: C}, bar=12)
    assert is_stuck(still, 12)
    assert not is_stuck(still, 16)


# --- all of them -----------------------------------------------------------------------------


def named(line) -> dict[str, float]:
    return dict(zip(MEASURES, described(line), strict=True))


def test_measures_of_a_tune():
    found = named(Line(bars({0: C, 4: D + 1, 8: E, 12: OFF}, B, A, B)))
    assert found["repeats 1 ago"] == 0
    assert found["repeats 2 ago"] == pytest.approx(1 / 2)
    assert np.isnan(found["repeats 4 ago"])
    assert found["range"] == 12
    assert found["notes a bar"] == pytest.approx(10 / 4)
    assert found["in scale"] == pytest.approx(9 / 10)
    assert found["stuck"] == 0


def test_measures_of_silence_and_of_one_note():
    silent = named(Line(bars(*[SILENCE] * 16)))
    assert silent["notes a bar"] == 0
    assert silent["stuck"] == 1
    assert np.isnan([silent["range"], silent["in scale"], silent["repeats 1 ago"]]).all()
    assert named(Line(bars({0: C}, SILENCE)))["range"] == 0


def test_events_of_a_melody_are_measured_whatever_their_octave():
    melody = LeadSheet.from_text(
        "C4 - - - D4 - - - E4 - - - . . . . | G4" + 7 * " -" + " C5" + 7 * " -"
    )
    found, wanted = Line(melody.events + 2), Line(bars(A, B))
    without = [name for name in MEASURES if name != "compression"]  # as bytes, they differ
    assert [named(found)[n] for n in without] == pytest.approx(
        [named(wanted)[n] for n in without], nan_ok=True
    )
    for mine, theirs in zip(histograms(found), histograms(wanted), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_histograms_by_hand():
    classes, intervals, lengths = histograms(Line(bars(A, B)))
    assert {k: v for k, v in enumerate(classes) if v} == {0: 2, 2: 1, 4: 1, 7: 1}
    assert {k - 12: v for k, v in enumerate(intervals) if v} == {2: 2, 3: 1, 5: 1}
    assert {k: v for k, v in enumerate(lengths) if v} == {4: 3, 8: 2}
    # Triplets are counted in sixteenths, long notes and wide jumps at the edge.
    *_, lengths = histograms(Line(bars({0: C, 3: D}, bar=12), bar=12, grid=3))
    assert {k: v for k, v in enumerate(lengths) if v} == {4: 1, 12: 1}
    _, intervals, lengths = histograms(Line(bars({0: NOTE, 4: NOTE + 35}, *[SILENCE] * 3)))
    assert (intervals[24], lengths[32]) == (1, 1)


# --- many melodies ---------------------------------------------------------------------------


def test_equal_melodies_overlap_wholly_and_others_not_at_all():
    low = Line(bars(*[{0: C, 4: D, 8: C, 12: D}] * 4))
    other = Line(bars(*[{0: E, 8: G}] * 4))
    same, two = Sheet.of([low, low]), Sheet.of([other])
    for found in same.overlaps(same):
        assert (found.value, found.low, found.high) == pytest.approx((1, 1, 1))
    assert [found.value for found in same.overlaps(two)] == pytest.approx([0, 0, 0])


def test_an_overlap_is_the_common_area():
    one = Sheet.of([Line(bars({0: C, 4: C, 8: C, 12: D}))])
    two = Sheet.of([Line(bars({0: C, 4: D, 8: D, 12: D}))])
    classes = one.overlaps(two)[HISTOGRAMS.index("pitch classes")]
    assert classes.value == pytest.approx(1 / 4 + 1 / 4)


def test_means_are_over_the_melodies_that_have_them():
    tune, silent = Line(bars(A, A)), Line(bars(SILENCE, SILENCE))
    found = dict(zip(MEASURES, Sheet.of([tune, silent, tune]).estimates(), strict=True))
    assert found["repeats 1 ago"].value == 1
    assert found["notes a bar"].value == 2
    assert np.isnan(found["repeats 8 ago"].value)


def test_melodies_of_one_owner_are_drawn_together():
    """A hundred copies of two tunes are two tunes: their mean is far from sure."""
    tunes = [Line(bars(A, A)), Line(bars(B, B))] * 50
    column = list(MEASURES).index("notes a bar")
    alone = Sheet.of(tunes).estimates()[column]
    owned = Sheet.of(tunes, [5, 9] * 50).estimates()[column]
    assert alone.value == owned.value == 2.5
    assert alone.high - alone.low < 0.3
    assert (owned.low, owned.high) == (2, 3)


def test_what_nobody_has_has_no_mean():
    found = mean_of_known([np.nan, np.nan], [0, 1])
    assert np.isnan([found.value, found.low, found.high]).all()
    assert mean_of_known([np.nan, 2.0], [0, 1]).value == 2
