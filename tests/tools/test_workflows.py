"""GitHub could run the workflows, and those for releases are what the tool writes."""

from __future__ import annotations

import re

import pytest
import workflows
import yaml
from monorepo import ROOT, packages

# YAML 1.1 reads the key ``on`` as a truth value.
ON = True
FOLDER = ROOT / ".github/workflows"
SETUP = ROOT / ".github/actions/setup/action.yml"
FILES = [*sorted(FOLDER.glob("*.yml")), SETUP]


@pytest.fixture(scope="module")
def written() -> dict[str, dict]:
    return {path.name: yaml.safe_load(path.read_text()) for path in FILES if path.parent == FOLDER}


def test_nothing_has_drifted(capsys):
    assert workflows.main(["--check"]) == 0, capsys.readouterr().out


def test_jobs_need_jobs_that_exist_and_have_steps(written):
    for name, document in written.items():
        assert document.keys() <= {"name", ON, "permissions", "concurrency", "env", "jobs"}
        for job in document["jobs"].values():
            needs = job.get("needs", [])
            assert set([needs] if isinstance(needs, str) else needs) <= document["jobs"].keys()
            assert ("uses" in job) != ("runs-on" in job and bool(job["steps"])), name
            for step in job.get("steps", []):
                assert ("uses" in step) != ("run" in step)


def test_a_job_gets_no_more_than_it_needs(written):
    for name, document in written.items():
        assert document["permissions"] == {"contents": "read"}
        for key, job in document["jobs"].items():
            wanted = {"id-token": "write"} if key == "publish" else None
            assert job.get("permissions") == wanted, name


def test_every_package_publishes_from_its_own_file_on_its_own_tag(written):
    for name in packages(ROOT):
        document = written[f"release-{name}.yml"]
        assert document[ON] == {"push": {"tags": [f"{name}-v*"]}}
        build, publish = document["jobs"]["build"], document["jobs"]["publish"]
        assert build == {"uses": "./.github/workflows/build.yml", "with": {"package": name}}
        assert publish["needs"] == "build"
        assert publish["environment"]["name"] == "pypi"
        assert "gh-action-pypi-publish@" in publish["steps"][-1]["uses"]
        assert publish["steps"][0]["with"]["name"] == f"dist-{name}"
    # Not from the reusable one: an index would not know it.
    assert "publish" not in str(written["build.yml"]["jobs"])
    assert written["build.yml"][ON]["workflow_call"]["inputs"].keys() == {"package"}
    upload = written["build.yml"]["jobs"]["build"]["steps"][-1]["with"]["name"]
    assert upload == "dist-${{ inputs.package }}"


def test_actions_are_pinned_to_commits():
    for path in FILES:
        for action in re.findall(r"uses: (\S+)", path.read_text()):
            assert action.startswith("./") or re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action)


def test_jobs_check_out_the_repository_before_they_use_its_setup(written):
    setup = yaml.safe_load(SETUP.read_text())
    assert setup["runs"]["using"] == "composite"
    assert all("shell" in step for step in setup["runs"]["steps"] if "run" in step)
    used = 0
    for document in written.values():
        for job in document["jobs"].values():
            steps = job.get("steps", [])
            for index, step in enumerate(steps):
                if step.get("uses", "").startswith("./"):
                    assert step["uses"] == "./.github/actions/setup"
                    assert step.get("with", {}).keys() <= setup["inputs"].keys()
                    checkout = steps[index - 1]
                    assert checkout["uses"].startswith("actions/checkout@")
                    assert checkout["with"]["persist-credentials"] is False
                    used += 1
    assert used >= 11


def test_ci_runs_on_every_system_and_python_and_all_must_pass(written):
    jobs = written["ci.yml"]["jobs"]
    assert jobs["tests"]["strategy"]["matrix"] == {
        "os": ["ubuntu-latest", "macos-latest", "windows-latest"],
        "python": ["3.11", "3.12", "3.13", "3.14"],
    }
    assert set(jobs["passed"]["needs"]) == jobs.keys() - {"passed"}
    # Nothing that someone else chose, as a branch name, is pasted into a shell.
    for document in written.values():
        for job in document["jobs"].values():
            for step in job.get("steps", []):
                assert not re.search(r"\$\{\{.*(github|inputs)\.", step.get("run", ""))


def test_commands_exist(written):
    """Scripts that jobs run are there, and so are the scripts of hatch."""
    text = (ROOT / "pyproject.toml").read_text()
    for document in written.values():
        for job in document["jobs"].values():
            for step in job.get("steps", []):
                for script in re.findall(r"python ([\w/.]+\.py)", step.get("run", "")):
                    assert (ROOT / script).exists()
                for name in re.findall(r"hatch run (?:\w+:)?(\w+)", step.get("run", "")):
                    assert name == "python" or re.search(rf"^{name} = ", text, re.MULTILINE)


def test_drift_is_found_and_mended(repository, capsys):
    root = ["--root", str(repository)]
    assert workflows.main([*root, "--check"]) == 1
    workflows.main(root)
    assert workflows.main([*root, "--check"]) == 0
    folder = repository / ".github/workflows"
    assert {p.name for p in folder.glob("release-*")} == {
        f"release-{name}.yml" for name in ("groove-core", "mini", "other")
    }
    path = folder / "release-mini.yml"
    path.write_text(path.read_text().replace("id-token: write", "contents: write"))
    (folder / "release-gone.yml").write_text("name: release gone\n")
    capsys.readouterr()
    assert workflows.main([*root, "--check"]) == 1
    shown = capsys.readouterr()
    assert "-      contents: write\n+      id-token: write" in shown.out
    assert "-name: release gone" in shown.out
    assert "hint: python tools/workflows.py" in shown.err
    workflows.main(root)
    assert workflows.main([*root, "--check"]) == 0
