"""Melodies, lead sheets and chords are what they were after every way there and back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from groove_core import Chord, LeadSheet, Melody, Score
from groove_core.values import from_json, skyline
from groove_core.values.chords import QUALITIES
from groove_core.values.pitches import key_name

GRIDS = [
    (metre, steps)
    for metre in [(4, 4), (3, 4), (6, 8), (2, 2), (5, 8), (12, 8), (7, 4)]
    for steps in (1, 2, 3, 4, 6, 12, 7)
    if 4 * steps * metre[0] % metre[1] == 0
]
NAMES = [letter + sign for letter in "CDEFGAB" for sign in ("", "#", "b")]
CHANGES = ["b5", "#5", "b9", "#9", "#11", "b13", "add9", "add11", "add13", "no3", "no5", "sus4"]
WORDS = st.text(st.sampled_from('aZé日本 -*_"|\\~:#{}w\n\0\u3000\u200b💡'), max_size=6)


@st.composite
def chords(draw):
    if draw(st.integers(0, 9)) == 0:
        return Chord("")
    quality = draw(st.sampled_from(list(QUALITIES)))
    quality += "".join(draw(st.lists(st.sampled_from(CHANGES[:-1]), max_size=2, unique=True)))
    return Chord(draw(st.sampled_from(NAMES)), quality, draw(st.sampled_from(["", *NAMES])))


@st.composite
def melodies(draw):
    metre, steps = draw(st.sampled_from(GRIDS))
    notes, at = [], 0
    for _ in range(draw(st.integers(0, 12))):
        start = at + draw(st.integers(0, 5))
        length = draw(st.integers(1, 9))
        notes.append((start, length, draw(st.integers(0, 127)), draw(st.integers(1, 127))))
        at = start + length
    key = key_name(draw(st.integers(-7, 7)), draw(st.booleans()))
    return Melody(
        np.array(notes, int).reshape(-1, 4), steps, metre,
        length=at + draw(st.integers(0, 20)),
        pickup=draw(st.integers(0, 4 * steps * metre[0] // metre[1] - 1)),
        tempo_bpm=draw(st.floats(3.6, 900)),
        key=draw(st.sampled_from(["", key])),
    )  # fmt: skip


@st.composite
def lead_sheets(draw):
    sheet = LeadSheet.accept(draw(melodies()))
    steps = st.integers(0, max(sheet.length - 1, 0))
    onsets = sheet.notes[:, 0].tolist()
    return sheet.with_words(
        draw(
            st.lists(
                st.tuples(steps, chords()),
                max_size=4 * bool(sheet.length),
                unique_by=lambda one: one[0],
            )
        ),
        [(at, draw(WORDS)) for at in onsets if draw(st.booleans())],
    )


def there_and_back(melody):
    kind = type(melody)
    assert kind.from_score(melody.to_score()) == melody
    read = kind.from_score(Score.from_midi(melody.to_score().to_midi()))
    assert read == melody
    assert not read.left_out
    assert kind.from_text(melody.to_text()) == melody
    assert from_json(melody.to_json()) == melody


@given(melodies())
@example(Melody(np.array([[0, 1, 60, 100]]), pickup=3))
def test_melodies_survive_midi_text_and_json(melody):
    there_and_back(melody)
    assert Melody.from_events(melody.events).notes[:, :3].tolist() == melody.notes[:, :3].tolist()


@given(lead_sheets())
def test_lead_sheets_survive_midi_text_and_json(sheet):
    there_and_back(sheet)
    assert Melody.from_score(sheet.to_score()).notes.tolist() == sheet.notes.tolist()


@given(chords(), st.integers(-24, 24))
def test_chords_are_read_as_they_are_written_and_move_as_wholes(chord, semitones):
    assert Chord.parse(str(chord)) == chord
    moved = chord.transpose(semitones)
    assert {(p + semitones) % 12 for p in chord.pitch_classes} == set(moved.pitch_classes)
    assert moved.intervals == chord.intervals


@given(lead_sheets())
def test_bars_joined_are_the_whole(sheet):
    sheet = sheet.from_json({**sheet.to_json(), "pickup": 0})
    size = sheet.steps_per_bar
    cuts = [sheet.slice_bars(at) for at in range(sheet.bars)]
    if not cuts:
        return
    joined = type(sheet).join(cuts)
    assert joined.length == sheet.length
    assert joined.chord_at(range(sheet.length)) == sheet.chord_at(range(sheet.length))
    assert joined.lyrics == sheet.lyrics
    for start, length, pitch, velocity in sheet.notes.tolist():
        inside = min(length, size - start % size)  # a note that sounds on is cut at the bar line
        assert [start, inside, pitch, velocity] in joined.notes.tolist()


@given(st.lists(st.tuples(*map(st.integers, (0, 0, 40), (40, 8, 80))), min_size=1, max_size=12))
def test_what_begins_together_is_one_note_and_no_two_notes_overlap(cells):
    notes = np.array([(at * 480, (length + 1) * 480, pitch, 90) for at, length, pitch in cells])
    line, counts = skyline(notes, 480)
    assert (line[:-1, :2].sum(axis=1) <= line[1:, 0]).all()
    assert len(line) + counts["chord notes"] == len(notes)
    # Literally: where nothing is held, the highest of what begins at a tick.
    for start, _, pitch, _ in line.tolist():
        if not any(at < start < at + length for at, length, _, _ in notes.tolist()):
            assert pitch == max(p for at, _, p, _ in notes.tolist() if at == start)
    flipped = notes * [1, 1, -1, 1] + [0, 0, 127, 0]
    low, _ = skyline(flipped, 480, bottom=True)
    assert (127 - low[:, 2] == line[:, 2]).all()


@settings(max_examples=50)
@given(st.lists(lead_sheets(), min_size=1, max_size=3))
def test_every_pickup_of_what_is_joined_stands_before_a_bar_line(sheets):
    sheets = [LeadSheet.from_json({**s.to_json(), "steps_per_quarter": 4, "metre": [4, 4],
                                   "pickup": s.pickup % 16}) for s in sheets]  # fmt: skip
    joined, place = LeadSheet.join(sheets), 0
    assert joined.notes[:, 1:].tolist() == [row for s in sheets for row in s.notes[:, 1:].tolist()]
    assert [text for _, text in joined.lyrics] == [text for s in sheets for _, text in s.lyrics]
    for number, sheet in enumerate(sheets):
        if len(sheet.notes):
            at = int(joined.notes[place, 0] - sheet.notes[0, 0])
            place += len(sheet.notes)
            # In the silence behind its notes, the pickup of the next may stand.
            bars = range(sheet.pickup, int(sheet.notes[-1, :2].sum()))
            if sheet.pickup or not number:
                assert (at + sheet.pickup - joined.pickup) % 16 == 0
            # From its first bar line on, no chord sounds but its own.
            held = joined.chord_at([at + step for step in bars])
            assert held == sheet.chord_at(bars)


@settings(max_examples=50)
@given(lead_sheets(), st.integers(-7, 7))
def test_a_score_of_a_lead_sheet_is_edited_as_the_sheet_is(sheet, semitones):
    pitches = sheet.notes[:, 2]
    if len(pitches) and not 7 <= pitches.min() <= pitches.max() <= 120:
        return
    score = sheet.to_score()
    assert LeadSheet.from_score(score.transpose(semitones)) == sheet.transpose(semitones)
    ends = sheet.notes[:, :2].sum(axis=1)
    for bar in range(sheet.bars):
        first = sheet.pickup + bar * sheet.steps_per_bar
        want = sheet.slice_bars(bar)
        if len(want.notes) and not ((sheet.notes[:, 0] < first) & (ends > first)).any():
            cut = score.slice_bars(bar + bool(sheet.pickup))
            got = LeadSheet.from_score(
                cut, track="melody", steps_per_quarter=sheet.steps_per_quarter
            )
            assert got.notes.tolist() == want.notes.tolist()
            assert (got.key, got.metre, got.lyrics) == (want.key, want.metre, want.lyrics)
            steps = range(want.length)
            assert list(map(str, got.chord_at(steps))) == list(map(str, want.chord_at(steps)))


def _sung(text):
    """Whether a syllable has letters alone: what music21 reads into others is its own affair."""
    return text.strip("-").isalpha() if text else True


@settings(max_examples=25, deadline=None)
@given(lead_sheets())
def test_lead_sheets_survive_musicxml(tmp_path_factory, sheet):
    pytest.importorskip("music21")
    if not sheet.length:
        return
    words = [(at, text) for at, text in sheet.lyrics if _sung(text)]
    tempo = min(max(sheet.tempo_bpm, 20), 400)
    notes = np.maximum(sheet.notes, [0, 0, 12, 0])
    sheet = replace(sheet, notes=notes, lyrics=words, tempo_bpm=tempo)
    path = tmp_path_factory.mktemp("xml") / "sheet.musicxml"
    read = LeadSheet.read(sheet.save(path))
    ours, theirs = sheet.to_json(), read.to_json()
    assert theirs.pop("tempo_bpm") == pytest.approx(ours.pop("tempo_bpm"), abs=0.01)
    assert theirs == ours
