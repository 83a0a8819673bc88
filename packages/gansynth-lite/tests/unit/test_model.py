"""Instruments, generator, encoder and discriminator."""

from __future__ import annotations

import copy
from dataclasses import asdict

import pytest
import torch

from gansynth_lite.layout import LAYOUTS, Layout
from gansynth_lite.model import Conv, Discriminator, GANSynth, Linear, mixed, unlike
from groove_core.errors import CheckpointError
from groove_core.learning import pixel_norm
from groove_core.storage import checkpoints

FAMILIES = ("flute", "reed", "string")
SMALL = LAYOUTS["small"]


@pytest.fixture(scope="module")
def model() -> GANSynth:
    torch.manual_seed(0)
    return GANSynth(asdict(SMALL), FAMILIES, width=4, most=16, code=32).eval()


def codes(model: GANSynth, count: int) -> torch.Tensor:
    z = torch.randn(count, model.code, generator=torch.Generator().manual_seed(1))
    return model.instruments(z, torch.eye(3)[torch.arange(count) % 3])


@torch.no_grad()
def test_instruments_lie_on_a_sphere_and_depend_on_the_family(model):
    z = torch.randn(1, model.code).expand(3, -1)
    w = model.mapped(z, torch.eye(3))
    assert torch.allclose(w.square().mean(dim=1), torch.ones(3), atol=1e-3)
    assert unlike(w[:1], w[1:2]) > 0.01


@torch.no_grad()
@pytest.mark.parametrize("layout", [SMALL, LAYOUTS["full"], Layout(n_fft=256, frames=16)])
def test_shapes(layout):
    model = GANSynth(asdict(layout), FAMILIES, width=2, most=8, code=16)
    pitch = torch.tensor([40.0, 71.5])
    pictures = model(codes(model, 2), pitch)
    assert pictures.shape == (2, 2, layout.bins, layout.frames)
    assert model.encode(pictures, pitch).shape == (2, 16)
    assert Discriminator(model)(pictures, pitch, torch.eye(3)[:2]).shape == (2,)
    assert layout.to_samples(pictures).shape == (2, layout.samples)


@torch.no_grad()
@pytest.mark.parametrize("frames", [1, 7, 20, 33, 63])
def test_the_beginning_of_a_note_is_the_same_as_in_the_whole(model, frames):
    w, pitch = codes(model, 2), torch.tensor([50.0, 61.0])
    whole = model(w, pitch)
    assert torch.allclose(model(w, pitch, frames=frames), whole[..., :frames], atol=1e-5)


