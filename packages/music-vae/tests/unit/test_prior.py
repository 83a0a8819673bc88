"""The prior, neighbours of codes, and the way between them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from music_vae.flow import Flow
from music_vae.prior import BESIDE, Prior, beside, fitted, forms_of, slerp


class Shifted(Flow):
    """A flow that is known: every number becomes twice as large, and 3 more."""

    def __init__(self, latent: int) -> None:
        super().__init__(1, latent, size=4, layers=1)

    def codes(self, normal: torch.Tensor) -> torch.Tensor:
        return 2 * normal + 3

    def normal(self, codes: torch.Tensor) -> torch.Tensor:
        return (codes - 3) / 2


def prior_of(mean: list[float], deviation: list[float]) -> Prior:
    return Prior(Shifted(len(mean)), torch.tensor(mean), torch.tensor(deviation),
                 torch.zeros(1, 1, dtype=torch.int16))  # fmt: skip


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def test_draws_have_the_moments_of_the_prior(generator):
    prior = prior_of([1.0, -2.0], [0.5, 2.0])
    drawn = prior.draw(20_000, generator)
    torch.testing.assert_close(drawn.mean(dim=0), torch.tensor([5.0, -1.0]), atol=0.1, rtol=0)
    torch.testing.assert_close(drawn.std(dim=0), torch.tensor([1.0, 4.0]), rtol=0.03, atol=0)
    still = prior.draw(3, generator, temperature=0.0)
    assert still.tolist() == [[5.0, -1.0]] * 3


def test_bars_repeat_others_as_in_the_music_that_was_learnt(generator):
    """Of three bars with two numbers each, the last one repeats the first in three of four."""
    forms = torch.tensor([[0, 1, 0]] * 3 + [[0, 1, 2]])
    prior = replace(prior_of([0.0] * 6, [1.0] * 6), forms=forms)
    first, second, third = prior.draw(4000, generator).unflatten(1, (3, 2)).unbind(dim=1)
    assert (first == third).all(dim=1).float().mean() == pytest.approx(0.75, abs=0.03)
    assert not (first == second).any()


def test_forms_are_those_of_equal_bars():
    bars = np.random.default_rng(0).integers(1, 90, (4, 2, 16))  # each of two voices
    pieces = [[0, 1, 0, 2], [3, 3, 3, 3], [0, 1, 2, 3]]
    events = np.stack([bars[one].transpose(1, 0, 2).reshape(2, 64) for one in pieces])
    events[0, 1, -1] = 0  # of the last bar, in one voice
    wanted = [[0, 1, 0, 3], [0, 0, 0, 0], [0, 1, 2, 3]]
    assert forms_of(events, 3).tolist() == wanted
    assert forms_of(events, 6).tolist() == [one for one in wanted for _ in range(2)]
    assert forms_of(events, 1).tolist() == wanted[:1]


def test_near_is_between_two_and_a_little_beside(generator):
    prior = prior_of([0.0] * 3, [1.0] * 3)
    codes = torch.tensor([[9.0, 3.0, 3.0], [3.0, 9.0, 3.0]])  # 3 from 0, before they flow
    on_the_arc = prior.flow.normal(prior.near(codes, 500, generator, temperature=0.0))
    assert torch.allclose(on_the_arc.norm(dim=1), torch.tensor(3.0))
    assert (on_the_arc >= -1e-6).all()
    at_an_end = (on_the_arc[:, :2].max(dim=1).values > 3 - 1e-6).float().mean()
    assert at_an_end == pytest.approx(0.5, abs=0.06)  # half of the pairs are one code
    one = prior.flow.normal(prior.near(codes[:1], 4000, generator, temperature=2.0))
    shrinks = math.hypot(1, 2 * BESIDE)
    torch.testing.assert_close(one.mean(dim=0), torch.tensor([3.0, 0, 0]) / shrinks,
                               atol=0.05, rtol=0)  # fmt: skip
    torch.testing.assert_close(one.std(dim=0), torch.full((3,), 2 * BESIDE / shrinks),
                               atol=0.02, rtol=0)  # fmt: skip


def test_neighbours_lie_farther_and_farther_away(generator):
    prior = prior_of([0.0] * 50, [1.0] * 50)
    code = prior.flow.codes(torch.randn(1, 50, generator=generator))[0]
    assert torch.equal(prior.neighbours(code, 3, 0.0, generator), code.expand(3, -1))
    away = [
        (prior.neighbours(code, 200, amount, generator) - code).norm(dim=1).mean()
        for amount in (0.1, 0.5, 1.0, 2.0)
    ]
    assert away == sorted(away)
    far = prior.flow.normal(prior.neighbours(code, 2000, 2.0, generator))
    assert far.square().mean() == pytest.approx(1.0, abs=0.1)  # as normal numbers are


def test_normal_numbers_stay_as_large(generator):
    normal = torch.randn(40_000, 1, generator=generator)
    for amount in (0.0, 0.5, 5.0):
        assert beside(normal, amount, generator).std() == pytest.approx(1.0, abs=0.02)


def test_the_way_between_codes_is_an_arc_before_it_flows():
    prior = prior_of([0.0, 0.0], [1.0, 1.0])
    start, end = torch.tensor([5.0, 3.0]), torch.tensor([3.0, 5.0])
    shares = torch.tensor([0.0, 0.5, 1.0])
    way = prior.between(start, end, shares)
    half = 3 + math.sqrt(2)
    torch.testing.assert_close(way, torch.tensor([[5.0, 3.0], [half, half], [3.0, 5.0]]))
    many = prior.between(start.expand(3, -1), end.expand(3, -1), shares)
    torch.testing.assert_close(many, way)


# --- fitting to a few codes --------------------------------------------------------------------


def test_a_prior_that_counts_as_many_codes_is_fitted_to_both(generator):
    """What would be the moments of its own codes and of the new ones together."""
    prior = prior_of([1.0], [2.0])
    codes = prior.flow.codes(5 + torch.randn(200, 1, generator=generator))
    found, counts_as = fitted(prior, codes[:100], codes[100:])
    assert counts_as == 0.25 * 100
    own = prior.flow.normal(codes[:100])
    old = torch.randn(100_000, 1, generator=generator) * 2 + 1
    both = torch.cat([own.repeat(1000, 1), old[:25_000]])
    torch.testing.assert_close(found.mean, both.mean(dim=0), atol=0.02, rtol=0)
    torch.testing.assert_close(found.deviation, both.std(dim=0), atol=0.02, rtol=0)


def test_how_much_the_old_prior_counts_is_chosen_by_held_out_codes(generator):
    """Of few codes from the same music, it counts much."""
    prior = prior_of([0.0] * 20, [1.0] * 20)
    drawn = prior.draw(1000, generator)
    _, counts_as = fitted(prior, drawn[:10], drawn[10:])
    assert counts_as >= 16 * 10


def test_a_prior_that_nothing_new_improves_stays(generator):
    prior = prior_of([0.0, 0.0], [1.0, 1.0])
    found, counts_as = fitted(prior, torch.full((30, 2), 50.0), prior.draw(500, generator))
    assert math.isinf(counts_as)
    assert found is prior


# --- arcs --------------------------------------------------------------------------------------


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
