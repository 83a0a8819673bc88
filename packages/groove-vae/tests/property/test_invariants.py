"""What holds for every part."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from groove_core.drums import KIT_DRUMS, is_triplet
from groove_core.values import Score, Track
from groove_vae import humanize, quantize, transfer
from groove_vae.symbolic import Grid, Part

QUARTERS = st.sampled_from([24, 96, 100, 480, 960])
PITCHES = st.sampled_from([36, 35, 38, 40, 42, 44, 46, 49, 51, 43, 48, 56, 60])
NOTES = st.lists(
    st.tuples(st.integers(0, 40_000), st.integers(0, 5000), PITCHES, st.integers(1, 127)),
    min_size=1,
    max_size=40,
)


@st.composite
def parts(draw) -> Score:
    """A part in 4/4 with at least one of the nine drums, beside another track."""
    notes = [*draw(NOTES), (draw(st.integers(0, 40_000)), 10, 36, 77)]
    return Score(
        (
            Track(np.array([[5, 500, 64, 80]]), name="keys"),
            Track(np.array(notes), is_drum=True, controls=np.array([[1, 4, 90]])),
        ),
        ticks_per_quarter=draw(QUARTERS),
        tempos=np.array([[0, draw(st.integers(200_000, 2_000_000))], [9999, 500_000]]),
    )


@st.composite
def grids(draw) -> Grid:
    """A grid whose offsets are whole ticks of 480 a quarter."""
    bars = draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    hit = rng.random((16 * bars, len(KIT_DRUMS))) < draw(st.floats(0.01, 0.9))
    hit[16 * bars - 1, 0] = True  # else the last bars might be silent
    ticks = rng.integers(-60, 60, hit.shape)
    ticks[0] = np.abs(ticks[0]).clip(max=59)  # nothing before the score
    velocity = rng.integers(1, 128, hit.shape) / 127
    return Grid(hit, velocity * hit, ticks / 60 * hit)


@given(grids())
def test_grid_to_score_and_back(grid):
    again = Part.of(grid.to_score()).grid
    np.testing.assert_array_equal(again.hit, grid.hit)
    np.testing.assert_allclose(again.velocity, grid.velocity)
    np.testing.assert_allclose(again.offset, grid.offset, atol=1e-9)


@given(grids(), grids())
def test_a_feel_is_taken_as_it_is(plain, feel):
    """Where there is one note a cell, the part has afterwards the feel it was given."""
    n = min(len(plain.hit), len(feel.hit))
    hit = plain.hit[:n] & feel.hit[:n]
    hit[0, 0] = True
    wanted = Grid(hit, np.maximum(feel.velocity[:n], 1 / 127) * hit, feel.offset[:n] * hit)
    score = Grid(hit, plain.velocity[:n] * hit, plain.offset[:n] * hit).to_score()
    made = Part.of(Part.of(score).with_feel(wanted)).grid
    steps = len(made.hit)
    np.testing.assert_array_equal(made.hit, hit[:steps])
    np.testing.assert_allclose(made.offset, wanted.offset[:steps], atol=1e-9)
    np.testing.assert_allclose(made.velocity, wanted.velocity[:steps])


def keeps_everything(before: Score, after: Score) -> None:
    """Every note is there with its length and pitch, none before the start, none silent."""
    before = before.at_resolution(after.ticks_per_quarter)
    mine, theirs = after.tracks[1].notes, before.tracks[1].notes
    assert sorted(map(tuple, mine[:, 1:3].tolist())) == sorted(map(tuple, theirs[:, 1:3].tolist()))
    assert mine[:, 0].min() >= 0
    assert mine[:, 3].min() >= 1
    assert after.tracks[0].to_json() == before.tracks[0].to_json()
    assert after.tracks[1].controls.tolist() == before.tracks[1].controls.tolist()
    assert after.tempos.tolist() == before.tempos.tolist()


@settings(max_examples=30, deadline=None)
@given(parts(), st.floats(0, 2), st.floats(0, 2), st.floats(0, 2), st.integers(0, 2**32 - 1))
def test_humanize_keeps_everything(score, timing, dynamics, temperature, seed):
    if is_triplet(Part.of(score).beats):
        return
    options = {"timing": timing, "dynamics": dynamics, "temperature": temperature, "seed": seed}
    made = humanize(score, **options)
    keeps_everything(score, made)
    assert humanize(score, **options) == made
    # Nothing is moved further than twice from one edge of its step to the other.
    finer = score.at_resolution(made.ticks_per_quarter)
    moved = np.abs(np.sort(made.tracks[1].notes[:, 0]) - np.sort(finer.tracks[1].notes[:, 0]))
    assert moved.max() <= made.ticks_per_quarter / 4 * 2 + 1


@given(parts(), st.sampled_from(["8", "12", "16", "24", "32"]), st.sampled_from([0.0, 1.0]))
def test_quantize_twice_is_once(score, grid, dynamics):
    once = quantize(score, grid=grid, dynamics=dynamics)
    keeps_everything(score, once)
    assert quantize(once, grid=grid, dynamics=dynamics) == once
    assert quantize(score, grid=grid, strength=0) == score


@given(parts(), parts())
def test_transfer_keeps_everything(feel, notes):
    if not is_triplet(Part.of(feel).beats) and not is_triplet(Part.of(notes).beats):
        keeps_everything(notes, transfer(feel, notes))
        assert transfer(feel, notes, timing=0, dynamics=0) == notes
