"""Editing scores: what a musician expects of each operation."""

from __future__ import annotations

from io import BytesIO

import mido
import numpy as np
import pytest

from groove_core.errors import UsageError
from groove_core.values.melodies.leadsheet import LeadSheet
from groove_core.values.melodies.melody import Melody
from groove_core.values.scores.score import Score, Track
from groove_core.values.scores.symbols import chord_symbols


def song(**more):
    piano = Track([[0, 480, 60, 90], [480, 960, 64, 90]], "piano", controls=[[10, 64, 127]])
    drums = Track([[0, 60, 36, 100], [470, 60, 38, 100]], "kit", 0, True)
    return Score((piano, drums), 480, **more)


def test_transposing_keeps_what_only_the_file_knows():
    file = mido.MidiFile(ticks_per_beat=96)
    file.tracks.append(mido.MidiTrack([
        mido.Message("sysex", data=[1, 2]), mido.Message("aftertouch", value=9),
        mido.Message("note_on", note=60, velocity=80),
        mido.Message("note_on", note=60, velocity=0, time=96),
    ]))  # fmt: skip
    file.save(file=(raw := BytesIO()))
    moved = Score.from_midi(raw.getvalue()).transpose(7)
    kinds = [m.type for m in mido.MidiFile(file=BytesIO(moved.to_midi())).tracks[0]]
    assert kinds[:2] == ["sysex", "aftertouch"]
    assert moved.tracks[0].notes[:, 2].tolist() == [67]


def test_aftertouch_of_single_keys_follows_its_note():
    file = mido.MidiFile(ticks_per_beat=96)
    file.tracks.append(mido.MidiTrack([
        mido.Message("note_on", note=60, velocity=80), mido.Message("note_on", note=64),
        mido.Message("polytouch", note=64, value=9, time=10),
        mido.Message("polytouch", note=60, value=8),
        mido.Message("polytouch", note=72, value=7),  # no key that is down
        mido.Message("note_off", note=60, time=90), mido.Message("note_off", note=64),
    ]))  # fmt: skip
    file.save(file=(raw := BytesIO()))
    moved = Score.from_midi(raw.getvalue()).transpose(12)
    played = mido.MidiFile(file=BytesIO(moved.to_midi())).tracks[0]
    touched = [(m.note, m.value) for m in played if m.type == "polytouch"]
    assert touched == [(76, 9), (72, 8), (72, 7)]


def test_drums_are_never_transposed_however_they_are_told():
    untold = Score((Track([[0, 10, 36, 90]], "Beat"), Track([[0, 10, 60, 90]], "Bass")))
    assert [t.notes[0, 2] for t in untold.transpose(1).tracks] == [37, 61]
    told = Score(untold.tracks, drum_track="1")
    assert [t.notes[0, 2] for t in told.transpose(1).tracks] == [36, 61]


def test_what_would_leave_the_range_is_refused():
    with pytest.raises(UsageError, match="piano would reach MIDI pitch 128") as told:
        song().transpose(64)
    assert told.value.hint == "Transpose by fewer semitones."


def test_a_bar_is_cut_out_with_what_holds_there():
    score = song(
        tempos=[[0, 400_000]], time_signatures=[[0, 1, 4]], key_signatures=[[0, -2, 0]],
        markers=[(0, "groove:steps=32"), (480, "B")], lyrics=[(480, "la")],
    )  # fmt: skip
    assert score.bars == 3
    bar = score.slice_bars(1)
    piano, drums = bar.tracks
    assert piano.notes.tolist() == [[0, 480, 64, 90]]
    assert piano.controls.tolist() == [[0, 64, 127]]
    # A drum that was struck before the cut is not struck again.
    assert drums.notes.tolist() == []
    assert bar.tempos.tolist() == [[0, 400_000]]
    assert bar.time_signatures.tolist() == [[0, 1, 4]]
    assert bar.key_signatures.tolist() == [[0, -2, 0]]
    assert (bar.markers, bar.lyrics, bar.end_tick) == (((0, "B"),), ((0, "la"),), 480)
    with pytest.raises(UsageError, match="Bars 2 to 4 are not in this score, which has 3"):
        score.slice_bars(2, 2)


