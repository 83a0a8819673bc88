"""A package that does what it should not, requests that no page sends, a machine that sleeps."""

from __future__ import annotations

import http.client
import io
import json
import os
import shutil
import signal
import socket
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

PLUGIN = """
from groove_core.hookspecs import Action, Package, hookimpl
@hookimpl
def groove_package():
    return Package(name="NAME", api=(1, 2), summary="")
@hookimpl
def groove_generators():
    return [Action("do", "MODULE.actions:do", "Do it.")]
"""
BROKEN = {
    "import": ("import nothing_of_this_name", "", "needs the module 'nothing_of_this_name'",
               'pip install "nothing_of_this_name"'),
    "needs": ("import yaml_of_this_name", "Requires-Dist: PyYAML-of-this-name>=6\n",
              "needs the module", 'pip install "PyYAML-of-this-name>=6"'),
    "part": ("import MODULE.nothing", "", "is broken", "pip install --upgrade --force-reinstall"),
    "api": (PLUGIN.replace("1, 2", "2, 0"), "", "made for plugin API 2.0",
            "pip install --upgrade groove-core"),
    "raises": ("raise RuntimeError('no')", "", "RuntimeError: no", "force-reinstall"),
    "dies": ("import os; os._exit(7)", "", "ended with code 7", "pip uninstall"),
    "metadata": ("", None, "damaged", "pip"),
    "action": (PLUGIN, "", "", 'pip install "nothing_of_this_name"'),
}  # fmt: skip
"""Packages that cannot be loaded, and what their rows say of that."""
ACTIONS = r"""
import os, sys, time
from typing import Annotated
from groove_core import DrumPattern
from groove_core.actions.params import Opt, Readable
from groove_core.console import note

def everywhere(line):
    for file in range(3, 30):
        try:
            os.write(file, line)
        except OSError:
            pass

def do(
    what: Annotated[str, Opt("what it does")] = "",
    number: Annotated[float, Opt("a number")] = 1.0,
    *,
    beat: Annotated[Readable[DrumPattern] | None, Opt("a beat")] = None,
) -> DrumPattern:
    "Do it."
    if what == "raise":
        raise RuntimeError("oh " + chr(0xDCFF))
    if what == "print":
        print("x" * 100_000)
        os.write(1, b"{}\n")
    if what == "junk":
        everywhere(b"junk\n")
    if what == "exit":
        sys.exit(3)
    if what == "fork" and os.fork() == 0:
        time.sleep(60)
    if what == "fork":
        os.kill(os.getpid(), 9)
    if what == "name":
        note("bad " + chr(0xDCFF))
    if what in ("nap", "sleep"):
        time.sleep(0.7 if what == "nap" else 60)
    return DrumPattern.from_json({"kind": "drum-pattern", "tempo_bpm": 100.0, "masks": [1] * 16})
"""


@pytest.fixture(scope="module")
def evil(start, installed, tmp_path_factory) -> Any:
    """Return a studio with a package that does what it should not."""
    folder = tmp_path_factory.mktemp("evil")
    plugins = {kind: plugin for kind, (plugin, *_) in BROKEN.items()} | {"evil": PLUGIN}
    for kind, plugin in plugins.items():
        name, module = f"groove-{kind}", f"groove_{kind}"
        package = folder / module
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "plugin.py").write_text(plugin.replace("NAME", name).replace("MODULE", module))
        (package / "actions.py").write_text(
            ACTIONS if kind == "evil" else "import nothing_of_this_name"
        )
        site = installed(folder / "site", name, f"{module}.plugin", package)
        about = site / f"{module}-1.dist-info/METADATA"
        metadata = BROKEN.get(kind, ("", ""))[1]
        about.write_text("" if metadata is None else about.read_text() + metadata)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(site))
        return start()


def test_broken_packages_say_how_to_repair_them(evil):
    """Each in its row; all others are as they would be without them."""
    rows = {one["name"]: one for one in evil.state()["packages"]}
    rows["groove-metadata"] = rows.pop("groove_metadata-1.dist-info")
    for kind, (_, _, error, hint) in BROKEN.items():
        row = rows[f"groove-{kind}"]
        [row] = row["actions"] or [row]
        assert error in row["error"], row
        assert hint in row["hint"], row
    assert "error" not in rows["groove-studio"]


class Page:
    """Listens as a page does."""

    def __init__(self, studio: Any) -> None:
        self.connection = http.client.HTTPConnection(studio.host, timeout=60)
        self.connection.request("GET", "/api/events", headers={"Cookie": studio.cookie})
        self.answer = self.connection.getresponse()
        assert self.answer.readline() == b"event: hello\n"
        self.hello = self.next()

    def next(self) -> Any:
        while not (line := self.answer.readline()).startswith(b"data: "):
            assert line, "it has hung up"
        return json.loads(line[6:])

    def until(self, is_it: Callable[[Any], bool]) -> Any:
        while not is_it(event := self.next()):
            pass
        return event

    def ended(self, run: str) -> Any:
        """Wait until a run has ended, and return its record."""
        over = ("done", "failed", "cancelled")

        def is_it(event: Any) -> bool:
            record = event.get("record", {})
            return record.get("id") == run and record["status"] in over

        return self.until(is_it)["record"]


