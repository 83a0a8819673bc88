"""The shipped twin, as the actions use it."""

from __future__ import annotations

import numpy as np
import pytest

from groove_core.errors import InputError, UsageError
from groove_core.storage import checkpoints
from groove_core.values import Report, Score, Track
from groove_vae import evaluate, humanize, quantize
from groove_vae.performances import load


def part(*notes, **more) -> Score:
    return Score((Track(np.array(notes), is_drum=True),), **more)


def test_a_programmed_part_is_played():
    programmed = quantize(load("test")[0].to_score(), dynamics=1)
    played = humanize(programmed, seed=1)
    before, after = programmed.tracks[0].notes, played.tracks[0].notes
    assert len(before) == len(after)
    assert (after[:, 0] % 120 != 0).mean() > 0.8
    assert after[:, 3].std() > 10
    assert humanize(programmed, seed=1) == played
    assert humanize(programmed, seed=2) != played
    again = humanize(programmed, temperature=0, seed=1)
    assert humanize(programmed, temperature=0, seed=2) == again


def test_timing_and_dynamics_apart():
    programmed = quantize(load("test")[0].to_score(), dynamics=1)
    assert humanize(programmed, timing=0, dynamics=0, seed=1) == programmed
    only_late = humanize(programmed, dynamics=0, seed=1).tracks[0].notes
    np.testing.assert_array_equal(
        np.sort(only_late[:, 3]), np.sort(programmed.tracks[0].notes[:, 3])
    )
    only_loud = humanize(programmed, timing=0, seed=1).tracks[0].notes
    np.testing.assert_array_equal(only_loud[:, :3], programmed.tracks[0].notes[:, :3])


