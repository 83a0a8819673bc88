"""From normal numbers to the codes of music: a flow that is learnt beside the space.

    u ~ N(0, I),  du_t / dt = v(u_t, t),  u_0 = u,  z = u_1
    loss = E |v((1 - t) u + t mu, t) - (mu - u)|^2,  t uniform between 0 and 1

of the posterior means mu, which do not feel it. X. Liu, C. Gong and Q. Liu, "Flow Straight and
Fast" (2209.03003); Y. Lipman et al., "Flow Matching for Generative Modeling" (2210.02747). Draws of
N(0, I) themselves fall where there are no codes of music.

v is a Transformer over bars: a bar is the share of the code that is about it, so that bars which
repeat others are learnt. It runs both ways: a code has its normal numbers, and between those of two
pieces, or beside them, lie such of other music.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

__all__ = ["Flow"]

FREQUENCIES = 32
"""Sines, and cosines, by which the time is told."""
FASTEST = 1000.0
"""Largest angular frequency of them."""
STEPS = 12
"""Of the midpoint rule from normal numbers to codes, and back."""
HEADS, WIDER = 4, 2
"""Of the attention, and how much wider than a block its inner layer is."""
BATCH = 2048
"""Codes that flow at once."""


class Flow(nn.Module):
    """Velocities of codes on their way.

    Parameters
    ----------
    shares : int
        Parts that a code has, of as many bars; 1: it is not divided.
    latent : int
        Dimensions of a code.
    size : int
        Width of the Transformer.
    layers : int
    """

    def __init__(self, shares: int, latent: int, *, size: int = 96, layers: int = 3) -> None:
        super().__init__()
        self.shares = shares
        self.read = nn.Linear(latent // shares, size)
        self.place = nn.Parameter(0.02 * torch.randn(shares, size))
        self.time = nn.Sequential(
            nn.Linear(2 * FREQUENCIES, size), nn.SiLU(), nn.Linear(size, size)
        )
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                size, HEADS, WIDER * size, dropout=0.0, activation="gelu", batch_first=True,
                norm_first=True,
            )
            for _ in range(layers)
        )  # fmt: skip
        self.norm = nn.LayerNorm(size)
        self.write = nn.Linear(size, latent // shares)
        nn.init.zeros_(self.write.weight)
        angular = torch.logspace(0, math.log10(FASTEST), FREQUENCIES)
        self.register_buffer("angular", angular, persistent=False)

    def forward(self, codes: Tensor, time: Tensor) -> Tensor:
        """Return v.

        Parameters
        ----------
        codes : Tensor [shape=(n, latent)]
        time : Tensor [shape=(n,), 0 to 1]

        Returns
        -------
        Tensor [shape=(n, latent)]
        """
        angles = time[:, None] * self.get_buffer("angular")
        now = self.time(torch.cat([angles.sin(), angles.cos()], dim=-1))
        h = self.read(codes.unflatten(1, (self.shares, -1))) + self.place + now[:, None]
        for block in self.blocks:
            h = block(h)
        velocity: Tensor = self.write(self.norm(h)).flatten(1)
        return velocity

    def loss(self, codes: Tensor, normal: Tensor, time: Tensor) -> Tensor:
        """Return the loss of each code, all dimensions added up [shape=(n,)].

        Parameters
        ----------
        codes, normal : Tensor [each shape=(n, latent)]
        time : Tensor [shape=(n,), 0 to 1]
        """
        on_the_way = torch.lerp(normal, codes, time[:, None])
        velocity: Tensor = self(on_the_way, time)
        return (velocity.float() - (codes - normal)).square().sum(dim=1)

    def codes(self, normal: Tensor) -> Tensor:
        """Return the codes of normal numbers [each shape=(n, latent)]."""
        return self._flow(normal, 0.0, 1.0)

    def normal(self, codes: Tensor) -> Tensor:
        """Return the normal numbers of codes [each shape=(n, latent)]."""
        return self._flow(codes, 1.0, 0.0)

    @torch.no_grad()
    def _flow(self, x: Tensor, start: float, end: float) -> Tensor:
        step = (end - start) / STEPS
        parts = []
        for part in x.to(self.place).split(BATCH):
            for number in range(STEPS):
                now = part.new_full((len(part),), start + number * step)
                half = part + step / 2 * self(part, now)
                part = part + step * self(half, now + step / 2)
            parts.append(part)
        return torch.cat(parts) if parts else x
