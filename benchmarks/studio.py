"""How soon the studio is there, and what it costs, beside a bare Starlette page and Gradio.

    pip install gradio              # if you want it in the table, in the environment of --gradio
    python benchmarks/studio.py --rounds 3 --gradio other/bin/python
    python benchmarks/studio.py --json > packages/groove-studio/measured/start.json

Seconds are from the start of the process: to the first byte of the page, and until every form can
be used. Megabytes are what the waiting server and its idle workers have in memory (Linux), and
what pip has installed beyond the core.
"""

from __future__ import annotations

import argparse
import http.cookiejar
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path

from pairs import spread, table

from groove_core.storage.files import dump_json

BARE = """
import uvicorn
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route
async def page(request): return HTMLResponse("<p>hello")
import socket
s = socket.create_server(("127.0.0.1", 0))
print(f"http://127.0.0.1:{s.getsockname()[1]}/", flush=True)
uvicorn.Server(uvicorn.Config(Starlette(routes=[Route("/", page)]), log_level="error")).run([s])
"""
GRADIO = """
import gradio
app = gradio.Interface(lambda name: "Hello " + name, "text", "text")
_, address, _ = app.launch(prevent_thread_lock=True, quiet=True)
print(address, flush=True)
import time
time.sleep(60)
"""
PATIENCE_S = 60.0


def opened(
    command: list[str], usable: Callable[[urllib.request.OpenerDirector, str], bool]
) -> dict:
    """Start a server; return seconds to the first byte and to use, and its memory."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        opener = urllib.request.build_opener(jar)
        while True:
            try:
                opener.open(address, timeout=PATIENCE_S).read(1)
                break
            except OSError:
                time.sleep(0.01)
        first = time.perf_counter() - begin
        while not usable(opener, address):
            time.sleep(0.02)
        ready = time.perf_counter() - begin
        time.sleep(1)
        return {"first byte, s": first, "usable, s": ready, "server, MB": memory_mb(process.pid)}
    finally:
        process.terminate()
        process.wait()


def memory_mb(pid: int) -> float:
    """Return the resident memory of a process."""
    found = re.search(r"VmRSS:\s*(\d+)", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))
    return int(found[1]) / 1000 if found else float("nan")


def listed(opener: urllib.request.OpenerDirector, address: str) -> bool:
    """Return whether the studio knows all forms."""
    with opener.open(address.partition("?")[0] + "api/state") as response:
        return bool(json.load(response)["listed"])


def installed_mb(names: set[str]) -> float:
    """Return the size of distributions as pip has installed them."""
    files = (file for name in names for file in metadata.files(name) or [])
    paths = [Path(str(file.locate())) for file in files]
    own = Path(__file__).parents[1] / "packages/groove-studio/src"
    editable = [
        path for path in own.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ]
    return sum(path.stat().st_size for path in {*paths, *editable} if path.is_file()) / 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--gradio", type=Path, help="a Python that has gradio")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        studio = [
            sys.executable,
            "-m",
            "groove_core",
            "studio",
            "--no-browser",
            "--workspace",
            folder,
        ]
        servers = {
            "bare Starlette page": ([sys.executable, "-c", BARE], lambda *_: True),
            "groove studio": (studio, listed),
        }
        if options.gradio:
            servers["Gradio's hello world"] = (
                [str(options.gradio), "-c", GRADIO], lambda *_: True,
            )  # fmt: skip
        rounds = [
            {name: opened(command, usable) for name, (command, usable) in servers.items()}
            for _ in range(options.rounds)
        ]
    bare = [one["bare Starlette page"]["usable, s"] for one in rounds]
    rows = []
    for name in servers:
        found = [one[name] for one in rounds]
        row = {key: spread([one[key] for one in found]) for key in found[0]}
        ratios = [one["usable, s"] / other for one, other in zip(found, bare, strict=True)]
        rows.append({"name": name, **row, "times the bare page": spread(ratios)})
    size = installed_mb({"groove-studio", "starlette", "uvicorn", "anyio", "h11", "idna", "click"})
    report = table("The studio beside other pages", rows)
    load = (
        f"Installed beyond the core: {size:.1f} MB. Load of the machine before: {load_before:.1f}."
    )
    report = replace(report, notes=(*report.notes, load))
    print(dump_json(report.to_json()) if options.json else report.to_text())


if __name__ == "__main__":
    main()