@torch.no_grad()
def test_noise_comes_from_the_generator_only(model):
    w, pitch = codes(model, 1), torch.tensor([60.0])
    for one in (*model.synthesis.first, *model.synthesis.second):
        one.loudness.fill_(0.5)
    first, again, other = (
        model(w, pitch, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(model(w, pitch), model(w, pitch))
    for one in (*model.synthesis.first, *model.synthesis.second):
        one.loudness.zero_()


@torch.no_grad()
def test_a_glide_of_one_pitch_is_that_pitch(model):
    w = codes(model, 1)
    glide = torch.full((1, SMALL.frames), 62.0)
    # Frequency may differ where it is just heard, or just not.
    assert torch.allclose(model(w, glide)[:, 0], model(w, glide[:, 0])[:, 0], atol=1e-4)


@torch.no_grad()
def test_pitch_moves_what_is_drawn(model):
    w = codes(model, 1)
    low, high = model(w, torch.tensor([60.0])), model(w, torch.tensor([60.5]))
    assert (low - high).abs().max() > 0.01


@torch.no_grad()
def test_weights_are_scaled_when_used():
    torch.manual_seed(0)
    assert Linear(400, 300)(torch.randn(50, 400)).std() == pytest.approx(1, abs=0.1)
    assert Conv(32, 32)(torch.randn(2, 32, 16, 16)).std() == pytest.approx(1, abs=0.15)
    assert torch.allclose(pixel_norm(torch.randn(4, 9)).square().mean(dim=1), torch.ones(4))


@torch.no_grad()
def test_the_discriminator_sees_how_much_a_group_differs(model):
    discriminator = Discriminator(model, group=4)
    pitch, family = torch.full((4,), 60.0), torch.eye(3)[[0] * 4]
    one = torch.rand(1, 2, SMALL.bins, SMALL.frames)
    alike = discriminator(one.expand(4, -1, -1, -1), pitch, family)
    others = torch.cat([one, torch.rand(3, 2, SMALL.bins, SMALL.frames)])
    assert alike[0] != discriminator(others, pitch, family)[0]
    assert torch.allclose(alike, alike[:1].expand(4), atol=1e-5)


def test_checkpoints(model, tmp_path):
    card = {
        key: {} if key in ("data", "metrics", "made_with") else "x"
        for key in checkpoints.REQUIRED if key != "schema"
    } | {"package": "gansynth-lite", "name": "mine", "version": "1"}  # fmt: skip
    path = checkpoints.save(tmp_path / "mine", model, card)
    again, _ = checkpoints.load("gansynth-lite", path, GANSynth)
    w, pitch = codes(model, 1), torch.tensor([60.0])
    assert torch.equal(again(w, pitch), model(w, pitch))
    with pytest.raises(CheckpointError):
        checkpoints.load("gansynth-lite", path, Discriminator)


def known_codes(code: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Make 60 instruments of three families that differ in eight directions only."""
    generator = torch.Generator().manual_seed(0)
    centres = pixel_norm(torch.randn(3, code, generator=generator))
    groups = torch.arange(60) % 3
    away = 0.3 * torch.randn(60, code, generator=generator)
    away[:, 8:] = 0
    return pixel_norm(centres[groups] + away), groups


@torch.no_grad()
def test_instruments_are_drawn_where_those_of_a_family_lie(model):
    model = copy.deepcopy(model)
    known, groups = known_codes(model.code)
    model.settle(known, groups)
    z = torch.randn(300, model.code, generator=torch.Generator().manual_seed(1))
    drawn = model.instruments(z, torch.eye(3)[torch.arange(300) % 3])
    near = torch.nn.functional.cosine_similarity(drawn[:, None], known[None], dim=2)
    assert (groups[near.argmax(dim=1)] == torch.arange(300) % 3).all()
    mine = drawn[::3]
    assert mine.std(dim=0)[:8].mean() > 5 * mine.std(dim=0)[8:].mean()


@torch.no_grad()
def test_focus_goes_from_the_middle_of_a_family_to_its_instruments():
    known, groups = known_codes(32)
    z, family = torch.randn(50, 32), torch.eye(3)[[1] * 50]
    middle = mixed(z, family, known, groups, 0.0)
    assert torch.allclose(middle, (groups == 1).float().expand(50, -1) / 20)
    assert (mixed(z, family, known, groups, 1e4).amax(dim=1) > 0.99).float().mean() > 0.9
    largest = [mixed(z, family, known, groups, f).amax(dim=1).mean() for f in (1.0, 3.0, 9.0)]
    assert largest == sorted(largest)
    # Of two families in equal parts, both are in it; one that nothing is known of is like all.
    both = mixed(z, torch.tensor([[0.5, 0.5, 0.0]] * 50), known, groups, 0.0)[0]
    assert both[groups < 2].min() > 0 == both[groups == 2].max()
    none = mixed(z, torch.eye(4)[[3] * 50], known, groups, 0.0)
    assert torch.allclose(none, torch.full((50, 60), 1 / 60))


@torch.no_grad()
def test_known_instruments_are_kept_and_older_checkpoints_load(model, tmp_path):
    new = copy.deepcopy(model)
    new.settle(*known_codes(model.code))
    for one in (model, new):
        again = GANSynth(**one.config)
        again.load_state_dict(one.state_dict())
        assert torch.equal(codes(again, 6), codes(one, 6))
    config = {k: v for k, v in model.config.items() if k not in ("low", "high", "known", "focus")}
    old = GANSynth(**config)
    old.load_state_dict(model.state_dict())
    assert torch.equal(codes(old, 6), codes(model, 6))
    assert (old.low, old.high) == (24, 84)
