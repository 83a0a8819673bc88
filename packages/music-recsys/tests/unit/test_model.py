"""The network: windows cut from a song that is convolved once are the windows."""

from __future__ import annotations

import pytest
import torch

from music_recsys.features import STEP, WINDOW, Columns, windows_of
from music_recsys.model import FIELDS, LAYERS, STRIDES, PassageNet
from music_recsys.training import front_end


@pytest.mark.parametrize("reader", ["lstm", "flatten", "pool"])
@pytest.mark.parametrize("frames", [400, 401, 449, 450, 1237])
def test_convolving_a_song_once_gives_every_window_exactly(reader, frames):
    torch.manual_seed(0)
    net = PassageNet("mfcc", reader, outputs=3, summary=True).eval()
    song = torch.randn(20, frames)
    with torch.no_grad():
        one_by_one = torch.cat([net(window[None]) for window in windows_of(song)])
    shared = net.listen(song)
    assert len(shared) == (frames - WINDOW) // STEP + 1
    assert torch.allclose(shared, one_by_one, atol=1e-5)


def test_a_window_knows_nothing_of_its_neighbours():
    net = front_end("mfcc", "lstm").eval()
    song = torch.randn(20, 1000)
    before = net.listen(song)
    song[:, STEP + WINDOW :] = 100.0
    assert torch.equal(net.listen(song)[:2], before[:2])
    assert not torch.allclose(net.listen(song)[2], before[2])


@pytest.mark.parametrize("layer", range(1, LAYERS + 1))
def test_fields_and_strides_are_what_gradients_say(layer):
    torch.manual_seed(0)
    net = PassageNet().eval()
    song = torch.randn(1, 20, 200, requires_grad=True)
    maps = net.maps(song, layer)
    first, second = STRIDES[layer - 1] * 3, FIELDS[layer - 1]
    # Averaged over all filters and many inputs, no column of the field is without effect.
    touched = torch.zeros(200, dtype=torch.bool)
    for _ in range(20):
        song = torch.randn(1, 20, 200, requires_grad=True)
        maps = net.maps(song, layer)
        (gradient,) = torch.autograd.grad(maps[..., 3].sum(), song)
        touched |= gradient[0].abs().sum(dim=0) > 0
    reached = torch.nonzero(touched).flatten()
    assert reached.min() == first
    assert reached.max() == first + second - 1


def test_rows_are_never_mixed_by_convolutions():
    net = PassageNet().eval()
    song = torch.randn(1, 20, 400)
    before = net.maps(song)
    song[:, 7] += 1.0
    changed = (net.maps(song) != before).any(dim=(0, 1, 3))
    assert torch.nonzero(changed).flatten().tolist() == [7]


def test_a_pooled_reader_knows_no_order_and_an_lstm_does():
    steps = torch.randn(2, 64, 37)
    pooled, reading = PassageNet(reader="pool").eval(), PassageNet(reader="lstm").eval()
    assert torch.allclose(pooled.read(steps), pooled.read(steps.flip(2)), atol=1e-6)
    assert not torch.allclose(reading.read(steps), reading.read(steps.flip(2)), atol=1e-3)


def test_the_config_builds_it_again():
    net = PassageNet("log-mel", "pool", (4, 8, 8), 16, outputs=5, summary=True)
    again = PassageNet(**net.config)
    again.load_state_dict(net.state_dict())
    assert again.config == net.config
    assert sum(p.numel() for p in front_end("mfcc", "lstm").parameters()) < 300_000


def test_loudness_is_taken_out_but_not_balance():
    from groove_core.values import Audio

    tone = torch.sin(torch.arange(9 * 22_050) / 20).numpy()
    loud, soft = (Columns().of(Audio(gain * tone, 22_050)) for gain in (0.9, 0.09))
    assert torch.allclose(loud, soft, atol=0.05)
    assert loud[1:].abs().max() > 1
