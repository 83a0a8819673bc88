"""The loading rules, on real installed distributions."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

BROKEN = {
    "groove-import": ("import-fails", "does_not_exist"),
    "groove-exit": ("exits", "SystemExit"),
    "groove-hook": ("hook-raises", "boom"),
    "groove-typo": ("typo", "groove_analysers"),
    "groove-minor": ("too-new-minor", "API 1.99"),
    "groove-major": ("too-new-major", "API 2.x"),
    "groove-misnamed": ("misnamed", "names itself 'other'"),
}


def test_a_broken_plugin_is_a_row_with_reason_and_hint(site, groove):
    result = groove("plugins", "--json", path=site("groove-good", *BROKEN))
    assert result.returncode == 0
    rows = {row["name"]: row for row in json.loads(result.stdout)["plugins"]}
    assert rows["good"]["status"] == "ok"
    for distribution, (name, reason) in BROKEN.items():
        assert rows[name]["status"] == "broken"
        assert reason in rows[name]["reason"]
        assert "pip " in rows[name]["hint"]
        assert distribution in rows[name]["hint"]
        # never silent: one line on stderr, too
        assert len([li for li in result.stderr.splitlines() if distribution in li]) == 1


@pytest.mark.parametrize("distribution", ["groove-hook", "groove-major"])
def test_a_single_broken_plugin_fails_the_check(site, groove, distribution):
    assert groove("plugins", "--check", path=site("groove-good", distribution)).returncode == 3


def test_every_command_works_beside_broken_plugins(site, groove, tmp_path):
    path = site("groove-good", *BROKEN, "groove-twin-a", "groove-twin-b")
    for arguments in (
        ("--help",), ("run", "--help"), ("info",), ("models", "list"), ("models", "verify"),
        ("run", "good", "--help"), ("run", "good", "beat", "--help"),
        ("run", "good", "beat", "--seed", "1", "--format", "txt"),
        ("rerun", "groove-out/good-beat-seed1/result.json"),
    ):  # fmt: skip
        result = groove(*arguments, path=path)
        assert result.returncode == 0, (arguments, result.stderr)
    for name, reason in BROKEN.values():
        result = groove("run", name, "beat", path=path)
        assert result.returncode == 3
        assert reason in result.stderr
        assert len(result.stderr.splitlines()) == 2
        assert "Traceback" not in result.stderr


def test_one_name_from_two_distributions_is_an_error(site, groove):
    path = site("groove-twin-a", "groove-twin-b", "groove-good")
    result = groove("run", "twin", "beat", path=path)
    assert result.returncode == 3
    assert "groove-twin-a and groove-twin-b" in result.stderr
    assert "pip uninstall" in result.stderr
    rows = json.loads(groove("plugins", "--json", path=path).stdout)["plugins"]
    assert [row["status"] for row in rows if row["name"] == "twin"] == ["broken", "broken"]


HEAVY = "torch librosa scipy numba matplotlib sklearn"


@pytest.mark.parametrize(
    ("arguments", "loaded"),
    [
        (["--help"], []),
        (["run", "--help"], []),
        (["plugins"], ["groove_good"]),
        (["run", "good", "--help"], ["groove_good"]),
        (["run", "good", "beat", "--help"], ["groove_good", "groove_good_actions"]),
    ],
)
def test_targeted_and_light(site, tmp_path, arguments, loaded):
    code = f"""