def test_a_new_metre_begins_a_bar():
    score = Score((), 480, time_signatures=[[0, 4, 4], [960, 3, 8]], end_tick=2400)
    assert score.bars == 3
    assert score.bar_ticks([0, 1, 2, 3]).tolist() == [0, 960, 1680, 2400]


def test_the_range_of_bends_is_kept_at_a_cut():
    # Behind the number of the parameter comes its value, and then "no parameter".
    rpn = [[0, 101, 0], [0, 100, 0], [0, 6, 12], [1, 101, 127], [1, 100, 127]]
    track = Track([[0, 960, 60, 90]], controls=rpn, pitch_bends=[[5, 4096]])
    cut = Score((track,)).slice_ticks(480, 960).tracks[0]
    assert cut.controls[:, 1:].tolist() == [row[1:] for row in rpn]
    assert cut.pitch_bends.tolist() == [[0, 4096]]


def test_bends_from_before_a_reset_are_gone():
    track = Track([[0, 960, 60, 90]], controls=[[50, 121, 0]], pitch_bends=[[5, 4096]])
    assert Score((track,)).slice_ticks(480, 960).tracks[0].pitch_bends.tolist() == []


def test_the_told_drum_track_is_still_told_when_tracks_before_it_are_silent():
    score = Score(
        (Track([[0, 10, 60, 90]], "intro"), Track([[0, 10, 36, 90], [500, 10, 36, 90]], "x")),
        drum_track="2",
    )
    assert score.slice_ticks(480, 960).drum_track == "1"
    assert score.select_tracks("x").drum_track == "1"
    assert score.select_tracks("intro").drum_track == ""


def test_seconds_beyond_the_end_are_the_end():
    score = song()
    assert score.slice_seconds(0.5).duration_s == pytest.approx(1.0)
    assert score.slice_seconds(0.5, 99).end_tick == 960
    with pytest.raises(UsageError, match="nothing between 2 and 1.5 s"):
        score.slice_seconds(2)


def test_joined_tracks_are_one_and_set_back():
    bent = Track([[0, 480, 60, 90]], "lead", 5, controls=[[0, 7, 40], [0, 64, 127]],
                 pitch_bends=[[0, 100]])  # fmt: skip
    plain = Track([[0, 480, 62, 90]], "lead", 5)
    first, second = Score((bent,), 480), Score((plain, plain), 960)
    joined = Score.join([first, second])
    lead, further = joined.tracks
    assert joined.ticks_per_quarter == 960
    assert lead.notes[:, 0].tolist() == [0, 960]
    assert lead.controls.tolist() == [[0, 7, 40], [0, 64, 127], [960, 7, 100], [960, 64, 0]]
    assert lead.pitch_bends.tolist() == [[0, 100], [960, 0]]
    assert further.notes[:, 0].tolist() == [960]


def test_each_of_the_joined_keeps_its_tempo_metre_and_key():
    one = Melody.from_text("M:3/4 L:1/4 Q:90 K:D D4 E4 F#4").to_score()
    other = Score((Track([[0, 480, 60, 90]]),), 480)
    joined = Score.join([one, other])
    assert joined.tempo_at([0, 1440]).round(1).tolist() == [90.0, 120.0]
    assert joined.time_signatures.tolist() == [[0, 3, 4], [1440, 4, 4]]
    assert joined.key_signatures.tolist() == [[0, 2, 0], [1440, 0, 0]]
    assert joined.markers == ()  # Groove's own told the length of the first


def test_letters_of_parts_are_no_chords_of_what_they_are_merged_with():
    letters = Score((Track([[0, 9, 60, 90]]),), 480, markers=[(0, "A"), (5, "verse")])
    sheet = LeadSheet.from_text('M:2/4 L:1/4 "C" C4 "G" D4').to_score()
    for both in ([letters, sheet], [sheet, letters]):
        merged = Score.merge(both)
        assert chord_symbols(merged.markers) == []
        assert {text for _, text in merged.markers} == {"A", "verse", "C", "G"}
    assert len(chord_symbols(Score.merge([sheet, sheet]).markers)) == 4


