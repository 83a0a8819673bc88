"""The audio model: divergences against torch's own, the bound, the ranking term."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from groove_vae.measures import MEASURES
from groove_vae.model import (
    FeelVAE,
    Gaussian,
    divergence,
    elbo,
    prior_kl,
    rank_loss,
)


def drawn(seed: int, *, full: bool = False, d: int = 3, n: int = 50) -> Gaussian:
    generator = torch.Generator().manual_seed(seed)
    mean = torch.randn(n, d, generator=generator, dtype=torch.float64)
    scale = 0.2 + torch.rand(n, d, generator=generator, dtype=torch.float64)
    if full:
        below = torch.randn(n, d, d, generator=generator, dtype=torch.float64).tril(-1)
        scale = torch.diag_embed(scale) + 0.5 * below
    return Gaussian(mean, scale)


def as_torch(one: Gaussian) -> MultivariateNormal:
    return MultivariateNormal(one.mean, scale_tril=one.factor)


@pytest.mark.parametrize("full", [False, True])
def test_kl_is_that_of_torch(full):
    p, q = drawn(1, full=full), drawn(2, full=full)
    torch.testing.assert_close(divergence(p, q), kl_divergence(as_torch(p), as_torch(q)))
    torch.testing.assert_close(divergence(p, q, "reverse"), divergence(q, p))
    both = divergence(p, q) + divergence(q, p)
    torch.testing.assert_close(divergence(p, q, "jeffreys"), both)


def test_diagonal_and_full_agree_on_diagonals():
    p, q = drawn(1), drawn(2)
    whole = Gaussian(p.mean, p.factor), Gaussian(q.mean, q.factor)
    for measure in MEASURES:
        torch.testing.assert_close(divergence(p, q, measure), divergence(*whole, measure))


def test_symmetric_measures_of_one_dimension():
    """Closed forms of the textbooks, in one dimension."""
    p, q = drawn(1, d=1), drawn(2, d=1)
    a, b = p.scale[:, 0], q.scale[:, 0]
    gap = (p.mean - q.mean)[:, 0]
    bhattacharyya = gap**2 / (4 * (a**2 + b**2)) + 0.5 * torch.log((a**2 + b**2) / (2 * a * b))
    torch.testing.assert_close(divergence(p, q, "bhattacharyya"), bhattacharyya)
    wasserstein = (gap**2 + (a - b) ** 2).sqrt()
    torch.testing.assert_close(divergence(p, q, "wasserstein"), wasserstein)


@pytest.mark.parametrize("full", [False, True])
def test_prior_kl_sums_to_the_divergence_from_the_prior(full):
    p = drawn(1, full=full)
    prior = MultivariateNormal(torch.zeros(3, dtype=torch.float64), torch.eye(3).double())
    torch.testing.assert_close(prior_kl(p).sum(dim=-1), kl_divergence(as_torch(p), prior))


def test_elbo_is_the_density_and_leaves_bits_free():
    latent = Gaussian(torch.zeros(2, 5, 2), torch.full((2, 5, 2), 0.9))
    made, target = torch.randn(2, 5, 3), torch.randn(2, 5, 3)
    log_noise = torch.tensor([0.1, -0.2, 0.3])
    log_prob = Normal(made, log_noise.exp()).log_prob(target).sum(dim=-1).mean()
    loss, surprise, each = elbo(latent, made, target, log_noise, beta=0.5, free_bits=0.0)
    torch.testing.assert_close(surprise, -log_prob)
    torch.testing.assert_close(loss, surprise + 0.5 * each.sum())
    free, _, _ = elbo(latent, made, target, log_noise, beta=0.5, free_bits=0.1)
    torch.testing.assert_close(free, surprise + 0.5 * 0.2)


def test_rank_loss_asks_for_the_order_of_changes():
    change, kind = torch.tensor([0.0, 5.0, 40.0]), torch.tensor([0, 1, 1])
    right = rank_loss(torch.tensor([0.01, 1.0, 100.0]), change, kind)
    wrong = rank_loss(torch.tensor([100.0, 1.0, 0.01]), change, kind)
    even = rank_loss(torch.ones(3), change, kind)
    assert right < 0.02 < even < wrong
    assert even == pytest.approx(math.log(2))
    # ms and dB have no order; both are more than nothing
    apart = rank_loss(torch.tensor([1.0, 50.0]), torch.tensor([5.0, 20.0]), torch.tensor([1, 2]))
    assert apart == 0


@pytest.mark.parametrize("settings", [{}, {"covariance": "full", "latent": 3}, {"context": 0}])
def test_shapes_and_noise(settings):
    torch.manual_seed(0)
    model = FeelVAE(inputs=7, outputs=2, hidden=8, **settings)
    frames = torch.randn(3, 11, 7)
    latent = model.encode(frames)
    d = model.latent
    assert latent.mean.shape == (3, 11, d)
    assert latent.is_diagonal == (settings.get("covariance") != "full")
    noise = torch.zeros(3, 11, d)
    mean, _, made, _ = model(frames, noise)
    torch.testing.assert_close(made, model.decode(mean))  # no noise, no spread
    assert made.shape == (3, 11, 2)
    assert (divergence(latent, latent) == 0).all()
    moved = latent.sample(torch.ones(3, 11, d)) - latent.mean
    torch.testing.assert_close(moved, latent.factor.sum(dim=-1))


def test_the_decoder_has_no_memory():
    """What one moment says is in its own Gaussian."""
    model = FeelVAE(inputs=7, outputs=2, hidden=8)
    z = torch.randn(1, 20, 2)
    order = torch.randperm(20)
    torch.testing.assert_close(model.decode(z)[:, order], model.decode(z[:, order]))
