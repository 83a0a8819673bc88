"""A release, and each thing that stops it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import release
from monorepo import ROOT, Package, Stop, packages


def start(repository: Path, *arguments: str) -> int:
    return release.main([*arguments, "--root", str(repository)])


@pytest.fixture
def no_rehearsal(monkeypatch) -> None:
    """Leave out what takes seconds, in tests of something else."""
    monkeypatch.setattr(release, "rehearse_both", lambda *_, **__: iter(["not rehearsed"]))


def test_a_dry_run_changes_nothing(repository, capsys, git):
    def state() -> tuple[str, ...]:
        return git(repository, "log"), git(repository, "status", "--porcelain")

    before = state()
    assert start(repository, "mini", "--bump", "minor") == 0
    shown = capsys.readouterr().out
    assert "mini 0.1.0 -> 0.2.0" in shown
    assert "A first version." in shown
    assert "built mini-0.2.0-py3-none-any.whl" in shown
    assert "works with groove-core 0.1.0 (of the workspace)" in shown
    assert "a dry run" in shown
    assert before == state()
    assert not git(repository, "tag")
    assert not (repository / "dist").exists()


def test_a_release_and_what_a_moved_or_wrong_tag_meets(
    repository, change, no_rehearsal, capsys, git, tmp_path
):
    assert start(repository, "mini", "--go") == 0
    assert git(repository, "tag").split() == ["mini-v0.1.0"]
    assert git(repository, "log", "-1", "--format=%s").strip() == "mini 0.1.0"
    assert git(repository, "status", "--porcelain") == ""
    assert {p.name for p in (repository / "dist").iterdir()} == {
        "mini-0.1.0-py3-none-any.whl", "mini-0.1.0.tar.gz",
    }  # fmt: skip
    changelog = (repository / "packages/mini/CHANGELOG.md").read_text()
    assert "mini 0.1.0" in changelog
    assert "A first version." in changelog
    assert not release.fragments(Package(repository, "mini"))

    # CI, on that tag.
    assert start(repository, "mini", "--tag", "mini-v0.1.0", "--out", str(tmp_path / "ci")) == 0
    assert len(list((tmp_path / "ci").iterdir())) == 2

    with pytest.raises(Stop, match="has a tag already") as stop:
        start(repository, "mini", "--go")
    assert "--bump patch" in stop.value.hint
    with pytest.raises(Stop, match="no fragment: nothing to say about 0.1.1"):
        start(repository, "mini", "--bump", "patch")
    with pytest.raises(Stop, match="no fragment"):
        start(repository, "mini", "--version", "0.0.9")
    assert "mini 0.0.9 is older than mini-v0.1.0" in capsys.readouterr().err
    with pytest.raises(Stop, match="disagrees with __about__.py, whose version is 0.1.0"):
        start(repository, "mini", "--tag", "mini-v0.2.0")
    change("packages/mini/changelog.d/+late.bugfix.md", "", "Late.")
    with pytest.raises(Stop, match=r"left out of the notes: \+late.bugfix.md"):
        start(repository, "mini", "--tag", "mini-v0.1.0")
    change("packages/mini/src/mini/__about__.py", "0.1.0", "0.1.1")
    capsys.readouterr()
    with pytest.raises(Stop, match="left out"):
        start(repository, "mini", "--tag", "mini-v0.1.1")
    assert "CHANGELOG.md of mini has nothing on 0.1.1" in capsys.readouterr().err


MINI = "packages/mini/pyproject.toml"
BOUND = '"groove-core>=0.1,<1"'


@pytest.mark.parametrize(
    ("file", "old", "new", "message", "hint"),
    [
        (MINI, BOUND, f'{BOUND}, "other>=0.1"', "depends on its sibling other", "Move what both"),
        (MINI, BOUND, "", "does not depend on groove-core", "groove-core>=0.1.0,<1"),
        (MINI, BOUND, '"groove-core>=0.1"', "without a floor and a ceiling", "next API break"),
        (MINI, BOUND, '"groove-core>=0.0.1,<1"', "allows groove-core 0.0.1, but API 1.0", "0.1.0"),
        (MINI, BOUND, '"groove-core>=0.1,<0.1"', "shuts out groove-core 0.1.0", "Widen"),
        ("packages/mini/src/mini/plugin.py", "(1, 0)", "(1, 7)", "no groove-core has", "api="),
        ("packages/mini/src/mini/plugin.py", "api=(1, 0)", "", "declares no API", "api=(1, 0)"),
        ("packages/mini/changelog.d/+first.feature.md", "", "", None, None),
        ("packages/mini/changelog.d/+x.news.md", "", "New.", "no known kind", "NAME.KIND.md"),
        ("packages/mini/CHANGELOG.md", "notes start -->\n", "notes start -->\n\n# mini 0.1.0\n",
         "has 0.1.0 already, and fragments", "--bump patch"),
        ("pyproject.toml", 'smoke = ["groove run mini beat"]', "", "no action to try", "smoke"),
    ],
)  # fmt: skip
def test_what_stops_it(repository, change, file, old, new, message, hint):
    if message is None:
        (repository / file).unlink()
        message, hint = "has no fragment", "towncrier create"
    else:
        change(file, old, new)
    with pytest.raises(Stop, match=message) as stop:
        start(repository, "mini")
    assert hint in stop.value.hint


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing",), "no package 'nothing'"),
        (("mini", "other"), "One package is released at a time"),
        (("mini", "--version", "v1"), "not a version in its normal form"),
        (("mini", "--version", "not-one"), "not a version in its normal form"),
    ],
)
def test_what_cannot_be_asked(repository, arguments, message):
    with pytest.raises(Stop, match=message):
        start(repository, *arguments)


def test_a_dirty_tree_stops_a_release_but_not_a_dry_run(no_rehearsal, repository, capsys, git):
    (repository / "packages/mini/src/mini/new.py").write_text("")
    with pytest.raises(Stop, match=r"not committed: packages/mini/src/mini/new.py") as stop:
        start(repository, "mini", "--go")
    assert "git commit" in stop.value.hint
    assert git(repository, "tag") == ""
    assert start(repository, "mini") == 0
    assert "--go would stop here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("src/mini/weights/state.safetensors", "x", "should not: mini/weights/state"),
        ("src/mini/tests/test_x.py", "", "carries what it should not: mini/tests/test_x.py"),
        ("src/mini/conftest.py", "", "carries what it should not"),
        ("src/mini/py.typed", None, "misses py.typed"),
        ("src/mini/data.txt", None, "misses data.txt"),
        ("LICENSE", None, "no licence"),
        ("src/mini/large.bin", "large", "MB, above 0.1"),
    ],
)  # fmt: skip
def test_wheels_that_stop_it(repository, tmp_path, file, content, message):
    path = repository / "packages/mini" / file
    if content is None:
        path.unlink()
        if file == "LICENSE":
            project = repository / MINI
            project.write_text(project.read_text().replace('license-files = ["LICENSE"]', ""))
    else:
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
        if content == "large":
            import numpy as np

            path.write_bytes(np.random.default_rng(0).bytes(200_000))
    mini = Package(repository, "mini")
    wheel, _ = release.build(release.copy_tree(mini, tmp_path / "tree"), tmp_path / "dist")
    with pytest.raises(Stop, match=message):
        release.check_wheel(mini, wheel, "0.1.0")
    with pytest.raises(Stop, match="has version 0.1.0, not 0.2.0"):
        release.check_wheel(mini, wheel, "0.2.0")


def test_a_floor_that_is_too_low(repository, change, git):
    """Core 0.1.0 is out; the package uses what 0.2.0 brings, and still allows 0.1.0."""
    git(repository, "tag", "groove-core-v0.1.0")
    change("packages/groove-core/src/groove_core/__about__.py", "0.1.0", "0.2.0")
    change("packages/groove-core/src/groove_core/shiny.py", "", "BEAT = 'x...'\n")
    actions = "packages/mini/src/mini/actions.py"
    change(actions, "def beat():", "from groove_core.shiny import BEAT\ndef beat():")
    with pytest.raises(
        Stop, match=r"(?s)floor of mini is too low.*not with groove-core 0.1.0,.*shiny"
    ) as stop:
        start(repository, "mini", "--rehearse-only")
    assert "Raise the floor in packages/mini/pyproject.toml above 0.1.0" in stop.value.hint
    change(MINI, BOUND, '"groove-core>=0.2,<1"')
    lowest, newest = release.allowed(Package(repository, "mini"))
    assert lowest == newest


def test_a_floor_below_the_api_that_is_declared(repository, change, git):
    git(repository, "tag", "groove-core-v0.1.0")
    change("packages/groove-core/src/groove_core/__about__.py", "0.1.0", "0.2.0")
    change("packages/groove-core/src/groove_core/hookspecs.py", "(1, 0)", "(1, 1)")
    change("packages/mini/src/mini/plugin.py", "(1, 0)", "(1, 1)")
    with pytest.raises(Stop, match=r"allows groove-core 0.1, but API 1.1.*came with 0.2.0") as stop:
        start(repository, "mini")
    assert "groove-core>=0.2.0" in stop.value.hint


def test_both_cores_are_tried_and_a_broken_action_stops_it(repository, change, capsys, git):
    git(repository, "tag", "groove-core-v0.1.0")
    change("packages/groove-core/src/groove_core/__about__.py", "0.1.0", "0.3.0")
    assert start(repository, "mini", "--rehearse-only") == 0
    shown = capsys.readouterr().out
    assert "mini: works with groove-core 0.3.0 (of the workspace)" in shown
    assert "mini: works with groove-core 0.1.0 (" in shown
    change("packages/mini/src/mini/actions.py", "print(", "raise SystemExit(")
    with pytest.raises(Stop, match=r"(?s)wheel of mini does not work with.*0\.3\.0.*x\.\.\."):
        start(repository, "mini", "--rehearse-only")


def test_a_dependency_that_nobody_declared_is_not_there(repository, change):
    change("packages/mini/src/mini/actions.py", "print(", "import numpy; print(")
    with pytest.raises(Stop, match=r"(?s)does not work.*No module named 'numpy'"):
        start(repository, "mini", "--rehearse-only")


def test_changes_want_a_fragment(repository, change, capsys):
    change("packages/mini/src/mini/actions.py", "x...", "x.x.")
    change("packages/other/src/other/actions.py", "x...", "x.x.")
    change("packages/other/changelog.d/1.bugfix.md", "", "Mended.")
    assert start(repository, "all", "--news-since", "HEAD~3") == 1
    assert capsys.readouterr().err.splitlines()[0] == "error: mini changed without a fragment."
    change("packages/mini/changelog.d/1.misc.md", "", "Nothing to see.")
    assert start(repository, "all", "--news-since", "HEAD~4") == 0


def test_the_command_says_two_lines(repository):
    done = subprocess.run(
        [sys.executable, ROOT / "tools/release.py", "drums", "--root", repository],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: There is no package 'drums'.", "hint: One of groove-core, mini, other.",
    ]  # fmt: skip


def test_every_real_package_has_bounds_that_hold():
    for package in packages(ROOT).values():
        assert list(release.check_bounds(package)) == []
