"""Browsers that have more or less than most: MIDI, and none of what the page likes to have."""

from __future__ import annotations

import json

import pytest

from groove_core import Score, Track
from groove_core.testing.pages import NEEDS_CHROMIUM, until

pytestmark = NEEDS_CHROMIUM

MIDI = """
window.sent = [];
window.asked = 0;
const input = {onmidimessage: null};
const output = {send: (data, at) => sent.push([[...data], at]), clear: () => {}};
window.press = (pitch, velocity, at) =>
  input.onmidimessage({data: [velocity ? 0x90 : 0x80, pitch, velocity], timeStamp: at});
navigator.requestMIDIAccess = async () => {
  asked++;
  return {inputs: new Map([["i", input]]), outputs: new Map([["o", output]])};
};
"""


def sent_notes(page, count):
    """Return notes that were sent: seconds after the first, pitch, velocity, length, channel."""
    until(page, f"sent.filter(([[status]]) => (status & 0xf0) == 0x80).length >= {count}")
    messages = page.evaluate("sent")
    ends = [(data, at) for data, at in messages if data[0] & 0xF0 == 0x80]
    starts = [(data, at) for data, at in messages if data[0] & 0xF0 == 0x90][:count]
    zero = starts[0][1]
    rows = []
    for (status, pitch, velocity), at in starts:
        off = min(t for d, t in ends if d[:2] == [status - 0x10, pitch] and t > at)
        rows.append((round((at - zero) / 1000, 3), pitch, velocity, round((off - at) / 1000, 3),
                     status & 0xF))  # fmt: skip
    return rows


def shown_notes(studio, item, channels, loop_s=None):
    """Return the notes of the MIDI file of an item, as `sent_notes` has them.

    With a hit before its first step a beat of two bars has a bar of silence before it in the file.
    """
    path = studio.workspace / "sent.mid"
    path.write_bytes(studio.ask("GET", f"/file/{item}/mid").body)
    score = Score.read(path)
    rows = []
    for track, channel in zip(score.tracks, channels, strict=True):
        for at, length, pitch, velocity in track.notes.tolist():
            start, end = score.seconds([at, at + length])
            at_s = start if loop_s is None else (start - loop_s / 2) % loop_s
            rows.append((at_s, pitch, velocity, end - start, channel))
    rows.sort()
    zero = rows[0][0]
    return [(t - zero, pitch, velocity, length, ch) for t, pitch, velocity, length, ch in rows]


@pytest.fixture
def song() -> bytes:
    """Return a score with a change of tempo, two instruments and drums."""
    piano = Track([[0, 240, 60, 80], [490, 240, 64, 90], [960, 480, 67, 100]], "piano")
    bass = Track([[0, 960, 36, 70]], "bass", 33)
    drums = Track([[480, 60, 38, 110]], "drums", is_drum=True)
    score = Score((piano, bass, drums), tempos=[[0, 300_000], [960, 200_000]], end_tick=1920)
    return json.dumps(score.to_json()).encode()


def card(page, name):
    found = page.locator(f'article[aria-label^="{name}"]').first
    found.scroll_into_view_if_needed()
    found.locator(".cell, canvas").first.wait_for()
    return found


def test_what_is_shown_is_sent_to_instruments(opened, studio, song, beat):
    """The notes of a score and of a beat with what has been changed, at their times."""
    score = studio.upload("sent-song.json", song)["items"][0]["id"]
    document = json.loads(beat) | {"offset_ticks": [-30] + [20] * 15, "tempo_bpm": 400.0,
                                   "velocity": [*range(60, 76)]}  # fmt: skip
    drums = studio.upload("sent-beat.json", json.dumps(document).encode())["items"][0]["id"]
    with opened(studio, init=MIDI) as page:
        made = card(page, "sent-song")
        assert page.evaluate("asked") == 0
        page.click("#transport >> text=MIDI")
        page.click("#transport >> text=Loop")
        for item, name, count, channels, loop_s in (
            (score, "sent-song", 5, (0, 1, 9), None), (drums, "sent-beat", 16, (9,), 1.2),
        ):  # fmt: skip
            page.evaluate("sent.length = 0")
            made = card(page, name)
            made.get_by_role("button", name="Play").first.click()
            found = sent_notes(page, count)
            wanted = shown_notes(studio, item, channels, loop_s)
            page.click("#transport >> text=Stop")
            assert len(found) == len(wanted) == count
            for one, other in zip(sorted(found), wanted, strict=True):
                assert one == pytest.approx(other, abs=0.002)
        programs = page.evaluate("sent.filter(([data]) => (data[0] & 0xf0) == 0xc0)")
        assert page.evaluate("asked") == 1
        assert programs == []  # of drums
        page.click("#transport >> text=Loop")
        page.evaluate("sent.length = 0")
        card(page, "sent-song").get_by_role("button", name="Play").first.click()
        again = sent_notes(page, 10)
        length = Score.from_json(json.loads(song)).seconds([1920])[0]
        assert again[5][0] == pytest.approx(length, abs=0.002)
        assert page.evaluate("sent.find(([data]) => data[0] == 0xc1)[0]") == [0xC1, 33]


