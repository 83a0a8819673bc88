"""A cluster of two nodes on this computer: the same bytes as without it, whatever is lost."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster

from groove_core.batch import Shard, map_files, merge
from groove_core.testing import check_engine
from groove_core.testing.engines import trial
from groove_ray import engine

pytestmark = [
    pytest.mark.slow,
    # Ray leaves log files of its own open.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
SETTINGS = {"rate": 22050}
TIMEOUT_S = 2.0
BY_ITSELF = """
import sys
from groove_core.batch import map_files
from groove_core.testing.engines import trial
folder, out, engine = sys.argv[1:]
from pathlib import Path
outcomes = map_files(
    trial, sorted(Path(folder).iterdir()), engine=engine, out=out, settings={"rate": 22050}
)
for outcome in outcomes:
    print(outcome.file, flush=True)
"""


@pytest.fixture(scope="module")
def client():
    """The address of Ray Client."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"ray://127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture(scope="module")
def cluster(client):
    head = {
        "num_cpus": 0, "include_dashboard": False,
        "ray_client_server_port": int(client.rpartition(":")[2]),
    }  # fmt: skip
    os.environ |= {
        "RAY_raylet_start_wait_time_s": "120",  # of a machine that does much else
        "GRPC_ENABLE_FORK_SUPPORT": "0",  # with it, the server of a client dies now and then
    }
    nodes = Cluster(initialize_head=True, head_node_args=head)
    nodes.add_node(num_cpus=1)
    nodes.add_node(num_cpus=1)
    yield nodes
    ray.shutdown()
    nodes.shutdown()


@pytest.fixture(autouse=True)
def _address(cluster, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    words = {50: "input", 100: "crash", 150: "bug", 200: "hang"}
    for number in range(300):
        path = folder / f"{number:03d}-{words.get(number, 'ok')}"
        path.write_text(f"{number}")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def by_one(files, tmp_path_factory):
    """The journal of one process, which a limit of time lets others not crash with."""
    return _journal(files, tmp_path_factory.mktemp("one") / "out.jsonl")


def _journal(files, out, **options) -> bytes:
    options = {"timeout_s": TIMEOUT_S, "settings": SETTINGS, **options}
    for _ in map_files(trial, files, out=out, **options):
        pass
    return out.read_bytes()


def test_what_every_engine_must_pass():
    check_engine(engine.cluster)


def test_the_same_bytes_by_each(files, by_one, tmp_path):
    lines = [json.loads(line) for line in by_one.splitlines()[1:]]
    errors = {n: line["error"]["kind"] for n, line in enumerate(lines) if "error" in line}
    assert errors == {50: "InputError", 100: "WorkerDied", 150: "Bug", 200: "Timeout"}
    assert len(lines) == 300
    assert _journal(files, tmp_path / "four.jsonl", jobs=4) == by_one
    parts = [tmp_path / f"{number}.jsonl" for number in (1, 2, 3)]
    for number, part in enumerate(parts, 1):
        _journal(files, part, shard=Shard(number, 3))
    merge(parts, tmp_path / "all.jsonl")
    assert (tmp_path / "all.jsonl").read_bytes() == by_one
    assert _journal(files, tmp_path / "ray.jsonl", engine="ray") == by_one
    _journal(files, parts[1], engine="ray", shard=Shard(2, 3), overwrite=True)
    merge(parts, tmp_path / "all.jsonl")
    assert (tmp_path / "all.jsonl").read_bytes() == by_one


def test_a_node_that_is_lost_costs_nothing(cluster, tmp_path, capfd):
    files = _beating(tmp_path, 12)
    lost = cluster.add_node(num_cpus=2)
    outcomes = map_files(trial, files, engine="ray", out=tmp_path / "out.jsonl")
    next(outcomes)
    cluster.remove_node(lost, allow_graceful=False)
    capfd.readouterr()
    rest = list(outcomes)
    assert capfd.readouterr() == ("", "")  # Ray has said nothing
    assert [o.file for o in rest] == [str(path) for path in files[1:]]
    assert not [o.error for o in rest if o.error]
    lines = (tmp_path / "out.jsonl").read_bytes().splitlines()[1:]
    assert [json.loads(line)["file"] for line in lines] == [str(path) for path in files]


def test_a_driver_that_is_killed_goes_on(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    files = [folder / f"{number:03d}-nap" for number in range(60)]
    for path in files:
        path.write_text(path.name)
    out = tmp_path / "out.jsonl"
    with _by_itself(folder, out) as first:
        for _ in range(20):
            first.stdout.readline()
        first.kill()
    assert 20 <= out.read_bytes().count(b"\n") - 1 < 60
    with _by_itself(folder, out) as again:
        printed, errors = again.communicate(timeout=120)
    assert again.returncode == 0, errors
    assert errors == ""  # Ray has said nothing
    assert printed.splitlines() == [str(path) for path in files]
    assert out.read_bytes() == _journal(files, tmp_path / "whole.jsonl")


def test_ctrl_c_ends_what_runs_and_keeps_the_journal(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    files = _beating(folder, 20)
    out = tmp_path / "out.jsonl"
    with _by_itself(folder, out) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode not in (0, -signal.SIGKILL)
    assert errors.rstrip().endswith("KeyboardInterrupt")
    sizes = [path.stat().st_size for path in files]
    time.sleep(1)
    assert sizes == [path.stat().st_size for path in files]
    assert len(out.read_bytes().splitlines()) >= 2


def test_by_ray_client(client, files, by_one, tmp_path):
    """From a computer that is no node of the cluster."""
    code = (
        "import sys\n"
        "from groove_core.batch import map_files\n"
        "from groove_core.testing.engines import trial\n"
        "engine, out, *files = sys.argv[1:]\n"
        "for _ in map_files(trial, files, engine=engine, out=out,\n"
        f"                   timeout_s={TIMEOUT_S}, settings={SETTINGS}):\n"
        "    pass\n"
    )
    out = tmp_path / "out.jsonl"
    done = subprocess.run(
        [sys.executable, "-c", code, client, str(out), *map(str, files)],
        capture_output=True, text=True, timeout=180,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert out.read_bytes() == by_one
    assert done.stdout == done.stderr == ""


def _beating(folder: Path, count: int) -> list[Path]:
    files = [folder / f"{number:03d}-beat" for number in range(count)]
    for path in files:
        path.write_text("x")
    return files


def _by_itself(folder: Path, out: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", BY_ITSELF, str(folder), str(out), "ray"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ,
    )  # fmt: skip
