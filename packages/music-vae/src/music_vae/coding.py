"""Many windows into codes, and many codes into windows, a batch at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from music_vae.model import MusicVAE

__all__ = ["BATCH", "batches", "codes_of", "decoded", "free_running", "teacher_forced"]

BATCH = 256

Ints = npt.NDArray[np.int64]


def batches(model: MusicVAE, events: npt.ArrayLike) -> Sequence[Tensor]:
    """Return windows [shape=(n, voices, steps)] in batches, on the device of a network."""
    whole = torch.from_numpy(np.asarray(events, np.int64))
    device = model.prior_mean.device
    return [part.to(device) for part in whole.split(BATCH)]


@torch.no_grad()
def codes_of(model: MusicVAE, events: npt.ArrayLike) -> Tensor:
    """Return the codes of windows, their posterior means [shape=(n, latent)], on the CPU."""
    return torch.cat([model.encode(part)[0].cpu() for part in batches(model, events)])


def decoded(
    model: MusicVAE,
    codes: Tensor,
    *,
    temperature: float = 0.0,
    generator: torch.Generator | None = None,
) -> Ints:
    """Return what is written from codes.

    Parameters
    ----------
    codes : Tensor [shape=(n, latent)]
    temperature : float
        0 writes the likeliest event at each step.
    generator : torch.Generator on the CPU, needed above a temperature of 0

    Returns
    -------
    int array [shape=(n, voices, steps)]
    """
    found = [
        model.decode(part, temperature=temperature, generator=generator).cpu()
        for part in codes.split(BATCH)
    ]
    made: Ints = torch.cat(found).numpy()
    return made


def free_running(model: MusicVAE, events: npt.ArrayLike) -> Ints:
    """Return what comes back from the code of windows [shape=(n, voices, steps)] alone."""
    return decoded(model, codes_of(model, events))


@torch.no_grad()
def teacher_forced(model: MusicVAE, events: npt.ArrayLike) -> Ints:
    """Return the likeliest event at each step, told what was played before.

    Parameters
    ----------
    events : int array [shape=(n, voices, steps)]

    Returns
    -------
    int array [shape=(n, voices, steps)]
    """
    found = []
    for part in batches(model, events):
        logits = model.decoder(model.encode(part)[0], part)
        found.append(torch.stack([scores.argmax(dim=-1) for scores in logits], dim=1).cpu())
    made: Ints = torch.cat(found).numpy()
    return made
