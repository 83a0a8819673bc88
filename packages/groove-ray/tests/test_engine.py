"""What the engine does with answers and losses, without a cluster; and one that it starts."""

from __future__ import annotations

import functools
import json
import pickle
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from ray import exceptions

from groove_core.batch import map_files
from groove_core.batch.attempts import attempt
from groove_core.batch.engines import Job
from groove_core.errors import DeviceError, InputError, PluginError, UsageError
from groove_core.testing.engines import trial
from groove_ray import engine, node
from groove_ray.node import Answers, Orders, versions

CALL = functools.partial(attempt, trial)


class Pretended:
    """A Ray whose tasks are done at once, by `act`; what it raises is what the task met."""

    exceptions = exceptions

    def __init__(self, act, cpus=2.0, gpus=0.0):
        self.act, self.there = act, {"CPU": cpus, "GPU": gpus}
        self.tasks: list[tuple[list[str], bool]] = []
        self.cancelled: list[bool] = []
        self.options: dict = {}

    def put(self, orders):
        return orders

    def cluster_resources(self):
        return self.there

    def remote(self, function):
        def options(**options):
            self.options = options
            return SimpleNamespace(remote=self._begin)

        return SimpleNamespace(options=options)

    def _begin(self, orders, paths, apart):
        self.tasks.append((paths, apart))
        return len(self.tasks) - 1

    def wait(self, tasks, num_returns=1, timeout=None):
        return tasks[:num_returns], tasks[num_returns:]

    def get(self, task):
        found = self.act(*self.tasks[task])
        if isinstance(found, Exception):
            raise found
        return found

    def cancel(self, task, force):
        self.cancelled.append(force)

    def shutdown(self):
        raise AssertionError("it is not ours")


@pytest.fixture
def pretend(monkeypatch):
    def pretended(act, **there):
        ray = Pretended(act, **there)
        monkeypatch.setitem(sys.modules, "ray", ray)
        return ray

    return pretended


def _tasks(**job) -> engine.Tasks:
    return engine.Tasks(Job(call=CALL, **job), ours=False)


def _done(paths, apart, seconds=0.001):
    return Answers("n", [f"answer to {path}" for path in paths], seconds)


def _ask(tasks: engine.Tasks, count: int) -> dict[int, str]:
    found: dict[int, str] = {}
    given = 0
    for turn in range(count):
        while turn not in found:
            while given < min(count, turn + tasks.window):
                tasks.submit(given, Path(str(given)))
                given += 1
            for number, text in tasks.collect(wait=True):
                assert number not in found
                found[number] = text
    return found


def _is_whole(found: dict[int, str], count: int, *without: int) -> bool:
    wanted = {n: f"answer to {n}" for n in range(count) if n not in without}
    return {n: text for n, text in found.items() if n not in without} == wanted


def test_batches_grow_to_a_second_and_no_further(pretend):
    ray = pretend(_done)
    assert _is_whole(_ask(_tasks(), 5000), 5000)
    sizes = [len(paths) for paths, _ in ray.tasks]
    assert sizes[0] == 1
    assert max(sizes) == engine.MOST
    assert len(sizes) < 60
    ray = pretend(functools.partial(_done, seconds=0.6))
    _ask(_tasks(), 100)
    assert {len(paths) for paths, _ in ray.tasks} == {1}


def test_what_a_batch_leaves_is_taken_on(pretend):
    ray = pretend(lambda paths, apart: Answers("n", [f"answer to {paths[0]}"], 0.001))
    assert _is_whole(_ask(_tasks(), 50), 50)
    assert len(ray.tasks) == 50


def test_a_large_cluster_gets_smaller_batches_and_jobs_bound_it(pretend):
    ray = pretend(_done, cpus=4000.0)
    tasks = _tasks()
    assert _is_whole(_ask(tasks, 20_000), 20_000)
    assert 1 < max(len(paths) for paths, _ in ray.tasks) <= engine.DRIVER // 4000
    few = _tasks(jobs=3)
    for number in range(100):
        few.submit(number, Path(str(number)))
    few._give_out()
    assert len(few._running) == 3


def test_a_crashed_batch_is_run_apart(pretend):
    def act(paths, apart):
        return _done(paths, apart) if apart else exceptions.WorkerCrashedError()

    ray = pretend(act)
    assert _is_whole(_ask(_tasks(), 20), 20)
    assert [apart for _, apart in ray.tasks].count(True) == 20


@pytest.mark.parametrize("bad", [0, 7, 99])
def test_a_batch_that_crashes_even_apart_is_split_until_the_file_is_named(pretend, bad):
    def act(paths, apart):
        return exceptions.OutOfMemoryError("") if str(bad) in paths else _done(paths, apart)

    ray = pretend(act)
    found = _ask(_tasks(), 100)
    assert _is_whole(found, 100, bad)
    error = json.loads(found[bad])["error"]
    assert (error["kind"], error["exit_code"]) == ("WorkerDied", 1)
    assert "out of memory" in error["message"]
    assert sum(str(bad) in paths for paths, _ in ray.tasks) <= 12
    assert sum(paths == [str(bad)] for paths, _ in ray.tasks) >= engine.TRIES


