"""The page in a real browser, without a network."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from drum_space.atlas.page import build
from drum_space.model import DrumAutoencoder
from drum_space.playing.players import open_players
from groove_core.drums import DRUMS, DrumPattern
from groove_core.storage import checkpoints
from groove_core.testing.pages import NEEDS_CHROMIUM, browsing, opened, saved, until
from groove_core.values import Score

N, YOURS = 600, 2
PLAYED = f"groove-midi/{open_players().names[40]}"
GENRES = ["rock", "funk", "latin", "jazz & blues", "</script><b>odd", "soul", "dance", "pop", "ska"]


def layers(name: str, network: torch.nn.Sequential) -> dict[str, np.ndarray]:
    """Name the parameters of a network as the page wants them."""
    found, number = {}, -1
    for module in network:
        if isinstance(module, torch.nn.Linear):
            number += 1
        elif not isinstance(module, torch.nn.LayerNorm):
            continue
        part = "norm." if isinstance(module, torch.nn.LayerNorm) else ""
        for key, value in module.state_dict().items():
            found[f"{name}.{number}.{part}{key}"] = value.numpy().astype(np.float16)
    return found


class Atlas:
    """Patterns drawn at random, the packaged decoder, and what the page should make of them."""

    def __init__(self) -> None:
        rng = np.random.default_rng(3)
        self.model, _ = checkpoints.load("drum-space", "acai", DrumAutoencoder)
        self.decoder = self.model.decoder.double()
        self.thresholds = self.model.thresholds.double()
        self.codes = rng.normal(0, 0.6, (N, 4)).astype(np.float32)
        self.hits = self.decode(self.codes) ^ (rng.random((N, 32, 14)) < 0.01)
        self.tsne = rng.uniform(-0.95, 0.95, (N, 2))
        # An empty spot around (0.5, 0.5).
        near = np.hypot(*(self.tsne - 0.5).T) < 0.17
        self.tsne[near] = self.tsne[near] / 2 - 0.3
        self.tsne = np.round(self.tsne * 32767).astype(np.int16)
        self.parametric = np.round(rng.uniform(-0.95, 0.95, (N, 2)) * 32767).astype(np.int16)
        torch.manual_seed(5)
        inverse = torch.nn.Sequential(
            torch.nn.Linear(2, 16), torch.nn.LeakyReLU(0.2), torch.nn.Linear(16, 4)
        ).half()
        self.scale = np.array([2, 2, 2, 2], np.float32)
        self.shift = np.array([0.25, 0, -0.125, 0], np.float32)
        genre = np.minimum(rng.geometric(0.35, N) - 1, len(GENRES) - 1).astype(np.uint8)
        genre[-YOURS:] = len(GENRES)
        self.genre = genre
        self.arrays = {
            "bits": np.packbits(self.hits.reshape(N, 448), axis=1),
            "group": genre,
            "source": rng.integers(0, 3, N).astype(np.uint16),
            "half_bar": rng.integers(0, 60, N).astype(np.uint16),
            "codes": self.codes,
            "tsne": self.tsne,
            "parametric": self.parametric,
            "thresholds": self.model.thresholds.numpy(),
            **layers("decoder", self.model.decoder.float()),
            **layers("inverse", inverse),
            "inverse.scale": self.scale,
            "inverse.shift": self.shift,
        }
        self.decoder, self.inverse = self.model.decoder.double(), inverse.double()
        self.document: dict[str, Any] = {
            "title": "Beats & <more>",
            "model": "acai",
            "latent": 4,
            "drums": [{"name": drum.name, "note": drum.note} for drum in DRUMS],
            "groups": GENRES,
            "sources": ["set/drummer1/one.mid", "set/drummer2/<!--<script>two.mid", PLAYED],
            "layouts": ["t-SNE", "parametric"],
            "measures": [["Patterns", str(N)]],
            "notes": ["A note of thanks."],
            "yours": ["my beat.mid", "my other.mid"],
            "yours_count": YOURS,
            "neighbours": 8,
        }

    @torch.no_grad()
    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Decode single floats in double precision [shape=(n, 32, 14)]."""
        x = torch.from_numpy(np.asarray(codes, np.float32)).double()
        return (self.decoder(x).unflatten(1, (32, 14)) > self.thresholds).numpy()

    def code_at(self, layout: int, x: float, y: float) -> np.ndarray:
        """Give the code at a place, as the page should."""
        if layout == 1:
            with torch.no_grad():
                out = self.inverse(torch.tensor([[x, y]], dtype=torch.float64)).numpy()[0]
            return (out * self.scale + self.shift).astype(np.float32)
        squared = ((self.tsne / 32767 - [x, y]) ** 2).sum(1)
        nearest = np.argsort(squared)[:8]
        weight = 1 / (squared[nearest] + 1e-9)
        return (weight @ self.codes[nearest].astype(np.float64) / weight.sum()).astype(np.float32)


