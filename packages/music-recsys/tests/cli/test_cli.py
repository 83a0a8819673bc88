"""music-recsys on the command line: rate, learn, score, recommend; bad input."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from pathlib import Path
from urllib.parse import unquote_to_bytes

import numpy as np
import pytest
import soundfile

from groove_core.values import Audio
from music_recsys.profile import Profile
from music_recsys.results import Curve, Recommendations

RATE = 22_050


def test_the_main_job(groove, folder, tmp_path):
    result = groove("rate", folder / "bright0.wav", "5", "--json")
    assert result.code == 0, result.stderr
    assert json.loads(result.stdout)["result"]["data"]["ratings"] == 1
    lines = [f"{folder}/bright{i}.wav,5\n{folder}/dark{i}.wav,1\n" for i in range(1, 3)]
    (tmp_path / "r.csv").write_text("path,rating\n" + "".join(lines))
    result = groove("learn", "--ratings", "r.csv")
    assert result.code == 0, result.stderr
    assert "5 ratings, 3 of them above" in result.stdout
    result = groove("recommend", folder, "--count", "3", "--out", "o")
    assert result.code == 0, result.stderr
    found = Recommendations.read(tmp_path / "o/recommend.json")
    assert all("bright" in song.name for song in found.songs)
    assert not {"bright0.wav", "bright1.wav"} & {song.name for song in found.songs}
    assert found.looked_at == 12
    assert all(song.like.startswith("bright") for song in found.songs)
    clip = Audio.read(tmp_path / "o/recommend.wav")
    assert clip.duration_s == pytest.approx(3 * 8 + 2 * 0.5, abs=0.1)
    assert 0.5 < clip.peak <= 1
    assert (tmp_path / "o/recommend.m3u8").read_text().count("#EXTINF") == 3
    assert (tmp_path / "o/recommend.png").stat().st_size > 10_000
    drawn = [groove("recommend", folder, "--thompson", "--seed", seed, "--json") for seed in "112"]
    lists = [json.loads(one.stdout)["result"]["songs"] for one in drawn]
    assert lists[0] == lists[1]
    # What is drawn decides the order, never what is said of a song.
    known = {song.path: song.probability for song in found.songs}
    assert all(s["probability"] == known.get(s["path"], s["probability"]) for s in lists[2])
    # The same from a catalogue, heard once.
    assert groove("index", folder, "--into", "c", "--jobs", "1").code == 0
    again = groove("recommend", "c", "--count", "3", "--json")
    assert again.code == 0, again.stderr
    document = json.loads(again.stdout)["result"]
    assert [s["path"] for s in document["songs"]] == [s.path for s in found.songs]


def test_a_curve_and_its_best_passage(groove, folder, tmp_path, sound, write):
    for i in range(3):
        groove("rate", folder / f"bright{i}.wav", "5")
        groove("rate", folder / f"dark{i}.wav", "1")
    both = np.concatenate([sound(0, 7, 14.0), sound(1, 7, 14.0)])
    write(tmp_path / "change.wav", np.stack([both, both], axis=1), RATE)
    soundfile.write(tmp_path / "other.flac", sound(1, 8, 18.0), 44_100)
    result = groove("score", "change.wav", "other.flac", "--out", "o")
    assert result.code == 0, result.stderr
    first, second = sorted((tmp_path / "o").glob("*.score*.json"))
    curve = Curve.read(first)
    assert len(curve.scores) == 28 - 7
    # Half of it is bright: from there on it is liked.
    assert curve.best_s >= 10
    assert curve.scores[14:].mean() > curve.scores[:7].mean()
    clip = Audio.read(first.with_suffix(".wav"))
    assert clip.duration_s == pytest.approx(8, abs=0.01)
    assert len(Curve.read(second).scores) >= 1


def test_embeddings_of_ones_own(groove, folder, tmp_path):
    """What they say is what counts: here, that numbers are liked, whatever songs sound like."""
    (tmp_path / "e").mkdir()
    rng = np.random.default_rng(0)
    for path in sorted(folder.glob("*.wav")):
        odd = int(path.stem[-1]) % 2
        np.save(tmp_path / "e" / f"{path.stem}.npy", odd + 0.1 * rng.normal(size=(4, 3)))
    for name, stars in (("bright1", 5), ("dark1", 5), ("bright2", 1), ("dark2", 1)):
        result = groove("rate", folder / f"{name}.wav", stars, "--embeddings", "e")
        assert result.code == 0, result.stderr
    result = groove("recommend", folder, "--count", "4", "--embeddings", "e", "--json")
    assert result.code == 0, result.stderr
    songs = json.loads(result.stdout)["result"]["songs"]
    assert {Path(one["path"]).stem[-1] for one in songs} <= {"3", "5"}
    assert len(songs[0]["curve"]) == 5
    result = groove(
        "score", folder / "dark3.wav", folder / "dark4.wav", "--embeddings", "e", "--json"
    )
    assert result.code == 0, result.stderr
    first, second = json.loads(result.stdout)["result"]
    assert first["probability"] > 0.5 > second["probability"]
    # The profile is the same for the front end, which hears other things.
    assert groove("learn").code == 0
    (tmp_path / "e/dark2.npy").unlink()
    result = groove("learn", "--embeddings", "e")
    assert result.code == 0
    assert "dark2.wav has no embedding" in result.stderr


def test_a_listening_history(groove, folder, tmp_path):
    for number in range(6):
        for kind in ("bright", "dark"):
            target = tmp_path / f"music/Band - {kind} {number}.wav"
            target.parent.mkdir(exist_ok=True)
            shutil.copy(folder / f"{kind}{number}.wav", target)
    lines = ["artistName,trackName,msPlayed"]
    lines += [f"Band,bright {n},200000" for n in range(4) for _ in range(3)]
    lines += [f"Band,dark {n},2000" for n in range(4) for _ in range(2)]
    lines += ["Band,elsewhere,200000", ",,"]
    (tmp_path / "history.csv").write_text("\n".join(lines))
    for _ in range(2):  # the second import replaces the first
        result = groove("learn", "--plays", "history.csv", "--songs", "music", "--json")
        assert result.code == 0, result.stderr
        data = json.loads(result.stdout)["result"]["data"]
        assert data["ratings"] == 0
        assert data["plays"] == {
            "songs": 8, "matched": 20, "unmatched": 1, "unreadable": 1,
            "missing": ["Band - elsewhere"],
        }  # fmt: skip
    result = groove("recommend", "music", "--count", "2", "--json")
    assert result.code == 0, result.stderr
    found = json.loads(result.stdout)["result"]
    assert {Path(one["path"]).stem for one in found["songs"]} == {
        "Band - bright 4",
        "Band - bright 5",
    }
    # A rating that is given takes the place of what plays suggest.
    assert groove("rate", "music/Band - bright 0.wav", "1").code == 0
    mine = Profile("me")
    assert len(mine.ratings()) == 1
    assert len(mine.weak_ratings()) == 7
    assert groove("rate", "music/Band - dark 0.wav", "0").code == 0
    assert len(mine.weak_ratings()) == 6
    for options in (("--plays", "history.csv"), ("--songs", "music")):
        assert groove("learn", *options).code == 2
    result = groove("learn", "--plays", "history.csv", "--songs", folder)
    assert result.code == 4
    assert "None of the" in result.stderr


def test_songs_of_other_bytes_bad_ones_and_what_groove_wrote(groove, tmp_path, sound, write):
    bytes_name = os.fsdecode(b"Bj\xf6rk.wav")
    for n, name in enumerate((bytes_name, "plain.wav", "other.wav")):
        # by another name: soundfile writes none of bytes
        write(tmp_path / f"s/{n}.wav", sound(n % 2, n)).rename(tmp_path / "s" / name)
    (tmp_path / "s/page.wav").write_bytes(b"<html>404</html>")
    (tmp_path / "liked.csv").write_bytes(b"path,rating\ns/Bj\xf6rk.wav,5\ns/page.wav,1\n")
    result = groove("learn", "--ratings", "liked.csv")
    assert result.code == 4, result.stderr
    assert "left out: s/page.wav is not" in result.stderr
    [rated] = Profile("me").ratings()
    assert Path(rated.path).resolve() == (tmp_path / "s" / bytes_name).resolve()
    assert "Bj\\udcf6rk.wav" in groove("rate", tmp_path / "s" / bytes_name, "4").stdout

    result = groove("recommend", "s", "--seed", "1", "--out", "s/made")
    assert result.code == 4, result.stderr
    found = Recommendations.read(tmp_path / "s/made/recommend.json")
    assert {song.name for song in found.songs} == {"plain.wav", "other.wav"}
    assert "like Bj\\udcf6rk.wav" in (tmp_path / "s/made/recommend.txt").read_text()
    # What was made is no song; and the taking back of the rating makes the odd name one.
    assert groove("rate", tmp_path / "s" / bytes_name, "0").code == 0
    groove("rate", tmp_path / "s/plain.wav", "5")
    (tmp_path / "s/page.wav").unlink()
    result = groove("recommend", "s", "--seed", "1", "--out", "again", "--format", "m3u8,json,png")
    assert result.code == 0, result.stderr
    assert "passed over in s: 1 result of Groove" in result.stderr
    found = Recommendations.read(tmp_path / "again/recommend.json")
    assert {Path(song.path).name for song in found.songs} == {bytes_name, "other.wav"}
    lines = (tmp_path / "again/recommend.m3u8").read_text(encoding="utf-8").splitlines()
    opened = {os.fsdecode(unquote_to_bytes(line.removeprefix("file://"))) for line in lines[2::2]}
    assert opened == {song.path for song in found.songs}
    assert all(Path(path).is_file() for path in opened)
    # The same names in a catalogue.
    assert groove("index", "s", "--into", "c", "--jobs", "1").code == 0
    document = json.loads(groove("recommend", "c", "--json").stdout)
    assert {one["path"] for one in document["result"]["songs"]} == opened


def test_scores_come_one_by_one(groove, folder, tmp_path, sound, write):
    groove("rate", folder / "bright0.wav", "5")
    write(tmp_path / "s/a.wav", sound(0, 7))
    write(tmp_path / "s/short.wav", sound(0, 7, 3.0))
    write(tmp_path / "s/z.wav", sound(1, 7))
    result = groove("score", "s", "--out", "o", "--format", "json")
    assert result.code == 4
    assert "left out: s/short.wav: 3.00 s of sound are too short" in result.stderr
    names = [Curve.read(path).name for path in sorted((tmp_path / "o").glob("*.score*.json"))]
    assert names == ["a.wav", "z.wav"]
    result = groove("explain", "s", "--count", "2", "--out", "f", "--format", "json")
    assert result.code == 4
    assert "1 of 3 files were left out" in result.stderr


@pytest.fixture
def bad(tmp_path, folder, sound, write):
    write(tmp_path / "short.wav", sound(0, 0, 3.0))
    write(tmp_path / "silent.wav", np.zeros(10 * RATE))
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "r.csv").write_text("path,rating\nx.wav,many\n")
    (tmp_path / "nothing").mkdir()
    shutil.copy(folder / "dark0.wav", tmp_path / "one.wav")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["rate", "short.wav", "5"], 4, "short.wav: 3.00 s of sound are too short"),
        (["rate", "silent.wav", "5"], 4, "silent"),
        (["rate", "empty.wav", "5"], 4, "empty"),
        (["rate", "text.wav", "5"], 4, "not an audio file"),
        (["rate", "missing.wav", "5"], 4, "does not exist"),
        (["rate", "one.wav", "6"], 2, "at most 5"),
        (["rate", "one.wav", "0.5"], 2, "from 1"),
        (["rate", "one.wav", "0"], 4, "is not rated"),
        (["rate", "one.wav", "5", "--profile", "a/b"], 2, "cannot be called"),
        (["rate", "one.wav", "5", "--checkpoint", "nobody"], 5, "no checkpoint"),
        (["learn"], 4, "no ratings"),
        (["learn", "--ratings", "r.csv"], 4, "line 2"),
        (["learn", "--ratings", "nothing"], 4, "liked or disliked"),
        (["learn", "--ratings", "missing.csv"], 4, "does not exist"),
        (["score", "one.wav"], 4, "no ratings"),
        (["recommend", "nothing"], 4, "no ratings"),
        (["index", "nothing"], 4, "holds no"),
        (["index", "missing"], 4, "does not exist"),
        (["explain", "short.wav"], 4, "too short"),
        (["evaluate", "nothing"], 4, "holds no"),
        (["train", "nothing"], 4, "holds no"),
        (["dataset"], 2, "nothing to render"),
        (["dataset", "--drums", "nothing"], 4, "info.csv"),
        (["dataset", "--songs", "text.wav"], 4, "not a zip file"),
        (["recommend", "."], 4, "no ratings"),
    ],
)
def test_bad_input(groove, bad, arguments, code, says):
    result = groove(*arguments)
    assert result.code == code, result.stderr
    error, hint = result.stderr.strip().splitlines()[-2:]
    assert error.startswith("error: ")
    assert says in error
    assert hint.startswith("hint: ")
    assert not (bad / "groove-out").exists()


def test_everything_is_rated(groove, tmp_path, folder):
    songs = tmp_path / "songs"
    songs.mkdir()
    shutil.copy(folder / "dark0.wav", songs)
    groove("rate", songs / "dark0.wav", "4")
    result = groove("recommend", "songs")
    assert result.code == 4
    assert "every song is rated" in result.stderr


def test_training_on_own_songs_and_using_it(groove, folder, tmp_path):
    result = groove(
        "train", folder, "--epochs", "2", "--batch-size", "6", "--name", "mine", "--seed", "3"
    )
    assert result.code == 0, result.stderr
    assert (tmp_path / "groove-models/music-recsys/mine/card.json").is_file()
    assert groove("rate", folder / "dark0.wav", "5", "--checkpoint", "mine").code == 0
    # Heard by another front end, and now by the packaged one, too.
    result = groove("score", folder / "dark1.wav", "--json")
    assert result.code == 0, result.stderr
    with sqlite3.connect(tmp_path / "groove-home/profiles/me.sqlite") as file:
        assert file.execute("SELECT count(*) FROM passages").fetchone() == (2,)
    again = groove("train", folder, "--name", "mine")
    assert again.code == 2
    assert "--resume" in again.stderr


def test_filters_are_results(groove, folder, tmp_path):
    result = groove("explain", folder / "bright0.wav", "--count", "4", "--out", "f")
    assert result.code == 0, result.stderr
    names = {path.suffix for path in (tmp_path / "f").iterdir()}
    assert names >= {".json", ".png", ".wav", ".txt"}
