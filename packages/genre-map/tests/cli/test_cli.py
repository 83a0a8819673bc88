"""genre-map on the command line: the main job, bad input, training."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest
import soundfile

from genre_map import classify
from genre_map.genremap import GenreMap
from genre_map.genres import GENRES
from genre_map.results import Border
from groove_core.values import Audio

RATE = 22_050


def noise(duration_s: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=int(duration_s * RATE)) / 9


def test_songs_of_a_folder(groove, tmp_path):
    (tmp_path / "songs").mkdir()
    soundfile.write(tmp_path / "songs/a.wav", noise(4), RATE)
    # another rate, stereo
    soundfile.write(tmp_path / "songs/b.flac", np.stack([noise(9), noise(9, 1)], axis=1), 44_100)
    result = groove("classify", "songs", "--out", "o")
    assert result.code == 0, result.stderr
    assert "a.wav: " in result.stdout
    assert "b.flac: " in result.stdout
    names = {path.name for path in (tmp_path / "o").iterdir()} - {"result.json"}
    of_each = {f"{n}.classify.{e}" for n in "ab" for e in ("json", "txt", "png")}
    assert names == of_each | {"songs.classify.csv"}
    rows = list(csv.DictReader((tmp_path / "o/songs.classify.csv").read_text().splitlines()))
    document = json.loads((tmp_path / "o/result.json").read_text())
    assert document["checkpoint"]["name"] == "classifier"
    for song in document["result"]:
        assert song["genre"] in GENRES
        assert sum(song["probabilities"].values()) == pytest.approx(1, abs=1e-3)
        row = next(row for row in rows if row["file"] == f"songs/{song['name']}")
        assert row["genre"] == song["genre"]
        assert float(row["probabilities.jazz"]) == song["probabilities"]["jazz"]
    again = groove("classify", "songs", "--json")
    assert json.loads(again.stdout)["result"] == document["result"]


def test_one_bad_song_costs_only_itself(groove, tmp_path):
    (tmp_path / "s").mkdir()
    for name, duration_s in (("a", 4), ("jingle", 2), ("z", 4)):
        soundfile.write(tmp_path / f"s/{name}.wav", noise(duration_s), RATE)
    (tmp_path / "s/page.mp3").write_bytes(b"<html>404</html>")
    (tmp_path / "s/._a.wav").write_bytes(b"\0\5\x16\7")
    result = groove("classify", "s", "--out", "o")
    assert result.code == 4
    notes = result.stderr.splitlines()
    assert notes[-4].startswith("left out: s/jingle.wav: 2.00 s of sound are too short")
    assert notes[-3].startswith("left out: s/page.mp3 is not an audio file")
    assert notes[-2] == "error: 2 of 4 files were left out."
    document = json.loads((tmp_path / "o/result.json").read_text())
    assert [song["name"] for song in document["result"]] == ["a.wav", "z.wav"]
    assert [one["file"] for one in document["failed"]] == ["s/jingle.wav", "s/page.mp3"]
    result = groove(
        "map", "--place", "s", "--cells", "4", "--points", "2", "--format", "json", "--out", "p"
    )
    assert result.code == 4
    places = json.loads((tmp_path / "p/map.json").read_text())["places"]
    assert [one["name"] for one in places] == ["a.wav", "z.wav"]


def test_the_first_song_is_told_before_the_second_is_read(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(4), RATE)
    found = classify([tmp_path / "a.wav", tmp_path / "b.wav", tmp_path / "c.wav"])
    assert next(found).name == "a.wav"
    soundfile.write(tmp_path / "b.wav", noise(4), RATE)
    assert [song.name for song in found] == ["b.wav"]  # and c.wav is named and left out


def test_why(groove, tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(5), RATE)
    result = groove("explain", "a.wav", "--genre", "Hip-Hop", "--out", "o")
    assert result.code == 0, result.stderr
    assert "hiphop" in result.stdout
    assert Audio.read(tmp_path / "o/a.explain.wav").duration_s == pytest.approx(5, abs=0.01)
    assert (tmp_path / "o/a.explain.png").stat().st_size > 10_000


def test_pictures_a_border_and_a_map_with_a_song(groove, tmp_path):
    result = groove("sample", "--count", "2", "--seed", "3", "--out", "g")
    assert result.code == 0, result.stderr
    sounds = [Audio.read(path) for path in sorted((tmp_path / "g").glob("*.wav"))]
    assert len(sounds) == 2
    assert all(sound.duration_s == pytest.approx(2.95, abs=0.1) for sound in sounds)
    assert all(0.5 < sound.peak <= 1 for sound in sounds)
    result = groove("interpolate", "blues", "METAL", "--out", "b")
    assert result.code == 0, result.stderr
    border = Border.read(tmp_path / "b/interpolate.json")
    assert border.probabilities.shape == (101, 10)
    assert border.start == "blues"
    assert border.heard.shape == (7, 10)
    assert Audio.read(tmp_path / "b/interpolate.wav").duration_s == pytest.approx(7 * 3.1, abs=0.3)
    soundfile.write(tmp_path / "mine.wav", noise(4), RATE)
    result = groove("map", "--place", "mine.wav", "--cells", "5", "--points", "2", "--out", "m")
    assert result.code == 0, result.stderr
    found = GenreMap.read(tmp_path / "m/map.json")
    assert [place.name for place in found.places] == ["mine.wav"]
    assert found.probabilities.shape == (5, 5, 10)
    assert found.played.heard.shape == (4, 10)
    assert "mine.wav" in (tmp_path / "m/map.html").read_text()


@pytest.fixture
def bad(tmp_path):
    """Give things that are no songs."""
    soundfile.write(tmp_path / "short.wav", noise(2), RATE)
    soundfile.write(tmp_path / "silent.wav", np.zeros(5 * RATE), RATE)
    (tmp_path / "text.wav").write_text("this is no sound at all, whatever it is called")
    (tmp_path / "empty.wav").touch()
    for folder, files in (
        ("one", ["rock/a.wav", "rock/b.wav"]),
        ("single", ["rock/a.wav", "rock/b.wav", "jazz/a.wav"]),
    ):
        for file in files:
            path = tmp_path / folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, noise(4), RATE)
    for genre in ("rock", "jazz"):
        (tmp_path / "broken" / genre).mkdir(parents=True)
        (tmp_path / "broken" / genre / "a.wav").write_text("no sound")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("classify short.wav", 4, "2.00 s of sound are too short"),
        ("classify silent.wav", 4, "silent"),
        ("classify text.wav", 4, "text.wav"),
        ("classify empty.wav", 4, "empty.wav is empty"),
        ("classify none.wav", 4, "does not exist"),
        ("explain short.wav", 4, "too short"),
        ("explain silent.wav --genre polka", 2, "no genre 'polka'"),
        ("generate --genre polka", 2, "no genre 'polka'"),
        ("generate --count 0", 2, "at least 1"),
        ("border blues blues", 2, "no border within a genre"),
        ("border blues polka", 2, "no genre 'polka'"),
        ("map --x 3 --y 3", 2, "two different values"),
        ("map --x 3", 2, "two different values"),
        ("classify short.wav --checkpoint none", 5, "no checkpoint 'none'"),
        ("generate --checkpoint classifier", 5, "classifier"),
        ("train one", 4, "one genre only, rock"),
        ("train single", 4, "'jazz' has too few songs"),
        ("train broken", 4, "None of the 2 files can be used"),
        ("train none", 4, "not a folder"),
        ("train-generator single", 4, "the classifier knows"),
        ("evaluate single --protocol artists", 4, "do not tell their artist"),
        ("evaluate single --networks ours --networks theirs", 2, "not 'theirs'"),
    ],
)
def test_two_lines_and_a_code(groove, bad, arguments, code, message):
    result = groove(*arguments.split())
    assert result.code == code, result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith(("error", "hint"))]
    assert [line.split(":")[0] for line in lines] == ["error", "hint"]
    assert message in lines[0]
    assert "Traceback" not in result.stderr
    assert not (bad / "groove-models").exists()


def test_mma_is_not_there(groove, tmp_path):
    result = groove("dataset", "--into", "songs", PATH=str(tmp_path))
    assert result.code == 4
    assert "hint: sudo apt install mma" in result.stderr
    assert not (tmp_path / "songs").exists()


def refused_songs(groove, folder, into):
    """Give back the songs that the classifier was trained on: it is not measured by them."""
    from genre_map.songs import open_songs
    from genre_map.splits import fold_of

    songs = open_songs(folder)
    for number, index in enumerate(fold_of(songs).train):
        song = songs.songs[index]
        target = into / "again" / song.genre / f"renamed {number}.wav"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(song.path, target)
    for about, name in (("classifier", "mine"), ("explanation", "mine"), ("generator", "draws")):
        result = groove("evaluate", into / "again", "--about", about, "--checkpoint", name)
        assert result.code == 4, result.stderr
        assert f"{name} was trained on this data: " in result.stderr
        assert "renamed 0.wav" in result.stderr


def test_a_classifier_and_a_generator_of_ones_own(groove, folder, tmp_path, monkeypatch):
    # A fourth of the looks at what was learnt is enough to see that they are made.
    monkeypatch.setattr("genre_map.gan_training.COUNT", 512)
    monkeypatch.setattr("genre_map.mapping.SAMPLES", 512)
    monkeypatch.setattr("genre_map.mapping.COARSE", 3)
    result = groove("train", folder, "--name", "mine", "--epochs", "2", "--windows", "2", "--json")
    assert result.code == 0, result.stderr
    assert json.loads(result.stdout)["result"]["data"]["history"][-1]["epoch"] == 2
    card = json.loads((tmp_path / "groove-models/genre-map/mine/card.json").read_text())
    assert card["config"]["genres"] == ["blues", "hiphop", "rock"]
    assert card["data"]["songs"] == {"blues": 10, "hiphop": 10, "rock": 10}
    shutil.copy(folder / "Rock/3.wav", tmp_path / "song.wav")
    result = groove("classify", "song.wav", "--checkpoint", "mine", "--json")
    assert set(json.loads(result.stdout)["result"][0]["probabilities"]) == {
        "blues",
        "hiphop",
        "rock",
    }
    held = groove("evaluate", folder, "--checkpoint", "mine", "--json")
    assert held.code == 0, held.stderr
    title = json.loads(held.stdout)["result"]["title"]
    assert title == f"mine: {card['data']['test']} songs not learnt from"
    again = groove("train", folder, "--name", "mine", "--epochs", "2")
    assert again.code == 2
    assert "--resume" in again.stderr
    made = groove(
        "train-generator", folder, "--classifier", "mine", "--epochs", "1", "--batches", "2",
        "--batch-size", "4", "--width", "4", "--name", "draws",
    )  # fmt: skip
    assert made.code == 0, made.stderr
    assert "effective genres" in made.stdout
    refused_songs(groove, folder, tmp_path)
    drawn = groove("sample", "--checkpoint", "draws", "--count", "1", "--seed", "1", "--json")
    assert json.loads(drawn.stdout)["result"][0]["genres"] == ["blues", "hiphop", "rock"]