import sys
from groove_core.cli.app import run_cli
code = run_cli({arguments!r})
names = sys.modules
print("HEAVY", *[m for m in {HEAVY!r}.split() if m in names])
print("LOADED", *sorted(m for m in names if m.startswith(("groove_good", "groove_watch"))))
sys.exit(code)
"""
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**__import__("os").environ, "PYTHONPATH": site("groove-good")},
    )
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[-2].split() == ["HEAVY"]
    assert lines[-1].split() == ["LOADED", *loaded]


def test_running_one_package_imports_no_other(site, groove):
    path = site("groove-good", "groove-import", "groove-hook")
    result = groove("run", "good", "beat", "--json", path=path)
    assert result.returncode == 0
    assert "broken" not in result.stderr


def test_observers_watch_other_packages_and_cannot_break_a_run(site, groove, tmp_path):
    path = site("groove-good", "groove-watch")
    log = tmp_path / "log"
    result = groove("run", "good", "beat", "--json", path=path, WATCH_LOG=str(log))
    assert result.returncode == 0
    assert log.read_text() == "started beat\nfinished beat\n"
    assert "observers cannot break a run" in result.stderr
    assert groove("run", "good", "fail", path=path, WATCH_LOG=str(log)).returncode == 1
    assert log.read_text().endswith("failed out of cheese\n")


def test_check_plugin_accepts_the_good_and_names_what_is_wrong(site, tmp_path):
    code = "import sys; from groove_core.testing import check_plugin; check_plugin(sys.argv[1])"

    def check(distribution):
        return subprocess.run(
            [sys.executable, "-c", code, distribution.replace("-", "_")],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": site(distribution)},
        )

    assert check("groove-watch").returncode == 0
    assert "groove_good_nowhere" in check("groove-good").stderr
    assert "boom" in check("groove-hook").stderr
    assert "not registered" in check("groove-major").stderr


def test_a_third_party_renderer_adds_an_ending(site, groove, tmp_path):
    result = groove(
        "run", "good", "beat", "--format", "tab", "--seed", "1", path=site("groove-good")
    )
    assert result.returncode == 0, result.stderr
    written = tmp_path / "groove-out/good-beat-seed1/beat-001.tab"
    assert written.read_text().startswith("TAB snare")


def _distribution(folder, name: str, files: dict[str, bytes]) -> str:
    about = folder / f"{name}-1.0.dist-info"
    about.mkdir(parents=True)
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode()
    for file, content in {"METADATA": metadata, **files}.items():
        (about / file).write_bytes(content)
    return str(folder)


@pytest.mark.parametrize(
    "files",
    [
        {"entry_points.txt": b"\xff\xfe garbage"},
        {"entry_points.txt": b"[groove.v1]\nno equals sign groove.\n"},
        {"entry_points.txt": b"[groove.v1]\nx = m\n", "METADATA": b"\xff\xfe"},
        {"entry_points.txt": b"[groove.v1]\nx = m\n", "METADATA": b"Metadata-Version: 2.1\n"},
    ],
)
def test_a_damaged_distribution_is_named_and_in_nobodys_way(site, groove, tmp_path, files):
    path = os.pathsep.join([_distribution(tmp_path / "x", "odd", files), site("groove-good")])
    result = groove("run", "good", "beat", "--json", path=path)
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("odd-1.0.dist-info is damaged") == 1
    listed = groove("plugins", "--json", path=path)
    assert listed.returncode == 0
    document = json.loads(listed.stdout)
    assert "good" in {row["name"] for row in document["plugins"]}
    assert "odd-1.0.dist-info" in document["damaged"][0]


def test_a_plugin_that_prints_and_an_observer_that_exits_change_no_result(site, groove, tmp_path):
    place = _distribution(
        tmp_path / "x",
        "loud",
        {"entry_points.txt": b"[groove.v1]\nloud = loud\n[groove.observers.v1]\nloud = loud\n"},
    )
    (tmp_path / "x/loud.py").write_text(
        "import sys\nfrom groove_core.hookspecs import hookimpl\nprint('LOUD')\n"
        "@hookimpl\ndef groove_run_started(run):\n    run.options['count'] = run.seed = -1\n"
        "@hookimpl\ndef groove_run_finished(run, result):\n"
        "    result.clear(); print('LOUD'); sys.exit(4)\n"
    )
    path = os.pathsep.join([place, site("groove-good")])
    quiet = groove("run", "good", "beat", "--json", "--seed", "1", path=site("groove-good"))
    loud = groove("run", "good", "beat", "--json", "--seed", "1", path=path)
    assert (loud.returncode, loud.stdout) == (0, quiet.stdout)
    assert "an observer failed in groove_run_finished: SystemExit" in loud.stderr
    assert json.loads(groove("plugins", "--json", path=path).stdout)["plugins"]


def test_metadata_is_read_once_and_again_after_an_installation(monkeypatch, tmp_path):
    from groove_core.plugins import loader

    read = []
    distributions = loader.metadata.distributions

    def counted():
        read.append(1)
        return distributions()

    monkeypatch.setattr(loader.metadata, "distributions", counted)
    monkeypatch.syspath_prepend(tmp_path)
    for number in range(3):
        (tmp_path / f"{number}.txt").touch()  # a folder of code may be one of results, too
        loader.installed()
        loader.observers()
        loader.damaged()
    assert len(read) == 1
    _distribution(tmp_path, "new", {"entry_points.txt": b"[groove.v1]\nnew-one = m\n"})
    assert loader.find("new-one").distribution == "new"
    assert len(read) == 2


def _plugin(folder, name: str, source: str, *, watches: bool = False) -> str:
    group = "groove.observers.v1" if watches else "groove.v1"
    module = name.replace("-", "_")
    points = f"[{group}]\n{name} = {module}\n".encode()
    place = _distribution(folder, name, {"entry_points.txt": points})
    (folder / f"{module}.py").write_text(source)
    return place


MEDDLES = """
import locale, os, random, subprocess, sys, warnings
import numpy
from groove_core.hookspecs import hookimpl

