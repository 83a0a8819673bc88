"""Copies of a tune are one tune, and never on two sides of a split."""

from __future__ import annotations

import functools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from groove_core.learning import PARTS
from groove_core.tunes.grouping import BY_TUNE, group_tunes, windows
from groove_core.values import LeadSheet


@functools.cache
def tune(seed: int, notes: int = 40, **settings) -> LeadSheet:
    """Draw a tune of eighths and quarters."""
    rng = np.random.default_rng(seed)
    lengths = rng.choice([2, 4], notes)
    starts = np.append(0, np.cumsum(lengths)[:-1])
    rows = np.stack([starts, lengths, 60 + rng.integers(0, 12, notes), np.full(notes, 80)], axis=1)
    return LeadSheet(rows, **settings)


def halved(one: LeadSheet) -> LeadSheet:
    """Write a tune in half its note values, in bars of as many notes."""
    rows = one.notes // np.array([2, 2, 1, 1])
    return LeadSheet(rows, metre=(2, 4), length=one.length // 2, pickup=one.pickup // 2)


def in_other_bars(one: LeadSheet) -> LeadSheet:
    """Write a tune in half its note values, in bars of twice as many notes."""
    return LeadSheet(halved(one).notes, metre=(4, 4))


def moved(one: LeadSheet, semitones: int) -> LeadSheet:
    return one.transpose(semitones)


def groups(*songs: LeadSheet) -> list[str]:
    return group_tunes([f"song {n}" for n in range(len(songs))], [[one] for one in songs])


def test_copies_are_one_tune():
    one, other = tune(1), tune(2)
    found = groups(
        other, one, moved(one, 5), halved(one), in_other_bars(one), halved(moved(one, -3))
    )
    assert found == ["song 0", *["song 1"] * 5]


def test_other_tunes_are_other_groups():
    assert len(set(groups(*(tune(n) for n in range(20))))) == 20


def test_the_same_notes_in_another_rhythm_are_another_tune():
    one = tune(1)
    rows = one.notes.copy()
    rows[:, 0], rows[:, 1] = np.arange(len(rows)) * 4, 4
    assert len(set(groups(one, LeadSheet(rows)))) == 2


def test_half_of_a_tune_is_that_tune():
    """More than half of what there is of the shorter one stands in the longer one."""
    one = tune(1, notes=80)
    assert len(set(groups(one, one.slice_bars(4, 8)))) == 1
    rows = np.concatenate(
        [one.notes[:20], tune(3, notes=60).notes + np.array([one.notes[20, 0], 0, 0, 0])]
    )
    assert len(set(groups(one, LeadSheet(rows)))) == 2


def test_a_tune_in_several_melodies_is_one():
    one = tune(1, notes=120)
    parts = [one.slice_bars(0, 6), one.slice_bars(6, 6)]
    found = group_tunes(["whole", "cut", "other"], [[one], parts, [tune(2)]])
    assert found == ["whole", "whole", "other"]


def test_tunes_too_short_for_a_window_are_compared_as_a_whole():
    one = LeadSheet.from_text("C4 - D4 - E4 . C4 -")
    other = LeadSheet.from_text("C4 - D4 - F4 . C4 -")
    assert groups(one, other, one.transpose(7)) == ["song 0", "song 1", "song 0"]


def test_a_chain_of_copies_is_one_group():
    """The second shares one half with the first, and another with the third."""
    one = tune(1, notes=200)
    bars = one.bars
    first, last = one.slice_bars(0, bars * 2 // 3), one.slice_bars(bars // 3, bars - bars // 3)
    found = groups(first, last, one)
    assert found == ["song 0"] * 3


def test_silence_and_long_notes_are_no_windows():
    """Four bars of a few notes stand in many tunes."""
    rows = np.array([[0, 16, 60, 80], [32, 16, 62, 80], [64, 4, 64, 80]])
    assert list(windows(LeadSheet(rows, length=128))) == []


def test_windows_are_those_of_four_bars():
    one = tune(1, pickup=4)
    assert len(list(windows(one))) == len(set(windows(one)))
    assert set(windows(moved(one, 3))) == set(windows(one))
    triplets = LeadSheet(one.notes, 3, (4, 4), pickup=3)
    assert not set(windows(triplets)) & set(windows(one))


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(-12, 12), st.sampled_from([0, 1, 2])),
             min_size=2, max_size=12),
    st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_no_copy_stands_on_another_side(copies, seed):
    """Whatever copies there are of six tunes, in whatever order and under whatever names."""
    rng = np.random.default_rng(seed)
    ways = (lambda one: one, halved, in_other_bars)
    songs = [[ways[way](moved(tune(number), by))] for number, by, way in copies]
    names = [f"{rng.integers(10**9)}" for _ in songs]
    found = group_tunes(names, songs)
    numbers = [number for number, _, _ in copies]
    assert len(set(zip(found, numbers, strict=True))) == len(set(found)) == len(set(numbers))
    parts = BY_TUNE.parts(found)
    for number in set(numbers):
        copies_of = {i for i, n in enumerate(numbers) if n == number}
        assert sum(bool(copies_of & set(parts[part].tolist())) for part in PARTS) == 1
