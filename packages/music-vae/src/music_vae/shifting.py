"""Along an attribute: a piece moves by its vector, which is looked for anew on the way.

A vector says where neighbours have more of an attribute. What is written there jumps from note to
note, so a step tries places around where its vector leads, and goes to that at which

    ± change of the attribute - mean |change of the others|

is greatest, in deviations of the neighbours, the sign being that of the amount.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from music_vae.attributes import measure, vectors_of
from music_vae.coding import decoded
from music_vae.model import MusicVAE

__all__ = ["STEP", "Around", "along", "around", "stepped", "values_at"]

NEIGHBOURS = 256
"""Pieces that are written to find a vector."""
NEAR = 0.3
"""How far beside the piece these lie, in deviations of normal numbers."""
STEP = 0.25
"""Length of a step with an amount of 1, as a share of that of normal numbers."""
PLACES = 32
"""Places that a step tries, the first of them where the vector leads."""
BESIDE = 0.15
"""How far beside it the others lie after an amount of 1, in deviations of normal numbers."""

Floats = npt.NDArray[np.float64]


class Around(NamedTuple):
    """What is known of a place: attributes here, and how they change around it."""

    vectors: Tensor
    """Attribute vectors [shape=(attributes, latent)]."""
    here: Floats
    """Attributes of what is written [shape=(attributes,)]."""
    spread: Floats
    """Deviations of those of its neighbours [shape=(attributes,)]."""


def around(model: MusicVAE, normal: Tensor, generator: torch.Generator) -> Around:
    """Return the attributes at a piece, and how they change around it.

    Parameters
    ----------
    normal : Tensor [shape=(latent,)]
        Its normal numbers.
    generator : torch.Generator on the CPU
    """
    half = torch.randn(NEIGHBOURS // 2, len(normal), generator=generator)
    beside = torch.cat([half, -half])  # so that what is even about them falls out
    values = values_at(model, torch.cat([normal[None], normal + NEAR * beside]))
    here, values = values[0], values[1:]
    known = values[np.isfinite(values).all(axis=1)]
    spread = known.std(axis=0) if len(known) else np.zeros(values.shape[1])
    return Around(vectors_of(beside, values), here, spread)


def along(
    model: MusicVAE,
    normal: Tensor,
    attribute: int,
    amounts: Sequence[float],
    generator: torch.Generator,
    first: Around | None = None,
) -> Tensor:
    """Return the normal numbers of a piece on its way along an attribute.

    Parameters
    ----------
    normal : Tensor [shape=(latent,)]
    attribute : int
    amounts : sequence of float
        From 0 away, in one direction.
    generator : torch.Generator on the CPU
    first : Around, optional
        What is around the piece, if that is known.

    Returns
    -------
    Tensor [shape=(len(amounts), latent)]
    """
    now, at, way = normal.cpu(), 0.0, []
    for amount in amounts:
        steps = math.ceil(abs(amount - at))  # of an amount of 1 at most
        for _ in range(steps):
            known = around(model, now, generator) if first is None else first
            now = stepped(model, now, known, attribute, (amount - at) / steps, generator)
            first = None
        way.append(now)
        at = amount
    return torch.stack(way)


def stepped(
    model: MusicVAE, now: Tensor, known: Around, attribute: int, amount: float,
    generator: torch.Generator,
) -> Tensor:  # fmt: skip
    """Return where one step leads [shape=(latent,)]."""
    beside = torch.randn(PLACES, len(now), generator=generator)
    beside[0] = 0
    led = now + amount * STEP * math.sqrt(len(now)) * known.vectors[attribute]
    places = led + BESIDE * abs(amount) * beside
    spread = np.where(known.spread > 0, known.spread, 1.0)
    change = (values_at(model, places) - known.here) / spread
    gained = math.copysign(1, amount) * change[:, attribute]
    lost = np.abs(np.delete(change, attribute, axis=1)).mean(axis=1)
    return places[int(np.nan_to_num(gained - lost, nan=-np.inf).argmax())]


def values_at(model: MusicVAE, normal: Tensor) -> Floats:
    """Return the attributes of what is written from normal numbers [shape=(n, attributes)]."""
    return measure(decoded(model, model.flow.codes(normal)), model.voices)
