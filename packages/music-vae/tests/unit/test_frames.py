"""What a network writes is put into a song, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import mido
import numpy as np
import pytest

from groove_core.drums import DrumPattern
from groove_core.values import Melody, Score, Track
from music_vae.alphabets import drum_classes, melody_classes
from music_vae.excerpts import chosen, excerpts
from music_vae.frames import Frame, drum_accents

TRIO = ("melody", "bass", "drums")


def band(*, played: int = 0) -> Score:
    """Make eight bars of a piano with a line on top of chords, bass, drums with bongos, strings.

    Parameters
    ----------
    played : int
        Ticks by which notes begin late, or every second one early.
    """

    def at(tick: int) -> int:
        return max(tick + (played if tick // 240 % 2 else -played), 0)

    tune = [[at(480 * n), 460, 72 + (n * 5) % 7, 60 + n] for n in range(32)]
    chords = [[1920 * bar, 1900, pitch, 50] for bar in range(8) for pitch in (48, 52, 55)]
    bass = [[at(960 * n), 900, 36 + n % 5, 90] for n in range(16)]
    kit = [[at(240 * n), 60, (36, 42, 38, 42)[n % 4], 100 - 20 * (n % 2)] for n in range(64)]
    bongos = [[480 * n + 120, 60, 60, 70] for n in range(32)]
    strings = [[0, 15360, 67, 40]]
    return Score(
        (Track([*chords, *tune], "Piano lead"), Track(bass, "Bass", program=33),
         Track([*kit, *bongos], "Kit", is_drum=True), Track(strings, "Strings", program=48)),
        tempos=[[0, 500_000], [7680, 600_000]], key_signatures=[[0, 2, 0]],
        markers=((1920, "verse"),),
    )  # fmt: skip


def new_events(bars: int) -> np.ndarray:
    line = Melody.from_text("M:4/4 L:1/16 " + "G5 - . . A5 - - - B5 - . . D6 - E6 - " * bars)
    bass = Melody.from_text("M:4/4 L:1/16 " + "G2 - - - - - - - D2 - - - . . . . " * bars)
    beat = DrumPattern.from_masks([1, 0, 4, 0, 2, 0, 4, 0] * 2 * bars)
    return np.stack([melody_classes(line.events), melody_classes(bass.events),
                     drum_classes(beat.hits)])  # fmt: skip


def messages(score: Score, track: int) -> list[str]:
    """Return the events of a track as an independent reader sees them."""
    import io

    return [str(one) for one in mido.MidiFile(file=io.BytesIO(score.to_midi())).tracks[track]]


@pytest.mark.parametrize("played", [0, 11])
def test_what_was_read_can_be_read_again(played):
    """The new bars are where the old ones were, and the others are as they were."""
    song = band(played=played)
    before = excerpts(song, TRIO, 2)
    excerpt = chosen(song, TRIO, 2, (3, 4))
    events = new_events(2)
    made = excerpt.frame.put(events)
    after = excerpts(made, TRIO, 2)
    assert (after[1].events == events).all()
    for number in (0, 2, 3):
        assert (after[number].events == before[number].events).all()


@pytest.mark.parametrize("played", [0, 11])
def test_all_else_stays(played):
    song = band(played=played)
    made = chosen(song, TRIO, 2, (3, 4)).frame.put(new_events(2))
    start, end = 3840 - 60, 7680 - 60  # what begins half a step earlier is read in these bars
    for number, (old, new) in enumerate(zip(song.tracks, made.tracks, strict=True)):
        outside = [(n < start) | (n >= end) for n in (old.notes[:, 0], new.notes[:, 0])]
        assert (old.notes[outside[0]] == new.notes[outside[1]]).all(), number
    piano, bass, kit, _strings = made.tracks
    inside = song.tracks[0].notes[(song.tracks[0].notes[:, 2] < 60)]
    assert (piano.notes[piano.notes[:, 2] < 60] == inside).all()  # chords below the line
    bongos = kit.notes[kit.notes[:, 2] == 60]
    assert (bongos == song.tracks[2].notes[song.tracks[2].notes[:, 2] == 60]).all()
    assert messages(made, 4) == messages(song, 4)
    assert messages(made, 0) == messages(song, 0)  # tempos, key and markers
    assert len(bass.notes) == 16 - 4 + 4
    # As loud as the track is in the middle.
    line = piano.notes[(piano.notes[:, 0] >= start) & (piano.notes[:, 0] < end)]
    assert set(line[line[:, 2] >= 72, 3].tolist()) == {75}


def test_nothing_written_is_silence_in_its_place():
    song = band()
    made = chosen(song, TRIO, 2, (3, 4)).frame.put(np.zeros((3, 32), np.int64))
    for number in range(3):
        notes = made.tracks[number].notes
        inside = notes[(notes[:, 0] >= 3840) & (notes[:, 0] < 7680)]
        kept = {0: {48, 52, 55}, 1: set(), 2: {60}}[number]
        assert set(inside[:, 2].tolist()) == kept


def test_a_note_before_ends_where_the_first_new_one_begins():
    song = Score((Track([[0, 5760, 60, 70], [5760, 480, 62, 70]], "flute"),))
    frame = Frame(song, 1920, ((0,),), ("melody",))
    row = melody_classes(Melody.from_text("M:4/4 L:1/16 . . . . C5 - - - " + ". " * 8).events)
    notes = frame.put(row[None]).tracks[0].notes
    assert notes.tolist() == [[0, 2400, 60, 70], [2400, 480, 72, 70], [5760, 480, 62, 70]]
    silent = frame.put(np.zeros((1, 16), np.int64)).tracks[0].notes
    assert silent.tolist() == song.tracks[0].notes.tolist()


def test_a_note_behind_that_was_played_early_ends_the_last_one():
    song = Score((Track([[0, 1900, 60, 70], [1890, 480, 62, 70]], "flute"),))
    row = np.zeros(16, np.int64)
    row[8] = 50
    notes = Frame(song, 0, ((0,),), ("melody",)).put(row[None]).tracks[0].notes
    assert notes.tolist() == [[960, 930, 69, 70], [1890, 480, 62, 70]]


def test_what_stands_before_the_song_is_left_out():
    """A pickup that was filled up to a bar begins before tick 0."""
    song = Score((Track([[0, 240, 60, 70]], "flute"),))
    row = np.arange(50, 66)
    notes = Frame(song, -1440, ((0,),), ("melody",)).put(row[None]).tracks[0].notes
    assert notes[:, [0, 2]].tolist() == [[0, 81], [120, 82], [240, 83], [360, 84]]


def test_ticks_that_no_step_divides():
    song = Score((Track([[0, 90, 60, 70]], "flute"),), ticks_per_quarter=90)
    row = np.zeros(16, np.int64)
    row[[1, 2, 3]] = [41, 1, 42]
    notes = Frame(song, 0, ((0,),), ("melody",)).put(row[None]).tracks[0].notes
    assert notes[:, :3].tolist() == [[23, 22, 60], [68, 292, 61]]


def test_hits_are_written_to_the_track_with_the_most():
    """Drums on two tracks: what is read of both is replaced."""
    kick = Track([[480 * n, 60, 36, 90] for n in range(8)], "Kick", is_drum=True)
    hats = Track([[240 * n, 60, 42, 50] for n in range(16)], "Hats", is_drum=True)
    song = Score((kick, hats))
    excerpt = chosen(song, ("drums",), 2)
    assert excerpt.frame.tracks == ((1, 0),)
    beat = DrumPattern.from_masks([5, 0, 4, 0, 2, 0, 4, 0] * 4)
    made = excerpt.frame.put(drum_classes(beat.hits)[None])
    assert not len(made.tracks[0].notes)
    assert {36, 38, 42} == set(made.tracks[1].notes[:, 2].tolist())
    loud = dict(made.tracks[1].notes[:, 2:].tolist())
    assert loud == {36: 90, 42: 50, 38: 100}  # a snare was not there to be asked
    assert DrumPattern.from_score(made).hits.tolist() == beat.hits.tolist()


def test_accents_change_how_loud_notes_are_and_not_when():
    frame = chosen(band(), TRIO, 2, (3, 4)).frame
    flat, played = frame.put(new_events(2)), frame.put(new_events(2), flat=False)
    for one, other in zip(flat.tracks[:3], played.tracks[:3], strict=True):
        assert (one.notes[:, [0, 2]] == other.notes[:, [0, 2]]).all()
        outside = (one.notes[:, 0] < 3840) | (one.notes[:, 0] >= 7680)
        assert (one.notes[outside] == other.notes[outside]).all()
        assert (one.notes[:, 3] != other.notes[:, 3]).any()


def test_only_hats_and_ride_breathe():
    accents = drum_accents(16)
    assert accents[:5, 2].tolist() == [0, -30, -12, -30, 0]
    assert (accents[:, 8] == accents[:, 2]).all()
    assert not np.delete(accents, [2, 8], axis=1).any()


def test_a_frame_comes_back_from_its_document():
    frame = chosen(band(), TRIO, 2, (3, 4)).frame
    again = Frame.from_json(frame.to_json())
    assert again.put(new_events(2)) == frame.put(new_events(2))
    assert replace(again, song=frame.song) is not frame
