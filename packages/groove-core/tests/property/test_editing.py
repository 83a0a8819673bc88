"""Edited scores: against pretty_midi, against slow literal versions, and by laws."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from groove_core.errors import UsageError
from groove_core.values.scores.score import Score, Track

TPQ = 48
quick = settings(max_examples=40, deadline=None)
tick = st.integers(0, 400)
note = st.tuples(tick, st.integers(1, 90), st.integers(50, 54), st.integers(1, 127))
control = st.tuples(tick, st.sampled_from([0, 1, 7, 64, 120, 121]), st.integers(0, 127))
bend = st.tuples(tick, st.integers(-8192, 8191))


def _apart(notes):
    """Leave out notes that begin while their pitch sounds, which MIDI cannot tell apart."""
    kept, free = [], {}
    for start, length, pitch, velocity in sorted(notes):
        if start >= free.get(pitch, 0):
            kept.append((start, length, pitch, velocity))
            free[pitch] = start + length
    return kept


def _track(notes, controls, bends, name, program, drums):
    return Track(
        np.array(_apart(notes), np.int64).reshape(-1, 4), name, program, drums, controls, bends
    )


track = st.builds(
    _track, st.lists(note, max_size=8), st.lists(control, max_size=5), st.lists(bend, max_size=3),
    st.sampled_from(["", "a", "b"]), st.integers(0, 2), st.booleans(),
)  # fmt: skip
score = st.builds(
    lambda tracks, tempos, metres, keys, lyrics, end: Score(
        tuple(tracks), TPQ, tempos, metres, keys, (), lyrics, end
    ),
    st.lists(track, min_size=1, max_size=3),
    st.lists(st.tuples(tick, st.sampled_from([250_000, 500_000, 750_000])), max_size=3),
    st.lists(
        st.tuples(tick, st.sampled_from([3, 4, 6]), st.sampled_from([2, 4, 8])), max_size=3
    ),
    st.lists(st.tuples(tick, st.integers(-7, 7), st.integers(0, 1)), max_size=2),
    st.lists(st.tuples(tick, st.sampled_from(["la", "li"])), max_size=3),
    st.integers(1, 600),
)  # fmt: skip


def _at(rows, tick, default):
    """Read what a table says at a tick, row by row."""
    for row in np.asarray(rows).tolist():
        if row[0] <= tick:
            default = row[1:]
    return default


def _controllers(track, tick):
    """Play controllers as a synthesizer does; a reset sets most of them back."""
    state = {}
    for at, number, value in track.controls.tolist():
        if at <= tick:
            if number == 121:
                state = {c: v for c, v in state.items() if c in (0, 7)}
            if number != 120:
                state[number] = value
    return state


@quick
@given(score, tick, st.integers(1, 300))
def test_a_slice_sounds_as_the_score_did(score, start, length):
    if start >= score.end_tick:
        with pytest.raises(UsageError, match="nothing between"):
            score.slice_ticks(start, start + length)
        return
    cut = score.slice_ticks(start, start + length)
    assert cut.end_tick == length
    for before, after in zip(score.tracks, cut.tracks, strict=True):
        expected = []
        for at, lasts, pitch, velocity in before.notes.tolist():
            first, last = max(at, start), min(at + lasts, start + length)
            if first < last and (at >= start or not before.is_drum):
                expected.append([first - start, last - first, pitch, velocity])
        assert sorted(after.notes.tolist()) == sorted(expected)
        for inside in range(0, length, 7):
            assert _controllers(after, inside) == _controllers(before, start + inside)
    for inside in range(0, length, 7):
        for name, default in (
            ("tempos", [500_000]), ("time_signatures", [4, 4]), ("key_signatures", [0, 0])
        ):  # fmt: skip
            held = _at(getattr(score, name), start + inside, default)
            assert _at(getattr(cut, name), inside, default) == held
    sung = [(at - start, text) for at, text in score.lyrics if start <= at < start + length]
    assert list(cut.lyrics) == sung


def _heard(score):
    """List the notes as pretty_midi reads them, in seconds."""
    return sorted(
        (i.is_drum, i.program, n.pitch, n.velocity, round(n.start, 3), round(n.end, 3))
        for i in score.to_pretty_midi().instruments for n in i.notes
    )  # fmt: skip


@quick
@given(score, score)
def test_pretty_midi_hears_one_score_behind_the_other(one, other):
    seam = one.duration_s
    expected = _heard(one) + [
        (d, p, n, v, round(start + seam, 3), round(end + seam, 3))
        for d, p, n, v, start, end in _heard(other)
    ]
    joined = Score.join([one, other])
    np.testing.assert_allclose(_heard(joined), sorted(expected), atol=2e-3)
    assert joined.duration_s == pytest.approx(one.duration_s + other.duration_s)
    # The bars of the second are where they were.
    starts = [one.end_tick + at for at in other.bar_ticks(range(other.bars)).tolist()]
    assert joined.bar_ticks(range(one.bars, joined.bars)).tolist() == starts


@quick
@given(score, score)
def test_what_is_joined_can_be_cut_apart(one, other):
    joined = Score.join([one, other])
    again = joined.slice_ticks(one.end_tick, joined.end_tick)
    tracks = [t for t in again.tracks if len(t.notes)]
    rows = sorted(row for t in tracks for row in t.notes.tolist())
    assert rows == sorted(row for t in other.tracks for row in t.notes.tolist())
    for at in range(0, other.end_tick, 11):
        assert again.tempo_at(at) == other.tempo_at(at)
        assert _at(again.time_signatures, at, [4, 4]) == _at(other.time_signatures, at, [4, 4])


@quick
@given(score, st.floats(0, 5), st.floats(0.1, 5))
def test_a_slice_of_seconds_lasts_as_long(score, start_s, length_s):
    if start_s >= score.duration_s:
        with pytest.raises(UsageError, match="nothing between"):
            score.slice_seconds(start_s, start_s + length_s)
        return
    cut = score.slice_seconds(start_s, start_s + length_s)
    a_tick = 0.75 / TPQ
    expected = min(length_s, score.duration_s - start_s)
    assert cut.duration_s == pytest.approx(expected, abs=a_tick + 1e-6)


@quick
@given(score, st.integers(-12, 12), st.integers(-12, 12))
def test_transposing_adds_up_and_leaves_drums(score, one, other):
    twice = score.transpose(one).transpose(other)
    once = score.transpose(one + other)
    for before, after, same in zip(score.tracks, twice.tracks, once.tracks, strict=True):
        assert np.array_equal(after.notes, same.notes)
        moved = after.notes[:, 2] - before.notes[:, 2]
        assert (moved == (0 if before.is_drum else one + other)).all()
    # Enharmonic spelling may differ, the tonic may not.
    tonic = (7 * (once.key_signatures[:, 1] - score.key_signatures[:, 1]) - one - other) % 12
    assert not tonic.any()
    assert np.array_equal(score.transpose(one).transpose(-one).tracks[0].notes,
                          score.tracks[0].notes)  # fmt: skip


def _nearest(at, starts, step):
    """Find the nearest point of a grid that begins anew at each start; a tie goes later."""
    points = set()
    for start, after in zip(starts, [*starts[1:], 700], strict=True):
        number = 0
        while start + number * step < after:
            points.add(start + number * step)
            number += 1
    return min(points, key=lambda point: (abs(point - at), -point))


@quick
@given(score, st.sampled_from([1, 2, 3, 4, 6, 12]))
@example(Score((Track([[72, 1, 50, 1]]),), TPQ, time_signatures=[[97, 3, 2]]), 1)
def test_quantized_notes_lie_on_the_grid_of_their_metre(score, steps):
    quantized = score.quantize(steps)
    starts = sorted({0, *score.time_signatures[:, 0].tolist()})
    step = Fraction(TPQ, steps)
    for before, after in zip(score.tracks, quantized.tracks, strict=True):
        found = {}
        for at, lasts, pitch, velocity in before.notes.tolist():
            begin, end = _nearest(at, starts, step), _nearest(at + lasts, starts, step)
            end = max(end, _nearest(begin + step, starts, step))
            row = (velocity, end - begin)
            found[begin, pitch] = max(found.get((begin, pitch), (0, 0)), row)
        rows = [[at, n, p, v] for (at, p), (v, n) in found.items()]
        assert sorted(after.notes.tolist()) == sorted(rows)
    assert [at for at, _ in quantized.lyrics] == [
        _nearest(at, starts, step) for at, _ in score.lyrics
    ]
    again = quantized.quantize(steps)
    assert [t.notes.tolist() for t in again.tracks] == [t.notes.tolist() for t in quantized.tracks]


@quick
@given(score, st.floats(0.25, 4))
def test_a_stretched_score_lasts_as_many_times_as_long(score, factor):
    stretched = score.stretch(factor)
    ticks = np.arange(0, score.end_tick + 1, 5)
    np.testing.assert_allclose(stretched.seconds(ticks), factor * score.seconds(ticks), rtol=1e-5)
    assert stretched.tracks[0].notes is score.tracks[0].notes
