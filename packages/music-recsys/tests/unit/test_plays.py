"""Listening histories: what services export, what people do to it, and which songs are meant."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile

from groove_core.errors import InputError
from music_recsys.matching import match
from music_recsys.plays import Play, exports, read_plays, weak_ratings

SPOTIFY = [
    {"endTime": "2020-01-01 10:00", "artistName": "Björk", "trackName": "Jóga", "msPlayed": 305000},
    {"endTime": "2020-01-01 10:05", "artistName": "Björk", "trackName": "Jóga", "msPlayed": 4000},
]
ENDSONG = [
    {"ts": "x", "ms_played": 9e4, "master_metadata_track_name": "Jóga", "skipped": None,
     "master_metadata_album_artist_name": "Björk"},
    {"ts": "x", "ms_played": 9e4, "master_metadata_track_name": None, "episode_name": "A podcast"},
]  # fmt: skip
LISTEN = {
    "listened_at": 1,
    "track_metadata": {"artist_name": "Björk", "track_name": "Jóga", "additional_info": {}},
}
JOGA = Play("Björk", "Jóga")
FILES = {
    "lastfm.csv": "Björk,Homogenic,Jóga,01 Jan 2020 10:00\n",
    "lastfm-names.csv": "uts,utc_time,artist,artist_mbid,album,track\n1,x,Björk,,Homogenic,Jóga\n",
    "spotify.csv": "endTime,artistName,trackName,msPlayed\n2020,Björk,Jóga,305000\n",
    "semicolons.csv": "Artist;Track\nBjörk;Jóga\n",
    "spotify.json": json.dumps(SPOTIFY[:1], indent=2),
    "endsong.json": json.dumps(ENDSONG[:1]),
    "listens.jsonl": json.dumps(LISTEN) + "\n",
    "apple.csv": "Track Name,Last Played Date\nBjörk - Jóga,1\n",
    "itunes.tsv": "Name\tArtist\tPlays\tSkips\nJóga\tBjörk\t1\t0\n",
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_the_exports_of_services_in_any_encoding(tmp_path, name, encoding):
    path = tmp_path / name
    path.write_bytes(FILES[name].encode(encoding))
    assert list(read_plays(path)) == [JOGA]


def test_skips_and_counts(tmp_path):
    (tmp_path / "s.json").write_text(json.dumps([*SPOTIFY, *ENDSONG]))
    assert list(read_plays(tmp_path / "s.json")) == [JOGA, Play("Björk", "Jóga", 0, 1), JOGA, None]
    (tmp_path / "i.csv").write_text("Artist,Name,Play Count,Skip Count\na,b,12,3\na,c,,2\na,d,x,\n")
    assert list(read_plays(tmp_path / "i.csv")) == [
        Play("a", "b", 12, 3),
        Play("a", "c", 0, 2),
        None,
    ]


def test_a_folder_of_exports(tmp_path):
    for name in ("endsong_1.json", "endsong_0.json", "ReadMe.pdf"):
        (tmp_path / name).write_text("[]")
    assert [path.name for path in exports(tmp_path)] == ["endsong_0.json", "endsong_1.json"]
    assert exports(tmp_path / "endsong_0.json") == [tmp_path / "endsong_0.json"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no listening history"):
        exports(tmp_path / "empty")


def test_bad_lines_cost_only_themselves(tmp_path):
    rows = 'artist,track,msPlayed\na,b,99999\n,b,99999\na\na,"b,99999\nc,d,many\n'
    (tmp_path / "x.csv").write_text(rows)
    found = list(read_plays(tmp_path / "x.csv"))
    assert found[0] == Play("a", "b")
    assert found.count(None) == len(found) - 1 >= 2
    text = '[{"artistName": "a", "trackName": "b"},\n3,\n{"artistName": oops},\n'
    (tmp_path / "x.json").write_text(text + '{"artistName": "c", "trackName": "d"}]')
    assert list(read_plays(tmp_path / "x.json")) == [Play("a", "b"), None, None, Play("c", "d")]


def test_a_history_cut_off_keeps_what_is_whole(tmp_path):
    whole = json.dumps(SPOTIFY)
    (tmp_path / "x.json").write_text(whole[: len(whole) - 20])
    assert list(read_plays(tmp_path / "x.json")) == [JOGA, None]


@pytest.mark.parametrize("name", ["x.csv", "x.json"])
def test_a_huge_history_is_read_as_it_comes(tmp_path, name):
    """Of a file of many megabytes, a few lines need a few lines."""
    path = tmp_path / name
    one = json.dumps(SPOTIFY[0]) + ",\n" if name == "x.json" else "Björk,Jóga,305000\n"
    first = "[" if name == "x.json" else "artistName,trackName,msPlayed\n"
    path.write_text(first + one * 20_000)
    plays = read_plays(path)
    assert [next(plays) for _ in range(3)] == [JOGA] * 3
    with path.open("r+b") as stream:  # what has not been read may still change
        stream.truncate(path.stat().st_size // 2)
    assert 5_000 < sum(one == JOGA for one in plays) < 11_000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("artist,msPlayed\na,1\n", "no column with the titles"),
        ("track,msPlayed\na,1\n", "no column with the artists"),
        ("[]", "holds no plays"),
        ("a\0b", "is not text"),
        ("", "is empty"),
    ],
)
def test_what_is_no_history(tmp_path, content, message):
    (tmp_path / "x.csv").write_text(content)
    with pytest.raises(InputError, match=message) as raised:
        list(read_plays(tmp_path / "x.csv"))
    assert raised.value.hint


def test_ratings_grow_with_the_logarithm_of_plays():
    counts = [(n, 0) for n in (0, 1, 3, 7, 15, 100)]
    ratings = weak_ratings(counts)
    assert ratings == sorted(ratings)
    assert ratings[0] == 3
    assert ratings[2] - ratings[1] == pytest.approx(ratings[3] - ratings[2])
    assert weak_ratings([(0, 3), (0, 50), (3, 3)])[0] < 2
    assert weak_ratings([(0, 50)]) == [1.0]
    assert weak_ratings([(2, 2)]) == [3.0]
    assert weak_ratings([]) == []


def test_songs_are_found_by_tags_and_by_names(tmp_path):
    names = [
        "x.flac", "Björk - Bachelorette.wav", "Radiohead/OK Computer/03 Airbag.wav",
        "Radiohead - Creep (Live).wav", "Radiohead - Creep.wav", "Eno & Byrne - Regiment.wav",
    ]  # fmt: skip
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / name, np.zeros(100), 8000)
    with soundfile.SoundFile(tmp_path / "x.flac", "w", 8000, 1) as tagged:
        tagged.artist, tagged.title = "Björk", "Jóga"
        tagged.write(np.zeros(100))
    plays = [
        JOGA, Play("BJORK", "joga"), Play("Björk", "Jóga - 2015 Remastered"),
        Play("Björk feat. Somebody", "Bachelorette (feat. Nobody)"),
        Play("Radiohead", "Airbag", 4, 1), Play("Radiohead", "Creep", 2),
        Play("Eno and Byrne", "Regiment"), Play("Nobody", "Nothing", 7), None,
    ]  # fmt: skip
    history = match(plays, [tmp_path / name for name in names])
    assert {one.path.name: (one.plays, one.skips) for one in history.songs} == {
        "x.flac": (3, 0), "Björk - Bachelorette.wav": (1, 0), "03 Airbag.wav": (4, 1),
        "Radiohead - Creep.wav": (2, 0), "Eno & Byrne - Regiment.wav": (1, 0),
    }  # fmt: skip
    assert (history.matched, history.unmatched, history.bad) == (7, 1, 1)
    assert history.missing == [("Nobody - Nothing", 7)]
    assert "Nobody - Nothing (7)" in history.notes()[1]


def test_an_edition_that_may_be_two_songs_is_neither(tmp_path):
    for name in ("A - Song (Live).wav", "A - Song (Demo).wav"):
        soundfile.write(tmp_path / name, np.zeros(100), 8000)
    history = match([Play("A", "Song"), Play("A", "Song [live]")], sorted(tmp_path.glob("*.wav")))
    assert [one.path.name for one in history.songs] == ["A - Song (Live).wav"]
    assert history.unmatched == 1
