"""Embeddings of one's own: three forms, which song each is of, and what is wrong with some."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from groove_core.errors import InputError, UsageError
from groove_core.values import Audio, Codes
from music_recsys.embeddings import Embeddings, open_encoder

SOUND = Audio(np.ones(22_050 * 12) / 2, 22_050)


@pytest.fixture
def vectors(tmp_path) -> Path:
    """Make a folder with an embedding of three windows for each of four songs."""
    rng = np.random.default_rng(0)
    (tmp_path / "e").mkdir()
    for name in "abcd":
        np.save(tmp_path / "e" / f"{name}.npy", 50 + 9 * rng.normal(size=(3, 6)))
    return tmp_path / "e"


def test_a_file_for_each_song_standardised_over_all(vectors):
    found = Embeddings.open(vectors)
    heard = np.stack([found.of(SOUND, f"music/{name}.mp3") for name in "abcd"])
    assert heard.shape == (4, 5, 6)  # one for each second in which eight begin
    assert heard.dtype == np.float16
    windows = heard[:, [0, 2, 4]].astype(float).reshape(-1, 6)
    assert np.abs(windows.mean(axis=0)).max() < 1e-2
    assert np.abs(windows.std(axis=0) - 1).max() < 1e-2


def test_one_file_with_a_list_of_names(vectors, tmp_path):
    songs = [np.load(vectors / f"{name}.npy") for name in "abcd"]
    np.save(tmp_path / "all.npy", np.stack(songs))
    (tmp_path / "all.txt").write_text("a.mp3\nb.mp3\nc\nd.flac\n")
    whole, each = Embeddings.open(tmp_path / "all.npy"), Embeddings.open(vectors)
    for name in "abcd":
        assert np.array_equal(whole.of(SOUND, f"{name}.wav"), each.of(SOUND, f"{name}.wav"))
    np.save(tmp_path / "all.npy", np.stack([song.mean(axis=0) for song in songs]))
    assert Embeddings.open(tmp_path / "all.npy").of(SOUND, "a.wav").shape == (1, 6)


def test_what_an_encode_action_wrote(tmp_path):
    points = np.arange(12.0).reshape(6, 2)
    labels = ["a:1", "a:3", "b c.mid, bars 1-2", "b c.mid, bar 3", "song 2", "d.mid bar 1"]
    Codes(points, labels, "acai").save(tmp_path / "encode.json")
    found = Embeddings.open(tmp_path / "encode.json")
    assert len(found.of(SOUND, "a.wav")) == len(found.of(SOUND, "b c.wav")) == 5
    assert len(found.of(SOUND, "song 2.wav")) == len(found.of(SOUND, "d.mp3")) == 1


def test_songs_of_one_name_are_told_apart_by_their_folders(tmp_path):
    for number, folder in enumerate(("one", "two")):
        (tmp_path / "e" / folder).mkdir(parents=True)
        np.save(tmp_path / "e" / folder / "01.npy", np.full((1, 2), number))
    found = Embeddings.open(tmp_path / "e")
    assert found.of(SOUND, "music/one/01.mp3")[0, 0] < found.of(SOUND, "music/two/01.mp3")[0, 0]
    with pytest.raises(InputError, match=r"01\.mp3 may be .*one.* or .*two"):
        found.of(SOUND, "music/01.mp3")


def test_a_song_without_one_is_named(vectors):
    with pytest.raises(InputError, match=r"x\.mp3 has no embedding") as raised:
        Embeddings.open(vectors).of(SOUND, "x.mp3")
    assert "x.npy" in str(raised.value.hint)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.zeros((2, 5)), r"b\.npy has 5 dimensions, .*a\.npy has 6"),
        (np.full((2, 6), np.nan), r"b\.npy holds numbers that are not finite, first in row 0"),
        (np.zeros((2, 2, 6)), r"b\.npy has the shape \(2, 2, 6\)"),
        (np.zeros((0, 6)), r"b\.npy has the shape \(0, 6\)"),
        (np.array([["x"]]), r"b\.npy holds no embeddings: it does not hold numbers"),
        (np.array([{}]), r"b\.npy holds no embeddings"),
    ],
)
def test_embeddings_that_are_none(vectors, content, message):
    np.save(vectors / "b.npy", content, allow_pickle=True)
    with pytest.raises(InputError, match=message) as raised:
        Embeddings.open(vectors).of(SOUND, "b.mp3")
    assert raised.value.hint


def test_damaged_files_and_lists(vectors, tmp_path):
    (vectors / "b.npy").write_bytes((vectors / "a.npy").read_bytes()[:100])
    with pytest.raises(InputError, match=r"b\.npy holds no embeddings"):
        Embeddings.open(vectors).of(SOUND, "a.mp3")
    np.save(tmp_path / "all.npy", np.zeros((3, 6)))
    with pytest.raises(InputError, match=r"all\.txt does not exist"):
        Embeddings.open(tmp_path / "all.npy")
    (tmp_path / "all.txt").write_text("a\nb\n")
    with pytest.raises(InputError, match="3 rows, and .* names 2 songs"):
        Embeddings.open(tmp_path / "all.npy")
    (tmp_path / "all.txt").write_text("a\nb\na\n")
    with pytest.raises(InputError, match="names a twice"):
        Embeddings.open(tmp_path / "all.npy")
    (tmp_path / "x.json").write_text("{}")
    (tmp_path / "x.csv").write_text("1,2")
    (tmp_path / "empty").mkdir()
    for name in ("x.json", "x.csv", "empty"):
        with pytest.raises(InputError):
            Embeddings.open(tmp_path / name)


def test_a_checkpoint_beside_embeddings_is_refused(vectors):
    with pytest.raises(UsageError, match="no checkpoint is used"):
        open_encoder("front-end", vectors, "cpu")
