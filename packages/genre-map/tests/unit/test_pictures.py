"""What networks see of a sound."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genre_map.inversion import invert
from genre_map.pictures import LAYOUTS, Layout, to_windows
from groove_core.errors import InputError
from groove_core.values import Audio

NOISE = np.random.default_rng(0).normal(size=30 * 22_050) / 9


@pytest.mark.parametrize(
    ("name", "shape"), [("ours", (2, 64, 128)), ("paper", (2, 84, 128)), ("dong2018", (1, 64, 256))]
)
def test_thirty_seconds_are_nineteen_windows(name, shape):
    layout = LAYOUTS[name]
    windows = to_windows(layout.of(Audio(NOISE, 22_050)), layout)
    assert windows.shape == (19, *shape)
    assert layout.window_s == pytest.approx(2.97, abs=0.01)
    assert windows.min() >= 0
    if name == "paper":
        assert torch.allclose(windows.amax(dim=(1, 2, 3)), torch.ones(19))
    if name == "ours":
        assert windows.max() == 1


def test_loudness_does_not_matter():
    loud, soft = (LAYOUTS["ours"].of(Audio(NOISE[:66_150] * gain, 22_050)) for gain in (1, 0.01))
    torch.testing.assert_close(loud, soft, atol=1e-3, rtol=0)


def test_a_tone_is_harmonic_and_clicks_are_percussive():
    time_s = np.arange(4 * 22_050) / 22_050
    tone = 0.3 * np.sin(2 * np.pi * 880 * time_s)
    clicks = np.zeros_like(tone)
    clicks[::5000] = 0.9
    for sound, wanted in ((tone, 0), (clicks, 1)):
        energy = LAYOUTS["ours"].of(Audio(sound, 22_050)).square().sum(dim=(1, 2))
        assert int(energy.argmax()) == wanted


@pytest.mark.parametrize(
    ("samples", "message"),
    [(NOISE[: 2 * 22_050], "2.00 s of sound are too short"), (np.zeros(90_000), "silent")],
)
def test_what_cannot_be_seen(samples, message):
    with pytest.raises(InputError, match=message):
        LAYOUTS["ours"].of(Audio(samples, 22_050))


def test_a_picture_can_be_heard():
    time_s = np.arange(66_150) / 22_050
    tone = Audio(0.3 * np.sin(2 * np.pi * 440 * time_s), 22_050)
    layout = LAYOUTS["ours"]
    [window] = to_windows(layout.of(tone), layout)
    heard = invert(window[None], layout)[0]
    spectrum = torch.fft.rfft(heard[4000:-4000]).abs()
    found_hz = int(spectrum.argmax()) * 22_050 / (len(heard) - 8000)
    assert found_hz == pytest.approx(440, rel=0.06)  # a mel band is that wide


def test_long_sounds_are_seen_in_stretches(monkeypatch):
    whole = LAYOUTS["ours"].of(Audio(NOISE, 22_050))
    monkeypatch.setattr("genre_map.pictures.STRETCH_FRAMES", 300)
    pieces = LAYOUTS["ours"].of(Audio(NOISE, 22_050))
    assert pieces.shape == whole.shape
    torch.testing.assert_close(pieces, whole, atol=1e-5, rtol=0)


def test_read_from_a_cache_is_the_same(folder, tmp_path):
    from groove_core.storage import Cache

    path = folder / "Rock/0.wav"
    cache = Cache(tmp_path)
    first, again, without = (Layout().read(path, cache=c) for c in (cache, cache, None))
    assert torch.equal(first, again)
    assert torch.equal(first, without)
    assert cache.stats().entries == 1
