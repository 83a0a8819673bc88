"""The life of every training: loop, state, clocks, measuring and storing."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import dataclass, replace

import pytest

from groove_core.errors import DeviceError, InputError, UsageError
from groove_core.storage import checkpoints
from groove_core.values import Report

torch = pytest.importorskip("torch")

from safetensors import safe_open  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from groove_core.learning import (  # noqa: E402
    Dropout,
    Run,
    Split,
    Step,
    Training,
    epoch_generator,
    fit,
    hashed,
    launch,
    learning_from,
    loop,
    seeded,
    train,
    trained,
)
from groove_core.learning.loop import Forecast  # noqa: E402
from groove_core.learning.training import Clock  # noqa: E402
from groove_core.testing.training import check_resume  # noqa: E402


@dataclass(frozen=True)
class Settings:
    epochs: int = 12
    batch_size: int = 16
    learning_rate: float = 0.05


class Net(torch.nn.Linear):
    def __init__(self, width: int = 1) -> None:
        super().__init__(width, 1)
        self.config = {"width": width}


class Line(Training):
    """Learn y = 2 x + 1 from noisy points."""

    package = "groove-core"

    def build(self):
        self.seen = []
        return Net()

    def loss(self, batch, step):
        self.seen.append(step.done)
        x = step.part(self.data[batch])
        noise = 0.01 * step.randn(len(batch), 1)
        loss = (self.modules["model"](x) - 2 * x - 1 + noise).square().mean()
        return loss, {"loss": loss}

    def measure(self, name):
        error = (self.model.weight - 2).abs().item()
        return Report(name, ("", "error"), ((name, error),))

    def card(self):
        return {"data": {"name": "points"}, "intended_use": "tests", "limits": "", "paper": ""}


POINTS = torch.linspace(-1, 1, 64)[:, None]


def line(**settings) -> Line:
    return Line(Settings(**settings), POINTS, 1)


def test_it_learns_and_keeps_a_log(tmp_path):
    task = line(epochs=60)
    history = fit(task, Run(folder=tmp_path))
    assert history[-1]["loss"] < 1e-3
    assert task.model.weight.item() == pytest.approx(2, abs=0.05)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == history
    assert task.seen[0] == 0
    assert max(task.seen) < 1
    assert task.clock.steps == 240
    # The rate that the settings give decays to 2 %.
    assert task.optimizers["model"].param_groups[0]["lr"] == pytest.approx(0.001, rel=0.05)


def test_resumed_is_as_unbroken(tmp_path):
    check_resume(Line, Settings(epochs=6), POINTS, tmp_path)
    same = [(tmp_path / n / "metrics.jsonl").read_bytes() for n in ("whole", "broken")]
    assert same[0] == same[1]


@pytest.mark.parametrize("stop", [1, 7])
def test_a_state_is_kept_after_the_first_epoch(tmp_path, stop):
    class Interrupted(Line):
        def batches(self, generator):
            if len(self.seen) == stop * 4:
                raise KeyboardInterrupt
            return super().batches(generator)

    with pytest.raises(KeyboardInterrupt):
        fit(Interrupted(Settings(), POINTS, 1), Run(folder=tmp_path))
    resumed, whole = line(), line()
    fit(resumed, Run(folder=tmp_path, resume=True))
    fit(whole, Run())
    assert len(resumed.history) == 12
    assert torch.equal(resumed.model.weight, whole.model.weight)
    assert resumed.clock.steps == whole.clock.steps


class Dropping(Line):
    """With layers that drop: ours, and torch's, which draws from the global generator."""

    def build(self):
        self.seen = []
        net = Net(8)
        self.body = torch.nn.Sequential(
            torch.nn.Linear(1, 8), Dropout(0.5), torch.nn.Dropout(0.2), net
        )
        return net

    def networks(self):
        return {"model": self.body}


def test_dropout_is_the_same_when_resumed(tmp_path):
    before = torch.get_rng_state()
    one = check_resume(Dropping, Settings(epochs=4), POINTS, tmp_path)
    assert torch.equal(before, torch.get_rng_state())  # global state is left alone
    torch.manual_seed(77)
    again = trained(Dropping, Settings(epochs=4), POINTS, Run())
    assert torch.equal(one.model.weight, again.model.weight)


class Process:
    """A process among several, in place of a Fabric."""

    device = torch.device("cpu")

    def __init__(self, rank, count=4):
        self.global_rank, self.world_size = rank, count


