"""Other recordings of the same music, made of its picture.

Tempo, tuning, balance, tone and rooms; and what codecs, and the way from a picture back to a
sound, change: faint details, and the texture of loud ones.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from genre_map.pictures import LAYOUTS, RANGE_DB

__all__ = ["textured", "varied"]


FRAME_S = LAYOUTS["ours"].hop_samples / LAYOUTS["ours"].sample_rate


def _in_a_room(x: Tensor, long: Tensor, near: Tensor) -> Tensor:
    """Let sounds die away: 60 dB in 0.3 to 2.4 s, from 3 to 18 dB below them.

    In decibels a tail is a straight line, and the loudest of all tails is a running maximum.

    Parameters
    ----------
    x : Tensor [shape=(n, parts, n_mels, frames)]
    long, near : Tensor [shape=(n,), uniform in 0 to 1]
    """
    fall = (60 * FRAME_S / (0.3 * 8**long) / RANGE_DB)[:, None, None, None]
    below = ((3 + 15 * near) / RANGE_DB)[:, None, None, None]
    line = fall * torch.arange(x.shape[-1], device=x.device)
    tail = (x + line).cummax(dim=-1).values - line - below
    return torch.maximum(x, tail)


def varied(songs: Tensor, frames: int, draw: Tensor, room: Tensor) -> Tensor:
    """Give windows at the start of pictures in decibels, varied.

    Each window is played at 0.8 to 1.25 of its tempo, moved up or down by up to 3 bands,
    filtered by +-10 dB, its harmonic part made up to 8 dB louder or softer, a stretch of bands
    and of frames blotted out.

    Parameters
    ----------
    songs : Tensor [shape=(n, parts, n_mels, longer), 0 to 1 for 80 dB]
        1.25 windows long or longer.
    frames : int
        Of a window.
    draw : Tensor [shape=(n, 16), uniform in 0 to 1]
        All randomness of these.
    room : Tensor [shape=(n, 4), uniform in 0 to 1]
        That of dynamics, up to a quarter wider or narrower, and of rooms, half of the time.

    Returns
    -------
    Tensor [shape=(n, parts, n_mels, frames)]
    """
    n, parts, n_mels, length = songs.shape
    u = 2 * draw - 1
    speed = torch.exp(u[:, 0] * math.log(1.25))
    shift = 3 * u[:, 1]
    # Where in the picture each point of the window comes from, in the units of grid_sample.
    columns = speed[:, None] * torch.arange(frames, device=songs.device)
    rows = torch.arange(n_mels, device=songs.device)[None] + shift[:, None]
    grid = torch.stack(
        [
            (2 * columns / (length - 1) - 1)[:, None, :].expand(n, n_mels, frames),
            (2 * rows / (n_mels - 1) - 1)[:, :, None].expand(n, n_mels, frames),
        ],
        dim=-1,
    )
    x = F.grid_sample(songs, grid, align_corners=True, padding_mode="border")
    place = torch.linspace(0, 1, n_mels, device=songs.device)
    tone = u[:, 2:3] * (place - 0.5) * 1.5
    for number in (1, 2, 3):
        phase = 2 * math.pi * draw[:, 3 + number, None]
        tone = tone + 0.6 * u[:, 6 + number, None] * torch.cos(math.pi * number * place + phase)
    change_db = (10 * tone)[:, None, :, None]
    if parts == 2:
        balance = 8 * u[:, 3]
        change_db = change_db + torch.stack([balance, -balance], dim=1)[:, :, None, None]
    x = (x + change_db / RANGE_DB * (x > 0)).clamp(0, 1)
    x = 1 - (1 - x) * torch.exp((2 * room[:, 0] - 1) * math.log(1.25))[:, None, None, None]
    x = x.clamp_min(0)
    within = room[:, 1, None, None, None] < 0.5
    x = torch.where(within, _in_a_room(x, room[:, 2], room[:, 3]), x)
    band, frame = (torch.arange(k, device=songs.device) for k in (n_mels, frames))
    for axis, size, a, b in ((band, n_mels, 10, 11), (frame, frames, 12, 13)):
        begin, width = draw[:, a, None] * size, draw[:, b, None] * size * 0.2
        hidden = (axis >= begin) & (axis < begin + width)
        x = x.masked_fill(hidden[:, None, :, None] if axis is band else hidden[:, None, None], 0)
    return x


def textured(windows: Tensor, draw: Tensor, noise: Tensor) -> Tensor:
    """Return windows whose texture is another, and whose faint details are lost.

    Each of three changes comes in half of the windows. They are smoothed, all or in part; all
    levels tremble by up to 6 dB, alike in neighbouring frames; what is faint sinks into a floor
    40 to 80 dB below the loudest point. A sound that is made of a smooth picture trembles by 3
    dB where it is loud and 6 where it is faint; MP3 at 64 kbit/s changes what is 45 dB
    below the loudest point by 5 dB.

    Parameters
    ----------
    windows : Tensor [shape=(n, parts, n_mels, frames), 0 to 1 for 80 dB]
    draw : Tensor [shape=(n, 6), uniform in 0 to 1]
    noise : Tensor [shape=(n, parts, n_mels, frames / 2), normal]

    Returns
    -------
    Tensor [shape=(n, parts, n_mels, frames)]
    """
    size = list(windows.shape[2:])
    smooth, trembling, floor = ((draw[:, :3] < 0.5) * draw[:, 3:]).T[:, :, None, None, None]
    blocks = F.avg_pool2d(windows, (2, 4), ceil_mode=True)
    x = torch.lerp(windows, F.interpolate(blocks, size, mode="bilinear"), smooth)
    # Straight lines between normal numbers have 0.8 of their deviation.
    between = F.interpolate(noise, size, mode="bilinear") / 0.8
    x = x + 6 / RANGE_DB * trembling * between * (windows > 0)
    return torch.maximum(x, floor / 2).clamp(0, 1)
