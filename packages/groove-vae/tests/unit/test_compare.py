"""Comparing versions of a part: what was done is found, whatever the files."""

from __future__ import annotations

import numpy as np
import pytest

from groove_core.drums import KIT_DRUMS
from groove_core.errors import InputError
from groove_core.render import kits
from groove_core.render.kits import RATE, Hits
from groove_core.values import Audio, Score, Track
from groove_vae import compare, quantize
from groove_vae.performances import load

BAR_S = 4 * 60 / 100
BARS = 6


def rock(bars: int = BARS) -> Hits:
    """Give a rock beat on the grid, 100 bpm: kick, snare, hi-hat in eighths."""
    step_s = BAR_S / 16
    rows = [(step, 2, -10.0) for step in range(0, 16 * bars, 2)]
    for bar in range(bars):
        rows += [(16 * bar + s, d, -3.0) for s, d in ((0, 0), (4, 1), (8, 0), (10, 0), (12, 1))]
    rows.sort()
    step, drum, level = (np.array(column) for column in zip(*rows, strict=True))
    return Hits(0.05 + step * step_s, drum.astype(int), level)


def sound(hits: Hits, kit: int = 0, *, seed: int | None = None) -> Audio:
    dry = kits.play(hits, kits.general_midi(kit), float(hits.onset_s.max()) + 0.6)
    wet = dry if seed is None else kits.room(dry, np.random.default_rng(seed))
    return Audio(wet / max(1.0, float(np.abs(wet).max())), RATE)


def late(hits: Hits, at_s: float, ms: float = 0.0, db: float = 0.0) -> Hits:
    """Change what is hit at one moment."""
    here = np.abs(hits.onset_s - at_s) < 0.01
    assert here.any()
    return Hits(
        hits.onset_s + here * ms / 1000, hits.drum, np.minimum(hits.level_db + here * db, 0)
    )


SNARE_S = 0.05 + 2 * BAR_S + BAR_S / 4
"""The second beat of the third bar."""


@pytest.mark.parametrize(("kit", "seed"), [(0, None), (25, 3)])
def test_a_late_stroke_is_found_also_on_another_kit(kit, seed):
    played = sound(late(rock(), SNARE_S, ms=15), 48, seed=seed)
    programmed = sound(rock(), kit or 48, seed=None if seed is None else 4)
    found = compare(played, programmed)
    top = max(found.strokes, key=lambda one: one.divergence)
    assert top.onset_s == pytest.approx(SNARE_S + 0.015, abs=0.008)
    assert top.late_ms == pytest.approx(15, abs=6)
    others = [one.divergence for one in found.strokes if abs(one.onset_s - SNARE_S) > 0.2]
    assert top.divergence > 3 * np.median(others) + 0.1
    row = max(found.by_bar(), key=lambda row: row["divergence"])
    assert row["start_s"] - 0.1 < SNARE_S < row["start_s"] + BAR_S


def test_a_soft_stroke_and_a_ghost_note_are_found():
    hits = rock()
    soft = late(hits, SNARE_S, db=-12)
    ghost_s = 0.05 + 4 * BAR_S + 3.5 * BAR_S / 16
    ghost = Hits(
        np.append(soft.onset_s, ghost_s), np.append(soft.drum, 1), np.append(soft.level_db, -28.0)
    )
    found = compare(sound(ghost), sound(hits))
    by_time = sorted(found.strokes, key=lambda one: -one.divergence)[:3]
    assert any(abs(one.onset_s - SNARE_S) < 0.02 for one in by_time)
    at = round(ghost_s / found.step_s)
    assert found.curve[at - 4 : at + 5].max() > 20 * np.median(found.curve) + 0.05
    softer = min(found.strokes, key=lambda one: abs(one.onset_s - SNARE_S))
    assert softer.louder_db < -5


def test_scores_are_compared_hit_by_hit():
    played = load("test")[0].to_score()
    found = compare(played)
    assert {one.drum for one in found.strokes} >= {"kick", "snare", "closed hi-hat"}
    both = [one for one in found.strokes if one.where == "both"]
    assert len(both) > 0.9 * len(found.strokes)
    again = compare(played, quantize(played, dynamics=1))
    assert again.about["alignment"]["offset_s"] == 0
    assert compare(played, played).curve.max() == 0
    # what is far from the grid diverges more
    late_ms = np.array([abs(one.late_ms) for one in both])
    score = np.array([one.divergence for one in both])
    assert np.median(score[late_ms > 25]) > 1.5 * np.median(score[late_ms < 8])


