"""The network, its losses, collapse, and learning."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from groove_core.errors import InputError, UsageError
from groove_core.learning import Run, fit, train
from groove_core.testing.training import check_resume
from groove_vae.performances import load
from groove_vae.symbolic import performance_grid
from groove_vae.twin import Feel, Twin, active_units, as_feel, kl_divergence, play
from groove_vae.twin_evaluation import evaluate_twin, histogram_kl
from groove_vae.twin_training import Settings, TwinTraining, Windows, collapse


def mixture() -> Feel:
    torch.manual_seed(0)
    return as_feel(torch.randn(2, 4, 9, 3, 5))


def test_density_and_mean_are_those_of_the_mixture():
    feel = mixture()
    reference = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(logits=feel.log_weight),
        torch.distributions.Independent(
            torch.distributions.Normal(feel.mean, feel.log_sigma.exp()), 1
        ),
    )
    played = torch.randn(2, 4, 9, 2)
    torch.testing.assert_close(feel.log_prob(played), reference.log_prob(played))
    torch.testing.assert_close(feel.expected(), reference.mean)


def test_samples_have_the_distribution_of_the_mixture():
    # Narrow enough to stay inside of a step, beyond which is drawn again.
    mean = torch.tensor([[-0.5, 0.2], [0.4, 0.8]])
    log_weight = torch.tensor([0.3, 0.7]).log()
    one = Feel(log_weight, mean, torch.full((2, 2), 0.1).log())
    many = Feel(*(t.expand(40_000, *t.shape) for t in (one.log_weight, one.mean, one.log_sigma)))
    noise = torch.randn(40_000, 2, generator=torch.Generator().manual_seed(1))
    drawn = many.sample(noise)
    assert drawn.mean(dim=0).tolist() == pytest.approx(one.expected().tolist(), abs=0.01)
    # Velocity follows offset: both are of the same component.
    late = drawn[:, 0] > -0.05
    assert late.float().mean() == pytest.approx(0.7, abs=0.01)
    assert drawn[late, 1].mean() == pytest.approx(0.8, abs=0.01)
    cold = many.sample(noise, temperature=0.0)
    torch.testing.assert_close(cold, mean[1].double().expand(40_000, 2), atol=1e-3, rtol=0)


def test_no_draw_leaves_its_step():
    """Quantiles are distributed as draws that are repeated until they stay inside."""
    torch.manual_seed(0)
    mean, log_sigma = torch.tensor([[0.9, 0.5], [-0.2, 0.9]]), torch.tensor([[0.0, -2.0]] * 2)
    wide = Feel(torch.tensor([0.6, 0.4]).log(), mean, log_sigma)
    n = 100_000
    many = Feel(*(t.expand(n, *t.shape) for t in (wide.log_weight, wide.mean, wide.log_sigma)))
    drawn = many.sample(torch.randn(n, 2))
    assert drawn[:, 0].abs().max() <= 1
    which = torch.multinomial(wide.log_weight.exp(), n, replacement=True)
    tried = mean[which] + log_sigma.exp()[which] * torch.randn(n, 2)
    kept = tried[tried[:, 0].abs() < 1].double()
    assert len(kept) < 0.7 * n
    for side in (0, 1):
        shares = torch.linspace(0.02, 0.98, 25, dtype=torch.float64)
        torch.testing.assert_close(
            drawn[:, side].quantile(shares), kept[:, side].quantile(shares), atol=0.02, rtol=0
        )
    together = [float(torch.corrcoef(some.T)[0, 1]) for some in (drawn, kept)]
    assert together[0] == pytest.approx(together[1], abs=0.02)


def test_kl_is_the_closed_form():
    torch.manual_seed(0)
    mean, log_variance = torch.randn(64, 4), torch.randn(64, 4)
    q = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    p = torch.distributions.Normal(torch.zeros(4), torch.ones(4))
    expected = torch.distributions.kl_divergence(q, p)
    torch.testing.assert_close(kl_divergence(mean, log_variance), expected)


def test_what_rests_on_the_free_nats_is_not_active():
    kl = torch.tensor([0.0, 0.05, 0.09, 0.11, 2.0])
    assert active_units(kl, 0.05) == 2
    assert active_units(kl, 0.0) == 4  # some nats must be there


def test_z_left_out_has_no_influence():
    model = Twin(styles=["rock"], drummers=[], hidden=8, latent=4).eval()
    n = 3
    hits, tempo = torch.ones(n, 32, 9), torch.full((n,), 120.0)
    none = torch.zeros(n, dtype=torch.long)

    def decode(z, with_z):
        return model.decoder(hits, tempo, none, none, z, torch.full((n,), with_z))

    a, b = torch.randn(2, n, 4)
    torch.testing.assert_close(decode(a, False), decode(b, False))
    assert not torch.allclose(decode(a, True), decode(b, True))


def windows(count: int = 8) -> Windows:
    data = Windows.of(load("train")[:20])
    return Windows(data.table[:: len(data) // count][:count], data.styles, data.drummers)


class Few(TwinTraining):
    """Learns eight windows."""

    def learnt(self) -> Windows:
        return windows()


def trained(tmp_path, **settings) -> tuple[Twin, list[dict[str, float]], Windows]:
    usual = {"hidden": 32, "latent": 8, "epochs": 250, "batch_size": 8, "learning_rate": 1e-2,
             "dropout": 0.0, "drum_dropout": 0.0, "beta": 0.05, "weight_decay": 0.0}  # fmt: skip
    task = Few(Settings(**{**usual, **settings}), [])
    history = fit(task, Run(0, folder=tmp_path))
    return task.model.eval(), history, task.windows


def test_a_tiny_model_overfits_eight_windows(tmp_path, capsys):
    model, history, data = trained(tmp_path)
    # From about 1 nat a hit; -2.5 is a spread of some 0.05 in offset and velocity each.
    assert history[0]["with_z"] > 0.5
    assert history[-1]["with_z"] < -2.5
    assert history[-1]["without_z"] < -2.5
    watch = collapse(model, data, Settings().free_bits)
    assert not watch["collapsed"]
    assert watch["active_units"] >= 1
    assert "collapse" not in capsys.readouterr().err
    line = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1])
    assert {"kl", "active_units", *(f"kl_{i}" for i in range(1, 9))} <= line.keys()


def test_the_alarm_fires_when_the_posterior_collapses(tmp_path, capsys):
    model, history, data = trained(tmp_path, beta=1000.0, free_bits=0.0, epochs=60)
    watch = collapse(model, data, 0.0)
    assert watch["collapsed"]
    assert watch["active_units"] == 0
    assert max(watch["kl_per_dimension"]) < 0.01
    assert history[-1]["active_units"] == 0
    assert "posterior collapse: 0 of 8" in capsys.readouterr().err


def test_settings_that_cannot_be(tmp_path):
    with pytest.raises(UsageError, match="2 even parts"):
        train(TwinTraining, Settings(batch_size=5), [], Run(folder=tmp_path, devices=2))
    with pytest.raises(InputError, match="has 0 windows"):
        train(TwinTraining, Settings(), [], Run(folder=tmp_path))


def test_a_part_of_any_length_is_played():
    torch.manual_seed(0)
    model = Twin(styles=[], drummers=[], hidden=8, latent=4).eval()
    rng = np.random.default_rng(0)
    for bars in (1, 2, 3, 5):
        hit = rng.random((16 * bars, 9)) < 0.3
        for temperature in (0.0, 1.0):
            feel = play(model, hit, np.full(bars, 100.0), temperature=temperature)
            assert feel.hit is hit
            assert (feel.velocity[hit] > 0).all()
            assert (np.abs(feel.offset) <= 1).all()
            assert not feel.velocity[~hit].any()
            assert feel.offset[hit].any()


def test_histogram_kl():
    assert histogram_kl(np.array([0.5, 0.5]), np.array([0.5, 0.5])) == 0
    kl = histogram_kl(np.array([0.5, 0.5]), np.array([0.25, 0.75]))
    assert kl == pytest.approx(0.5 * np.log(2) + 0.5 * np.log(2 / 3))


def test_the_quantized_baseline_is_the_published_one():
    """22.6 ms and 0.041 squared sixteenths: two published numbers, met on the same split."""
    torch.manual_seed(0)
    model = Twin(styles=[], drummers=[], hidden=4, latent=2).eval()
    report = evaluate_twin(model, load(), seed=1)
    assert report.cell("quantized", "timing MAE, ms").value == pytest.approx(22.6, abs=0.1)
    assert report.cell("quantized", "timing MSE, 16ths²").value == pytest.approx(0.041, abs=1e-3)
    # A model that has learnt nothing is told from one that has.
    assert report.cell("model, sampled", "velocity KL").value > 0.3
    with pytest.raises(InputError, match="no test split"):
        evaluate_twin(model, load("train"), seed=1)


def test_windows_know_style_and_drummer():
    some = load("test")[:2]
    data = Windows.of(some)
    assert len(data) == sum(len(performance_grid(one).hit) // 16 - 1 for one in some)
    assert data.drummers == ("drummer1",)
    assert set(data.table[:, -1].tolist()) == {1.0}
    stranger = Windows.of(some, styles=["polka"], drummers=[])
    assert not stranger.table[:, -2:].any()


def test_interrupted_and_resumed_is_as_unbroken(tmp_path):
    settings = Settings(hidden=8, latent=4, epochs=4, batch_size=4)
    check_resume(Few, settings, [], tmp_path)