def test_dropout_of_several_processes_is_that_of_one():
    layer, x = Dropout(0.5), torch.ones(8, 3)

    def dropped(rank, count, part):
        step = Step(Process(rank, count), epoch_generator(1, 0), size=8)
        with learning_from(step):
            return layer(part)

    whole = dropped(0, 1, x)
    assert set(whole.unique().tolist()) == {0.0, 2.0}
    assert torch.equal(torch.cat([dropped(r, 4, x[:2]) for r in range(4)]), whole)
    # Two views of every item are dropped one after the other.
    both = dropped(0, 1, torch.cat([x, x]))
    assert torch.equal(both[:8], whole)
    assert not torch.equal(both[8:], whole)
    parts = [dropped(r, 4, torch.ones(4, 3)) for r in range(4)]
    assert torch.equal(torch.cat([p[:2] for p in parts] + [p[2:] for p in parts]), both)
    layer.eval()
    assert torch.equal(dropped(0, 1, x), x)


def test_what_a_killed_training_left_is_swept_and_its_log_made_whole(tmp_path):
    folder = tmp_path / "net"
    fit(line(epochs=2), Run(folder=folder))
    log = (folder / "metrics.jsonl").read_bytes()
    for left in (".state-0123abcd.safetensors", ".metrics-0123abcd.jsonl", ".mine-0123abcd.jsonl"):
        (folder / left).write_bytes(b"half")
    (tmp_path / ".net-0123abcd").mkdir()
    (tmp_path / ".net-0123abcd/card.json").write_bytes(b"half")
    (folder / "metrics.jsonl").write_bytes(log.splitlines(keepends=True)[0])  # killed between both
    fit(line(epochs=2), Run(folder=folder, resume=True))
    assert (folder / "metrics.jsonl").read_bytes() == log
    names = {path.name for path in folder.iterdir()}
    assert names == {"state.safetensors", "metrics.jsonl", ".mine-0123abcd.jsonl"}
    assert [path.name for path in tmp_path.iterdir()] == ["net"]


def test_a_training_is_not_lost_by_mistake(tmp_path):
    run = Run(folder=tmp_path)
    fit(line(epochs=2), run)
    with pytest.raises(UsageError, match="already holds"):
        fit(line(epochs=2), run)
    with pytest.raises(UsageError, match=r"has learning_rate 0.05, not 0.1"):
        fit(line(epochs=2, learning_rate=0.1), replace(run, resume=True))
    with pytest.raises(UsageError, match="has data "):
        fit(Line(Settings(epochs=2), POINTS[1:], 1), replace(run, resume=True))
    fit(line(epochs=2, learning_rate=0.1), replace(run, restart=True))
    (tmp_path / "state.safetensors").write_bytes(b"nothing")
    with pytest.raises(InputError, match="damaged"):
        fit(line(epochs=2), replace(run, resume=True))


def test_it_tells_beforehand_how_long_it_takes(tmp_path, capsys, monkeypatch):
    for run, told in (
        (Run(), "2 minutes: 10 epochs, 0.5 s a step\n"),  # 197 steps are left by then
        (Run(minutes=1), "58 seconds: 10 epochs, 0.5 s a step\n"),
        (Run(folder=tmp_path), "--resume goes on\n"),
    ):
        now = itertools.count()
        monkeypatch.setattr(time, "perf_counter", lambda now=now: next(now) / 2)
        forecast = Forecast(run, 10)
        for left in range(200, 150, -1):  # steps of half a second
            forecast.step(Clock(4, 2.0), left)
        shown = capsys.readouterr().err
        assert shown.startswith("this takes about")
        assert shown.endswith(told)
        assert shown.count("\n") == 1


def without(key, value):
    return {name: one for name, one in value.items() if name != key}


@pytest.mark.parametrize(
    "older",
    [
        lambda about, tensors: (without("clock", about), tensors),
        lambda about, tensors: (
            {**about, "settings": about["settings"].replace("learning_rate", "rate")}, tensors,
        ),
        lambda about, tensors: ({**about, "optimizers": '["critic", "model"]'}, tensors),
        lambda about, tensors: (about, without("module/model/bias", tensors)),
        lambda about, tensors: (about, {**tensors, "module/model/bias": torch.zeros(3)}),
        lambda about, tensors: (
            about, {key.replace("r/model", "r/net"): one for key, one in tensors.items()},
        ),
    ],
    ids=[
        "no clock", "other settings", "more optimizers", "fewer weights", "other shapes",
        "other optimizers",
    ],
)  # fmt: skip
def test_a_state_of_an_older_version_is_said_to_be_one(tmp_path, older):
    run = Run(folder=tmp_path)
    fit(line(epochs=2), run)
    path = tmp_path / "state.safetensors"
    with safe_open(path, "pt") as stored:
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        about, tensors = older(stored.metadata(), tensors)
    save_file(tensors, path, about)
    with pytest.raises(InputError, match="an older version wrote it") as error:
        fit(line(epochs=2), replace(run, resume=True))
    assert error.value.hint == "Begin again with --restart."
    fit(line(epochs=2), replace(run, restart=True))


