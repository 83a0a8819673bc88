"""A listener that a generator learns to please: which family a note is of, from its spectrum.

What judges a generator in the end (`gansynth_lite.classifier`) is not this: it has another
network, hears samples, and is trained by itself. Whoever trains against a judge pleases the judge.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gansynth_lite.layout import Layout
from gansynth_lite.model import PITCH_FEATURES, pitch_features
from groove_core.console import track
from groove_core.dsp import power_to_db
from groove_core.learning import cosine

__all__ = ["Listener", "spectra_of", "taught"]

BANDS = 128
LOWEST_HZ = 40.0
RANGE_DB = 80.0
"""Below the loudest point of a note; what is quieter is silence."""
PLACES = BANDS // 8
"""Bands that are left after three halvings."""
BATCH, RATE = 64, 2e-3


class Listener(nn.Module):
    """Log magnitudes of notes to families, and what is noticed on the way.

    Parameters
    ----------
    layout : Layout
    families : int
    width : int
        Maps of the first layer.
    """

    filters: Tensor

    def __init__(self, layout: Layout, families: int, width: int = 32) -> None:
        super().__init__()
        self.layout, self.families = layout, families
        self.register_buffer("filters", _filters(layout), persistent=False)
        self.layers = nn.ModuleList(
            [
                _layer(1, width, 5, (2, 2)),
                _layer(width, 2 * width, 3, (2, 2)),
                _layer(2 * width, 3 * width, 3, (2, 1)),
            ]
        )
        self.head = nn.Sequential(
            nn.Dropout(0.3), nn.Linear(6 * width * PLACES + PITCH_FEATURES, 128), nn.SiLU(),
            nn.Linear(128, families),
        )  # fmt: skip

    def spectrum(self, magnitude: Tensor) -> Tensor:
        """Give levels in bands, 17 to the octave [shape=(n, 128, frames / 2), 0 to 1].

        Parameters
        ----------
        magnitude : Tensor [shape=(n, bins, frames)]
            The first map of pictures.
        """
        level = power_to_db(self.filters @ self.layout.power(magnitude))
        loudest = level.amax(dim=(1, 2), keepdim=True).detach()
        return F.avg_pool1d(((level - loudest) / RANGE_DB + 1).clamp_min(0), 2)

    def forward(self, spectrum: Tensor, pitch: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Give logits of families [shape=(n, families)], and the maps of every layer."""
        noticed = [spectrum[:, None]]
        for layer in self.layers:
            noticed.append(layer(noticed[-1]))
        over_time = torch.cat([noticed[-1].mean(dim=3), noticed[-1].amax(dim=3)], dim=1)
        logits: Tensor = self.head(torch.cat([over_time.flatten(1), pitch_features(pitch)], dim=1))
        return logits, noticed[1:]


def _layer(of: int, to: int, kernel: int, stride: tuple[int, int]) -> nn.Sequential:
    conv = nn.Conv2d(of, to, kernel, stride, kernel // 2)
    return nn.Sequential(conv, nn.GroupNorm(4, to), nn.SiLU())


def _filters(layout: Layout) -> Tensor:
    """Give triangular bands [shape=(128, bins)], none narrower than three bins."""
    top = layout.sample_rate / 2
    edges = torch.logspace(math.log10(LOWEST_HZ), math.log10(top), BANDS + 2, dtype=torch.float64)
    width = layout.sample_rate / layout.n_fft
    half = ((edges[2:] - edges[:-2]) / 2).clamp_min(1.5 * width)[:, None]
    return (1 - (layout.frequencies() - edges[1:-1, None]).abs() / half).clamp_min(0).float()


def spectra_of(
    listener: Listener, magnitudes: Callable[[Tensor], Tensor], count: int, device: str
) -> Tensor:
    """Return what a listener, and any like it, hears of notes [shape=(n, 128, frames / 2), half].

    Parameters
    ----------
    magnitudes : callable
        Returns the log magnitudes of notes number i, j ...
    count : int
    """
    listener = listener.to(device)
    with torch.inference_mode():
        return torch.cat([
            listener.spectrum(magnitudes(some)).half().cpu()
            for some in track(torch.arange(count).split(BATCH), "hearing notes")
        ])  # fmt: skip


def taught(
    listener: Listener,
    spectra: Tensor,
    pitches: Tensor,
    families: Tensor,
    *,
    steps: int,
    seed: int,
    device: str,
) -> Listener:
    """Teach a listener real notes, softer, noisier and with other floors, too.

    Parameters
    ----------
    spectra : Tensor [shape=(n, 128, frames / 2)]
        Of `spectra_of`.
    pitches, families : Tensor [shape=(n,)]
        Unknown families (-1) are not learnt from.
    steps : int
        Batches of 64.
    """
    listener = listener.to(device)
    known = torch.nonzero(families >= 0)[:, 0]
    optimizer = torch.optim.AdamW(listener.parameters(), RATE, weight_decay=0.05)
    counts = torch.bincount(families[known], minlength=listener.families).float()
    weights = torch.where(counts > 0, counts.clamp_min(1).rsqrt(), 0.0)
    weights = (weights / weights.max()).to(device)
    generator = torch.Generator().manual_seed(seed)
    orders = (
        torch.randperm(len(known), generator=generator).split(BATCH) for _ in itertools.count()
    )
    batches = itertools.islice(itertools.chain.from_iterable(orders), steps)
    with torch.random.fork_rng(devices=[]):  # dropout draws from global state
        torch.manual_seed(seed)
        for step, some in enumerate(track(batches, "teaching a listener", total=steps)):
            optimizer.param_groups[0]["lr"] = RATE * cosine(step / steps)
            at = known[some]
            heard = _varied(spectra[at].float(), generator).to(device)
            logits, _ = listener(heard, pitches[at].to(device))
            loss = F.cross_entropy(logits, families[at].to(device), weight=weights)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return listener.eval().requires_grad_(False)


def _varied(spectra: Tensor, generator: torch.Generator) -> Tensor:
    """Vary range and floor, and add noise, so that nothing but the spectrum is listened to."""
    noise, range_, floor = torch.rand(3, len(spectra), 1, 1, generator=generator)
    grain = torch.randn(spectra.shape, generator=generator)
    varied: Tensor = (spectra + 0.03 * noise * grain).clamp_min(0)
    varied = varied * (0.85 + 0.3 * range_) - 0.15 * floor
    return varied.clamp_min(0)
