"""Ways between pieces, against ways of which every measure is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from groove_core.errors import InputError
from groove_core.values import Estimate
from music_vae.alphabets import melody_classes
from music_vae.evaluation.interpolation import (
    POINTS,
    _path,
    interpolated,
    pairs_of,
    ways_between,
)
from music_vae.evaluation.keys import in_key_of, pitch_classes, scale_of
from music_vae.matching import key_of, moved, way_to
from music_vae.prior import slerp
from music_vae.windows import Song, WindowSet


@pytest.fixture(scope="module")
def windows(songs_of) -> WindowSet:
    songs = [Song(song.group, song.stretches, "test") for song in songs_of(6, bars=4)]
    return WindowSet.of(songs, ["melody"], 2)


# --- keys ------------------------------------------------------------------------------------


def notes(*pitches: int) -> np.ndarray:
    row = np.zeros(32, np.int64)
    row[: 2 * len(pitches) : 2] = melody_classes(pitches)
    return row


def test_pitch_classes_of_melody_and_bass_without_drums():
    piece = np.stack([notes(60, 72, 61), notes(36, 43), np.full(32, 5)])
    counts = pitch_classes(piece, ("melody", "bass", "drums"))
    assert counts.tolist() == [3, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]


def test_the_scale_of_a_piece_moves_with_it():
    tune = np.array([60, 62, 64, 65, 67, 69, 71])
    for semitones in range(12):
        counts = pitch_classes(notes(*(tune + semitones))[None], ["melody"])
        assert scale_of(counts) == semitones


def test_a_piece_is_in_the_key_of_either_end_but_not_of_both_at_once():
    """C major and F sharp major have two notes in common: half of each is in neither key."""
    c, f_sharp = (
        pitch_classes(notes(*(np.array([60, 62, 64, 65, 67, 69, 71]) + up))[None], ["melody"])
        for up in (0, 6)
    )
    ends = np.stack([c, f_sharp])[None]
    assert in_key_of(c[None], ends) == in_key_of(f_sharp[None], ends) == [1]
    assert in_key_of((c + f_sharp)[None], ends) == pytest.approx(9 / 14)


def test_silence_is_in_no_key():
    silent, c = np.zeros((1, 12), int), np.eye(12, dtype=int)[:1]
    assert np.isnan(in_key_of(silent, c[None])).all()
    assert np.isnan(in_key_of(c, silent[None])).all()
    assert in_key_of(c, np.stack([silent, c], axis=1)) == [1]


# --- ways ------------------------------------------------------------------------------------


def way(*changed: int) -> np.ndarray:
    """Make a way whose pieces differ from the first one in so many first steps."""
    made = np.zeros((POINTS, 1, 32), np.int64)
    for piece, steps in zip(made, changed, strict=True):
        piece[0, :steps] = 41
    return made[None]


def test_the_path_of_ways_by_hand():
    even = way(0, 4, 8, 12, 16, 20, 24, 28, 32)
    assert np.concatenate(_path(even)) == pytest.approx([1, 1, 1 / 8, 9])
    leaves, order, jump, pieces = _path(way(0, 0, 0, 0, 0, 16, 16, 16, 16))
    assert (leaves, jump, pieces) == (1, 1, 2)
    assert 0.8 < order < 1
    leaves, order, jump, pieces = _path(way(0, 4, 8, 4, 16, 20, 24, 28, 32))  # a step back
    assert (leaves, jump, pieces) == (0, 12 / 32, 8)
    assert 0.95 < order < 1


def test_a_way_may_leave_one_end_step_by_step_and_not_the_other():
    """Steps that are in neither end lead away from both."""
    made = way(0, 0, 0, 0, 0, 0, 0, 0, 16)
    made[0, 4:8, 0, 20:] = 50
    leaves, *_ = _path(made)
    assert leaves == 0.5
    made[0, 8, 0, 20:] = 50
    leaves, *_ = _path(made)
    assert leaves == 1


def test_ways_between_equal_pieces_say_nothing():
    """Else a decoder that always writes the same would go perfectly."""
    assert np.isnan(_path(way(*[8] * POINTS))).all()


def test_pairs_are_of_different_songs():
    song = np.array([0] * 50 + [1] * 3 + [2] * 3)
    first, second = pairs_of(song, 40, seed=1)
    assert len(first) == len(second) == len(set(first.tolist())) == 40
    assert (song[first] != song[second]).all()
    assert len(pairs_of(song, 500, seed=1)[0]) == 56
    with pytest.raises(InputError, match="of one song"):
        pairs_of(np.zeros(4, int), 2, seed=1)


def test_all_ways_join_the_same_pieces(networks, windows):
    model, pairs = networks["mel-2bar"], pairs_of(windows.song, 5, seed=1)
    ways = ways_between(model, windows.events, pairs, seed=1)
    first, second = (windows.events[some].astype(np.int64) for some in pairs)
    for row, other in zip(second, first, strict=True):  # which is as `interpolate` moves it
        (mine, _), (wanted, _) = key_of(row, ["melody"]), key_of(other, ["melody"])
        row[:] = moved(row, ["melody"], way_to(wanted, mine))
    a, b = (model.encode(torch.from_numpy(some))[0] for some in (first, second))
    starts, ends = model.decode(a).numpy(), model.decode(b).numpy()
    for made in ways.values():
        assert made.shape == (5, POINTS, 1, 32)
        np.testing.assert_array_equal(made[:, 0], starts)
        np.testing.assert_array_equal(made[:, -1], ends)
    share = torch.tensor([0.25])
    for name, code in (
        ("arc, not spaced", model.prior.between(a[2], b[2], share)),
        ("arc of codes, without the flow", slerp(a[2], b[2], share)),
        ("line of codes", (0.75 * a[2] + 0.25 * b[2])[None]),
    ):
        np.testing.assert_array_equal(ways[name][2, 2], model.decode(code)[0])
    mixed = ways["mixed step by step"]
    assert ((mixed == starts[:, None]) | (mixed == ends[:, None])).all()
    cut = ways["cut from one to the other"][:, 2]  # a quarter of the way
    np.testing.assert_array_equal(cut[..., :24], starts[..., :24])
    np.testing.assert_array_equal(cut[..., 24:], ends[..., 24:])
    others = {one.tobytes() for one in windows.events.astype(np.int64)}
    assert all(one.tobytes() in others for one in ways["pieces of other songs"][0, 1:-1])


def test_mixing_replaces_as_many_steps_as_it_says(learnt):
    model, windows = learnt
    ways = ways_between(model, np.repeat(windows.events, 10, axis=0), (
        np.zeros(60, int), np.full(60, 59)), seed=1)  # fmt: skip
    mixed = ways["mixed step by step"]
    begins = mixed[0, 0, 0] != mixed[0, -1, 0]
    changed = (mixed[..., begins] != mixed[:, :1][..., begins]).mean(axis=(0, 2, 3))
    np.testing.assert_allclose(changed, np.linspace(0, 1, POINTS), atol=0.05)


def test_a_report_of_ways(learnt):
    """Bars of a note each: between them lies one of the six, and mixing keeps to their notes."""
    model, windows = learnt
    both = WindowSet(windows.events, windows.song, windows.groups, windows.voices,
                     {"test": np.arange(6)})  # fmt: skip
    report = interpolated(model, both, "mine", count=6)
    rows = {row[0]: row[1:] for row in report.rows}
    assert rows["mixed step by step"][0].value == 1
    assert rows["cut from one to the other"][0].value == 1
    assert rows["the first piece itself"] == (None, None, None, None, Estimate(1, 1, 1))
    assert rows["arc in the space"][3].value < rows["mixed step by step"][3].value
    far = report.data["distance"]
    assert all(curve[0] == 0 and len(curve) == POINTS for curve in far.values())
    assert far["arc in the space"][-1] == far["mixed step by step"][-1] > 0
    one = WindowSet(windows.events, windows.song, windows.groups, windows.voices,
                    {"test": np.flatnonzero(windows.song == 0)})  # fmt: skip
    with pytest.raises(InputError, match="of one song"):
        interpolated(model, one, "mine")
