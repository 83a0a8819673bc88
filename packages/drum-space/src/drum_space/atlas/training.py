"""Training a parametric map: near to t-SNE, and back to the codes."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from drum_space.atlas.layout import GRID
from drum_space.atlas.model import ParametricMap
from groove_core.learning import Shard, cosine, fit, launch, rounded

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["MapSettings", "MapTask", "train_parametric"]

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


class MapTask:
    """The two networks and how they learn from a batch."""

    def __init__(self, settings: MapSettings, codes: Tensor, layout: Tensor, seed: int) -> None:
        self.settings = settings
        # The one place where global state is touched: layers are initialised from it.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = ParametricMap(latent=codes.shape[1], patterns=len(codes))
        self.model.shift.copy_(codes.mean(dim=0))
        # A dimension that a model has left unused stays as it is.
        spread = codes.std(dim=0)
        self.model.scale.copy_(spread.where(spread > 1e-3, 1))
        self.model.tsne.copy_((layout * GRID).round())
        self.rows = torch.cat([layout, self.model.standardize(codes)], dim=1)
        self.modules: dict[str, torch.nn.Module] = {
            "place": self.model.place,
            "inverse": self.model.inverse,
        }
        parameters = [*self.model.place.parameters(), *self.model.inverse.parameters()]
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "both": torch.optim.Adam(parameters, lr=settings.learning_rate)
        }
        self.config: dict[str, Any] = asdict(settings)

    def batches(self, generator: torch.Generator) -> Sequence[Tensor]:
        """Shuffle the patterns into whole batches."""
        order = torch.randperm(len(self.rows), generator=generator)
        size = min(self.settings.batch_size, max(16, len(order) // 64), len(order))
        return [self.rows[chunk] for chunk in order.split(size) if len(chunk) == size]

    def step(self, fabric: Fabric, batch: Tensor, shard: Shard, done: float) -> dict[str, Tensor]:
        """Learn from one batch."""
        [optimizer] = self.optimizers.values()
        for group in optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * cosine(done)
        rows = shard(batch)
        layout, codes = rows[:, :2], rows[:, 2:]
        placed = self.modules["place"](codes)
        noise = self.settings.noise * shard.randn(len(batch), 2)
        losses = {
            "distance": F.mse_loss(placed, layout),
            "reconstruction": F.mse_loss(self.modules["inverse"](placed + noise), codes),
        }
        optimizer.zero_grad()
        fabric.backward(self.settings.likeness * losses["distance"] + losses["reconstruction"])
        optimizer.step()
        return losses


def train_parametric(
    codes: Floats, layout: Floats, settings: MapSettings, *, seed: int
) -> ParametricMap:
    """Train a parametric map on the CPU: the networks are too small for anything faster.

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
    task = MapTask(
        settings, torch.from_numpy(codes).float(), torch.from_numpy(layout).float(), seed
    )
    # It takes a minute: nobody resumes it.
    with tempfile.TemporaryDirectory() as folder:
        fit(launch("cpu"), task, epochs=settings.epochs, folder=Path(folder), seed=seed)
    return rounded(task.model)
