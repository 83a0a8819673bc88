"""A linear reading that says how much a code is like those of one kind, such as choruses.

    p(kind | z) = 1 / (1 + exp(-(w . z + b)))

This is a logistic regression in which both kinds count the same, however many there are of each.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["Likeness", "fit_likeness", "fitted"]

RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
ROUNDS, TOLERANCE = 50, 1e-8


@dataclass(frozen=True)
class Likeness:
    """A linear reading of rows of numbers.

    Parameters
    ----------
    weights : Tensor [shape=(dimensions,)]
    bias : Tensor [shape=()]
    """

    weights: Tensor
    bias: Tensor

    def read(self, rows: Tensor) -> Tensor:
        """Return the logits of rows [shape=(n, dimensions)] as (n,); above 0, it is rather so."""
        return rows.to(self.weights) @ self.weights + self.bias


def fit_likeness(rows: Tensor, labels: Tensor, *, ridge: float) -> Likeness:
    """Fit a logistic regression in which both classes weigh the same, by Newton's method.

    Parameters
    ----------
    rows : Tensor [shape=(n, dimensions)]
    labels : bool tensor [shape=(n,)]
        Some of each kind.
    ridge : float > 0
        Weight of half the squared weights, of columns with a deviation of 1.

    Returns
    -------
    Likeness
        In double precision, on the CPU.
    """
    x, y = rows.detach().cpu().double(), labels.cpu().double()
    centre, scale = x.mean(dim=0), x.std(dim=0, correction=0)
    scale = torch.where(scale > 0, scale, 1.0)
    design = torch.cat([(x - centre) / scale, torch.ones(len(x), 1, dtype=x.dtype)], dim=1)
    weight = torch.where(y > 0, 0.5 / y.sum(), 0.5 / (1 - y).sum())
    penalty = torch.full((design.shape[1],), ridge, dtype=x.dtype)
    penalty[-1] = 0

    def loss(w: Tensor) -> Tensor:
        nats = F.binary_cross_entropy_with_logits(design @ w, y, weight, reduction="sum")
        return nats + (penalty * w.square()).sum() / 2

    w, step = torch.zeros_like(penalty), torch.ones(())
    for _ in range(ROUNDS):
        chance = (design @ w).sigmoid()
        slope = design.T @ (weight * (chance - y)) + penalty * w
        curved = design.T @ (design * (weight * chance * (1 - chance))[:, None])
        step = torch.linalg.solve(curved + penalty.diag() + 1e-12 * torch.eye(len(w)), slope)
        before = loss(w)
        # A whole step may go too far where most chances are near 0 or 1.
        while loss(w - step) > before and step.abs().max() > TOLERANCE:
            step = step / 2
        w = w - step
        if step.abs().max() <= TOLERANCE:
            break
    weights = w[:-1] / scale
    return Likeness(weights, w[-1] - weights @ centre)


def fitted(rows: Tensor, labels: Tensor, other_rows: Tensor, other_labels: Tensor) -> Likeness:
    """Fit a reading with the ridge that foretells other rows best.

    Parameters
    ----------
    rows, other_rows : Tensor [shape=(n, dimensions) and (m, dimensions)]
    labels, other_labels : bool tensor [shape=(n,) and (m,)]
        Where the others are of one kind only, the middle ridge is taken.
    """
    if not 0 < int(other_labels.sum()) < len(other_labels):
        return fit_likeness(rows, labels, ridge=RIDGES[len(RIDGES) // 2])
    y = other_labels.double()
    weight = torch.where(y > 0, 0.5 / y.sum(), 0.5 / (1 - y).sum())

    def surprise(one: Likeness) -> float:
        return float(F.binary_cross_entropy_with_logits(
            one.read(other_rows), y, weight, reduction="sum"
        ))  # fmt: skip

    return min((fit_likeness(rows, labels, ridge=ridge) for ridge in RIDGES), key=surprise)
