"""A package index of our own wheels: what pip takes from it, and an upgrade of the core."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
import release
from monorepo import CORE, ROOT, Stop, closure, installed_requires, packages

NAMES = list(packages(ROOT))
PLUGINS = [name for name in NAMES if name != CORE]


def _requires(wheels: dict[str, Path], name: str) -> list[str]:
    return release._requires(wheels[name]) if name in wheels else installed_requires(name)


@pytest.fixture(scope="module")
def wheels(build_wheel, core_wheel) -> dict[str, Path]:
    """Give the wheels of all packages."""
    built = {name: build_wheel(ROOT / "packages" / name) for name in PLUGINS}
    return {CORE: core_wheel, **built}


@pytest.fixture(scope="module")
def make_core(tmp_path_factory, build_wheel):
    """Build the core as if it were another version of it, with another API."""

    def make(version: str, api: tuple[int, int]) -> Path:
        folder = tmp_path_factory.mktemp("core") / CORE
        shutil.copytree(ROOT / "packages" / CORE, folder, ignore=shutil.ignore_patterns("tests"))
        release.write_version(folder, "groove_core", version)
        hookspecs = folder / "src/groove_core/hookspecs.py"
        text = hookspecs.read_text(encoding="utf-8")
        new = re.sub(r"^API_VERSION = .*$", f"API_VERSION = {api}", text, flags=re.MULTILINE)
        assert new != text
        hookspecs.write_text(new, encoding="utf-8")
        return build_wheel(folder)

    return make


@pytest.fixture(scope="module")
def minor(make_core) -> Path:
    """Give the core's next minor release, with a hook more."""
    return make_core("0.2.0", (1, 4))


@pytest.fixture(scope="module")
def major(make_core) -> Path:
    """Give the core after the next break of the API."""
    return make_core("1.0.0", (2, 0))


