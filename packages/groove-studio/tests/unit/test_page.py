"""The page in a real browser, without a network: from nothing to a song."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from groove_core import Score
from groove_core.plugins import loader
from groove_core.testing.pages import NEEDS_CHROMIUM, saved, until

pytestmark = NEEDS_CHROMIUM
# The studio depends on no other package, so it is tested alone, too: where it is all there is.
PACKAGES = pytest.mark.skipif(
    not {"drum-space", "groove-vae", "gansynth-lite"} <= {one.name for one in loader.installed()},
    reason="the packages are not there",
)
LISTEN_S, LOUD = 10.0, 0.05
SET = '.cell[aria-pressed="true"]'


def run(page: Any, action: str, **options: Any) -> Any:
    """Fill a form in, run it, and return the card of the first result."""
    if action:
        page.click(f'[data-action="{action}"]')
    for name, value in options.items():
        field = page.locator(f"#option-{name}")
        if not field.is_visible():
            page.click("#form details summary >> nth=0")
        if isinstance(value, bool):
            field.set_checked(value)
        else:
            field.fill(str(value))
    before = page.locator("section.run").count()
    page.click("#form button.main")
    until(page, f"document.querySelectorAll('section.run').length > {before}")
    until(page, "!document.querySelector('#side progress')")
    return page.locator("section.run").first.locator("article").first


def send(page: Any, card: Any, action: str, **options: Any) -> Any:
    card.get_by_label("Send").select_option(action)
    return run(page, "", **options)


def heard(page: Any, card: Any) -> float:
    """Play a card until it is loud, or for a while, and return how loud it gets."""
    card.get_by_role("button", name="Play", exact=False).first.click()
    until(page, "groove.position() > 0.05")
    end, most = time.monotonic() + LISTEN_S, 0.0
    while most < LOUD and time.monotonic() < end:
        most = max(most, page.evaluate("groove.peak()"))
    page.click("#transport button >> nth=0")
    return most


def exported(page: Any, card: Any, ending: str, folder: Path) -> Path:
    with page.expect_download() as waiting:
        card.get_by_label("Export").select_option(ending)
    target = folder / waiting.value.suggested_filename
    waiting.value.save_as(target)
    return target


def edited_beat(page: Any, folder: Path) -> Any:
    """Draw a beat, hear it, change it, and return the card of the changed one."""
    beat = run(page, "drum-space sample", count=1, seed=5)
    assert heard(page, beat) >= LOUD
    notes = Score.read(exported(page, beat, "mid", folder)).tracks[0].notes
    shown = [int(cell.get_attribute("data-step")) for cell in beat.locator(SET).all()]
    assert sorted(round(at / 120) for at in notes[:, 0].tolist()) == sorted(shown)

    step = min({*range(32)} - {*shown})
    free = beat.locator(f'.cell[data-step="{step}"]').first
    free.click()
    free.press("+")
    beat.get_by_text("Undo").click()
    before = page.locator("section.run").count()
    beat.get_by_text("Keep the change").click()
    until(page, f"document.querySelectorAll('section.run').length > {before}")
    edited = page.locator("section.run").first.locator("article")
    until(page, "document.querySelector('section.run .cell')")
    assert len(Score.read(exported(page, edited, "mid", folder)).tracks[0].notes) == 1 + len(notes)
    return edited


@PACKAGES
def test_a_beat_is_drawn_heard_changed_and_exported(opened, studio, tmp_path):
    with opened(studio) as page:
        assert heard(page, edited_beat(page, tmp_path)) >= LOUD

        # What led to the first is kept, and run again with its seed.
        side = page.locator("#side")
        side.get_by_role("button", name="Chain", exact=True).first.click()
        page.fill("#chain-name", "mine")
        page.click("dialog >> text=Keep")
        side.get_by_role("button", name="mine", exact=True).click()
        assert "groove run drum-space sample" in page.text_content("dialog")
        page.uncheck("#chain-seeds")
        before = page.locator("section.run").count()
        page.click("dialog >> text=Run the chain")
        until(page, f"document.querySelectorAll('section.run').length > {before}")
        cards = page.locator('article[aria-label="sample-001, drum-pattern"]')
        items = [cards.nth(i).get_attribute("data-item") for i in (0, cards.count() - 1)]
        first, second = (studio.ask("GET", f"/file/{one}/json").json for one in items)
        assert first == second
        page.click("#side >> text=Delete")
        until(page, "!document.querySelector('#side').textContent.includes('mine')")


@PACKAGES
@pytest.mark.slow
def test_from_a_beat_to_a_song(opened, studio, tmp_path):
    """Drawn, edited, humanized, given a melody, played by new instruments, and exported."""
    with opened(studio) as page:
        edited = edited_beat(page, tmp_path)
        played = send(page, edited, "groove-vae humanize", seed=1)
        assert heard(page, played) >= LOUD
        song = send(page, played, "drum-space compose", seed=1, form="A", bars=2, bass=False)
        assert heard(page, song) >= LOUD
        midi = Score.read(exported(page, song, "mid", tmp_path))
        document = studio.ask("GET", f"/file/{song.get_attribute('data-item')}/json").json
        assert [t.notes.tolist() for t in midi.tracks] == [t["notes"] for t in document["tracks"]]
        tune = send(page, song, "gansynth-lite render", seed=1)
        assert heard(page, tune) >= LOUD
        assert exported(page, tune, "wav", tmp_path).read_bytes()[:4] == b"RIFF"
        archive = saved(page, "#side a[download]", tmp_path)
        assert archive.stat().st_size > 100_000

        page.click("#side >> text=Code >> nth=0")
        assert "groove run gansynth-lite render" in page.inner_text("dialog pre >> nth=0")
        page.click("dialog >> text=Close")


@pytest.mark.parametrize("look", ["light", "dark"])
def test_axe_finds_nothing_serious(opened, studio, beat, look):
    axe = pytest.importorskip("axe_playwright_python.base")
    studio.upload("beat.json", beat)
    script = (Path(axe.__file__).with_name("axe.min.js")).read_text(encoding="utf-8")
    with opened(studio, color_scheme=look, bypass_csp=True) as page:
        first = page.locator("#actions li button").first
        if first.count():
            first.click()
        page.wait_for_selector(".cell")
        page.evaluate(script)
        found = page.evaluate("axe.run().then((result) => result.violations)")
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    where = {one["id"]: [node["html"][:200] for node in one["nodes"][:3]] for one in serious}
    assert where == {}


def test_the_keyboard_is_enough(opened, studio, beat):
    """Hits and velocities of a beat, and the notes of a melody."""
    tune = {"kind": "melody", "steps_per_quarter": 4, "metre": [4, 4], "length": 16, "pickup": 0,
            "tempo_bpm": 120.0, "key": "", "notes": [[0, 2, 60, 90], [4, 2, 64, 90]]}  # fmt: skip
    studio.upload("line.json", json.dumps(tune).encode())
    studio.upload("keys.json", beat)
    with opened(studio) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        roll = page.locator('article[aria-label^="line"]').first
        roll.scroll_into_view_if_needed()
        roll.locator("canvas").focus()
        for key in ("Tab", "Enter", "ArrowUp", "Shift+ArrowLeft", "ArrowRight", "-", "Tab",
                    "Delete"):  # fmt: skip
            page.keyboard.press(key)
        roll.get_by_text("Keep the change").focus()
        page.keyboard.press("Enter")
        kept = 'article[aria-label^="line"]'
        until(page, f"document.querySelectorAll('{kept}').length > 1")
        item = page.locator(kept).first.get_attribute("data-item")
        notes = studio.ask("GET", f"/file/{item}/json").json["notes"]
        assert notes == [[0, 2, 60, 90], [3, 1, 61, 82]]
        card = page.locator('article[aria-label^="keys"]').first
        card.locator(".cell").first.wait_for()
        card.locator(".cell").first.focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Space")
        page.keyboard.press("-")
        label = page.evaluate("document.activeElement.getAttribute('aria-label')")
        assert label == "snare, step 1, velocity 92"
        page.keyboard.press("Space")
        assert "silent" in page.evaluate("document.activeElement.getAttribute('aria-label')")


def test_what_is_shown_is_heard_and_exported(opened, studio, beat, tmp_path):
    """A change need not be kept first: it is played, and what leaves the page is kept with it."""
    document = json.loads(beat) | {"masks": [0, 4] + [0] * 30}
    item = studio.upload("shown.json", json.dumps(document).encode())["items"][0]["id"]
    with opened(studio) as page:
        card = page.locator(f'[data-item="{item}"]')
        card.locator(".cell").first.wait_for()
        runs = len(studio.state()["runs"])
        card.locator(SET).click()
        card.get_by_role("button", name="Play").click()
        until(page, "groove.position() > 0.05")
        assert page.evaluate("groove.peak()") == 0
        assert len(studio.state()["runs"]) == runs
        card.locator(".cell").first.click()
        notes = Score.read(exported(page, card, "mid", tmp_path)).tracks[0].notes
        assert notes[:, [0, 2]].tolist() == [[0, 36]]
        assert len(studio.state()["runs"]) == runs + 1


def test_on_a_phone_one_part_is_shown_at_a_time(opened, studio, beat):
    studio.upload("beat.json", beat)
    with opened(studio, viewport={"width": 390, "height": 800}) as page:
        assert page.is_visible("#actions")
        assert not page.is_visible("#results")
        page.click('#tabs button[data-part="results"]')
        assert page.is_visible("#results")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_two_tabs_and_a_page_that_was_closed_show_the_same(opened, studio, beat):
    with opened(studio) as first, opened(studio) as second:
        record = studio.upload("shared.json", beat)
        item = record["items"][0]["id"]
        for page in (first, second):
            page.wait_for_selector(f'[data-item="{item}"]')
        first.click(f'[data-item="{item}"] button[title="Keep in the tray"]')
        until(second, "document.querySelector('#side ul').textContent.includes('shared')")
        studio.post("forget", {"run": record["id"]})
        until(second, f"!document.querySelector('[data-item=\"{item}\"]')")
    with opened(studio) as again:
        assert again.locator(f'[data-item="{item}"]').count() == 0


def test_names_with_script_are_text(opened, studio, beat):
    name = "%3Cimg%20src%3Dx%20onerror%3D%22document.title%3D1%22%3E.json"
    studio.upload(name, beat)
    with opened(studio) as page:
        page.wait_for_selector('article[aria-label^="img src"]')
        assert page.title() == "groove studio"
        file = {"name": "曲 ü.json", "mimeType": "application/json", "buffer": beat}
        page.set_input_files("#actions input[type=file]", file)
        page.wait_for_selector('article[aria-label^="曲 ü"]')


ATTACK = """
export function show(element, document_) {
  const tries = {};
  const attempt = (name, run) => {
    try { tries[name] = String(run()); } catch (error) { tries[name] = "refused"; }
  };
  attempt("parent", () => parent.document.title);
  attempt("cookie", () => document.cookie);
  attempt("storage", () => localStorage.length);
  attempt("top", () => { top.location.href = "http://127.0.0.1:1/"; return "went"; });
  fetch("/api/state").then(() => "read", () => "refused").then((found) => {
    tries.fetch = found;
    element.textContent = document_.kind + " " + JSON.stringify(tries);
  });
}
"""


def test_a_viewer_of_a_package_cannot_reach_the_page(opened, start, tmp_path, monkeypatch):
    """A kind with a viewer of its own is shown by it, in a frame without an origin."""
    package = tmp_path / "site"
    (package / "groove_odd").mkdir(parents=True)
    (package / "groove_odd-1.dist-info").mkdir()
    (package / "groove_odd-1.dist-info/METADATA").write_text(
        "Metadata-Version: 2.1\nName: groove-odd\nVersion: 1\nSummary: Odd values.\n"
    )
    (package / "groove_odd-1.dist-info/entry_points.txt").write_text(
        "[groove.v1]\ngroove-odd = groove_odd.plugin\n"
    )
    (package / "groove_odd/__init__.py").write_text("")
    (package / "groove_odd/odd.js").write_text(ATTACK)
    (package / "groove_odd/plugin.py").write_text(
        "from groove_core.hookspecs import Action, Kind, Package, hookimpl\n"
        "@hookimpl\ndef groove_package():\n"
        "    return Package(name='groove-odd', api=(1, 2), summary='Odd values.')\n"
        "@hookimpl\ndef groove_generators():\n"
        "    return [Action('sample', 'groove_odd.odd:sample', 'Draw something odd.')]\n"
        "@hookimpl\ndef groove_kinds():\n"
        "    return [Kind(name='odd', value='groove_odd.odd:Odd', summary='odd',"
        " viewer='groove_odd.odd:odd.js')]\n"
    )
    (package / "groove_odd/odd.py").write_text(
        "from dataclasses import dataclass\nfrom typing import ClassVar\n"
        "from groove_core.values import Value\n"
        "@dataclass(eq=False, repr=False)\nclass Odd(Value):\n"
        "    kind: ClassVar[str] = 'odd'\n    number: int = 7\n"
        "    def to_text(self):\n        return f'odd {self.number}'\n"
        "def sample(*, number: int = 7) -> Odd:\n    return Odd(number)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(package))
    studio = start()
    with opened(studio, quiet=False) as page:
        card = run(page, "groove-odd sample", number=9)
        shown = card.frame_locator("iframe.viewer").locator("#here")
        shown.get_by_text("odd").wait_for()
        tries = json.loads(shown.inner_text().partition(" ")[2])
        assert page.url.startswith(studio.origin)
    assert tries.pop("top") in ("refused", "went")  # a sandboxed frame stays where it is
    assert set(tries.values()) == {"refused"}
