"""A made-up song in the form of POP909: notes in ticks of a constant tempo, beats in seconds."""

from __future__ import annotations

import numpy as np
import pytest

from groove_core.errors import InputError
from groove_core.tunes.annotations import annotated
from groove_core.values import LeadSheet, Score, Track, extract_melodies

BEATS = 0.3 + np.cumsum([0.0, *(0.6 + 0.02 * (np.arange(23) % 5))])
"""Seconds of 24 beats, of a player who isn't a machine."""
MELODY = [(number / 2, 0.5, 60 + number % 5) for number in range(2, 44)]
"""Beat, length and pitch of eighth notes from the second beat on."""


def seconds(beat: float) -> float:
    """Return when a beat, or a part of one, is played."""
    return float(np.interp(beat, np.arange(len(BEATS)), BEATS))


def played(first_bar: int = 0) -> Score:
    """Return the song as its MIDI file has it: 90 bpm, which nobody played."""
    per_second = 480 * 90 / 60
    rows = [
        (round(seconds(beat) * per_second),
         round((seconds(beat + length) - seconds(beat)) * per_second), pitch, 90)
        for beat, length, pitch in MELODY
    ]  # fmt: skip
    low = [(row[0], row[1], 40, 60) for row in rows[::4]]
    return Score(
        (Track(np.array(low), name="PIANO"), Track(np.array(rows), name="MELODY")),
        ticks_per_quarter=480, tempos=np.array([[0, 666_667]]),
        time_signatures=np.array([[0, 1, 4]]), name="song",
    )  # fmt: skip


def beats(pickup: int = 0) -> str:
    """Write the beats: second, simple downbeat, downbeat."""
    rows = [f"{at:.6f} 1.0 {float((n - pickup) % 4 == 0)}" for n, at in enumerate(BEATS)]
    return "\n".join(rows) + "\n"


CHORDS = "\n".join([
    f"0.0 {seconds(2):.6f} N", f"{seconds(2):.6f} {seconds(6):.6f} C:maj",
    f"{seconds(6):.6f} {seconds(10):.6f} A:min7", f"{seconds(10):.6f} {seconds(12):.6f} X:odd",
    f"{seconds(12):.6f} {seconds(20):.6f} G:7/3",
])  # fmt: skip
KEYS = "0.0 2.0 Db:min\n2.0 9.5 E:min\n9.5 11.0 Db:min\n"


def line(score: Score) -> LeadSheet:
    [(_, sheet)] = extract_melodies(LeadSheet, score, track="MELODY", steps_per_quarter=4)
    return sheet


def test_notes_come_onto_the_beats():
    """In ticks of the file, no note but the first lies on a beat."""
    score = annotated(played(), beats(), "", "", name="song")
    assert [track.name for track in score.tracks] == ["PIANO", "MELODY"]
    quarters = score.tracks[1].notes[:, :2] / score.ticks_per_quarter
    wanted = np.array([(beat, length) for beat, length, _ in MELODY])
    np.testing.assert_allclose(quarters, wanted, atol=0.01)
    unmoved = played().tracks[1].notes[:, 0] / 480
    assert (np.abs(unmoved * 2 - np.round(unmoved * 2)) > 0.1).mean() > 0.5
    sheet = line(score)
    assert sheet.metre == (4, 4)
    assert sheet.notes[:, 0].tolist() == [round(4 * beat) for beat, _, _ in MELODY]
    assert sheet.bars == 6
    assert sheet.tempo_bpm == pytest.approx(60 / np.median(np.diff(BEATS)), abs=0.01)


def test_bars_begin_at_downbeats():
    """The song begins with two beats before its first bar."""
    sheet = line(annotated(played(), beats(pickup=2), "", "", name="song"))
    assert sheet.metre == (4, 4)
    assert sheet.pickup == 8
    assert sheet.notes[0].tolist()[:2] == [4, 2]


def test_chords_stand_on_their_beats():
    """One that cannot be read is passed over, and the one before it holds."""
    sheet = line(annotated(played(), beats(), CHORDS, "", name="song"))
    assert [(at, str(chord)) for at, chord in sheet.chords] == [
        (0, "N.C."), (8, "C"), (24, "Am7"), (48, "G7/B")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        (KEYS, "Em"),
        ("0 9 Gb:maj\n", "F#"),
        ("0 9 C#:min\n", "C#m"),
        ("0 9 Db:min\n", "C#m"),
        ("0 9 N\n9 10 D:maj\n10 30 X:maj\n", "D"),
        ("", ""),
    ],
)
def test_the_key_that_holds_longest_counts(keys, wanted):
    assert line(annotated(played(), beats(), "", keys, name="song")).key == wanted


def test_notes_before_the_first_beat():
    """As far as they lie before it by the tempo of the next beat; before that they are left out."""
    rows = [(0, 100, 50, 90), (216, 100, 52, 90), (648, 100, 53, 90)]
    score = Score((Track(np.array(rows), name="MELODY"),), 480, tempos=np.array([[0, 666_667]]))
    found = annotated(score, beats(), "", "", name="song").tracks[0]
    assert found.notes[:, 2].tolist() == [52, 53]
    assert found.notes[:, 0].tolist() == [0, 480]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0.5 1 1\n",
        "0.5 1 1\nnan 0 0\n",
        "0.5 1 1\n0.5 0 0\n",
        "1 1 1\n0.5 0 0\n",
        "one 1 1\n2 0 0\n",
        "0 1\n1 0\n",
    ],
    ids=["none", "one", "no time", "twice", "backwards", "no numbers", "no downbeats"],
)
def test_beats_that_cannot_be_read(text):
    with pytest.raises(InputError, match="song"):
        annotated(played(), text, "", "", name="song")


@pytest.mark.parametrize("what", ["chords", "keys"])
@pytest.mark.parametrize("text", ["0.5 C:maj\n", "a b C:maj\n", "0 inf C:maj\n"])
def test_chords_and_keys_that_cannot_be_read(what, text):
    with pytest.raises(InputError, match="song"):
        annotated(played(), beats(), **{"chords": "", "keys": "", what: text}, name="song")
