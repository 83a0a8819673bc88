"""Melodies from scores and text: which line is read, and what is counted as not kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from groove_core import Chord, InputError, LeadSheet, Melody, Score, Track, UsageError
from groove_core.checks import kit
from groove_core.values import extract_melodies
from groove_core.values.chords import QUALITIES


def quarters(pitches, start=0, length=480, velocity=90):
    return np.array([(start + 480 * i, length, p, velocity) for i, p in enumerate(pitches)])


def song(*tracks, **more):
    return Score(tuple(tracks), **more)


HIGH = Track(quarters([72, 74, 76, 77]), name="flute")
LOW = Track(quarters([40, 43, 40, 43]), name="bass")
VOICE = Track(quarters([60, 62, 64, 65]), name="Lead Vocals")
DRUMS = Track(quarters([36, 38, 36, 38]), name="kit", is_drum=True)


@pytest.mark.parametrize(
    ("track", "first"), [(None, 60), ("flute", 72), ("BASS", 40), (2, 72), ("2", 72)]
)
def test_the_track_is_chosen_by_name_number_or_as_one_would_hum(track, first):
    melody = Melody.from_score(song(LOW, HIGH, VOICE, DRUMS), track=track)
    assert melody.notes[0, 2] == first
    assert melody.left_out == {"notes of other tracks": 12}


def test_without_names_the_highest_single_line_is_hummed():
    chords = Track(np.concatenate([quarters([79, 81, 79, 81]), quarters([76, 77, 76, 77])]))
    melody = Melody.from_score(song(LOW, Track(HIGH.notes), chords))
    assert melody.notes[:, 2].tolist() == [72, 74, 76, 77]


def test_what_is_no_line_is_refused_or_reduced():
    three = Track(np.concatenate([quarters([60, 62]), quarters([64, 65]), quarters([67, 69])]))
    assert Melody.from_score(song(three)).notes[:, 2].tolist() == [67, 69]
    assert Melody.from_score(song(three)).left_out == {"chord notes": 4}
    assert Melody.from_score(song(three), chords="bottom").notes[:, 2].tolist() == [60, 62]
    with pytest.raises(InputError, match=r"several notes at once, 4 of 6"):
        Melody.from_score(song(three), chords="refuse")
    with pytest.raises(InputError, match="no notes but drums"):
        Melody.from_score(song(DRUMS))
    with pytest.raises(InputError, match="no notes"):
        Melody.from_score(song())
    with pytest.raises(UsageError, match="no track 'oboe'") as found:
        Melody.from_score(song(LOW, HIGH), track="oboe")
    assert "1 bass, 2 flute" in found.value.hint


def test_notes_under_a_held_one_are_accompaniment_and_slurs_are_cut():
    held = np.array([[0, 1920, 72, 90], [480, 480, 60, 90]])
    assert Melody.from_score(song(Track(held))).notes[:, :3].tolist() == [[0, 16, 72]]
    slurred = np.array([[0, 500, 72, 90], [480, 480, 60, 90]])
    melody = Melody.from_score(song(Track(slurred)))
    assert melody.notes[:, :3].tolist() == [[0, 4, 72], [4, 4, 60]]
    assert melody.left_out == {"overlaps": 1}


@pytest.mark.parametrize(
    ("per_quarter", "metre", "steps"),
    [
        (4, (4, 4), 4),
        (3, (4, 4), 3),
        (2, (6, 8), 4),
        (6, (3, 4), 6),
        (8, (2, 2), 8),
        (24, (4, 4), 24),
    ],
)  # fmt: skip
def test_the_grid_is_the_coarsest_that_fits(per_quarter, metre, steps):
    length = 480 // per_quarter
    notes = np.array([(i * length, length, 60 + i % 5, 90) for i in range(25)])
    melody = Melody.from_score(song(Track(notes), time_signatures=[[0, *metre]]))
    assert (melody.steps_per_quarter, melody.metre) == (steps, metre)
    assert not melody.left_out


def test_notes_off_the_grid_are_counted_and_dense_ones_are_left_out():
    notes = np.array([(0, 240, 60, 90), (270, 200, 62, 90), (480, 30, 64, 90), (510, 30, 65, 90)])
    melody = Melody.from_score(song(Track(notes)), steps_per_quarter=4)
    assert melody.notes[:, :3].tolist() == [[0, 2, 60], [2, 2, 62], [4, 1, 65]]
    assert melody.left_out == {"onsets off the grid": 2, "notes closer than a step": 1}


def test_short_bars_are_pickups_and_what_completes_them():
    # As scores are exported: a bar of one quarter, then 3/4, and at the end two quarters.
    notes = quarters([60, *range(62, 70)])
    times = [[0, 1, 4], [480, 3, 4], [480 * 7, 2, 4]]
    melody = Melody.from_score(song(Track(notes), time_signatures=times))
    assert (melody.metre, melody.pickup, melody.bars) == ((3, 4), 4, 3)
    assert len(melody.notes) == 9
    assert "notes in other metres" not in melody.left_out


def test_a_score_in_several_metres_is_several_melodies():
    times = [[0, 4, 4], [480 * 8, 3, 4]]
    score = song(Track(quarters(range(60, 74))), time_signatures=times, tempos=[[0, 400_000]])
    (first, four), (second, three) = extract_melodies(Melody, score)
    assert (first, four.metre, len(four.notes)) == (0, (4, 4), 8)
    assert (second, three.metre, len(three.notes)) == (480 * 8, (3, 4), 6)
    assert Melody.from_score(score) == four
    assert Melody.from_score(score).left_out == {"notes in other metres": 6}
    assert four.tempo_bpm == 150


def test_markers_that_are_letters_of_parts_are_no_chords():
    sheet = LeadSheet.from_score(song(HIGH, markers=((0, "A"), (480, "B"))))
    assert sheet.chords == ()


def test_what_another_program_adds_to_a_saved_melody_is_read():
    tune = Melody.from_text("M:3/4 L:1/4 D4 | G4 A4 B4 |")
    score = tune.to_score()
    (track,) = score.tracks
    more = np.array([[480 * at, 480, 72, 90] for at in (6, 7)])  # the second bar behind the pickup
    longer = replace(score, tracks=(replace(track, notes=np.concatenate([track.notes, more])),))
    read = Melody.from_score(Score.from_midi(longer.to_midi()))
    assert read.notes[:, [0, 2]].tolist() == [[0, 62], [1, 67], [2, 69], [3, 71], [4, 72], [5, 72]]
    assert (read.pickup, read.length, read.left_out) == (1, 7, {})


def test_a_saved_melody_is_read_on_the_grid_that_is_asked_for():
    tune = Melody.from_text("M:3/4 L:1/4 D4 | G4 A4 B4 |")
    fine = Melody.from_score(tune.to_score(), steps_per_quarter=4)
    assert (fine.steps_per_quarter, fine.pickup, fine.length) == (4, 4, 16)
    np.testing.assert_array_equal(fine.notes[:, :2], 4 * tune.notes[:, :2])


def test_words_are_kept_by_a_lead_sheet_and_counted_by_a_melody(tmp_path, capsys):
    sheet = kit.tiny_lead_sheet()
    path = sheet.save(tmp_path / "song.mid")
    assert LeadSheet.read(path) == sheet
    plain = Melody.read(path)
    assert type(plain) is Melody
    assert plain.left_out == {"chord symbols": 2, "syllables": 4}
    assert "not kept: 2 chord symbols, 4 syllables" in capsys.readouterr().err
    assert Melody.read(sheet.save(tmp_path / "song.json")) == sheet
    assert (
        LeadSheet.read(plain.save(tmp_path / "plain.json")).notes.tolist() == plain.notes.tolist()
    )
    assert LeadSheet.read(sheet.save(tmp_path / "song.txt")) == sheet


def test_a_lead_sheet_can_be_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    assert kit.tiny_lead_sheet().save(tmp_path / "song.png").stat().st_size > 1000


def test_a_score_is_a_melody_and_text_files_of_folders_are_not(tmp_path):
    kit.tiny_melody().save(tmp_path / "a.json")
    kit.tiny_melody().save(tmp_path / "b.mid")
    (tmp_path / "LICENSE.txt").write_text("All rights reserved.")
    assert [path.name for path in Melody.files(tmp_path)] == ["a.json", "b.mid"]
    assert Melody.read(tmp_path / "a.json") == Melody.accept(kit.tiny_melody()) == kit.tiny_line()


def test_pretty_midi_reads_what_is_written():
    sheet = kit.tiny_lead_sheet()
    midi = sheet.to_score().to_pretty_midi()
    melody, accompaniment = midi.instruments
    step_s, start = 60 / sheet.tempo_bpm / 2, 4  # the pickup stands at the end of a bar of silence
    starts = [(note.start / step_s) - start for note in melody.notes]
    np.testing.assert_allclose(starts, sheet.notes[:, 0], atol=1e-6)
    assert [note.pitch for note in melody.notes] == sheet.notes[:, 2].tolist()
    assert [lyric.text for lyric in midi.lyrics] == ["La-", "la", "la", "la"]
    sounding = {note.pitch % 12 for note in accompaniment.notes if note.start < 2}
    assert sounding == set(Chord.parse("G").pitch_classes)


def test_moving_moves_chords_words_and_key():
    sheet = kit.tiny_lead_sheet()
    up = sheet.transpose(2)
    assert (up.key, [str(chord) for _, chord in up.chords]) == ("A", ["A", "E7/G#"])
    assert up.transpose(-2).notes.tolist() == sheet.notes.tolist()
    second = sheet.slice_bars(1)
    assert (second.pickup, second.length) == (0, 6)
    assert [str(chord) for _, chord in second.chords] == ["D7/F#"]
    with pytest.raises(UsageError, match="out of range"):
        sheet.transpose(60)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("C4 E4 x", r"word 3 of line 1 \(character 7\), 'x'"),
        ("- C4", "holds nothing"),
        ("C4 . -", "holds a rest"),
        ("C4 _", "'_', is no note"),
        ("C4:0", "is no note"),
        ("L:1/4 C4 | D4 E4 | F4", r"'\|', comes 2 steps into a bar of 4"),
        ('C4 "Cmaq" D4', "word 2 of line 1.*character 2, 'maq'"),
        ("M:6-8 C4", "'M:6-8', cannot be read"),
        ("C4\nw: la la", "2 syllables for 1 notes"),
    ],
)
def test_text_that_cannot_be_read_says_where(text, says):
    with pytest.raises(InputError, match=says):
        LeadSheet.from_text(text)


def test_chords_of_a_pickup_hold_in_the_silence_before():
    first = LeadSheet.from_text('M:2/4 L:1/8 "C" C4 - . "G" . |')
    second = LeadSheet.from_text('M:2/4 L:1/8 "Am" A4 C5 | A4 - - - |')
    joined = LeadSheet.join([first, second])  # the pickup begins before the chord of the silence
    assert [(at, str(chord)) for at, chord in joined.chords] == [(0, "C"), (2, "Am")]


def test_text_takes_what_abc_and_tidal_write():
    melody = Melody.from_text("C4 z ~ . D4 -")
    assert melody.notes[:, :3].tolist() == [[0, 1, 60], [4, 2, 62]]
    assert Melody.from_text("M:C L:1/4 C4 D4 E4 F4").metre == (4, 4)
    assert Melody.from_text("C4 E4 G4 -", steps_per_quarter=1).duration_s == 2


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"notes": [[0, 2, 60, 90], [1, 1, 62, 90]]}, "one note at a time"),
        ({"notes": [[0, 1, 128, 90]]}, "out of range"),
        ({"notes": [[0.5, 1, 60, 90]]}, "whole numbers"),
        ({"metre": (5, 8), "steps_per_quarter": 1}, "no whole number of steps"),
        ({"metre": (4, 3)}, "no metre 4/3"),
        ({"pickup": 16}, "0 to 15"),
        ({"key": "H"}, "no key 'H'"),
        ({"tempo_bpm": float("nan")}, "tempo_bpm must be"),
        ({"length": 2**19}, "at most"),
    ],
)
def test_melodies_that_cannot_be(settings, says):
    with pytest.raises(UsageError, match=says):
        Melody(**{"notes": [[0, 1, 60, 90]], **settings})


@pytest.mark.parametrize(
    ("symbol", "written", "tones"),
    [
        ("Cmaj7", "Cmaj7", "0 4 7 11"), ("F#m7b5", "F#m7b5", "6 9 0 4"), ("Bb/D", "Bb/D", "10 2 5"),
        ("N.C.", "N.C.", ""), ("N", "N.C.", ""), ("C7(b9,#11)", "C7b9#11", "0 4 7 10 1 6"),
        ("C(b5)", "C(b5)", "0 4 6"), ("Cb5", "Cb5", "11 6"), ("C6/9/E", "C6/9/E", "0 4 7 9 2"),
        ("Co7", "Cdim7", "0 3 6 9"), ("C-Δ7", "Cmmaj7", "0 3 7 11"), ("G7sus", "G7sus4", "7 0 2 5"),
        ("Eb:min/b3", "Ebm/Gb", "3 6 10"), ("C:hdim7", "Cm7b5", "0 3 6 10"),
        ("G:sus4(b7)", "G7sus4", "7 0 2 5"), ("C:maj(9)", "Cadd9", "0 4 7 2"),
        ("C:min7(*5)", "Cm7no5", "0 3 10"), ("Bb:7(#9)/3", "Bb7#9/D", "10 2 5 8 1"),
    ],
)  # fmt: skip
def test_chords(symbol, written, tones):
    chord = Chord.parse(symbol)
    assert str(chord) == written
    assert " ".join(map(str, chord.pitch_classes)) == tones


@pytest.mark.parametrize(
    ("symbol", "at"), [("Cmaq7", 2), ("H7", 1), ("C/H", 3), ("C7b", 3), ("C:foo", 3), ("", 0)]
)
def test_chords_that_cannot_be_read_say_where(symbol, at):
    with pytest.raises(InputError, match=f"character {at}" if at else "from its end"):
        Chord.parse(symbol)


def test_every_quality_is_read_as_itself():
    for quality, tones in QUALITIES.items():
        assert Chord.parse(f"C{quality}").intervals == tones


def test_a_line_of_text_may_be_a_comment():
    plain = "L:1/8 C4 E4 | "
    assert Melody.from_text(f"% a tune\n{plain}\n  % bars 1-2 as in C4\nG4 -") == Melody.from_text(
        f"{plain}\nG4 -"
    )
    with pytest.raises(InputError, match=r"word 2 of line 3 \(character 4\), 'x'"):
        Melody.from_text("C4 D4\n% E4\nE4 x")
