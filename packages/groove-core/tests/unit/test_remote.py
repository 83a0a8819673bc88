"""Addresses: parts of a path, folders of a place, what tells a changed file."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from groove_core.batch import map_files
from groove_core.batch.names import Names
from groove_core.errors import InputError
from groove_core.storage.remote import RemotePath, at_hand, identity, list_remote, path_of

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def memory():
    system = fsspec.filesystem("memory")
    system.store.clear()
    for name in ("songs/b.wav", "songs/a.WAV", "songs/more/c.flac", "songs/d.txt"):
        system.pipe(f"/{name}", name.encode())
    yield system
    system.store.clear()


def test_an_address_is_a_path():
    path = path_of("s3://bucket/songs/one.flac")
    assert str(path) == "s3://bucket/songs/one.flac"
    assert str(path.with_suffix("")) == "s3://bucket/songs/one"
    assert str(path.parent / "two.flac") == "s3://bucket/songs/two.flac"
    assert str(path.relative_to("s3://bucket")) == "songs/one.flac"
    assert pickle.loads(pickle.dumps(path)) == path
    assert path_of("file:///a/b.wav") == Path("/a/b.wav")
    for local in ("C:/songs/a.wav", "songs/a:b.wav", "/a.wav"):
        assert path_of(local) == Path(local)
    names = Names(["s3://b/b.wav", "s3://b/a.wav", "s3://b/b.wav"])
    assert [str(name) for name in names] == ["s3://b/a.wav", "s3://b/b.wav"]


def test_files_of_a_place_are_listed_and_fetched(memory):
    found = list_remote(RemotePath("memory://songs"), ["wav", ".flac"])
    names = ["memory://songs/a.WAV", "memory://songs/b.wav", "memory://songs/more/c.flac"]
    assert [str(path) for path in found] == names
    with at_hand(found[1]) as file:
        assert (file.name, file.read_bytes()) == ("b.wav", b"songs/b.wav")
    assert not file.exists()
    with pytest.raises(InputError, match=r"memory://songs holds no \.mid file"):
        list_remote(RemotePath("memory://songs"), ["mid"])
    with pytest.raises(InputError, match="memory://nowhere does not exist"):
        list_remote(RemotePath("memory://nowhere"), ["mid"])


def _content(path):
    with at_hand(path) as file:
        return {"text": file.read_text()}


def test_what_has_changed_is_fetched_again(memory, tmp_path):
    path = RemotePath("memory://songs/b.wav")
    before = identity(path)
    assert before[0] == len("songs/b.wav")
    out = tmp_path / "out.jsonl"
    (first,) = map_files(_content, [path], out=out)
    (again,) = map_files(_content, [path], out=out)
    assert again == first
    memory.pipe("/songs/b.wav", b"songs/B.wav")
    assert identity(path) != before
    (changed,) = map_files(_content, [path], out=out)
    assert changed.result == {"text": "songs/B.wav"}
    assert identity(RemotePath("memory://songs/gone.wav")) == (None, None)
