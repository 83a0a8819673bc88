"""Training a parametric map: near to t-SNE, and back to the codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from drum_space.atlas.model import ParametricMap
from groove_core.learning import Run, Step, Training, shuffled, trained
from groove_core.values import GRID

__all__ = ["MapSettings", "MapTraining", "train_parametric"]

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class MapSettings:
    """What decides the outcome of a training, beside the codes, their t-SNE and the seed."""

    epochs: int = 160
    batch_size: int = 512
    """Smaller where there are few patterns, for at least 64 batches in an epoch."""
    learning_rate: float = 6e-3
    likeness: float = 10.0
    """Weight of the squared distance to the positions of t-SNE against the squared error of
    standardised codes. Of the shipped patterns, 3, 10 and 30 keep 95.0, 94.7 and 94.1 % of
    the variance of the codes, at distances (root mean square) of 0.120, 0.078 and 0.056."""
    noise: float = 0.01
    """Deviation of the noise on positions, of which the plane is 2 wide: the way back is
    learnt from around a pattern, too, so that it is smooth between patterns."""


class MapTraining(Training[MapSettings, tuple[Tensor, Tensor], ParametricMap]):
    """The two networks and how they learn from codes and their places."""

    def build(self) -> ParametricMap:
        """Make the map, which knows mean and deviation of the codes."""
        codes, layout = self.data
        model = ParametricMap(latent=codes.shape[1], patterns=len(codes))
        model.shift.copy_(codes.mean(dim=0))
        # A dimension that a model has left unused stays as it is.
        spread = codes.std(dim=0)
        model.scale.copy_(spread.where(spread > 1e-3, 1))
        model.tsne.copy_((layout * GRID).round())
        self.rows = torch.cat([layout, model.standardize(codes)], dim=1)
        return model

    def networks(self) -> dict[str, nn.Module]:
        """Name the way to the plane and the way back."""
        return {"place": self.model.place, "inverse": self.model.inverse}

    def batches(self, generator: torch.Generator) -> Sequence[Tensor]:
        """Shuffle the patterns into whole batches."""
        size = min(self.settings.batch_size, max(16, len(self.rows) // 64))
        return shuffled(len(self.rows), size, generator)

    def loss(self, batch: Tensor, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the squared distance to t-SNE and the squared error of the way back."""
        rows = step.part(self.rows[batch])
        layout, codes = rows[:, :2], rows[:, 2:]
        placed = self.modules["place"](codes)
        noise = self.settings.noise * step.randn(len(batch), 2)
        losses = {
            "distance": F.mse_loss(placed, layout),
            "reconstruction": F.mse_loss(self.modules["inverse"](placed + noise), codes),
        }
        return self.settings.likeness * losses["distance"] + losses["reconstruction"], losses


def train_parametric(
    codes: Floats, layout: Floats, settings: MapSettings, *, seed: int
) -> ParametricMap:
    """Train a parametric map on the CPU: the networks are too small for anything faster.

    It takes a minute, so nobody resumes it.

    Parameters
    ----------
    codes : float array [shape=(n, latent)]
    layout : float array [shape=(n, 2), -1 to 1]
        Where t-SNE put them.

    Returns
    -------
    ParametricMap
        In the precision it is stored in.
    """
    rows = torch.from_numpy(codes).float(), torch.from_numpy(layout).float()
    return trained(MapTraining, settings, rows, Run(seed)).model
