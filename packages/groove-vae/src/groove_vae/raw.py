"""The comparison as it was first done: sample by sample, learnt from the played part alone.

One LSTM step for every sample, 27,562 a beat at 96 bpm, a Gaussian of two dimensions at
each, and a decoder that gives the sample back. So tone stays in the latent space, what is
loud outweighs what is soft, and ghost notes are hardly seen. It is here so that this can
be checked. Sound comes at 22,050 Hz, as everything in this package, and is resampled to the
44,100 Hz of the study: what lies above 11 kHz is missing.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch

from groove_core.console import note, track
from groove_core.errors import InputError
from groove_core.render.kits import RATE, Samples
from groove_core.values import Audio
from groove_vae.measures import Measure
from groove_vae.model import FeelVAE, Gaussian, divergence, elbo

__all__ = ["RAW_RATE", "raw_curve"]

RAW_RATE = 44_100
LONGEST_S = 8.0
CROP = 2756
"""Samples of a training sequence, 62 ms: gradients reach no further anyway."""
CROPS = 32
STEPS = 200
HIDDEN = 16
BETA = 0.1

Floats = npt.NDArray[np.float64]


def raw_curve(
    played: Samples,
    programmed: Samples,
    *,
    measure: Measure = "kl",
    seed: int = 0,
    device: str = "cpu",
) -> Floats:
    """Learn the played part and give D_KL(t) for each sample [shape=(n,), 44,100 Hz].

    Parameters
    ----------
    played, programmed : float32 arrays [shape=(n,), 22,050 Hz]

    Raises
    ------
    InputError
        If they are longer than 8 s.
    """
    if len(played) > LONGEST_S * RATE:
        raise InputError(
            f"The excerpt lasts {len(played) / RATE:.0f} s; sample by sample, {LONGEST_S:.0f} "
            "are enough.",
            hint="Cut out a bar or two, or leave --raw out.",
        )
    sounds = []
    for samples in (played, programmed):
        sound = Audio(samples, RATE).normalized(-1.0).resampled(RAW_RATE)
        sounds.append(torch.tensor(sound.samples[0])[:, None])
    length = min(map(len, sounds))
    x, y = (one[:length].to(device) for one in sounds)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = FeelVAE(inputs=1, outputs=1, hidden=HIDDEN, context=0, bidirectional=False)
    model.to(device)
    generator = torch.Generator().manual_seed(seed)
    adam = torch.optim.Adam(model.parameters(), lr=3e-3)
    crop = min(CROP, length)
    kl = torch.zeros(())
    for step in track(range(STEPS), "learning the played part", total=STEPS):
        start = torch.randint(length - crop + 1, (CROPS, 1), generator=generator)
        batch = x[start + torch.arange(crop)]
        noise = torch.randn(CROPS, crop, model.latent, generator=generator).to(device)
        mean, scale, made, log_noise = model(batch, noise)
        loss, _, each = elbo(
            Gaussian(mean, scale),
            made,
            batch,
            log_noise,
            beta=BETA * min(1.0, 5 * step / STEPS),
            free_bits=0.0,
        )
        kl = each.sum().detach()
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
    note(f"learnt {length / RAW_RATE:.2f} s, {length} samples; KL {float(kl):.4f} nats a sample")
    if not math.isfinite(float(kl)):
        raise InputError("The played part could not be learnt.", hint="Give another --seed.")
    with torch.no_grad():
        first, second = (model.encode(one[None]).at(0) for one in (x, y))
        return divergence(first, second, measure).cpu().numpy().astype(np.float64)
