"""Several users of one server: each has what is theirs, and sees nothing of the others."""

from __future__ import annotations

import asyncio
import http.client
import io
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from groove_core.errors import GrooveError, InputError, UsageError
from groove_studio.catalogue import Catalogue
from groove_studio.jobs import Jobs
from groove_studio.pool import Pool
from groove_studio.studio import Studio
from groove_studio.users import Users, add_user, hash_of
from groove_studio.workspace import Workspace


def test_a_file_of_users_holds_no_token_and_is_read_when_it_changes(tmp_path):
    file = tmp_path / "users.txt"
    file.write_text("# who may enter\n")
    anna, ben = add_user(file, "anna"), add_user(file, "ben")
    users = Users(file)
    asked = (anna, ben, "", "x", anna[:-1])
    assert [users.user_of(token) for token in asked] == ["anna", "ben", None, None, None]
    assert file.read_text() == f"# who may enter\nanna {hash_of(anna)}\nben {hash_of(ben)}\n"
    assert anna not in file.read_text()
    new = add_user(file, "anna")
    assert [users.user_of(token) for token in (anna, new, ben)] == [None, "anna", "ben"]
    file.write_text("anna without a hash\n")
    assert users.user_of(new) is None
    file.unlink()
    assert users.user_of(ben) is None


@pytest.mark.parametrize("name", ["", "Anna", "../anna", "a b", ".", 33 * "a", "jörg", "-a", "a\n"])
def test_names_of_users_are_names_of_folders(tmp_path, name):
    with pytest.raises(UsageError):
        add_user(tmp_path / "users.txt", name)
    assert not (tmp_path / "users.txt").exists()


@pytest.mark.parametrize(
    "text", ["anna", f"a {64 * 'g'}", f"../a {64 * 'a'}", 2 * f"a {64 * 'a'}\n"]
)
def test_a_file_of_something_else_is_refused(tmp_path, text):
    with pytest.raises(InputError, match="does not exist"):
        Users(tmp_path / "users.txt")
    (tmp_path / "users.txt").write_text(text)
    with pytest.raises(InputError):
        Users(tmp_path / "users.txt")
    with pytest.raises(GrooveError):
        add_user(tmp_path / "users.txt", "ben")
    assert (tmp_path / "users.txt").read_text() == text


@pytest.fixture(scope="module")
def users(tmp_path_factory) -> Path:
    return Path(tmp_path_factory.mktemp("users") / "users.txt")


@pytest.fixture(scope="module")
def anna(start, users) -> Any:
    """Return a studio as one user has it."""
    command = [sys.executable, "-m", "groove_core", "studio", "--users", str(users)]
    done = subprocess.run(
        [*command, "--add-user", "anna"], capture_output=True, text=True, check=True
    )
    return start("--users", str(users), "--max-gb", "0.01", token=done.stdout.strip())


@pytest.fixture(scope="module")
def ben(anna, users) -> Any:
    """Return the same studio as another user has it, who was added while it ran."""
    address = f"{anna.origin}/?token={add_user(users, 'ben')}"
    found = type(anna)(anna.process, address, anna.workspace)
    found.enter()
    return found


def test_the_ids_of_one_user_are_none_of_another(anna, ben, beat):
    record = anna.upload("beat.json", beat)
    [item] = record["items"]
    anna.post("tray", {"items": [item["id"]]})
    for path in (f"file/{item['id']}/json", f"file/{item['id']}/wav", f"api/lines/{record['id']}"):
        assert ben.ask("GET", f"/{path}").status == 404
    for name, body in [
        ("change", {"item": item["id"], "document": {}}),
        ("write", {"item": item["id"], "ending": "mid"}),
        ("tray", {"items": [item["id"]]}),
        ("again", {"item": item["id"]}),
        ("cancel", {"run": record["id"]}),
        ("forget", {"run": record["id"]}),
    ]:
        assert ben.ask("POST", f"/api/{name}", body).status == 404, name
    seen = ben.state()
    assert (seen["runs"], seen["tray"], seen["progress"]) == ([], [], {})
    packed = ben.ask("GET", "/api/session.zip").body
    assert zipfile.ZipFile(io.BytesIO(packed)).namelist() == []
    assert [one["id"] for one in anna.state()["runs"]] == [record["id"]]
    assert anna.state()["tray"] == [item["id"]]
    assert {one.name for one in anna.workspace.iterdir()} == {"anna", "ben", ".studio.lock"}


def test_users_hear_only_of_their_own(anna, ben, beat):
    connection = http.client.HTTPConnection(ben.host, timeout=60)
    connection.request("GET", "/api/events", headers={"Cookie": ben.cookie})
    answer = connection.getresponse()
    assert answer.readline() == b"event: hello\n"
    hers = anna.upload("hers.json", beat)["id"].encode()
    his = ben.upload("his.json", beat)["id"].encode()
    heard = b""
    while his not in heard:
        heard += answer.readline()
    assert hers not in heard
    connection.close()


def test_limits_are_those_of_each_user(anna, ben):
    assert anna.upload("large.bin", 6_000_000 * b"x")["status"] == "done"
    body = 5_000_000 * b"x"
    assert anna.ask("PUT", "/api/upload", body, X_Name="more.bin").status == 400
    assert ben.ask("PUT", "/api/upload", body, X_Name="more.bin").status == 200
    roles = {a["role"] for one in ben.state()["packages"] for a in one["actions"]}
    assert "trainer" not in roles


def test_who_is_not_in_the_file_is_out_at_once(anna, ben, users):
    assert anna.ask("GET", "/?token=guess", Cookie="").status == 401
    lines = users.read_text().splitlines(keepends=True)
    users.write_text("".join(line for line in lines if not line.startswith("ben")))
    assert ben.ask("GET", "/api/state").status == 401
    assert ben.ask("GET", "/" + ben.address.rpartition("/")[2], Cookie="").status == 401
    assert anna.ask("GET", "/api/state").status == 200
    assert anna.ask("GET", "/health", Cookie="").status == 200
    assert anna.ask("GET", "/health", Cookie="", Host="evil.example").status == 421


def test_a_page_hears_no_more_of_who_is_out(tmp_path):
    async def check() -> None:
        jobs = Jobs(Workspace(tmp_path, 10**9), Pool())
        keys = ["a", "a", "a", "b"]
        studio = Studio(jobs.workspace, Catalogue(), jobs, lambda: keys.pop(0) if keys else "b")
        lines = (await studio.events(None)).body_iterator  # type: ignore[arg-type]
        jobs.tell({"event": "first"})
        jobs.tell({"event": "second"})
        heard = "".join([line async for line in lines])
        assert ("first" in heard, "second" in heard) == (True, False)

    asyncio.run(check())
