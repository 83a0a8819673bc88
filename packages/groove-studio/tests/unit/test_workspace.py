"""What is kept: of whom, how large, and what of a damaged or foreign folder."""

from __future__ import annotations

import asyncio
import errno
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from groove_core.errors import GrooveError
from groove_studio import jobs as jobs_module
from groove_studio import workspace as workspace_module
from groove_studio.jobs import Jobs, described
from groove_studio.pool import CORE, Pool, Worker
from groove_studio.workspace import Record, Workspace, safe_name

NAMES = {
    "../../Größe <b>.mid": "Größe b.mid",
    "曲.mid": "曲.mid",
    "\u202egnp.mid": "gnp.mid",
    "a\x00b\nc.mid": "abc.mid",
    "CON.mid": "_CON.mid",
    "..": "file",
    "\ud800.mid": "mid",
}


def test_every_name_is_a_name_of_a_file(tmp_path):
    assert {name: safe_name(name) for name in NAMES} == NAMES
    for letter in "x曲😀":
        name = safe_name(300 * letter + ".mid")
        (tmp_path / f".{name}-12345678.json").touch()  # what is written beside it
        assert name.startswith(30 * letter)
        assert name.endswith(".mid")


def kept(folder: Path, **changed: object) -> Path:
    """Make a workspace of one run of one item, and change its record."""
    work = Workspace(folder, 10**9)
    record = work.begin("tabla", "sample", {"seed": 1})
    file = work.place(record, "view") / "beat.json"
    file.write_text("{}")
    about = {"files": {"json": str(file)}, "name": "beat", "kind": "report", "formats": [],
             "text": ""}  # fmt: skip
    item = work.add(record, about)
    record.status = "done"
    work.keep(record)
    place = work.place(record, "record.json")
    document = json.loads(place.read_text())
    for name, value in changed.items():
        one = document["items"][0] if name in vars(item) and name != "run" else document
        one[name] = value
    place.write_text(json.dumps(document))
    return place.parent


@pytest.mark.parametrize(
    "changed",
    [
        {"source": "../../secret"},
        {"files": {"json": "/etc/passwd"}},
        {"files": {"json": "link/x"}},
        {"files": []},
        {"text": 5},
        {"made": "yesterday"},
        {"seconds": float("nan")},
        {"options": 7},
        {"of_a_newer_studio": True},
        {"status": "running"},
    ],
)
def test_what_a_studio_did_not_write_is_neither_shown_nor_removed(tmp_path, changed):
    place = kept(tmp_path, **changed)
    (tmp_path / "link").symlink_to("/etc")
    assert Workspace(tmp_path, 10**9).runs == {}
    assert (place / "view/beat.json").is_file()


def test_only_what_a_studio_left_half_made_is_removed(tmp_path):
    assert len(Workspace(kept(tmp_path).parents[1], 10**9).runs) == 1
    half, mine, other = (tmp_path / "runs" / name for name in ("0" * 16, "1" * 16, "logs"))
    for folder in (half / "out", mine / "songs", other):
        folder.mkdir(parents=True)
    (tmp_path / "tray.json").write_text('[["x"], 5, NaN]')
    assert Workspace(tmp_path, 10**9).tray == []
    assert [half.exists(), mine.exists(), other.exists()] == [False, True, True]


def test_sizes_are_those_of_the_files(tmp_path):
    work = Workspace(tmp_path, 10_000)
    for size in (3000, 4000):
        record = work.begin("tabla", "sample", {})
        (work.place(record, "view") / "x").write_bytes(bytes(size))
        record.status = "done"
        work.keep(record)
    (tmp_path / "groove-models").mkdir()
    (tmp_path / "groove-models/x").write_bytes(bytes(500))
    assert work.size_bytes() == sum(p.stat().st_size for p in tmp_path.rglob("*") if p.is_file())
    running = work.begin("tabla", "sample", {})
    (work.place(running, "view") / "x").write_bytes(bytes(3000))
    with pytest.raises(GrooveError, match="limit"):
        work.begin("tabla", "sample", {})
    work.remove(running)
    assert work.begin("tabla", "sample", {}).id in work.runs


def test_what_cannot_be_removed_stays(tmp_path, monkeypatch):
    work = Workspace(kept(tmp_path).parents[1], 10**9)
    [record] = work.runs.values()
    work.favour([record.items[0].id])

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        with pytest.raises(OSError, match="Read-only"):
            work.remove(record)
    assert work.runs == {record.id: record}
    monkeypatch.setattr(workspace_module, "write_text", refuse)
    with pytest.raises(OSError, match="Read-only"):
        work.favour([])
    assert work.tray == [record.items[0].id]


def test_a_long_chain_has_its_ancestors(tmp_path):
    """Each change of a score is made from the one before."""
    work = Workspace(tmp_path, 10**9)
    records = [
        Record(f"r{i}", "tabla", "edit", {"of": {"items": [f"i{i - 1}"]}}) for i in range(3000)
    ]
    for number, record in enumerate(records):
        work.runs[record.id] = record
        work.items[f"i{number}"] = SimpleNamespace(run=record.id)
    assert work.ancestors(records[-1]) == records


def test_texts_for_pages_have_no_places(tmp_path):
    work = Workspace(tmp_path / "my work", 10**9)
    file = work.folder / "runs/0123/out/song.mid"
    assert work.hidden(f"{file} is empty. Cannot write to {file}") == (
        "song.mid is empty. Cannot write to song.mid"
    )