def test_merged_scores_sound_together():
    one = Melody.from_text("Q:90 C4 - - - D4 - - -").to_score()
    other = Score((Track([[0, 96, 40, 90]], "bass"),), 96, markers=[(96, "B")])
    merged = Score.merge([one, other])
    assert [t.name for t in merged.tracks] == ["melody", "bass"]
    assert merged.tracks[1].notes.tolist() == [[0, 480, 40, 90]]
    assert merged.tempo_at(0) == pytest.approx(90, abs=0.01)
    assert (480, "B") in merged.markers
    read = Score.from_midi(merged.to_midi())
    assert [len(t.notes) for t in read.tracks] == [2, 1]


def test_scores_without_a_common_resolution_are_refused():
    scores = [Score((), 32_749), Score((), 32_719)]
    with pytest.raises(UsageError, match="in common"):
        Score.merge(scores)
    with pytest.raises(UsageError, match="There are no scores"):
        Score.join([])


def test_tracks_are_selected_by_name_and_number():
    score = song(lyrics=[(0, "la")])
    assert [t.name for t in score.select_tracks("KIT").tracks] == ["kit"]
    assert [t.name for t in score.select_tracks(2, "piano").tracks] == ["piano", "kit"]
    assert score.select_tracks(1).lyrics == ((0, "la"),)
    with pytest.raises(UsageError, match="no track 'organ' with notes") as told:
        score.select_tracks("organ")
    assert told.value.hint == "Choose one by name or number: 1 piano, 2 kit."


def test_half_of_the_way_to_the_grid():
    played = Score((Track([[20, 100, 60, 90]]),), 480)
    assert played.quantize(4, strength=0.5).tracks[0].notes.tolist() == [[10, 110, 60, 90]]
    assert np.array_equal(played.quantize(4, strength=0).tracks[0].notes, played.tracks[0].notes)
    for wrong in ({"steps_per_quarter": 0}, {"strength": 1.5}):
        with pytest.raises(UsageError, match="out of range"):
            played.quantize(**wrong)


def test_triplets_get_ticks_of_their_own():
    played = Score((Track([[7, 5, 60, 90]]),), 20)
    assert played.quantize(3).ticks_per_quarter == 60
    assert played.quantize(3).tracks[0].notes.tolist() == [[20, 20, 60, 90]]


@pytest.mark.parametrize("factor", [0, -1, float("nan"), float("inf"), 100, 1e-9])
def test_tempos_that_midi_has_not_are_refused(factor):
    with pytest.raises(UsageError, match="stretched by"):
        song().stretch(factor)


SONG = 'M:3/4 L:1/8 Q:100 K:G D4 - | "G" G4 - B4 - D5 - | "D7/F#" C5 - A4 - . . |\nw: La- la la la'


def sheet():
    return LeadSheet.from_text(SONG)


def chords(found):
    return [(step, str(chord)) for step, chord in found.chords]


def test_chord_symbols_are_transposed_and_spelled_as_the_key():
    up = sheet().transpose(3)
    assert (up.key, chords(up)) == ("Bb", [(2, "Bb"), (8, "F7/A")])
    assert LeadSheet.from_score(sheet().to_score().transpose(3)) == up
    letters = Score((Track([[0, 9, 60, 90]]),), markers=[(0, "A"), (5, "verse")])
    assert letters.transpose(1).markers == ((0, "A"), (5, "verse"))


def test_a_cut_score_keeps_the_chord_that_sounds():
    score = sheet().to_score()
    late = score.slice_ticks(2000, 4320)
    assert late.markers == ((0, "groove:chords"), (0, "G"), (880, "D7/F#"))
    bar = LeadSheet.from_score(score.slice_bars(2), steps_per_quarter=2)
    assert chords(bar) == [(0, "D7/F#")]
    assert bar.left_out == {}
    before = score.slice_bars(0)
    assert before.markers == ()