@pytest.fixture(scope="module")
def page(evil) -> Iterator[Page]:
    found = Page(evil)
    yield found
    found.connection.close()


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("raise", "RuntimeError: oh \\udcff"),
        ("print", ""),
        ("junk", "no event"),
        ("exit", "SystemExit(3)"),
        ("fork", "SIGKILL"),
        ("name", ""),
    ],
)
def test_what_a_package_does_costs_its_run_alone(evil, page, what, message):
    record = page.ended(evil.run("groove-evil", "do", what=what)["id"])
    assert record["status"] == ("failed" if message else "done")
    assert message in record["message"].encode("utf-8", "backslashreplace").decode()
    assert bool(evil.record(record["id"])) == (not message)
    assert record["hint"] or not message
    if what == "name":
        assert record["notes"][-1] == "bad \\udcff"


@pytest.mark.parametrize(
    ("status", "options"),
    [
        (400, '{"what": NaN}'),
        (400, '{"number": Infinity}'),
        (400, '{"number": 1e999}'),
        (400, '{"number": ' + 400 * "9" + "}"),
        (400, '{"what": "\\ud800"}'),
        (400, '{"what": "a:/etc/passwd"}'),
        (400, '{"what": "file:///etc/passwd"}'),
        (400, '{"what": [[1]]}'),
        (400, '{"what": {"items": []}}'),
        (400, json.dumps({"what": 2000 * ["x"]})),
        (400, json.dumps({"what": 20_000 * "x"})),
        (400, '{"beat": {"text": "../x"}}'),
        (400, '{"none": 1}'),
        (400, "[1]"),
        (400, '"x"'),
        (400, 100_000 * "["),
        (413, '{"what": [' + 2_000_000 * "1," + "1]}"),
        (404, '{"beat": {"items": ["0123456789abcdef"]}}'),
    ],
    ids=lambda one: str(one)[:20],
)
def test_what_no_form_sends_is_refused_and_leaves_nothing(evil, status, options):
    before = evil.state()["runs"]
    body = f'{{"package": "groove-evil", "action": "do", "options": {options}}}'.encode()
    answer = evil.ask("POST", "/api/run", body)
    assert (answer.status, bool(answer.json["hint"])) == (status, True)
    assert evil.state()["runs"] == before


def test_the_history_keeps_what_was_checked_and_nothing_else(evil, page, beat):
    [item] = evil.upload("beat.json", beat)["items"]
    options = {"beat": {"items": [item["id"]], "more": "\ud800", "text": {}}, "what": None}
    record = evil.run("groove-evil", "do", **options)
    assert record["options"] == {"beat": {"items": [item["id"]]}}
    assert page.ended(record["id"])["status"] == "done"


def test_a_change_to_what_is_no_value_is_a_mistake_and_no_bug(evil, beat):
    [item] = evil.upload("beat.json", beat)["items"]
    for document in ("x", None, [], {}, {"kind": []}, {"kind": "file"}):
        record = evil.post("change", {"item": item["id"], "document": document})
        assert (record["status"], "bug" in record["message"]) == ("failed", False)


def raw(studio: Any, head: str, body: bytes = b"") -> bytes:
    """Send what no client would, and return how the answer begins."""
    name, _, port = studio.host.partition(":")
    own = f"Cookie: {studio.cookie}\r\nOrigin: {studio.origin}"
    kind = "Content-Type: application/octet-stream"
    with socket.create_connection((name, int(port)), timeout=30) as made:
        made.sendall(f"{head}\r\n{own}\r\n{kind}\r\n\r\n".encode("latin-1") + body)
        return b"" if body else made.recv(15)


def test_odd_heads_and_files_that_break_off_leave_nothing(evil, capfd):
    begin = f"PUT /api/upload HTTP/1.1\r\nHost: {evil.host}"
    before = evil.state()["runs"]
    for head in ("Content-Length: -1", "Content-Length: ²", "Content-Length: 1e3", "Host: evil"):
        assert raw(evil, f"{begin}\r\n{head}")[9:12] == b"400"
    raw(evil, f"{begin}\r\nContent-Length: 1000000", b"a part of it")
    evil.until(lambda: evil.state()["runs"] == before)
    assert {one.name for one in (evil.workspace / "runs").iterdir()} == {r["id"] for r in before}
    assert "Traceback" not in capfd.readouterr().err


