"""Who is refused, and how."""

from __future__ import annotations

import json
import time

import pytest


def test_a_page_gets_the_cookie_for_the_token(studio):
    answer = studio.ask("GET", "/" + studio.address.rpartition("/")[2], Cookie="")
    assert answer.status == 303
    assert answer.headers["location"] == "/"
    kept = answer.headers["set-cookie"].lower()
    assert "httponly" in kept
    assert "samesite=strict" in kept
    assert "secure" not in kept
    link = "/" + studio.address.rpartition("/")[2]
    kept = studio.ask("GET", link, X_Forwarded_Proto="https").headers["set-cookie"]
    assert "secure" in kept.lower()
    page = studio.ask("GET", "/")
    assert page.status == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy.replace("'wasm-unsafe-eval'", "")


@pytest.mark.parametrize(
    ("status", "path", "headers"),
    [
        (401, "/", {"Cookie": ""}),
        (401, "/?token=guess", {"Cookie": ""}),
        (401, "/api/state", {"Cookie": "groove_studio_x=1"}),
        (421, "/api/state", {"Host": "evil.example:80"}),
        (421, "/", {"Host": "localhost.evil.example"}),
        (403, "/api/state", {"Origin": "http://evil.example"}),
        (403, "/api/state", {"Origin": "null"}),
        (403, "/api/state", {"Sec-Fetch-Site": "cross-site"}),
        (403, "/api/state", {"Sec-Fetch-Site": "same-site"}),
    ],
)
def test_strangers_are_refused(studio, status, path, headers):
    answer = studio.ask("GET", path, **headers)
    assert answer.status == status
    assert answer.json["hint"]
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (415, {"Origin": ""}),
        (403, {"Origin": "http://127.0.0.1:1"}),
        (415, {"Content-Type": "text/plain"}),
        (415, {"Content-Type": "application/x-www-form-urlencoded"}),
        (401, {"Cookie": ""}),
        (413, {"Content-Length": "99999999999"}),
    ],
)
def test_a_form_of_another_site_does_nothing(studio, status, headers):
    before = studio.state()["runs"]
    body = json.dumps({"package": "groove-core", "action": "x"}).encode()
    if "Content-Length" in headers:  # http.client would wait to send the rest
        body = None
    assert studio.ask("POST", "/api/run", body, **headers).status == status
    assert studio.state()["runs"] == before


PATHS = ["/etc/passwd", "../../etc/passwd", "~/.ssh/id_rsa", "..", "a/../../b", "C:\\x", "x\x00y"]


@pytest.mark.parametrize("path", PATHS)
def test_no_field_names_a_file_of_the_machine(studio, beat, path):
    """Not the files of the page, nor identifiers, nor options, nor names of uploads."""
    quoted = path.replace("/", "%2f").replace("\\", "%5c").replace("\x00", "%00")
    places = ("page/{}", "file/{}/wav", "file/x/{}", "viewer/{}/score", "api/lines/{}",
              "api/choices/{}", "api/chain/{}")  # fmt: skip
    for place in places:
        answer = studio.ask("GET", "/" + place.format(quoted))
        assert answer.status in (400, 404)
    [item] = studio.upload("beat.json", beat)["items"]
    for name, body in [
        ("run", {"package": path, "action": "sample"}),
        ("run", {"package": "groove-core", "action": path}),
        ("change", {"item": path, "document": {}}),
        ("write", {"item": path, "ending": "wav"}),
        ("write", {"item": item["id"], "ending": path}),
        ("tray", {"items": [path]}),
        ("again", {"item": path}),
        ("keep-chain", {"item": path, "name": "x"}),
        ("hear", {"document": path}),
    ]:
        answer = studio.ask("POST", f"/api/{name}", body)
        assert answer.status in (400, 404), (name, answer.body)
        assert b"root:" not in answer.body
    kept = studio.upload(quoted.replace("%", "%25"), beat)
    assert kept["status"] in ("done", "failed")
    outside = [p for p in studio.workspace.parent.iterdir() if p != studio.workspace]
    assert outside == []


def test_what_is_too_large_is_refused_while_it_comes(start):
    small = start("--max-upload-mb", "0.01")
    begin = time.monotonic()
    assert small.ask("PUT", "/api/upload", b"", Content_Length="2000000000").status == 413
    chunks = (b"x" * 5000 for _ in range(100))  # without a length
    assert small.ask("PUT", "/api/upload", chunks, X_Name="big.bin").status == 413
    assert time.monotonic() - begin < 30
    assert [*(small.workspace / "runs").iterdir()] == []
    full = start("--max-gb", "0.01")
    for _ in range(2):
        answer = full.ask("PUT", "/api/upload", b"x" * 6_000_000, X_Name="big.bin")
    assert answer.status == 400
    assert "--max-gb" in answer.json["hint"]
    assert len([*(full.workspace / "runs").iterdir()]) == len(full.state()["runs"]) == 1


def test_names_are_text(studio, beat):
    """Whatever the name of a file is, it is a name of one file in the workspace."""
    record = studio.upload("%3Cimg src=x onerror=alert(1)%3E.json", beat)
    assert record["items"][0]["name"] == "img src=x onerror=alert(1)"
    saved = studio.ask("GET", f"/file/{record['items'][0]['id']}/json?save")
    assert "filename" in saved.headers["content-disposition"]
    named = studio.upload("%E6%9B%B2 %C3%BCber.json", beat)["items"][0]
    assert named["name"] == "曲 über"