def test_chords_of_joined_scores_end_where_a_score_has_none():
    score = sheet().to_score()
    plain = Melody.from_text("M:3/4 L:1/8 E4 - - - - - |").to_score()
    symbols = Score.join([score, plain, score]).markers
    assert symbols == ((0, "groove:chords"), (1440, "G"), (2880, "D7/F#"), (4320, "N.C."),
                       (7200, "G"), (8640, "D7/F#"))  # fmt: skip
    # Letters of another program's parts do not become chords, and nothing that was is misread.
    parts = Score((Track([[0, 480, 60, 90]]),), markers=[(0, "A")])
    assert "groove:chords" not in dict(map(reversed, Score.join([score, parts]).markers))


def test_a_pickup_stands_before_a_bar_line_when_melodies_are_joined():
    twice = LeadSheet.join([sheet(), sheet()])
    # The second pickup sounds in the rest at the end of the first.
    assert twice.length == 14 + 14 - 2
    assert twice.notes[:, 0].tolist() == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22]
    assert chords(twice) == [(2, "G"), (8, "D7/F#"), (14, "G"), (20, "D7/F#")]
    assert twice.slice_bars(2, pickup=2).notes.tolist() == sheet().notes[:4].tolist()
    full = Melody.from_text("M:3/4 L:1/8 C4 D4 E4 F4 G4 A4 |")
    late = Melody.join([full, sheet()])
    assert late.notes[6:8, 0].tolist() == [10, 12]  # there is no rest for it: a bar later
    assert late.left_out == {"chord symbols": 2, "syllables": 4}
    six = Melody.from_text("M:6/8 L:1/8 C4 | E4 - - F4 - - | G4 - - - - |")
    assert Melody.join([six, six]).bars == 4  # the last bar makes up for the pickup
    assert Melody.join([six, six]).length == 24


def test_the_chord_of_one_melody_does_not_sound_in_the_next():
    tune = Melody.from_text("M:3/4 L:1/8 E4 - - - - - |")
    joined = LeadSheet.join([sheet().slice_bars(0), LeadSheet.of_melody(tune)])
    assert chords(joined) == [(0, "G"), (6, "N.C.")]


def test_the_pickup_of_a_phrase_is_cut_out_with_it():
    phrase = sheet().slice_bars(1, pickup=3)
    assert (phrase.pickup, phrase.length, chords(phrase)) == (3, 9, [(0, "G"), (3, "D7/F#")])
    assert phrase.notes.tolist() == [[1, 2, 74, 100], [3, 2, 72, 100], [5, 2, 69, 100]]
    assert sheet().slice_bars(0, 2, pickup=2) == sheet()
    with pytest.raises(UsageError, match="no pickup of 3 steps before bar 0") as told:
        sheet().slice_bars(0, pickup=3)
    assert told.value.hint == "Use 0 to 2."


@pytest.mark.parametrize("semitones", range(-11, 12))
def test_keys_go_where_music21_takes_them(semitones):
    music21 = pytest.importorskip("music21")
    for sharps in range(-7, 8):
        for minor in (0, 1):
            score = Score((), key_signatures=[[0, sharps, minor]]).transpose(semitones)
            ((_, found, mode),) = score.key_signatures.tolist()
            key = music21.key.KeySignature(sharps).asKey("minor" if minor else "major")
            want = (key.tonic.pitchClass + semitones) % 12
            now = music21.key.KeySignature(found).asKey("minor" if mode else "major")
            assert (now.tonic.pitchClass, mode) == (want, minor)
            assert abs(found) <= max(6, abs(sharps) * (not semitones))


@pytest.mark.parametrize("metre", ["6/8", "2/2", "3/4", "5/8", "12/8"])
def test_bars_are_those_of_music21(metre):
    music21 = pytest.importorskip("music21")
    part = music21.stream.Part([music21.meter.TimeSignature(metre)])
    part.insert(0, music21.note.Note(quarterLength=30))
    bars = [bar.offset for bar in part.makeMeasures().getElementsByClass("Measure")]
    top, bottom = map(int, metre.split("/"))
    score = Score((), 480, time_signatures=[[0, top, bottom]], end_tick=30 * 480)
    assert score.bars == len(bars)
    assert score.bar_ticks(range(len(bars))).tolist() == [480 * offset for offset in bars]
