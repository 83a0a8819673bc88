"""The flow from normal numbers to codes."""

from __future__ import annotations

import math

import pytest
import torch

from music_vae.flow import Flow


@pytest.fixture(scope="module")
def bent() -> Flow:
    """Learn codes that lie on two sides of a ring, of which a Gaussian knows nothing."""
    torch.manual_seed(1)
    flow = Flow(2, 4, size=32, layers=2)
    optimizer = torch.optim.Adam(flow.parameters(), 3e-3)
    for _ in range(600):
        optimizer.zero_grad()
        flow.loss(ring(256), torch.randn(256, 4), torch.rand(256)).mean().backward()
        optimizer.step()
    return flow.eval()


def ring(count: int) -> torch.Tensor:
    """Draw codes whose first half is on a circle, and whose second half repeats the first."""
    angle = 2 * math.pi * torch.rand(count)
    half = 2 * torch.stack([angle.cos(), angle.sin()], dim=1)
    return torch.cat([half, half], dim=1) + 0.05 * torch.randn(count, 4)


def test_what_flows_out_is_like_what_was_learnt(bent):
    torch.manual_seed(2)
    codes = bent.codes(torch.randn(500, 4))
    radius = codes[:, :2].norm(dim=1)
    assert radius.mean() == pytest.approx(2.0, abs=0.1)
    assert radius.std() < 0.35  # of the Gaussian with the moments of the codes .93
    apart = (codes[:, :2] - codes[:, 2:]).norm(dim=1)
    assert apart.mean() < 0.5  # of halves that do not know of each other 2.5


def test_codes_flow_back_to_their_normal_numbers(bent):
    torch.manual_seed(3)
    normal = torch.randn(200, 4)
    back = bent.normal(bent.codes(normal))
    assert (back - normal).abs().mean() < 0.05
    spread = bent.normal(ring(2000)).std(dim=0)
    assert ((spread > 0.6) & (spread < 1.3)).all()  # of the codes themselves 1.4


def test_the_loss_is_that_of_the_equation():
    flow = Flow(1, 3, size=8, layers=1)
    codes, normal, time = torch.randn(5, 3), torch.randn(5, 3), torch.rand(5)
    torch.nn.init.normal_(flow.write.weight)
    t = time[:, None]
    wanted = ((flow((1 - t) * normal + t * codes, time) - codes + normal) ** 2).sum(dim=1)
    torch.testing.assert_close(flow.loss(codes, normal, time), wanted)


def test_a_velocity_is_followed_like_a_slow_literal_solver(bent):
    """Euler in 3,000 steps."""
    normal = torch.randn(8, 4, generator=torch.Generator().manual_seed(4))
    x = normal.clone()
    with torch.no_grad():
        for step in range(3000):
            x += bent(x, torch.full((8,), step / 3000)) / 3000
    torch.testing.assert_close(bent.codes(normal), x, atol=0.05, rtol=0)


def test_many_codes_flow_as_each_alone(bent, monkeypatch):
    monkeypatch.setattr("music_vae.flow.BATCH", 3)
    normal = torch.randn(7, 4, generator=torch.Generator().manual_seed(5))
    each = torch.cat([bent.codes(one[None]) for one in normal])
    torch.testing.assert_close(bent.codes(normal), each, atol=1e-5, rtol=1e-5)
    assert bent.codes(normal[:0]).shape == (0, 4)
