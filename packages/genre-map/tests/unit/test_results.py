"""Values: saved and read again, drawn, said."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from genre_map.genremap import Content, GenreMap, Place, Played
from genre_map.genres import GENRES
from genre_map.results import Border, Genres, Picture
from groove_core.errors import UsageError
from groove_core.values import Audio, mp3

RNG = np.random.default_rng(0)


def chances(*shape: int) -> np.ndarray:
    return RNG.dirichlet(np.ones(10), size=shape)


SOUND = Audio(RNG.normal(size=22_050) / 9, 22_050)
STOPS = RNG.random((3, 2, 64, 128))
VALUES = [
    Genres("a song.wav", GENRES, chances(19), 1.486, 2.972),
    Genres("short.wav", GENRES, chances(1), 1.486, 2.972),
    Picture(RNG.random((2, 64, 128)), GENRES, chances(), 0.5, RNG.random(128), 0.0232, chances(),
            sound=SOUND),
    Border("blues", "jazz", GENRES, chances(11), RNG.random(11), (0.4,), STOPS, chances(3),
           sound=SOUND),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value.kind)
def test_saved_and_read(value, tmp_path):
    again = type(value).read(value.save(tmp_path / "a.json"))
    assert again == value
    assert again.to_text() == value.to_text()
    value.save(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 5000
    if "wav" in value.default_formats:
        assert Audio.read(value.save(tmp_path / "a.wav")).duration_s == pytest.approx(1)
        with pytest.raises(UsageError, match="has no sound"):
            again.save(tmp_path / "b.wav")


def test_a_song_is_what_its_windows_are_on_average():
    windows = np.zeros((4, 10))
    windows[:3, 0], windows[:3, 1] = 0.55, 0.45
    windows[3, 1] = 1.0
    song = Genres("x", GENRES, windows, 1.5, 3.0)
    assert (song.genre, song.vote) == ("classical", "blues")
    assert "most windows: blues" in song.to_text()
    assert Genres("x", GENRES, np.full((2, 10), 0.1), 1.5, 3).entropy == pytest.approx(1)
    assert Genres("x", GENRES, np.eye(10)[:1], 1.5, 3).entropy == pytest.approx(0, abs=1e-6)


def test_the_largest_jump_of_a_border():
    p = np.zeros((5, 10))
    p[:, 0] = [1, 0.9, 0.5, 0.2, 0]
    p[:, 1] = 1 - p[:, 0]
    border = Border("blues", "classical", GENRES, p, np.zeros(5), (0.5,), np.zeros((2, 2, 8, 8)))
    assert border.largest_jump == pytest.approx(0.4)


def test_a_border_counts_the_sounds_that_keep_their_genre():
    p = np.zeros((5, 10))
    p[:, 0] = [1, 0.9, 0.6, 0.2, 0]
    p[:, 1] = 1 - p[:, 0]
    heard = np.eye(10)[[0, 4, 1]]  # of steps 0, 2 and 4
    border = Border("blues", "classical", GENRES, p, np.zeros(5), (), np.zeros((3, 2, 8, 8)), heard)
    assert border.kept == 2
    assert "2 of 3 sounds keep the genre" in border.to_text()


def test_documents_of_earlier_versions_know_nothing_of_sounds():
    border, picture = VALUES[3], VALUES[2]
    for value in (border, picture):
        document = value.to_json()
        del document["heard"]
        again = type(value).from_json(document)
        assert not again.heard.size
        assert "sound" not in again.to_text()


@pytest.fixture
def genre_map():
    cells = 4
    p = np.zeros((cells, cells, 10))
    p[:, :2, 0], p[:, 2:, 5] = 1.0, 1.0
    at = RNG.uniform(-1, 1, (5, 2))
    heard = np.eye(10)[[0, 0, 0, 5, 5]]
    played = Played(at, np.eye(10)[[0, 0, 0, 0, 5]], heard, 0.6)
    sound = mp3((RNG.normal(size=22_050) / 9).astype(np.float32), 22_050)
    pictures = RNG.integers(0, 255, (5, 2, 64, 128)).astype(np.uint8)
    content = Content(pictures, (sound,) * 5, (sound,))
    places = (
        Place("a </script> song.wav", -1.0, 1.0, "blues", 0.8, 3.0),
        Place("another.wav", -1.0, 1.0, "jazz", 0.4, 9.0, far=True),
    )
    critic, noise = RNG.random((cells, cells)), RNG.random(128)
    return GenreMap(GENRES, (0, 3), p, critic, noise, 2.0, places, played, content)


def test_a_map(genre_map, tmp_path):
    assert genre_map.area() == {**dict.fromkeys(GENRES, 0.0), "blues": 0.5, "jazz": 0.5}
    document = genre_map.to_json()
    assert set(document["borders"]) == {"blues", "jazz"}
    assert document["played"]["kept"] == 0.8
    assert genre_map.entropy.max() < 1e-6
    assert "sound keeps the genre at 80% of the 5 points (60% unchosen)" in genre_map.to_text()
    text = genre_map.to_text()  # three steps of 2.0 across
    assert "song.wav: blues 80%, at (-1.00, +1.00), off the map by 50% of its width\n" in text
    assert "another.wav: jazz 40%, at (-1.00, +1.00), far off the map by 150% of its" in text
    again = GenreMap.read(genre_map.save(tmp_path / "a.json"))
    assert again == genre_map
    assert again.to_text() == genre_map.to_text()
    genre_map.save(tmp_path / "a.png")
    with pytest.raises(UsageError, match="no sounds for a page"):
        again.save(tmp_path / "b.html")


def test_a_map_of_an_earlier_version(genre_map):
    document = genre_map.to_json()
    del document["played"]
    for place in document["places"]:
        del place["far"]
    again = GenreMap.from_json(document)
    assert "keeps the genre" not in again.to_text()
    assert again.plot() is not None


def test_the_page_needs_nothing_else(genre_map, tmp_path):
    text = genre_map.save(tmp_path / "a.html").read_text()
    assert not re.search(r"""(src|href)\s*=\s*["'](?!data:)""", text)
    assert "http" not in re.sub(r"data:[^\"']*|http-equiv", "", text)
    assert text.count("</script>") == 3  # the name of the song does not end one
    [data] = re.findall(r'id="data">(\{.*\})</script>', text)
    document = json.loads(data)
    assert [len(document[name]) for name in ("sounds", "excerpts")] == [5, 1]
    assert document["places"][0]["name"] == "a </script> song.wav"
