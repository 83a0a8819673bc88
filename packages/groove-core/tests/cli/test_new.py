"""``groove new``: what it writes works untouched, and nothing half-written stays."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import groove_core
from groove_core import __version__
from groove_core.cli.app import run_cli
from groove_core.cli.new import LICENSES, new
from groove_core.errors import UsageError

PLAIN = {"license": "MIT", "author": None, "email": None, "summary": None}


def test_the_package_is_listed_and_runs(tabla, groove, tmp_path):
    _, site = tabla
    rows = json.loads(groove("plugins", "--json", path=str(site)).stdout)["plugins"]
    row = next(row for row in rows if row["name"] == "groove-tabla")
    assert row["status"] == "ok"
    assert {a["name"]: a["kind"] for a in row["actions"]} == {
        "sample": "generator",
        "describe": "analyzer",
    }
    options = ("--seed", "1", "--format", "mid,tab", "--out", "beats")
    made = groove("run", "groove-tabla", "sample", *options, path=str(site))
    assert made.returncode == 0, made.stderr
    assert len(list(tmp_path.glob("beats/*.mid"))) == 4
    tab = (tmp_path / "beats/sample-002.tab").read_text()
    assert "BD|x------x-----x--|----x-----x-----|" not in tab  # drums are written as o
    assert "BD|o------o-----o--|----o-----o-----|" in tab


def test_its_own_tests_pass_untouched(tabla):
    project, site = tabla
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(site), "PYTEST_ADDOPTS": ""},
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    assert "9 passed" in result.stdout


def test_its_readme_is_true(tabla, groove, tmp_path):
    project, site = tabla
    readme = (project / "README.md").read_text("utf-8")
    shown = re.search(r"```\n(sample-002\n.*?)```", readme, re.DOTALL)[1]
    made = groove("run", "groove-tabla", "sample", "--seed", "1", "--json", "--format", "txt",
                  "--out", "beats", path=str(site))  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert "sample-002\n" + (tmp_path / "beats/sample-002.txt").read_text("utf-8") == shown
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", re.search(r"```python\n(.*?)```", readme, re.S)[1]],
        cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(site)},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("Beats\n")


def test_the_wheel_carries_the_template(tmp_path):
    package = Path(groove_core.__file__).parent
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-index",
         "--no-build-isolation", "-w", str(tmp_path), str(package.parents[1])],
        check=True, env={**os.environ, "PIP_CONSTRAINT": ""},
    )  # fmt: skip
    (wheel,) = tmp_path.iterdir()
    carried = {name for name in zipfile.ZipFile(wheel).namelist() if "/template/" in name}
    template = {p for p in (package / "template").rglob("*") if p.is_file()}
    assert carried == {p.relative_to(package.parent).as_posix() for p in template}
    assert len(carried) == 17 + len(LICENSES)


def test_everything_is_there_and_filled_in(tabla):
    project, _ = tabla
    files = {p.relative_to(project).as_posix() for p in project.rglob("*") if p.is_file()}
    files = {f for f in files if "__pycache__" not in f}
    assert files == {
        ".github/workflows/ci.yml", ".github/workflows/release.yml", ".gitignore", "CHANGELOG.md",
        "LICENSE", "README.md", "pyproject.toml", "src/groove_tabla/__about__.py",
        "src/groove_tabla/__init__.py", "src/groove_tabla/actions.py",
        "src/groove_tabla/plugin.py", "src/groove_tabla/py.typed", "src/groove_tabla/rhythm.py",
        "src/groove_tabla/tablature.py", "src/groove_tabla/values.py", "tests/conftest.py",
        "tests/test_actions.py", "tests/test_contract.py",
    }  # fmt: skip
    for file in files:
        text = (project / file).read_text("utf-8")
        assert not re.search(r"@[A-Z_]+@", text), file
        assert file.endswith("LICENSE") or all(len(line) <= 120 for line in text.splitlines())
        if file.endswith(".py"):
            ast.parse(text)
    about = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]
    major, minor = __version__.split(".")[:2]
    assert about["dependencies"][0] == f"groove-core>={major}.{minor},<{int(major) + 1}"
    release = (project / ".github/workflows/release.yml").read_text("utf-8")
    for part in ("id-token: write", "environment: pypi", "gh-action-pypi-publish@release/v1",
                 'tags: ["v*"]', "dist/groove_tabla-${version}-py3-none-any.whl"):  # fmt: skip
        assert part in release


@pytest.mark.parametrize(
    ("name", "distribution"),
    [
        ("tabla", "groove-tabla"),
        ("groove-tabla", "groove-tabla"),
        ("tr-808-fills", "groove-tr-808-fills"),
        ("class", "groove-class"),  # groove_class is no keyword
    ],
)
def test_names(tmp_path, name, distribution):
    folder = new(name, into=tmp_path, **PLAIN)
    assert folder == tmp_path / distribution
    module = distribution.replace("-", "_")
    point = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["entry-points"]
    assert point["groove.v1"] == {distribution: f"{module}.plugin"}
    assert (folder / "src" / module / "plugin.py").exists()


@pytest.mark.parametrize(
    ("name", "said", "hint"),
    [
        ("Tabla", "lower-case", "groove new tabla"),
        ("groove_tabla", "lower-case", "groove new tabla"),
        ("my tabla", "lower-case", "groove new my-tabla"),
        ("Tablā", "lower-case", "groove new tabla"),
        ("鼓", "lower-case", "groove new"),
        ("", "lower-case", "groove new"),
        ("groove-", "lower-case", "groove new"),
        ("-x", "lower-case", "groove new x"),
        ("a--b", "lower-case", "groove new a-b"),
        ("808", "lower-case", "groove new"),
        ("../up", "lower-case", "groove new up"),
        ("x" * 61, "60 at most", "groove new xxx"),
        ("drum-space", "Groove itself", "my-drum-space"),
        ("vae", "Groove itself", "my-vae"),
        ("groove-core", "Groove itself", "my-core"),
    ],
)
def test_names_that_cannot_be(tmp_path, name, said, hint):
    with pytest.raises(UsageError, match=said) as caught:
        new(name, into=tmp_path, **PLAIN)
    assert hint in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_a_name_that_is_installed_is_taken(tabla, groove, tmp_path):
    result = groove("new", "tabla", path=str(tabla[1]))
    assert result.returncode == 2
    assert "groove-tabla 0.1.0 is installed already" in result.stderr
    assert not list(tmp_path.iterdir())
    again = groove("new", "tabla", "--into", str(tabla[0].parent), path=str(tabla[1]))
    assert again.returncode == 0, again.stderr  # it is what is installed


@pytest.mark.parametrize("license", LICENSES)
def test_licences(tmp_path, license):
    folder = new("tabla", into=tmp_path, **{**PLAIN, "license": license, "author": "Zoë"})
    text = (folder / "LICENSE").read_text("utf-8")
    assert len(text) > 1000
    assert ("Zoë" in text) == (license in ("MIT", "BSD-3-Clause"))
    about = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    assert about["license"] == license


def test_any_text_is_quoted(tmp_path):
    odd = r'''"C:\new" 'n' $x ${y} @MODULE@ """ {z} ünï'''
    folder = new("tabla", into=tmp_path, license="MIT", author=odd, email="a.b@c.org", summary=odd)
    about = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    assert about["authors"] == [{"name": odd, "email": "a.b@c.org"}]
    assert about["description"] == odd
    tree = ast.parse((folder / "src/groove_tabla/plugin.py").read_text("utf-8"))
    assert odd in [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    assert odd in (folder / "LICENSE").read_text("utf-8")


@pytest.mark.parametrize(
    "wrong",
    [
        {"license": "GPL"},
        {"email": "nobody"},
        {"email": "a@b.c>"},
        {"summary": "two\nlines"},
        {"author": " "},
    ],
)
def test_wrong_options(tmp_path, wrong):
    with pytest.raises(UsageError) as caught:
        new("tabla", into=tmp_path, **{**PLAIN, **wrong})
    assert caught.value.hint.startswith("--")
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_not_touched(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "groove-tabla").mkdir()
    assert run_cli(["new", "tabla"]) == 0  # an empty folder is filled
    before = (tmp_path / "groove-tabla/README.md").read_text("utf-8")
    (tmp_path / "groove-tabla/.pytest_cache").mkdir()
    assert run_cli(["new", "tabla"]) == 0  # the same line again
    assert "groove-tabla is there already." in capsys.readouterr().err
    assert run_cli(["new", "tabla", "--summary", "Other."]) == 2
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "groove-tabla/README.md").read_text("utf-8") == before
    assert run_cli(["new", "tabla", "--into", "a/b"]) == 0
    assert (tmp_path / "a/b/groove-tabla/LICENSE").exists()
    assert run_cli(["new", "bols", "--into", "a/b/groove-tabla/LICENSE"]) == 2
    error = capsys.readouterr().err.splitlines()
    assert error[-1] == "hint: --into FOLDER writes it elsewhere."


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_nothing_half_written_stays(tmp_path, monkeypatch, error):
    write_text = Path.write_text

    def fail(path, *args, **kwargs):
        if path.name == "pyproject.toml":
            raise error
        return write_text(path, *args, **kwargs)

    monkeypatch.setattr(Path, "write_text", fail)
    into = tmp_path / "deep/er"
    with pytest.raises(UsageError if isinstance(error, OSError) else KeyboardInterrupt):
        new("tabla", into=into, **PLAIN)
    assert not list(tmp_path.iterdir())


def test_it_says_what_to_type_next(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run_cli(["new", "tabla"]) == 0
    shown = capsys.readouterr().out
    for line in ('python -m pip install -e "groove-tabla[dev]"', 'python -m pytest "groove-tabla"'):
        assert line in shown.splitlines()


def test_the_command_line_starts_without_it():
    code = """
import sys
from groove_core.cli.app import run_cli
run_cli(["--help"])
print([m for m in sys.modules if m.startswith(("groove_core.testing", "groove_core.cli.new"))])
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.splitlines()[-1] == "[]"
