"""Quantizing, mean feel, fingerprints."""

from __future__ import annotations

import numpy as np
import pytest

from groove_core.errors import InputError
from groove_core.learning import wilson
from groove_core.values import Score, Track
from groove_vae import fingerprint, quantize, transfer
from groove_vae.feel import Fingerprint, cell_means, fingerprint_of
from groove_vae.performances import load
from groove_vae.symbolic import Part
from groove_vae.twin_evaluation import drummers_named


def drums(*notes, **more) -> Score:
    return Score((Track(np.array(notes), is_drum=True),), **more)


def test_quantize_by_half():
    score = drums([70, 9, 36, 80], [500, 9, 36, 100], [960, 9, 42, 1])
    half = quantize(score, strength=0.5, dynamics=0.5).tracks[0].notes
    assert half.tolist() == [[95, 9, 36, 85], [490, 9, 36, 95], [960, 9, 42, 1]]


@pytest.mark.parametrize(
    ("grid", "tick"), [("8", 240), ("12", 160), ("16", 120), ("24", 160), ("32", 180)]
)
def test_quantize_to_each_grid(grid, tick):
    assert quantize(drums([165, 9, 36, 80]), grid=grid).tracks[0].notes[0, 0] == tick


def test_quantize_counts_from_the_metre():
    signatures = np.array([[0, 3, 4], [1450, 4, 4]])  # a bar that is 10 ticks too long
    score = drums([1460, 9, 36, 80], time_signatures=signatures)
    assert quantize(score).tracks[0].notes[0, 0] == 1450


def test_quantize_touches_drums_only():
    melody = Track(np.array([[7, 100, 60, 90]]), name="piano", controls=np.array([[3, 64, 127]]))
    hats = Track(np.array([[7, 9, 42, 90]]), is_drum=True, controls=np.array([[5, 4, 90]]))
    made = quantize(Score((melody, hats), tempos=np.array([[0, 400_000], [99, 500_000]])))
    assert made.tracks[0].to_json() == melody.to_json()
    assert made.tracks[1].notes.tolist() == [[0, 9, 42, 90]]
    assert made.tracks[1].controls.tolist() == [[5, 4, 90]]
    assert len(made.tempos) == 2
    with pytest.raises(InputError, match="no drums"):
        quantize(Score((melody,)))


def test_what_is_never_hit_gets_what_is_like_it():
    hit = np.zeros((32, 9), bool)
    values = np.zeros((32, 9))
    for step, drum, value in ((0, 0, 1.0), (16, 0, 3.0), (6, 0, 8.0), (4, 1, 5.0), (5, 1, 7.0)):
        hit[step, drum], values[step, drum] = True, value
    mean = cell_means(values, hit)
    assert mean[0, 0] == 2  # over both bars
    assert mean[4, 0] == 2  # kick on another beat
    assert mean[10, 0] == 8  # kick on the third sixteenth of another beat
    assert mean[1, 0] == 4  # kick anywhere
    assert mean[5, 2] == 7  # no hi-hat at all: any drum on the step
    assert mean[9, 2] == 7  # any drum at that place of the beat
    assert mean[3, 2] == pytest.approx(24 / 5)  # everything


def test_transfer_gives_late_loud_snares_to_another_part():
    laid_back = drums([0, 9, 36, 100], [480 + 24, 9, 38, 120], [960, 9, 36, 80])
    plain = drums([0, 9, 36, 64], [480, 9, 38, 64], [480, 9, 40, 30], [1440, 9, 38, 64],
                  ticks_per_quarter=480)  # fmt: skip
    made = transfer(laid_back, plain)
    assert made.ticks_per_quarter == 960  # so that a tick is finer than feel
    assert made.tracks[0].notes.tolist() == [
        [0, 18, 36, 100], [1008, 18, 38, 120], [1008, 18, 40, 86], [2928, 18, 38, 120],
    ]  # fmt: skip
    assert transfer(laid_back, plain, timing=0, dynamics=0) == plain


