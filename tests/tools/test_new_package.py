"""A package from the template, and lists that miss one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile

import new_package
import pytest
import release
import workflows
from monorepo import ROOT, Stop


def test_every_package_is_in_every_list(capsys):
    assert new_package.main(["--check"]) == 0, capsys.readouterr().err


def start(repository, *arguments: str) -> int:
    return new_package.main([*arguments, "--root", str(repository)])


def test_a_new_package_is_in_every_list_and_asked_for_twice_changes_nothing(repository, capsys):
    workflows.write(repository)
    assert start(repository, "--check") == 0
    assert start(repository, "melody-rnn", "--summary", "Melodies.") == 0
    assert start(repository, "--check") == 0
    settings = tomllib.loads((repository / "pyproject.toml").read_text())["tool"]
    members = settings["hatch"]["envs"]["default"]["workspace"]["members"]
    assert members[-1] == {"path": "packages/melody-rnn"}
    assert settings["coverage"]["run"]["source_pkgs"][-1] == "melody_rnn"
    assert settings["mypy"]["packages"][-1] == "melody_rnn"
    assert settings["groove"]["wheels"]["melody-rnn"]["limit_mb"] == 1
    linter = settings["importlinter"]
    assert linter["root_packages"] == ["groove_core", "mini", "other", "melody_rnn"]
    independent, plugins, circles = linter["contracts"]
    assert independent["modules"] == ["mini", "other", "melody_rnn"]
    assert plugins["source_modules"][-1] == "melody_rnn.plugin"
    assert plugins["forbidden_modules"][-1] == "melody_rnn.actions"
    assert circles["ancestors"][-1] == "melody_rnn"
    readme = (repository / "README.md").read_text()
    assert "| [melody-rnn](packages/melody-rnn) | Melodies | `groove-core` |\n\nAfter" in readme
    folder = repository / "packages/melody-rnn"
    assert not (folder / "MODEL_CARD.md").exists()
    everything = "".join(p.read_text() for p in folder.rglob("*") if p.is_file())
    assert "example" not in everything
    assert "Melodies." in everything

    def state() -> dict[str, bytes]:
        return {str(p): p.read_bytes() for p in repository.rglob("*") if p.is_file()}

    before = state()
    assert start(repository, "melody-rnn", "--model") == 0
    assert state() == before


def test_lists_that_miss_a_package_or_name_one_too_many(repository, capsys):
    workflows.write(repository)
    shutil.move(repository / "packages/other", repository / "packages/another")
    assert start(repository, "--check") == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2 * 2 * len(new_package.LISTS)
    assert "error: the release workflows: another is missing." in errors
    assert "hint: python tools/new_package.py another" in errors
    assert "error: the table of README.md: there is no package other." in errors


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ('"mini", "other",\n]\nexclude', "tool.importlinter.root_packages"),
        ('modules = ["mini", "other"]', "modules of the contract 'Packages never import"),
        ('"mini.plugin", "other.plugin"', "source_modules of the contract 'Plugin modules"),
        ('"mini.actions", "other.actions"', "forbidden_modules of the contract 'Plugin modules"),
        ('ancestors = [\n    "groove_core", "mini", "other"', "ancestors of the contract 'No"),
    ],
)
def test_a_contract_that_misses_a_package_is_seen_and_mended(repository, capsys, line, place):
    workflows.write(repository)
    path = repository / "pyproject.toml"
    whole = path.read_text()
    assert whole.count(line) == 1
    path.write_text(whole.replace(line, re.sub(r',? "other[.a-z]*"', "", line)))
    assert start(repository, "--check") == 1
    [error, hint] = capsys.readouterr().err.splitlines()
    assert place in error
    assert error.endswith("of pyproject.toml: other is missing.")
    assert hint == "hint: python tools/new_package.py other"
    assert start(repository, "other") == 0
    assert start(repository, "--check") == 0


@pytest.mark.parametrize("name", ["Melody", "melody_rnn", "groove-melody", "-x", ""])
def test_names(repository, name):
    with pytest.raises((Stop, SystemExit)):
        start(repository, name)


def test_what_the_template_makes_works_on_the_real_core(
    repository, core_wheel, build_wheel, tmp_path
):
    """Its wheel passes every check of a release, and its own tests pass."""
    package = new_package.create(repository, "melody-rnn", "Melodies.", model=True)
    new_package.add_to_lists(repository, package)
    assert (package.folder / "MODEL_CARD.md").exists()
    wheel = build_wheel(package.folder)
    release.check_wheel(package, wheel, "0.1.0")
    assert list(release.check_bounds(package)) == []
    release.rehearse(package, wheel, core_wheel, tmp_path / "rehearsal")
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--doctest-modules",
         "-c", ROOT / "pyproject.toml", package.folder / "tests", site / "melody_rnn"],
        cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(site)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