class Said:
    """A worker that says what it is told to."""

    is_alive = True

    def __init__(self, *events: object) -> None:
        self.events = events

    async def request(self, *_: object):
        for event in self.events:
            if isinstance(event, Exception):
                raise event
            yield {**event}  # type: ignore[dict-item]

    async def end(self) -> None:
        pass


def worked(
    folder: Path, monkeypatch, *events: object, **patches: object
) -> tuple[Record, Workspace]:
    """Run a job of a worker that says these events; a page listens."""

    async def run() -> tuple[Record, Workspace]:
        async def start(*_: object) -> Said:
            return Said(*events)

        monkeypatch.setattr(Worker, "start", start)
        work = Workspace(folder, 10**9)
        for name, patch in patches.items():
            monkeypatch.setattr(work, name, patch)
        jobs = Jobs(work, Pool())
        heard = jobs.listen()
        record = work.begin("tabla", "sample", {})
        jobs.submit(record, "run", {}, "groove-tabla")
        await jobs.finished(record)
        last = [heard.get_nowait() for _ in range(heard.qsize())][-1]
        assert last["record"] == described(record)
        assert (record.id in work.runs) == (record.status == "done")
        assert work.place(record, "view").exists() == (record.status == "done")
        return record, work

    return asyncio.run(run())


def test_a_record_that_cannot_be_kept_is_a_failure_that_is_told(tmp_path, monkeypatch):
    def full(_: Record) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    record, _ = worked(tmp_path, monkeypatch, {"event": "done"}, keep=full)
    assert (record.status, "No space" in record.message) == ("failed", True)


def test_a_job_that_fills_the_disk_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs_module, "WATCH_S", 0.01)
    usage = shutil.disk_usage(tmp_path)

    async def request(*_: object):
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100))
        await asyncio.sleep(10)
        yield {"event": "done"}

    monkeypatch.setattr(Said, "request", request)
    record, _ = worked(tmp_path, monkeypatch)
    assert (record.status, record.message) == ("failed", "The disk is full.")


@pytest.mark.parametrize(
    "event",
    [{"event": "value"}, {"event": "value", "files": {"wav": "/etc/passwd"}}, {"event": "note"}],
)
def test_a_worker_that_says_nonsense_fails_alone(tmp_path, monkeypatch, event):
    about = {"name": "x", "kind": "x", "formats": [], "text": ""} if "files" in event else {}
    record, work = worked(tmp_path, monkeypatch, {**about, **event}, {"event": "done"})
    assert record.status == "failed"
    assert work.items == {}


def test_notes_are_bounded(tmp_path, monkeypatch):
    notes = [{"event": "note", "text": f"{n} " + 5000 * "x"} for n in range(jobs_module.NOTES + 9)]
    monkeypatch.setattr(jobs_module, "UNREAD", 10**6)
    record, _ = worked(tmp_path, monkeypatch, *notes, {"event": "done"})
    assert len(record.notes) == jobs_module.NOTES
    assert record.notes[0].startswith("9 x")
    assert max(map(len, record.notes)) == jobs_module.NOTE


def test_a_page_that_does_not_read_must_come_back(tmp_path):
    async def check() -> None:
        jobs = Jobs(Workspace(tmp_path, 10**9), Pool())
        asleep, awake = jobs.listen(), jobs.listen()
        for number in range(jobs_module.UNREAD + 1):
            jobs.tell({"event": "note", "number": number})
            assert awake.get_nowait()["number"] == number
        assert [jobs.hears(asleep), jobs.hears(awake)] == [False, True]
        assert asleep.get_nowait() == {"event": "end"}
        with pytest.raises(GrooveError):
            [jobs.listen() for _ in range(jobs_module.LISTENERS)]

    asyncio.run(check())


def test_files_are_read_while_jobs_run_and_users_share_the_room(tmp_path, monkeypatch):
    """Two trainings may run for hours; one user with many jobs leaves room for another."""

    async def check() -> None:
        async def start(*_: object) -> Said:
            return Said()

        async def has_turn(package: str, own: asyncio.Semaphore | None = None) -> bool:
            turn = pool.turn(tmp_path, package, own)
            try:
                await asyncio.wait_for(turn.__aenter__(), 0.05)
            except TimeoutError:
                return False
            turns.append(turn)
            return True

        monkeypatch.setattr(Worker, "start", start)
        pool, turns = Pool(), []
        anna, ben = asyncio.Semaphore(1), asyncio.Semaphore(1)
        assert await has_turn("a", anna)
        assert not await has_turn("b", anna)
        assert await has_turn("c", ben)
        assert not await has_turn("d")
        assert await has_turn(CORE)
        for turn in turns:
            await turn.__aexit__(None, None, None)
        assert await has_turn("b", anna)

    asyncio.run(check())


def test_each_user_may_have_as_many_jobs_as_another(tmp_path, monkeypatch):
    async def check() -> None:
        async def start(*_: object) -> Said:
            await asyncio.sleep(10)
            return Said()

        monkeypatch.setattr(Worker, "start", start)
        pool = Pool()
        anna, ben = (Jobs(Workspace(tmp_path / name, 10**9), pool) for name in ("anna", "ben"))
        for jobs in (anna, ben):
            for _ in range(jobs_module.WAITING):
                jobs.submit(jobs.workspace.begin("tabla", "sample", {}), "run", {}, "tabla")
            with pytest.raises(GrooveError):
                jobs.submit(jobs.workspace.begin("tabla", "sample", {}), "run", {}, "tabla")
        for jobs in (anna, ben):
            await jobs.close()
            assert jobs.workspace.runs == {}

    asyncio.run(check())
