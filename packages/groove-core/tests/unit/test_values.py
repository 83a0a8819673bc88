"""Scores, drum patterns and sound: what they hold, and what they refuse."""

from __future__ import annotations

import gc
import json
import weakref

import numpy as np
import pretty_midi
import pytest

from groove_core.drums.pattern import DRUMS, FOLD, DrumPattern
from groove_core.errors import InputError, UsageError
from groove_core.values.base import from_json
from groove_core.values.plots import save_png
from groove_core.values.results import Codes, Estimate, Report
from groove_core.values.scores.score import Score, Track
from groove_core.values.sound.audio import Audio

ROCK = [5, 0, 4, 0, 6, 0, 4, 0] * 4


def rock(**kwargs):
    return DrumPattern.from_masks(ROCK, **kwargs)


def test_bit_map_is_the_published_one():
    assert [drum.note for drum in DRUMS] == [
        36, 38, 42, 41, 45, 46, 48, 49, 51, 56, 60, 61, 62, 64,
    ]  # fmt: skip
    assert all(FOLD[drum.note] == index for index, drum in enumerate(DRUMS))
    assert (FOLD[35], FOLD[40], FOLD[22], FOLD[58], FOLD[26], FOLD[59]) == (0, 1, 2, 3, 5, 8)


def test_masks_and_hits_agree():
    beat = DrumPattern.from_masks([1 << (i % 14) for i in range(32)])
    assert beat.hits.sum() == 32
    assert all(beat.hits[i, i % 14] for i in range(32))


def test_a_hit_before_the_first_beat_is_written_one_bar_later_and_read_back():
    offset = np.zeros((32, 14))
    offset[0, 0] = -30
    beat = rock(offset_ticks=offset, tempo_bpm=97.5)
    score = beat.to_score()
    assert score.tracks[0].notes[:, 0].min() == 1920 - 30
    assert DrumPattern.from_score(Score.from_midi(score.to_midi())) == beat


def test_silence_at_the_end_keeps_its_length(tmp_path):
    beat = DrumPattern.from_masks([1] + [0] * 63)
    assert DrumPattern.read(beat.save(tmp_path / "a.mid")).bars == 4
    silent = DrumPattern.from_masks([0] * 32)
    assert DrumPattern.read(silent.save(tmp_path / "b.mid")) == silent


def test_export_is_not_longer_than_the_beat():
    midi = rock(tempo_bpm=120).to_score().to_pretty_midi()
    assert midi.get_end_time() <= 4.0
    assert midi.instruments[0].is_drum
    assert midi.get_tempo_changes()[1] == pytest.approx([120])
    # A sequencer takes the end of the track for the length of the clip.
    import io

    import mido

    sparse = DrumPattern.from_masks([1] + [0] * 31, tempo_bpm=120)
    for beat in (rock(tempo_bpm=120), sparse):
        assert mido.MidiFile(file=io.BytesIO(beat.to_score().to_midi())).length == pytest.approx(
            4.0
        )


def test_long_beats_are_drawn_below_each_other():
    lines = DrumPattern.join([rock()] * 2).to_text().splitlines()
    assert lines[0] == "bar 1"
    assert lines[5] == "bar 3"
    assert max(map(len, lines)) < 80


def test_pretty_midi_there_and_back():
    midi = pretty_midi.PrettyMIDI(initial_tempo=100)
    piano = pretty_midi.Instrument(4, name="keys")
    piano.notes.append(pretty_midi.Note(90, 60, 0.0, 1.2))
    piano.control_changes.append(pretty_midi.ControlChange(64, 127, 0.3))
    midi.instruments.append(piano)
    score = Score.from_pretty_midi(midi)
    assert score.duration_s == pytest.approx(1.2, abs=2e-3)
    assert score.tracks[0].program == 4
    again = score.to_pretty_midi()
    assert again.instruments[0].notes[0].pitch == 60
    assert len(again.instruments[0].control_changes) == 1


def test_seconds_follow_tempo_changes():
    notes = np.array([[0, 480, 60, 90], [960, 480, 62, 90]])
    tempos = np.array([[0, 500_000], [480, 1_000_000]])
    score = Score((Track(notes),), 480, tempos)
    np.testing.assert_allclose(score.seconds([0, 480, 960, 1440]), [0, 0.5, 1.5, 2.5])
    np.testing.assert_allclose(score.tempo_at([0, 479, 480]), [120, 120, 60])
    assert Score((Track(notes),)).duration_s == pytest.approx(1.5)  # 120 bpm where none is said


