"""A stranger's way to the first beat: installed, opened, two clicks, heard; in seconds.

    python benchmarks/stranger.py            # in a fresh environment, which takes minutes
    python benchmarks/stranger.py --here     # with what is installed

Needs playwright and Chromium. The packages are installed from this repository, with its
constraints, since they are on no index yet.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

from groove_core.testing.pages import browsing, until

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("groove-core[plot,torch]", "groove-studio", "drum-space")
CLICKS = (
    '.welcome button[title="drum-space sample"]',
    'article button[aria-label^="Play"]',
)
LOUD = 0.01


def installed(folder: Path) -> Path:
    """Install the packages into an environment of their own, and return its Python."""
    venv.create(folder, with_pip=True)
    python = folder / "bin/python"
    wanted = [f"{ROOT}/packages/{name}" for name in PACKAGES]
    command = [python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", *wanted]
    subprocess.run(command, check=True)
    return python


def main() -> None:
    """Go the way, and tell how long each part of it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--here", action="store_true", help="install nothing")
    options = parser.parse_args()
    took: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, browsing() as browser:
        begin = time.perf_counter()

        def passed(name: str) -> None:
            nonlocal begin
            now = time.perf_counter()
            took[name], begin = round(now - begin, 1), now

        python = Path(sys.executable)
        if not options.here:
            python = installed(Path(folder, "venv"))
            passed("pip install, s")
        command = [python, "-m", "groove_core", "studio", "--no-browser", "--workspace", "work"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder) as process:
            try:
                assert process.stdout is not None
                page = browser.new_page()
                page.goto(process.stdout.readline().strip())
                page.wait_for_selector("body.ready")
                passed("until the page can be used, s")
                for click in CLICKS:
                    page.locator(click).first.click(timeout=120_000)
                until(page, f"groove.peak() > {LOUD}")
                passed("until the first beat is heard, s")
            finally:
                process.terminate()
    print(json.dumps({**took, "clicks": len(CLICKS)}, indent=1))


if __name__ == "__main__":
    main()
