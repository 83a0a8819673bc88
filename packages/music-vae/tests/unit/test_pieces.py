"""Scores to events and back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from groove_core.drums import DrumPattern
from groove_core.errors import InputError
from groove_core.values import Melody, Score, Track
from music_vae.alphabets import drum_classes, melody_classes
from music_vae.pieces import excerpts, score_of, song_of
from music_vae.windows import cut

TRIO = ("melody", "bass", "drums")


def test_a_melody_comes_back():
    tune = Melody.from_text("M:4/4 L:1/16 " + "C4 - E4 - G4 - . . " * 4)
    [excerpt] = excerpts(tune.to_score(), ["melody"], 2)
    assert excerpt.bar == 1
    assert excerpt.events.tolist() == [melody_classes(tune.events).tolist()]
    again = score_of(excerpt.events, ["melody"], tempo_bpm=90)
    assert (Melody.from_score(again).notes == tune.notes).all()
    assert again.tempo_at(0) == pytest.approx(90)


def test_drums_come_back():
    beat = DrumPattern.from_masks([5, 0, 4, 0, 6, 0, 260, 0] * 4)
    [excerpt] = excerpts(beat.to_score(), ["drums"], 2)
    assert excerpt.events.tolist() == [drum_classes(beat.hits).tolist()]
    assert DrumPattern.from_score(score_of(excerpt.events, ["drums"])) == beat


def test_a_trio_comes_back(trio_of, tmp_path):
    score = trio_of(16, 3)
    [one] = excerpts(score, TRIO, 16)
    score.save(tmp_path / "trio.mid")
    [two] = excerpts(Score.read(tmp_path / "trio.mid"), TRIO, 16)
    assert (one.events == two.events).all()
    assert (excerpts(score_of(one.events, TRIO), TRIO, 16)[0].events == one.events).all()
    assert len(cut(one.events, TRIO, 16)[0]) == 1
    assert [t.name for t in score.tracks] == ["melody", "bass", "drums"]
    assert one.events[1, :5].tolist() == [17, 0, 0, 0, 24]


def test_a_trio_of_another_program_is_read(trio_of):
    """Without our marker, at other ticks, with a chord above the bass, a bar later."""
    ours = trio_of(16, 3)
    tracks = []
    for track in ours.tracks:
        notes = track.notes.copy()
        notes[:, :2] *= 2
        notes[:, 0] += 4 * 960
        if track.name == "bass":
            above = notes + np.array([0, 0, 12, 0])
            notes = np.concatenate([notes, above])
        tracks.append(replace(track, notes=notes))
    metres = np.array([[0, 4, 4]])
    score = Score(tuple(tracks), 960, time_signatures=metres)
    [expected] = excerpts(ours, TRIO, 16)
    [found] = excerpts(score, TRIO, 16)
    assert found.bar == 2
    assert (found.events == expected.events).all()


def test_bass_notes_that_round_to_one_step(trio_of):
    """The later one counts, and no note off cuts it short."""
    score = trio_of(16, 3)
    melody, _, drums = score.tracks
    notes = np.array([[0, 10, 40, 90], [20, 700, 43, 90], [960, 5, 45, 90], [1440, 480, 9, 90]])
    bass = Track(notes, name="bass", program=33)
    [found] = excerpts(replace(score, tracks=(melody, bass, drums)), TRIO, 16)
    row = found.events[1]
    pitches = {step: int(row[step]) for step in np.flatnonzero(row)}
    assert pitches == {0: 24, 6: 1, 8: 26, 9: 1, 12: 2, 16: 1}  # MIDI 9 sounds at 21


def test_long_pieces_are_cut_and_it_is_said(capsys):
    tune = Melody.from_text("M:4/4 L:1/16 " + ". " * 16 + "C4 - E4 - G4 - A4 - " * 10)
    found = excerpts(tune.to_score(), ["melody"], 2)
    assert [excerpt.bar for excerpt in found] == [2, 4, 6]
    assert not found[2].events[0, 16:].any()
    [first] = excerpts(tune.to_score(), ["melody"], 2, most=1)
    assert (first.events == found[0].events).all()
    assert "using 2 bars from bar 2 on, of 3 excerpts" in capsys.readouterr().err


def test_short_pieces_are_filled_up_and_it_is_said(capsys):
    tune = Melody.from_text("M:4/4 L:1/16 " + "C4 - E4 - G4 - A4 - " * 2)
    [found] = excerpts(tune.to_score(), ["melody"], 16)
    assert found.events.shape == (1, 256)
    assert "the piece has 1 of 16 bars; silence fills the rest" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "voices", "message"),
    [
        ("M:3/4 L:1/16 " + "C4 - E4 - " * 6, ["melody"], r"not in 4/4 and sixteenths: 1"),
        ("M:4/4 L:1/16 C0 - E4 -", ["melody"], r"leave the piano: 1"),
        ("M:4/4 L:1/16 . . . .", ["melody"], "is silent"),
        ("M:4/4 L:1/16 C4 - E4 -", TRIO, "has no bass"),
        ("M:4/4 L:1/16 C4 - E4 -", ["drums"], "no drums"),
    ],
)
def test_what_cannot_be_read_is_refused(text, voices, message):
    with pytest.raises(InputError, match=message):
        excerpts(Melody.from_text(text).to_score(), voices, 2)


def test_a_trio_without_drums_is_refused(trio_of):
    score = trio_of()
    with pytest.raises(InputError, match="drum"):
        song_of(replace(score, tracks=score.tracks[:2]), TRIO)