def test_an_optimizer_that_keeps_nothing_can_be_resumed(tmp_path):
    class Plain(Line):
        def configure_optimizers(self):
            return {"model": torch.optim.SGD(self.model.parameters(), 0.05)}

    check_resume(Plain, Settings(epochs=4), POINTS, tmp_path)


def test_two_trainings_do_not_share_a_folder(tmp_path):
    run = Run(folder=tmp_path / "net")

    class Second(Line):
        def batches(self, generator):
            with pytest.raises(UsageError, match="in use by process"):
                fit(line(epochs=1), replace(run, restart=True))
            return super().batches(generator)

    fit(Second(Settings(epochs=1), POINTS), run)
    names = sorted(path.name for path in (tmp_path / "net").iterdir())
    assert names == ["metrics.jsonl", "state.safetensors"]


def test_a_training_that_does_not_begin_leaves_no_folder(tmp_path):
    with pytest.raises(UsageError, match="no training to resume"):
        fit(line(epochs=1), Run(folder=tmp_path / "net", resume=True))
    assert not list(tmp_path.iterdir())


def test_a_loss_that_is_not_a_number_ends_it(tmp_path):
    with pytest.raises(InputError, match="not a number"):
        fit(line(learning_rate=1e30, epochs=9), Run(folder=tmp_path))


