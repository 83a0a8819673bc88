"""What is written, copied and sung on chords, against literal counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from groove_core.errors import InputError
from groove_core.tunes import HISTOGRAMS, MEASURES, Stretches
from melody_rnn import samples
from melody_rnn.lessons import Lesson
from melody_rnn.lines import HOLD, LOWEST, NOTE, OFF, OPEN, OPEN_ROOT, windows
from melody_rnn.samples import (
    _chord_tones,
    _of_others,
    copied,
    drawn,
    harmony,
    lines_of,
    long_lines,
    sampled,
    stream_of,
)
from melody_rnn.transformer import DENSITIES, REGISTERS


@pytest.fixture(scope="module")
def lesson(tunes_of):
    return Lesson(tunes_of(["train"] * 4 + ["validation"] + ["test"] * 3, chords=True), "basic")


# --- real tunes ------------------------------------------------------------------------------


def test_the_first_sixteen_bars_without_a_pickup(line_of):
    lines = [
        line_of(256, seed=1), line_of(255, seed=2), line_of(300, seed=3),
        line_of(272, lead=10, seed=4), line_of(271, lead=10, seed=5), line_of(400, bar=12, seed=6),
    ]  # fmt: skip
    lines[3] = replace(lines[3], root=np.arange(272) % 12, chord=np.arange(272))
    found, owners = long_lines(lines, [10, 11, 12, 13, 14, 15])
    assert owners == [10, 12, 13]
    assert [len(line) for line in found] == [256] * 3
    assert found[1].events.tolist() == lines[2].events[:256].tolist()
    assert found[2].events.tolist() == lines[3].events[16:].tolist()
    assert (found[2].root[0], found[2].chord[0], found[2].lead) == (16 % 12, 16, 0)


# --- copies ----------------------------------------------------------------------------------


def literal_share(learnt, line, size: int) -> float:
    """Compare every stretch with every one, note for note: intervals, rests and rhythm."""

    def stretches(one):
        for first in range(len(one) - size + 1):
            events = one.events[first : first + size].tolist()
            pitches = [e for e in events if e >= NOTE]
            if len(pitches) >= max(3, size / 4):
                yield tuple(e if e < NOTE else ("note", e - pitches[0]) for e in events)

    known = {stretch for one in learnt for stretch in stretches(one)}
    mine = list(stretches(line))
    return np.mean([stretch in known for stretch in mine]) if mine else np.nan


@pytest.mark.parametrize("size", [4, 8])
def test_copies_against_brute_force(line_of, size):
    """Of few kinds of events, so that some stretches are there and some are not."""
    rng = np.random.default_rng(5)
    kinds = np.array([HOLD, HOLD, OFF, NOTE, NOTE + 2, NOTE + 12, NOTE + 14])
    lines = [line_of(rng.choice(kinds, 48)) for _ in range(9)]
    learnt, mine = lines[:5], lines[5:]
    for number, line in enumerate(mine):  # quotations, two of them transposed
        quoted = learnt[number].events[10:30]
        line.events[5:25] = np.where(quoted >= NOTE, quoted + 3 * (number % 2), quoted)
    found = Stretches(stream_of(learnt), size)
    shares = found.share(stream_of(mine))
    wanted = [literal_share(learnt, line, size) for line in mine]
    np.testing.assert_allclose(shares, wanted)
    assert 0 < np.mean(shares) < 1
    [estimate] = copied({size: found}, mine)
    assert estimate.value == pytest.approx(np.mean(wanted))


def test_a_transposed_copy_is_one_and_a_silent_melody_has_no_share(line_of):
    tune = line_of(np.tile([NOTE + 12, HOLD, NOTE + 14, NOTE + 17], 8))
    higher = line_of(np.where(tune.events >= NOTE, tune.events + 5, tune.events))
    other = line_of(np.tile([NOTE + 12, NOTE + 13, NOTE + 14, NOTE + 15], 8))
    silent = line_of([HOLD] * 32)
    learnt = {size: Stretches(stream_of([tune]), size) for size in (8, 16)}
    assert [one.value for one in copied(learnt, [higher, silent])] == [1, 1]
    assert [one.value for one in copied(learnt, [higher, other])] == [0.5, 0.5]
    assert all(np.isnan(one.value) for one in copied(learnt, [silent]))
    sure = copied(learnt, [higher, other] * 20, [3, 8] * 20)[0]
    assert (sure.low, sure.high) == (0, 1)  # two tunes, whatever their number of melodies


# --- writing ---------------------------------------------------------------------------------


def test_a_melody_is_the_same_in_every_batch(networks, lesson, monkeypatch):
    like = windows(long_lines(*lesson.part("test"))[0], 32).pick(np.arange(8))
    for network in (networks["transformer"], networks["basic"]):
        whole = drawn(network, like, 3)
        monkeypatch.setattr(samples, "AT_ONCE", 5)
        assert np.array_equal(drawn(network, like, 3), whole)
        assert not np.array_equal(drawn(network, like, 4), whole)
        assert whole.shape == (8, 32)


@pytest.mark.parametrize("chords", [True, False])
def test_only_chords_are_told_if_any(network, lesson, monkeypatch, chords):
    told = []

    def write(network, steps, random, *, on, top_p):
        told.append(on)
        return np.zeros((len(random), steps), np.int64)

    monkeypatch.setattr(samples, "write", write)
    like = windows(long_lines(*lesson.part("test"))[0], 256)
    drawn(network, like, 1, chords=chords)
    [on] = told
    assert (on.density == DENSITIES).all()
    assert (on.register == REGISTERS).all()
    assert (on.metre == 0).all()
    assert (on.mode != OPEN).all()
    assert np.array_equal(on.chord.numpy(), like.chord) is chords
    assert (on.root == OPEN_ROOT).all().item() is not chords


# --- the report ------------------------------------------------------------------------------


def test_a_report_of_melodies(networks, lesson, monkeypatch):
    monkeypatch.setattr(samples, "BARS", 6)  # quicker than sixteen
    some = {name: networks[name] for name in ("basic", "transformer")}
    report = sampled(some, lesson, count=4, seed=1)
    rows = {row[0]: dict(zip(report.columns, row, strict=True)) for row in report.rows}
    names = list(rows)
    assert names[:3] == ["held-out tunes", "training tunes", "chance"]
    assert names[3] == "n-grams"
    assert names[4:] == ["basic", "transformer"]
    assert [row["melodies"] for row in rows.values()] == [3, 4, 4, 4, 4, 4]
    real, copies = rows["held-out tunes"], rows["training tunes"]
    for name in HISTOGRAMS:
        assert real[f"{name}, like real ones"].value == pytest.approx(1)
        assert 0 < rows["chance"][f"{name}, like real ones"].value < 1
    for size in (8, 16, 32):
        assert copies[f"copied, {size} steps"].value == 1
        assert rows["chance"][f"copied, {size} steps"].value == 0
    assert real["copied, 32 steps"].value < 0.5
    assert real["notes a bar"].value == 8
    assert set(MEASURES) < set(report.columns)
    again = sampled({"basic": networks["basic"]}, lesson, count=4, seed=1)
    assert again.to_json()["rows"] == report.to_json()["rows"][:5]


def test_copies_of_tunes_that_were_brought_into_36_notes_are_found(tunes_of, monkeypatch):
    """The networks know them as they were brought: so are they looked for."""
    from groove_core.tunes import TuneSet

    monkeypatch.setattr(samples, "BARS", 6)
    tunes = tunes_of(["train", "test"])
    wide = []
    for number in range(2):
        tune = tunes.tune(number)
        [sheet] = tune.melodies
        notes = sheet.notes.copy()
        notes[::3, 2] += 36
        wide.append(replace(tune, melodies=(replace(sheet, notes=notes),)))
    report = sampled({}, Lesson(TuneSet.of(wide), "basic"), count=2, seed=1)
    rows = {row[0]: dict(zip(report.columns, row, strict=True)) for row in report.rows}
    assert [rows["training tunes"][f"copied, {n} steps"].value for n in (8, 16, 32)] == [1, 1, 1]


def test_without_long_tunes_there_is_no_report(networks, tunes_of):
    short = Lesson(tunes_of(["train", "test"], bars=15), "basic")
    with pytest.raises(InputError, match="sixteen bars"):
        sampled(networks, short, count=2, seed=1)


# --- chords ----------------------------------------------------------------------------------

C_MAJOR, A_MINOR = 0b000010010001, 0b001000010001


def test_chord_tones_by_hand():
    """Beats one and three of a bar; what was begun before sounds on."""
    events, chord = np.full((5, 32), HOLD), np.full((5, 32), C_MAJOR)
    chord[:, 16:] = A_MINOR
    at = NOTE - LOWEST
    events[0, [0, 8, 16]] = [at + 60, at + 62, at + 69]  # C and D on C major; A held on A minor
    events[1, [1, 7, 9, 20]] = [at + 64, OFF, at + 67, at + 65]  # silent, silent, G of before, F
    events[2, 4] = at + 76  # E, which is in both
    chord[3] = 0  # no chord is known
    events[3, 0] = at + 60
    found = _chord_tones(events, chord)  # the last one is silent
    np.testing.assert_allclose(found, [3 / 4, 0, 1, np.nan, np.nan])


def test_the_next_melody_of_another_tune():
    assert _of_others([4, 4, 4, 9, 9, 2]) == [3, 3, 3, 5, 5, 0]
    assert _of_others([1, 2, 1]) == [1, 2, 1]


def test_harmony_of_a_singer_who_sings_what_it_is_told(network, lesson, monkeypatch):
    def singer(network, like, seed, *, chords=False):
        events = np.full(like.events.shape, HOLD)
        # Roots, or C sharp, which is in none of the chords.
        events[:, ::4] = np.where(chords, like.root[:, ::4], 1) + NOTE
        return events

    monkeypatch.setattr(samples, "drawn", singer)
    rows = {row[0]: row[1:] for row in harmony(network, lesson, seed=1).rows}
    assert rows["told the chords"][0].value == 1
    assert rows["not told"][0].value == 0
    assert 0 < rows["told, of another tune"][0].value < 1
    assert 0 < rows["the tune itself"][0].value < 1
    assert {count for _, count in rows.values()} == {3}
    test = windows(long_lines(*lesson.part("test"))[0], 256)
    wanted = _chord_tones(singer(network, test, 1, chords=True)[[1, 2, 0]], test.chord).mean()
    assert rows["told, of another tune"][0].value == pytest.approx(wanted)


def test_a_silent_singer_counts_nowhere(network, lesson, monkeypatch):
    def silent(network, like, seed, *, chords=False):
        events = np.where(np.arange(len(like))[:, None] > 0, HOLD, like.events)
        return events if chords else np.zeros_like(events)

    monkeypatch.setattr(samples, "drawn", silent)
    rows = {row[0]: row[1] for row in harmony(network, lesson, seed=1).rows}
    assert rows["told the chords"].value > 0.1
    assert rows["not told"] is None  # a report shows nothing for what is no number


def test_two_tunes_with_chords_are_needed(network, tunes_of):
    for parts, chords in ((["test"], True), (["test"] * 3, False)):
        with pytest.raises(InputError, match="Fewer than two test tunes"):
            harmony(network, Lesson(tunes_of(parts, chords=chords), "basic"), seed=1)


def test_lines_of_events_and_their_stream():
    lines = lines_of(np.array([[NOTE, HOLD, OFF, NOTE + 35]]))
    assert (lines[0].bar, lines[0].grid) == (16, 4)
    assert stream_of(lines).events.tolist() == [48, -2, -1, 83]
