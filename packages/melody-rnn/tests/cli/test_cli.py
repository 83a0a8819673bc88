"""melody-rnn on the command line: the main job, phrases, songs, bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from groove_core.tunes import Take
from groove_core.values import Audio, LeadSheet, Melody, Score, Track

PHRASE = (
    "M:4/4 L:1/16 Q:96 K:F C4 - - - E4 - - - G4 - - - A4 - - - | G4 - - - E4 - - - C4 - - - . . . ."
)


@pytest.fixture
def run(groove, tiny):
    """Run an action with a tiny network of a kind."""

    def run(action: str, *arguments: str, kind: str = "transformer"):
        return groove(action, *arguments, "--checkpoint", str(tiny[kind]), "--seed", "1")

    return run


@pytest.mark.parametrize("kind", ["transformer", "attention", "lookback", "basic"])
def test_sample_with_every_network(run, tmp_path, kind):
    result = run(
        "sample", "--count", "2", "--bars", "4", "--format", "mid", "--out", "o", kind=kind
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("M:4/4 L:1/16 Q:100 K:C") == 2
    for number in (1, 2):
        melody = Melody.read(tmp_path / f"o/sample-00{number}.mid")
        assert melody.bars == 4
        assert 55 <= melody.notes[:, 2].min() <= melody.notes[:, 2].max() <= 81


def test_every_format(run, tmp_path):
    result = run("extend", PHRASE, "--bars", "1", "--count", "1", "--out", "o", "--format",
                 "mid,wav,png,txt,json,musicxml")  # fmt: skip
    assert result.returncode == 0, result.stderr
    names = {p.name for p in (tmp_path / "o").iterdir()} - {"result.json"}
    assert names == {f"extend-001.{s}" for s in ("mid", "wav", "png", "txt", "json", "musicxml")}
    take = Take.read(tmp_path / "o/extend-001.json")
    assert LeadSheet.read(tmp_path / "o/extend-001.txt") == take.alone()
    assert LeadSheet.read(tmp_path / "o/extend-001.mid") == take.alone()
    audio = Audio.read(tmp_path / "o/extend-001.wav")
    assert 0.3 < audio.peak <= 1
    assert audio.duration_s >= take.duration_s - 0.3
    level = np.abs(audio.samples).max(axis=0)
    step = int(audio.sample_rate * 60 / 96 / 4)
    for start in take.notes[:, 0].tolist():  # heard where a note begins
        assert level[start * step : (start + 1) * step].max() > 0.02


@pytest.mark.parametrize(
    "action",
    [["extend", "--bars", "1"], ["fill", "--bars", "2"], ["vary"], ["vary", "--keep", "pitch"]],
)
def test_a_phrase_may_be_typed(run, action):
    name, *options = action
    result = run(name, PHRASE, "--count", "1", "--json", *options)
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    [take] = document["result"]
    assert take["kind"] == "take"
    assert document["options"][{"extend": "primer"}.get(name, "melody")] == PHRASE
    assert document.get("inputs", []) == []
    given = Take.from_json(take)
    assert given.given
    assert given.notes[0].tolist() == [0, 4, 60, 100] or name == "vary"


def test_a_typed_phrase_is_traced(groove):
    result = groove("trace", "C4 - D4 - E4 - C4 - C4 - D4 - E4 - C4 - E4 - F4 - G4 - - -", "--json")
    assert result.returncode == 0, result.stderr
    [trace] = json.loads(result.stdout)["result"]
    assert trace["known"] == "the training set"
    assert trace["phrases"][0]["nearest"]["steps"] >= 8


def test_a_rerun_of_a_phrase_gives_the_same_bytes(run, tmp_path):
    done = run("extend", PHRASE, "--bars", "1", "--count", "1", "--out", "a", "--format", "mid")
    assert done.returncode == 0
    result = subprocess.run(
        [sys.executable, "-m", "groove_core", "rerun", "a/result.json", "--out", "b"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    name = "extend-001.mid"
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def notes(*pitches: int, step: int = 480) -> list[list[int]]:
    return [[step * n, step, pitch, 80] for n, pitch in enumerate(pitches)]


def song(*tracks: Track, metre: tuple[int, int] = (4, 4)) -> Score:
    return Score(tracks, time_signatures=[[0, *metre]])


def test_a_song_goes_on_with_all_its_tracks(run, tmp_path):
    line, bass = notes(*[60, 62, 64, 65] * 4), notes(*[36, 43] * 8)
    song(Track(line, name="lead"), Track(bass, name="bass")).save(tmp_path / "song.mid")
    result = run("extend", "song.mid", "--track", "lead", "--bars", "2", "--count", "1", "--out",
                 "o", "--format", "mid,wav")  # fmt: skip
    assert result.returncode == 0, result.stderr
    made = Score.read(tmp_path / "o/song.extend-001.mid")
    assert [track.name for track in made.tracks] == ["lead", "bass"]
    assert made.tracks[1].notes.tolist() == bass
    assert made.tracks[0].notes[:16].tolist() == line
    alone = run("extend", "song.mid", "--track", "lead", "--alone", "--count", "1", "--out", "p",
                "--format", "mid")  # fmt: skip
    assert alone.returncode == 0
    assert [track.name for track in Score.read(tmp_path / "p/song.extend-001.mid").tracks] == [
        "melody"
    ]


def _bad_files(folder: Path) -> None:
    line = notes(60, 62, 64, 65, 67, 65, 64, 62)
    (folder / "text.mid").write_text("this is not MIDI")
    (folder / "empty.mid").touch()
    song().save(folder / "silent.mid")
    song(Track(notes(36, 38), is_drum=True)).save(folder / "drums.mid")
    song(Track(line, name="lead"), Track(line, is_drum=True, name="kit")).save(folder / "good.mid")
    song(Track(line), metre=(5, 8)).save(folder / "five.mid")
    song(Track([*line, [480 * 4 * 3600 * 5, 480, 60, 80]])).save(folder / "hours.mid")
    (folder / "songs").mkdir()
    for number in range(2):
        up = notes(*(60 + (n * (3 + 2 * number)) % 8 for n in range(32)))
        song(Track(up)).save(folder / f"songs/good{number}.mid")
    for number in range(8):
        (folder / f"songs/bad{number}.mid").write_text("this is not MIDI")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["extend", "nowhere.mid"], 4, "nowhere.mid does not exist"),
        (["extend", "my tunes/C4 E4.mid"], 4, "does not exist"),
        (["extend", "songs"], 4, "songs is a folder"),
        (["extend", "text.mid"], 4, "not a MIDI file"),
        (["extend", "empty.mid"], 4, "is empty"),
        (["extend", "silent.mid"], 4, "silent.mid has no notes"),
        (["extend", "drums.mid"], 4, "no notes but drums"),
        (["extend", "five.mid"], 4, "five.mid is in 5/8"),
        (["extend", "hours.mid"], 4, "hours"),
        (["extend", "good.mid", "--track", "kit"], 4, "The track kit of good.mid plays drums"),
        (["extend", "good.mid", "--track", "oboe"], 2, "no track 'oboe'"),
        (["extend", "C4 E4", "--track", "1"], 2, "has no tracks"),
        (["extend", "C4 E4 X9 -"], 4, "word 3 of line 1 (character 7), 'X9'"),
        (["extend", 'C4 "Hmm" E4'], 4, "word 2 of line 1 (character 4)"),
        (["extend", "M:5/8 L:1/16 C4 E4"], 4, "in 5/8"),
        (["extend", "C4 E4", "--bars", "0"], 2, "at least 1"),
        (["extend", "C4 E4", "--low", "70", "--high", "60"], 2, "is above the highest one, 60"),
        (
            ["extend", "C4 E4", "--low", "61", "--high", "61", "--scale", "major"],
            2,
            "No note of",
        ),
        (["fill", "good.mid", "--bars", "5-8"], 2, "Bars 5-8 are not in good.mid"),
        (["fill", "good.mid", "--bars", "8-5"], 2, "'8-5' names no bars"),
        (["fill", "good.mid", "--bars", "two"], 2, "'two' names no bars"),
        (["vary", "C4 E4", "--amount", "2"], 2, "at most 1"),
        (["vary", "good.mid", "--keep", "mood"], 2, "must be one of"),
        (["sample", "--chords", "Am Hx"], 2, "'Hx' at character 4"),
        (["sample", "--chords", "C F | G ?"], 2, "'?' at character 9"),
        (["sample", "--key", "H"], 2, "'H'"),
        (["sample", "--metre", "5/8"], 4, "a melody in 5/8"),
        (["sample", "--metre", "four"], 2, "no metre 'four'"),
        (["sample", "--metre", "3/8", "--steps-per-quarter", "3"], 2, "triplet steps"),
        (["trace", "text.mid"], 4, "not a MIDI file"),
        (["trace", "C4 E4", "--data", "nowhere"], 4, "nowhere"),
        (["train", "--data", "songs"], 4, "1 of the 16 windows of 512 steps"),
        (["train", "--data", "songs", "--model", "basic"], 4, "1 of the 32 windows of 256 steps"),
    ],
)
def test_bad_input(groove, tiny, tmp_path, arguments, code, message):
    _bad_files(tmp_path)
    before = set(tmp_path.rglob("*"))
    options = [] if arguments[0] in ("trace", "train") else ["--checkpoint", tiny["transformer"]]
    result = groove(*arguments, *map(str, options))
    assert result.returncode == code, result.stderr
    error, hint = result.stderr.splitlines()[-2:]
    assert error.startswith("error: ")
    assert message in error
    assert hint.startswith("hint: ")
    assert len(hint) > len("hint: ") + 5
    assert "Traceback" not in result.stderr
    assert set(tmp_path.rglob("*")) == before


def test_the_originals_say_what_they_cannot_read(run):
    result = run("extend", "M:3/4 C4 - E4 -", kind="basic")
    assert result.returncode == 4
    assert "the original networks know 4/4 in sixteenths only" in result.stderr


def test_chords_where_a_line_was_wanted_are_said(run, tmp_path):
    chords = [[480 * n, 480, pitch, 80] for n in range(8) for pitch in (60, 64, 67 + n % 3)]
    song(Track(chords, name="piano"), Track(notes(40, 41), name="bass")).save(tmp_path / "p.mid")
    result = run("extend", "p.mid", "--bars", "1", "--count", "1", "--out", "o", "--format", "mid")
    assert result.returncode == 0
    assert "p.mid: the top notes are taken as the line; 16 notes below them" in result.stderr
    assert "the line is that of track 1 piano; --track chooses another: 2 bass" in result.stderr


def test_of_ten_files_of_which_two_are_usable_two_are_used(groove, tmp_path):
    _bad_files(tmp_path)
    result = groove("trace", "good.mid", "--data", "songs", "--out", "o")
    assert result.returncode == 4
    assert result.stderr.count("left out: ") >= 8
    assert "songs: compared with 2 songs; left out: 8 songs that cannot be used" in result.stderr
    assert "8 of 11 files were left out" in result.stderr
    assert len(json.loads((tmp_path / "o/result.json").read_text())["result"]) == 1


def test_ninety_minutes_go_on_in_seconds(run, tmp_path):
    long = notes(*[60, 62, 64, 65, 67] * 2160)
    song(Track(long, name="lead")).save(tmp_path / "long.mid")
    result = run(
        "extend", "long.mid", "--bars", "2", "--count", "1", "--out", "o", "--format", "mid"
    )
    assert result.returncode == 0, result.stderr
    assert "the network sees 32 bars at once" in result.stderr
    made = Score.read(tmp_path / "o/long.extend-001.mid").tracks[0].notes
    assert made[: len(long)].tolist() == long
