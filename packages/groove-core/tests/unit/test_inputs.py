"""Many inputs: read when they are asked for, not kept, and a bad one costs only itself."""

from __future__ import annotations

import weakref
from typing import ClassVar

import pytest

from groove_core.actions.binding import action
from groove_core.actions.inputs import Inputs, Tally, each, tally
from groove_core.drums.pattern import DrumPattern
from groove_core.errors import InputError, UsageError

ROCK = DrumPattern.from_masks([5, 0, 4, 0] * 8)


@pytest.fixture
def known():
    one = Tally()
    token = tally.set(one)
    yield one
    tally.reset(token)


class Song:
    alive: ClassVar = weakref.WeakSet()

    def __init__(self, path):
        self.name = str(path)
        self.alive.add(self)


def test_files_are_read_one_by_one_and_not_kept():
    songs = Inputs([f"{n}.wav" for n in range(50)], Song)
    assert (len(songs), len(Song.alive)) == (50, 0)
    for _ in range(2):  # as often as one likes
        for number, song in enumerate(songs):
            assert song.name == f"{number}.wav"
            del song
            assert len(Song.alive) <= 1
    for number, name in enumerate(each(songs, lambda song, name: (song.name, name))):
        assert name == (f"{number}.wav",) * 2
        assert not Song.alive
    assert [song.name for song in songs[48:]] == ["48.wav", "49.wav"]


@action
def bars(beats: list[DrumPattern]) -> list[int]:
    """Count bars."""
    return [beat.bars for beat in beats]


def test_an_action_is_given_files_and_objects(tmp_path, capsys):
    path = ROCK.save(tmp_path / "rock.mid")
    (tmp_path / "bad.mid").write_bytes(b"<html>404</html>")
    assert bars(ROCK) == bars(path) == bars([str(path)]) == [2]
    assert bars([ROCK, path, ROCK]) == [2, 2, 2]
    assert capsys.readouterr().err == ""
    assert bars(tmp_path) == bars([ROCK, tmp_path / "bad.mid"]) == [2]
    assert capsys.readouterr().err.count("left out: ") == 2
    with pytest.raises(UsageError, match="beats cannot be 7"):
        bars([ROCK, 7])  # no file: a mistake of the caller


def test_an_error_of_the_work_names_the_file(known, capsys):
    def work(number: int, name: str) -> int:
        if number % 2:
            raise InputError("2.00 s of sound are too short.", hint="Give more.")
        return number

    files = [f"folder/{n}.wav" for n in range(5)]
    assert list(each(range(5), work, files=files)) == [0, 2, 4]
    assert list(each(range(5), work, files=files)) == [0, 2, 4]  # is told once
    says = "folder/1.wav: 2.00 s of sound are too short."
    assert list(known.failed) == ["folder/1.wav", "folder/3.wav"]
    assert known.failed["folder/1.wav"] == {
        "file": "folder/1.wav",
        "message": says,
        "hint": "Give more.",
    }
    assert known.files == set(files)
    assert capsys.readouterr().err.splitlines()[0] == f"left out: {says}"


@pytest.mark.parametrize("kind", [InputError, UsageError])
def test_nothing_usable_is_an_error(known, kind):
    def fail(number: int, name: str) -> int:
        raise kind("It is silent.", hint="Give another.")

    with pytest.raises(kind, match=r"None of the 3 files can be used. The first: a.wav: It is sil"):
        list(each(range(3), fail, files=["a.wav", "b.wav", "c.wav"]))
    with pytest.raises(kind, match=r"^alone.wav: It is silent\.$"):
        list(each([0], fail, files=["alone.wav"]))
    assert "alone.wav" not in known.failed  # it is the error of the whole run
    assert list(each([], fail)) == []