def test_a_fingerprint_by_hand():
    # 100 bpm: a tick is 1.25 ms
    notes = [0, 9, 38, 60], [1920 + 8, 9, 38, 80], [3840 + 16, 9, 38, 100]
    score = drums(*notes, tempos=np.array([[0, 600_000]]))
    one = fingerprint(score)
    assert one.count[0, 0, 1] == one.count.sum() == 3
    assert one.late_ms[0, 0, 1] == pytest.approx(10)
    assert one.late_ms_sd[0, 0, 1] == pytest.approx(10 * np.sqrt(2 / 3), abs=1e-4)
    assert one.velocity[0, 0, 1] == pytest.approx(80)
    # 1.96 s / sqrt(n), s the sample's standard deviation
    assert one.margin("late_ms")[0, 0, 1] == pytest.approx(1.96 * 10 / np.sqrt(3), abs=1e-4)
    assert np.isnan(one.margin("late_ms")[0, 1, 1])
    assert "snare" in one.to_text()
    assert "+" not in one.to_text()


def test_distances():
    parts = [Part.of(one.to_score()) for one in load("test")[:3]]
    prints = fingerprint_of(parts)
    distance = prints.distance(prints)
    np.testing.assert_allclose(np.diag(distance), 0)
    np.testing.assert_allclose(distance, distance.T)
    assert (distance[~np.eye(3, dtype=bool)] > 0).all()
    assert Fingerprint.from_json(prints.to_json()) == prints
    nothing = fingerprint_of([Part.of(drums([0, 9, 57, 90]))])
    assert np.isnan(prints.distance(nothing)).all()
    assert fingerprint_of([parts[0], Part.of(drums([0, 9, 57, 90]))]).to_json()["distances"][0] == [
        0, None,
    ]  # fmt: skip


def test_merged_is_as_one_performance():
    a, b = (drums(*([1920 * bar + late, 9, 36, loud] for bar, late, loud in rows)) for rows in
            (((0, 3, 50), (1, 9, 70)), ((0, 20, 90),)))  # fmt: skip
    both = drums([3, 9, 36, 50], [1929, 9, 36, 70], [3860, 9, 36, 90])
    merged = fingerprint([a, b]).merged("x")
    whole = fingerprint(both)
    for name in ("count", "late_ms", "late_ms_sd", "velocity", "velocity_sd"):
        np.testing.assert_allclose(getattr(merged, name), getattr(whole, name), atol=1e-9)


def test_a_fingerprint_is_drawn_and_tabled(tmp_path):
    prints = fingerprint([one.to_score() for one in load("test")[:2]])
    assert prints.save(tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    rows = prints.save(tmp_path / "a.csv").read_text().splitlines()
    assert len(rows) == 1 + (prints.count > 0).sum()
    assert Fingerprint.read(prints.save(tmp_path / "a.json")).to_text() == prints.to_text()
    assert "distances" in prints.to_text()


def test_bad_parts_among_good_ones(capsys):
    three = drums([0, 9, 36, 90], time_signatures=np.array([[0, 3, 4]]))
    found = fingerprint([three, drums([0, 9, 36, 90])])
    assert len(found.names) == 1
    assert "3/4" in capsys.readouterr().err
    with pytest.raises(InputError, match="3/4"):
        fingerprint(three)
    with pytest.raises(InputError, match="None of the 2 files"):
        fingerprint([three, three])


def test_the_fingerprint_names_the_drummer():
    right, total, drummers = drummers_named(load("test"))
    assert (total, drummers) == (40, 4)
    assert wilson(right, total).low > 0.5  # chance is 0.25
    assert drummers_named(load("validation")) is None


def test_wilson():
    share = wilson(27, 40)  # checked with statsmodels' proportion_confint
    assert share.value == 0.675
    assert share.low == pytest.approx(0.5202, abs=1e-3)
    assert share.high == pytest.approx(0.7992, abs=1e-3)
    assert wilson(0, 5).low == pytest.approx(0, abs=1e-12)
