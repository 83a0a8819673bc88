"""What is asked for, and what comes: ranges, long primers, gaps, what stays as it was."""

from __future__ import annotations

import numpy as np
import pytest

from groove_core.errors import UsageError
from groove_core.values import LeadSheet
from melody_rnn import composing
from melody_rnn.composing import CONTEXT, Wish, fitted, playable, windows
from melody_rnn.rules import contour_of
from melody_rnn.training import TransformerTraining


def tune(*pitches: int, bars: int = 4, velocity: int = 70) -> LeadSheet:
    """Return quarter notes in 4/4 that go through some pitches again and again."""
    notes = [[4 * n, 4, pitches[n % len(pitches)], velocity] for n in range(4 * bars)]
    return LeadSheet(np.array(notes), name="the tune")


def written(take, first: int = 0, end: int = 2**20) -> np.ndarray:
    """Return the pitches of the notes that begin in some steps."""
    notes = take.notes
    return notes[(notes[:, 0] >= first) & (notes[:, 0] < end), 2]


# --- ranges ----------------------------------------------------------------------------------


@pytest.mark.parametrize("middle", [5, 30, 60, 96, 122])
def test_what_is_given_stays_where_it_is_and_the_rest_comes_near_it(network, middle):
    primer = tune(middle, middle + 2, middle + 4, middle - 1)
    for take in composing.extend(network, primer, 4, Wish(), 3, 1):
        assert take.notes[:16].tolist() == primer.notes.tolist()
        new = written(take, primer.length)
        assert len(new) > 10
        assert abs(new.mean() - middle) < 18
        assert 0 <= new.min() <= new.max() <= 127


@pytest.mark.parametrize(
    ("low", "high"), [(24, 40), (28, 40), (60, 62), (90, 108), (48, 83), (0, 20), (110, 127)]
)
def test_what_is_written_lies_in_any_range_that_is_asked_for(network, low, high, capsys):
    primer = tune(60, 64, 67, 65)
    takes = [
        *composing.extend(network, primer, 4, Wish(low, high), 2, 1),
        *composing.fill(network, primer, (2, 3), Wish(low, high), 2, 1),
    ]
    for take, (first, end) in zip(takes, [(64, 128)] * 2 + [(16, 48)] * 2, strict=True):
        new = written(take, first, end)
        assert len(new) > 8
        assert low <= new.min() <= new.max() <= high
        outside = (take.notes[:, 0] < first) | (take.notes[:, 0] >= end)
        kept = primer.notes[(primer.notes[:, 0] < first) | (primer.notes[:, 0] >= end)]
        assert take.notes[outside].tolist() == kept.tolist()
    said = capsys.readouterr().err
    assert ("read" in said) == ("16 of 16 notes lie outside of MIDI" in said)
    assert ("read" in said) == (high < 48 or low > 83)


def test_a_bass_line_goes_on_as_a_bass_line(network):
    primer = tune(28, 31, 33, 40)
    new = written(composing.extend(network, primer, 8, Wish(), 1, 1)[0], primer.length)
    assert new.max() < 60
    assert np.median(new) < 48


def test_new_melodies_lie_in_the_range(network):
    blank = composing.blank(network, 8, key="Eb")
    for low, high in ((30, 42), (55, 81), (96, 98)):
        for take in composing.sample(network, blank, Wish(low, high), 2, 1):
            pitches = written(take)
            assert low <= pitches.min() <= pitches.max() <= high


def test_a_wide_range_has_all_36_notes():
    for low, high in ((None, None), (0, 127), (40, None), (None, 90)):
        line = fitted(tune(60, 64), Wish(low, high))
        assert playable(line.shift, Wish(low, high)).sum() == 38


def test_no_note_beyond_midi():
    assert playable(-48, Wish()).sum() == 2 + 127 - 96 + 1


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        (Wish(70, 60), "The lowest note, 70, is above the highest one, 60"),
        (Wish(61, 61, composing.scale_of("major", "C")), "No note of the scale lies between 61"),
    ],
)
def test_impossible_ranges(network, wish, says):
    with pytest.raises(UsageError, match=says):
        composing.extend(network, tune(60, 62), 2, wish, 1, 1)


def test_notes_outside_of_the_36_are_read_in_another_octave_and_that_is_said(network, capsys):
    wide = tune(30, 60, 64, 96)
    [take] = composing.extend(network, wide, 2, Wish(), 1, 1)
    assert take.notes[:16].tolist() == wide.notes.tolist()
    said = capsys.readouterr().err
    assert "the tune: 4 of 16 notes lie outside of MIDI" in said or "8 of 16 notes" in said


# --- what is kept ----------------------------------------------------------------------------


@pytest.mark.parametrize("pitches", [(60, 64, 67, 72, 71), (30, 60, 64, 96, 90, 41)])
@pytest.mark.parametrize("amount", [0.3, 1.0])
def test_what_is_to_be_kept_is_kept(network, pitches, amount):
    """Also where the melody is wider than the networks know."""
    melody = tune(*pitches)
    for keep in ("rhythm", "pitch", "contour"):
        takes = composing.vary(network, melody, keep, amount, Wish(), 3, 1)
        assert any(take.notes.tolist() != melody.notes.tolist() for take in takes)
        for take in takes:
            if keep == "pitch":
                assert take.notes[:, 2].tolist() == melody.notes[:, 2].tolist()
            else:
                assert take.notes[:, [0, 1]].tolist() == melody.notes[:, [0, 1]].tolist()
            if keep == "contour":
                found, wanted = contour_of(take.notes[:, 2]), contour_of(melody.notes[:, 2])
                assert found.tolist() == wanted.tolist()


