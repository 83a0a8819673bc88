"""MusicXML: what other programs write, and what nobody should."""

from __future__ import annotations

import sys
import zipfile

import pytest

from groove_core import LeadSheet, Melody, Score, Track
from groove_core.errors import InputError, UsageError

NOTE = "<note><pitch><step>{}</step><octave>4</octave></pitch><duration>{}</duration>{}</note>"
HARMONY = ("<harmony><root><root-step>B</root-step><root-alter>-1</root-alter></root>"
           '<kind text="7">dominant</kind></harmony>')  # fmt: skip


def document(body, head=""):
    return f"""<?xml version="1.0"?>{head}
<score-partwise version="4.0"><part-list><score-part id="P1"><part-name>Voice</part-name>
</score-part></part-list><part id="P1">{body}</part></score-partwise>"""


@pytest.fixture
def tune():
    pytest.importorskip("music21")
    begin = "<attributes><divisions>2</divisions><key><fifths>-1</fifths><mode>minor</mode></key>"
    begin += "<time><beats>3</beats><beat-type>4</beat-type></time></attributes>"
    sung = "<lyric><syllabic>begin</syllabic><text>Wal</text></lyric>"
    tie = '<tie type="{}"/>'
    return document(
        f'<measure number="0" implicit="yes">{begin}{NOTE.format("A", 2, sung)}</measure>'
        f'<measure number="1">{HARMONY}{NOTE.format("D", 2, "")}'
        f'{NOTE.format("F", 4, tie.format("start"))}</measure>'
        f'<measure number="2">{NOTE.format("F", 2, tie.format("stop"))}'
        f'{NOTE.format("E", 4, "")}</measure>'
    )  # fmt: skip


def test_a_lead_sheet_of_another_program_keeps_pickup_chords_words_and_ties(tune, tmp_path):
    (path := tmp_path / "tune.xml").write_text(tune)
    sheet = LeadSheet.read(path)
    quarter = sheet.steps_per_quarter
    assert (sheet.metre, sheet.pickup, sheet.key) == ((3, 4), quarter, "Dm")
    rows = [[s / quarter, n / quarter, p] for s, n, p, _ in sheet.notes.tolist()]
    assert rows == [[0, 1, 69], [1, 1, 62], [2, 3, 65], [5, 2, 64]]
    assert [(at / quarter, str(chord)) for at, chord in sheet.chords] == [(1, "Bb7")]
    assert sheet.lyrics == ((0, "Wal-"),)
    assert sheet.left_out == {}
    score = Score.read(path)
    assert score.tracks[0].name == "Voice"
    assert score.bar_ticks([0, 1, 2]).tolist() == [0, 480, 1920]


def test_a_metre_that_begins_behind_the_pickup_holds(tmp_path):
    pytest.importorskip("music21")
    time = "<attributes>{}<time><beats>{}</beats><beat-type>4</beat-type></time></attributes>"
    bar = NOTE.format("C", 2, "") * 3
    (path := tmp_path / "tune.xml").write_text(document(
        f'<measure number="0" implicit="yes">{time.format("<divisions>2</divisions>", 4)}'
        f'{NOTE.format("G", 2, "")}</measure>'
        f'<measure number="1">{time.format("", 3)}{bar}</measure>'
        f'<measure number="2">{bar}</measure>'
    ))  # fmt: skip
    score = Score.read(path)
    assert score.time_signatures.tolist() == [[0, 1, 4], [480, 3, 4]]
    melody = Melody.from_score(score)
    assert (melody.metre, melody.pickup, melody.bars) == ((3, 4), melody.steps_per_quarter, 2)


def test_packed_files_are_unpacked(tune, tmp_path):
    with zipfile.ZipFile(path := tmp_path / "tune.mxl", "w") as archive:
        archive.writestr("META-INF/container.xml", "<container/>")
        archive.writestr("tune.xml", tune)
    (plain := tmp_path / "tune.musicxml").write_text(tune)
    assert Melody.read(path) == Melody.read(plain)


@pytest.mark.parametrize("name", ["C7sus4no3", "C5no3", "Cno3", "C7no5"])
def test_a_chord_keeps_what_its_name_takes_away(name, tmp_path):
    pytest.importorskip("music21")
    sheet = LeadSheet([[0, 4, 60, 100]], chords=[(0, name)])
    assert LeadSheet.read(sheet.save(tmp_path / "sheet.musicxml")) == sheet


ENTITY = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (document("", ENTITY).encode(), "declares XML entities"),
        (document("", ENTITY).encode("utf-16"), "declares XML entities"),
        (b"<score-partwise><part", "is not a score"),
        (b"", "empty"),
    ],
)
def test_hostile_files_are_refused(content, says, tmp_path):
    pytest.importorskip("music21")
    (path := tmp_path / "bad.xml").write_bytes(content)
    with pytest.raises(InputError, match=says):
        Score.read(path)


