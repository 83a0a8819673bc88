"""Copies are found wherever they begin."""

from __future__ import annotations

import pytest
import torch

from genre_map.copies import nearest_excerpts


def literally(windows, songs):
    frames = windows.shape[-1]
    return torch.stack([
        torch.stack([
            80 * (song[..., at : at + frames].float() - window).square().mean().sqrt()
            for song in songs
            for at in range(song.shape[-1] - frames + 1)
        ]).min()
        for window in windows
    ])  # fmt: skip


@pytest.fixture(scope="module")
def songs():
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(2, 8, length, generator=generator).half() for length in (40, 61, 33, 12)]


@pytest.mark.parametrize("at", [0, 1, 14, 45])
def test_a_copy_from_any_frame_of_any_song(songs, at):
    noise = torch.randn(2, 8, 16, generator=torch.Generator().manual_seed(at))
    window = songs[1][..., at : at + 16].float()
    found = nearest_excerpts(torch.stack([window, window + 0.01 * noise]), songs)
    assert float(found[0]) == 0
    assert float(found[1]) == pytest.approx(0.8, rel=0.2)  # 80 dB by the deviation of the noise


def test_as_a_literal_search(songs):
    windows = torch.rand(5, 2, 8, 16, generator=torch.Generator().manual_seed(1))
    found, true = nearest_excerpts(windows, songs), literally(windows, songs)
    assert (found >= true - 1e-4).all()
    torch.testing.assert_close(found, true, rtol=0.02, atol=0)
