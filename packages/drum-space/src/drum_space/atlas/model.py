"""A parametric map: networks that place codes on a plane, and bring them back.

The idea is that of L. van der Maaten, "Learning a Parametric Embedding by Preserving
Local Structure", AISTATS 2009; here the network learns the positions that t-SNE gave,
and a second one learns the way back.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from drum_space.model import mlp
from groove_core.values import GRID

__all__ = ["ParametricMap"]


class ParametricMap(nn.Module):
    """Networks between the codes of patterns and a plane.

    Parameters
    ----------
    latent : int
        Dimensions of the codes.
    patterns : int
        How many patterns it was made from.
    hidden : sequence of int
        Widths of the hidden layers of both networks.
    """

    shift: Tensor
    scale: Tensor
    tsne: Tensor

    def __init__(
        self, *, latent: int, patterns: int, hidden: tuple[int, ...] = (128, 128, 128, 128)
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "latent": latent,
            "patterns": patterns,
            "hidden": list(hidden),
        }
        # The last layer keeps positions within the plane.
        self.place = nn.Sequential(*mlp((latent, *hidden, 2), norm=True), nn.Tanh())
        # Without norms, which a page would have to compute at every move of the pointer.
        self.inverse = mlp((2, *hidden, latent), norm=False)
        # Both networks work on standardised codes.
        self.register_buffer("shift", torch.zeros(latent))
        self.register_buffer("scale", torch.ones(latent))
        # Where t-SNE put the patterns: whoever has them draws the map without openTSNE.
        self.register_buffer("tsne", torch.zeros(patterns, 2, dtype=torch.int16))

    @property
    def layout(self) -> npt.NDArray[np.float64]:
        """Where t-SNE put the patterns [shape=(patterns, 2), -1 to 1]."""
        positions: npt.NDArray[np.float64] = self.tsne.cpu().numpy() / GRID
        return positions

    def standardize(self, codes: Tensor) -> Tensor:
        """Give codes mean 0 and deviation 1, as they are for the networks."""
        return (codes - self.shift) / self.scale

    def positions(self, codes: Tensor) -> Tensor:
        """Place codes [shape=(n, latent)] on the plane [shape=(n, 2), -1 to 1]."""
        placed: Tensor = self.place(self.standardize(codes))
        return placed

    def codes(self, positions: Tensor) -> Tensor:
        """Give the codes [shape=(n, latent)] of points of the plane [shape=(n, 2)]."""
        found: Tensor = self.inverse(positions) * self.scale + self.shift
        return found
