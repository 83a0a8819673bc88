"""The page of the map in a real browser, without a network."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from groove_core.testing.pages import NEEDS_CHROMIUM, browsing, opened, saved, until
from groove_core.tunes import accented
from groove_core.values import Melody, Score
from music_vae.alphabets import melody_events
from music_vae.atlas.phrasemap import PhraseMap
from music_vae.model import MusicVAE
from music_vae.prior import slerp

N, YOURS = 300, 2
ROLES = ("chorus", "verse", "</script><b>bridge")
SHAPES = {
    "flat": {"bars": 2, "layers": 2},
    "conductor": {"bars": 16, "conductor": 10},
    "listens": {"bars": 16, "conductor": 10, "listens": 5},
}


def network_of(**shape: int) -> MusicVAE:
    """Make a network that writes many different events, since its weights are large."""
    torch.manual_seed(2)
    network = MusicVAE(latent=6, encoder=8, decoder=16, flow=4, **shape)
    with torch.no_grad():
        for weight in network.decoder.parameters():
            weight.normal_(std=1.2 if weight.dim() > 1 else 0.5)
        for name, bias in network.decoder.named_parameters():
            if name.endswith("out.bias"):
                bias[0] += 5.0  # mostly nothing happens
    return network.eval()


def map_of(shape: dict[str, int]) -> PhraseMap:
    """Draw a map of random melodies at random places."""
    rng = np.random.default_rng(4)
    parts = max(8 // shape["bars"], 1)
    bars = parts * shape["bars"]
    events = np.where(rng.random((N, 16 * bars)) < 0.25, rng.integers(35, 60, (N, 16 * bars)), 0)
    events[:, 5::16] = 1
    places = rng.uniform(-0.95, 0.95, (2, N, 2))
    near = np.hypot(*(places[0] - 0.5).T) < 0.17
    places[0, near] = places[0, near] / 2 - 0.3  # an empty spot around (0.5, 0.5)
    group = np.minimum(rng.geometric(0.5, N) - 1, 2)
    group[-YOURS:] = len(ROLES)
    return PhraseMap(
        model="mel",
        events=events,
        codes=rng.normal(size=(N, 6 * parts)),
        parts=parts,
        layouts={"likeness": places[0], "axes": places[1]},
        group=group,
        source=rng.integers(0, 3, N),
        key=rng.integers(0, 2, N),
        first=rng.integers(1, 60, N),
        bars=rng.choice([4, 6, 8], N),
        tempo=rng.integers(60, 140, N),
        groups=ROLES,
        sources=("POP909 001", "<!--<script>two.mid", "three.mid"),
        keys=("F#m", ""),
        axes={"axes": ("lower", "higher", "", "more notes")},
        yours=("mine.mid:1", "mine.mid:9"),
        network=network_of(**shape),
    )


@pytest.fixture(scope="module")
def maps() -> dict[str, PhraseMap]:
    return {name: map_of(shape) for name, shape in SHAPES.items()}


@pytest.fixture(scope="module")
def paths(maps, tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    return {name: one.save(folder / f"{name}.html") for name, one in maps.items()}


@pytest.fixture(scope="module")
def drawn(maps) -> PhraseMap:
    return maps["flat"]


@pytest.fixture(scope="module")
def path(paths) -> Path:
    return paths["flat"]


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


def own_of(drawn: PhraseMap, index: int) -> np.ndarray:
    return drawn.events[index, : 16 * drawn.bars[index]]


def melody_of(row: np.ndarray) -> Melody:
    return Melody.from_events(melody_events(row))


def test_the_page_is_one_file_with_stable_bytes(drawn, path, tmp_path):
    text = path.read_text("utf-8")
    assert drawn.save(tmp_path / "again.html").read_text("utf-8") == text
    assert "<title>Map of phrases</title>" in text
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    assert "${" not in text.split("<script")[0]  # every word is filled in


@NEEDS_CHROMIUM
@pytest.mark.parametrize("shape", SHAPES)
def test_the_page_writes_as_python_does(browser, maps, paths, shape):
    drawn = maps[shape]
    codes = np.random.default_rng(1).normal(size=(20, drawn.codes.shape[1])).astype(np.float32)
    with opened(browser, paths[shape]) as page:
        found = page.evaluate("(cs) => cs.map((c) => Array.from(decode(c)))", codes.tolist())
        want = drawn.decode(codes)
        assert (np.array(found) == want).all()
        # Not by saying nothing: there are many different notes, note offs and holds.
        assert len(np.unique(want)) > 20
        assert 0.05 < (want > 0).mean() < 0.95
        memory = page.evaluate("[0, 1, 2].map((i) => Array.from(subject.memory(i)))")
        for i, row in enumerate(drawn.decode(drawn.codes[:3])):
            assert memory[i] == row[: 16 * drawn.bars[i]].tolist()


@NEEDS_CHROMIUM
def test_places_and_ways_have_the_codes_of_python(calm, drawn):
    places = np.random.default_rng(2).uniform(-1.2, 1.2, (20, 2)).tolist()
    for number, layout in enumerate(drawn.layouts):
        got = calm.evaluate("([l, xs]) => xs.map(([x, y]) => codeAt(l, x, y))", [number, places])
        want = [drawn.code_at(x, y, layout) for x, y in places]
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
    a, b = drawn.codes[:2]
    for t in (0.25, 0.5):
        got = calm.evaluate("([a, b, t]) => between(a, b, t)", [a.tolist(), b.tolist(), t])
        ends = (torch.from_numpy(one.reshape(4, 6)) for one in (a, b))
        want = [slerp(p, q, torch.tensor([t]))[0].numpy() for p, q in zip(*ends, strict=True)]
        np.testing.assert_allclose(got, np.concatenate(want), rtol=1e-5, atol=1e-6)
    opposite = calm.evaluate("between(codeOf(0), codeOf(0).map((v) => -v), 0.5)")
    np.testing.assert_allclose(opposite, 0, atol=1e-6)


@NEEDS_CHROMIUM
def test_melodies_are_played_by_the_rules_of_the_core(calm, drawn):
    rows = [own_of(drawn, i) for i in range(30)] + list(drawn.decode(drawn.codes[:30]))
    rows += [np.eye(1, 64, dtype=int)[0] * 41, np.zeros(64, int)]
    found = calm.evaluate(
        "(rows) => rows.map((row) => played(Uint8Array.from(row))"
        ".map((o) => [o.step, o.steps, o.note, o.velocity, o.share * o.steps]))",
        [row.tolist() for row in rows],
    )
    for row, got in zip(rows, found, strict=True):
        melody = melody_of(row)
        assert [one[:3] for one in got] == melody.notes[:, :3].tolist()
        ticks = melody.notes * np.array([1200, 1200, 1, 1])
        want = accented(melody, ticks)
        assert [one[3] for one in got] == want[:, 3].tolist()
        assert [round(1200 * one[4]) for one in got] == want[:, 1].tolist()


@NEEDS_CHROMIUM
def test_a_click_plays_a_phrase(browser, path, drawn):
    with opened(browser, path) as page:
        page.mouse.click(*point(page, 7))
        until(page, "audio.context.state === 'running' && player.playing")
        assert page.evaluate("shownPiece.index") == 7
        assert page.evaluate("Array.from(player.music)") == own_of(drawn, 7).tolist()
        assert page.evaluate("player.tempo") == drawn.tempo[7]
        assert page.inner_text("#name") == ROLES[drawn.group[7]]
        where = page.inner_text("#where")
        assert where.startswith(f"bars {drawn.first[7]} to {drawn.first[7] + drawn.bars[7] - 1}")
        assert ("F#m" in where) == (drawn.key[7] == 0)
        loud = """() => { const d = new Float32Array(audio.analyser.fftSize);
          audio.analyser.getFloatTimeDomainData(d); return Math.max(...d.map(Math.abs)); }"""
        until(page, f"({loud})() > 0.02")
        until(page, "shownStep > 3")
        # As the model remembers it; then a place without points, where a new one is written.
        page.click("#remembered")
        [want] = drawn.decode(drawn.codes[7:8])
        steps = 16 * drawn.bars[7]
        assert page.evaluate("Array.from(player.music)") == want[:steps].tolist()
        assert "made up" in page.inner_text("#note")
        page.evaluate("look({ x: 0, y: 0, zoom: 1 }); drawNow()")
        page.mouse.click(*on_screen(page, 0.5, 0.5))
        found = page.evaluate("[shownPiece.x, shownPiece.y, shownPiece.code]")
        np.testing.assert_allclose(found[2], drawn.code_at(*found[:2], "likeness"), rtol=1e-5)
        [want] = drawn.decode(np.array([found[2]], np.float32))
        assert page.evaluate("Array.from(shownPiece.music)") == want.tolist()
        assert page.inner_text("#where").startswith("near: ")


@NEEDS_CHROMIUM
def test_the_voice_is_loud_but_does_not_clip_and_ends(calm):
    peaks, rest = calm.evaluate(
        """async () => {
          const peaks = [];
          let rest = 0;
          for (const note of [36, 60, 84, 100]) for (const velocity of [60, 127]) {
            const context = new OfflineAudioContext(1, 66150, 44100), mixer = makeMixer(context);
            strike(context, mixer, { note, velocity }, 0, 0.5);
            const sound = (await context.startRendering()).getChannelData(0);
            peaks.push(Math.max(...sound.map(Math.abs)));
            rest = Math.max(rest, ...sound.slice(52920).map(Math.abs));
          }
          return [peaks, rest];
        }"""
    )
    assert min(peaks) > 0.03
    assert max(peaks) < 1
    assert all(soft < loud for soft, loud in zip(peaks[::2], peaks[1::2], strict=True))
    assert rest < 1e-3


@NEEDS_CHROMIUM
def test_midi_files_are_read_back_note_for_note(browser, path, drawn, tmp_path):
    with opened(browser, path) as page:
        for swing in (0, 60):
            page.evaluate(f"choose(pointPiece(9)); setTempo(93); setSwing({swing})")
            melody = Melody.read(saved(page, "#save", tmp_path))
            want = melody_of(own_of(drawn, 9))
            assert (melody.notes[:, :3] == want.notes[:, :3]).all()
            assert melody.length == want.length
            assert melody.tempo_bpm == pytest.approx(93, abs=0.01)
            loud = accented(want, want.notes)[:, 3]
            assert melody.notes[:, 3].tolist() == loud.tolist()
        page.click("#favour")
        page.evaluate("choose(pointPiece(10)); setSwing(0)")
        page.click("#favour")
        score = Score.read(saved(page, "#save-all", tmp_path))
        assert score.end_tick == 16 * 120 * (drawn.bars[9] + drawn.bars[10])
        assert score.tempos[:, 0].tolist() == [0, 16 * 120 * drawn.bars[9]]
        # They are still there when the page is opened again.
        page.reload()
        page.wait_for_selector("body.ready", state="attached")
        page.locator("#favourites li button").first.click()
        assert page.evaluate("Array.from(player.music)") == own_of(drawn, 9).tolist()
        assert page.evaluate("player.tempo") == 93


@NEEDS_CHROMIUM
def test_a_morph_goes_from_one_phrase_to_another(browser, path, drawn):
    with opened(browser, path) as page:
        page.evaluate("setEnd(pointPiece(3)); setEnd(pointPiece(4)); morph.loops = 2")
        page.evaluate("player.onLoop = null")  # steps are taken here, however long they take
        assert page.evaluate("Array.from(player.music)") == own_of(drawn, 3).tolist()
        assert page.evaluate("player.tempo") == drawn.tempo[3]
        page.evaluate("nextStop()")
        code = page.evaluate("between(codeOf(3), codeOf(4), 0.5)")
        [want] = drawn.decode(np.array([code], np.float32))
        assert page.evaluate("Array.from(player.music)") == want.tolist()
        assert page.evaluate("player.tempo") == pytest.approx(drawn.tempo[3:5].mean(), abs=0.5)
        # The next stop is decoded before it is due, and is the same.
        until(page, "morph.ready && morph.ready.t === 1")
        page.evaluate("nextStop()")
        assert page.evaluate("Array.from(player.music)") == own_of(drawn, 4).tolist()
        assert page.evaluate("nextStop(), morph.t") == 0.5
        assert page.evaluate("Array.from(player.music)") == want.tolist()


@NEEDS_CHROMIUM
def test_by_keyboard_and_for_those_who_listen(browser, path, drawn):
    with opened(browser, path) as page:
        page.keyboard.press("Tab")
        until(page, "document.activeElement === $('points')")
        assert "Map of phrases" in page.get_attribute("#points", "aria-label")
        page.keyboard.press("ArrowRight")
        index = page.evaluate("cursor.key")
        said = page.text_content("#live")
        notes = len(melody_of(own_of(drawn, index)).notes)
        assert f"{drawn.bars[index]} bars, {notes} notes between" in said
        assert page.locator("#tip").is_visible()
        page.keyboard.press("Enter")
        until(page, "player.playing")
        page.keyboard.press("f")
        assert page.locator("#favourites li").count() == 1
        page.keyboard.press("n")
        assert page.evaluate("shownPiece.kind") == "new"
        page.keyboard.press("l")
        live = page.text_content("#live")
        assert "layout: Main axes; left: lower; right: higher; above: more notes" in live
        nameless = page.evaluate(
            "[...document.querySelectorAll('button, input, select')].filter((one) => "
            "!(one.getAttribute('aria-label') || one.textContent.trim() || one.labels.length))"
            ".map((one) => one.id)"
        )
        assert nameless == []
        assert page.locator("#yours-list button").all_inner_texts() == list(drawn.yours)


@NEEDS_CHROMIUM
def test_the_address_asks_for_a_role_and_a_phone_has_room(browser, path, drawn):
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    with opened(browser, path, address="#role=verse", **phone, device_scale_factor=2) as page:
        assert page.evaluate("view.only") == 1
        page.evaluate("drawNow()")
        assert page.evaluate("stats.points") == (drawn.group == 1).sum()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        index = int(np.flatnonzero(drawn.group == 1)[0])
        page.touchscreen.tap(*point(page, index))
        until(page, "player.playing")
        assert page.evaluate("shownPiece.index") == index