def as_score(hits: Hits, tempo_bpm: float = 100.0) -> Score:
    """Write hits that were made at 100 bpm, at another tempo."""
    tick = np.round((hits.onset_s - 0.05) / (BAR_S / 16) * 120).astype(int)
    notes = np.stack([tick, np.full(len(tick), 60), np.array([36, 38, 42])[hits.drum],
                      np.full(len(tick), 100)], axis=1)  # fmt: skip
    return Score((Track(notes, is_drum=True),), tempos=np.array([[0, round(6e7 / tempo_bpm)]]))


def test_the_same_notes_at_another_tempo_are_the_same():
    found = compare(as_score(rock()), as_score(rock(), 124.0))
    assert found.about["alignment"]["tempo_ratio"] == pytest.approx(1.24, rel=1e-3)
    assert found.compared.mean() < 0.05
    assert {one.where for one in found.strokes} == {"both"}
    assert max(abs(one.late_ms) for one in found.strokes) < 2


def test_other_drums_are_another_part():
    hits = rock()
    with pytest.raises(InputError, match="do not agree|not sound alike"):
        compare(as_score(hits[hits.drum == 2]), as_score(hits[hits.drum != 2]))


def test_a_recording_against_a_score():
    hits = late(rock(), SNARE_S, ms=-20)
    moved = Hits(hits.onset_s + 1.5, hits.drum, hits.level_db)
    found = compare(sound(moved, 25, seed=1), as_score(rock()))
    assert found.about["alignment"]["offset_s"] == pytest.approx(1.55, abs=0.02)
    assert found.about["tempo_bpm"] == pytest.approx(100)
    snare = max(found.strokes, key=lambda one: one.divergence)
    assert snare.drum == "snare + closed hi-hat"
    assert (snare.bar, round(snare.beat)) == (3, 2)
    assert snare.late_ms == pytest.approx(-20, abs=7)


def test_a_recording_alone_is_put_on_its_grid():
    hits = late(rock(), SNARE_S, ms=25)
    found = compare(sound(hits))
    assert found.about["quantized"]
    assert {one.where for one in found.strokes} == {"both"}
    assert {one.louder_db for one in found.strokes} == {0.0}
    assert "do not count" in found.to_text()
    assert found.about["tempo_bpm"] == pytest.approx(100, rel=0.01)
    top = max(found.strokes, key=lambda one: one.divergence)
    assert top.onset_s == pytest.approx(SNARE_S + 0.025, abs=0.015)
    assert top.late_ms == pytest.approx(25, abs=8)


def test_other_start_other_tempo_other_length_and_stereo():
    hits = late(rock(), SNARE_S, ms=20)
    played = sound(hits)
    other = Hits(rock().onset_s * 1.1 + 0.7, rock().drum, rock().level_db)
    longer = Audio(np.pad(sound(other).samples, ((0, 0), (0, RATE))), RATE)
    stereo = Audio(np.concatenate([longer.samples, 0.3 * longer.samples]), RATE).resampled(44_100)
    found = compare(played, stereo)
    assert found.about["alignment"]["tempo_ratio"] == pytest.approx(1 / 1.1, rel=2e-3)
    top = max(found.strokes, key=lambda one: one.divergence)
    assert top.onset_s == pytest.approx(SNARE_S + 0.02, abs=0.01)


def test_an_excerpt_is_compared_where_it_overlaps():
    # no two bars alike, so that there is one place only
    rng = np.random.default_rng(0)
    steps = np.nonzero(rng.random(16 * 8) < 0.5)[0]
    hits = Hits(0.05 + steps * 0.15, rng.integers(0, 3, len(steps)), np.full(len(steps), -3.0))
    whole = sound(hits)
    found = compare(whole, whole.excerpt(6.0, 8.0), tempo_bpm=100)
    assert found.span_s[0] == pytest.approx(6.0, abs=0.02)
    inside = [one.where for one in found.strokes if 6.2 < one.onset_s < 13.8]
    assert inside.count("both") > 0.9 * len(inside)
    assert not found.curve[: round(5.9 / found.step_s)].any()
    assert all(5.9 < one.onset_s < 14.1 for one in found.strokes)


def test_measures_and_tone():
    played, programmed = sound(late(rock(2), 0.65, ms=20), 25), sound(rock(2), 48)
    curves = {m: compare(played, programmed, measure=m).curve for m in ("kl", "jeffreys")}
    back = compare(programmed, played, measure="jeffreys", tone="same").curve
    there = compare(played, programmed, measure="jeffreys", tone="same").curve
    n = min(len(back), len(there))
    np.testing.assert_allclose(back[:n], there[:n], rtol=1e-4, atol=1e-5)
    assert not np.allclose(curves["kl"], curves["jeffreys"])
    kept = compare(played, programmed, tone="same").curve
    assert kept.mean() > curves["kl"].mean()


