"""The recipes of the page on large libraries: what a shell, Slurm and Kubernetes make of them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

PAGE = Path(__file__).parents[2] / "docs/pages/library.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.M)
SLURM = [text for kind, text in BLOCKS if "#SBATCH" in text]
SBATCH = {
    "job-name": r"[\w-]+", "array": r"\d+-\d+", "cpus-per-task": r"\d+", "mem": r"\d+[KMGT]",
    "time": r"\d+:\d\d:\d\d", "requeue": "", "open-mode": "append|truncate",
    "output": r"[\w%.-]+", "nodes": r"\d+", "ntasks-per-node": r"\d+",
}  # fmt: skip
"""Options of sbatch that the recipes use, and how it writes their values."""


def test_shells_can_read_every_block():
    for kind, text in BLOCKS:
        if kind == "bash":
            subprocess.run(["bash", "-n"], input=text, text=True, check=True)


def test_slurm_can_read_its_scripts():
    assert len(SLURM) == 2
    for script in SLURM:
        lines = script.splitlines()
        options = [line.removeprefix("#SBATCH --") for line in lines if line.startswith("#SBATCH")]
        assert lines[0] == "#!/bin/bash"
        assert lines[1 : 1 + len(options)] == [f"#SBATCH --{one}" for one in options]  # or ignored
        for option in options:
            name, _, value = option.partition("=")
            assert re.fullmatch(SBATCH[name], value), option


def _kubernetes() -> tuple[dict, str]:
    (text,) = (text for kind, text in BLOCKS if kind == "yaml")
    job = yaml.safe_load(text)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["command"][:2] == ["bash", "-c"]
    return job, container["command"][2]


def test_kubernetes_counts_as_many_shards_as_the_command():
    job, command = _kubernetes()
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    spec = job["spec"]
    assert spec["completionMode"] == "Indexed"
    assert f"+ 1))/{spec['completions']}" in command
    pod = spec["template"]["spec"]
    mounted = {one["name"] for one in pod["containers"][0]["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}
    subprocess.run(["bash", "-n"], input=command, text=True, check=True)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["slurm", "kubernetes"])
def test_the_recipes_make_what_one_machine_makes(tmp_path, how):
    rng = np.random.default_rng(0)
    (tmp_path / "songs").mkdir()
    for number in range(3):
        soundfile.write(tmp_path / f"songs/{number}.wav", rng.uniform(-0.3, 0.3, 88_200), 22_050)
    (tmp_path / "songs/bad.wav").write_text("no sound")
    script = SLURM[0] if how == "slurm" else _kubernetes()[1].replace("/20", "/2")
    script = script.replace("--timeout 60", "--timeout 600")
    for number in (1, 2):
        environment = {
            **os.environ, "OMP_NUM_THREADS": "1", "JOB_COMPLETION_INDEX": str(number - 1),
            "SLURM_CPUS_PER_TASK": "1", "SLURM_ARRAY_TASK_ID": str(number),
            "SLURM_ARRAY_TASK_COUNT": "2",
        }  # fmt: skip
        subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment, check=True)
    whole = "groove map genre-map classify songs --out whole.jsonl --quiet --timeout 600"
    assert subprocess.run(whole.split(), cwd=tmp_path, check=False).returncode == 4
    joined = ["groove", "map", "--merge", "part-1.jsonl", "part-2.jsonl", "--out", "joined.jsonl"]
    subprocess.run(joined, cwd=tmp_path, check=True)
    assert (tmp_path / "joined.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