def test_adjusting_leaves_one_result_unless_it_is_kept_or_used(evil, page, beat):
    def adjusted(former: Any, **options: Any) -> Any:
        body = {"package": "groove-evil", "action": "do", "options": options}
        return evil.post("run", body | {"replaces": former["id"]})

    def there(*records: Any) -> list[bool]:
        return [bool(evil.record(one["id"])) for one in records]

    brought = evil.upload("beat.json", beat)
    first = page.ended(evil.run("groove-evil", "do")["id"])
    second = page.ended(adjusted(first, number=2)["id"])
    evil.until(lambda: not evil.record(first["id"]))
    assert not (evil.workspace / "runs" / first["id"]).exists()
    failed = page.ended(adjusted(second, what="raise")["id"])
    assert there(second) == [True]
    slow = adjusted(failed, what="nap")
    evil.until(lambda: evil.record(slow["id"])["status"] == "running")
    waiting = adjusted(slow, number=3)
    third = adjusted(waiting, number=4)
    assert there(slow, waiting) == [True, False]
    third = page.ended(third["id"])
    evil.until(lambda: there(second, slow) == [False, False])
    evil.post("tray", {"items": [third["items"][0]["id"]]})
    fourth = page.ended(adjusted(third)["id"])
    fifth = page.ended(adjusted(fourth, beat={"items": [fourth["items"][0]["id"]]})["id"])
    page.ended(adjusted(brought)["id"])  # of another action
    assert there(third, fourth, fifth, brought) == [True] * 4


def test_what_a_job_needs_is_not_removed_and_exports_bring_nothing_back(evil, page, beat):
    brought = evil.upload("beat.json", beat)
    [item] = brought["items"]
    record = evil.run("groove-evil", "do", what="sleep", beat={"items": [item["id"]]})
    for run in (brought, record):
        assert evil.ask("POST", "/api/forget", {"run": run["id"]}).status == 400
    ask = ("POST", "/api/cancel", {"run": record["id"]})
    cancels = [threading.Thread(target=evil.ask, args=ask) for _ in range(3)]
    for one in cancels:
        one.start()
    assert page.ended(record["id"])["status"] == "cancelled"
    for one in cancels:
        one.join()
    answers: list[int] = []
    export = {"item": item["id"], "ending": "txt"}
    exporting = threading.Thread(
        target=lambda: answers.append(evil.ask("POST", "/api/write", export).status)
    )
    exporting.start()
    time.sleep(0.01)
    evil.post("forget", {"run": brought["id"]})
    exporting.join()
    assert answers in ([200], [404])
    assert not (evil.workspace / "runs" / brought["id"]).exists()
    for path, body in [("forget", {"run": brought["id"]}), ("cancel", {"run": record["id"]}),
                       ("write", export)]:  # fmt: skip
        assert evil.ask("POST", f"/api/{path}", body).status == 404


def test_an_archive_is_whole_while_runs_are_removed(evil):
    runs = [evil.upload(f"{n}.bin", os.urandom(10**6)) for n in range(6)]
    found: list[Any] = []
    taking = threading.Thread(target=lambda: found.append(evil.ask("GET", "/api/session.zip")))
    taking.start()
    for run in runs[1:]:
        evil.post("forget", {"run": run["id"]})
    taking.join()
    with zipfile.ZipFile(io.BytesIO(found[0].body)) as archive:
        assert archive.testzip() is None
        assert sum(name.endswith("/0.bin") for name in archive.namelist()) == 1


def test_a_machine_that_sleeps_goes_on_where_it_was(evil, page, beat):
    done: list[Any] = []
    bringing = threading.Thread(target=lambda: done.append(evil.upload("late.json", beat)))
    os.kill(evil.process.pid, signal.SIGSTOP)
    bringing.start()
    time.sleep(0.3)
    os.kill(evil.process.pid, signal.SIGCONT)
    bringing.join()
    assert page.ended(done[0]["id"])["status"] == "done"
    again = Page(evil)  # as one does whose connection has broken meanwhile
    assert done[0]["id"] in [one["id"] for one in again.hello["runs"]]
    assert again.hello == evil.state()
    again.connection.close()


def test_too_many_pages_are_refused(evil, page):
    pages = [Page(evil) for _ in range(31)]
    assert evil.ask("GET", "/api/events").status == 429
    for one in pages:
        one.connection.close()


def test_without_its_folder_a_studio_says_so_and_goes_on(evil, beat):
    """The last of this module, which needs the folder."""
    shutil.rmtree(evil.workspace)
    answer = evil.ask("POST", "/api/run", {"package": "groove-evil", "action": "do"})
    assert (answer.status, "folder" in answer.json["hint"]) == (507, True)
    assert evil.ask("GET", "/api/state").status == 200
    evil.workspace.mkdir()
    assert evil.upload("beat.json", beat)["status"] == "done"
