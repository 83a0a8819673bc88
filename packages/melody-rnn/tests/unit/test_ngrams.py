"""The n-gram control against Witten and Bell's formula over dictionaries."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest

from melody_rnn.lines import CLASSES, HOLD, MAJOR, NOTE, OFF, Line
from melody_rnn.ngrams import WEIGHTS, NGrams


def line_of(events: np.ndarray, bar: int = 16, grid: int = 4, lead: int = 0) -> Line:
    nothing = np.zeros_like(events)
    return Line(events, lead, bar, grid, 0, MAJOR, nothing, nothing, 0)


def some_lines(count: int = 6) -> list[Line]:
    """Draw lines of few kinds of events, in three metres; some are shorter than a context."""
    rng = np.random.default_rng(2)
    kinds = np.array([HOLD, HOLD, OFF, NOTE, NOTE + 4])
    shapes = [(16, 4), (12, 4), (12, 3)]
    return [
        line_of(rng.choice(kinds, int(rng.integers(3, 40))), *shapes[number % 3])
        for number in range(count)
    ]


def literal_chances(
    learnt: list[Line], line: Line, order: int, place: bool, weight: float = 1
) -> np.ndarray:
    """Compute p_k = (count + w T p_(k-1)) / (N + w T) from the shortest context up, in words."""

    def context(one: Line, step: int, k: int) -> tuple:
        past = tuple(int(one.events[step - i]) if step >= i else None for i in range(1, k + 1))
        twelfths = step % one.bar * 12 // one.grid
        return (one.bar, twelfths, *past) if place else past

    counts: dict[tuple, Counter[int]] = defaultdict(Counter)
    for one in learnt:
        for step, event in enumerate(one.events.tolist()):
            for k in range(order + 1) if step >= one.lead else ():
                counts[k, context(one, step, k)][event] += 1
    found = []
    for step, event in enumerate(line.events.tolist()):
        p = 1 / CLASSES
        for k in range(order + 1):
            seen = counts.get((k, context(line, step, k)))
            if seen:
                kinds = weight * len(seen)
                p = (seen[event] + kinds * p) / (seen.total() + kinds)
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


@pytest.mark.parametrize("weight", [0.5, 8])
def test_the_weight_of_the_shorter_context(weight):
    *learnt, line = some_lines(12)
    grams = NGrams(learnt, 4, weight=weight)
    wanted = literal_chances(learnt, line, 4, True, weight)
    np.testing.assert_allclose(grams.chances(line), wanted, rtol=1e-12)


def test_what_stands_before_a_pickup_is_not_counted():
    learnt = [line_of(np.array([HOLD] * 12 + [NOTE, NOTE + 2] * 10), lead=12)]
    line = line_of(np.array([HOLD] * 12 + [NOTE, NOTE + 2] * 2), lead=12)
    grams = NGrams(learnt, 3)
    wanted = literal_chances(learnt, line, 3, True)
    np.testing.assert_allclose(grams.chances(line), wanted, rtol=1e-12)
    assert grams.tables[0].total.sum() == 20
    assert HOLD not in grams.sample(20, 4, 16, 4, rng=np.random.default_rng(0), top_p=0.5)


@pytest.mark.parametrize(("spread", "longest"), [(1, 3), (40, 1)])
def test_the_best_context_and_weight_are_chosen(spread, longest):
    """Those of which lines that were not counted have the least bits; of noise, no long one."""
    rng = np.random.default_rng(4)
    pattern = [NOTE, HOLD, NOTE + 3, NOTE, NOTE, HOLD]
    lines = [
        line_of(np.where(rng.random(60) < spread / 50, rng.integers(0, 6, 60), pattern * 10))
        for _ in range(8)
    ]
    grams = NGrams(lines[:5], 6, place=False)
    made = grams.tuned(lines[5:])

    def bits(order: int, weight: float) -> float:
        one = NGrams(lines[:5], order, place=False, weight=weight)
        return -sum(np.log2(one.chances(line)).sum() for line in lines[5:])

    every = {(k, w): bits(k, w) for k in range(7) for w in WEIGHTS}
    assert every[made.order, made.weight] == min(every.values())
    assert made.order >= longest if spread == 1 else made.order <= longest
    found = -sum(np.log2(made.chances(line)).sum() for line in lines[5:])
    assert found == pytest.approx(min(every.values()))
    assert (grams.order, grams.weight) == (6, 1)  # as it was
    assert made.sample(2, 8, 16, 4, rng=rng).shape == (2, 8)


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


def test_only_the_likeliest_events_are_drawn():
    grams = NGrams(some_lines(30), 2)
    drawn = grams.sample(2_000, 1, 16, 4, rng=np.random.default_rng(3), top_p=0.6)[:, 0]
    chances = np.array([grams.chances(line_of(np.array([e])))[0] for e in range(CLASSES)])
    order = np.argsort(-chances)
    kept = order[: np.searchsorted(np.cumsum(chances[order]), 0.6) + 1]
    assert set(drawn.tolist()) == set(kept.tolist())
    share = (drawn == kept[0]).mean()
    assert share == pytest.approx(chances[kept[0]] / chances[kept].sum(), abs=0.04)


def test_samples_of_a_seed_are_equal():
    grams = NGrams(some_lines(), 5)
    one, two = (grams.sample(3, 20, 12, 3, rng=np.random.default_rng(1)) for _ in range(2))
    assert np.array_equal(one, two)
    assert 0 <= one.min() <= one.max() < CLASSES
