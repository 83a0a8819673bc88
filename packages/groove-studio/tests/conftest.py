"""A studio of its own process, and what a page would send it."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from groove_core.testing.pages import browsing

PATIENCE_S = 120.0


def until(check: Any) -> None:
    end = time.monotonic() + PATIENCE_S
    while not check():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.05)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Client:
    """Talks to a studio as its page does, or as it does not."""

    process: subprocess.Popen[str]
    address: str
    workspace: Path
    cookie: str = field(default="")

    @property
    def host(self) -> str:
        return self.address.removeprefix("http://").partition("/")[0]

    @property
    def origin(self) -> str:
        return f"http://{self.host}"

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send one request; headers replace those of a page, and an empty one is left out."""
        sent = {"Cookie": self.cookie}
        if method != "GET":
            kind = "application/octet-stream" if method == "PUT" else "application/json"
            sent |= {"Origin": self.origin, "Content-Type": kind}
        sent |= {name.replace("_", "-"): text for name, text in headers.items()}
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
        connection = http.client.HTTPConnection(self.host, timeout=PATIENCE_S)
        try:
            connection.request(method, path, body, {k: v for k, v in sent.items() if v})
            response = connection.getresponse()
            found = {name.lower(): text for name, text in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            connection.close()

    def enter(self) -> None:
        """Exchange the token for the cookie."""
        answer = self.ask("GET", "/" + self.address.rpartition("/")[2])
        assert answer.status == 303
        self.cookie = answer.headers["set-cookie"].partition(";")[0]

    def state(self) -> dict[str, Any]:
        return dict(self.ask("GET", "/api/state").json)

    def post(self, name: str, body: Any) -> Any:
        answer = self.ask("POST", f"/api/{name}", body)
        assert answer.status == 200, answer.body
        return answer.json

    def upload(self, name: str, content: bytes) -> Any:
        answer = self.ask("PUT", "/api/upload", content, X_Name=name)
        assert answer.status == 200, answer.body
        return answer.json

    def run(self, package: str, action: str, **options: Any) -> Any:
        return self.post("run", {"package": package, "action": action, "options": options})

    def finished(self, record: Any) -> Any:
        """Wait for a run; None if it failed or was cancelled, which leaves nothing."""
        until(lambda: self.record(record["id"]).get("status") not in ("waiting", "running"))
        return self.record(record["id"]) or None

    until = staticmethod(until)

    def record(self, run: str) -> dict[str, Any]:
        return next((one for one in self.state()["runs"] if one["id"] == run), {})


@pytest.fixture(scope="session")
def start(tmp_path_factory) -> Iterator[Any]:
    """Start studios; the last thing is to see that each ends when it is told to."""
    made: list[Client] = []

    def begin(*options: str, workspace: Path | None = None, token: str = "") -> Client:
        folder = workspace or tmp_path_factory.mktemp("studio") / "work"
        command = [sys.executable, "-m", "groove_core", "studio", "--no-browser"]
        process = subprocess.Popen(
            [*command, "--workspace", str(folder), *options], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        client = Client(process, f"{address}?token={token}" if token else address, folder)
        made.append(client)
        client.enter()
        until(lambda: client.state()["listed"])
        return client

    yield begin
    for client in made:
        client.process.terminate()
    codes = []
    for client in made:
        with client.process as process:
            codes.append(process.wait(PATIENCE_S))
    assert codes == [0] * len(made)


@pytest.fixture(scope="session")
def studio(start) -> Client:
    """Return a studio that all tests of a process share."""
    return start()


@pytest.fixture
def beat() -> bytes:
    """Return a beat as JSON."""
    document = {"kind": "drum-pattern", "tempo_bpm": 100.0, "masks": [1, 0, 4, 0] * 8}
    return json.dumps(document).encode()


@pytest.fixture(scope="session")
def installed() -> Any:
    """Return what installs a module without pip; it returns the folder to look for it in."""

    def install(folder: Path, name: str, module: str, path: Path) -> Path:
        about = folder / f"{name.replace('-', '_')}-1.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (about / "entry_points.txt").write_text(f"[groove.v1]\n{name} = {module}\n")
        (folder / module.partition(".")[0]).symlink_to(path, target_is_directory=True)
        return folder

    return install


@pytest.fixture(scope="module")  # its event loop is in the way of tests that have one, too
def browser() -> Iterator[Any]:
    with browsing() as found:
        yield found


@pytest.fixture
def opened(browser: Any) -> Any:
    """Return what opens the page; what it says on the console or asks of another host is an error.

    With `quiet=False` it may say something, such as what the browser says of what it refuses;
    `init` is a script that runs before the page's own.
    """

    @contextlib.contextmanager
    def open_page(
        studio: Client, *, quiet: bool = True, init: str = "", **settings: Any
    ) -> Iterator[Any]:
        said: list[str] = []
        asked: set[str] = set()
        context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **settings})
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.add(request.url))
        if init:
            page.add_init_script(init)
        page.goto(studio.address)
        page.wait_for_selector("body.ready", timeout=60_000)
        yield page
        context.close()
        assert not (said and quiet), said
        hosts = {url.partition("://")[2].partition("/")[0] for url in asked}
        assert {host for host in hosts if host} == {studio.host}

    return open_page
