"""Training the audio model: it learns, resumes exactly, and tells when it has collapsed."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from groove_core import learning
from groove_core.errors import InputError, UsageError
from groove_core.learning import Run, Step, fit, trained
from groove_core.storage import checkpoints
from groove_core.testing.training import check_resume
from groove_vae import compare
from groove_vae.model import FeelVAE
from groove_vae.performances import load
from groove_vae.training import FeelTraining, Rendered, Settings, collapse

SMALL = {"hidden": 16, "frames": 400, "batch_size": 4, "batches": 20, "epochs": 3}
SOME = load("train")[:8]


def train(settings: dict, data: Path, run: Run):
    return learning.train(FeelTraining, Settings(**settings), load(data=data), run)


class Same(FeelTraining):
    """Learns one batch by heart."""

    def batches(self, generator: torch.Generator) -> list[torch.Tensor]:
        numbers = torch.arange(self.settings.batch_size)
        self.rendered = Rendered(self.learnt, self.settings, seed=0)[numbers]
        return [numbers] * self.settings.batches


@pytest.mark.slow
def test_a_tiny_model_overfits_one_batch(tmp_path, capsys):
    by_heart = {"epochs": 20, "learning_rate": 0.01, "beta": 0.01, "rank": 1.0}
    settings = Settings(**{**SMALL, **by_heart})
    task = Same(settings, SOME)
    history = fit(task, Run(0, folder=tmp_path))
    # From 1.5 nats a frame; 0 is a spread of 0.24 in both envelopes.
    assert history[0]["surprise"] > 1
    assert history[-1]["surprise"] < 0.3
    # chance is log 2
    assert history[-1]["rank"] < 0.35
    assert history[-1]["active_units"] >= 1
    watch = collapse(task.model, SOME, settings)
    assert not watch["collapsed"]
    assert "collapse" not in capsys.readouterr().err
    line = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1])
    assert {"kl", "kl_1", "kl_2", "active_units", "rank", "surprise"} <= line.keys()


def test_the_alarm_fires_when_the_posterior_collapses(tmp_path, capsys):
    settings = Settings(**{**SMALL, "beta": 1000.0, "free_bits": 0.0, "rank": 0.0})
    task = Same(settings, SOME)
    history = fit(task, Run(0, folder=tmp_path))
    watch = collapse(task.model, SOME, settings)
    assert watch["collapsed"]
    assert watch["active_units"] == 0
    assert max(watch["kl_per_dimension"]) < 0.01
    assert history[-1]["active_units"] == 0
    assert "posterior collapse: none of 2" in capsys.readouterr().err


def test_batches_are_pairs_and_come_again():
    settings = Settings(**{**SMALL, "batches": 2})
    first, second = (
        [one[numbers] for numbers in one.batches()]
        for one in (Rendered(SOME, settings, seed=3) for _ in range(2))
    )
    assert len(first) == 2
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    assert not torch.equal(first[0], first[1])
    batch = first[0]
    assert batch.shape[:2] == (4, 400)
    # what is marked is marked in both versions, and something was changed
    torch.testing.assert_close(batch[::2, :, -3:], batch[1::2, :, -3:])
    assert (batch[:, :, -3] > 0).any()
    assert (batch[:, :, -3] == 0).any()


@pytest.mark.parametrize("count", [1, 2])
def test_each_process_renders_its_part_only(count):
    """And all parts together are the batch that one process renders."""
    settings = Settings(**{**SMALL, "batches": 2})
    seen = []

    class Watched(Rendered):
        def pair(self, number):
            seen.append(number)
            return super().pair(number)

    parts = []
    for rank in range(count):
        fabric = SimpleNamespace(global_rank=rank, world_size=count, device=torch.device("cpu"))
        step, mine = Step(fabric, torch.Generator()), Watched(SOME, settings, seed=3)
        parts.append([mine[step.rows(numbers)] for numbers in mine.batches()])
        # Of each batch of two pairs, one and once, also where it was rendered ahead.
        assert sorted(seen) == ([0, 1, 2, 3] if count == 1 else [rank, 2 + rank])
        seen.clear()
    whole = Rendered(SOME, settings, seed=3)
    for number, batch in enumerate(whole.batches()):
        together = torch.cat([part[number] for part in parts])
        torch.testing.assert_close(together, whole[batch], rtol=0, atol=0)


def test_training_resumes_exactly_and_is_used(folder, tmp_path):
    small, run = {**SMALL, "batches": 3, "epochs": 2}, Run(folder=tmp_path / "whole")
    whole = train(small, folder, run)
    assert len(whole.data["posterior"]["kl_per_dimension"]) == 2
    assert {"surprise", "rank"} <= set(whole.columns) or whole.cell("AUC, 5 ms", "same kit")

    weights = (tmp_path / "whole/model.safetensors").read_bytes()
    again = train(small, folder, run)
    assert (tmp_path / "whole/model.safetensors").read_bytes() == weights
    assert again.rows == whole.rows
    model, card = checkpoints.load("groove-vae", tmp_path / "whole", FeelVAE)
    assert model.latent == 2
    assert card["training"]["hidden"] == 16
    score = load("test")[0].to_score()
    assert len(compare(score, checkpoint=str(tmp_path / "whole")).strokes) > 100


def test_an_interrupted_training_ends_with_the_same_weights(tmp_path):
    check_resume(FeelTraining, Settings(**{**SMALL, "batches": 2}), SOME, tmp_path)


def test_settings_that_cannot_be(folder, tmp_path):
    with pytest.raises(UsageError, match="cannot be cut into 2 even parts"):
        train({"batch_size": 6}, folder, Run(folder=tmp_path, devices=2))
    (tmp_path / "few").mkdir()
    fill = next(one for one in load("test") if len(one.tick) <= 8)
    fill.to_score().save(tmp_path / "few/0.mid")
    with pytest.raises(InputError, match="no performance of a few bars"):
        train({}, tmp_path / "few", Run(folder=tmp_path / "out"))


def test_up_to_eight_dimensions_with_full_covariance(tmp_path):
    settings = Settings(**{**SMALL, "latent": 8, "covariance": "full", "batches": 1, "epochs": 1})
    task = trained(FeelTraining, settings, SOME, Run(folder=tmp_path))
    [line] = task.history
    assert {f"kl_{i}" for i in range(1, 9)} <= line.keys()
    assert not task.model.encode(torch.zeros(1, 9, 44)).is_diagonal
