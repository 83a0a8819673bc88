"""Windows of songs: what is kept, and where songs go."""

from __future__ import annotations

import numpy as np
import pytest

from groove_core.drums import DrumPattern
from groove_core.errors import InputError, UsageError
from groove_core.learning import Split
from groove_core.values import Melody
from music_vae.windows import (
    Song,
    WindowSet,
    cut,
    longest_silence,
    moves,
    of_drums,
    of_melodies,
    transposed,
)

C, OFF = 41, 1
"""Classes of C4 and of a note off."""
EIGHT = [0, 2, 4, 5, 7, 9, 11, 12]


def row(*notes: tuple[int, int], steps: int = 32) -> np.ndarray:
    """Make a melody of (step, semitones above C4)."""
    made = np.zeros(steps, np.int64)
    for step, above in notes:
        made[step] = C + above
    return made


def kept(line: np.ndarray, bars: int = 2, voice: str = "melody"):
    found, left_out = cut(line[None], [voice], bars)
    return len(found), dict(left_out)


FIVE = [(0, 0), (6, 2), (12, 4), (18, 2), (24, 0)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (row(*FIVE), None),
        (row(*FIVE[:4]), "too few onsets of melody"),
        (row(*((at, 2 * (above > 0)) for at, above in FIVE)), "too few pitches"),
        (row(*FIVE[:4], (24, 36)), "too wide a range"),
        (row(*FIVE[:4], (24, 35)), None),
        (row((16, 0), (18, 2), (20, 4), (22, 2), (24, 0)), "a bar of silence"),
        (row((15, 0), (18, 2), (20, 4), (22, 2), (24, 0)), None),
    ],
)
def test_rules_for_two_bars(line, reason):
    assert kept(line) == ((1, {}) if reason is None else (0, {reason: 1}))


def test_a_held_note_is_no_silence_but_a_rest_is():
    held = row((0, 0), (1, 2), (2, 4), (3, 2), (4, 0))
    assert kept(held) == (1, {})
    held[8] = OFF
    assert kept(held) == (0, {"a bar of silence": 1})
    assert longest_silence(held) == 24
    held[8], held[17] = 0, OFF
    assert kept(held) == (1, {})


def long_line(onsets: int, classes: int) -> np.ndarray:
    at = np.linspace(0, 255, onsets).astype(int)
    return row(*((step, EIGHT[i % classes]) for i, step in enumerate(at)), steps=256)


@pytest.mark.parametrize(
    ("onsets", "classes", "reason"),
    [
        (24, 5, None),
        (23, 5, "too few onsets of melody"),
        (24, 4, "too few pitch classes"),
    ],
)
def test_rules_for_sixteen_bars(onsets, classes, reason):
    expected = (1, {}) if reason is None else (0, {reason: 1})
    assert kept(long_line(onsets, classes), 16) == expected


def test_octaves_are_one_pitch_class():
    line = row(*((step, [0, 12, 2, 4, 5][i % 5]) for i, step in enumerate(range(0, 250, 10))),
               steps=256)  # fmt: skip
    assert kept(line, 16) == (0, {"too few pitch classes": 1})


def test_rules_for_drums():
    two = np.zeros(32, np.int64)
    two[[0, 8]] = 3  # two drums each
    assert kept(two, voice="drums") == (1, {})
    two[8] = 1
    assert kept(two, voice="drums") == (0, {"too few onsets of drums": 1})
    long = np.zeros(256, np.int64)
    long[: 14 * 16 : 4] = 1
    assert kept(long, 16, "drums") == (1, {})
    long[:16] = 0
    assert kept(long, 16, "drums") == (0, {"too many empty bars of drums": 1})


def test_a_trio_needs_all_three():
    line, low, drums = long_line(64, 5), long_line(16, 2), long_line(64, 1)
    low_in_13 = low.copy()
    low_in_13[:48] = 0
    low_in_13[250:255] = C
    for bass, reason in ((low, None), (low_in_13, "too many empty bars of bass")):
        found, left_out = cut(np.stack([line, bass, drums]), ["melody", "bass", "drums"], 16)
        assert (len(found), dict(left_out)) == ((1, {}) if reason is None else (0, {reason: 1}))
    paused = line.copy()
    paused[100:120] = 0
    paused[99] = OFF  # a bar and more of silence, but 14 bars have onsets
    assert len(cut(np.stack([paused, low, drums]), ["melody", "bass", "drums"], 16)[0]) == 1


def test_windows_begin_with_each_bar_and_not_within_notes():
    line = np.concatenate([row(*FIVE), row(*FIVE)])
    line[15], line[17] = C + 7, OFF  # sounds into the second bar
    found, _ = cut(line[None], ["melody"], 2)
    assert len(found) == 3
    assert found[0].tolist() == [line[:32].tolist()]
    second = line[16:48].copy()
    assert second[1] == OFF
    second[1] = 0
    assert found[1][0].tolist() == second.tolist()