def test_sample_by_sample_ghost_notes_are_hardly_seen(monkeypatch):
    """The picture of the first study: early strokes stand out, ghost notes do not."""
    monkeypatch.setattr("groove_vae.raw.STEPS", 60)  # enough for the picture
    step_s = 60 / 96 / 4
    onset_s = np.arange(8) * step_s + 0.05
    programmed = Hits(onset_s, np.array([0, 2, 1, 2, 1, 1, 0, 1]), np.full(8, -3.0))
    early = onset_s - 0.02 * (np.arange(8) < 3)
    ghosts = np.array([4, 5, 7])
    level = programmed.level_db.copy()
    level[ghosts] = -30.0
    soft = Hits(onset_s, programmed.drum, np.where(np.isin(np.arange(8), ghosts), -26.0, -3.0))
    played = Hits(early, programmed.drum, level)
    found = compare(sound(played), sound(soft, 25), raw=True, tempo_bpm=96, tone="same", seed=1)
    assert found.step_s == pytest.approx(1 / 44_100)
    assert round(60 / 96 / found.step_s) == 27_562

    def around(step: int) -> float:
        at = round((onset_s[step] - 0.02) / found.step_s)
        return float(found.curve[at : at + round(0.04 / found.step_s)].mean())

    moved = np.mean([around(step) for step in (0, 1, 2)])
    ghost = np.mean([around(step) for step in ghosts])
    assert moved > 5 * ghost


CLICKS = Audio(np.eye(1, RATE * 3, 100)[0], RATE)


@pytest.mark.parametrize(
    ("played", "programmed", "message"),
    [
        (Audio(np.zeros(RATE), RATE), None, "played part is silent"),
        (sound(rock(2)), Audio(np.zeros(RATE), RATE), "programmed part is silent"),
        (Audio(0.5 * np.sin(np.arange(4 * RATE) * 0.1), RATE), None, "No drums can be heard"),
        (CLICKS, None, "No drums can be heard"),
        (Score(()), None, "has no drums"),
        (sound(rock(2)), Score((Track(np.array([[0, 9, 60, 90]])),)), "has no drums"),
    ],
)
def test_what_cannot_be_compared(played, programmed, message):
    with pytest.raises(InputError, match=message):
        compare(played, programmed)


def test_parts_without_a_beat_or_in_common(monkeypatch):
    rng = np.random.default_rng(0)
    loose = [
        sound(Hits(np.sort(rng.uniform(0, 30, 90)), np.ones(90, int), np.full(90, -3.0)))
        for _ in range(2)
    ]
    with pytest.raises(InputError, match="No beat") as caught:
        compare(loose[0])
    assert "--tempo-bpm" in caught.value.hint
    with pytest.raises(InputError, match="do not agree|No beat"):
        compare(*loose)
    with pytest.raises(InputError, match="No beat"):
        compare(*loose, align=False)
    with pytest.raises(InputError, match="a few|are enough"):
        compare(sound(rock()), sound(rock()), raw=True)
    monkeypatch.setattr("groove_vae.versions.MAX_S", 5.0)
    with pytest.raises(InputError, match="at most an hour"):
        compare(sound(rock()))


def test_a_part_is_played_on_recorded_strokes_and_programmed_on_a_kit(tmp_path, capsys):
    for drum, shot in zip(KIT_DRUMS, kits.synthetic(103).shots, strict=True):
        Audio(shot / np.abs(shot).max(), RATE).save(
            tmp_path / f"{drum.name.replace(' ', '-')}-1.wav"
        )
    score = load("test")[0].to_score()
    found = compare(score, strokes=tmp_path)
    assert found.about["same_tone"] is False
    assert "left out as tone" in found.about["remarks"][-1]
    soundfont = compare(score)
    assert soundfont.about["same_tone"] is True
    # Notes are known on both sides: the kit changes how they sound, not when they are.
    assert [one.late_ms for one in found.strokes] == [one.late_ms for one in soundfont.strokes]
    assert not np.allclose(found.curve, soundfont.curve, atol=0.1)
    capsys.readouterr()
    compare(sound(rock()), strokes=tmp_path)
    assert "--strokes is ignored" in capsys.readouterr().err
