"""The page in a real browser, without a network."""

from __future__ import annotations

import shutil
import time
from contextlib import contextmanager

import numpy as np
import pytest

from genre_map.genremap import Content, GenreMap, Place, Played
from genre_map.genres import GENRES
from groove_core.values import mp3

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


def tone(frequency_hz: float) -> bytes:
    time_s = np.arange(3 * 22_050) / 22_050
    return mp3((0.5 * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32), 22_050)


def a_map(places: tuple[Place, ...], side: int = 4) -> GenreMap:
    """Make a map from blues on the left to rock on the right; the sound before the last is pop."""
    rng = np.random.default_rng(0)
    p = np.zeros((33, 33, 10))
    p[..., 0] = np.linspace(0.95, 0.05, 33)[None, :]
    p[..., 9] = 1 - p[..., 0]
    ticks = np.linspace(-1, 1, side)
    at = np.stack([np.tile(ticks, side), np.repeat(ticks, side)], axis=1)
    pictured = np.zeros((side * side, 10))
    pictured[:, 0] = 0.5 - 0.45 * at[:, 0]
    pictured[:, 9] = 1 - pictured[:, 0]
    heard = pictured.copy()
    heard[-2] = np.eye(10)[7]
    pictures = rng.integers(30, 255, (side * side, 2, 64, 128)).astype(np.uint8)
    sounds = tuple(tone(200 + 20 * i) for i in range(side * side))
    content = Content(pictures, sounds, tuple(tone(900 + 100 * i) for i in range(len(places))))
    return GenreMap(
        GENRES, (0, 1), p, rng.random((33, 33)), rng.random(128), 1.0, places,
        Played(at, pictured, heard, 0.5), content,
    )  # fmt: skip


@contextmanager
def opened(path):
    """Open a page without a network; give it, and what it has said and asked for."""
    said: list[str] = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_context(offline=True).new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on(
            "request",
            lambda one: None if one.url.startswith(("data:", "file:")) else said.append(one.url),
        )
        page.goto(path.as_uri())
        until(page, "sheet !== null")
        yield page
        browser.close()
    assert said == []


@pytest.mark.skipif(not CHROMIUM, reason="needs Chromium")
def test_a_click_plays_the_nearest_point_and_says_what_it_sounds_like(tmp_path):
    places = tuple(
        Place(name, -0.5, -0.5, "rock", 0.7, 2.0, far)
        for name, far in (("mine.wav", False), ("also mine.wav", True))
    )
    with opened(a_map(places).save(tmp_path / "map.html")) as page:
        box = page.locator("#map").bounding_box()

        def click(x, y):
            page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])

        click(0.6, 0.1)  # of the points, the third of the top row is nearest
        until(page, "player.currentTime > 0.1")
        assert page.evaluate("point") == 14
        assert page.evaluate("player.duration") == pytest.approx(3, abs=0.2)
        assert "rock 59 %" in page.locator("#where").inner_text()  # as the cells have it
        near = page.locator("#near").inner_text()
        assert "nearest of 16 points plays: c0 0.33, c1 1.00" in near
        assert "Its spectrogram: rock 65 %" in near
        assert "pop 100 %, another genre" in near
        assert "94 % of 16 points" in page.locator("#kept").inner_text()
        lit = page.evaluate(
            "(() => { const c = $('harmonic'); "
            "const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; "
            "let n = 0; for (let i = 0; i < d.length; i += 4) n += d[i] > 0; "
            "return n / (d.length / 4); })()"
        )
        assert lit > 0.9
        # a path from one genre to the other crosses in the middle
        assert "50 % of the way" in page.locator("#way").inner_text()
        page.locator("#map").press("ArrowLeft")
        assert page.evaluate("point") == 13
        page.locator("#walk").click()
        until(page, "point % 4 === 0 && !player.paused")
        page.locator("#walk").click()
        # songs at one spot play one after the other
        click(0.25, 0.75)
        assert page.evaluate("[song, player.src === data.excerpts[0]]") == [0, True]
        click(0.25, 0.75)
        assert page.evaluate("[song, player.src === data.excerpts[1]]") == [1, True]
        assert "far off the map" in page.locator("#where").inner_text()


@pytest.mark.skipif(not CHROMIUM, reason="needs Chromium")
def test_names_of_songs_at_one_spot_do_not_cover_each_other(tmp_path):
    places = tuple(Place(f"song {i}.wav", 0.9, 0.9, "rock", 0.7, 2.0) for i in range(8))
    with opened(a_map(places, side=2).save(tmp_path / "map.html")) as page:
        boxes = page.evaluate(
            "(() => { const boxes = []; "
            "return data.places.map(() => room([95, 5], 20, 8, boxes, 100)); })()"
        )
    assert len(boxes) == 8
    for i, (x, y, width, height) in enumerate(boxes):
        assert x + width <= 100
        assert y - height >= 0
        for other in boxes[:i]:
            apart = max(
                abs(x - other[0]) / (width + other[2]), abs(y - other[1]) / (height + other[3])
            )
            assert apart > 1 - 1e-9