def test_a_keyboard_is_recorded_into_the_roll(opened, studio, song):
    studio.upload("played.json", song)
    tune = {"kind": "melody", "steps_per_quarter": 4, "metre": [4, 4], "length": 16, "pickup": 0,
            "tempo_bpm": 150.0, "key": "", "notes": [[0, 2, 60, 90]]}  # fmt: skip
    studio.upload("tune.json", json.dumps(tune).encode())
    keys = [(72, 80, 0), (76, 90, 100), (72, 0, 290), (76, 0, 400), (79, 50, 700), (79, 0, 740)]
    with opened(studio, init=MIDI) as page:
        for name, added in (
            ("played", [[0, 464, 72, 80], [160, 480, 76, 90], [1200, 96, 79, 50]]),
            ("tune", [[0, 1, 72, 80], [1, 3, 76, 90], [7, 1, 79, 50]]),
        ):
            made = card(page, name)
            made.get_by_role("button", name="Record").click()
            until(page, "document.querySelector('#transport [aria-pressed=true]')")
            for pitch, velocity, at in keys:
                page.evaluate(f"press({pitch}, {velocity}, 1000 + {at})")
            made.get_by_role("button", name="Record").click()
            made.get_by_text("Keep the change").click()
            until(page, f"document.querySelectorAll('article[aria-label^=\"{name}\"]').length > 1")
            item = card(page, name).get_attribute("data-item")
            document = studio.ask("GET", f"/file/{item}/json").json
            before = json.loads(song)["tracks"][0]["notes"] if name == "played" else []
            rows = document["tracks"][0]["notes"] if name == "played" else document["notes"]
            assert sorted(rows) == sorted(before + added)


NOTHING = """
for (const name of ["AudioContext", "webkitAudioContext", "AudioWorkletNode"]) delete window[name];
for (const name of ["requestMIDIAccess", "clipboard"]) delete Navigator.prototype[name];
const context = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
  return kind.includes("webgl") ? null : context.call(this, kind, ...more);
};
"""


def test_a_browser_that_lacks_much_can_do_the_rest(opened, studio, song, beat):
    """No Web Audio, MIDI, WebGL or clipboard, and no motion: sentences in place of errors."""
    studio.upload("least.json", beat)
    studio.upload("roll.json", song)
    wave = studio.ask("GET", f"/file/{studio.upload('w.json', beat)['items'][0]['id']}/wav").body
    studio.upload("sound.wav", wave)
    with opened(studio, init=NOTHING, reduced_motion="reduce") as page:
        said = page.locator("#say")
        for what, name in (("#transport", "MIDI"), ('article[aria-label^="roll"]', "Record")):
            page.locator(what).first.get_by_role("button", name=name).click()
            assert said.inner_text().startswith("This browser has no MIDI.")
        made = card(page, "least")
        made.locator(".cell").nth(1).click()
        assert page.locator('article[aria-label^="sound"] audio').get_attribute("src")
        assert "cannot draw" in page.locator('article[aria-label^="sound"]').inner_text()
        made.get_by_text("Keep the change").click()
        until(page, "document.querySelectorAll('article[aria-label^=\"least\"]').length > 1")
        with page.expect_download():
            card(page, "least").get_by_label("Export").select_option("mid")
        page.evaluate(
            "import('/page/dialog.js').then((m) => void m.dialog('x', m.copying('It', 'run')))"
        )
        page.click("dialog >> text=Copy")
        assert "press Ctrl-C" in page.inner_text("dialog .say")
        assert page.evaluate("getSelection().toString()") == "run"
        page.click("dialog >> text=Close")
        moving = "[...document.querySelectorAll('*')].map((e) => getComputedStyle(e))"
        moving += ".filter((s) => s.transitionDuration != '0s' || s.animationName != 'none')"
        assert page.evaluate(moving + ".length") == 0


@pytest.mark.slow
def test_a_lost_studio_is_waited_for(opened, start, beat, tmp_path):
    """The page says so, keeps what is in it, and goes on once it is let in again."""
    first = start("--port", "0", workspace=tmp_path / "work")
    first.upload("before.json", beat)
    port = first.host.rpartition(":")[2]
    with opened(first, quiet=False) as page:
        card(page, "before").locator(".cell").nth(1).click()
        page.fill("#actions input[type=search]", "typed")
        first.process.terminate()
        until(page, "document.querySelector('#say.error')")
        assert "does not answer" in page.inner_text("#say")
        second = start("--port", port, workspace=tmp_path / "work")
        until(page, "document.querySelector('#say').textContent.includes('token')")
        page.context.new_page().goto(second.address)
        until(page, "!document.querySelector('#say').textContent")
        second.upload("after.json", beat)
        card(page, "after")
        assert page.input_value("#actions input[type=search]") == "typed"
        assert page.locator('article[aria-label^="before"]').get_by_text("Undo").is_enabled()
