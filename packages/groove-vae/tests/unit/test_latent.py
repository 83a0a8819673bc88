"""What z tells, in nats per hit."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from groove_core.errors import InputError, UsageError
from groove_vae import evaluate
from groove_vae.latent import WAYS, evaluate_latent
from groove_vae.performances import load
from groove_vae.twin import Twin


@pytest.fixture(scope="module")
def report():
    return evaluate(about="latent", count=6, seed=1)


def test_z_of_the_shipped_model_tells_much_of_its_own_performance(report):
    nats = {name: report.cell(name, "nats per hit").value for name in WAYS}
    own, cost = nats["its own z"], report.data["cost"]
    assert own - cost == pytest.approx(nats["its own z, less what z costs"], abs=1e-6)
    # The bound of many draws lies between that of one and what z could tell for nothing.
    assert own - cost < nats["z integrated out"] < own
    assert nats["z integrated out"] > nats["without z"] + 0.1
    assert nats["without z"] > nats["z of another performance"]
    assert "Differences are paired." in report.notes[-1]


def test_a_decoder_that_ignores_z_gains_nothing_by_it():
    torch.manual_seed(0)
    model = Twin(styles=[], drummers=[], hidden=8, latent=4).eval()
    weight = model.decoder.lstm.weight_ih_l0
    first = weight.shape[1] - 4 - 1 - 16  # z, whether it is given, and what style and drummer are
    with torch.no_grad():
        for one in (weight, model.decoder.lstm.weight_ih_l0_reverse):
            one[:, first : first + 5] = 0
    found = evaluate_latent(model, load(), count=4, seed=1)
    for name in ("its own z", "z of another performance", "z drawn from the prior"):
        assert found.cell(name, "more than without z").value == pytest.approx(0, abs=1e-5)
    assert found.cell("its own z, less what z costs", "more than without z").value < 0


def test_a_performance_alone_has_no_other_to_compare_with():
    first, second = load("test")[:2]
    silent = replace(second, tick=second.tick[:0], pitch=second.pitch[:0])
    silent = replace(silent, velocity=second.velocity[:0])
    model = Twin(styles=[], drummers=[], hidden=4, latent=2)
    with pytest.raises(InputError, match="1 performances with hits"):
        evaluate_latent(model, [first, silent], seed=1)


def test_kits_are_chosen_for_sound_only(tmp_path):
    with pytest.raises(UsageError, match="latent is measured on notes"):
        evaluate(about="latent", strokes=tmp_path)
