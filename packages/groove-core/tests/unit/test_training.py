"""The loop that every package trains with."""

from __future__ import annotations

import json

import pytest

from groove_core.errors import DeviceError, InputError, UsageError

torch = pytest.importorskip("torch")

from groove_core.learning.training import Shard, cosine, epoch_generator, fit, launch  # noqa: E402


class Line:
    """Learn y = 2 x + 1 from noisy points."""

    def __init__(self, lr: float = 0.05, points: int = 64) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.net = torch.nn.Linear(1, 1)
        self.modules = {"net": self.net}
        self.optimizers = {"adam": torch.optim.Adam(self.net.parameters(), lr=lr)}
        self.config = {"lr": lr}
        self.x = torch.linspace(-1, 1, points)[:, None]
        self.seen: list[float] = []

    def batches(self, generator):
        return self.x[torch.randperm(len(self.x), generator=generator)].split(16)

    def step(self, fabric, batch, shard, done):
        self.seen.append(done)
        x = shard(batch)
        loss = (self.modules["net"](x) - 2 * x - 1 + 0.01 * shard.randn(16, 1)).square().mean()
        self.optimizers["adam"].zero_grad()
        fabric.backward(loss)
        self.optimizers["adam"].step()
        return {"loss": loss}


def test_it_learns_and_keeps_a_log(tmp_path):
    task = Line()
    history = fit(launch("cpu"), task, epochs=60, folder=tmp_path, seed=1)
    assert history[-1]["loss"] < 1e-3
    assert task.net.weight.item() == pytest.approx(2, abs=0.05)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == history
    assert task.seen[0] == 0
    assert max(task.seen) < 1


@pytest.mark.parametrize(("stop", "every_s"), [(1, 9), (7, 9), (7, 0)])
def test_resumed_is_as_unbroken(tmp_path, monkeypatch, stop, every_s):
    monkeypatch.setattr("groove_core.learning.training.STORE_EVERY_S", every_s)
    unbroken = Line()
    fit(launch("cpu"), unbroken, epochs=12, folder=tmp_path / "a", seed=1)

    class Interrupted(Line):
        def batches(self, generator):
            if len(self.seen) == stop * 4:
                raise KeyboardInterrupt
            return super().batches(generator)

    with pytest.raises(KeyboardInterrupt):
        fit(launch("cpu"), Interrupted(), epochs=12, folder=tmp_path / "b", seed=1)
    resumed = Line()
    history = fit(launch("cpu"), resumed, epochs=12, folder=tmp_path / "b", seed=1, resume=True)
    assert len(history) == 12
    torch.testing.assert_close(resumed.net.weight, unbroken.net.weight, rtol=0, atol=0)
    same = [(tmp_path / n / "metrics.jsonl").read_bytes() for n in "ab"]
    assert same[0] == same[1]


def test_what_a_killed_training_left_is_swept_and_its_log_made_whole(tmp_path):
    folder = tmp_path / "net"
    fit(launch("cpu"), Line(), epochs=2, folder=folder, seed=1)
    log = (folder / "metrics.jsonl").read_bytes()
    for left in (".state-0123abcd.safetensors", ".metrics-0123abcd.jsonl", ".mine-0123abcd.jsonl"):
        (folder / left).write_bytes(b"half")
    (tmp_path / ".net-0123abcd").mkdir()
    (tmp_path / ".net-0123abcd/card.json").write_bytes(b"half")
    (folder / "metrics.jsonl").write_bytes(log.splitlines(keepends=True)[0])  # killed between both
    fit(launch("cpu"), Line(), epochs=2, folder=folder, seed=1, resume=True)
    assert (folder / "metrics.jsonl").read_bytes() == log
    names = {path.name for path in folder.iterdir()}
    assert names == {"state.safetensors", "metrics.jsonl", ".mine-0123abcd.jsonl"}
    assert [path.name for path in tmp_path.iterdir()] == ["net"]


def test_a_training_is_not_lost_by_mistake(tmp_path):
    fit(launch("cpu"), Line(), epochs=2, folder=tmp_path, seed=1)
    with pytest.raises(UsageError, match="already holds"):
        fit(launch("cpu"), Line(), epochs=2, folder=tmp_path, seed=1)
    with pytest.raises(UsageError, match=r"has lr 0.05, not 0.1"):
        fit(launch("cpu"), Line(lr=0.1), epochs=2, folder=tmp_path, seed=1, resume=True)
    fit(launch("cpu"), Line(lr=0.1), epochs=2, folder=tmp_path, seed=1, restart=True)
    (tmp_path / "state.safetensors").write_bytes(b"nothing")
    with pytest.raises(InputError, match="damaged"):
        fit(launch("cpu"), Line(), epochs=2, folder=tmp_path, seed=1, resume=True)


def test_two_trainings_do_not_share_a_folder(tmp_path):
    class Second(Line):
        def batches(self, generator):
            with pytest.raises(UsageError, match="in use by process"):
                fit(launch("cpu"), Line(), epochs=1, folder=tmp_path / "net", seed=1, restart=True)
            return super().batches(generator)

    fit(launch("cpu"), Second(), epochs=1, folder=tmp_path / "net", seed=1)
    names = sorted(path.name for path in (tmp_path / "net").iterdir())
    assert names == ["metrics.jsonl", "state.safetensors"]


def test_a_training_that_does_not_begin_leaves_no_folder(tmp_path):
    with pytest.raises(UsageError, match="no training to resume"):
        fit(launch("cpu"), Line(), epochs=1, folder=tmp_path / "net", seed=1, resume=True)
    assert not list(tmp_path.iterdir())


def test_a_loss_that_is_not_a_number_ends_it(tmp_path):
    with pytest.raises(InputError, match="not a number"):
        fit(launch("cpu"), Line(lr=1e30), epochs=9, folder=tmp_path, seed=1)


def test_shards_are_the_parts_of_one_whole():
    class Fake:
        world_size, device = 4, torch.device("cpu")

        def __init__(self, rank):
            self.global_rank = rank

    whole = torch.arange(8)
    parts = [Shard(Fake(r), epoch_generator(1, 0))(whole) for r in range(4)]
    assert torch.equal(torch.cat(parts), whole)
    for size in (1, 3, 5, 6, 7, 9):  # no item is lost, and nobody is left without
        parts = [Shard(Fake(r), epoch_generator(1, 0))(torch.arange(size)) for r in range(4)]
        assert torch.cat(parts).unique().tolist() == list(range(size))
        assert {len(part) for part in parts} <= {max(1, size // 4), -(-size // 4)}
        if size >= 4:
            assert torch.equal(torch.cat(parts), torch.arange(size))
    noise = [Shard(Fake(r), epoch_generator(1, 0)).randn(8) for r in range(4)]
    assert torch.equal(torch.cat(noise), torch.randn(8, generator=epoch_generator(1, 0)))


def test_epochs_and_seeds_share_no_numbers():
    draws = {
        torch.rand(1, generator=epoch_generator(s, e)).item() for s in range(5) for e in range(5)
    }
    assert len(draws) == 25


def test_cosine():
    assert cosine(0) == 1
    assert cosine(1) == pytest.approx(0.02)
    assert cosine(2) == cosine(1)


def test_impossible_launches():
    with pytest.raises(UsageError, match="strategy"):
        launch("cpu", 1, "magic")
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError):
            launch("cuda", 2)