@pytest.fixture(scope="module")
def atlas():
    return Atlas()


@pytest.fixture(scope="module")
def path(atlas, tmp_path_factory) -> Path:
    """Write the page."""
    target = tmp_path_factory.mktemp("page") / "atlas.html"
    target.write_text(build(atlas.document, atlas.arrays), encoding="utf-8")
    return target


@pytest.fixture(scope="module")
def browser():
    with browsing() as found:
        yield found


@pytest.fixture(scope="module")
def calm(browser, path):
    """Give a page for tests that call its functions, and click nothing."""
    with opened(browser, path) as page:
        yield page


def on_screen(page, x: float, y: float) -> tuple[float, float]:
    """Give the place in the window of a place of the map."""
    box = page.locator("#points").bounding_box()
    px, py = page.evaluate("([x, y]) => toScreen(x, y)", [x, y])
    return box["x"] + px, box["y"] + py


def point(page, index: int) -> tuple[float, float]:
    """Look at a point, so that no other is as near, and give its place in the window."""
    page.evaluate(
        "(i) => { const { xy } = layouts[view.layout];"
        " look({ x: xy[2 * i], y: xy[2 * i + 1], zoom: 8 }); drawNow(); }",
        index,
    )
    return on_screen(page, *page.evaluate("(i) => placeOf(pointPiece(i), view.layout)", index))


LIT = """() => {
  drawNow();
  const gl = $("points").getContext("webgl"), w = gl.drawingBufferWidth, h = gl.drawingBufferHeight;
  const data = new Uint8Array(4 * w * h);
  gl.readPixels(0, 0, w, h, gl.RGBA, gl.UNSIGNED_BYTE, data);
  let lit = 0;
  for (let i = 3; i < data.length; i += 4) lit += data[i] > 120;
  return lit;
}"""


def test_the_page_is_one_file_with_stable_bytes(atlas):
    page = build(atlas.document, atlas.arrays)
    assert page == build(atlas.document, atlas.arrays)
    assert "<title>Beats &amp; &lt;more&gt;</title>" in page
    # Names of genres and files do not end the element they are in.
    text = re.search(r'<script type="application/json" id="document">(.*?)</script>', page, re.S)
    read = json.loads(text[1])
    assert read["groups"] == GENRES
    assert read["sources"] == atlas.document["sources"]
    assert "<!--" not in text[1]
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page)
    assert all(entry["offset"] % 8 == 0 for entry in read["sections"].values())


def test_marks_in_a_title_are_not_filled_in(atlas):
    page = build({**atlas.document, "title": "/*BLOB*/"}, atlas.arrays)
    assert "<title>/*BLOB*/</title>" in page


