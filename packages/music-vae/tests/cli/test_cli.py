"""music-vae on the command line, with networks that have learnt nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from groove_core.drums import DrumPattern
from groove_core.values import Audio, Codes, LeadSheet, Melody, Score, Track
from music_vae import sample, vary
from music_vae.results import Piece

PHRASE = "C4 - E4 - G4 - . . C4 - E4 - G4 - . . C4 - E4 - G4 - . . C4 - E4 - G4 - . ."
TUNE = Melody.from_text("M:4/4 L:1/16 Q:96 " + "C4 - E4 - G4 - . . " * 4)
OTHER = Melody.from_text("M:4/4 L:1/16 " + "C5 - . . G4 - E4 - " * 4)


@pytest.fixture
def run(groove, tiny):
    def run(action: str, *arguments: str, kind: str = "mel-2bar"):
        return groove(action, *arguments, "--checkpoint", str(tiny[kind]))

    return run


@pytest.fixture
def files(tmp_path):
    TUNE.save(tmp_path / "a.mid")
    OTHER.save(tmp_path / "b.mid")
    return "a.mid", "b.mid"


@pytest.mark.parametrize("kind", ["mel-2bar", "drums-2bar", "mel-16bar", "trio-16bar"])
def test_sample_with_every_network(run, tmp_path, kind):
    result = run("sample", "--count", "2", "--seed", "1", "--temperature", "1", "--format", "mid",
                 "--out", "o", kind=kind)  # fmt: skip
    assert result.returncode == 0, result.stderr
    bars = 16 if "16" in kind else 2
    for number in (1, 2):
        score = Score.read(tmp_path / f"o/sample-00{number}.mid")
        if kind == "drums-2bar":
            assert DrumPattern.from_score(score).bars == bars
        else:
            assert Melody.from_score(score, steps_per_quarter=4).bars == bars
        if kind == "trio-16bar":
            assert {"bass", "drums"} <= {track.name for track in score.tracks}


@pytest.mark.parametrize("prior", ["fitted", "normal"])
def test_a_seed_gives_the_same_pieces(tiny, prior):
    def drawn(seed, **more):
        some = sample(count=3, seed=seed, prior=prior, temperature=1.0,
                      checkpoint=str(tiny["mel-2bar"]), **more)  # fmt: skip
        return [score.to_json() for score in some]

    assert drawn(5) == drawn(5)
    assert drawn(5) != drawn(6)
    assert drawn(5) != drawn(5, spread=3.0)


def test_interpolate_begins_and_ends_with_what_is_remembered(run, files):
    result = run("interpolate", *files, "--steps", "2", "--json", "--seed", "1")
    assert result.returncode == 0, result.stderr
    pieces = [Piece.from_json(one) for one in json.loads(result.stdout)["result"]]
    assert len(pieces) == 4
    for number, name in ((0, files[0]), (3, files[1])):
        alone = run("vary", name, "--amount", "0", "--count", "1", "--json", "--seed", "1")
        [remembered] = json.loads(alone.stdout)["result"]
        # Both are in C: nothing was moved on the way.
        assert pieces[number].events.tolist() == remembered["events"]
        assert pieces[number].tempo_bpm == pytest.approx(96)


def test_codes_go_out_and_come_in(run, files, tmp_path):
    result = run("encode", *files, "--out", "o", "--format", "json")
    assert result.returncode == 0, result.stderr
    [path] = (tmp_path / "o").glob("encode*.json")
    codes = Codes.read(path)
    assert codes.points.shape == (2, 6)
    assert [label.rpartition("/")[2] for label in codes.labels] == ["a.mid:1", "b.mid:1"]
    decoded = run("decode", path, "--json", "--seed", "1")
    assert decoded.returncode == 0, decoded.stderr
    [first, _] = json.loads(decoded.stdout)["result"]
    varied = run("vary", "a.mid", "--amount", "0", "--count", "1", "--json", "--seed", "1")
    [same] = json.loads(varied.stdout)["result"]
    assert first["events"] == same["events"]


def test_a_larger_amount_goes_farther(tiny):
    """The same noise, scaled: more steps differ from what is remembered."""
    first, *others = [
        next(vary(TUNE.to_score(), amount=amount, count=1, seed=1,
                  checkpoint=str(tiny["mel-2bar"]), device="cpu"))
        for amount in (0.0, 0.0, 2.0)
    ]  # fmt: skip
    assert others[0] == first
    assert others[1] != first


def test_every_format(run, tmp_path, files):
    result = run("vary", files[0], "--count", "1", "--out", "o", "--format",
                 "mid,wav,png,txt,json,musicxml", "--seed", "1")  # fmt: skip
    assert result.returncode == 0, result.stderr
    names = {p.name for p in (tmp_path / "o").iterdir()} - {"result.json"}
    assert names == {f"a.vary-001.{s}" for s in ("mid", "wav", "png", "txt", "json", "musicxml")}
    piece = Piece.read(tmp_path / "o/a.vary-001.json")
    assert LeadSheet.read(tmp_path / "o/a.vary-001.txt") == piece.line()
    assert LeadSheet.read(tmp_path / "o/a.vary-001.mid") == piece.line()
    assert Audio.read(tmp_path / "o/a.vary-001.wav").peak > 0.1


@pytest.mark.parametrize(
    ("verb", "options"),
    [("vary", ["--count", "1"]), ("shift", []), ("cross", []), ("interpolate", []), ("encode", [])],
)
def test_phrases_may_be_typed(run, verb, options):
    phrases = [PHRASE, OTHER.to_text()] if verb in ("cross", "interpolate") else [PHRASE]
    result = run(verb, *phrases, "--json", *options)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout).get("inputs", []) == []


def song(*tracks: Track, metre: tuple[int, int] = (4, 4)) -> Score:
    return Score(tracks, time_signatures=[[0, *metre]])


def notes(*pitches: int, step: int = 480) -> list[list[int]]:
    return [[step * n, step, pitch, 80] for n, pitch in enumerate(pitches)]


@pytest.mark.parametrize("verb", [["vary", "--count", "1"], ["shift", "--attribute", "scale"]])
def test_a_song_comes_back_with_all_its_tracks(run, tmp_path, verb):
    line, bass = notes(*[60, 62, 64, 65] * 8), notes(*[36, 43] * 16)
    song(Track(line, name="lead"), Track(bass, name="bass")).save(tmp_path / "song.mid")
    name, *options = verb
    result = run(name, "song.mid", *options, "--bars", "3-4", "--out", "o", "--format", "mid",
                 "--seed", "1")  # fmt: skip
    assert result.returncode == 0, result.stderr
    [path] = (tmp_path / "o").glob("*.mid")
    made = Score.read(path)
    assert [track.name for track in made.tracks] == ["lead", "bass"]
    assert made.tracks[1].notes.tolist() == bass
    new = made.tracks[0].notes
    outside = (new[:, 0] < 3840) | (new[:, 0] >= 7680)
    assert new[outside].tolist() == [*line[:8], *line[16:]]
    alone = run(name, "song.mid", *options, "--alone", "--out", "p", "--format", "mid")
    assert alone.returncode == 0
    [path] = (tmp_path / "p").glob("*.mid")
    assert [track.name for track in Score.read(path).tracks] == ["melody"]


def test_a_cross_stands_in_the_first_song(run, tmp_path):
    for name, up in (("a", 0), ("b", 3)):
        line = notes(*[60 + up, 62 + up, 64 + up, 67 + up] * 4)
        song(Track(line, name="lead"), Track(notes(40, 43), name="pad")).save(
            tmp_path / f"{name}.mid"
        )
    result = run("cross", "a.mid", "b.mid", "--out", "o", "--format", "mid,json")
    assert result.returncode == 0, result.stderr
    assert "kept: rhythm " in result.stderr
    [path] = (tmp_path / "o").glob("*.cross*.mid")
    assert [track.name for track in Score.read(path).tracks] == ["lead", "pad"]
    piece = Piece.read(path.with_suffix(".json"))
    assert set(piece.about) >= {"rhythm", "endings"}


@pytest.mark.parametrize("kind", ["drums-2bar", "trio-16bar"])
def test_cross_of_beats_and_trios(run, tmp_path, trio_of, kind):
    for number in (1, 2):
        trio_of(20, number).save(tmp_path / f"{number}.mid")
    result = run("cross", "1.mid", "2.mid", "--take", "endings", "--out", "o", "--format", "mid",
                 kind=kind)  # fmt: skip
    assert result.returncode == 0, result.stderr
    [path] = (tmp_path / "o").glob("*.cross*.mid")
    assert Score.read(path).bars == 20


def test_one_long_piece(run, tmp_path, files):
    result = run("interpolate", *files, "--steps", "3", "--joined", "--out", "o", "--format", "mid")
    assert result.returncode == 0, result.stderr
    [path] = (tmp_path / "o").glob("*.mid")
    assert Melody.read(path).bars == 10


def test_one_file_is_morphed_between_its_parts(run, tmp_path):
    parts = "C4 - E4 - G4 - A4 - " * 4 + "D5 - - - . . . . B4 - - - G4 - - - " * 2
    Melody.from_text("M:4/4 L:1/16 " + parts).save(tmp_path / "a.mid")
    result = run("interpolate", "a.mid", "--steps", "1", "--json")
    assert result.returncode == 0, result.stderr
    assert "bars 1-2 of a.mid, and bars 3-4 of a.mid" in result.stderr
    assert len(json.loads(result.stdout)["result"]) == 3


def test_a_trace_names_the_song(groove, tmp_path):
    (tmp_path / "songs").mkdir()
    line = notes(*[60, 62, 64, 65, 67, 69, 71, 72] * 4, step=240)
    song(Track(line, name="lead")).save(tmp_path / "songs/mine.mid")
    song(Track([[*row[:2], row[2] + 3, 80] for row in line], name="lead")).save(
        tmp_path / "copy.mid"
    )
    result = groove("trace", "copy.mid", "--data", "songs", "--json")
    assert result.returncode == 0, result.stderr
    [found] = json.loads(result.stdout)["result"]
    assert found["quotations"][0]["song"] == "mine"
    assert found["quotations"][0]["semitones"] == 3
    assert found["share"] == 1
    learnt = groove("trace", "C4 - D4 - E4 - C4 - C4 - D4 - E4 - C4 - E4 - F4 - G4 - - -", "--json")
    assert json.loads(learnt.stdout)["result"][0]["known"] == "the training set"


def test_a_rerun_gives_the_same_bytes(run, tmp_path, files):
    done = run("vary", files[0], "--count", "1", "--out", "a", "--format", "mid", "--seed", "1")
    assert done.returncode == 0
    assert run_again("a/result.json", "b") == 0
    name = "a.vary-001.mid"
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def run_again(result: str, out: str) -> int:
    from groove_core.cli.app import run_cli

    return run_cli(["rerun", result, "--out", out])


def _bad_files(folder: Path) -> None:
    line = notes(60, 62, 64, 65, 67, 65, 64, 62)
    (folder / "text.mid").write_text("this is not MIDI")
    (folder / "empty.mid").touch()
    song().save(folder / "silent.mid")
    song(Track(notes(36, 38), is_drum=True)).save(folder / "drums.mid")
    song(Track(line, name="lead"), Track(line, is_drum=True, name="kit")).save(folder / "good.mid")
    song(Track(line), metre=(3, 4)).save(folder / "waltz.mid")
    song(Track(notes(*range(60, 84), step=160))).save(folder / "triplets.mid")
    song(Track([*line, [480 * 4 * 3600 * 5, 480, 60, 80]])).save(folder / "hours.mid")
    (folder / "songs").mkdir()
    for number in range(3):
        song(Track(notes(*range(60, 76)))).save(folder / f"songs/{number}.mid")
    Codes(np.zeros((2, 6)), model="drums-2bar").save(folder / "drums.json")
    Codes(np.zeros((2, 4))).save(folder / "four.json")
    (folder / "table.csv").write_text("label,z1\na,b\n")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["vary", "nowhere.mid"], 4, "nowhere.mid does not exist"),
        (["vary", "songs"], 4, "songs is a folder"),
        (["vary", "text.mid"], 4, "not a MIDI file"),
        (["vary", "empty.mid"], 4, "is empty"),
        (["vary", "silent.mid"], 4, "silent.mid has no notes"),
        (["vary", "drums.mid"], 4, "no notes but drums"),
        (["vary", "waltz.mid"], 4, "waltz.mid is in 3/4; the models have learnt 4/4"),
        (["vary", "triplets.mid"], 4, "triplets.mid is in triplets"),
        (["vary", "hours.mid"], 4, "hours"),
        (["vary", "good.mid", "--track", "kit"], 4, "The track kit of good.mid plays drums"),
        (["vary", "good.mid", "--track", "oboe"], 2, "no track 'oboe'"),
        (["vary", "C4 E4", "--track", "1"], 2, "has no tracks"),
        (["vary", "C4 E4 X9 -"], 4, "word 3 of line 1 (character 7), 'X9'"),
        (["vary", "good.mid", "--bars", "5-8"], 2, "Bars 5-8 are 4 bars; the model has 2"),
        (["vary", "good.mid", "--bars", "5-6"], 2, "Bars 5-6 are not in good.mid"),
        (["vary", "good.mid", "--bars", "8-5"], 2, "'8-5' names no bars"),
        (["vary", "good.mid", "--bars", "two"], 2, "'two' names no bars"),
        (["vary", "good.mid", "--amount", "3"], 2, "at most 2"),
        (["interpolate", "good.mid", "waltz.mid"], 4, "waltz.mid is in 3/4; the models have"),
        (["interpolate", "waltz.mid", "good.mid"], 4, "waltz.mid is in 3/4; the models have"),
        (["interpolate", "good.mid"], 4, "good.mid has no two excerpts of 2 bars that differ"),
        (["interpolate", "good.mid", "good.mid", "--bars-a", "1"], 0, ""),
        (["interpolate", "good.mid", "good.mid", "--bars-b", "x"], 2, "'x' names no bars"),
        (["interpolate", "good.mid", "good.mid", "--bars-b", "2-3"], 2, "Bars 2-3 are not in"),
        (["cross", "good.mid", "drums.mid"], 4, "no notes but drums"),
        (["cross", "good.mid", "good.mid", "--take", "words"], 2, "must be one of"),
        (["shift", "good.mid", "--attribute", "mood"], 2, "must be one of"),
        (["shift", "good.mid", "--amount", "11"], 2, "at most 10"),
        (["sample", "--key", "H"], 2, "no key 'H'"),
        (["sample", "--like", "text.mid"], 4, "not a MIDI file"),
        (["sample", "--like", "nowhere"], 4, "nowhere"),
        (["sample", "--count", "0"], 2, "at least 1"),
        (["decode", "drums.json"], 4, "of the model 'drums-2bar', not 'mel-2bar'"),
        (["decode", "four.json"], 4, "4 dimensions, the model has 6"),
        (["decode", "table.csv"], 4, "not a table of codes"),
        (["encode", "text.mid"], 4, "not a MIDI file"),
        (["encode", "waltz.mid"], 4, "in 3/4"),
        (["trace", "text.mid"], 4, "not a MIDI file"),
        (["trace", "C4 E4", "--data", "nowhere"], 4, "nowhere"),
        (["encode", "songs", "mel-16bar"], 4, "None of the 3 files can be used. The first: "),
        (["sample", "--like", "songs", "mel-16bar"], 4, "0.mid has 4 of the 16 bars"),
        (["vary", "good.mid", "drums-2bar"], 4, "8 drum notes, none of them one of the 9 drums"),
        (["vary", "C4 E4", "drums-2bar"], 4, "is a melody; the model reads drums"),
        (["vary", "waltz.mid", "drums-2bar"], 4, "has no drums"),
        (["sample", "--key", "C", "drums-2bar"], 2, "Drums have no key"),
        (["shift", "drums.mid", "--attribute", "scale", "drums-2bar"], 2, "Drums have no scale"),
        (["cross", "drums.mid", "drums.mid", "drums-2bar"], 2, "Drums have no harmony"),
        (["vary", "good.mid", "trio-16bar"], 4, "good.mid has no bass"),
    ],
)  # fmt: skip
def test_bad_input(groove, tiny, tmp_path, arguments, code, message):
    """The last argument may name a network; by default, it is that of melodies of two bars."""
    kind = arguments[-1] if arguments[-1] in tiny else "mel-2bar"
    arguments = [one for one in arguments if one not in tiny]
    _bad_files(tmp_path)
    before = set(tmp_path.rglob("*"))
    options = [] if arguments[0] == "trace" else ["--checkpoint", str(tiny[kind])]
    result = groove(*arguments, *options)
    assert result.returncode == code, result.stderr
    if not code:
        return
    error, hint = result.stderr.splitlines()[-2:]
    assert error.startswith("error: ")
    assert message in error
    assert hint.startswith("hint: ")
    assert len(hint) > len("hint: ") + 5
    assert "Traceback" not in result.stderr
    assert set(tmp_path.rglob("*")) == before


def test_what_leads_beyond_the_space_is_said(run, files):
    result = run("shift", files[0], "--amount", "10", "--json")
    assert result.returncode == 0, result.stderr
    assert "an amount of 10 leads beyond the music that the model knows" in result.stderr


def test_weights_that_are_not_there_are_named(groove):
    result = groove("sample", "--count", "1", "--checkpoint", "nowhere")
    assert result.returncode == 5
    assert "nowhere" in result.stderr
