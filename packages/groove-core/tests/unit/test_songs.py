"""Lines of songs are found and put back: what was given stays as it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from groove_core.errors import InputError, UsageError
from groove_core.tunes.passages import Passage, first_gap, with_bars
from groove_core.tunes.songs import Place
from groove_core.tunes.takes import Take
from groove_core.values import LeadSheet, Score, Track

TUNE = [60, 62, 64, 65, 67, 65, 64, 62] * 4


def band(*, played: bool = False) -> Score:
    """Make a song of eight bars: a piano, a flute with the tune, and drums.

    Parameters
    ----------
    played : bool
        Whether notes begin and end beside the grid, by a few ticks each.
    """
    tune = []
    for number, pitch in enumerate(TUNE):
        beside = (number * 7 % 41 - 20) if played else 0
        start = number * 480 + max(beside, -number * 480)
        tune.append([start, number * 480 + 400 + 2 * beside - start, pitch, 60 + number])
    chords = [[1920 * bar, 1900, pitch, 50] for bar in range(8) for pitch in (48, 52, 55)]
    drums = [[480 * beat, 60, 36, 99] for beat in range(32)]
    return Score(
        (Track(chords, "Piano"), Track(tune, "Flute", program=73),
         Track(drums, "Drums", is_drum=True)),
        tempos=[[0, 500_000], [7680, 600_000]],
    )  # fmt: skip


@pytest.mark.parametrize("played", [False, True])
def test_nothing_written_changes_nothing(played):
    score = band(played=played)
    [passage] = Passage.of(score, "Flute")
    melody = passage.melody
    take = Take(**vars(melody), given=((0, melody.length),), place=passage.place)
    assert take.to_score() == score
    assert take.performed() == score


def test_a_song_in_triplets_may_be_read_on_sixteenths(capsys):
    tune = [[160 * n, 150, 60 + n % 5, 70] for n in range(24)]
    score = Score((Track(tune),))
    assert Passage.of(score)[0].melody.steps_per_quarter == 3
    assert not capsys.readouterr().err
    assert Passage.of(score, grid=4)[0].melody.steps_per_quarter == 4
    assert "16 of 24 notes do not begin on sixteenths" in capsys.readouterr().err
    phrase = LeadSheet.from_text("L:1/12 C4 D4 E4 F4 - -")
    for given in (phrase, phrase.to_score()):
        assert Passage.of(given)[0].melody.steps_per_quarter == 3
        assert Passage.of(given, grid=4)[0].melody.steps_per_quarter == 4


def test_a_note_that_sounds_into_what_is_written_ends_there():
    score = Score((Track([[0, 3840, 60, 70], [3840, 480, 62, 70]]),))
    [passage] = Passage.of(score)
    notes = np.array([[0, 16, 60, 70], [16, 4, 65, 70], [32, 4, 62, 70]])
    take = Take(notes, length=48, given=((0, 16), (32, 48)), place=passage.place)
    assert take.to_score().tracks[0].notes.tolist() == [
        [0, 1920, 60, 70], [1920, 480, 65, 70], [3840, 480, 62, 70],
    ]  # fmt: skip
    silent = replace(take, notes=np.delete(notes, 1, axis=0))
    assert silent.to_score().tracks[0].notes[0].tolist() == [0, 1920, 60, 70]


def test_a_written_note_ends_where_one_comes_early():
    score = Score((Track([[0, 480, 60, 70], [3810, 480, 62, 70]]),))
    [passage] = Passage.of(score)
    notes = np.array([[0, 4, 60, 70], [16, 16, 65, 70], [32, 4, 62, 70]])
    take = Take(notes, length=48, given=((0, 16), (32, 48)), place=passage.place)
    assert take.to_score().tracks[0].notes.tolist()[1:] == [
        [1920, 1890, 65, 70], [3810, 480, 62, 70],
    ]  # fmt: skip


def test_a_file_that_groove_wrote_is_a_melody_and_no_song():
    sheet = LeadSheet.from_text('M:2/4 K:F C4 - | "F" A4 - C5 - A4 - - - |')
    [passage] = Passage.of(sheet.to_score())
    assert passage.place is None
    assert passage.melody == sheet


def test_a_melody_that_another_program_gave_a_bass_is_a_song():
    line = LeadSheet.from_text("C4 - - - E4 - - - G4 - - - E4 - - -").to_score()
    bass = Track([[0, 1920, 36, 80]], name="bass")
    [passage] = Passage.of(replace(line, tracks=(*line.tracks, bass)))
    assert passage.place is not None
    assert passage.place.song.tracks[passage.place.track].name == "melody"


def test_what_does_not_fit_is_refused():
    score = Score((Track([[0, 480, 60, 70]]),))
    with pytest.raises(UsageError, match="has 1 tracks, and none at 1"):
        Place(score, 1, 0)
    with pytest.raises(UsageError, match="outside of the 4 steps"):
        Take(np.array([[0, 4, 60, 70]]), given=((0, 5),))
    document = Take(np.array([[0, 4, 60, 70]])).to_json()
    with pytest.raises(InputError, match="is not a valid take"):
        Take.from_document({**document, "given": [[3, 1]]}, "here.json")


@pytest.mark.parametrize(("text", "grid"), [("L:1/4 C4 D4 E4 F4", 4), ("L:1/8 C4 - E4 F4", 4),
                                            ("L:1/24 C4 - - - E4 - - - F4 - - -", 3)])  # fmt: skip
def test_other_grids_are_brought_to_one_that_is_learnt(text, grid):
    [passage] = Passage.of(LeadSheet.from_text(text))
    assert passage.melody.steps_per_quarter == grid
    assert passage.melody.to_score().duration_s == LeadSheet.from_text(text).to_score().duration_s


METRES = [[0, 4, 4], [4 * 1920, 3, 4]]


def two_metres() -> Score:
    notes = [[480 * n, 480, 60 + n % 7, 80] for n in range(16 + 12)]
    return Score((Track(notes, name="tune"),), time_signatures=METRES)


def test_bars_are_counted_through_all_metres():
    passages = Passage.of(two_metres())
    assert [one.melody.metre for one in passages] == [(4, 4), (3, 4)]
    one, bars = with_bars(passages, (6, 7))
    assert (one.melody.metre, bars) == ((3, 4), (2, 3))
    assert one.place.start == 4 * 1920
    with pytest.raises(UsageError, match="Bars 4-5 are not in .* 1-4, 5-8, each in one metre"):
        with_bars(passages, (4, 5))
    with pytest.raises(UsageError, match="Bars 9-9 are not in"):
        with_bars(passages, (9, 9))


def test_the_first_silent_bars_are_the_gap(capsys):
    notes = [[480 * n, 480, 60, 80] for n in (*range(3), 9, *range(20, 28), 40)]
    passages = Passage.of(Score((Track(notes),), time_signatures=METRES))
    assert first_gap(passages) == (2, 2)
    without = LeadSheet.from_text("L:1/4 . C4 . . | . . . . | . . . . | C4 - - - |")
    assert first_gap(Passage.of(without)) == (2, 3)
    full = LeadSheet.from_text("L:1/4 C4 . . . | C4 . . . | . . . . |")
    assert first_gap(Passage.of(full)) == (2, 2)
    assert "no silent bar between its notes; bar 2 is written anew" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("track", "error", "says"),
    [("Drums", InputError, "plays drums"), ("Oboe", UsageError, "no track 'Oboe'")],
)
def test_tracks_without_a_melody(track, error, says):
    score = band()
    with pytest.raises(error, match=says):
        Passage.of(score, track)
    with pytest.raises(UsageError, match="has no tracks"):
        Passage.of(LeadSheet.from_text("C4"), track)


def test_what_is_chosen_and_left_out_is_said(capsys):
    song = band(played=True)
    Passage.of(song)
    said = capsys.readouterr().err
    assert "the line is that of track 2 Flute; --track chooses another: 1 Piano" in said
    assert "of 32 notes do not begin on sixteenths" in said
    Passage.of(song, "Piano")
    said = capsys.readouterr().err
    assert "16 notes below them are not part of it" in said
    assert "--track chooses" not in said
    Passage.of(song, quiet=True)
    assert capsys.readouterr().err == ""


def test_a_place_is_saved_whole():
    score = band(played=True)
    place = Place.from_json(Place(score, 1, 0).to_json())
    assert (place.track, place.start) == (1, 0)
    assert place.song == score