def test_time_limits_a_training_all_resumptions_together(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(loop.time, "perf_counter", lambda: now[0])

    class Slow(Line):
        def loss(self, batch, step):
            now[0] += 3.0
            return super().loss(batch, step)

    run = Run(folder=tmp_path, minutes=0.5)
    task = Slow(Settings(epochs=100), POINTS, 1)
    history = fit(task, run)
    assert (task.clock.steps, task.clock.seconds) == (10, 30.0)
    assert len(history) == 3  # the last has half of its steps
    # The rate decays over the time there is.
    assert task.seen == pytest.approx([step / 10 for step in range(10)])
    again = Slow(Settings(epochs=100), POINTS, 1)
    assert fit(again, replace(run, resume=True)) == history
    more = Slow(Settings(epochs=100), POINTS, 1)
    fit(more, replace(run, resume=True, minutes=1.0))
    assert (more.clock.steps, more.clock.seconds) == (20, 60.0)


class Sated(Line):
    """Stop when three epochs in all were each better than the best one by less than a tenth."""

    def build(self):
        self.asked = []
        model = super().build()
        self.waited = torch.nn.Module()
        self.waited.register_buffer("best", torch.tensor(torch.inf))
        self.waited.register_buffer("count", torch.tensor(0))
        return model

    def networks(self):
        return {"model": self.model, "waited": self.waited}

    def is_finished(self):
        self.asked.append(len(self.history))
        if self.history:
            loss = self.history[-1]["loss"]
            self.waited.count += loss > 0.9 * self.waited.best
            self.waited.best.clamp_(max=loss)
        return bool(self.waited.count >= 3)


def test_a_training_that_is_finished_ends_early(tmp_path, capsys):
    task = Sated(Settings(epochs=40, learning_rate=0.5), POINTS, 1)
    history = fit(task, Run(folder=tmp_path))
    assert 3 < len(history) < 20
    assert task.asked == [*range(len(history) + 1)]  # before each epoch, and once more
    assert f"nothing more is learnt after epoch {len(history)} of 40" in capsys.readouterr().err
    # All epochs are kept, though they took less than the time between two states.
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == history
    again = Sated(Settings(epochs=40, learning_rate=0.5), POINTS, 1)
    assert fit(again, Run(folder=tmp_path, resume=True)) == history
    assert torch.equal(again.model.weight, task.model.weight)


def test_a_training_that_was_interrupted_ends_early_at_the_same_epoch(tmp_path):
    settings = Settings(epochs=12, learning_rate=0.5)
    task = check_resume(Sated, settings, POINTS, tmp_path)
    assert 6 < len(task.history) < 12


def test_processes_end_together(monkeypatch):
    """What the first process says holds, though another one would go on."""
    run, task = Run(), line(epochs=3)
    monkeypatch.setattr(run.fabric, "broadcast", lambda said: True)
    assert fit(task, run) == []


def test_train_measures_and_stores(tmp_path, capsys):
    run = Run(seed=3, name="mine", folder=tmp_path / "mine", license="CC0-1.0")
    report = train(Line, Settings(epochs=2), POINTS, run)
    assert report.data["checkpoint"] == str(tmp_path / "mine")
    assert len(report.data["history"]) == 2
    model, card = checkpoints.load("groove-core", tmp_path / "mine", Net)
    assert (model.weight - 2).abs().item() == report.cell("mine", "error")
    assert card["training"] == {"epochs": 2, "batch_size": 16, "learning_rate": 0.05}
    assert card["clock"]["steps"] == 8
    assert card["license"] == "CC0-1.0"
    assert {"groove-core", "torch", "python", "device"} <= card["made_with"].keys()
    assert f"--checkpoint {tmp_path / 'mine'}" in capsys.readouterr().err


def test_weights_are_not_stamped_with_our_licence(tmp_path):
    train(Line, Settings(epochs=1), POINTS, Run(folder=tmp_path / "mine"))
    assert checkpoints.read_card(tmp_path / "mine")["license"] == "unknown"


def test_the_card_says_what_was_learnt_from(tmp_path):
    class Divided(Line):
        def card(self):
            return {**super().card(), "data": {"points": 64}}

        def split(self):
            parts = {"train": [0, 1], "validation": [], "test": [2]}
            return Split("song").card(["a", "a", "b"], parts)

    train(Divided, Settings(epochs=1), POINTS, Run(folder=tmp_path / "mine", source={"name": "x"}))
    _, card = checkpoints.load("groove-core", tmp_path / "mine", Net)
    learnt = card["data"].pop("learnt")
    assert learnt["groups"] == {"train": [hashed("a")], "validation": []}
    assert learnt["counts"] == {"train": 1, "validation": 0, "test": 1}
    assert card["data"] == {
        "name": "x", "license": "unknown", "points": 64,
        "split": "by song", "train": 2, "validation": 0, "test": 1,
    }  # fmt: skip


def test_what_cannot_be_measured_is_kept(tmp_path, capsys):
    class Unmeasured(Line):
        def measure(self, name):
            raise InputError("no test split.", hint="more")

    report = train(Unmeasured, Settings(epochs=1), POINTS, Run(folder=tmp_path / "mine"))
    assert report.columns == ("", "loss")
    assert (tmp_path / "mine/model.safetensors").is_file()
    assert checkpoints.read_card(tmp_path / "mine")["metrics"]["split"] == "train"
    assert "nothing is measured" in capsys.readouterr().err


def test_batches_are_cut_into_even_parts():
    class Pairs(Line):
        multiple, fewest = 2, 4

    for size, hint in ((6, 8), (2, 8), (18, 16)):
        with pytest.raises(UsageError, match="2 even parts") as caught:
            trained(Pairs, Settings(batch_size=size), POINTS, Run(devices=2))
        assert caught.value.hint == f"--batch-size {hint}"


def test_steps_are_the_parts_of_one_whole():
    whole = torch.arange(8)
    steps = [Step(Process(r), epoch_generator(1, 0), size=8) for r in range(4)]
    assert torch.equal(torch.cat([step.part(whole) for step in steps]), whole)
    assert torch.equal(torch.cat([step.rows(whole) for step in steps]), whole)
    for size in (1, 3, 5, 6, 7, 9):  # no item is lost, and nobody is left without
        parts = [step.part(torch.arange(size)) for step in steps]
        assert torch.cat(parts).unique().tolist() == list(range(size))
        assert {len(part) for part in parts} <= {max(1, size // 4), -(-size // 4)}
        if size >= 4:
            assert torch.equal(torch.cat(parts), torch.arange(size))
    noise = [step.randn(8) for step in steps]
    assert torch.equal(torch.cat(noise), torch.randn(8, generator=epoch_generator(1, 0)))


def test_epochs_and_seeds_share_no_numbers():
    draws = {
        torch.rand(1, generator=epoch_generator(s, e)).item() for s in range(5) for e in range(5)
    }
    assert len(draws) == 25


def test_seeding_leaves_global_state_alone():
    before = torch.get_rng_state()
    with seeded(5):
        one = torch.rand(3)
    assert torch.equal(torch.get_rng_state(), before)
    with seeded(5):
        assert torch.equal(torch.rand(3), one)


def test_impossible_launches():
    with pytest.raises(UsageError, match="strategy"):
        launch("cpu", 1, "magic")
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError):
            launch("cuda", 2)
