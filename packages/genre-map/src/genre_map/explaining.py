"""Why a genre: which cells of a spectrogram speak for it.

Selvaraju et al., "Grad-CAM" (1610.02391), on logits: a saturated softmax has no gradient.
Petsiuk et al., "RISE" (1806.07421), for deletion and insertion.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from genre_map.model import GenreClassifier
from genre_map.pictures import Layout, read_pictures, to_windows
from genre_map.results import MARKED, Explanation
from genre_map.songs import SongSet
from genre_map.splits import held_out
from groove_core.devices import widest
from groove_core.dsp import istft, stft
from groove_core.errors import InputError
from groove_core.learning import mean
from groove_core.storage import Cache
from groove_core.values import Audio, Report

__all__ = ["check_explanations", "explain_sound", "faithfulness", "grad_cam"]

LONGEST_S = 600.0
SHIFTS = 4
AT_ONCE = 64
EXPLAINED = 4
"""One window of so many is looked at when explanations are checked: they overlap by half."""

Floats = npt.NDArray[np.float64]


def grad_cam(model: GenreClassifier, windows: Tensor, genres: Tensor) -> Tensor:
    """Give how much each cell of the feature map A speaks for a genre.

    alpha_k is the mean over cells of dy/dA_k, y the genre's logit; the map is
    ReLU(sum_k alpha_k A_k).

    Parameters
    ----------
    windows : Tensor [shape=(n, parts, n_mels, frames)]
    genres : Tensor [shape=(n,), int64]

    Returns
    -------
    Tensor [shape=(n, cells along frequency, cells along time)]
    """
    with torch.enable_grad():
        maps = model.trunk(windows).detach().requires_grad_()
        logits = model.head(model.pool(maps))
        (slope,) = torch.autograd.grad(logits.gather(1, genres[:, None]).sum(), maps)
    alpha = slope.mean(dim=(2, 3), keepdim=True)
    heat: Tensor = (alpha * maps).sum(dim=1).relu().detach()
    return heat


def _marked(heat: Tensor) -> Tensor:
    """Mark the hottest fifth of each map [shape=(n, rows, columns)], exactly so many cells."""
    flat = heat.flatten(1)
    count = max(1, round(MARKED * flat.shape[1]))
    mask = torch.zeros_like(flat, dtype=torch.bool)
    return mask.scatter_(1, flat.topk(count, dim=1).indices, True).view_as(heat)


def _without(windows: Tensor, mask: Tensor) -> Tensor:
    """Fill the marked cells of windows with what is usual in their bands: nothing special."""
    size = windows.shape[-2:]
    wide = F.interpolate(mask[:, None].float(), size=size, mode="nearest").bool()
    usual = windows.mean(dim=3, keepdim=True).expand_as(windows)
    return torch.where(wide, usual, windows)


def faithfulness(
    model: GenreClassifier, windows: Tensor, owner: Sequence[int], *, seed: int
) -> Report:
    """Check that a clip's genre hangs on what is marked.

    Of each window the marked fifth is deleted, or all but it, and so are random fifths: cells
    at random, and the marked shape shifted at random, which is as connected. The probability
    is that of the clip: the mean over its windows.

    Parameters
    ----------
    windows : Tensor [shape=(n, parts, n_mels, frames), on any device]
    owner : sequence of int
        The clip of each window: 0, 1 ...
    seed : int
    """
    generator = torch.Generator().manual_seed(seed)
    windows = windows.to(model.temperature.device)
    clip = torch.as_tensor(owner)
    share = F.one_hot(clip).T.to(windows.device, widest(windows.device))
    share = share / share.sum(dim=1, keepdim=True)

    def heard(pictures: Tensor) -> Tensor:
        """Give the probabilities of clips [shape=(clips, genres)]."""
        return share @ model.probabilities(model.listen(pictures)).to(share)

    before = heard(windows)
    genres = before.argmax(dim=1)
    mask = torch.cat([
        _marked(grad_cam(model, some, wanted))
        for some, wanted in zip(windows.split(AT_ONCE), genres[clip].split(AT_ONCE), strict=True)
    ])  # fmt: skip

    def probability(masks: Tensor) -> Tensor:
        return heard(_without(windows, masks)).gather(1, genres[:, None]).squeeze(1)

    def mean_of(masks: list[Tensor], *, keep: bool) -> Tensor:
        return torch.stack([probability(~one if keep else one) for one in masks]).mean(dim=0)

    cells = [
        _marked(torch.rand(mask.shape, generator=generator)).to(mask.device) for _ in range(SHIFTS)
    ]
    shifted = []
    for _ in range(SHIFTS):
        by = [int(torch.randint(size, (), generator=generator)) for size in mask.shape[1:]]
        shifted.append(mask.roll(by, dims=(1, 2)))
    own = before.gather(1, genres[:, None]).squeeze(1)
    rows = []
    for name, keep in (("deleted", False), ("kept alone", True)):
        marked = mean_of([mask], keep=keep)
        for what, masks in (("random cells", cells), ("the same shape elsewhere", shifted)):
            random = mean_of(masks, keep=keep)
            right = (marked > random) if keep else (marked < random)
            rows.append(
                (
                    f"{name}, against {what}", mean(right.cpu().double()), float(own.mean()),
                    float(marked.mean()), float(random.mean()),
                )
            )  # fmt: skip
    return Report(
        f"Grad-CAM on {len(own)} clips: the marked fifth against a random fifth",
        ("", "marked one matters more", "probability before", "marked", "random"),
        tuple(rows),
        notes=(
            "Cells are filled with the mean of their band in the window; a clip's probability is "
            "the mean over its windows.",
        ),
    )


def check_explanations(
    songs: SongSet, model: GenreClassifier, card: Mapping[str, Any], *, seed: int
) -> Report:
    """Check the explanations of the songs that a classifier has not learnt from.

    Raises
    ------
    InputError
        If it learnt from all of them, or a song is of a genre that it does not know.
    """
    test = songs.only(held_out(songs, model.genres, card))
    _, pictures = read_pictures(test, model.layout, Cache())
    cut = [to_windows(picture.float(), model.layout)[::EXPLAINED] for picture in pictures]
    owner = [number for number, windows in enumerate(cut) for _ in windows]
    return faithfulness(model, torch.cat(cut), owner, seed=seed)


def explain_sound(
    model: GenreClassifier, sound: Audio, *, name: str, genre: str | None = None
) -> Explanation:
    """Mark what in a sound speaks for a genre: the one it is given, or the most probable one.

    Explanations of overlapping windows are averaged.

    Raises
    ------
    InputError
        If the sound is shorter than a window, too long, or silent.
    """
    layout = model.layout
    if sound.duration_s > LONGEST_S:
        raise InputError(
            f"{sound.duration_s / 60:.0f} minutes are too long to be explained.",
            hint=f"Cut out {LONGEST_S / 60:.0f} minutes or less.",
        )
    mono = sound.to_mono().resampled(layout.sample_rate)
    picture = layout.of(mono)
    windows = to_windows(picture.to(model.temperature.device), layout)
    probabilities = model.probabilities(model.listen(windows)).mean(dim=0)
    number = int(probabilities.argmax()) if genre is None else model.genres.index(genre)
    genres = torch.full((len(windows),), number, device=windows.device).split(AT_ONCE)
    heats = torch.cat(
        [grad_cam(model, *some) for some in zip(windows.split(AT_ONCE), genres, strict=True)]
    ).cpu()
    count, _, columns = heats.shape
    length = (count + 1) * (columns // 2)
    along = functools.partial(
        F.fold, output_size=(1, length), kernel_size=(1, columns), stride=(1, columns // 2)
    )
    heats = heats.movedim(0, -1)
    heat = (along(heats) / along(torch.ones_like(heats)))[:, 0, 0]
    heat = heat / heat.max().clamp_min(1e-9)
    covered = picture[..., : (len(windows) + 1) * layout.frames // 2]
    return Explanation(
        name=name,
        genre=model.genres[number],
        probability=float(probabilities[number]),
        picture=covered.numpy(),
        heat=heat.numpy(),
        step_s=layout.hop_samples / layout.sample_rate,
        sound=_marked_part(mono, heat, covered.shape[-1], layout),
    )


def _marked_part(mono: Audio, heat: Tensor, frames: int, layout: Layout) -> Audio:
    """Keep only the hottest fifth of a sound's spectrogram."""
    samples = torch.tensor(mono.samples[0])
    heard = stft(samples, n_fft=layout.n_fft, hop_samples=layout.hop_samples)
    mask = (_marked(heat[None]) & (heat > 0))[None].float()
    mask = F.interpolate(mask, size=(layout.n_mels, frames), mode="bilinear", align_corners=False)
    # Bands to bins: each bin belongs to the bands whose filters hear it.
    filters = layout.feature.filters
    weights = filters.float() / filters.float().sum(dim=0, keepdim=True).clamp_min(1e-9)
    bins = torch.einsum("mb,mt->bt", weights, mask[0, 0])
    kept = torch.zeros(heard.shape[-2:])
    kept[:, :frames] = bins[:, : kept.shape[1]]
    sound = istft(heard * kept, hop_samples=layout.hop_samples, length=len(samples))
    return Audio(sound[None].numpy(), layout.sample_rate).normalized()
