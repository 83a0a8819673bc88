"""Parts of networks, averages of weights and schedules, against slow literal versions."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from groove_core.learning import (  # noqa: E402
    EMA,
    PixelNorm,
    constant,
    cosine,
    frozen,
    gradient_penalty,
    linear,
    minibatch_deviation,
    r1_penalty,
    warm_up,
)


class Slope(nn.Module):
    """Scores that rise with a known slope."""

    def __init__(self, steepness):
        super().__init__()
        self.steepness = steepness

    def forward(self, x):
        return self.steepness * x.flatten(1).sum(dim=1) / math.sqrt(x[0].numel())


@pytest.mark.parametrize(("steepness", "expected"), [(1.0, 0.0), (3.0, 4.0), (0.0, 1.0)])
def test_the_penalty_wants_slopes_of_one(steepness, expected):
    real, fake, u = torch.rand(4, 2, 8, 8), torch.rand(4, 2, 8, 8), torch.rand(4)
    critic = Slope(steepness)
    assert gradient_penalty(critic, real, fake, u).item() == pytest.approx(expected, abs=1e-4)
    assert r1_penalty(critic, real).item() == pytest.approx(steepness**2, rel=1e-5, abs=1e-9)
    # The slope on whole pictures, each of whose points is shown as 2 x 2.
    whole = [one.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3) for one in (real, fake)]
    pooled = nn.Sequential(nn.AvgPool2d(2), critic)
    torch.testing.assert_close(
        gradient_penalty(critic, real, fake, u, side=2), gradient_penalty(pooled, *whole, u)
    )


def test_the_penalty_is_measured_between_real_and_fake():
    seen = []

    def critic(x):
        seen.append(x.detach().clone())
        return x.square().sum(dim=(1, 2))

    real, fake, u = torch.rand(3, 2, 2), torch.rand(3, 2, 2), torch.tensor([0.0, 1.0, 0.25])
    found = gradient_penalty(critic, real, fake, u)
    torch.testing.assert_close(seen[0][0], fake[0])
    torch.testing.assert_close(seen[0][1], real[1])
    between = seen[0]
    expected = [(2 * one).square().sum().sqrt() for one in between]
    torch.testing.assert_close(found, torch.stack([(s - 1) ** 2 for s in expected]).mean())


def test_pixel_norm():
    x = torch.randn(2, 5, 3, 3)
    normed = PixelNorm()(x)
    torch.testing.assert_close(normed.square().mean(dim=1), torch.ones(2, 3, 3), atol=1e-4, rtol=0)
    torch.testing.assert_close(
        normed[0, :, 1, 2] / normed[0, 0, 1, 2], x[0, :, 1, 2] / x[0, 0, 1, 2]
    )


def test_deviation_within_the_batch():
    x = torch.randn(6, 4, 2, 3)
    literal = torch.stack(
        [x[:, c, i, j].std(correction=0) for c in range(4) for i in range(2) for j in range(3)]
    ).mean()
    torch.testing.assert_close(minibatch_deviation(x), literal.expand(6, 1, 2, 3))
    groups = minibatch_deviation(x, group=3)  # items 0, 2, 4 and 1, 3, 5
    for item in range(2):
        mine = x[item::2]
        torch.testing.assert_close(
            groups[item::2], mine.std(dim=0, correction=0).mean().expand(3, 1, 2, 3)
        )
    torch.testing.assert_close(minibatch_deviation(x, group=4), minibatch_deviation(x))
    assert minibatch_deviation(x[:1]).max() < 1e-3


def test_frozen_networks_have_no_gradient():
    critic, x = nn.Linear(3, 1), torch.randn(2, 3, requires_grad=True)
    with frozen(critic):
        critic(x).sum().backward()
    assert critic.weight.grad is None
    assert x.grad is not None
    assert critic.weight.requires_grad


def test_averages_of_weights():
    model = nn.BatchNorm1d(1)
    average, warm = EMA(model, 0.9), EMA(model, 0.9, warm_up=True)
    expected = expected_warm = 1.0
    for update in range(40):
        with torch.no_grad():
            model.weight += 1
            model.running_mean += 2
        average.update(model)
        warm.update(model)
        keep = min(0.9, (1 + update) / (10 + update))
        expected = 0.9 * expected + 0.1 * model.weight.item()
        expected_warm = keep * expected_warm + (1 - keep) * model.weight.item()
    assert average.module.weight.item() == pytest.approx(expected, rel=1e-5)
    assert warm.module.weight.item() == pytest.approx(expected_warm, rel=1e-5)
    assert average.module.running_mean.item() == 80
    assert not any(p.requires_grad for p in average.parameters())
    # It goes on where it was stored.
    again = EMA(model, 0.9, warm_up=True)
    again.load_state_dict(warm.state_dict())
    assert int(again.updates) == 40


def test_schedules():
    assert cosine(0) == 1
    assert cosine(1) == pytest.approx(0.02)
    assert cosine(2) == cosine(1)
    assert cosine(0.5, floor=0) == pytest.approx(0.5)
    assert [linear(done, start=0.75) for done in (0, 0.75)] == [1, 1]
    assert linear(1, start=0.75) == pytest.approx(0.02)
    assert linear(0.875, start=0.75, floor=0) == 0.5
    assert constant(0.7) == 1
    rising = warm_up(cosine, 0.1, start=0.05)
    assert rising(0) == 0.05
    assert rising(0.05) == pytest.approx(0.525 * cosine(0.05))
    assert rising(0.099) < cosine(0.099)  # up to the end of its share
    assert rising(0.5) == cosine(0.5)
