"""The prior and the way between codes."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from groove_core.errors import InputError
from music_vae.prior import RIDGE, Mixture, fit_mixture, sample_codes, slerp


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
