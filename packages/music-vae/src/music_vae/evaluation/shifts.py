"""Whether steps along attributes move these, and leave the others where they are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from groove_core.errors import InputError
from groove_core.learning import about_intervals
from groove_core.tunes import mean_of_known
from groove_core.values import Cell, Report
from music_vae.attributes import attributes_of, measure
from music_vae.evaluation.coding import codes_of, decoded
from music_vae.evaluation.samples import evenly
from music_vae.model import MusicVAE
from music_vae.windows import WindowSet

__all__ = ["AMOUNTS", "rank_correlations", "shifted"]

AMOUNTS = (-2.0, -1.0, 0.0, 1.0, 2.0)
"""Steps along an attribute, as the `amount` of `shift` counts them."""

Floats = npt.NDArray[np.float64]


def rank_correlations(values: npt.ArrayLike) -> Floats:
    """Return Spearman's correlation of each row with its columns' order.

    Parameters
    ----------
    values : float array [shape=(n, columns)]
        A row of equal values does not follow the order: 0. One with a NaN has none: NaN.

    Returns
    -------
    float array [shape=(n,)]

    Examples
    --------
    >>> rank_correlations([[1, 2, 5, 9], [3, 3, 3, 3], [4, 3, 2, 1]]).tolist()
    [1.0, 0.0, -1.0]
    """
    given = np.asarray(values, np.float64)
    less = (given[:, :, None] > given[:, None]).sum(axis=2)
    equal = (given[:, :, None] == given[:, None]).sum(axis=2)
    ranks = less + (equal - 1) / 2
    order = np.arange(given.shape[1]) - (given.shape[1] - 1) / 2
    away = ranks - ranks.mean(axis=1, keepdims=True)
    lengths = np.sqrt((away**2).sum(axis=1) * (order**2).sum())
    found = np.where(lengths > 0, away @ order / np.where(lengths > 0, lengths, 1), 0.0)
    return np.where(np.isfinite(given).all(axis=1), found, np.nan)


def shifted(
    model: MusicVAE, windows: WindowSet, name: str, *, count: int = 500, seed: int = 1
) -> Report:
    """Measure what steps along each attribute do to all attributes of held-out pieces.

    Raises
    ------
    InputError
        If the test split is empty.
    """
    events, song = windows.part("test")
    if not len(events):
        raise InputError("The test split has no windows.", hint="Give more songs.")
    chosen = evenly(len(events), count)
    codes, owner = codes_of(model, events[chosen]), song[chosen]
    steps = model.readings.steps.cpu().to(codes)
    attributes = attributes_of(windows.voices)
    generator = torch.Generator().manual_seed(seed)
    anywhere = torch.randn(codes.shape, generator=generator) * codes.std(dim=0, correction=0)
    length = steps.norm(dim=1).mean() / anywhere.norm(dim=1, keepdim=True).clamp(min=1e-9)
    ways = {
        **{f"{one} up": step.expand_as(codes) for one, step in zip(attributes, steps, strict=True)},
        "a random direction": anywhere * length,
    }
    amounts = torch.tensor(AMOUNTS)[None, :, None]
    rows: list[tuple[Cell, ...]] = []
    for number, (way, direction) in enumerate(ways.items()):
        moved = codes[:, None] + amounts * direction[:, None]
        values = measure(decoded(model, moved.flatten(0, 1)), windows.voices)
        values = values.reshape(len(codes), len(AMOUNTS), -1)
        follows = [
            mean_of_known(rank_correlations(values[:, :, one]), owner)
            for one in range(len(attributes))
        ]
        span: Cell = None
        if number < len(attributes):
            span = mean_of_known(values[:, -1, number] - values[:, 0, number], owner)
        rows.append((way, *follows, span))
    return Report(
        f"{name}: what steps along an attribute do to {len(codes)} pieces that were not learnt",
        ("", *attributes, "moved by"),
        rows,
        notes=(
            f"Each piece is moved by {', '.join(f'{amount:g}' for amount in AMOUNTS)} steps. Cells "
            "are Spearman's correlation of the amount with the attribute of what is written, the "
            "mean over pieces; a piece that does not change counts 0.",
            "moved by: how much higher its attribute is at the last amount than at the first, in "
            + "; ".join(f"{one}: {what.unit}" for one, what in attributes.items()) + ".",
            "Random directions are as long as the mean step, and each piece has its own.",
            about_intervals("songs"),
        ),
    )  # fmt: skip
