"""Linear readings, against optima that are known and a slow literal descent."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from music_vae.likeness import RIDGES, Likeness, fit_likeness, fitted


def drawn(n: int, dimensions: int, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(n, dimensions, generator=generator).double() * 3 + 1
    chances = (rows[:, 0] - rows[:, 1]).sigmoid()
    return rows, torch.rand(n, generator=generator) < chances


def test_against_gradient_descent():
    """The same loss, written down again and minimised by another way."""
    rows, labels = drawn(80, 3)
    found = fit_likeness(rows, labels, ridge=0.1)
    y = labels.double()
    weight = torch.where(labels, 0.5 / y.sum(), 0.5 / (1 - y).sum())
    scaled = (rows - rows.mean(dim=0)) / rows.std(dim=0, correction=0)
    w = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    descent = torch.optim.LBFGS([w], max_iter=200, tolerance_grad=1e-12, tolerance_change=1e-14)

    def closure():
        descent.zero_grad()
        logits = scaled @ w[:3] + w[3]
        nats = -(weight * (y * F.logsigmoid(logits) + (1 - y) * F.logsigmoid(-logits))).sum()
        loss = nats + 0.05 * w[:3].square().sum()
        loss.backward()
        return loss

    descent.step(closure)
    wanted = scaled @ w[:3].detach() + w[3].detach()
    torch.testing.assert_close(found.read(rows), wanted, rtol=0, atol=1e-5)


def test_both_kinds_weigh_the_same():
    """Of three numbers of one kind at 0, and one at 1, the border lies in the middle."""
    rows = torch.tensor([[0.0], [0.0], [0.0], [1.0]])
    found = fit_likeness(rows, torch.tensor([False, False, False, True]), ridge=0.01)
    assert found.read(torch.tensor([[0.5]])).item() == pytest.approx(0, abs=1e-6)
    assert found.read(torch.tensor([[1.0]])).item() > 1


def test_kinds_that_a_line_divides_stay_finite():
    rows = torch.linspace(-1, 1, 40)[:, None] ** 3
    found = fit_likeness(rows, rows[:, 0] > 0, ridge=1e-4)
    read = found.read(rows)
    assert read.isfinite().all()
    assert ((read > 0) == (rows[:, 0] > 0)).all()


def test_columns_may_have_any_unit_and_may_not_vary():
    rows, labels = drawn(60, 2)
    other = torch.cat([rows * torch.tensor([1000.0, 1e-3]) + 5, torch.full((60, 1), 7.0)], dim=1)
    one, two = fit_likeness(rows, labels, ridge=0.1), fit_likeness(other, labels, ridge=0.1)
    torch.testing.assert_close(one.read(rows), two.read(other), rtol=0, atol=1e-6)
    assert two.weights[2] == 0


def test_the_ridge_is_chosen_by_other_rows():
    """Many columns that say nothing: the strongest ridge foretells best, and none is overruled."""
    rows, labels = drawn(60, 40)
    others, other_labels = drawn(400, 40, seed=2)
    chosen = fitted(rows, labels, others, other_labels)

    def surprise(one: Likeness) -> float:
        y = other_labels.double()
        each = F.binary_cross_entropy_with_logits(one.read(others), y, reduction="none")
        return float(each[other_labels].mean() + each[~other_labels].mean())

    every = [fit_likeness(rows, labels, ridge=ridge) for ridge in RIDGES]
    assert surprise(chosen) == pytest.approx(min(map(surprise, every)))
    assert surprise(chosen) < surprise(every[0]) - 0.05
    assert surprise(chosen) < 2 * math.log(2)
    alone = fitted(rows, labels, torch.zeros(0, 40), torch.zeros(0, dtype=torch.bool))
    torch.testing.assert_close(alone.weights, every[2].weights)


def test_a_reading_is_kept_with_its_network(networks):
    import copy

    model = copy.deepcopy(networks["mel-2bar"])
    assert not model.likeness.weights.any()
    model.set_likeness(Likeness(torch.arange(6.0), torch.tensor(0.5)))
    other = copy.deepcopy(networks["mel-2bar"])
    other.load_state_dict(model.state_dict())
    codes = torch.from_numpy(np.eye(6))
    assert other.likeness.read(codes).tolist() == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]
