"""Take the pictures of the studio: python docs/studio.py. Needs Chromium and all packages.

Five states: a beat that was drawn, notes that are changed (dark), a training, a map, and a phone.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pictures import _fewer_colours as fewer_colours

from groove_core.testing.pages import browsing, until

FOLDER = Path(__file__).parents[1] / "packages/groove-studio/pictures"
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 780}


@contextmanager
def studio() -> Iterator[str]:
    """Run a studio; yield the address that opens it."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "groove_core", "studio", "--no-browser"]
        with subprocess.Popen(
            [*command, "--workspace", f"{folder}/work"], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            try:
                yield process.stdout.readline().strip()
            finally:
                process.terminate()


def run(page: Any, action: str, wait: bool = True, **options: Any) -> None:
    """Choose an action, fill its form in, and run it."""
    if action:
        page.click(f'[data-action="{action}"]')
    for name, value in options.items():
        field = page.locator(f"#option-{name}")
        if not field.is_visible():
            page.click("#form details summary >> nth=0")
        field.set_checked(value) if isinstance(value, bool) else field.fill(str(value))
    before = page.locator("section.run").count()
    page.click("#form button.main")
    if wait:
        until(page, f"document.querySelectorAll('section.run').length > {before}")
        until(page, "!document.querySelector('#side progress')")


def take(page: Any, name: str) -> None:
    """Keep what is seen."""
    page.wait_for_timeout(1200)
    path = FOLDER / f"{name}.png"
    page.screenshot(path=path)
    fewer_colours(path)


def main() -> None:
    """Take all."""
    FOLDER.mkdir(exist_ok=True)
    with studio() as address, browsing() as browser:
        page = browser.new_page(viewport=DESKTOP)
        page.goto(address)
        page.wait_for_selector("body.ready")
        run(page, "drum-space sample", count=2, seed=5)
        take(page, "studio")
        page.locator("article").first.get_by_label("Send").select_option("drum-space compose")
        run(page, "", seed=3, form="A", bars=4, bass=False)
        page.emulate_media(color_scheme="dark")
        roll = page.locator("article canvas").first
        roll.focus()
        for key in ("Tab", "Tab", "Tab", "ArrowUp"):
            page.keyboard.press(key)
        take(page, "notes")
        page.emulate_media(color_scheme="light")
        page.locator("article").first.get_by_role("button", name="Undo").click()
        run(page, "drum-space train", wait=False, epochs=30, seed=1)
        page.wait_for_selector('#side .curve[aria-label$="in 5 points"]', timeout=600_000)
        take(page, "training")
        page.click("#side >> text=Cancel")
        run(page, "drum-space map")
        page.wait_for_timeout(4000)
        take(page, "map")
        phone = browser.new_context(
            viewport=PHONE, device_scale_factor=2, color_scheme="dark", has_touch=True
        )
        small = phone.new_page()
        small.goto(address)
        small.wait_for_selector("body.ready")
        small.click('#tabs button[data-part="results"]')
        small.locator('section[aria-label="drum-space sample"]').scroll_into_view_if_needed()
        take(small, "phone")


if __name__ == "__main__":
    main()
