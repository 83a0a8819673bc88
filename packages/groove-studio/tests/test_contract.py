"""groove-studio keeps the contract of plugins, and costs little."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

from groove_core.plugins import loader
from groove_core.testing import check_plugin
from groove_studio.command import studio as command


def test_contract():
    plugin = check_plugin("groove_studio.plugin")
    assert plugin.package.name == "groove-studio"
    assert loader.commands()["studio"].distribution == "groove-studio"


def test_the_container_starts_what_is_there():
    text = (Path(__file__).parents[1] / "Containerfile").read_text()
    [entry] = re.findall(r"^ENTRYPOINT (.*)$", text, re.MULTILINE)
    words = json.loads(entry)
    assert words[:2] == ["groove", "studio"]
    hints = get_type_hints(command, include_extras=True)
    options = [hint.__metadata__[0] for hint in hints.values() if hasattr(hint, "__metadata__")]
    known = {flag for one in options for flag in one.default.split("/")}
    assert {word for word in words if word.startswith("--")} <= known
    assert {"--users", "--add-user", "--allow-host"} <= known & {*text.split()}


def test_the_server_imports_nothing_heavy():
    """It waits for days: what needs numpy or torch is in its workers."""
    code = (
        "import sys, groove_studio.server\n"
        "print(*(m for m in ('numpy', 'torch') if m in sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == ""


def test_an_idle_server_is_small(studio):
    """Linux tells what a process has in memory."""
    status = Path(f"/proc/{studio.process.pid}/status")
    if status.is_file():
        kilobytes = int(status.read_text().partition("VmRSS:")[2].split()[0])
        assert kilobytes < 60_000