@NEEDS_CHROMIUM
def test_all_points_are_drawn_and_colours_are_seen(browser, path, atlas):
    with opened(browser, path) as page:
        page.evaluate("view.relief = false")
        assert page.evaluate("stats.renderer") == "webgl"
        everything = page.evaluate(LIT)
        assert page.evaluate("stats.points") == N
        # Points of 9 pixels; some lie on others.
        assert 10 * N < everything < 120 * N
        assert page.title() == "Beats & <more>"
        assert page.locator("#legend button").count() == len(GENRES) + 1
        funk = page.locator("#legend button").nth(1)
        funk.click()
        assert funk.get_attribute("aria-pressed") == "true"
        some = page.evaluate(LIT)
        assert page.evaluate("stats.points") == (atlas.genre == 1).sum()
        assert some < 0.6 * everything
        assert page.evaluate("location.hash") == "#genre=funk"
        funk.click()
        assert page.evaluate(LIT) == everything
        # Marks of no two genres look the same.
        marks = page.evaluate("facts.groups.map((_, k) => JSON.stringify(markOf(k)))")
        assert len(set(marks)) == len(GENRES)
        # Drawn again after the graphics card was lost.
        page.evaluate(
            "() => { window.loss = $('points').getContext('webgl')"
            ".getExtension('WEBGL_lose_context'); loss.loseContext(); }"
        )
        until(page, "$('status').textContent.includes('interrupted')")
        page.evaluate("loss.restoreContext()")
        until(page, "$('status').textContent === ''")
        assert page.evaluate(LIT) == everything
        # The relief adds something under the points.
        page.click("#density")
        page.click("#density")
        assert page.get_attribute("#density", "aria-pressed") == "false"
        page.click("#density")
        assert page.evaluate("reliefOf(0, -1).lines.length") > 0


@NEEDS_CHROMIUM
def test_the_page_decodes_as_python_does(calm, atlas):
    rng = np.random.default_rng(1)
    codes = rng.normal(0, 0.8, (200, 4)).astype(np.float32)
    places = rng.uniform(-1.3, 1.3, (40, 2)).tolist() + (atlas.tsne[:5] / 32767).tolist()
    page = calm
    found = page.evaluate("(codes) => codes.map((c) => Array.from(decode(c)))", codes.tolist())
    assert (np.array(found).reshape(-1, 32, 14) == atlas.decode(codes)).all()
    assert 0 < np.mean(found) < 0.5
    for layout in (0, 1):
        got = page.evaluate("([l, xs]) => xs.map(([x, y]) => codeAt(l, x, y))", [layout, places])
        want = np.array([atlas.code_at(layout, *place) for place in places])
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-7)
        assert (np.array(got) == np.array(got).astype(np.float32)).all()
    # The grid finds the same neighbours as looking at all points.
    for x, y in places[:20]:
        nearest = page.evaluate("([x, y]) => nearest(0, x, y, 8).map((o) => o.index)", [x, y])
        squared = ((atlas.tsne / 32767 - [x, y]) ** 2).sum(1)
        assert nearest == np.argsort(squared)[:8].tolist()


@NEEDS_CHROMIUM
def test_a_click_on_a_point_plays_it(browser, path, atlas, tmp_path):
    with opened(browser, path) as page:
        page.evaluate("setTempo(240)")
        index = int(np.argmax(atlas.hits[:-YOURS].sum(axis=(1, 2))))
        x, y = point(page, index)
        page.mouse.move(x, y)
        assert page.locator("#tip").is_visible()
        page.mouse.click(x, y)
        until(page, "audio.context.state === 'running' && player.playing")
        assert page.evaluate("shownPiece.index") == index
        assert page.evaluate("Array.from(shownPiece.music)") == atlas.hits[index].ravel().tolist()
        assert page.inner_text("#name") == GENRES[atlas.genre[index]]
        bar = int(atlas.arrays["half_bar"][index])
        assert page.inner_text("#where").startswith(f"bar {bar // 2 + 1}")
        assert "kick" in page.get_attribute("#grid", "aria-label")
        loud = """() => { const d = new Float32Array(audio.analyser.fftSize);
          audio.analyser.getFloatTimeDomainData(d); return Math.max(...d.map(Math.abs)); }"""
        until(page, f"({loud})() > 0.02")
        until(page, "shownStep > 3")
        until(page, "audio.loop !== null")
        assert page.evaluate("audio.loop") == atlas.hits[index].sum(axis=0).tolist()
        # Another beat takes over within the loop, and tempo and swing change while it plays.
        page.evaluate("setSwing(100)")
        steps = page.evaluate("player.steps")
        other = (index + 1) % (N - YOURS)
        page.mouse.click(*point(page, other))
        assert page.evaluate("player.playing && player.steps") >= steps
        assert page.evaluate("player.piece.index") == other
        # As the model remembers it.
        page.click("#remembered")
        want = atlas.decode(atlas.codes[other : other + 1])[0]
        assert page.evaluate("Array.from(player.music)") == want.ravel().astype(int).tolist()
        page.click("#play")
        assert not page.evaluate("player.playing")


