"""The source's network: its sizes, its fading, its losses; trained and resumed."""

from __future__ import annotations

import importlib.util
import json
import math
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gansynth_lite.layout import LAYOUTS, Layout
from gansynth_lite.model import Conv
from gansynth_lite.notes import Notes
from gansynth_lite.progressive import (
    ProgressiveDiscriminator,
    ProgressiveGAN,
    faded,
    levels_of,
    stage,
)
from gansynth_lite.progressive_training import (
    ProgressiveSettings,
    ProgressiveTraining,
    progress_at,
)
from groove_core.errors import UsageError
from groove_core.learning import Run, Step, epoch_generator, launch, trained
from groove_core.storage import checkpoints
from groove_core.testing.training import check_resume

spec = importlib.util.spec_from_file_location(
    "notes_of_tests", Path(__file__).parents[1] / "conftest.py"
)
made = importlib.util.module_from_spec(spec)
spec.loader.exec_module(made)

TINY = Layout(sample_rate=4000, n_fft=128, frames=16)
QUICK = ProgressiveSettings(TINY, most=8, code=8, epochs=4, batches=4, batch_size=4)


def gan(layout=TINY, most=8, code=8, **more):
    torch.manual_seed(0)
    return ProgressiveGAN(asdict(layout), most, code, **more)


@pytest.fixture(scope="module")
def notes():
    rng = np.random.default_rng(0)
    pitches = np.repeat(np.arange(48, 88, 5), 2)
    hz = 440 * 2 ** ((pitches - 69) / 12)
    time_s = np.arange(TINY.samples) / TINY.sample_rate
    tones = np.sin(2 * np.pi * hz[:, None] * time_s + rng.uniform(0, 6, (16, 1)))
    return Notes(
        samples=(20_000 * tones).astype(np.int16), pitches=pitches,
        families=np.zeros(16, np.int64), instruments=np.tile([0, 1], 8),
        velocities=np.full(16, 90), family_names=("flute",), instrument_names=("a", "b"),
        sample_rate=TINY.sample_rate, source="folder", name="tones", license="CC0-1.0",
    )  # fmt: skip


def random(model, count=3):
    return model.instruments(torch.randn(count, model.code)), torch.tensor([40.0, 60.0, 80.0])


# networks ------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "levels"), [("full", 7), ("small", 6)])
def test_shapes(name, levels):
    layout = LAYOUTS[name]
    model = gan(layout, most=2)
    discriminator = ProgressiveDiscriminator(model)
    assert levels_of(layout) == levels
    with torch.no_grad():
        pictures = model(*random(model))
        assert pictures.shape == (3, 2, layout.bins, layout.frames)
        torch.testing.assert_close(pictures, layout.heard(pictures))
        assert model(*random(model), frames=9).shape[-1] == 9
        w, pitch = random(model)
        for progress in (0.0, 1.5, levels - 1.0):
            coarse = model.synthesis(w, model.classes(pitch), progress)
            k = levels - 1 - stage(progress)[0]
            assert coarse.shape == (3, 2, layout.bins >> k, layout.frames >> k)
            assert faded(pictures, progress, levels).shape == coarse.shape
            score, logits = discriminator(coarse, progress)
            assert (score.shape, logits.shape) == ((3,), (3, 61))


def test_the_size_is_that_of_the_source():
    model = ProgressiveGAN(asdict(LAYOUTS["full"]))
    assert tuple(model.synthesis.start.shape) == (317, 256, 16, 2)
    maps = [convs[-2].weight.shape[0] for convs in model.synthesis.convs]
    assert maps == [256, 256, 256, 256, 128, 64, 32]
    counts = [
        sum(p.numel() for p in one.parameters()) / 1e6
        for one in (model, ProgressiveDiscriminator(model))
    ]
    assert counts == pytest.approx([7.3, 6.8], abs=0.05)


@pytest.mark.parametrize("frames", [8, 20, 100, 127])
def test_any_number_of_frames(frames):
    layout = replace(TINY, frames=frames)
    model = gan(layout)
    assert model(*random(model)).shape[-1] == frames


def test_fading_is_continuous():
    model = gan()
    discriminator, levels = ProgressiveDiscriminator(model), levels_of(TINY)
    w, pitch = random(model)
    classes, pictures = model.classes(pitch), torch.rand(3, 2, TINY.bins, TINY.frames)
    close = {"atol": 1e-4, "rtol": 1e-4}
    for level in range(levels - 1):
        begun, ended = level + 1e-6, level + 1 - 1e-6
        for look in (
            lambda p: model.synthesis(w, classes, p),
            lambda p: faded(pictures, p, levels),
        ):
            coarse, fine = look(float(level)), look(level + 1.0)
            doubled = coarse.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
            torch.testing.assert_close(look(begun), doubled, **close)
            torch.testing.assert_close(look(ended), fine, **close)
            torch.testing.assert_close(look(level + 0.5), (doubled + fine) / 2)
        shown = faded(pictures, begun, levels)
        coarse = discriminator(faded(pictures, float(level), levels), float(level))
        for now, before in zip(discriminator(shown, begun), coarse, strict=True):
            torch.testing.assert_close(now, before, **close)


def test_progress_grows_in_parts_of_one_length():
    at = [progress_at(done / 13, 7) for done in range(14)]
    assert at == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]
    assert progress_at(5.25 / 13, 7) == pytest.approx(2.25)
    assert progress_at(0.7, 1) == 0


