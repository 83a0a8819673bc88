"""Whether steps along attributes move these, and leave the others where they are."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from groove_core.console import track
from groove_core.errors import InputError
from groove_core.learning import about_intervals
from groove_core.tunes import mean_of_known
from groove_core.values import Cell, Report
from music_vae.attributes import attributes_of, measure
from music_vae.coding import codes_of, decoded
from music_vae.evaluation.samples import evenly
from music_vae.model import MusicVAE
from music_vae.shifting import STEP, along, around, stepped, values_at
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
    model: MusicVAE, windows: WindowSet, name: str, *, count: int = 100, seed: int = 1
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
    attributes, generator = attributes_of(windows.voices), torch.Generator().manual_seed(seed)
    normal, owner = model.flow.normal(codes_of(model, events[chosen])).cpu(), song[chosen]
    ways = [_ways(model, one, len(attributes), generator) for one in track(normal, "pieces")]
    codes = model.flow.codes(torch.stack(ways).flatten(0, 2))
    values = measure(decoded(model, codes), windows.voices)
    values = values.reshape(len(normal), 2 * len(attributes) + 1, len(AMOUNTS), -1)

    def follows(way: int, one: int) -> Cell:
        return mean_of_known(rank_correlations(values[:, way, :, one]), owner)

    numbers = range(len(attributes))
    rows: list[tuple[Cell, ...]] = []
    for number, name_of in enumerate(attributes):
        ends = values[:, number, :, number]
        span = mean_of_known(ends[:, -1] - ends[:, 0], owner)
        rows.append((f"{name_of} up", *(follows(number, one) for one in numbers), span))
    rows.append(("chosen, without vectors", *(follows(-2 - one, one) for one in numbers), None))
    rows.append(("a random direction", *(follows(-1, one) for one in numbers), None))
    return Report(
        f"{name}: what steps along an attribute do to {len(normal)} pieces that were not learnt",
        ("", *attributes, "moved by"),
        rows,
        notes=(
            f"Each piece is moved by {', '.join(f'{amount:g}' for amount in AMOUNTS)} steps. Cells "
            "are Spearman's correlation of the amount with the attribute of what is written, the "
            "mean over pieces; a piece that does not change counts 0.",
            "moved by: how much higher its attribute is at the last amount than at the first, in "
            + "; ".join(f"{one}: {what.unit}" for one, what in attributes.items()) + ".",
            "chosen, without vectors: what it does for each attribute to try as many places, in "
            "random directions.",
            "Random directions are as long as the steps, and each piece has its own.",
            about_intervals("songs"),
        ),
    )  # fmt: skip


def _ways(model: MusicVAE, normal: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Return a piece at each amount of each attribute, then by choice alone, and by chance.

    Returns
    -------
    Tensor [shape=(2 count + 1, amounts, latent)]
        By choice alone, the last attribute comes first.
    """
    first = around(model, normal, generator)
    less = [amount for amount in reversed(AMOUNTS) if amount < 0]
    more = [amount for amount in AMOUNTS if amount >= 0]
    ways = [
        torch.cat([
            along(model, normal, one, less, generator, first).flip(0),
            along(model, normal, one, more, generator, first),
        ])
        for one in range(count)
    ]  # fmt: skip
    for one in reversed(range(count)):
        aimless = first._replace(vectors=_direction(len(normal), generator).expand(count, -1))
        places = {0.0: normal}
        for amount in (*less, *more[1:]):
            by = math.copysign(1, amount)
            before = places[amount - by]
            known = aimless._replace(here=values_at(model, before[None])[0])
            places[amount] = stepped(model, before, known, one, by, generator)
        ways.append(torch.stack([places[amount] for amount in AMOUNTS]))
    by_chance = STEP * len(normal) ** 0.5 * _direction(len(normal), generator)
    ways.append(normal + torch.tensor(AMOUNTS)[:, None] * by_chance)
    return torch.stack(ways)


def _direction(numbers: int, generator: torch.Generator) -> Tensor:
    return F.normalize(torch.randn(numbers, generator=generator), dim=0)
