"""The losses are those of the equations."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from genre_map.gan import (
    DEPENDENT,
    FREE,
    INDEPENDENT,
    Critic,
    Generator,
    GenreGAN,
    critic_loss,
    infonce,
    jensen_shannon,
    uneven,
    unsure,
)
from genre_map.genres import GENRES
from genre_map.model import GenreClassifier


class Fits(nn.Module):
    """A dependence that knows: c and m fit where they are equal."""

    def __init__(self, sharpness: float) -> None:
        super().__init__()
        self.sharpness = sharpness

    def forward(self, c, m):
        return self.sharpness * (0.5 - (c - m).abs().sum(dim=-1))


def test_information_between_nothing_and_everything():
    c = torch.eye(8, DEPENDENT)
    knows_nothing = jensen_shannon(Fits(0.0), c, c)
    assert float(knows_nothing) == pytest.approx(INDEPENDENT) == pytest.approx(2 * math.log(2))
    assert float(jensen_shannon(Fits(40.0), c, c)) < 1e-6
    assert float(infonce(Fits(0.0), c, c)) == pytest.approx(math.log(8))
    assert float(infonce(Fits(40.0), c, c)) < 1e-6


def test_even_and_sure_genres():
    even = torch.eye(10)
    one = torch.eye(10)[:1].expand(10, -1)
    unknown = torch.full((10, 10), 0.1)
    for p, lacking, doubt in (
        (even, 0.0, 0.0), (one, math.log(10), 0.0), (unknown, 0.0, math.log(10)),
    ):  # fmt: skip
        assert float(uneven(p)) == pytest.approx(lacking, abs=1e-4)
        assert float(unsure(p)) == pytest.approx(doubt, abs=1e-4)


class Slope(nn.Module):
    def __init__(self, steepness: float) -> None:
        super().__init__()
        self.steepness = nn.Parameter(torch.tensor(steepness))

    def forward(self, x):
        return self.steepness * x.flatten(1).sum(dim=1) / math.sqrt(x[0].numel())


@pytest.mark.parametrize(("steepness", "penalty"), [(1.0, 0.0), (3.0, 40.0)])
def test_the_penalty_wants_slopes_of_one(steepness, penalty):
    real, fake = torch.rand(4, 2, 8, 8), torch.rand(4, 2, 8, 8)
    critic = Slope(steepness)
    loss, distance = critic_loss(critic, real, fake, torch.rand(4), penalty=10, drift=0)
    drifted, _ = critic_loss(critic, real, fake, torch.rand(4), penalty=0, drift=1.0)
    with torch.no_grad():
        torch.testing.assert_close(distance, critic(real).mean() - critic(fake).mean())
        assert float(loss + distance) == pytest.approx(penalty, abs=1e-3)
        torch.testing.assert_close(drifted + distance, critic(real).square().mean())


@pytest.mark.parametrize(("variant", "shape"), [("ours", (2, 64, 128)), ("paper", (2, 84, 128))])
def test_pictures_have_the_layout_of_the_classifier(variant, shape):
    z = 2 * torch.rand(3, FREE + DEPENDENT) - 1
    pictures = Generator(shape, variant, 8)(z)
    assert pictures.shape == (3, *shape)
    assert ((pictures >= 0) & (pictures <= 1)).all()
    assert Critic(shape, variant, 8)(pictures).shape == (3,)


def test_only_ours_sees_that_a_batch_repeats_itself():
    torch.manual_seed(0)
    one = torch.rand(1, 2, 64, 128)
    many = torch.cat([one, torch.rand(3, 2, 64, 128)])
    for variant, sees in (("ours", True), ("paper", False)):
        critic = Critic((2, 64, 128), variant, 8)
        critic.settle(many)

        def scores(critic):
            with torch.no_grad():
                return critic(one.expand(4, -1, -1, -1))[0], critic(many)[0]

        alone, among = scores(critic)
        assert bool((alone - among).abs() > 1e-6) == sees
        # once it has learnt, a score does not depend on the others
        alone, same = scores(critic.eval())
        torch.testing.assert_close(alone, same, atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(same, among, atol=1e-6, rtol=1e-5)


def test_a_model_is_built_again_from_its_configuration():
    model = GenreGAN(GenreClassifier(GENRES).config, "ours", 8).eval()
    again = GenreGAN(**model.config).eval()
    again.load_state_dict(model.state_dict())
    z = model.draw(2, torch.Generator().manual_seed(1))
    assert z.abs().max() <= 1
    looked, same = model.look(z), again.look(z)
    assert torch.equal(looked.pictures, same.pictures)
    assert torch.allclose(looked.probabilities.sum(dim=1), torch.ones(2))
