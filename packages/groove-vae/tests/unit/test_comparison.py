"""What a comparison shows and keeps."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from groove_core.errors import InputError, UsageError
from groove_vae.alignment import Beats
from groove_vae.comparison import Comparison, Stroke


def made(seconds: float = 4.0, **more) -> Comparison:
    step_s = 0.01
    curve = np.zeros(round(seconds / step_s))
    curve[205:215] = 5.0
    beats = Beats(
        np.arange(0, seconds, 0.5),
        np.arange(int(2 * seconds)) // 4 + 1,
        np.arange(int(2 * seconds)) % 4 + 1,
    )
    strokes = (
        Stroke(0.0, 1, 1.0, "kick", "both", -3.0, 1.5, 0.1),
        Stroke(1.98, 2, 0.96, "snare", "both", -20.0, None, 4.0),
        Stroke(2.5, 2, 2.0, "", "played", None, None, 0.2),
    )
    outlines = np.abs(np.random.default_rng(0).normal(0, 0.2, (2, 50))).clip(0, 1)
    about = {"tempo_bpm": 120.0, **more}
    return Comparison("kl", step_s, curve, strokes, beats, outlines, (0.0, seconds), about)


def test_nothing_is_lost(tmp_path):
    one = made()
    assert Comparison.from_json(json.loads(json.dumps(one.to_json()))) == one
    assert Comparison.read(one.save(tmp_path / "x.json")) == one
    with (one.save(tmp_path / "x.csv")).open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["drum"] for row in rows] == ["kick", "snare", ""]
    assert rows[1]["late_ms"] == "-20.0"
    assert rows[2]["late_ms"] == ""
    for name in ("x.png", "x.txt"):
        assert one.save(tmp_path / name).stat().st_size > 100


def test_bars_and_beats_are_summed():
    bars = made().by_bar()
    assert [row["bar"] for row in bars] == [1, 2]
    assert bars[0]["divergence"] == pytest.approx(0)
    assert bars[1]["divergence"] == pytest.approx(50 / 203, rel=0.02)
    assert (bars[0]["strokes"], bars[1]["strokes"]) == (1, 2)
    # the early snare belongs to the bar it was meant for
    assert bars[1]["late_ms"] == -20
    assert bars[1]["louder_db"] is None
    beats = made().by_beat()
    assert [(row["bar"], row["beat"], row["strokes"]) for row in beats[4:6]] == [
        (2, 1, 1),
        (2, 2, 1),
    ]


def test_text_names_what_is_most_different():
    text = made(remarks=["both begin together"]).to_text()
    assert "2 strokes in both, 1 only in the played part" in text
    assert "both begin together" in text
    assert "-20.0 ms" in text
    assert "only in the played part" in text
    assert repr(made()) == "Comparison(4.0 s, 3 strokes)"


def test_long_parts_are_drawn_where_they_differ(tmp_path):
    one = made(60.0)
    assert one._most_different()[0] <= 2.05
    assert one._most_different()[1] > 2.15
    axes = one.plot()
    assert len(axes.child_axes) == 3
    assert len(made().plot().child_axes) == 2


def test_no_curve_no_comparison(tmp_path):
    one = made()
    for curve in (np.zeros(0), np.array([np.nan])):
        with pytest.raises(UsageError, match="curve"):
            Comparison("kl", 0.01, curve, (), one.beats, one.outlines, (0, 4))
    (tmp_path / "x.json").write_text('{"kind": "comparison"}')
    with pytest.raises(InputError):
        Comparison.read(tmp_path / "x.json")
