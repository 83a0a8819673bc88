"""Scores to events and back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from groove_core.drums import DrumPattern
from groove_core.errors import InputError, UsageError
from groove_core.values import LeadSheet, Melody, Score, Track
from music_vae.alphabets import drum_classes, melody_classes
from music_vae.excerpts import at_each_bar, chosen, excerpts
from music_vae.pieces import score_of, song_of, stretches
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
    assert [(excerpt.bar, excerpt.bars) for excerpt in found] == [(2, 2), (4, 2), (6, 1)]
    assert not found[2].events[0, 16:].any()
    assert not capsys.readouterr().err
    first = chosen(tune.to_score(), ["melody"], 2)
    assert (first.events == found[0].events).all()
    assert "using bars 2-3 of the phrase; other bars with --bars" in capsys.readouterr().err


def test_a_trio_begins_where_all_voices_play(trio_of):
    """An introduction of drums, and then of drums and bass, is passed over."""
    song = trio_of(20, 1)
    begin = {"melody": 3, "bass": 2, "drums": 0}
    tracks = [replace(t, notes=t.notes[t.notes[:, 0] >= 1920 * begin[t.name]]) for t in song.tracks]
    assert chosen(replace(song, tracks=tuple(tracks)), TRIO, 16).bar == 4
    first, second = excerpts(song, ("drums",), 2)[:2]
    assert (first.bar, second.bar) == (1, 3)


def test_short_pieces_are_filled_up_and_it_is_said(capsys):
    tune = Melody.from_text("M:4/4 L:1/16 " + "C4 - E4 - G4 - A4 - " * 2)
    found = chosen(tune.to_score(), ["melody"], 16)
    assert found.events.shape == (1, 256)
    assert found.bars == 1
    assert "bar 1 of the phrase: silence fills up the 16 bars" in capsys.readouterr().err
    with pytest.raises(InputError, match="has 1 of the 16 bars"):
        excerpts(tune.to_score(), ["melody"], 16)


def test_bars_are_chosen_by_their_numbers(capsys):
    tune = Melody.from_text("M:4/4 L:1/16 " + ". " * 16 + "C4 - E4 - G4 - A4 - " * 10)
    whole = stretches(tune.to_score(), ["melody"])[0].rows
    found = chosen(tune.to_score(), ["melody"], 4, (3, 5))
    assert (found.bar, found.bars) == (3, 3)
    assert (found.events[0, :48] == whole[0, 32:80]).all()
    assert not found.events[0, 48:].any()
    assert "bars 3-5 of the phrase: silence fills up the 4 bars" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("span", "message", "hint"),
    [
        ((3, 8), "are 6 bars; the model has 4", "--bars 3-6"),
        ((5, 7), "the bars 1-6", "--bars 1-6"),
        ((1, 1), "Nothing begins in bar 1", "--bars"),
    ],
)
def test_bars_that_are_not_there_are_refused(span, message, hint):
    tune = Melody.from_text("M:4/4 L:1/16 " + ". " * 16 + "C4 - E4 - G4 - A4 - " * 10)
    with pytest.raises(UsageError, match=message) as error:
        chosen(tune.to_score(), ["melody"], 4, span)
    assert hint in error.value.hint


def test_an_excerpt_begins_at_each_bar_with_notes():
    tune = Melody.from_text("M:4/4 L:1/16 " + "C4 - E4 - G4 - A4 - . . . . . . . . " * 3
                            + ". " * 16 + "C4 - - - - - - - D4 - - - - - - - ")  # fmt: skip
    found = at_each_bar(stretches(tune.to_score(), ["melody"]), ["melody"], 2)
    # With bar 3, half of the bars begin a note; with bar 4, the first one does not.
    assert [excerpt.bar for excerpt in found] == [1, 2]


def test_a_pickup_is_a_bar_of_its_own():
    tune = LeadSheet.from_text("M:4/4 L:1/16 G4 - A4 - | " + "C4 - E4 - G4 - A4 - " * 4)
    [stretch] = stretches(tune, ["melody"])
    assert (stretch.bar, stretch.bars) == (0, 3)
    assert np.flatnonzero(stretch.rows[0])[:3].tolist() == [12, 14, 16]
    assert chosen(tune, ["melody"], 2, (1, 2)).events[0, 0] == 41


def test_of_chords_the_top_notes_are_read_and_it_is_said(capsys):
    notes = [[480 * n, 480, pitch, 80] for n in range(8) for pitch in (60, 64, 67 + n % 3)]
    [excerpt] = excerpts(Score((Track(notes, name="piano"),)), ["melody"], 2)
    assert set(excerpt.events[0, ::4]) == {48, 49, 50}
    assert "16 notes below them are not part of it" in capsys.readouterr().err


def test_notes_that_no_piano_has_are_read_in_another_octave_and_it_is_said(capsys):
    tune = LeadSheet.from_text("M:4/4 L:1/16 C0 - E4 - C9 - . . ")
    found = chosen(tune, ["melody"], 2)
    assert found.events[0, [0, 2, 4]].tolist() == [5, 45, 89]
    assert "2 notes lie outside of MIDI 21 to 108" in capsys.readouterr().err


def metres(*spans: tuple[int, int, int], drums: bool = False) -> Score:
    """Make a song of quarter notes in several metres: (bars, numerator, denominator)."""
    tick, signatures, notes = 0, [], []
    for bars, top, bottom in spans:
        signatures.append([tick, top, bottom])
        end = tick + bars * 1920 * top // bottom
        notes += [
            [at, 400, 36 if drums else 60 + at // 480 % 5, 80] for at in range(tick, end, 480)
        ]
        tick = end
    return Score((Track(notes, is_drum=drums),), time_signatures=signatures)


@pytest.mark.parametrize("drums", [False, True])
def test_only_bars_of_four_quarters_are_read(drums):
    voices = ["drums"] if drums else ["melody"]
    song = metres((3, 4, 4), (2, 3, 4), (4, 2, 2), drums=drums)
    found = stretches(song, voices)
    assert [(one.bar, one.bars) for one in found] == [(1, 3), (6, 4)]
    assert [one.frame.start for one in found] == [0, 3 * 1920 + 2 * 1440]
    labels = [(one.bar, one.bars) for one in excerpts(song, voices, 2)]
    assert labels == [(1, 2), (3, 1), (6, 2), (8, 2)]


@pytest.mark.parametrize("drums", [False, True])
def test_triplets_are_refused(drums):
    notes = [[160 * n, 150, 36 if drums else 60 + n % 5, 80] for n in range(48)]
    with pytest.raises(InputError, match="is in triplets"):
        stretches(Score((Track(notes, is_drum=drums),)), ["drums"] if drums else ["melody"])


def test_phrases_on_other_grids():
    """Eighths are sixteenths, too; triplets are not, typed or saved."""
    eighths = LeadSheet.from_text("L:1/8 C4 D4 E4 - F4 . . .")
    sixteenths = LeadSheet.from_text("C4 - D4 - E4 - - - F4 - . . . . . .")
    for given in (eighths, eighths.to_score()):
        [stretch] = stretches(given, ["melody"])
        assert (stretch.rows == melody_classes(sixteenths.events)).all()
    triplets = LeadSheet.from_text("L:1/12 C4 D4 E4 F4 G4 A4 B4 C5 D5 E5 F5 G5")
    for given in (triplets, triplets.to_score()):
        with pytest.raises(InputError, match="is in triplets"):
            stretches(given, ["melody"])


@pytest.mark.parametrize(
    ("text", "voices", "message"),
    [
        ("M:3/4 L:1/16 " + "C4 - E4 - " * 6, ["melody"], r"is in 3/4; the models have learnt 4/4"),
        ("M:4/4 L:1/16 . . . .", ["melody"], "is silent"),
        ("M:4/4 L:1/16 C4 - E4 -", TRIO, "has no bass"),
        ("M:4/4 L:1/16 C4 - E4 -", ["drums"], "no drums"),
    ],
)
def test_what_cannot_be_read_is_refused(text, voices, message):
    with pytest.raises(InputError, match=message):
        stretches(Melody.from_text(text).to_score(), voices)


@pytest.mark.parametrize("voices", [["drums"], TRIO])
def test_a_melody_is_no_beat_and_no_trio(voices):
    with pytest.raises(InputError, match="is a melody; the model reads"):
        stretches(LeadSheet.from_text("C4 - E4 -"), voices)


def test_percussion_alone_is_no_beat():
    notes = [[480 * n, 60, 60, 80] for n in range(8)]
    with pytest.raises(InputError, match="has 8 drum notes, none of them one of the 9 drums"):
        stretches(Score((Track(notes, is_drum=True),)), ["drums"])


def test_a_trio_without_drums_is_refused(trio_of):
    score = trio_of()
    with pytest.raises(InputError, match="drum"):
        song_of(replace(score, tracks=score.tracks[:2]), TRIO)
