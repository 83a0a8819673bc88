"""The loss against numbers that were worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from music_vae.loss import (
    active_units,
    beta_at,
    charged,
    kl_divergence,
    own_share,
    reconstruction,
)


def test_the_divergence_is_that_of_torch():
    torch.manual_seed(0)
    mean, deviation = torch.randn(16, 5), torch.rand(16, 5) + 0.1
    one = torch.distributions.Normal(mean, deviation)
    other = torch.distributions.Normal(torch.zeros(5), torch.ones(5))
    expected = torch.distributions.kl_divergence(one, other).sum(dim=1)
    torch.testing.assert_close(kl_divergence(mean, deviation), expected)


def test_the_divergence_by_hand():
    # Of N(3, 1) from N(0, 1): 9 / 2. Of N(0, 1/4): (1/4 - 1) / 2 + ln 2.
    kl = kl_divergence(torch.tensor([[3.0, 0.0]]), torch.tensor([[1.0, 0.5]]))
    assert kl.item() == pytest.approx(4.5 - 0.375 + math.log(2))


def test_free_bits_are_of_the_whole_code_and_in_bits():
    # Two dimensions of 3 bits each are 6 bits; 4 of them are free, once and not twice.
    kl = torch.tensor([6 * math.log(2), 3 * math.log(2)])
    paid = charged(kl, free_bits=4)
    assert paid.tolist() == pytest.approx([2 * math.log(2), 0.0])
    assert charged(kl, 0).tolist() == kl.tolist()


def test_each_piece_has_its_own_free_bits():
    """A piece with few bits does not lend what it leaves to another."""
    assert charged(torch.tensor([0.0, 2 * math.log(2)]), 1).mean().item() == pytest.approx(
        0.5 * math.log(2)
    )


def test_free_bits_have_no_gradient():
    kl = torch.tensor([0.5, 5.0], requires_grad=True)
    charged(kl, 1.0).sum().backward()
    assert kl.grad.tolist() == [0.0, 1.0]


def test_beta_rises_as_in_the_paper():
    assert beta_at(0) == 0
    assert beta_at(1) == pytest.approx(0.2 * 1e-5)
    assert beta_at(50_000) == pytest.approx(0.2 * (1 - math.exp(-0.5)), rel=1e-4)
    assert beta_at(10**8) == pytest.approx(0.2)
    assert beta_at(10, top=1.0, keep=0.5) == 1 - 2**-10


def test_scheduled_sampling_reaches_a_half_where_the_paper_does():
    assert own_share(0) == pytest.approx(1 / 1001)
    assert own_share(round(1000 * math.log(1000))) == pytest.approx(0.5, abs=1e-3)
    assert own_share(10**7) == 1.0  # e^10000 overflows
    steps = [own_share(step) for step in range(0, 20_000, 100)]
    assert steps == sorted(steps)


def test_reconstruction_adds_voices_and_steps():
    logits = [torch.tensor([[[0.0, math.log(3)]] * 2]), torch.zeros(1, 2, 4)]
    events = torch.tensor([[[1, 0], [3, 0]]])
    nats = reconstruction(logits, events)
    assert nats.tolist() == pytest.approx([-math.log(0.75) - math.log(0.25) + 2 * math.log(4)])


def test_units_are_active_above_a_hundredth_of_variance():
    means = torch.tensor([[0.0, 0.11, 5.0], [0.0, -0.11, 5.0], [0.1, 0.11, 5.0], [0.1, -0.11, 5.0]])
    assert active_units(means) == 1