def write_stub(name: str, folder: Path) -> None:
    """Write a wheel with the name, the version and the requirements of what is installed here.

    It has nothing in it: resolving reads no more, and the index needs no network.
    """
    distribution = metadata.distribution(name)
    stem = f"{re.sub(r'[-_.]+', '_', distribution.name)}-{distribution.version}"
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{stem}.dist-info/METADATA", distribution.read_text("METADATA") or "")
        wheel.writestr(
            f"{stem}.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: stub\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr(f"{stem}.dist-info/RECORD", "")


def serve(folder: Path, log: Path) -> Iterator[str]:
    """Serve a folder of wheels with pypiserver."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/simple/"
    with log.open("w") as output:
        server = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "pypiserver", "run", "-i", "127.0.0.1", "-p",
             str(port), "--disable-fallback", str(folder)],
            stdout=output, stderr=output,
        )  # fmt: skip
        try:
            for _ in range(300):
                try:
                    urllib.request.urlopen(url).close()
                    break
                except OSError:
                    assert server.poll() is None, log.read_text()
                    time.sleep(0.1)
            yield url
        finally:
            server.terminate()
            server.wait()


@pytest.fixture(scope="module")
def index(tmp_path_factory, wheels, minor, major) -> Iterator[str]:
    """Serve our wheels, three versions of the core, and stubs of all that they need."""
    folder = tmp_path_factory.mktemp("index")
    for wheel in (*wheels.values(), minor, major):
        shutil.copy2(wheel, folder)

    wanted = [*PLUGINS, f"{CORE}[loudness]"]
    for name in closure(wanted, lambda name: _requires(wheels, name)).keys() - wheels.keys():
        write_stub(name, folder)
    yield from serve(folder, tmp_path_factory.mktemp("log") / "log")


def resolve(
    index: str, *wanted: str, more: tuple[str, ...] = (), env: dict[str, str] | None = None
) -> dict[str, str]:
    """Ask pip what it would install into an empty environment."""
    # Nothing that this machine's pip is told: neither other indexes nor constraints.
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet",
         "--no-cache-dir", "--disable-pip-version-check", "--report", "-", "--index-url", index,
         *more, *wanted],
        capture_output=True, text=True,
        env={**clean, "PIP_CONFIG_FILE": os.devnull, **(env or {})},
    )  # fmt: skip
    if done.returncode:
        raise Stop(done.stderr, "")
    found = json.loads(done.stdout)["install"]
    return {one["metadata"]["name"].lower(): one["metadata"]["version"] for one in found}


@pytest.mark.parametrize("package", NAMES)
def test_the_requirements_of_a_package_lead_to_no_sibling(wheels, package):
    found = closure([package], lambda name: _requires(wheels, name))
    assert found.keys() & set(NAMES) == {package, CORE}
    assert ("torch" in found) == (package not in (CORE, "groove-ray", "groove-studio"))


# pip takes seconds for each: all of them where there is time.
@pytest.mark.parametrize(
    "package",
    [pytest.param(n, marks=[] if n in (CORE, "drum-space") else [pytest.mark.slow]) for n in NAMES],
)
def test_a_package_alone_brings_no_sibling_but_the_core(index, package):
    found = resolve(index, package)
    assert found.keys() & set(NAMES) == {package, CORE}
    # The newest that the bound allows: the next minor release, not the break of the API.
    assert found[CORE] == ("1.0.0" if package == CORE else "0.2.0")
    assert ("torch" in found) == (package not in (CORE, "groove-ray", "groove-studio"))


def test_all_packages_together(index):
    found = resolve(index, *NAMES)
    assert found.keys() >= set(NAMES)
    assert found[CORE] == "0.2.0"


def test_pip_refuses_a_core_after_the_break(index):
    with pytest.raises(Stop, match=r"Cannot install drum-space==0\.1\.0 and groove-core==1\.0\.0"):
        resolve(index, "drum-space", f"{CORE}==1.0.0")


def plugins(environment: Path, cwd: Path) -> tuple[int, dict[str, dict]]:
    """Run `groove plugins --check` in an environment."""
    done = subprocess.run(
        [release._bin(environment) / "groove", "plugins", "--check", "--json"],
        cwd=cwd, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ""},
    )  # fmt: skip
    return done.returncode, {row["name"]: row for row in json.loads(done.stdout)["plugins"]}


def test_an_old_plugin_lives_on_with_the_next_minor_core(wheels, minor, tmp_path):
    """All packages in one environment, with a core that has a hook more than they know."""
    environment = release.make_environment(
        tmp_path / "venv", [minor, *(wheels[name] for name in PLUGINS)]
    )
    code, found = plugins(environment, tmp_path)
    assert code == 0, found
    assert found.keys() == set(PLUGINS)
    assert release.in_environment(environment, "groove --version", tmp_path).split()[-1] == "0.2.0"
    release.in_environment(
        environment, "groove run drum-space sample --count 1 --format mid", tmp_path
    )


def test_an_old_plugin_is_named_with_its_repair_after_a_break(wheels, major, tmp_path):
    environment = release.make_environment(tmp_path / "venv", [major, wheels["drum-space"]])
    code, found = plugins(environment, tmp_path)
    assert code == 3
    assert found["drum-space"]["status"] == "broken"
    assert "made for plugin API 1.x; this groove-core has 2.0" in found["drum-space"]["reason"]
    assert found["drum-space"]["hint"] == "pip install --upgrade groove-core drum-space"
    with pytest.raises(Stop, match="(?s)ended with 3.*pip install --upgrade groove-core drum-sp"):
        release.in_environment(environment, "groove run drum-space sample", tmp_path)


def test_the_plugin_of_groove_new(core_wheel, build_wheel, tmp_path):
    """From `groove new tabla` to its first action, on the core alone."""
    done = subprocess.run(
        [sys.executable, "-m", "groove_core", "new", "tabla"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    [project] = {path.parent for path in tmp_path.glob("**/pyproject.toml")}
    wheel = build_wheel(project)
    environment = release.make_environment(tmp_path / "venv", [wheel, core_wheel])
    code, found = plugins(environment, tmp_path)
    assert code == 0, found
    [row] = found.values()
    assert "tabla" in row["name"]
    assert row["actions"]
    release.in_environment(
        environment, f"groove run {row['name']} {row['actions'][0]['name']} --help", tmp_path
    )


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize("package", NAMES)
def test_a_package_alone_from_our_index_and_the_public_one(index, package):
    """The same as above, with the real wheels of everybody else."""
    settings = {k: v for k, v in os.environ.items() if k.startswith("PIP_")}
    settings.pop("PIP_CONFIG_FILE", None)
    wanted = package if package == CORE else f"{package} {CORE}<0.2".split()
    found = resolve(
        "https://pypi.org/simple/",
        *([wanted] if isinstance(wanted, str) else wanted),
        more=("--extra-index-url", index, "-c", str(ROOT / "constraints.txt")),
        env=settings,
    )
    assert found.keys() & set(NAMES) == {package, CORE}


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize("package", [CORE, "drum-space"])
def test_a_full_installation(package):
    assert release.main([package, "--rehearse-only", "--full"]) == 0
