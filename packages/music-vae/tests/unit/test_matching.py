"""Which bars go together, against slow, literal versions, and on pieces made for it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from groove_core.errors import InputError
from groove_core.values import Melody, key_sharps
from music_vae.alphabets import melody_classes
from music_vae.excerpts import at_each_bar, excerpts
from music_vae.matching import distances, f1, find_pair, key_of, moved, way_to
from music_vae.pieces import stretches

TRIO = ("melody", "bass", "drums")
MELODY = ("melody",)
SCALE = "C4 - D4 - E4 - F4 - G4 - A4 - B4 - C5 - "
ARCH = "C4 - - - E4 - - - G4 - - - C5 - - - "
OFFBEAT = ". . C4 - . . E4 - . . G4 - . . C5 - "
LONG = "C4 - - - - - - - G4 - - - - - - - "


def tune(*bars: str, up: int = 0, name: str = "a.mid") -> Melody:
    made = Melody.from_text("M:4/4 L:1/16 " + "".join(bars), name=name)
    return made.transpose(up)


def slow_f1(one, other) -> float:
    mine = {(v, s, e) for v, row in enumerate(one.tolist()) for s, e in enumerate(row) if e}
    theirs = {(v, s, e) for v, row in enumerate(other.tolist()) for s, e in enumerate(row) if e}
    total = len(mine) + len(theirs)
    return 2 * len(mine & theirs) / total if total else 1.0


def test_distances_are_their_literal_version(trio_of):
    some = [list(at_each_bar(stretches(trio_of(18, seed), TRIO), TRIO, 16)) for seed in (0, 5)]
    found = distances(*some, TRIO)
    assert found.shape == (3, 3)
    for (i, one), (j, other) in itertools.product(*map(enumerate, some)):
        forms, spreads, keys = [], [], []
        for excerpt in (one, other):
            bars = [excerpt.events[:, at : at + 16] for at in range(0, 256, 16)]
            forms.append([slow_f1(a, b) for a, b in itertools.combinations(bars, 2)])
            counts = [0] * 16
            for voice, row in zip(TRIO, excerpt.events.tolist(), strict=True):
                for step, event in enumerate(row):
                    counts[step % 16] += event >= (1 if voice == "drums" else 2)
            spreads.append(np.array(counts) / sum(counts))
            keys.append(key_of(excerpt.events, TRIO)[0])
        form = np.mean(np.abs(np.subtract(*forms)))
        metre = np.abs(np.subtract(*spreads)).sum() / 2
        apart = abs(keys[0] - keys[1])
        expected = form + metre + min(apart, 12 - apart) / 6
        assert found[i, j] == pytest.approx(expected), (i, j)


def test_f1_of_silence_is_one(events_of):
    events = events_of(TRIO, 2, 32).numpy()
    assert f1(*events) == pytest.approx(slow_f1(*events))
    assert f1(events[0], events[0]) == 1
    assert f1(events[0] * 0, events[0] * 0) == 1


@pytest.mark.parametrize("key", ["C", "Eb", "F#", "Am", "Gm", "B"])
def test_keys_are_found(key):
    """A scale from the tonic to the tonic, with a long one in the end."""
    minor = key.endswith("m")
    steps = [0, 2, 3, 5, 7, 8, 10, 12] if minor else [0, 2, 4, 5, 7, 9, 11, 12]
    tonic = 60 + {"C": 0, "Eb": 3, "F#": 6, "Am": 9, "Gm": 7, "B": 11}[key]
    rows = [[2 * n, 2, tonic + up, 80] for n, up in enumerate(steps)]
    rows += [[16, 8, tonic, 80], [24, 4, tonic + 7, 80], [28, 4, tonic, 80]]
    line = Melody(np.array(rows), length=32)
    sharps, mode = key_of(melody_classes(line.events)[None], MELODY)
    assert ((sharps - key_sharps(key)[0]) % 12, mode) == (0, minor)
    assert key_of(np.zeros((1, 32), np.int64), MELODY) is None


def test_a_key_is_brought_to_another_signature():
    for wanted, sharps in itertools.product(range(-6, 7), repeat=2):
        by = way_to(wanted, sharps)
        assert -6 <= by <= 5
        assert (sharps + 7 * by - wanted) % 12 == 0


def test_notes_that_leave_the_piano_come_back_by_octaves():
    events = np.array([[[2, 1, 0, 89, 41]], [[0, 1, 0, 2, 3]]])
    assert moved(events, MELODY, -2).tolist() == [[[12, 1, 0, 87, 39]], [[0, 1, 0, 12, 13]]]
    beat = np.array([[5, 511]])
    assert (moved(beat, ("drums",), 3) == beat).all()


def test_bars_are_found_that_go_together(capsys):
    """A scale and an arch follow each other in both, in other keys and at other places."""
    one = tune(LONG, LONG, SCALE, ARCH, LONG, LONG).to_score()
    other = tune(OFFBEAT, OFFBEAT, OFFBEAT, SCALE, ARCH, up=2, name="b.mid").to_score()
    pair = find_pair(one, other, MELODY, 2)
    assert (pair.first.bar, pair.second.bar) == (3, 4)
    assert pair.semitones == -2
    assert "moved by -2 semitones from D to the signature of C" in capsys.readouterr().err
    there = moved(pair.second.events, MELODY, pair.semitones)
    assert (there == pair.first.events).all()


def test_bars_that_are_told_are_taken():
    one = tune(LONG, OFFBEAT, SCALE, ARCH).to_score()
    pair = find_pair(one, one, MELODY, 2, ((2, 3), None))
    assert pair.first.bar == 2
    assert pair.second.bar == 2  # two pieces may be equal
    both = find_pair(one, None, MELODY, 2, ((1, 2), (2, 3)))
    assert (both.first.bar, both.second.bar) == (1, 2)


def test_two_parts_of_one_piece_do_not_overlap_and_differ():
    verse, chorus = (SCALE, ARCH), ("E5 - - D5 - - C5 - E5 - - D5 - - C5 - ", OFFBEAT)
    piece = tune(*verse, *verse, *chorus).to_score()
    pair = find_pair(piece, None, MELODY, 2)
    assert abs(pair.first.bar - pair.second.bar) >= 2
    assert f1(pair.first.events, pair.second.events) < 0.5
    told = find_pair(piece, None, MELODY, 2, (None, (1, 2)))
    assert told.second.bar == 1
    assert told.first.bar >= 3
    with pytest.raises(InputError, match="no two excerpts of 2 bars that differ"):
        find_pair(tune(*verse, *verse).to_score(), None, MELODY, 2)
    with pytest.raises(InputError, match="no two excerpts"):
        find_pair(tune(LONG).to_score(), None, MELODY, 2)


def test_a_short_piece_is_filled_up(capsys):
    pair = find_pair(tune(LONG).to_score(), tune(SCALE, ARCH, ARCH).to_score(), MELODY, 2)
    assert pair.first.bars == 1
    assert "silence fills up the 2 bars" in capsys.readouterr().err


def test_pieces_without_a_common_metre_are_refused():
    waltz = Melody.from_text("M:3/4 L:1/16 " + "C4 - E4 - " * 12).to_score()
    with pytest.raises(InputError, match="is in 3/4; the models have learnt 4/4"):
        find_pair(tune(SCALE, ARCH).to_score(), waltz, MELODY, 2)


def test_beats_have_no_key(capsys):
    from groove_core.drums import DrumPattern

    one = DrumPattern.from_masks([1, 0, 4, 0, 2, 0, 4, 0] * 4).to_score()
    other = DrumPattern.from_masks([5, 0, 4, 4, 6, 0, 4, 1] * 4).to_score()
    assert find_pair(one, other, ("drums",), 2).semitones == 0
    assert "semitones" not in capsys.readouterr().err
    assert len(excerpts(one, ("drums",), 2)) == 1
