"""A tiny repository of a core and two packages, for tools that change one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

PYPROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "{name}"
description = "A test package."
license = "MIT"
license-files = ["LICENSE"]
requires-python = ">=3.11"
dependencies = {dependencies}
dynamic = ["version"]
{more}
[tool.hatch.version]
path = "src/{module}/__about__.py"
[tool.hatch.build.targets.wheel]
packages = ["src/{module}"]
[tool.towncrier]
package = "{module}"
package_dir = "src"
directory = "changelog.d"
filename = "CHANGELOG.md"
"""
# Does what the tools ask of the real command, with the standard library alone.
CLI = '''
"""The command."""
import importlib, json, sys
from importlib.metadata import entry_points, version

def main():
    if sys.argv[1] == "plugins":
        rows = []
        for point in entry_points(group="groove.v1"):
            point.load()
            rows.append({"name": point.name, "version": version(point.name)})
        print(json.dumps({"plugins": rows}))
    else:
        module = sys.argv[2].replace("-", "_")
        getattr(importlib.import_module(f"{module}.actions"), sys.argv[3])()
'''
ROOT_PYPROJECT = """\
[tool.hatch.envs.default]
workspace.members = [
    { path = "packages/groove-core" },
    { path = "packages/mini" },
    { path = "packages/other" },
]

[tool.groove.wheels.groove-core]
smoke = ["python -c pass"]
[tool.groove.wheels.mini]
limit_mb = 0.1
carries = ["data.txt"]
smoke = ["groove run mini beat"]
[tool.groove.wheels.other]
smoke = ["groove run other beat"]

[tool.coverage.run]
source_pkgs = [
    "groove_core", "mini", "other",
]

[tool.importlinter]
root_packages = [
    "groove_core", "mini", "other",
]
exclude_type_checking_imports = false

[[tool.importlinter.contracts]]
name = "Packages never import each other"
type = "independence"
modules = ["mini", "other"]

[[tool.importlinter.contracts]]
name = "Plugin modules import the contract only"
type = "forbidden"
source_modules = ["groove_core.plugins.core", "mini.plugin", "other.plugin"]
forbidden_modules = [
    "groove_core.actions", "mini.actions", "other.actions",
    "mini.rooms",
]

[[tool.importlinter.contracts]]
name = "No circles"
type = "acyclic_siblings"
ancestors = [
    "groove_core", "mini", "other",
]

[tool.mypy]
packages = [
    "groove_core", "mini", "other",
]
"""
README = """\
| package | what it does | needs |
| --- | --- | --- |
| [groove-core](packages/groove-core) | all | |
| [mini](packages/mini) | little | the core |
| [other](packages/other) | little | the core |

After the table.
"""


def _package(root: Path, name: str, files: dict[str, str], **project: str) -> None:
    module = name.replace("-", "_")
    folder = root / "packages" / name
    source = folder / "src" / module
    source.mkdir(parents=True)
    (folder / "changelog.d").mkdir()
    fill = {"dependencies": "[]", "more": "", **project, "name": name, "module": module}
    text = PYPROJECT
    for key, value in fill.items():
        text = text.replace(f"{{{key}}}", value)
    (folder / "pyproject.toml").write_text(text)
    (folder / "LICENSE").write_text("MIT")
    (folder / "CHANGELOG.md").write_text("# Changelog\n\n<!-- towncrier release notes start -->\n")
    (folder / "changelog.d/+first.feature.md").write_text("A first version.\n")
    (source / "__about__.py").write_text('"""The version."""\n\n__version__ = "0.1.0"\n')
    (source / "__init__.py").write_text("")
    (source / "py.typed").write_text("")
    for file, content in files.items():
        (source / file).write_text(content)


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=root, check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture(scope="session")
def git():
    """Run git in a folder; gives what it prints."""
    return _git


@pytest.fixture(scope="session")
def _original(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("original") / "repository"
    _package(
        root,
        "groove-core",
        {"hookspecs.py": "API_VERSION = (1, 0)\n", "cli.py": CLI},
        more='[project.scripts]\ngroove = "groove_core.cli:main"',
    )
    for name in ("mini", "other"):
        _package(
            root,
            name,
            {
                "plugin.py": f'package = dict(name="{name}", api=(1, 0))\n',
                "actions.py": "def beat():\n    print('x...')\n",
                "data.txt": "x...",
            },
            dependencies='["groove-core>=0.1,<1"]',
            more=f'[project.entry-points."groove.v1"]\n{name} = "{name}.plugin"',
        )
    (root / "pyproject.toml").write_text(ROOT_PYPROJECT)
    (root / "README.md").write_text(README)
    (root / ".gitignore").write_text("dist/\n__pycache__/\n")
    _git(root, "init", "-q", "-b", "main")
    _git(root, "config", "user.name", "A tester")
    _git(root, "config", "user.email", "tester@example.org")
    _git(root, "config", "commit.gpgsign", "false")
    _git(root, "add", "-A")
    _git(root, "commit", "-q", "-m", "start")
    return root


@pytest.fixture
def repository(_original, tmp_path) -> Path:
    """Give a repository of the test's own."""
    return Path(shutil.copytree(_original, tmp_path / "repository"))


@pytest.fixture
def change(repository):
    """Replace text in a file of the repository, commit, and give the file."""

    def change(file: str, old: str, new: str) -> Path:
        path = repository / file
        text = path.read_text() if path.exists() else old
        assert old in text
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace(old, new))
        _git(repository, "add", "-A")
        _git(repository, "commit", "-q", "-m", f"change {file}")
        return path

    return change


@pytest.fixture(scope="session")
def build_wheel(tmp_path_factory):
    """Build the wheel of a folder; gives its path."""

    def build(folder: Path) -> Path:
        out = tmp_path_factory.mktemp("wheel")
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
            cwd=folder, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": ""},
        )  # fmt: skip
        return next(out.glob("*.whl"))

    return build


@pytest.fixture(scope="session")
def core_wheel(build_wheel) -> Path:
    """Give the wheel of the real core."""
    return build_wheel(ROOT / "packages/groove-core")