def test_rates_are_equalised():
    for of, kernel in ((4, 3), (64, 3), (64, 1)):
        conv = Conv(of, 400, kernel, gain=math.sqrt(2))
        # All weights are of one size, so one rate fits all; the output is scaled.
        assert float(conv.weight.detach().std()) == pytest.approx(1, abs=0.1)
        out = conv(torch.randn(4, of, 8, 8))[..., 2:-2, 2:-2]
        assert float(out.detach().square().mean()) == pytest.approx(2, rel=0.2)
    start = gan(code=100).synthesis
    given = torch.randn(200, 161)
    grown = torch.einsum("nc,cmbf->nmbf", given, start.start * start.scale)
    assert float(grown.detach().square().mean()) == pytest.approx(2 / 64, rel=0.2)  # 16 x 4 places


def test_pitches_are_rounded_to_classes():
    model = gan(low=40, high=50)
    pitch = torch.tensor([39.0, 40.4, 44.6, 99.0])
    assert model.classes(pitch).tolist() == [0, 0, 5, 10]
    glide = torch.linspace(43, 45.2, TINY.frames).expand(2, -1)
    assert model.classes(glide).tolist() == [4, 4]
    w = model.instruments(torch.randn(1, 8))
    torch.testing.assert_close(model(w, torch.tensor([44.3])), model(w, torch.tensor([44.0])))
    assert not torch.equal(model(w, torch.tensor([44.0])), model(w, torch.tensor([45.0])))
    with pytest.raises(UsageError, match="no pitch from 50 to 40"):
        gan(low=50, high=40)


def test_instruments_are_on_a_sphere_and_found_by_their_gradient():
    model = gan()
    w = model.instruments(torch.randn(5, 8), torch.zeros(5, 0))
    torch.testing.assert_close(w.square().mean(dim=1), torch.ones(5))
    w.requires_grad_()
    model(w, torch.full((5,), 60.0)).square().sum().backward()
    assert w.grad is not None
    assert bool((w.grad.abs().sum(dim=1) > 0).all())
    with pytest.raises(UsageError, match="no encoder"):
        model.encode(torch.zeros(1, 2, 64, 16), torch.zeros(1))


def test_a_batch_of_likes_is_told_from_one_of_unlikes():
    discriminator, full = ProgressiveDiscriminator(gan()), levels_of(TINY) - 1.0
    one, others = torch.rand(1, 2, 64, 16), torch.rand(3, 2, 64, 16)
    alike, _ = discriminator(one.expand(4, -1, -1, -1), full)
    unlike, _ = discriminator(torch.cat([one, others]), full)
    assert not torch.isclose(alike[0], unlike[0])


def test_a_checkpoint_keeps_everything(tmp_path):
    model = gan(low=40, high=50)
    model.progress.fill_(1.0)
    card = dict.fromkeys(checkpoints.REQUIRED, "") | {
        "schema": checkpoints.SCHEMA, "package": "gansynth-lite", "version": "0.1.0",
        "data": {}, "metrics": {}, "made_with": {}, "seed": 1,
    }  # fmt: skip
    checkpoints.save(tmp_path / "x", model, card)
    again, _ = checkpoints.load("gansynth-lite", tmp_path / "x", ProgressiveGAN)
    assert again.config == model.config == json.loads(json.dumps(model.config))
    w, pitch = random(model)
    drawn = again(w, pitch)
    torch.testing.assert_close(drawn, model(w, pitch))
    side = TINY.bins // 32  # of level 1, shown at full size
    torch.testing.assert_close(drawn[:, 0, ::side], drawn[:, 0, side - 1 :: side])


# training ------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["32", "bf16"])
@pytest.mark.parametrize("done", [0.3, 0.99])
def test_a_step_learns(notes, done, precision):
    settings = replace(QUICK, precision=precision)
    task = ProgressiveTraining(settings, made.lesson(notes), 1)
    before = {k: v.clone() for k, v in task.model.state_dict().items()}
    critic = {k: v.clone() for k, v in task.discriminator.state_dict().items()}
    generator = epoch_generator(1, 0)
    batch = task.batches(generator)[0]
    losses = task.learn(batch, Step(launch("cpu"), generator, done, len(batch)))
    assert all(math.isfinite(loss.item()) for loss in losses.values())
    level, alpha = stage(progress_at(done, task.levels))
    last = task.levels - 1
    for module, old in ((task.model, before), (task.discriminator, critic)):
        changed = {k for k, v in module.state_dict().items() if not torch.equal(v, old[k])}
        grown = "synthesis.convs" if module is task.model else "first"
        assert any(k.startswith(f"{grown}.{level if module is task.model else level - 1}.")
                   for k in changed)  # fmt: skip
        if level < last:  # what is not grown yet, does not learn
            assert not any(k.startswith(f"synthesis.convs.{last}.") for k in changed)
            assert not any(k.startswith(f"first.{last - 1}.") for k in changed)
    assert float(task.result().progress) == pytest.approx(level - 1 + alpha)


def test_pitches_are_learnt(notes):
    settings = replace(QUICK, epochs=5, batches=16, batch_size=8, learning_rate=8e-3)
    history = trained(ProgressiveTraining, settings, made.lesson(notes), Run(seed=2)).history
    # All 36 classes are as likely at first; then it is more than which eight there are.
    assert history[0]["pitch of real"] > math.log(8) > 1.3 * history[-1]["pitch of real"]
    assert history[-1]["pitch of fakes"] < history[0]["pitch of fakes"]
    assert history[0]["progress"] == 0
    assert history[-1]["progress"] == levels_of(TINY) - 1


def test_an_interrupted_training_ends_as_an_unbroken_one(notes, tmp_path):
    check_resume(ProgressiveTraining, QUICK, made.lesson(notes), tmp_path, seed=3)
    run = Run(seed=3, folder=tmp_path / "broken", resume=True)
    with pytest.raises(UsageError, match="drift"):
        trained(ProgressiveTraining, replace(QUICK, drift=0.0), made.lesson(notes), run)
