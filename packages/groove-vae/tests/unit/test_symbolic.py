"""Notes to the grid, feel to the notes."""

from __future__ import annotations

import numpy as np
import pytest

from groove_core.errors import InputError
from groove_core.values import Score, Track
from groove_vae.performances import load
from groove_vae.symbolic import STEPS, Grid, Part, nearest, performance_grid, windows


def score_of(notes, **more) -> Score:
    return Score((Track(np.array(notes), is_drum=True),), **more)


def test_positive_is_late():
    step, offset = nearest(np.array([0.25 + 0.025, 0.25 - 0.025]))
    assert step.tolist() == [1, 1]
    np.testing.assert_allclose(offset, [0.2, -0.2])


def test_the_loudest_hit_of_a_step_is_kept():
    grid = Part.of(score_of([[0, 9, 38, 30], [20, 9, 40, 100], [480, 9, 36, 60]])).grid
    assert grid.hit.sum() == 2
    assert grid.velocity[0, 1] == 100 / 127
    assert grid.offset[0, 1] == pytest.approx(20 / 60)


def test_windows_start_at_every_bar():
    grid = Part.of(score_of([[1920 * bar, 9, 36, 90] for bar in range(4)])).grid
    assert windows(grid).shape == (3, STEPS, 27)
    short = Part.of(score_of([[0, 9, 36, 90]])).grid
    assert windows(short).shape == (1, STEPS, 27)
    assert windows(short)[0, :, 0].sum() == 1


def test_a_flam_stays_a_flam():
    part = Part.of(score_of([[440, 9, 38, 30], [480, 9, 38, 100], [500, 9, 40, 20]]))
    hit = part.grid.hit
    feel = Grid(hit, 0.5 * hit, 0.5 * hit)
    notes = part.with_feel(feel).tracks[0].notes
    # the loudest goes to 0.5 half sixteenths (30 ticks) late and velocity 63.5
    assert notes[:, 0].tolist() == [470, 510, 530]
    assert notes[:, 3].tolist() == [1, 64, 1]
    exaggerated = part.with_feel(feel, timing=2).tracks[0].notes
    assert exaggerated[:, 0].tolist() == [500, 540, 560]


def test_no_note_starts_before_the_score():
    part = Part.of(score_of([[0, 9, 36, 90], [480, 9, 36, 90]]))
    hit = part.grid.hit
    notes = part.with_feel(Grid(hit, 0.7 * hit, -0.9 * hit)).tracks[0].notes
    assert notes[:, 0].tolist() == [0, 480 - 54]


def test_tempo_changes_are_followed():
    tempos = np.array([[0, 500_000], [960, 1_000_000]])
    part = Part.of(score_of([[12, 9, 36, 90], [972, 9, 36, 90]], tempos=tempos))
    np.testing.assert_allclose(part.late_ms, [12.5, 25])
    np.testing.assert_allclose(part.bar_tempos_bpm, [120])
    with_feel = part.with_feel(Grid(part.grid.hit, part.grid.velocity, 0 * part.grid.offset))
    assert with_feel.tracks[0].notes[:, 0].tolist() == [0, 960]


def test_bars_are_counted_from_the_metre():
    signatures = np.array([[0, 3, 4], [1440, 4, 4]])
    part = Part.of(score_of([[1440 + 60, 9, 36, 90]], time_signatures=signatures))
    assert part.start_tick == 1440
    np.testing.assert_allclose(part.beats, [0.125])


@pytest.mark.parametrize(
    ("score", "message"),
    [
        (Score(()), "has no drums"),
        (Score((Track(np.array([[0, 9, 60, 90]])),)), "has no drums"),
        (score_of([[0, 9, 76, 90]]), "none of them one of the nine"),
        (score_of([[0, 9, 36, 90]], time_signatures=np.array([[0, 3, 4]])), "3/4"),
        (
            score_of([[0, 9, 36, 90], [5000, 9, 36, 9]],
                     time_signatures=np.array([[0, 4, 4], [1920, 7, 8]])),
            "7/8",
        ),
    ],
)  # fmt: skip
def test_what_is_no_part_in_four_four(score, message):
    with pytest.raises(InputError, match=message):
        Part.of(score)


def test_the_grid_of_a_performance_is_that_of_its_score():
    one = load("test")[0]
    direct, by_score = performance_grid(one), Part.of(one.to_score()).grid
    np.testing.assert_array_equal(direct.hit, by_score.hit)
    np.testing.assert_allclose(direct.offset, by_score.offset)
    np.testing.assert_allclose(direct.velocity, by_score.velocity)