def test_songs_of_melodies():
    fine = Melody.from_text("M:4/4 L:1/16 K:C C4 | " + "C4 - E4 - " * 8)
    waltz = Melody.from_text("M:3/4 L:1/16 " + "C4 - E4 - " * 6)
    triplets = Melody.from_text("M:4/4 L:1/12 " + "C4 E4 G4 " * 8)
    low = Melody(np.array([[0, 4, 20, 100]]))
    song = of_melodies("a", [fine, waltz, triplets, low], "test")
    assert [stretch.shape for stretch in song.stretches] == [(1, 48)]
    assert song.stretches[0][0, :20].tolist() == [0] * 15 + [C, C, 0, C + 4, 0]
    assert song.left_out == {
        "melodies not in 4/4 and sixteenths": 2, "melodies that leave the piano": 1
    }  # fmt: skip
    assert (song.group, song.part) == ("a", "test")


def test_the_last_note_does_not_sound_into_the_rest_of_its_bar():
    short = Melody(np.array([[0, 4, 60, 100], [12, 8, 62, 100]]), length=20)
    [stretch] = of_melodies("a", [short]).stretches
    assert stretch.shape == (1, 32)
    assert {at: int(stretch[0, at]) for at in np.flatnonzero(stretch[0])} == {
        0: C, 4: OFF, 12: C + 2, 20: OFF
    }  # fmt: skip


def test_songs_of_drums():
    song = of_drums("a", [DrumPattern.from_masks([1 << 9 | 1, 2] * 16)])
    assert song.stretches[0][0, :4].tolist() == [1, 2, 1, 2]
    assert song.left_out == {"hits of percussion": 16}


def test_songs_are_on_one_side_only(songs_of):
    made = WindowSet.of(songs_of(40), ["melody"], 2)
    sides = [set(made.part(part)[1].tolist()) for part in ("train", "validation", "test")]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 40
    for part, where in Split("song").parts(made.groups).items():
        assert {made.groups[i] for i in made.part(part)[1]} == {made.groups[i] for i in where}
    assert made.events.shape[1:] == (1, 32)
    assert made.events.dtype == np.int16
    assert made.card()["split"] == "by song"


def test_copies_of_a_song_stay_together(songs_of):
    songs = songs_of(12)
    copies = [Song(song.group, [row + 1 * (row >= 2) for row in song.stretches]) for song in songs]
    made = WindowSet.of([*songs, *copies], ["melody"], 2)
    assert len(made.groups) == 12
    sides = [set(made.part(part)[1].tolist()) for part in ("train", "validation", "test")]
    assert not sides[0] & sides[1]
    assert not sides[0] & sides[2]


def test_equal_windows_of_a_song_are_one(songs_of):
    [song] = songs_of(1)
    once = WindowSet.of([song], ["melody"], 2)
    twice = WindowSet.of([song, song], ["melody"], 2)
    assert len(once) == len(twice)
    assert twice.left_out["repetitions in one song"] >= len(once)


def test_a_data_set_may_say_where_songs_go(songs_of):
    a, b, c = songs_of(3)
    told = [
        Song(s.group, s.stretches, part)
        for s, part in zip((a, b, c), ("test", "train", "train"), strict=True)
    ]
    made = WindowSet.of(told, ["melody"], 2)
    assert set(made.part("test")[1].tolist()) == {0}
    assert set(made.part("train")[1].tolist()) == {1, 2}
    assert not len(made.parts["validation"])
    assert "published" in made.card()["split"]
    with pytest.raises(UsageError, match="part None, others"):
        WindowSet.of([told[0], b], ["melody"], 2)
    with pytest.raises(UsageError, match="two parts"):
        WindowSet.of([told[0], Song(a.group, a.stretches, "train")], ["melody"], 2)


def test_nothing_left_says_why(songs_of):
    with pytest.raises(InputError, match="16 bars is left: no song has so many bars"):
        WindowSet.of(songs_of(2), ["melody"], 16)
    with pytest.raises(InputError, match="1 too few onsets of melody"):
        WindowSet.of([Song("a", [np.zeros((1, 32), np.int64)])], ["melody"], 2)
    with pytest.raises(UsageError, match="no windows of 4 bars"):
        WindowSet.of(songs_of(2), ["melody"], 4)


def test_transposition_goes_as_far_as_the_piano():
    low = row((0, -39), (4, 0))  # A0
    high = row((0, 48), (4, 0))  # C8
    middle = row((0, 0))
    events = np.stack([low, high, middle, np.zeros(32, np.int64)])[:, None]
    lowest, highest = moves(events, ["melody"], 5)
    assert lowest.tolist() == [0, -5, -5, -5]
    assert highest.tolist() == [5, 0, 5, 5]
    moved = transposed(events, ["melody"], np.array([5, -5, 2, 3]))
    assert moved[0, 0, [0, 4]].tolist() == [7, C + 5]
    assert moved[1, 0, [0, 4]].tolist() == [84, C - 5]
    assert not moved[3].any()


def test_melody_and_bass_are_transposed_together_and_drums_are_not():
    trio = np.stack([row((0, 0)), row((0, -24)), row((0, 0))])[None]
    trio[0, 1, 4] = OFF
    moved = transposed(trio, ["melody", "bass", "drums"], np.array([3]))
    assert moved[0, :, 0].tolist() == [C + 3, C - 21, C]
    assert moved[0, 1, 4] == OFF
    assert [x.tolist() for x in moves(trio, ["melody", "bass", "drums"], 30)] == [[-15], [30]]