def test_nothing_is_varied_by_nothing(network):
    melody = tune(30, 60, 64, 96)
    for keep in ("rhythm", "pitch", "contour", "nothing"):
        [take] = composing.vary(network, melody, keep, 0.0, Wish(), 1, 1)
        assert take.notes.tolist() == melody.notes.tolist()
        assert take.given == ((0, melody.length),)


def test_what_is_new_is_as_loud_as_the_rest(network):
    [take] = composing.extend(network, tune(60, 64, velocity=40), 2, Wish(), 1, 1)
    assert set(take.notes[:, 3].tolist()) == {40}
    loud = tune(60, 64)
    notes = loud.notes.copy()
    notes[:, 3] = np.arange(50, 50 + len(notes))
    [take] = composing.vary(network, LeadSheet(notes), "rhythm", 1.0, Wish(), 1, 1)
    assert take.notes[:, 3].tolist() == notes[:, 3].tolist()


def test_several_melodies_are_those_of_their_seeds(network):
    blank = composing.blank(network, 4, metre="3/4", chords="Am F | C G")
    several = composing.sample(network, blank, Wish(55, 81), 3, 7)
    for number, take in enumerate(several):
        assert composing.sample(network, blank, Wish(55, 81), 1, 7 + number) == [take]
    assert len({take.notes.tobytes() for take in several}) == 3


# --- long melodies ---------------------------------------------------------------------------


def test_the_context_is_what_was_learnt():
    assert TransformerTraining.steps == CONTEXT


@pytest.mark.parametrize("bar", [16, 12, 6, 18])
@pytest.mark.parametrize("seed", range(6))
def test_parts_of_a_line_hold_all_that_is_missing_in_order(bar, seed):
    rng = np.random.default_rng(seed)
    steps = int(rng.integers(1, 3000))
    missing = np.repeat(rng.random(-(-steps // bar)) < rng.choice([0.05, 0.5, 1]), bar)[:steps]
    left = missing.copy()
    for first, end in windows(missing, bar):
        assert first % bar == 0
        assert end - first <= CONTEXT
        assert end == steps or end - first == CONTEXT // bar * bar
        assert not left[:first].any()  # all before it is known by then
        assert left[first:end].any()
        left[:end] = False
    assert not left.any()


def test_a_line_that_can_be_seen_at_once_is_one_part():
    assert list(windows(np.ones(CONTEXT, bool), 16)) == [(0, CONTEXT)]
    assert list(windows(np.zeros(9, bool), 16)) == []
    gap = np.zeros(80 * 16, bool)
    gap[40 * 16 : 42 * 16] = True
    assert list(windows(gap, 16)) == [(24 * 16, 56 * 16)]


@pytest.fixture
def seen(monkeypatch) -> list[int]:
    """Keep the steps of each part that a network is given."""
    steps: list[int] = []
    write = composing.write

    def watched(network, count, *args, **kwargs):
        steps.append(count)
        return write(network, count, *args, **kwargs)

    monkeypatch.setattr(composing, "write", watched)
    return steps


def test_a_primer_of_ninety_minutes_costs_no_more_than_its_end(network, seen, capsys):
    primer = tune(60, 62, 64, 65, 67, bars=2700)
    [take] = composing.extend(network, primer, 8, Wish(), 1, 1)
    assert seen == [512]
    assert take.notes[: len(primer.notes)].tolist() == primer.notes.tolist()
    assert (
        "the network sees 32 bars at once, and here the last 16 or more" in capsys.readouterr().err
    )
    composing.fill(network, primer, (1000, 1003), Wish(), 1, 1)
    assert seen == [512, 512]


def test_what_lies_before_the_context_changes_nothing(network):
    one, two = tune(60, 62, 64, 65, 67, bars=48), tune(60, 62, 64, 65, 67, bars=48)
    notes = two.notes.copy()
    notes[:8, 2] += 1
    new = [
        written(composing.extend(network, primer, 8, Wish(40, 75), 1, 1)[0], one.length).tolist()
        for primer in (one, LeadSheet(notes))
    ]
    assert new[0] == new[1]


def test_long_melodies_are_written_part_by_part(network, tiny, seen):
    from melody_rnn.loading import load

    for kind in ("transformer", "attention", "basic"):
        model, _ = load(kind, str(tiny[kind]), "cpu")
        blank = composing.blank(model, 44)
        [take] = composing.sample(model, blank, Wish(55, 81), 1, 1)
        assert take.length == 704
        assert len(np.unique(take.notes[:, 0] // 16)) > 30  # notes in nearly all bars
        assert seen == [512, 512]
        seen.clear()
        assert composing.sample(model, blank, Wish(55, 81), 2, 1)[0] == take
        seen.clear()


def test_varied_long_melodies_keep_what_is_to_be_kept(network):
    melody = tune(60, 64, 67, 72, 71, bars=40)
    for keep in ("pitch", "contour"):
        [take] = composing.vary(network, melody, keep, 0.5, Wish(), 1, 1)
        if keep == "pitch":
            assert take.notes[:, 2].tolist() == melody.notes[:, 2].tolist()
        else:
            found, wanted = contour_of(take.notes[:, 2]), contour_of(melody.notes[:, 2])
            assert found.tolist() == wanted.tolist()
