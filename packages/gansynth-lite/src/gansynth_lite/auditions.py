"""Which instruments are kept to draw new ones of: those that are heard as their family.

The known instruments and mixtures of them play a few notes to an auditor that took no part in the
training of the generator and takes none in judging it later. The best of each family stay.
This is rejection sampling (Azadi et al., "Discriminator Rejection Sampling", 1810.06758), done
once, so that it costs nothing when something is played.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from gansynth_lite.listener import Listener
from gansynth_lite.model import GANSynth, mixed, one_hot, pitch_features
from groove_core.console import track
from groove_core.learning import pixel_norm

__all__ = ["BEGINNING", "Auditor", "auditioned", "pitches_of"]

CANDIDATES, KEPT = 240, 32
"""Of each family: known instruments, then mixtures of them with their neighbours; and who stays."""
LOOKS = 2
"""Notes that each plays."""
BEGINNING = 5 / 16
"""Of a note, which is what is listened to."""
AT_ONCE = 16
PARTS = 10
"""Of the beginning, in which levels are compared."""
PITCH_WEIGHT = 2.0
WIDTH = 0.75
"""Of the kernel, in medians of the distances between notes."""
RIDGE = 1e-3
MOST = 8000
"""Real notes that an auditor compares with."""


class Auditor:
    """Families of notes by kernel ridge regression on real ones, which needs no training.

    Saunders, Gammerman and Vovk, "Ridge Regression Learning Algorithm in Dual Variables" (ICML
    1998), with a Gaussian kernel, one output for each family.

    Parameters
    ----------
    spectra : Tensor [shape=(n, bands, frames)]
        Of real notes, see `gansynth_lite.listener.spectra_of`.
    pitches : Tensor [shape=(n,), MIDI]
    families : Tensor [shape=(n,), int]
        Unknown ones (-1) are not compared with.
    count : int
        Families.
    """

    def __init__(self, spectra: Tensor, pitches: Tensor, families: Tensor, count: int) -> None:
        known = torch.nonzero(families >= 0)[:, 0]
        known = known[:: max(1, -(-len(known) // MOST))]
        self.frames = max(1, int(BEGINNING * spectra.shape[2]))
        self.notes = self._described(spectra[known], pitches[known])
        apart = torch.cdist(self.notes, self.notes)
        self.width = WIDTH * apart.median().clamp_min(1e-6)
        kernel = self._kernel(apart)
        kernel.diagonal().add_(RIDGE)
        wanted = 2 * F.one_hot(families[known], count).float() - 1
        self.weights = torch.cholesky_solve(wanted, torch.linalg.cholesky(kernel))

    def scores(self, spectra: Tensor, pitches: Tensor) -> Tensor:
        """Return how much notes are like each family [shape=(n, families), about -1 to 1]."""
        return self._kernel(torch.cdist(self._described(spectra, pitches), self.notes)) @ (
            self.weights
        )

    def margins(self, spectra: Tensor, pitches: Tensor, families: Tensor) -> Tensor:
        """Return how much more notes are like their family than like any other [shape=(n,)]."""
        scores = self.scores(spectra, pitches)
        mine = families[:, None]
        others = scores.scatter(1, mine, -torch.inf).amax(dim=1)
        return scores.gather(1, mine)[:, 0] - others

    def _kernel(self, apart: Tensor) -> Tensor:
        return torch.exp(-(apart / self.width).square())

    def _described(self, spectra: Tensor, pitches: Tensor) -> Tensor:
        """Describe beginnings of notes by levels against the loudest, and by their register."""
        some = spectra[..., : self.frames].float()
        some = (some - some.amax(dim=(1, 2), keepdim=True) + 1).clamp_min(0)
        levels = F.adaptive_avg_pool1d(some, PARTS).flatten(1)
        return torch.cat([levels, PITCH_WEIGHT * pitch_features(pitches)], dim=1)


@torch.no_grad()
def auditioned(
    model: GANSynth,
    codes: Tensor,
    groups: Tensor,
    auditor: Auditor,
    listener: Listener,
    pitches: Tensor,
    families: Tensor,
    *,
    kept: int = KEPT,
    seed: int = 0,
) -> tuple[Tensor, Tensor]:
    """Return the instruments that are heard best as their family, and mixtures of them.

    Parameters
    ----------
    model : GANSynth
    codes : Tensor [shape=(instruments, code)]
    groups : Tensor [shape=(instruments,), int]
        Families; those of unknown family (-1) stay without an audition.
    auditor : Auditor
    listener : Listener
        Gives the spectra; what it has learnt does not matter.
    pitches, families : Tensor [shape=(notes,)]
        Of real notes: a family plays pitches that it has.
    kept : int
        Instruments of each family that stay.
    seed : int

    Returns
    -------
    codes : Tensor [shape=(kept, code)]
    groups : Tensor [shape=(kept,), int]
    """
    generator = torch.Generator().manual_seed(seed)
    device = next(model.parameters()).device
    frames = max(1, int(BEGINNING * model.layout.frames))
    known = groups >= 0
    there = groups[known].unique(return_counts=True)
    asked = torch.repeat_interleave(there[0], (CANDIDATES - there[1]).clamp_min(0))
    z = torch.randn(len(asked), model.code, generator=generator)
    shares = mixed(z, one_hot(asked, len(model.families)), codes, groups, model.focus)
    candidates = torch.cat([codes[known], pixel_norm(shares @ codes)])
    group = torch.cat([groups[known], asked])
    score = torch.zeros(len(candidates))
    for at in track(torch.arange(len(candidates)).split(AT_ONCE), "auditions"):
        for _ in range(LOOKS):
            pitch = pitches_of(group[at], pitches, families, generator)
            made = model(candidates[at].to(device), pitch.to(device), None, frames)
            spectra = listener.to(device).spectrum(made[:, 0].float()).cpu()
            score[at] += auditor.margins(spectra, pitch, group[at])
    chosen_codes, chosen_groups = [codes[~known]], [groups[~known]]
    for family in group.unique():
        mine = torch.nonzero(group == family)[:, 0]
        best = mine[score[mine].argsort(descending=True)][:kept]
        chosen_codes.append(candidates[best])
        chosen_groups.append(group[best])
    return torch.cat(chosen_codes), torch.cat(chosen_groups)


def pitches_of(
    group: Tensor, pitches: Tensor, families: Tensor, generator: torch.Generator
) -> Tensor:
    """Draw a pitch for each instrument, of those that notes of its family have, or any."""
    found = []
    for family in group.tolist():
        mine = pitches[families == family]
        mine = mine if len(mine) else pitches
        found.append(mine[torch.randint(len(mine), (), generator=generator)])
    return torch.stack(found)