@pytest.mark.parametrize(("more", "late_ms"), [({}, 0), ({"push": 12}, -12), ({"drag": 7.5}, 7.5)])
def test_a_part_is_as_late_on_the_whole_as_is_asked(more, late_ms):
    rows = [[240 * i, 60, pitch, 90] for i in range(8, 72) for pitch in (42, (36, 38)[i // 2 % 2])]
    programmed = part(*rows, tempos=np.array([[0, 400_000], [1920 * 4, 700_000]]))

    def onset_s(score):
        return float(score.seconds(score.tracks[0].notes[:, 0]).mean())

    for seed in range(4):
        made = humanize(programmed, seed=seed, **more)
        by_ms = 1000 * (onset_s(made) - onset_s(programmed))
        assert by_ms == pytest.approx(late_ms, abs=0.5)  # a bar line's tempo is not a hit's


def test_a_shift_needs_no_timing():
    programmed = part(*[[240 * i, 60, 36, 90] for i in range(1, 9)], ticks_per_quarter=480)
    moved = humanize(programmed, timing=0, dynamics=0, drag=10, seed=1)
    by_s = moved.seconds(moved.tracks[0].notes[:, 0]) - programmed.seconds(
        programmed.tracks[0].notes[:, 0]
    )
    np.testing.assert_allclose(by_s, 0.010, atol=3e-4)
    with pytest.raises(UsageError, match="3 ms early and 4 ms late"):
        humanize(programmed, push=3, drag=4)


@pytest.mark.parametrize("ticks", [24, 100, 480])
def test_notes_move_by_less_than_a_tick_of_the_file(ticks):
    rows = [[i * ticks // 2, 2, (36, 42)[i % 2], 90] for i in range(16)]
    programmed = part(*rows, ticks_per_quarter=ticks)
    played = humanize(programmed, seed=1)
    late_s = played.seconds(played.tracks[0].notes[:, 0]) - programmed.seconds(np.array(rows)[:, 0])
    assert len(set(late_s.round(6).tolist())) > 12
    assert played.ticks_per_quarter >= 960
    assert np.abs(late_s).max() < 0.06
    assert played.duration_s == pytest.approx(programmed.duration_s, abs=0.06)


@pytest.mark.parametrize(("us", "is_said"), [(3_000_000, True), (500_000, False)])
def test_a_tempo_that_the_model_does_not_know_is_said(us, is_said, capsys):
    humanize(part(*[[i * 240, 60, 36, 90] for i in range(8)], tempos=[[0, us]]), seed=1)
    assert ("outside 40 to 300 bpm" in capsys.readouterr().err) is is_said


@pytest.mark.parametrize("grid", ["8", "12", "16", "24", "32"])
def test_a_grid_finer_than_ticks_gets_ticks(grid):
    # 10 ticks have no thirds, no quarters and no eighths.
    loose = part(*[[i * 7, 2, 38, 90] for i in range(12)], ticks_per_quarter=10)
    made = quantize(loose, grid=grid)
    lines = made.tracks[0].notes[:, 0] / made.ticks_per_quarter * (int(grid) // 4)
    np.testing.assert_array_equal(lines, np.round(lines))
    moved_s = made.seconds(made.tracks[0].notes[:, 0]) - loose.seconds(loose.tracks[0].notes[:, 0])
    assert np.abs(moved_s).max() <= 0.5 * 2 / int(grid) + 1e-9  # half a line at 120 bpm
    assert quantize(made, grid=grid) == made


def test_style_and_drummer_are_heard():
    programmed = quantize(load("test")[0].to_score(), dynamics=1)
    made = [
        humanize(programmed, temperature=0, seed=1, **more)
        for more in ({}, {"style": "jazz"}, {"drummer": "drummer3"}, {"drummer": "drummer7"})
    ]
    assert len({str(one.to_json()) for one in made}) == 4
    with pytest.raises(UsageError, match="no style 'jaz'") as caught:
        humanize(programmed, style="jaz")
    assert "--style jazz" in caught.value.hint
    with pytest.raises(UsageError, match="no drummer 'me'"):
        humanize(programmed, drummer="me")


@pytest.mark.parametrize("action", [humanize, quantize])
def test_other_things_survive(action):
    drums = Track(
        np.array([[0, 33, 36, 90], [480, 44, 56, 70], [960, 50, 38, 80]]),
        name="kit", is_drum=True, controls=np.array([[10, 4, 64]]),
    )  # fmt: skip
    bass = Track(np.array([[7, 400, 40, 90]]), name="bass", program=33)
    tempos = np.array([[0, 500_000], [960, 400_000]])
    score = Score((bass, drums), tempos=tempos, markers=((5, "verse"),), lyrics=((9, "la"),))
    made = action(score, **({"seed": 3} if action is humanize else {}))
    same = score.at_resolution(made.ticks_per_quarter)
    assert made.tracks[0].to_json() == same.tracks[0].to_json()
    assert made.tracks[1].controls.tolist() == same.tracks[1].controls.tolist()
    assert made.tempos.tolist() == same.tempos.tolist()
    assert made.markers == same.markers
    assert made.lyrics == same.lyrics
    # the cowbell is not one of the nine drums
    assert same.tracks[1].notes[1].tolist() in made.tracks[1].notes.tolist()


@pytest.mark.parametrize(
    ("score", "message"),
    [
        (Score(()), "has no drums"),
        (Score((Track(np.array([[0, 9, 60, 90]])),)), "has no drums"),
        (part([0, 9, 36, 90], time_signatures=np.array([[0, 3, 4]])), "3/4"),
        (part(*([160 * i, 9, 42, 90] for i in range(24))), "triplets"),
    ],
)
def test_bad_input(score, message):
    with pytest.raises(InputError, match=message):
        humanize(score, seed=1)


def test_one_note():
    assert len(humanize(part([0, 9, 36, 90]), seed=1).tracks[0].notes) == 1


def test_thirty_minutes():
    notes = [[240 * i, 9, (36, 42, 38, 42)[i % 4], 90] for i in range(2 * 60 * 60)]
    score = part(*notes)
    assert score.duration_s > 1790
    played = humanize(score, seed=1)
    assert len(played.tracks[0].notes) == len(notes)
    assert abs(played.duration_s - score.duration_s) < 0.2


def test_the_card_is_measured_again():
    """On every fifth performance the shipped weights have the numbers of their card."""
    report = evaluate(about="symbolic", count=26, seed=1)
    card = checkpoints.read_card(checkpoints.find("groove-vae", "symbolic").path)
    told = Report.from_json(card["metrics"]["report"])
    for row in ("model, sampled", "model, mean", "quantized"):
        for column in ("timing MAE, ms", "velocity MAE"):
            now, then = report.cell(row, column), told.cell(row, column)
            assert now.low <= then.high, (row, column)
            assert then.low <= now.high, (row, column)
    assert told.cell("model, mean", "timing MAE, ms").value < 20
    assert (
        told.cell("model, mean", "timing MAE, ms").value
        < told.cell("mean per drum and step", "timing MAE, ms").value
        < told.cell("quantized", "timing MAE, ms").value
    )
    for column in ("timing KL", "velocity KL"):
        assert told.cell("model, sampled", column).value < 0.1
