"""Shards: every file in one of them, joined to the bytes of one run, and what does not fit."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from groove_core.batch import Shard, map_files, merge
from groove_core.batch.names import Names
from groove_core.errors import InputError, UsageError

LETTERS = "abcdefghijklmnopqrst"


def _letters(path: Path) -> dict[str, object]:
    if path.stem == "g":
        raise InputError("No g.", hint="Take another.")
    return {"text": path.read_text(), "version": "1"}


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    made = [tmp_path / f"{letter}.txt" for letter in LETTERS]
    for path in made:
        path.write_text(path.stem * 3)
    return made


def _parts(files: list[Path], folder: Path, of: int = 3, **options: object) -> list[Path]:
    parts = [folder / f"part-{number}.jsonl" for number in range(1, of + 1)]
    for number, part in enumerate(parts, 1):
        shuffled = random.Random(number).sample(files, len(files))  # no machine knows an order
        settings = options.get("settings", {"rate": 1})
        list(map_files(_letters, shuffled, shard=Shard(number, of), out=part, settings=settings))
    return parts


def test_every_file_is_in_one_shard_and_stays_there_when_others_come(files):
    for of in (1, 2, 7, 50):
        shards = [Shard(number, of) for number in range(1, of + 1)]
        assert all(sum(shard.has(file) for shard in shards) == 1 for file in files)
    many = [f"songs/{n}.wav" for n in range(10_000)]
    counts = [sum(map(Shard(number, 10).has, many)) for number in range(1, 11)]
    assert all(abs(count - 1000) < 120 for count in counts), counts  # four deviations
    part = Shard(2, 3).of_list(files)
    grown = Shard(2, 3).of_list([*files, "later.txt"])
    assert [path for path in grown if path.name != "later.txt"] == list(part)
    assert len(part) == len(list(part))


@pytest.mark.parametrize("of", [1, 3, 30])  # of 30, some have no file
def test_joined_shards_are_the_bytes_of_one_run(files, tmp_path, of):
    whole = tmp_path / "whole.jsonl"
    list(map_files(_letters, files, out=whole, settings={"rate": 1}))
    parts = _parts(files, tmp_path, of)
    joined = tmp_path / "joined.jsonl"
    assert merge(random.Random(1).sample(parts, of), joined) == len(files)
    assert joined.read_bytes() == whole.read_bytes()


def test_a_shard_goes_on_where_it_was_and_takes_what_is_new(files, tmp_path):
    part = tmp_path / "part.jsonl"
    shard = Shard(1, 2)
    calls: list[str] = []

    def counted(path: Path) -> dict[str, object]:
        calls.append(path.name)
        return {"text": path.read_text()}

    outcomes = map_files(counted, files, shard=shard, out=part)
    first = next(outcomes).file
    outcomes.close()
    assert len(list(map_files(counted, files, shard=shard, out=part))) == len(calls)
    assert calls.count(Path(first).name) == 1
    before = len(calls)
    new = next(p for n in range(99) if shard.has(p := tmp_path / f"a{n}.txt"))
    new.write_text("new")
    list(map_files(counted, [*files, new], shard=shard, out=part))
    assert calls[before:] == [new.name]
    header = json.loads(part.read_bytes().splitlines()[0])["shard"]
    assert (header["number"], header["listed"]) == (1, len(files) + 1)
    with pytest.raises(UsageError, match="another shard"):
        list(map_files(counted, files, shard=Shard(2, 2), out=part))
    with pytest.raises(UsageError, match="another shard"):
        list(map_files(counted, files, out=part))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _without_last(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def _replaced(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (Path.unlink, "part-2.jsonl does not exist"),
    "cut": (_cut, "Shard 2/3 in .* is not finished"),
    "killed": (_without_last, r"Shard 2/3 in .* has \d+ of its \d+ files"),
    "settings": (lambda p: _replaced(p, '{"rate": 1}', '{"rate": 2}'), "rate 2, not 1"),
    "version": (lambda p: _replaced(p, '"version": "1"', '"version": "2"'), "another version"),
    "list": (lambda p: _replaced(p, '"names": "', '"names": "0'), "another list of files"),
    "shards": (lambda p: _replaced(p, '"of": 3', '"of": 4'), "one of 4 shards"),
    "twice": (lambda p: _replaced(p, '"number": 2', '"number": 1'), "Shard 1/3 is there twice"),
    "order": (lambda p: p.write_bytes(_reversed(p)), "not finished"),
    "foreign": (lambda p: p.write_text("my diary\n"), "not the journal of a shard"),
}  # fmt: skip


def _reversed(path: Path) -> bytes:
    header, *lines = path.read_bytes().splitlines(keepends=True)
    return b"".join([header, *reversed(lines)])


@pytest.mark.parametrize("how", SPOILT)
def test_what_does_not_fit_is_named_and_nothing_is_written(files, tmp_path, how):
    spoil, words = SPOILT[how]
    parts = _parts(files, tmp_path)
    spoil(parts[1])
    with pytest.raises((UsageError, InputError), match=words) as caught:
        merge(parts, tmp_path / "joined.jsonl")
    assert caught.value.hint
    assert not list(tmp_path.glob("*joined*"))


def test_shards_that_are_missing_are_named(files, tmp_path):
    parts = _parts(files, tmp_path, 30)
    with pytest.raises(UsageError, match=r"^Missing: shards 3/30, 4/30\.$"):
        merge([*parts[:2], *parts[4:]], tmp_path / "joined.jsonl")
    with pytest.raises(UsageError, match=r"2/30, .* 11/30 and 19 more\.$"):
        merge(parts[:1], tmp_path / "joined.jsonl")


@pytest.mark.parametrize("text", ["0/10", "11/10", "1/0", "3", "3/", "-1/3", "1/3/5", "a/b", ""])
def test_shards_that_are_not_there_are_refused(text):
    with pytest.raises(UsageError) as caught:
        Shard.parse(text)
    assert "--shard" in caught.value.hint
    assert str(Shard.parse("3/10")) == "3/10"


def test_names_are_sorted_and_each_file_comes_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path)
    given = ["b.mid", "a.wav", "./b.mid", str(tmp_path / "b.mid"), "link/a.wav", "a.mid", "ä\udcff"]
    names = Names(given)
    assert [str(name) for name in names] == ["a.mid", "a.wav", "b.mid", "ä\udcff"]
    assert len(names) == 4
    assert [str(stem) for stem in names.shared_stems()] == ["a"]
