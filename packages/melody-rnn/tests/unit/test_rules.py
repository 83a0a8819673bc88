"""What is kept is kept exactly, whatever is drawn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groove_core.errors import UsageError
from melody_rnn.lines import CLASSES, HOLD, NOTE, OFF
from melody_rnn.rules import Rules, contour_of
from melody_rnn.transformer import ONSET, UNKNOWN

Ints = np.ndarray


def walk(rules: Rules, steps: int, seed: int, n: int = 3) -> Ints:
    """Draw melodies in which every event that is allowed is equally likely."""
    rng = np.random.default_rng(seed)
    events = np.zeros((n, steps), np.int64)
    for step in range(steps):
        may = rules(step, events[:, :step])
        assert may.shape == (n, CLASSES)
        assert may.any(axis=1).all(), f"nothing may come at step {step}"
        events[:, step] = [rng.choice(np.flatnonzero(row)) for row in may]
    return events


def onsets(events: Ints) -> list[int]:
    return np.flatnonzero(events >= NOTE).tolist()


@st.composite
def lines(draw: st.DrawFn) -> tuple[Ints, np.ndarray]:
    """Draw a line, and which of its steps are opened."""
    event = st.sampled_from([HOLD, HOLD, OFF, *range(NOTE, CLASSES)])
    events = draw(st.lists(event, min_size=1, max_size=40))
    opened = draw(st.lists(st.booleans(), min_size=len(events), max_size=len(events)))
    return np.array(events), np.array(opened)


def untouched(found: Ints, events: Ints, kept: np.ndarray) -> bool:
    return bool((found[:, kept] == events[kept]).all())


SEEDS = st.integers(0, 2**32 - 1)
PITCHES = st.lists(st.booleans(), min_size=36, max_size=36).filter(any)


@settings(deadline=None)
@given(lines(), PITCHES, SEEDS)
def test_given_events_are_untouched_and_others_are_playable(line, playable, seed):
    events, opened = line
    pitches = np.array([True, True, *playable])
    rules = Rules(np.where(opened, UNKNOWN, events), pitches)
    found = walk(rules, len(events), seed)
    assert untouched(found, events, ~opened)
    assert pitches[found[:, opened]].all()


@settings(deadline=None)
@given(lines(), PITCHES, SEEDS)
def test_a_kept_rhythm_has_every_onset_and_every_end(line, playable, seed):
    events, opened = line
    opened = opened & (events >= NOTE)
    rules = Rules(np.where(opened, ONSET, events), np.array([True, True, *playable]))
    for found in walk(rules, len(events), seed):
        assert onsets(found) == onsets(events)
        assert ((found == events) | opened).all()


@settings(deadline=None)
@given(lines(), SEEDS)
def test_kept_pitches_come_in_their_order(line, seed):
    events, opened = line
    rules = Rules(np.where(opened, UNKNOWN, events))
    rules.reorder(events)
    found = walk(rules, len(events), seed)
    assert untouched(found, events, ~opened)
    for one in found:
        assert one[one >= NOTE].tolist() == events[events >= NOTE].tolist()


def test_kept_pitches_get_another_rhythm():
    events = np.tile([NOTE, HOLD, NOTE + 2, HOLD], 8)
    rules = Rules(np.full(32, UNKNOWN))
    rules.reorder(events)
    found = walk(rules, 32, 1, n=20)
    assert len({tuple(onsets(one)) for one in found}) == 20


@settings(deadline=None)
@given(lines(), PITCHES, SEEDS)
def test_a_kept_contour_goes_up_and_down_where_the_line_does(line, playable, seed):
    events, opened = line
    opened = opened & (events >= NOTE)
    pitches = np.array([True, True, *playable])
    rules = Rules(np.where(opened, ONSET, events), pitches)
    if not playable_contour(events, opened, pitches):
        with pytest.raises(UsageError, match="within the range and the scale"):
            rules.follow(events)
        return
    rules.follow(events)
    found = walk(rules, len(events), seed)
    assert untouched(found, events, ~opened)
    assert pitches[found[:, opened]].all()
    for one in found:
        assert onsets(one) == onsets(events)
        up_and_down = [contour_of(some[some >= NOTE]).tolist() for some in (one, events)]
        assert up_and_down[0] == up_and_down[1]


def playable_contour(events: Ints, opened: np.ndarray, pitches: np.ndarray) -> bool:
    """Search for a line with the same ups and downs: which pitches can be reached, note by note."""
    reached: set[int] | None = None
    before = None
    for step in onsets(events):
        here = np.flatnonzero(pitches[NOTE:]).tolist() if opened[step] else [events[step] - NOTE]
        if reached is not None:
            side = np.sign(events[step] - before)
            here = [p for p in here if any(np.sign(p - last) == side for last in reached)]
        reached, before = set(here), events[step]
    return reached is None or bool(reached)


def test_a_contour_leaves_room_for_what_follows():
    """Seven notes up within an octave of a scale: each but the last must leave room above."""
    events = np.arange(NOTE, NOTE + 7)
    pitches = np.zeros(CLASSES, bool)
    pitches[[NOTE + p for p in (0, 2, 4, 5, 7, 9, 11)]] = True
    rules = Rules(np.full(7, ONSET), pitches)
    rules.follow(events)
    wanted = [NOTE + p for p in (0, 2, 4, 5, 7, 9, 11)]
    assert walk(rules, 7, 5).tolist() == [wanted] * 3
    with pytest.raises(UsageError, match="No other melody goes up and down"):
        Rules(np.full(8, ONSET), pitches).follow(np.arange(NOTE, NOTE + 8))


def test_contours():
    assert contour_of(np.array([5, 9, 9, 3])).tolist() == [0, 1, 0, -1]
    assert contour_of(np.zeros(0, np.int64)).tolist() == []
