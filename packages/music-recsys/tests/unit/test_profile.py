"""Ratings: from tables, folders and one by one, by many processes, of songs that move."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from groove_core.errors import InputError, UsageError
from music_recsys.listening import FrontEnd
from music_recsys.profile import Profile, read_ratings


@pytest.fixture(scope="module")
def front_end() -> FrontEnd:
    return FrontEnd.open()


def test_a_later_rating_replaces_an_earlier_one_wherever_the_file_is(folder, tmp_path, front_end):
    mine = Profile("anna")
    mine.rate(folder / "dark0.wav", 2, front_end)
    moved = shutil.copy(folder / "dark0.wav", tmp_path / "renamed.wav")
    mine.rate(Path(moved), 5, front_end)
    [one] = mine.ratings()
    assert (one.name, one.rating) == ("renamed.wav", 5)
    Path(moved).unlink()
    # What it sounds like is kept with the rating.
    heard = mine.passages(one, front_end)
    assert heard is not None
    assert np.array_equal(heard, front_end.passages(folder / "dark0.wav"))


def test_taking_a_rating_back(folder, front_end):
    mine = Profile("anna")
    mine.rate(folder / "dark0.wav", 2, front_end)
    mine.forget(folder / "dark0.wav")
    assert mine.ratings() == []
    for profile in (mine, Profile("bert")):
        with pytest.raises(InputError, match="is not rated"):
            profile.forget(folder / "dark0.wav")
    assert not Profile("bert").path.exists()


RATE_ALL = """
import sys
from pathlib import Path
from music_recsys.listening import FrontEnd
from music_recsys.profile import Profile
profile, folder, first = sys.argv[1:]
front_end = FrontEnd.open()
for number in range(int(first), 12, 2):
    song = sorted(Path(folder).glob("*.wav"))[number]
    Profile(profile).rate(song, 1 + number % 5, front_end)
"""


def test_two_processes_rating_at_once_lose_nothing(folder, tmp_path):
    path = tmp_path / "both.sqlite"
    both = [
        subprocess.Popen([sys.executable, "-c", RATE_ALL, path, folder, first])
        for first in ("0", "1")
    ]
    assert [process.wait(240) for process in both] == [0, 0]
    rated = {one.name: one.rating for one in Profile(str(path)).ratings()}
    names = sorted(song.name for song in folder.glob("*.wav"))
    assert rated == {name: 1 + number % 5 for number, name in enumerate(names)}


def test_what_cannot_be_heard_is_not_rated(tmp_path, front_end):
    (tmp_path / "no.wav").write_bytes(b"nothing")
    mine = Profile("anna")
    with pytest.raises(InputError):
        mine.rate(tmp_path / "no.wav", 5, front_end)
    assert mine.ratings() == []


def test_a_profile_that_another_process_has_just_begun(folder, tmp_path, front_end):
    (tmp_path / "new.sqlite").touch()
    mine = Profile(str(tmp_path / "new.sqlite"))
    song = next(iter(sorted(folder.glob("*.wav"))))
    mine.rate(song, 4, front_end)
    assert [one.rating for one in mine.ratings()] == [4]


def test_a_file_that_is_no_profile(tmp_path):
    (tmp_path / "mine.sqlite").write_bytes(b"x" * 4096)
    with pytest.raises(InputError, match="cannot be used as a profile"):
        Profile(str(tmp_path / "mine.sqlite")).ratings()
    with pytest.raises(UsageError):
        Profile("../anna")


def test_a_table(tmp_path):
    table = tmp_path / "r.csv"
    table.write_text("\ufeffPath,Rating\na.wav,5\nsub/b c.wav,2.5\n", encoding="utf-8")
    assert read_ratings(table) == [(tmp_path / "a.wav", 5), (tmp_path / "sub/b c.wav", 2.5)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("path,rating\na.wav,six\n", "line 2: 'six' is no rating"),
        ("path,rating\na.wav,9\n", "line 2: '9' is no rating"),
        ("path,rating\na.wav\n", "no rating"),
        ("a.wav,5\n", "no columns path and rating"),
        ("path,rating\n", "holds no ratings"),
    ],
)
def test_tables_that_are_none(tmp_path, text, says):
    table = tmp_path / "r.csv"
    table.write_text(text)
    with pytest.raises(InputError, match=says):
        read_ratings(table)


def test_folders(tmp_path, folder):
    for name, song in (("Liked", "dark0.wav"), ("disliked", "bright0.wav"), ("other", "dark1.wav")):
        (tmp_path / name).mkdir()
        shutil.copy(folder / song, tmp_path / name / song)
    found = {path.name: rating for path, rating in read_ratings(tmp_path)}
    assert found == {"dark0.wav": 5, "bright0.wav": 1}
    with pytest.raises(InputError, match="liked or disliked"):
        read_ratings(tmp_path / "other")


SHA = "0" * 64


@pytest.mark.parametrize(
    "script",
    [
        "CREATE TABLE ratings (sha256, path, rating); INSERT INTO ratings VALUES (1, 2, 3)",
        f"CREATE TABLE ratings (sha256, path, rating, rated_at);"
        f"INSERT INTO ratings VALUES ('{SHA}', 'a.wav', 'six', '')",
        f"CREATE TABLE ratings (sha256, path, rating, rated_at);"
        f"INSERT INTO ratings VALUES ('{SHA}', 7, 5, '')",
        "CREATE TABLE ratings (sha256, path, rating, rated_at);"
        "INSERT INTO ratings VALUES ('../../x', 'a.wav', 5, '')",
        f"CREATE TABLE ratings (sha256, path, rating, rated_at);"
        f"INSERT INTO ratings VALUES ('{SHA}', zeroblob(50000000), 5, '')",
        "CREATE VIEW ratings AS WITH RECURSIVE n(sha256) AS (SELECT 1 UNION ALL SELECT sha256 + 1"
        " FROM n) SELECT sha256, sha256 AS path, 5 AS rating, sha256 AS rated_at FROM n",
    ],
)
def test_databases_of_strangers(tmp_path, script):
    with contextlib.closing(sqlite3.connect(tmp_path / "p.sqlite")) as file:
        file.executescript(script)
    with pytest.raises(InputError, match="cannot be used as a profile"):
        Profile(str(tmp_path / "p.sqlite")).ratings()


def test_a_path_with_a_zero_byte_is_named_with_its_line(tmp_path):
    (tmp_path / "r.csv").write_bytes(b"path,rating\na\0.wav,5\n")
    with pytest.raises(InputError, match=r"line 2: 'a\\x00\.wav' is no path"):
        read_ratings(tmp_path / "r.csv")
