"""The prior and the way between codes."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from groove_core.errors import InputError
from music_vae.prior import RIDGE, Mixture, _refitted, fit_mixture, sample_codes, shrunk, slerp


@pytest.fixture(scope="module")
def known() -> Mixture:
    """Two Gaussians far from each other, one of them slanted."""
    factors = torch.tensor([[[1.0, 0.0], [0.8, 0.3]], [[0.5, 0.0], [0.0, 0.5]]]).double()
    means = torch.tensor([[0.0, 0.0], [8.0, -8.0]]).double()
    return Mixture(torch.tensor([0.25, 0.75]).double(), means, factors)


@pytest.fixture(scope="module")
def drawn(known) -> torch.Tensor:
    return sample_codes(known, 8000, torch.Generator().manual_seed(1))


def test_densities_are_those_of_torch(known, drawn):
    from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

    other = MixtureSameFamily(
        Categorical(known.weights), MultivariateNormal(known.means, scale_tril=known.factors)
    )
    codes = drawn[:50].double()
    torch.testing.assert_close(known.log_density(codes), other.log_prob(codes))


def test_draws_have_the_moments_of_the_mixture(known, drawn):
    first = drawn[drawn[:, 0] < 4]
    assert len(first) / len(drawn) == pytest.approx(0.25, abs=0.02)
    expected = known.factors[0] @ known.factors[0].T
    assert np.cov(first.T.numpy()) == pytest.approx(expected.numpy(), abs=0.08)
    torch.testing.assert_close(known.deviation(), drawn.std(dim=0), rtol=0.03, atol=0)
    still = sample_codes(known, 9, torch.Generator().manual_seed(1), temperature=0.0)
    assert {tuple(row) for row in still.tolist()} == {(0.0, 0.0), (8.0, -8.0)}


def test_a_fit_finds_the_mixture(known, drawn):
    found = fit_mixture(drawn, 2)
    order = found.means[:, 0].argsort()
    torch.testing.assert_close(found.weights[order], known.weights, atol=0.02, rtol=0)
    torch.testing.assert_close(found.means[order], known.means, atol=0.06, rtol=0)
    ridge = RIDGE * drawn.double().var(dim=0, correction=0).mean() * torch.eye(2).double()
    expected = known.factors @ known.factors.mT + ridge
    got = found.factors[order] @ found.factors[order].mT
    torch.testing.assert_close(got, expected, atol=0.08, rtol=0)


def test_a_single_gaussian_is_mean_and_covariance(drawn):
    found = fit_mixture(drawn, 1)
    z = drawn.double()
    torch.testing.assert_close(found.means[0], z.mean(dim=0))
    covariance = torch.cov(z.T, correction=0)
    ridge = RIDGE * covariance.diagonal().mean() * torch.eye(2).double()
    torch.testing.assert_close(found.factors[0] @ found.factors[0].T, covariance + ridge)


def test_each_round_fits_better(drawn):
    fits = [fit_mixture(drawn, 4, rounds=n, tolerance=-math.inf) for n in (1, 2, 4, 8, 16)]
    densities = [float(fit.log_density(drawn.double()).mean()) for fit in fits]
    # The ridge is no part of the maximisation, so a round may lose a trace.
    assert all(b > a - 1e-4 for a, b in itertools.pairwise(densities))
    assert densities[-1] > densities[0]


def test_few_codes_have_few_components():
    codes = torch.randn(9, 2, generator=torch.Generator().manual_seed(0))
    assert len(fit_mixture(codes, 8).weights) == 2
    assert len(fit_mixture(codes[:3], 8).weights) == 1


def test_a_dimension_that_says_nothing_is_no_obstacle():
    codes = torch.randn(400, 3, generator=torch.Generator().manual_seed(0))
    codes[:, 1] = 0.0
    found = fit_mixture(codes, 2)
    assert torch.isfinite(found.factors).all()
    again = sample_codes(found, 100, torch.Generator().manual_seed(1))
    assert again[:, 1].abs().max() < 0.2


@pytest.mark.parametrize("codes", [torch.zeros(5, 3), torch.zeros(0, 3)])
def test_equal_codes_have_no_prior(codes):
    with pytest.raises(InputError, match="equal codes"):
        fit_mixture(codes, 2)


# --- refitting -------------------------------------------------------------------------------


def test_a_prior_that_counts_as_many_codes_is_fitted_to_both():
    """One Gaussian: the mean and covariance of its own codes and of the new ones together."""
    generator = torch.Generator().manual_seed(1)
    first = torch.randn(300, 2, generator=generator).double() + 3
    codes = 2 * torch.randn(100, 2, generator=generator).double()
    z = first - first.mean(dim=0)
    old = Mixture(torch.ones(1).double(), first.mean(dim=0)[None],
                  torch.linalg.cholesky(z.T @ z / 300)[None])  # fmt: skip
    found = _refitted(old, codes, 300.0)
    both = torch.cat([first, codes])
    torch.testing.assert_close(found.means[0], both.mean(dim=0))
    covariance = torch.cov(both.T, correction=0)
    torch.testing.assert_close(found.factors[0] @ found.factors[0].T, covariance)


def test_components_that_have_no_new_codes_stay(known):
    """New codes are near the second component: the first loses weight, and nothing else."""
    codes = torch.tensor([[8.5, -8.0]]).repeat(50, 1) + 0.1 * torch.randn(
        50, 2, generator=torch.Generator().manual_seed(0)
    )
    found = _refitted(known, codes.double(), 150.0)
    torch.testing.assert_close(found.weights[0], torch.tensor(0.25 * 150 / 200).double())
    torch.testing.assert_close(found.means[0], known.means[0])
    torch.testing.assert_close(found.factors[0], known.factors[0])
    assert 8 < found.means[1, 0] < 8.5
    # Each round only rises, so that what counts most pulls most.
    nearer = _refitted(known, codes.double(), 15.0)
    assert 8 < found.means[1, 0] < nearer.means[1, 0] < 8.5
    assert nearer.log_density(codes).mean() > found.log_density(codes).mean()


def test_how_much_the_old_prior_counts_is_chosen_by_held_out_codes(known, drawn):
    """Of new codes from elsewhere little of the old is kept, of few from the same much."""
    generator = torch.Generator().manual_seed(2)
    elsewhere = torch.randn(400, 2, generator=generator) + torch.tensor([-9.0, 9.0])
    far, counts_far = shrunk(known, elsewhere[:200], elsewhere[200:])
    assert counts_far == 0.25 * 200
    assert far.log_density(elsewhere[200:].double()).mean() > -8
    _, counts_near = shrunk(known, drawn[:8], drawn[2000:4000])
    assert counts_near > 16 * 8 or math.isinf(counts_near)


def test_a_prior_that_nothing_new_improves_stays(known, drawn):
    misleading = torch.full((30, 2), 50.0)
    found, counts = shrunk(known, misleading, drawn[:500])
    assert math.isinf(counts)
    assert torch.equal(found.means, known.means)


def test_components_without_weight_are_left_out(known, drawn):
    """As a network has them whose prior has fewer components than there is room for."""
    room = Mixture(
        torch.cat([known.weights, torch.zeros(1).double()]),
        torch.cat([known.means, torch.zeros(1, 2).double()]),
        torch.cat([known.factors, torch.eye(2).double()[None]]),
    )
    codes = drawn[:50] + 1
    one, two = (shrunk(mixture, codes, drawn[50:90] + 1)[0] for mixture in (room, known))
    assert len(one.weights) == 2
    torch.testing.assert_close(one.means, two.means)


def test_slerp_goes_along_the_circle():
    a, b = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.0])
    way = slerp(a, b, torch.linspace(0, 1, 7))
    angles = torch.linspace(0, math.pi / 2, 7)
    expected = torch.stack([angles.cos(), angles.sin(), torch.zeros(7)], dim=1)
    torch.testing.assert_close(way, expected)


def test_slerp_begins_and_ends_at_its_codes():
    a, b = torch.randn(2, 16, generator=torch.Generator().manual_seed(3))
    way = slerp(a, 3 * b, torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(way, torch.stack([a, 3 * b]))


@pytest.mark.parametrize("scale", [2.0, -2.0, 0.0])
def test_codes_of_one_direction_are_joined_by_a_line(scale):
    a = torch.tensor([1.0, 2.0])
    way = slerp(a, scale * a, torch.tensor([0.0, 0.5, 1.0]))
    torch.testing.assert_close(way, torch.stack([a, (1 + scale) / 2 * a, scale * a]))
