"""Exponential moving averages of weights."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

__all__ = ["EMA"]

M = TypeVar("M", bound=nn.Module)


class EMA(nn.Module, Generic[M]):
    """The exponential moving average of a network's weights.

    It is a module, so that it is stored and resumed with the other networks of a training.

    Parameters
    ----------
    model : nn.Module
        It is copied.
    decay : float [0 to 1]
        Share of the average that an update keeps; 0 keeps the newest weights.
    warm_up : bool
        Keep less at first: (1 + t) / (10 + t) after t updates, where that is less than `decay`.

    Examples
    --------
    >>> layer = nn.Linear(1, 1)
    >>> average = EMA(layer, 0.5)
    >>> with torch.no_grad():
    ...     before = layer.bias.item()
    ...     _ = layer.bias.add_(1)
    >>> average.update(layer)
    >>> round(average.module.bias.item() - before, 3)
    0.5
    """

    updates: Tensor

    def __init__(self, model: M, decay: float, *, warm_up: bool = False) -> None:
        super().__init__()
        self.module: M = copy.deepcopy(model).requires_grad_(False)
        self.decay, self.warm_up = decay, warm_up
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move the average towards the weights of a model; buffers are copied."""
        weight = 1 - self.decay
        if self.warm_up:
            weight = max(weight, 9 / (10 + int(self.updates)))
        for kept, new in zip(self.module.parameters(), model.parameters(), strict=True):
            kept.lerp_(new, weight)
        for same, buffer in zip(self.module.buffers(), model.buffers(), strict=True):
            same.copy_(buffer)
        self.updates += 1
