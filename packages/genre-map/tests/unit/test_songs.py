"""Collections as users have them."""

from __future__ import annotations

import shutil
from collections import Counter

import numpy as np
import pytest
import soundfile

from genre_map.genres import GENRES, canonical
from genre_map.songs import PUBLISHED as PARTS
from genre_map.songs import open_songs
from groove_core.errors import InputError

PUBLISHED = {
    "blues": 100, "classical": 100, "country": 100, "disco": 94, "hiphop": 98, "jazz": 87,
    "metal": 91, "pop": 91, "reggae": 89, "rock": 100,
}  # fmt: skip


LAYOUTS = {"au": "genres/{g}/{g}.{n:05d}.au", "wav": "Data/genres_original/{g}/{g}.{n:05d}.wav"}


@pytest.fixture(scope="module", params=LAYOUTS)
def gtzan(request, tmp_path_factory):
    """Give all 1,000 names of GTZAN, each with a moment of made-up sound."""
    root = tmp_path_factory.mktemp("gtzan")
    clip = tmp_path_factory.mktemp("clip") / "clip"
    soundfile.write(clip, np.zeros(100), 22050, format=request.param.upper())
    for genre in GENRES:
        for number in range(100):
            path = root / LAYOUTS[request.param].format(g=genre, n=number)
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(clip, path)
    return root


def test_gtzan_without_its_faults_has_the_published_counts(gtzan, capsys):
    songs = open_songs(gtzan)
    assert songs.kind == "gtzan"
    assert songs.counts() == PUBLISHED
    assert len(songs) == 950
    assert songs.genres == GENRES
    assert "50 exact repetitions" in capsys.readouterr().err


def test_the_fault_filtered_split_is_the_published_one(gtzan):
    parts = Counter(song.split for song in open_songs(gtzan) if song.split)
    # The list drops the first of each group of equal clips, the faults the later ones; a clip
    # that only the former keeps is no longer there.
    assert set(parts) == set(PARTS)
    assert all(parts[name] <= size for name, size in zip(PARTS, (443, 197, 290), strict=True))
    assert sum(parts.values()) > 880


def test_the_same_clip_in_both_formats_is_one_song(tmp_path):
    for suffix, kind in (("au", "AU"), ("wav", "WAV")):
        for genre in ("blues", "rock"):
            path = tmp_path / suffix / genre / f"{genre}.00000.{suffix}"
            path.parent.mkdir(parents=True)
            soundfile.write(path, np.zeros(100), 22050, format=kind)
    songs = open_songs(tmp_path)
    assert songs.counts() == {"blues": 1, "rock": 1}
    assert {song.path.suffix for song in songs} == {".au"}


@pytest.mark.parametrize("inside", ["", "genres"])
def test_gtzan_from_a_mac(tmp_path, inside):
    for genre in ("jazz", "rock"):
        for number in range(4):
            path = tmp_path / f"genres/{genre}/{genre}.{number:05d}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, np.zeros(100), 22050)
            path.with_name(f"._{path.name}").write_bytes(b"\0\5\x16\7")
    songs = open_songs(tmp_path / inside)
    assert (songs.kind, songs.counts()) == ("gtzan", {"jazz": 4, "rock": 4})


def test_folders_whatever_their_case(folder):
    songs = open_songs(folder)
    assert songs.kind == "folder"
    assert songs.counts() == {"blues": 10, "hiphop": 10, "rock": 10}


@pytest.mark.parametrize("name", ["Hip-Hop", "hip hop", "HIPHOP", "hip_hop "])
def test_spellings_of_one_genre(name):
    assert canonical(name) == "hiphop"


TRACKS = """,album,artist,set,set,track
,title,id,split,subset,genre_top
track_id,,,,,
2,A,1,training,small,Hip-Hop
3,A,1,test,small,Hip-Hop
5,B,2,training,small,Rock
7,C,3,training,small,
10,D,4,validation,small,Rock
"""


def test_fma(tmp_path, capsys):
    (tmp_path / "fma_metadata").mkdir()
    (tmp_path / "fma_metadata/tracks.csv").write_text(TRACKS)
    for number in (2, 3, 5, 7):
        path = tmp_path / f"fma_small/000/{number:06d}.mp3"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.zeros(4000), 22050, format="MP3")
    songs = open_songs(tmp_path)
    assert songs.kind == "fma"
    assert songs.counts() == {"hiphop": 2, "rock": 1}
    assert [song.groups["artist"] for song in songs] == ["1", "1", "2"]
    assert [song.split for song in songs] == ["train", "test", "train"]
    assert "1 tracks of the table have no sound file" in capsys.readouterr().err


def test_no_table_of_fma(tmp_path):
    (tmp_path / "tracks.csv").write_text("a,b\n1,2\n")
    soundfile.write(tmp_path / "000002.wav", np.zeros(100), 22050)
    with pytest.raises(InputError, match="not FMA's table"):
        open_songs(tmp_path)


def test_one_genre_is_none(tmp_path):
    (tmp_path / "rock").mkdir()
    soundfile.write(tmp_path / "rock/a.wav", np.zeros(100), 22050)
    with pytest.raises(InputError, match="one genre only, rock"):
        open_songs(tmp_path)
    with pytest.raises(InputError, match="not a folder"):
        open_songs(tmp_path / "jazz")
