"""Search for copies: the excerpt of the songs learnt from that is nearest to a spectrogram.

Trainings cut their windows anywhere, so a copy may begin at any frame of any song. Means over
4 x 4 cells of every excerpt give a shortlist; on that, spectrograms are compared cell by cell.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional as F

from genre_map.pictures import RANGE_DB

__all__ = ["nearest_excerpts"]

POOL = 4
SHORTLIST = 48


def nearest_excerpts(windows: Tensor, songs: Iterable[Tensor]) -> Tensor:
    """Return how far each spectrogram is from the nearest excerpt of any song.

    Parameters
    ----------
    windows : Tensor [shape=(n, parts, n_mels, frames), 0 to 1 for 80 dB]
        Bands and frames are multiples of 4.
    songs : iterable of Tensor [shape=(parts, n_mels, longer)]
        Excerpts begin at each of their frames.

    Returns
    -------
    Tensor [shape=(n,), dB]
        Root mean square difference over all cells.
    """
    songs = list(songs)
    frames = windows.shape[-1]
    coarse = F.avg_pool2d(windows.float(), POOL).flatten(1)
    bounds = torch.full((len(windows), SHORTLIST), torch.inf)
    places = torch.zeros(len(windows), SHORTLIST, 2, dtype=torch.long)
    for number, song in enumerate(songs):
        starts = song.shape[-1] - frames + 1
        if starts < 1:
            continue
        pooled = F.avg_pool2d(song.float(), POOL, stride=(POOL, 1))
        excerpts = torch.stack(
            [pooled[..., at : at + starts] for at in range(0, frames, POOL)], dim=-1
        )  # parts, bands, starts, frames
        table = excerpts.permute(2, 0, 1, 3).reshape(starts, -1)
        away = torch.cdist(coarse, table)
        here, start = away.topk(min(SHORTLIST, starts), dim=1, largest=False)
        where = torch.stack([torch.full_like(start, number), start], dim=-1)
        both = torch.cat([bounds, here], dim=1)
        bounds, order = both.topk(SHORTLIST, dim=1, largest=False)
        together = torch.cat([places, where], dim=1)
        places = together.gather(1, order[..., None].expand(-1, -1, 2))
    nearest = torch.full((len(windows),), torch.inf)
    for index, window in enumerate(windows.float()):
        for (number, start), bound in zip(
            places[index].tolist(), bounds[index].tolist(), strict=True
        ):
            if bound == torch.inf:
                continue
            excerpt = songs[number][..., start : start + frames].float()
            nearest[index] = min(nearest[index], (excerpt - window).square().mean())
    return RANGE_DB * nearest.sqrt()
