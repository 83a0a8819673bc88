"""The n-gram control against Witten and Bell's formula over dictionaries."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest

from melody_rnn.lines import CLASSES, HOLD, MAJOR, NOTE, OFF, Line
from melody_rnn.ngrams import NGrams


def line_of(events: np.ndarray, bar: int = 16, grid: int = 4) -> Line:
    nothing = np.zeros_like(events)
    return Line(events, 0, bar, grid, 0, MAJOR, nothing, nothing, 0)


def some_lines(count: int = 6) -> list[Line]:
    """Draw lines of few kinds of events, in three metres; some are shorter than a context."""
    rng = np.random.default_rng(2)
    kinds = np.array([HOLD, HOLD, OFF, NOTE, NOTE + 4])
    shapes = [(16, 4), (12, 4), (12, 3)]
    return [
        line_of(rng.choice(kinds, int(rng.integers(3, 40))), *shapes[number % 3])
        for number in range(count)
    ]


def literal_chances(learnt: list[Line], line: Line, order: int, place: bool) -> np.ndarray:
    """Compute p_k = (count + T p_(k-1)) / (N + T) from the longest context down, in words."""

    def context(one: Line, step: int, k: int) -> tuple:
        past = tuple(int(one.events[step - i]) if step >= i else None for i in range(1, k + 1))
        twelfths = step % one.bar * 12 // one.grid
        return (one.bar, twelfths, *past) if place else past

    counts: dict[tuple, Counter[int]] = defaultdict(Counter)
    for one in learnt:
        for step, event in enumerate(one.events.tolist()):
            for k in range(order + 1):
                counts[k, context(one, step, k)][event] += 1
    found = []
    for step, event in enumerate(line.events.tolist()):
        p = 1 / CLASSES
        for k in range(order + 1):
            seen = counts.get((k, context(line, step, k)))
            if seen:
                p = (seen[event] + len(seen) * p) / (seen.total() + len(seen))
        found.append(p)
    return np.array(found)


@pytest.mark.parametrize("place", [True, False])
@pytest.mark.parametrize("order", [0, 1, 5])
def test_chances_are_those_of_the_formula(order, place):
    *learnt, _ = lines = some_lines(12)
    grams = NGrams(learnt, order, place=place)
    for line in lines:
        wanted = literal_chances(learnt, line, order, place)
        np.testing.assert_allclose(grams.chances(line), wanted, rtol=1e-12)


def test_chances_of_all_events_sum_to_one():
    lines = some_lines()
    grams = NGrams(lines, 4)
    past = lines[0].events[:5]
    last = [grams.chances(line_of(np.append(past, event)))[-1] for event in range(CLASSES)]
    assert sum(last) == pytest.approx(1)
    assert min(last) > 0


def test_what_was_learnt_often_is_likely():
    steps = np.tile([NOTE, HOLD, OFF, NOTE + 7], 32)
    assert NGrams([line_of(steps)], 4).chances(line_of(steps))[8:].min() > 0.8


def test_samples_come_as_often_as_their_chances():
    """Whole melodies of four steps, in the second of which the context is cut by the beginning."""
    grams = NGrams(some_lines(30), 2)
    rng = np.random.default_rng(3)
    drawn = grams.sample(8_000, 4, 16, 4, rng=rng)
    assert drawn.shape == (8_000, 4)
    found, counts = np.unique(drawn, axis=0, return_counts=True)
    for events, count in zip(found, counts, strict=True):
        if count > 100:
            wanted = grams.chances(line_of(events)).prod()
            assert count / 8_000 == pytest.approx(wanted, rel=4 / np.sqrt(count))
    assert counts.max() > 200


def test_samples_of_a_seed_are_equal():
    grams = NGrams(some_lines(), 5)
    one, two = (grams.sample(3, 20, 12, 3, rng=np.random.default_rng(1)) for _ in range(2))
    assert np.array_equal(one, two)
    assert 0 <= one.min() <= one.max() < CLASSES