def test_text_grid():
    velocity = np.full((32, 14), 100)
    velocity[0, 0], velocity[8, 0] = 120, 30
    text = rock(velocity=velocity).to_text()
    assert text.splitlines()[0] == "kick           X.......o....... x.......x......."
    assert DrumPattern.from_masks([0] * 16).to_text() == "(silent)"


def test_slice_and_join():
    beat = rock()
    four = DrumPattern.join([beat, rock(velocity=np.full((32, 14), 50))])
    assert four.bars == 4
    assert four.slice_bars(0) == beat
    assert (four.velocity[32:][four.hits[32:]] == 50).all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: DrumPattern(np.zeros((31, 14))),
        lambda: DrumPattern(np.zeros((32, 13))),
        lambda: DrumPattern(np.zeros((0, 14))),
        lambda: DrumPattern(np.zeros((32, 14)), tempo_bpm=float("nan")),
        lambda: DrumPattern(np.ones((32, 14)), velocity=np.zeros((32, 14))),
        lambda: DrumPattern(np.ones((32, 14)), offset_ticks=np.full((32, 14), 60)),
        lambda: DrumPattern(np.ones((32, 14)), offset_ticks=np.full((32, 14), np.nan)),
        lambda: DrumPattern(np.ones((32, 14)), velocity=np.zeros((16, 14))),
        lambda: DrumPattern.from_masks([1 << 14] * 32),
        lambda: DrumPattern.from_masks(["a"] * 32),
        lambda: DrumPattern.from_masks([5.7] * 32),
        lambda: DrumPattern.join([]),
        lambda: rock().slice_bars(1, 2),
        lambda: rock(tempo_bpm="120"),
        lambda: Audio(np.zeros(3), 0),
        lambda: Score((Track(np.array([[0, 1, 128, 1]])),)),
        lambda: Score((Track(np.zeros((0, 4)), program=128),)),
        lambda: Score((), ticks_per_quarter=0),
        lambda: Score((), ticks_per_quarter="x"),
        lambda: Score((), tempos=[[0, 0]]),
        lambda: Audio(np.array([0.0, np.nan]), 44_100),
        lambda: Audio(np.zeros((1, 2, 3)), 44_100),
        lambda: Report("t", ("a", "b"), (("x",),)),
    ],
)
def test_impossible_values_are_refused(make):
    with pytest.raises(UsageError) as caught:
        make()
    assert caught.value.hint


def test_values_are_frozen():
    beat = rock()
    with pytest.raises(ValueError, match="read-only"):
        beat.hits[0, 0] = False
    with pytest.raises(AttributeError):
        beat.tempo_bpm = 3
    with pytest.raises(TypeError):
        hash(beat)


def test_repr_and_players():
    assert repr(rock()) == "DrumPattern(2 bars, 24 hits, 120 bpm)"
    assert "audio/mpeg;base64" in rock()._repr_html_()
    assert "Score(1 tracks" in repr(rock().to_score())


@pytest.mark.parametrize("kind", ["drum", "score"])
def test_bad_json(tmp_path, kind):
    read = {"drum": DrumPattern.read, "score": Score.read}[kind]
    path = tmp_path / "x.json"
    for content in ("{", "[]", '{"kind": "other"}', '{"kind": "drum-pattern", "masks": "x"}',
                    '{"kind": "score"}', "\xff"):  # fmt: skip
        path.write_bytes(content.encode("latin-1"))
        with pytest.raises(InputError):
            read(path)
    with pytest.raises(InputError):
        from_json({"kind": "nothing"})


def test_bad_audio_files(tmp_path):
    path = tmp_path / "x.wav"
    with pytest.raises(InputError, match="does not exist"):
        Audio.read(path)
    path.write_bytes(b"")
    with pytest.raises(InputError, match="empty"):
        Audio.read(path)
    path.write_bytes(b"RIFFnothing")
    with pytest.raises(InputError, match="not an audio file"):
        Audio.read(path)
    import soundfile

    soundfile.write(path, np.array([0.0, np.nan]), 8000, subtype="FLOAT")
    with pytest.raises(InputError, match="NaN"):
        Audio.read(path)