def test_what_is_lost_with_a_node_is_run_again_and_not_suspected(pretend):
    lost = []

    def act(paths, apart):
        assert not apart
        if len(lost) < 5:
            lost.append(paths)
            return exceptions.NodeDiedError("gone")
        return _done(paths, apart)

    pretend(act)
    assert _is_whole(_ask(_tasks(), 100), 100)
    assert len(lost) == 5


def test_a_file_that_takes_every_node_down_is_named(pretend):
    def act(paths, apart):
        return exceptions.NodeDiedError("gone") if "3" in paths else _done(paths, apart)

    ray = pretend(act)
    found = _ask(_tasks(), 10)
    assert _is_whole(found, 10, 3)
    assert "NodeDiedError" in json.loads(found[3])["error"]["message"]
    assert len(ray.tasks) < 40


def test_a_gpu_is_asked_for(pretend):
    ray = pretend(_done, gpus=1.0, cpus=16.0)
    tasks = _tasks(gpus=0.25)
    assert ray.options["num_gpus"] == 0.25
    assert tasks._slots == 4
    with pytest.raises(DeviceError, match="has 1 GPUs, and each file needs 2"):
        _tasks(gpus=2.0)
    with pytest.raises(UsageError, match="whole ones"):
        engine.cluster(Job(call=CALL, gpus=1.5))


def test_close_interrupts_first_and_then_ends(pretend):
    ray = pretend(_done)
    tasks = _tasks(jobs=2)
    for number in range(9):
        tasks.submit(number, Path(str(number)))
    tasks._give_out()
    ray.wait = lambda tasks, num_returns=1, timeout=None: (tasks[:1], tasks[1:])
    tasks.close()
    assert ray.cancelled == [False, False, True]


def test_a_connection_that_is_lost_is_told(pretend):
    pretend(lambda paths, apart: ConnectionError("Client is shutting down."))
    tasks = _tasks()
    tasks.submit(0, Path("0"))
    with pytest.raises(DeviceError, match="The Ray cluster is gone: Client is") as caught:
        tasks.collect(wait=True)
    assert "same command" in caught.value.hint


# What stops the whole job


@pytest.mark.parametrize(
    ("address", "kind", "message"),
    [
        ("ray://", UsageError, "not the address"),
        ("ray://head:port", UsageError, "not the address"),
        ("ray://127.0.0.1:{}", DeviceError, "no Ray cluster at ray://127.0.0.1:"),
        ("ray://nowhere.invalid", DeviceError, "no Ray cluster at ray://nowhere.invalid:10001"),
        ("ray", DeviceError, "no Ray cluster at 127.0.0.1:"),
    ],
)
def test_a_cluster_that_is_not_there(monkeypatch, address, kind, message):
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
        start = time.monotonic()
        with pytest.raises(kind, match=message) as caught:
            list(map_files(trial, ["x"], engine=address.format(port)))
    assert time.monotonic() < start + 5
    assert caught.value.exit_code == (6 if kind is DeviceError else 2)
    assert caught.value.hint


def test_a_path_that_a_node_does_not_have(pretend, tmp_path):
    path = tmp_path / "song"
    path.touch()

    def act(paths, apart):
        return Answers("far (10.0.0.7)", ['{"error"'], 0.1, {paths[0]})

    pretend(act)
    tasks = _tasks()
    tasks.submit(0, tmp_path / "missing")  # here, too
    assert list(tasks.collect(wait=True)) == [(0, '{"error"')]
    tasks.submit(1, path)
    with pytest.raises(InputError, match=f"{path} is here, but not on node far") as caught:
        tasks.collect(wait=True)
    assert "storage that all nodes share" in caught.value.hint
    missing = Answers("far", ['{"error"'], 0.1, {str(Path.cwd())})
    pretend(lambda paths, apart: missing)
    tasks = _tasks()
    tasks.submit(0, path)
    with pytest.raises(InputError, match="but not on node far") as caught:
        tasks.collect(wait=True)
    assert "in a folder that all nodes have" in caught.value.hint


def test_a_node_without_the_package(pretend):
    error = exceptions.RayTaskError("work", "ModuleNotFoundError: No module 'groove_ray'", None)
    error.ip = "10.0.0.7"
    pretend(lambda paths, apart: error)
    tasks = _tasks()
    tasks.submit(0, Path("x"))
    with pytest.raises(PluginError, match="Node 10.0.0.7 cannot run groove-ray: ModuleNotFound"):
        tasks.collect(wait=True)