@NEEDS_CHROMIUM
def test_swing_delays_odd_sixteenths(calm):
    page = calm
    times = page.evaluate(
        """() => { setTempo(60); setSwing(100); choose(pointPiece(0), { sound: true });
          for (let i = 0; i < 8; i++) scheduleStep();
          const t = player.queue.slice(-8).map((o) => [o.step, o.time]); stopPlaying();
          return t; }"""
    )
    first = times[0][1] - times[0][0] * 0.25 - (times[0][0] % 2) * 0.25 / 3
    for step, at in times:
        assert at - first == pytest.approx(0.25 * step + (step % 2) * 0.25 / 3, abs=1e-6)


@NEEDS_CHROMIUM
def test_beats_are_played_like_their_drummers(browser, path, atlas, calm, tmp_path):
    players = open_players()
    own = np.flatnonzero(atlas.arrays["source"] == 2)
    own = own[own < N - YOURS][:40]
    feel = """(i) => { const music = pointPiece(i).music, { velocity, late } = feelOf(music);
      return { velocity: [...velocity], late: [...late], of: playersOf.get(music) }; }"""
    mean, got, late = [], [], []
    for index in own.tolist():
        found = calm.evaluate(feel, index)
        assert found["of"] == 40
        hits = atlas.hits[index, :, :9]
        mean.append(np.tile(players.mean_velocity[40], (2, 1))[hits])
        got.append(np.reshape(found["velocity"], (32, 14))[:, :9][hits])
        late.append(np.reshape(found["late"], (32, 14))[atlas.hits[index]])
        assert calm.evaluate(feel, index) == found
    assert np.corrcoef(np.concatenate(mean), np.concatenate(got))[0, 1] > 0.5
    assert 8 < np.concatenate(late).std() < 35
    # Others are played like whoever fits; the page and Python find the same.
    other = np.flatnonzero(atlas.arrays["source"] != 2)[:20]
    best = calm.evaluate("(xs) => xs.map((i) => playerFor(pointPiece(i).music))", other.tolist())
    fits = [players.fit(hits) for hits in atlas.hits[other]]
    assert all(fit[one] > fit.max() - 0.5 for one, fit in zip(best, fits, strict=True))
    flat = tmp_path / "flat.html"
    flat.write_text(build({**atlas.document, "flat": True}, atlas.arrays), encoding="utf-8")
    with opened(browser, flat) as page:
        page.evaluate("choose(pointPiece(7))")
        saved_beat = DrumPattern.read(saved(page, "#save", tmp_path))
    assert saved_beat.velocity is None
    assert saved_beat.offset_ticks is None


