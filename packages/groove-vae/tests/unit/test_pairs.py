"""Known changes: what is said to have been done was done, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from groove_core.render.kits import Hits
from groove_vae.pairs import APART_S, KINDS, SNARE, Change, changed

HOW = Change(timing_ms=(5, 20), dynamics_db=(6,), ghost_db=(0, 10), share=0.3)


def part(n: int = 200) -> Hits:
    onset_s = 0.25 * np.arange(n)
    return Hits(onset_s, np.arange(n) % 3, np.full(n, -6.0))


@pytest.mark.parametrize("seed", range(5))
def test_changes_are_what_is_said(seed):
    hits = part()
    played, strokes = changed(hits, HOW, np.random.default_rng(seed))
    count = len(hits)
    moved_ms = 1000 * np.abs(played.onset_s[:count] - hits.onset_s)
    changed_db = np.abs(played.level_db[:count] - hits.level_db)
    at = {round(t, 6): i for i, t in enumerate(hits.onset_s)}
    for onset, kind, amount in zip(strokes.onset_s, strokes.kind, strokes.amount, strict=True):
        if KINDS[kind] == "ghost":
            continue
        index = at[round(onset, 6)]
        expected = {"untouched": (0, 0), "timing": (amount, 0), "dynamics": (0, amount)}
        assert (moved_ms[index], changed_db[index]) == pytest.approx(
            expected[KINDS[kind]], abs=1e-6
        )
    assert set(strokes.amount[strokes.kind == 1]) <= {5, 20}
    ghosts = played.drum[count:]
    assert (ghosts == SNARE).all()
    assert len(ghosts) == (strokes.kind == 3).sum() > 0
    assert set(np.round(played.level_db[count:], 6)) <= {-46.0, -36.0}
    assert (played.level_db <= 0).all()


def test_untouched_is_far_from_what_was_changed():
    _, strokes = changed(part(), HOW, np.random.default_rng(0))
    touched = strokes.onset_s[strokes.kind > 0]
    for onset in strokes.onset_s[strokes.kind == 0]:
        assert np.abs(touched - onset).min() >= APART_S


def test_order_is_kept():
    dense = Hits(np.arange(100) * 0.05, np.zeros(100, int), np.zeros(100))
    how = Change(timing_ms=(40,), dynamics_db=(6,), ghost_db=(0,), share=1.0, weights=(1, 0, 0))
    played, strokes = changed(dense, how, np.random.default_rng(0))
    assert (np.diff(played.onset_s) > 0).all()
    assert not (strokes.kind[1:-1] == 1).any()  # there is no room for 40 ms


def test_nothing_in_nothing_out():
    nothing = Hits(np.zeros(0), np.zeros(0, int), np.zeros(0))
    played, strokes = changed(nothing, HOW, np.random.default_rng(0))
    assert len(played) == len(strokes.kind) == 0
