"""The page in a real browser, without a network."""

from __future__ import annotations

import shutil
import time

import numpy as np
import pytest

from genre_map.genremap import Content, GenreMap, Place
from genre_map.genres import GENRES

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync",
    "--disable-component-update", "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
]  # fmt: skip


def until(page, expression: str) -> None:
    """Wait for an expression to be true: wait_for_function needs eval, which the page forbids."""
    end = time.monotonic() + 10
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"never: {expression}"
        time.sleep(0.03)


@pytest.mark.skipif(not CHROMIUM, reason="needs Chromium")
def test_a_click_plays_and_shows_a_spectrogram(tmp_path):
    rng = np.random.default_rng(0)
    cells = 4
    time_s = np.arange(3 * 22_050) / 22_050
    sounds = np.stack([0.5 * np.sin(2 * np.pi * (200 + 50 * i) * time_s) for i in range(cells**2)])
    content = Content(
        rng.integers(30, 255, (cells**2, 2, 64, 128)).astype(np.uint8),
        sounds.astype(np.float32),
        22_050,
    )
    p = np.zeros((cells, cells, 10))
    p[..., 0] = np.linspace(0.95, 0.05, cells)[None, :]
    p[..., 9] = 1 - p[..., 0]
    place = Place("mine.wav", 0.3, 0.3, "rock", 0.7, 2.0)
    one = GenreMap(
        GENRES, (0, 1), p, rng.random((cells, cells)), rng.random(128), 1.0, (place,), content
    )
    page_path = one.save(tmp_path / "map.html")
    said, asked = [], []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_context(offline=True).new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on(
            "request",
            lambda request: (
                asked.append(request.url)
                if not request.url.startswith(("data:", "file:"))
                else None
            ),
        )
        page.goto(page_path.as_uri())
        until(page, "sheet !== null")
        box = page.locator("#map").bounding_box()
        # the third cell from the left in the top row
        page.mouse.click(box["x"] + 0.6 * box["width"], box["y"] + 0.1 * box["height"])
        until(page, "player.currentTime > 0.1")
        state = page.evaluate("({cell, paused: player.paused, length: player.duration})")
        assert state["cell"] == [3, 2]
        assert not state["paused"]
        assert state["length"] == pytest.approx(3, abs=0.1)
        lit = page.evaluate(
            "(() => { const c = $('harmonic'); "
            "const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; "
            "let n = 0; for (let i = 0; i < d.length; i += 4) n += d[i] > 0; "
            "return n / (d.length / 4); })()"
        )
        assert lit > 0.9
        assert "rock 65 %" in page.locator("#where").inner_text()
        # a path from one genre to the other crosses in the middle
        assert "50 % of the way" in page.locator("#way").inner_text()
        page.locator("#map").press("ArrowLeft")
        assert page.evaluate("cell") == [3, 1]
        page.locator("#walk").click()
        until(page, "cell[1] === 0 && !player.paused")
        browser.close()
    assert said == []
    assert asked == []