@NEEDS_CHROMIUM
def test_the_kit_is_loud_but_does_not_clip(calm):
    page = calm
    peaks = page.evaluate(
        """async () => {
          const peaks = [];
          for (const which of [...facts.drums.keys(), "all"]) {
            const context = new OfflineAudioContext(2, 22050, 44100);
            const mixer = makeMixer(context);
            for (let i = 0; i < (which === "all" ? 8 : 1); i++) facts.drums.forEach((_, d) => {
              if (which === "all" || which === d) strike(context, mixer, d, i * 0.06);
            });
            const sound = await context.startRendering();
            let top = 0;
            for (let c = 0; c < 2; c++)
              for (const v of sound.getChannelData(c)) top = Math.max(top, Math.abs(v));
            peaks.push(top);
          }
          return peaks;
        }"""
    )
    assert min(peaks) > 0.05
    assert max(peaks) < 1
    # The closed hi-hat ends the open one.
    rest = page.evaluate(
        """async () => {
          const rests = [];
          for (const close of [false, true]) {
            const context = new OfflineAudioContext(1, 22050, 44100);
            const mixer = makeMixer(context);
            strike(context, mixer, 5, 0);
            if (close) strike(context, mixer, 2, 0.05);
            const sound = (await context.startRendering()).getChannelData(0);
            rests.push(Math.max(...sound.slice(16000).map(Math.abs)));
          }
          return rests;
        }"""
    )
    assert rest[1] < 0.2 * rest[0]


@NEEDS_CHROMIUM
def test_a_click_beside_the_points_decodes_a_new_beat(browser, path, atlas):
    with opened(browser, path) as page:
        page.mouse.click(*on_screen(page, 0.5, 0.5))
        beat = page.evaluate(
            "({ ...shownPiece, hits: Array.from(shownPiece.music), playing: player.playing })"
        )
        assert beat["kind"] == "new"
        assert (beat["x"], beat["y"]) == pytest.approx((0.5, 0.5), abs=0.01)
        code = atlas.code_at(0, beat["x"], beat["y"])
        np.testing.assert_allclose(beat["code"], code, rtol=1e-6)
        want = atlas.decode(np.array([beat["code"]], np.float32))[0]
        assert beat["hits"] == want.ravel().astype(int).tolist()
        assert beat["playing"] == want.any()
        assert "code" in page.inner_text("#where")
        # Far away it says so.
        page.evaluate("look({ x: 1.5, y: 1.5, zoom: 1 }); drawNow()")
        page.mouse.click(*on_screen(page, 1.7, 1.6))
        assert "outside the map" in page.inner_text("#note")
        # Where nothing plays, nothing is played.
        page.evaluate("arrays.thresholds.values.fill(1e9)")
        page.mouse.click(*on_screen(page, 1.6, 1.7))
        assert page.inner_text("#note") == "silence here"
        assert not page.evaluate("player.playing")
        assert page.locator("#play").is_disabled()


@NEEDS_CHROMIUM
def test_midi_files_are_read_back(browser, path, atlas, tmp_path):
    hits = atlas.hits[7]
    with opened(browser, path) as page:
        for swing in (0, 60):
            page.evaluate(f"setTempo(93); setSwing({swing}); choose(pointPiece(7))")
            file = saved(page, "#save", tmp_path)
            assert re.fullmatch(r"[a-z-]+-0007\.mid", file.name)
            feel = page.evaluate("Object.values(feelOf(shownPiece.music)).map((x) => [...x])")
            velocity, late = np.reshape(feel, (2, 32, 14))
            late[1::2] += round(swing / 100 * 40)
            want = DrumPattern(hits, velocity, (late * hits).clip(-60, 59), tempo_bpm=93)
            assert DrumPattern.read(file) == want
        # Favourites one after the other, each at its tempo.
        page.click("#favour")
        page.evaluate("setTempo(120); setSwing(0); choose(pointPiece(8))")
        page.click("#favour")
        file = saved(page, "#save-all", tmp_path)
        both = DrumPattern.read(file)
        assert (both.hits == atlas.hits[7:9].reshape(64, 14)).all()
        assert both.slice_bars(0) == want
        score = Score.read(file)
        assert score.end_tick == 64 * 120
        assert score.tempos.tolist() == [[0, round(6e7 / 93)], [32 * 120, 500_000]]
        assert [(track.name, track.is_drum) for track in score.tracks] == [("drums", True)]
        # They are still there when the page is opened again.
        page.reload()
        page.wait_for_selector("body.ready", state="attached")
        assert page.locator("#favourites li").count() == 2
        page.locator("#favourites li button").first.click()
        until(page, "player.playing")
        assert page.evaluate("[player.tempo, Math.round(100 * player.swing)]") == [93, 60]
        assert page.evaluate("Array.from(player.music)") == atlas.hits[7].ravel().tolist()
        page.locator("#favourites li button").nth(2).click()
        assert page.locator("#favourites li").count() == 1
        assert len(page.evaluate("JSON.parse(localStorage.getItem(subject.store))")) == 1


