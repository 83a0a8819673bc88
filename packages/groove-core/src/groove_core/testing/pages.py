"""Pages in a real browser, without a network: what tests of HTML need. It wants playwright.

>>> from groove_core.testing.pages import NEEDS_CHROMIUM, browsing, opened, until  # doctest: +SKIP
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

__all__ = ["NEEDS_CHROMIUM", "browsing", "opened", "saved", "until"]

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
NEEDS_CHROMIUM = pytest.mark.skipif(not CHROMIUM, reason="needs Chromium")
ARGUMENTS = [
    "--no-sandbox", "--disable-background-networking", "--disable-sync",
    "--disable-component-update", "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
    # WebGL without a graphics card
    "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
]  # fmt: skip
PATIENCE_S = 60.0
"""A busy machine without a graphics card may take long to draw its first page."""


@contextmanager
def browsing() -> Iterator[Any]:
    """Start Chromium; the test is skipped where playwright is not installed."""
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield found
        found.close()


@contextmanager
def opened(
    browser: Any,
    path: Path,
    *,
    ready: str = "body.ready",
    init: str = "",
    address: str = "",
    **settings: Any,
) -> Iterator[Any]:
    """Open a page offline; what it says on the console or asks of a network is an error.

    Parameters
    ----------
    browser : what `browsing` yields
    path : path of the page
    ready : str
        Selector of what is there once the page is complete.
    init : str
        JavaScript that runs before the page's own.
    address : str
        What follows the name of the file, such as ``#genre=funk``.
    settings
        Of the browser's context, such as ``color_scheme="dark"``.
    """
    said: list[str] = []
    asked: list[str] = []
    context = browser.new_context(
        offline=True, **{"viewport": {"width": 900, "height": 640}, **settings}
    )
    page = context.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    if init:
        page.add_init_script(init)
    page.goto(path.as_uri() + address)
    page.wait_for_selector(ready, timeout=1000 * PATIENCE_S, state="attached")
    yield page
    context.close()
    assert said == []
    # MIDI files that it made are blobs.
    assert {url.partition("#")[0] for url in asked if not url.startswith("blob:")} == {
        path.as_uri()
    }


def until(page: Any, expression: str) -> None:
    """Wait for an expression to be true: wait_for_function needs eval, which pages forbid."""
    end = time.monotonic() + PATIENCE_S
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"never: {expression}"
        time.sleep(0.03)


def saved(page: Any, button: str, folder: Path) -> Path:
    """Click what saves a file, and return the file."""
    with page.expect_download() as waiting:
        page.click(button)
    target: Path = folder / waiting.value.suggested_filename
    waiting.value.save_as(target)
    return target