def meddle():
    os.chdir("/")
    locale.setlocale(locale.LC_ALL, "C.UTF-8")
    random.seed(1)
    numpy.random.seed(1)
    warnings.simplefilter("ignore")
    os.write(1, b"LOUD")
    subprocess.run([sys.executable, "-c", "print('LOUD')"])
    print("LOUD", file=sys.__stdout__, flush=True)

meddle()

@hookimpl
def groove_run_started(run):
    meddle()

@hookimpl
def groove_run_finished(run, result):
    raise KeyboardInterrupt
"""


def test_what_an_observer_changes_is_put_back_and_named(site, groove, tmp_path):
    path = os.pathsep.join([_plugin(tmp_path / "x", "odd", MEDDLES, watches=True),
                            site("groove-good")])  # fmt: skip
    arguments = ("run", "good", "beat", "--seed", "1", "--out", "o", "--json")
    quiet = groove(*arguments, path=site("groove-good"), cwd=_empty(tmp_path / "quiet"))
    loud = groove(*arguments, path=path, cwd=_empty(tmp_path / "loud"))
    assert (loud.returncode, loud.stdout) == (0, quiet.stdout), loud.stderr
    assert (tmp_path / "loud/o/result.json").is_file()
    for what in ("working folder", "locale", "random state", "warnings that are shown"):
        for who in ("odd", "an observer"):
            assert loud.stderr.count(f"warning: {who} changed the {what}, which is put back") == 1
    assert "groove_run_finished: RuntimeError: it raised KeyboardInterrupt" in loud.stderr


def _empty(folder):
    folder.mkdir()
    return folder


def test_a_plugin_that_raises_keyboard_interrupt_is_broken_and_in_nobodys_way(
    site, groove, tmp_path
):
    odd = _plugin(tmp_path / "x", "groove-odd", "raise KeyboardInterrupt\n")
    result = groove("plugins", "--json", path=os.pathsep.join([odd, site("groove-good")]))
    rows = {row["name"]: row for row in json.loads(result.stdout)["plugins"]}
    assert rows["good"]["status"] == "ok"
    assert "KeyboardInterrupt" in rows["groove-odd"]["reason"]


def test_isolate_names_what_hangs_and_what_dies(site, groove, tmp_path, monkeypatch):
    places = [
        _plugin(tmp_path / "a", "groove-hangs", "import time\ntime.sleep(99)\n"),
        _plugin(tmp_path / "b", "groove-dies", "import os\nprint('{}', flush=True)\nos._exit(0)\n"),
        _plugin(tmp_path / "c", "killed", "import os\nos.kill(os.getpid(), 9)\n", watches=True),
        site("groove-good"),
    ]
    result = groove(
        "plugins", "--isolate", "--limit-s", "8", "--json", "--check", path=os.pathsep.join(places)
    )
    assert result.returncode == 3
    rows = {row["name"]: row for row in json.loads(result.stdout)["plugins"]}
    assert rows["good"]["actions"]
    assert "hangs: it was not loaded after 8 s" in rows["groove-hangs"]["reason"]
    assert "ends its process when it is loaded (exit code 0)" in rows["groove-dies"]["reason"]
    assert "(SIGKILL)" in rows["killed"]["reason"]
    monkeypatch.setenv("GROOVE_WITHOUT", "groove-hangs, groove-dies")
    result = groove("plugins", "--json", path=os.pathsep.join(places))
    names = {row["name"] for row in json.loads(result.stdout)["plugins"]}
    assert names == {*rows} - {"groove-hangs", "groove-dies", "killed"}
