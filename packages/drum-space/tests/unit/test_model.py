"""The networks and their losses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from drum_space.data import open_patterns
from drum_space.model import (
    Critic,
    DrumAutoencoder,
    acai_critic_loss,
    acai_regularizer,
    mix,
    vae_kl,
)
from drum_space.training import DrumTraining, Settings
from groove_core.errors import UsageError
from groove_core.learning import Run, fit


def test_kl_of_gaussians_is_the_closed_form():
    torch.manual_seed(0)
    mean, log_variance = torch.randn(64, 4), torch.randn(64, 4)
    q = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    p = torch.distributions.Normal(torch.zeros(4), torch.ones(4))
    expected = torch.distributions.kl_divergence(q, p).mean(dim=0).sum()
    torch.testing.assert_close(vae_kl(mean, log_variance, free_bits=0.0), expected)
    zeros = torch.zeros(8, 4)
    assert vae_kl(zeros, zeros, free_bits=0.25) == 1.0


def test_mixtures_pair_neighbours_with_folded_weights():
    codes = torch.arange(8.0).reshape(4, 2)
    alpha = torch.tensor([0.0, 0.5, 0.25, 0.0])
    mixed = mix(codes, alpha)
    torch.testing.assert_close(mixed[0], codes[1])
    torch.testing.assert_close(mixed[1], (codes[0] + codes[1]) / 2)
    torch.testing.assert_close(mixed[2], 0.25 * codes[2] + 0.75 * codes[3])
    with pytest.raises(UsageError, match="even"):
        mix(codes[:3], alpha[:3])


def test_acai_losses_on_a_known_critic():
    def critic(x):
        return x.mean(dim=1)

    bits, made, mixed = torch.ones(4, 10), torch.zeros(4, 10), torch.full((4, 10), 0.3)
    alpha = torch.full((4,), 0.1)
    torch.testing.assert_close(acai_regularizer(critic, mixed), torch.tensor(0.09))
    loss = acai_critic_loss(critic, bits, made, mixed, alpha, gamma=0.2)
    torch.testing.assert_close(loss, torch.tensor(0.2**2 + 0.2**2))


def test_the_critic_learns_to_tell_mixtures():
    """On a frozen decoder the critic does much better than any constant could.

    The best constant is 1/8: (1/8 - 1/4)^2 + var(alpha) + (1/8)^2 with alpha ~ U(0, 1/2).
    """
    torch.manual_seed(0)
    decoder = torch.nn.Sequential(torch.nn.Linear(4, 448), torch.nn.Sigmoid()).requires_grad_(False)
    critic = Critic(4, (64,))
    optimizer = torch.optim.Adam(critic.parameters(), lr=1e-3)
    losses = []
    for _ in range(600):
        codes, alpha = 8 * torch.nn.functional.normalize(torch.randn(128, 4)), 0.5 * torch.rand(128)
        bits, mixed = decoder(codes), decoder(mix(codes, alpha))
        loss = acai_critic_loss(critic, bits, bits, mixed, alpha, gamma=0.2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    constant = 1 / 64 + 0.25 / 12 + 1 / 64
    assert losses[0] > 0.9 * constant
    assert np.mean(losses[-50:]) < 0.6 * constant


@pytest.mark.parametrize("kind", ["ae", "vae", "acai"])
def test_a_tiny_model_overfits_eight_patterns(kind, tmp_path):
    patterns = open_patterns()
    some = patterns.part("train")[:800:100]
    few = replace(
        patterns, hits=patterns.hits[some], source=patterns.source[some],
        half_bar=patterns.half_bar[some], split=patterns.split[some],
    )  # fmt: skip
    settings = Settings(kind=kind, epochs=300, batch_size=8, learning_rate=3e-3, free_bits=0.5)
    task = DrumTraining(settings, few)
    history = fit(task, Run(folder=tmp_path, seed=0))
    # BCE per bit at the start is about 0.7; 0.03 is some 13 nats per pattern of 448 bits
    assert history[-1]["reconstruction"] < 0.03
    logits = task.model.logits(task.model.encode(task.hits))
    assert ((logits > 0) == task.hits).float().mean() > 0.98


def test_calibration_matches_the_density_per_drum():
    patterns = open_patterns()
    hits = torch.from_numpy(patterns.hits[patterns.part("train")[::20]])
    torch.manual_seed(0)
    model = DrumAutoencoder(kind="ae", latent=4).eval()
    model.calibrate(hits, seed=0)
    with torch.no_grad():
        drawn = model.decode(model.sample_codes(20_000, torch.Generator().manual_seed(5)))
    np.testing.assert_allclose(
        drawn.float().mean(dim=(0, 1)), hits.float().mean(dim=(0, 1)), atol=5e-3
    )


def test_sampling_follows_temperature_and_generator():
    model = DrumAutoencoder(kind="ae", latent=3, components=2)
    model.prior_means.copy_(torch.tensor([[0.0, 0, 0], [9, 9, 9]]))

    def draw(seed, temperature=1.0):
        generator = torch.Generator().manual_seed(seed)
        return model.sample_codes(2000, generator, temperature=temperature)

    torch.testing.assert_close(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))
    assert set(draw(1, 0.0).flatten().tolist()) == {0.0, 9.0}
    near = draw(1)[draw(1)[:, 0] < 4.5]
    assert near.std() == pytest.approx(1.0, abs=0.1)