def test_an_error_of_a_node_keeps_its_words(pretend):
    told = PluginError("Node far has Python 3.9 instead of 3.11.", hint="Install it.")
    error = exceptions.RayTaskError("work", "", told)
    pretend(lambda paths, apart: error)
    tasks = _tasks()
    tasks.submit(0, Path("x"))
    with pytest.raises(PluginError, match="Python 3.9") as caught:
        tasks.collect(wait=True)
    assert caught.value.hint == "Install it."


# On a node


@pytest.fixture(autouse=True)
def _here(monkeypatch):
    monkeypatch.setattr(node, "_node", lambda: "far (10.0.0.7)")
    yield
    node._checked.cache_clear()


def _orders(call=CALL, timeout_s=60.0, **other) -> Orders:
    wanted = versions("groove-core", "groove-ray") | other
    return Orders(pickle.dumps(call), timeout_s, str(Path.cwd()), wanted)


def test_a_node_answers_for_a_second(tmp_path, monkeypatch):
    files = [tmp_path / f"{i}-{w}" for i, w in enumerate(["ok", "input", "bug", "ok"])]
    for path in files:
        path.write_text("x")
    paths = [str(path) for path in [*files, tmp_path / "missing"]]
    found = node.work(_orders(), paths, apart=False)
    assert found.texts == [CALL(Path(path)) for path in paths]
    assert found.absent == {paths[-1]}
    monkeypatch.setattr(node, "BATCH_S", 0.0)
    assert len(node.work(_orders(), paths, apart=False).texts) == 1


def test_another_gpu_is_for_another_process(tmp_path, monkeypatch):
    good, bad = tmp_path / "0-ok", tmp_path / "1-crash"
    good.write_text("x")
    monkeypatch.delitem(vars(sys.modules["__main__"]), "__file__", raising=False)
    node._gpus.cache_clear()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert node.work(_orders(), [str(good)], apart=False).texts == [CALL(good)]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert "WorkerDied" in node.work(_orders(), [str(bad)], apart=False).texts[0]
    node._gpus.cache_clear()


def test_a_node_that_differs_is_named(tmp_path):
    for other in ({"Python": "3.99"}, {"groove-core": "9.0"}, {"genre-maps": "1.0"}):
        [[name, version]] = other.items()
        with pytest.raises(PluginError, match=rf"Node far .* {name}.* instead of {version}"):
            node.work(_orders(**other), ["x"], apart=False)
    missing = pickle.dumps(CALL).replace(
        b"groove_core.testing.engines", b"groove_core.testing.enginez"
    )
    orders = Orders(missing, 60.0, str(Path.cwd()), versions())
    with pytest.raises(PluginError, match="Node far .* cannot load the function: ModuleNotFound"):
        node.work(orders, ["x"], apart=False)


def test_packages_are_those_that_the_function_speaks_of(monkeypatch):
    names = [("drum-space", "drum_space.plugin"), ("genre-map", "genre_map.plugin")]
    there = [SimpleNamespace(name=n, distribution=n, module=m) for n, m in names]
    monkeypatch.setattr(engine.loader, "installed", lambda: there)
    always = ["groove-core", "groove-ray"]
    assert engine._packages(pickle.dumps(CALL)) == always
    by_name = functools.partial(CALL, package="drum-space", out="songs of genre-map")
    assert engine._packages(pickle.dumps(by_name)) == [*always, "drum-space"]
    by_module = functools.partial(CALL, run="genre_map.actions:classify")
    assert engine._packages(pickle.dumps(by_module)) == [*always, "genre-map"]


def test_a_function_of_the_script_is_refused(monkeypatch):
    function = type(trial)(trial.__code__, {}, "of_the_script")
    function.__module__, function.__qualname__ = "__main__", "of_the_script"
    monkeypatch.setattr(sys.modules["__main__"], "of_the_script", function, raising=False)
    call = functools.partial(attempt, function)
    with pytest.raises(UsageError, match="part of the script") as caught:
        engine.cluster(Job(call=call))
    assert "module" in caught.value.hint


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts processes by ps")
def test_ray_is_started_for_a_job_and_ends_with_it(tmp_path, monkeypatch):
    """What is printed is ours, files that crash are named, and no process is left."""
    words = ["ok"] * 4 + ["crash"] + ["ok"] * 4
    files = [tmp_path / f"{i}-{word}" for i, word in enumerate(words)]
    for path in files:
        path.write_text(path.name)
    code = (
        "import os, signal\n"
        "from groove_core.batch import map_files\n"
        "from groove_core.testing.engines import trial\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"for o in map_files(trial, {[str(f) for f in files]}, engine='ray', jobs=2):\n"
        "    print(o.result['text'] if o.result else o.error['message'])\n"
        "assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN\n"
        "print(os.popen(f'ps --ppid {os.getpid()} -o args=').read().count('ray'))\n"
    )
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    lines = [path.name for path in files]
    lines[4] = f"The worker died on this file ({signal.Signals.SIGKILL.name})."
    assert done.stdout.splitlines() == [*lines, "0"]
    assert done.stderr == "Ray starts on this computer, with 2 CPUs\n"