def test_audio_level():
    audio = Audio(np.array([0.1, -0.25]), 8000)
    assert audio.normalized(0.0).peak == pytest.approx(1.0)
    assert Audio(np.zeros(10), 8000).normalized().peak == 0
    assert "silent" in Audio(np.zeros(10), 8000).to_text()


def test_every_value_can_be_shown_and_saved(tmp_path):
    report = Report("t", ("name", "x", "y"), (("a", 1.5, None), ("b", 2, "z")))
    report.save(tmp_path / "r.md")
    report.save(tmp_path / "r.csv")
    assert (tmp_path / "r.csv").read_text() == "name,x,y\na,1.5,\nb,2,z\n"
    assert report.cell("b", "x") == 2
    for value in (report, rock(), rock().to_score(), Audio(np.zeros(9), 8000)):
        assert value.to_text()
        value.save(tmp_path / "v.json")
        assert json.loads((tmp_path / "v.json").read_text())["kind"] == value.kind
        assert type(value).read(tmp_path / "v.json") == value
    with pytest.raises(UsageError, match="cannot be written"):
        rock().save(tmp_path / "v.xyz")
    assert not (tmp_path / "v.xyz").exists()


def test_names_of_the_package_are_what_they_say():
    import types

    import groove_core

    for name in groove_core.__all__:
        assert not isinstance(getattr(groove_core, name), types.ModuleType), name
    with pytest.raises(AttributeError):
        groove_core.nothing  # noqa: B018


def test_a_score_reads_a_beat_from_json(tmp_path):
    score = Score.read(rock().save(tmp_path / "beat.json"))
    assert score == rock().to_score()


def test_numbers_that_json_cannot_hold_are_left_out(tmp_path):
    report = Report("t", ("", "x", "y"), (("a", float("nan"), np.int64(3)),))
    assert report.rows == (("a", None, 3),)
    report.save(tmp_path / "r.json")


def test_every_value_can_be_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    velocity = np.where(np.arange(32)[:, None] % 3, 100, 40) * np.ones((1, 14), int)
    beat = rock(velocity=velocity)
    piano = Track(np.array([[0, 480, 60, 90], [480, 480, 64, 90]]), name="piano")
    cells = (("a", Estimate(0.5, 0.4, 0.6), 1), ("b", None, 2))
    values = [
        beat,
        DrumPattern.from_masks([0] * 16),
        Score((piano, beat.to_score().tracks[0])),
        Audio(np.sin(np.arange(8000) / 9), 8000),
        Audio(np.zeros((1, 0)), 8000),
        Report("t", ("", "x", "y"), cells),
        Codes([[0, 1], [1, 0]]),
        Codes([[0.0], [1.0]]),
    ]
    sizes = set()
    for index, value in enumerate(values):
        path = value.save(tmp_path / f"{index}.png")
        assert path.read_bytes().startswith(b"\x89PNG")
        sizes.add(path.stat().st_size)
        again = value.save(tmp_path / "again.png")
        assert again.read_bytes() == path.read_bytes()  # no date inside
    assert len(sizes) == len(values)


def test_values_show_themselves_in_notebooks():
    assert "<table>" in Report("a <b>", ("", "x"), (("r", 1),))._repr_html_()
    assert "a &lt;b&gt;" in Report("a <b>", ("", "x"), (("r", 1),))._repr_html_()
    assert "<audio" in Audio(np.zeros(9), 8000)._repr_html_()
    assert "Codes(2 points, 2 dimensions)" in repr(Codes([[0, 1], [1, 0]]))
    assert Codes([[0, 1]]).to_text().split() == ["1", "0.0000", "1.0000"]


def test_a_picture_with_a_name_of_any_bytes_is_freed_when_it_is_saved(tmp_path):
    pytest.importorskip("matplotlib")
    figures = []

    def draw():
        axes = DrumPattern.from_masks(ROCK).plot()
        axes.set_title("caf\udce9.mid")
        figures.append(weakref.ref(axes.figure))
        return axes

    gc.disable()  # as if Python had no time to look for garbage
    try:
        save_png(draw, tmp_path / "a.png")
    finally:
        gc.enable()
    assert (tmp_path / "a.png").stat().st_size > 1000
    assert figures[0]() is None
