"""Catalogues: heard once, whatever happens; searched exactly, or by neighbours."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from groove_core.batch import Shard
from groove_core.errors import InputError, UsageError
from groove_core.storage import files
from music_recsys import catalogue
from music_recsys.catalogue import Catalogue, build, exact, join
from music_recsys.listening import FrontEnd


@pytest.fixture(scope="module")
def front_end() -> FrontEnd:
    return FrontEnd.open()


def test_every_song_is_heard_as_it_is_alone(folder, tmp_path, front_end):
    report = build(folder, tmp_path / "c", checkpoint=None, jobs=1)
    assert report.cell("heard", "songs") == 12
    found = Catalogue.open(tmp_path / "c", front_end)
    number = [Path(path).name for path in found.paths].index("dark3.wav")
    alone = front_end.passages(folder / "dark3.wav")
    assert np.array_equal(found.passages(number), alone)
    assert np.allclose(found.vectors[number], alone.astype(np.float32).mean(axis=0), atol=2e-3)


def test_killed_half_way_it_loses_nothing_and_repeats_nothing(folder, tmp_path):
    into, journal = tmp_path / "c", tmp_path / "c" / "journal.jsonl"
    command = [
        sys.executable, "-c",
        # Slowed down, so that there is a half-way.
        "import time\nfrom pathlib import Path\nfrom music_recsys import catalogue as c\n"
        "hear = c._hear\n"
        "def slow(path, **more):\n    time.sleep(0.3)\n    return hear(path, **more)\n"
        f"c._hear = slow\nsongs, into = Path({str(folder)!r}), Path({str(into)!r})\n"
        "c.build(songs, into, checkpoint=None, jobs=1)",
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not journal.exists() or len(journal.read_bytes().splitlines()) < 5:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = journal.read_bytes().splitlines()[1:5]
    stamps = {path: path.stat().st_mtime_ns for path in (into / "passages").rglob("*.npy")}
    heard = []
    original = catalogue._hear

    def counting(path, **more):
        heard.append(path.name)
        return original(path, **more)

    catalogue._hear = counting
    try:
        build(folder, into, checkpoint=None, jobs=1)
    finally:
        catalogue._hear = original
    finished = {Path(json.loads(line)["file"]).name for line in before}
    assert not finished & set(heard)  # none is repeated
    assert len(finished | set(heard)) == 12  # none is lost
    assert journal.read_bytes().splitlines()[1:5] == before
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())


def test_shards_make_the_catalogue_of_one_machine(folder, tmp_path, front_end):
    build(folder, tmp_path / "one", jobs=1)
    for number in (1, 2, 3):  # the third in a folder of its own, which is then copied
        into = tmp_path / ("other" if number == 3 else "many")
        report = build(folder, into, jobs=1, shard=Shard(number, 3))
        assert report.title == f"Shard {number}/3 of the songs in {into}"
    with pytest.raises(UsageError, match="Missing: shard 3/3"):
        join(tmp_path / "many")
    with pytest.raises(InputError, match="unfinished"):
        Catalogue.open(tmp_path / "many", front_end)
    shutil.copytree(tmp_path / "other", tmp_path / "many", dirs_exist_ok=True)
    assert join(tmp_path / "many").cell("heard", "songs") == 12
    one, many = ((tmp_path / name).rglob("*.*") for name in ("one", "many"))
    parts = {f"journal.{number}-of-3.jsonl" for number in (1, 2, 3)}
    contents = [
        {
            file.name: file.read_bytes()
            for file in files
            if file.is_file() and file.name not in parts
        }
        for files in (one, many)
    ]
    assert contents[0] == contents[1]
    with pytest.raises(InputError, match="holds no shards"):
        join(tmp_path / "one")


def test_new_changed_and_gone_songs(folder, tmp_path, front_end):
    songs = tmp_path / "songs"
    shutil.copytree(folder, songs)
    build(songs, tmp_path / "c", checkpoint=None, jobs=1)
    (songs / "dark0.wav").unlink()
    shutil.copy(folder / "bright1.wav", songs / "dark1.wav")
    (songs / "broken.wav").write_bytes(b"nothing")
    report = build(songs, tmp_path / "c", checkpoint=None, jobs=1)
    assert (report.cell("heard", "songs"), report.cell("left out", "songs")) == (11, 1)
    found = Catalogue.open(tmp_path / "c", front_end)
    names = [Path(path).name for path in found.paths]
    one, two = names.index("dark1.wav"), names.index("bright1.wav")
    assert np.array_equal(found.vectors[one], found.vectors[two])


def test_a_catalogue_that_is_not_there_unfinished_or_of_another_front_end(tmp_path, front_end):
    with pytest.raises(InputError, match="is no catalogue"):
        Catalogue.open(tmp_path, front_end)
    (tmp_path / "journal.jsonl").write_text("{}")
    with pytest.raises(InputError, match="unfinished"):
        Catalogue.open(tmp_path, front_end)
    catalogue.write(tmp_path, "another", ["a"], ["b"], np.zeros((1, 3), np.float16))
    with pytest.raises(InputError, match="Another front end"):
        Catalogue.open(tmp_path, front_end)


def test_another_front_end_begins_anew_when_asked(folder, tmp_path, front_end, other):
    build(folder, tmp_path / "c", checkpoint=None, jobs=1)
    with pytest.raises(UsageError, match="Another front end"):
        build(folder, tmp_path / "c", checkpoint=str(other), jobs=1)
    assert len(Catalogue.open(tmp_path / "c", front_end)) == 12  # as it was
    build(folder, tmp_path / "c", checkpoint=str(other), jobs=1, restart=True)
    found = Catalogue.open(tmp_path / "c", FrontEnd.open(str(other)))
    assert found.passages(0) is not None
    assert len(list((tmp_path / "c/passages").iterdir())) == 1


def test_damaged_passages_are_heard_again(folder, tmp_path, front_end):
    build(folder, tmp_path / "c", checkpoint=None, jobs=1)
    one = next((tmp_path / "c/passages").rglob("*.npy"))
    whole = one.read_bytes()
    one.write_bytes(whole[:40])
    build(folder, tmp_path / "c", checkpoint=None, jobs=1)
    assert one.read_bytes() == whole
    vectors = next((tmp_path / "c").glob("vectors-*.npy"))
    vectors.write_bytes(vectors.read_bytes()[:50])
    with pytest.raises(InputError, match="is damaged"):
        Catalogue.open(tmp_path / "c", front_end)


def test_a_folder_with_another_list_is_no_catalogue(tmp_path):
    (tmp_path / "songs.json").write_text("[1]")
    assert not catalogue.is_catalogue(tmp_path)


def test_a_catalogue_may_hold_more_songs_than_other_documents_values(tmp_path, front_end):
    count = files.MAX_JSON_VALUES // 2  # a path and a hash each
    vectors = np.zeros((count, 1), np.float16)
    with mock.patch.object(catalogue, "EXACT", count + 1):  # no index
        catalogue.write(tmp_path, front_end.identity, ["a.wav"] * count, ["00"] * count, vectors)
    assert catalogue.is_catalogue(tmp_path)
    assert len(Catalogue.open(tmp_path, front_end)) == count


def test_in_use_by_another_process(folder, tmp_path):
    from groove_core.batch.journal import Header, open_journal

    settings = {"what": "catalogue of songs", "front_end": FrontEnd.open().identity}
    with (
        open_journal(tmp_path / "c/journal.jsonl", Header(settings), False, None),
        pytest.raises(UsageError, match="in use"),
    ):
        build(folder, tmp_path / "c", checkpoint=None, jobs=1)


def test_exact_search_is_a_sorted_product():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(1000, 16)).astype(np.float16)
    direction = rng.normal(size=16).astype(np.float32)
    scores = vectors.astype(np.float32) @ direction
    assert exact(vectors, direction, 10).tolist() == np.argsort(-scores)[:10].tolist()


def test_the_index_finds_the_largest_products(tmp_path, front_end, monkeypatch):
    pytest.importorskip("faiss")
    monkeypatch.setattr(catalogue, "EXACT", 4000)
    rng = np.random.default_rng(0)
    kinds = rng.normal(size=(60, 16))
    # Of very different lengths: the smallest angles would mislead.
    vectors = kinds[rng.integers(60, size=5000)] + 0.5 * rng.normal(size=(5000, 16))
    vectors = (vectors * rng.uniform(0.1, 3, (5000, 1))).astype(np.float16)
    names = [str(i) for i in range(5000)]
    catalogue.write(tmp_path, front_end.identity, names, names, vectors)
    found = Catalogue.open(tmp_path, front_end)
    assert found.index is not None
    recall = []
    for _ in range(20):
        direction = rng.normal(size=16).astype(np.float32)
        best = found.best(direction, 50).tolist()
        assert len(set(best)) == 50
        recall.append(len(set(best) & set(exact(vectors, direction, 50).tolist())) / 50)
    assert np.mean(recall) > 0.9


def test_a_song_that_takes_too_long_is_left_out(tmp_path, folder, capsys):
    (tmp_path / "one").mkdir()
    shutil.copy(min(folder.rglob("*.wav")), tmp_path / "one")
    with pytest.raises(InputError, match="No song"):
        build(tmp_path / "one", tmp_path / "c", checkpoint=None, jobs=1, timeout_s=1e-6)
    assert "took more than 1e-06 s" in capsys.readouterr().err
