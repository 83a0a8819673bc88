"""The cache of arrays: keys, bounds, damage, and many processes at once."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, make_dataclass
from pathlib import Path

import numpy as np
import pytest

from groove_core.errors import InputError, UsageError
from groove_core.storage import cache as cache_module
from groove_core.storage.cache import Cache, cache_folder


def _key(number: int) -> str:
    return Cache.key({"number": number}, b"")


def _never():
    raise AssertionError("it is stored")


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.array(3.0),
        np.zeros((0, 4), dtype=np.int16),
        np.array([1 + 2j]),
        np.zeros(2**20, dtype=np.float64),  # mapped
    ],
)
def test_an_array_is_made_once_and_comes_back_read_only(tmp_path, array):
    cache = Cache(tmp_path, 10**9)
    first = cache.get(_key(1), lambda: array)
    again = Cache(tmp_path, 10**9).get(_key(1), _never)
    for given in (first, again):
        assert type(given) is np.ndarray
        assert given.dtype == array.dtype
        np.testing.assert_array_equal(given, array)
        assert not given.flags.writeable
    assert array.flags.writeable
    assert cache.stats().entries == 1


@dataclass
class Mel:
    bands: int = 80


@dataclass
class Other:
    bands: int = 80


Elsewhere = make_dataclass("Mel", [("bands", int, 80)])
Elsewhere.__module__ = "elsewhere"


def test_keys_differ_by_settings_and_content_only(tmp_path):
    one, same, other = (tmp_path / name for name in ("one", "same", "other"))
    one.write_bytes(b"abc")
    same.write_bytes(b"abc")
    other.write_bytes(b"abd")
    array = np.frombuffer(b"abcdabcd", dtype=np.int32)
    keys = [
        Cache.key({"a": 1, "b": [1, 2]}, one),
        Cache.key({"a": 1.5, "b": [1, 2]}, one),
        Cache.key({"a": 1, "b": [1, 2]}, other),
        Cache.key({"a": 1, "b": [1, 2]}, b"abc"),
        Cache.key(Mel(), one),
        Cache.key(Mel(81), one),
        Cache.key(Other(), one),
        Cache.key(Elsewhere(), one),  # called the same in another package
        Cache.key({}, array),
        Cache.key({}, array.view(np.uint32)),
        Cache.key({}, array.reshape(1, 2)),
        Cache.key({}, array.astype(">i4")),
        Cache.key({}, array.tobytes()),
    ]
    assert len(set(keys)) == len(keys)
    assert keys[0] == Cache.key({"b": (1, 2), "a": 1}, str(same))
    assert keys[8] == Cache.key({}, np.repeat(array, 2)[::2])  # strides are no content
    with pytest.raises(InputError):
        Cache.key({}, tmp_path / "missing")
    for wrong in ({"a": np.arange(2)}, {"a": float("nan")}, [1], Mel):
        with pytest.raises(UsageError):
            Cache.key(wrong, b"")
    with pytest.raises(UsageError):
        Cache.key({}, np.array([None]))


def test_a_damaged_entry_is_made_again(tmp_path):
    cache = Cache(tmp_path, 10**9)
    for number, size in enumerate((1000, 2**20)):  # read, and mapped
        array = np.arange(float(size))
        cache.get(_key(number), lambda array=array: array)
        path = cache._path(_key(number))
        whole = path.read_bytes()
        for damaged in (whole[: len(whole) // 2], whole[:20], b"", b"\0" * len(whole)):
            path.write_bytes(damaged)
            np.testing.assert_array_equal(cache.get(_key(number), lambda array=array: array), array)
            assert path.read_bytes() == whole


def test_objects_and_strange_keys_are_refused(tmp_path):
    with pytest.raises(UsageError):
        Cache(tmp_path).get(_key(0), lambda: np.array([{}]))
    with pytest.raises(UsageError):
        Cache(tmp_path).get("../" + "a" * 61, lambda: np.zeros(1))
    assert not list(tmp_path.iterdir())


def test_the_least_recently_used_go(tmp_path):
    cache = Cache(tmp_path, 10_000)
    for number in range(8):
        cache.get(_key(number), lambda: np.zeros(100))  # 928 bytes each
        os.utime(cache._path(_key(number)), ns=(number, number))
    cache.get(_key(0), _never)  # used just now
    assert cache.trim(4000) == 4
    left = [number for number in range(8) if cache._path(_key(number)).exists()]
    assert left == [0, 5, 6, 7]
    assert cache.stats().bytes == 4 * 928
    for number in range(100, 200):
        cache.get(_key(number), lambda: np.zeros(100))
        assert cache.stats().bytes <= 10_000 + 928
    cache.get(_key(300), lambda: np.zeros(10**4))  # larger than all: not stored
    assert not cache._path(_key(300)).exists()


def test_many_short_processes_are_bounded_too(tmp_path):
    for number in range(400):  # each adds less than the slack of 1,000 bytes
        Cache(tmp_path, 20_000).get(_key(number), lambda: np.zeros(50))
    assert Cache(tmp_path, 20_000).stats().bytes < 2 * 20_000


def test_nothing_else_is_removed(tmp_path):
    cache = Cache(tmp_path, 10**6)
    cache.get(_key(0), lambda: np.zeros(9))
    shard = cache._path(_key(0)).parent
    keep = [
        tmp_path / "notes.txt",
        tmp_path / "song.npy",
        shard / "song.npy",
        shard / f".{_key(1)}-young.npy",
        tmp_path / "music" / f"{_key(2)}.npy",
    ]
    keep[-1].parent.mkdir()
    for path in keep:
        path.write_text("mine")
    abandoned = shard / f".{_key(1)}-abandoned.npy"
    abandoned.write_text("half")
    os.utime(abandoned, (1, 1))
    assert cache.clear() == 1
    assert _files(tmp_path) == sorted(keep)


def test_a_folder_that_cannot_be_written_is_noted_once(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    cache = Cache(tmp_path / "file" / "below", 10**6)
    for _ in range(3):
        np.testing.assert_array_equal(cache.get(_key(0), lambda: np.ones(3)), np.ones(3))
    assert capsys.readouterr().err.count("without the cache") == 1
    assert cache.stats().entries == cache.clear() == 0


def test_where_and_how_large(tmp_path, monkeypatch):
    monkeypatch.setenv("GROOVE_HOME", str(tmp_path))
    monkeypatch.setenv("GROOVE_CACHE_GB", "0.5")
    assert Cache().folder == tmp_path / "cache" == cache_folder()
    assert Cache().limit_bytes == 500_000_000
    monkeypatch.delenv("GROOVE_HOME")
    monkeypatch.delenv("GROOVE_CACHE_GB")
    assert Cache().folder.name == "groove"
    assert Cache().limit_bytes == 4_000_000_000
    for wrong in ("lots", "-1", "nan", "inf"):
        monkeypatch.setenv("GROOVE_CACHE_GB", wrong)
        with pytest.raises(UsageError, match="GROOVE_CACHE_GB"):
            Cache()
    with pytest.raises(UsageError):
        Cache(tmp_path, -1)
    none = Cache(tmp_path, 0)
    none.get(_key(0), lambda: np.zeros(0))
    assert none.stats().entries == 0


def test_the_folder_is_not_looked_at_for_every_entry(tmp_path, monkeypatch):
    scans = []
    scan = Cache._scan
    monkeypatch.setattr(Cache, "_scan", lambda self: scans.append(1) or scan(self))
    cache = Cache(tmp_path, 10**6)
    for number in range(500):  # 400 kB
        cache.get(_key(number), lambda: np.zeros(100))
    assert len(scans) in (7, 8, 9)  # each 5 % of the limit


PROCESS = """
import sys
import numpy as np
from groove_core.storage.cache import Cache

folder, seed = sys.argv[1], int(sys.argv[2])
cache = Cache(folder, 100_000)
rng = np.random.default_rng(seed)
made = 0
for step in range(600):
    number = int(rng.integers(60))
    def make():
        global made
        made += 1
        return np.full(500, number, dtype=np.float64)
    array = cache.get(cache.key({"number": number}, b""), make)
    assert array.shape == (500,) and (array == number).all(), number
    if step % 150 == 149 and seed == 0:
        cache.clear()
print(made, sum(size for _, size, _ in cache._scan()))
"""


def test_processes_read_write_and_evict_at_once(tmp_path):
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(tmp_path), str(seed)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for seed in range(4)
    ]  # fmt: skip
    for process in running:
        out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, "")
        made, total = map(int, out.split())
        assert 60 < made < 600  # evicted and made again, and yet of use
        assert total <= 100_000 * (1 + 4 * cache_module.SLACK) + 4 * 4128
    for path in _files(tmp_path):  # nothing half-written, nothing unfinished
        assert np.load(path).shape == (500,)
