"""Along an attribute: a piece moves by its vector, which is looked for anew on the way."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from music_vae.attributes import measure, vectors_of
from music_vae.coding import decoded
from music_vae.model import MusicVAE

__all__ = ["STEP", "along", "vectors_at"]

NEIGHBOURS = 256
"""Pieces that are written to find a vector."""
NEAR = 0.3
"""How far beside the piece these lie, in deviations of normal numbers."""
STEP = 0.25
"""Length of a step with an amount of 1, as a share of that of normal numbers."""


def vectors_at(model: MusicVAE, normal: Tensor, generator: torch.Generator) -> Tensor:
    """Return the attribute vectors at a piece [shape=(attributes, latent)].

    Parameters
    ----------
    normal : Tensor [shape=(latent,)]
        Its normal numbers.
    generator : torch.Generator on the CPU
    """
    half = torch.randn(NEIGHBOURS // 2, len(normal), generator=generator)
    beside = torch.cat([half, -half])  # so that what is even about them falls out
    made = decoded(model, model.flow.codes(normal.cpu() + NEAR * beside))
    return vectors_of(beside, measure(made, model.voices))


def along(
    model: MusicVAE,
    normal: Tensor,
    attribute: int,
    amounts: Sequence[float],
    generator: torch.Generator,
    first: Tensor | None = None,
) -> Tensor:
    """Return the normal numbers of a piece on its way along an attribute.

    Parameters
    ----------
    normal : Tensor [shape=(latent,)]
    attribute : int
    amounts : sequence of float
        From 0 away, in one direction.
    generator : torch.Generator on the CPU
    first : Tensor [shape=(attributes, latent)], optional
        The vectors at the piece, if they are known.

    Returns
    -------
    Tensor [shape=(len(amounts), latent)]
    """
    now, at, way = normal.cpu(), 0.0, []
    length = STEP * math.sqrt(len(normal))
    for amount in amounts:
        steps = math.ceil(abs(amount - at))  # of an amount of 1 at most
        for _ in range(steps):
            vectors = vectors_at(model, now, generator) if first is None else first
            now = now + (amount - at) / steps * length * vectors[attribute]
            first = None
        way.append(now)
        at = amount
    return torch.stack(way)