def test_a_packed_bomb_is_refused(tmp_path):
    pytest.importorskip("music21")
    with zipfile.ZipFile(path := tmp_path / "bomb.mxl", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.xml", b" " * (17 * 2**20))
    with pytest.raises(InputError, match="unpacks to more than 16 MiB"):
        Score.read(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "nothing")
    with pytest.raises(InputError, match="holds no MusicXML"):
        Score.read(path)


def test_a_note_without_end_is_refused(tmp_path):
    pytest.importorskip("music21")
    body = f'<measure number="1">{NOTE.format("A", 10**12, "")}</measure>'
    (path := tmp_path / "long.xml").write_text(document(body))
    with pytest.raises(InputError):
        Score.read(path)


def test_without_music21_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "music21", None)
    with pytest.raises(UsageError, match="MusicXML and ABC need music21") as told:
        Melody.from_text("C4").save(tmp_path / "x.musicxml")
    assert told.value.hint == 'pip install "groove-core[musicxml]"'


def test_what_musicxml_has_no_octave_for_is_refused(tmp_path):
    pytest.importorskip("music21")
    with pytest.raises(UsageError, match="no MIDI pitch 11"):
        Melody([[0, 1, 11, 90]]).save(tmp_path / "x.musicxml")


ABC = """X:1
T:A jig
M:6/8
L:1/8
Q:3/8=100
K:Em
B | "Em"EFG "Am/C"c2A | "B7"(3B^AB F B3 |]
"""


def test_a_tune_in_abc_keeps_key_pickup_chords_and_triplets(tmp_path, capsys):
    pytest.importorskip("music21")
    (path := tmp_path / "jig.abc").write_text(ABC)
    sheet = LeadSheet.read(path)
    assert (sheet.metre, sheet.key, sheet.tempo_bpm) == ((6, 8), "Em", 150)
    eighth = sheet.steps_per_quarter / 2
    assert sheet.pickup == eighth
    rows = [[start / eighth, pitch] for start, _, pitch, _ in sheet.notes.tolist()]
    third = 2 / 3
    assert rows == [
        [0, 71], [1, 64], [2, 66], [3, 67], [4, 72], [6, 69],
        [7, 71], [7 + third, 70], [7 + 2 * third, 71], [9, 66], [10, 71],
    ]  # fmt: skip
    assert [(at / eighth, str(c)) for at, c in sheet.chords] == [(1, "Em"), (4, "Am/C"), (7, "B7")]
    assert capsys.readouterr().err == ""
    path.write_text(ABC + "w: my dear\n")
    assert Melody.read(path).notes.tolist() == sheet.notes.tolist()
    assert "the words of ABC are not read" in capsys.readouterr().err


def test_a_book_of_tunes_is_refused(tmp_path):
    pytest.importorskip("music21")
    (path := tmp_path / "book.abc").write_text(ABC + "\n" + ABC.replace("X:1", "X:2"))
    with pytest.raises(InputError, match="holds 2 tunes") as told:
        Score.read(path)
    assert told.value.hint == "Give each tune a file of its own."
    path.write_text("nothing")
    with pytest.raises(InputError):
        Melody.read(path)


def test_a_score_keeps_its_notes_on_the_grid(tmp_path, capsys):
    """Chords, voices, triplets, tempo, metre and key; drums are left out, and said to be."""
    pytest.importorskip("music21")
    notes = [[at, 480, p, 80] for at in range(0, 5760, 1440) for p in (48, 60, 64)]
    notes += [[480, 960, 67, 80], [1920, 160, 72, 80], [2080, 160, 74, 80], [2240, 160, 76, 80]]
    drums = Track([[0, 120, 38, 100]], is_drum=True)
    tracks = [Track(sorted(notes), "piano"), Track([[0, 5760, 36, 70]], "bass", 33), drums]
    score = Score(tracks, tempos=[[0, 600_000]], time_signatures=[[0, 3, 4]],
                  key_signatures=[[0, -3, 1]])  # fmt: skip
    again = Score.read(score.save(tmp_path / "score.musicxml"))
    assert "drums are not written" in capsys.readouterr().err
    assert [t.name for t in again.tracks] == ["piano", "bass"]
    assert again.ticks_per_quarter == 480
    for before, after in zip(tracks, again.tracks, strict=False):
        rows = [sorted(t.notes[:, :3].tolist()) for t in (before, after)]
        assert rows[0] == rows[1]
    for name in ("tempos", "time_signatures", "key_signatures"):
        assert getattr(again, name).tolist() == getattr(score, name).tolist()
    for wrong in ([drums], [Track([[0, 120, 11, 90]])]):
        with pytest.raises(UsageError):
            Score(wrong).save(tmp_path / "no.musicxml")