@NEEDS_CHROMIUM
def test_a_morph_walks_from_one_end_to_the_other(browser, path, atlas):
    with opened(browser, path) as page:
        page.evaluate("setTempo(240); morph.loops = 2")
        a, b = 10, 11
        page.evaluate("look({ x: 0, y: 0, zoom: 1 }); drawNow()")
        starts = [on_screen(page, *(atlas.tsne[i] / 32767)) for i in (a, b)]
        page.keyboard.down("Shift")
        page.mouse.move(*starts[0])
        page.mouse.down()
        page.mouse.move(*on_screen(page, 0, 0))
        page.mouse.move(*starts[1])
        page.mouse.up()
        page.keyboard.up("Shift")
        ends = page.evaluate("[morph.a.index, morph.b.index, player.playing, morph.t]")
        assert ends == [a, b, True, 0]
        assert page.evaluate("Array.from(player.music)") == atlas.hits[a].ravel().tolist()
        page.evaluate("nextStop()")  # as at the end of a loop
        assert page.evaluate("morph.t") == 0.5
        middle = atlas.codes[a].astype(float) + 0.5 * (
            atlas.codes[b].astype(float) - atlas.codes[a]
        )
        want = atlas.decode(middle[None].astype(np.float32))[0]
        assert page.evaluate("Array.from(player.music)") == want.ravel().astype(int).tolist()
        until(page, "morph.t === 1")
        assert page.evaluate("Array.from(player.music)") == atlas.hits[b].ravel().tolist()
        until(page, "shownPiece.t === 1")
        assert page.input_value("#t") == "1"
        # It turns around at the end, and the slider takes over.
        assert page.evaluate("nextStop(), morph.t") == 0.5
        page.focus("#t")
        page.keyboard.press("Home")
        assert page.evaluate("[morph.walking, morph.t]") == [False, 0]
        assert page.evaluate("Array.from(player.music)") == atlas.hits[a].ravel().tolist()
        page.focus("#points")
        page.keyboard.press("Escape")
        assert page.evaluate("morph.a === null && player.playing")
        assert page.locator("#t").is_disabled()


@NEEDS_CHROMIUM
def test_everything_goes_by_keyboard(browser, path, atlas):
    with opened(browser, path) as page:
        page.keyboard.press("Tab")
        until(page, "document.activeElement === $('points')")
        page.keyboard.press("ArrowRight")
        first = page.evaluate("cursor.key")
        page.keyboard.press("ArrowRight")
        second = page.evaluate("cursor.key")
        assert first != second
        way = (atlas.tsne[second].astype(float) - atlas.tsne[first]) / 32767
        assert way[0] > 0
        assert abs(way[1]) <= way[0]
        assert page.locator("#tip").is_visible()
        said = page.text_content("#live")
        assert "bar" in said
        assert "kick" in said or "hit" in said
        page.keyboard.press("Enter")
        until(page, "player.playing")
        assert page.evaluate("shownPiece.index") == second
        page.keyboard.press("f")
        assert page.locator("#favourites li").count() == 1
        page.keyboard.press("Enter")
        assert not page.evaluate("player.playing")
        page.keyboard.press("n")
        assert page.evaluate("shownPiece.kind") == "new"
        page.keyboard.press("l")
        assert page.evaluate("view.layout") == 1
        until(page, "view.mix === 1")
        page.keyboard.press("+")
        until(page, "view.zoom > 1.4")
        page.keyboard.press("0")
        until(page, "view.zoom === 1")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("m")
        page.keyboard.press("Enter")
        for _ in range(3):
            page.keyboard.press("ArrowLeft")
        page.keyboard.press("Enter")
        assert page.evaluate("morph.a.index !== morph.b.index && player.playing")
        page.keyboard.press("Escape")
        page.keyboard.press("?")
        assert page.locator("#help").is_visible()
        page.keyboard.press("Escape")
        assert not page.locator("#help").is_visible()
        # Every control has a name.
        nameless = page.evaluate(
            "[...document.querySelectorAll('button, input, select')].filter((one) => "
            "!(one.getAttribute('aria-label') || one.textContent.trim() || one.labels.length))"
            ".map((one) => one.id)"
        )
        assert nameless == []


@NEEDS_CHROMIUM
def test_a_tap_plays_on_a_phone(browser, path, atlas):
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    with opened(browser, path, **phone, device_scale_factor=2) as page:
        page.touchscreen.tap(*point(page, 4))
        until(page, "player.playing")
        assert page.evaluate("shownPiece.index") == 4
        small = page.evaluate(
            "[...document.querySelectorAll('button, select, input')].map((one) => "
            "[one.id || one.textContent, one.getBoundingClientRect()])"
            ".filter(([, box]) => box.height && Math.min(box.height, box.width) < 40)"
            ".map(([id]) => id)"
        )
        assert small == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        # A line by two taps.
        page.evaluate("look({ x: 0, y: 0, zoom: 1 }); drawNow()")
        page.tap("#line")
        page.touchscreen.tap(*on_screen(page, -0.4, 0.2))
        page.touchscreen.tap(*on_screen(page, 0.4, -0.2))
        until(page, "morph.b !== null && player.piece.kind === 'morph'")
        # Two fingers zoom.
        x, y = on_screen(page, 0, 0)
        client = page.context.new_cdp_session(page)
        for kind, apart in (("touchStart", 30), ("touchMove", 50), ("touchMove", 90)):
            touches = [{"x": x - apart, "y": y, "id": 1}, {"x": x + apart, "y": y, "id": 2}]
            client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})
        client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        assert page.evaluate("view.zoom") > 1.8


@NEEDS_CHROMIUM
def test_without_webgl_points_are_drawn_on_a_plain_canvas(browser, path):
    init = (
        "const old = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {"
        " return kind.startsWith('webgl') ? null : old.call(this, kind, ...rest); };"
    )
    with opened(browser, path, init=init) as page:
        assert "no WebGL" in page.inner_text("#status")
        page.evaluate("view.relief = false")
        lit = page.evaluate(
            "(() => { drawNow(); const c = $('points'); let n = 0;"
            " const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
            " for (let i = 3; i < d.length; i += 4) n += d[i] > 120; return n; })()"
        )
        assert lit > 10 * N
        assert page.evaluate("stats.points") == N
        page.mouse.click(*point(page, 9))
        until(page, "player.playing && shownPiece.index === 9")


@NEEDS_CHROMIUM
def test_without_web_audio_patterns_are_seen_and_saved(browser, path, atlas, tmp_path):
    init = "delete window.AudioContext; delete window.webkitAudioContext;"
    # What is stored may have been damaged, too.
    init += "localStorage.setItem('groove.drum-space.favourites/1', '[{\"name\": 3}, 4, null');"
    with opened(browser, path, init=init) as page:
        assert page.locator("#favourites li").count() == 0
        assert "no Web Audio: beats can be seen and saved as MIDI" in page.inner_text("#status")
        page.mouse.click(*point(page, 12))
        assert page.evaluate("shownPiece.index") == 12
        assert page.locator("#play").is_disabled()
        assert (DrumPattern.read(saved(page, "#save", tmp_path)).hits == atlas.hits[12]).all()


@NEEDS_CHROMIUM
def test_an_old_browser_and_a_damaged_file_get_a_sentence(browser, path, tmp_path):
    init = "delete window.DecompressionStream;"
    with opened(browser, path, ready="body.failed", init=init) as page:
        assert "Safari 16.4" in page.inner_text("#status")
    text = path.read_text(encoding="utf-8")
    for share in (0.6, 0.999):
        blob = text.index('id="blob"')
        cut = tmp_path / "cut.html"
        cut.write_text(text[: blob + int(share * (len(text) - blob))], encoding="utf-8")
        with opened(browser, cut, ready="body.failed") as page:
            assert "damaged or was cut short" in page.inner_text("#status")


@NEEDS_CHROMIUM
def test_storage_that_throws_is_survived(browser, path):
    init = (
        "Object.defineProperty(window, 'localStorage',"
        " { get() { throw new DOMException('no', 'SecurityError'); } });"
    )
    with opened(browser, path, init=init) as page:
        page.evaluate("choose(pointPiece(1))")
        page.click("#favour")
        assert page.locator("#favourites li").count() == 1
        assert "does not let the page store" in page.inner_text("#status")


@NEEDS_CHROMIUM
def test_the_address_filters_by_genre(browser, path, atlas):
    with opened(browser, path, address="#genre=Jazz%20%26%20Blues") as page:
        assert page.evaluate("view.only") == 3
        page.evaluate("drawNow()")
        assert page.evaluate("stats.points") == (atlas.genre == 3).sum()
    with opened(browser, path, address="#genre=polka%<b>") as page:
        message = page.inner_text("#status")
        assert "no genre" in message
        assert "polka" in message
        assert "rock, funk, latin, jazz & blues" in message
        page.evaluate("drawNow()")
        assert page.evaluate("stats.points") == N
        page.evaluate("location.hash = '#genre=soul'")
        until(page, "view.only === 5")
        assert page.inner_text("#status") == ""


@NEEDS_CHROMIUM
def test_the_users_beats_are_listed_and_found(browser, path):
    with opened(browser, path, color_scheme="dark", reduced_motion="reduce") as page:
        assert page.locator("#yours-list button").all_inner_texts() == [
            "my beat.mid",
            "my other.mid",
        ]
        page.locator("#yours-list button").nth(1).click()
        assert page.evaluate("shownPiece.index") == N - 1
        assert page.inner_text("#source") == "my other.mid"
        # With less motion, layouts change at once.
        page.evaluate("chooseLayout(1)")
        assert page.evaluate("view.mix") == 1


@NEEDS_CHROMIUM
def test_panning_draws_once_a_frame_and_then_rests(calm):
    seconds, steps, frames = calm.evaluate(
        """() => new Promise((done) => {
          const from = stats.frames, start = performance.now();
          let steps = 0;
          const step = () => {
            const gone = performance.now() - start;
            if (gone > 800) { done([gone / 1000, steps, stats.frames - from]); return; }
            panBy(3 * Math.cos(gone / 200), 2 * Math.sin(gone / 200));
            steps++;
            requestAnimationFrame(step);
          };
          requestAnimationFrame(step);
        })"""
    )
    # How many there are is up to the machine, which has no graphics card here.
    print(f"{frames / seconds:.1f} frames per second")
    assert steps > 2
    assert steps - 2 <= frames <= steps + 2
    # A slow machine draws a part of the points while the map moves, and all of them after it.
    until(calm, f"!asked && stats.points === {N}")
    before = calm.evaluate("stats.frames")
    time.sleep(0.2)
    assert calm.evaluate("stats.frames") == before
